"""The stage of the PSF: the stars of an image, a PSF made from them, and any PSF tried on them."""

import logging
from dataclasses import replace

from sersicnet._caller import warn_caller
from sersicnet._words import counted
from sersicnet.measure.made_psf import make_psf, stars_of
from sersicnet.measure.option_values import STARS
from sersicnet.measure.psf import field_psf
from sersicnet.measure.psf_trial import FEWEST, FEWEST_BROAD, PSFTrial, try_psf
from sersicnet.networks.posterior import PosteriorNetwork

__all__ = ["keep_psf", "kept_psf", "with_psf"]

_LOG = logging.getLogger("sersicnet")


def with_psf(measurement, sky):
    """Return a measurement whose PSF has been tried on the stars, or made from them.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.

    Returns
    -------
    `~sersicnet.measure.tiles.Measurement`

    Raises
    ------
    ValueError
        If the image has no PSF, and too few stars to make one, or ones that need another
        oversampling than the options say.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the PSF does not fit the stars.
    """
    if not isinstance(measurement.net.network_, PosteriorNetwork):
        return measurement
    shape = measurement.field.data.shape
    stars = stars_of(measurement, sky)
    psf = measurement.psf
    if psf is None:
        pixel_scale = measurement.pixel_scale
        psf = make_psf(stars, shape, measurement.options, pixel_scale=pixel_scale)
        stars = psf.stars
    trial = try_psf(psf, stars, shape)
    _log(trial, stars)
    if trial.bad_parts.any():
        where = trial.words()
        if not trial.is_bad:
            where = f"{trial.worst_part()}, in the whole image {where}"
        msg = f"psf does not fit the stars of the image: {where}"
        warn_caller(msg)
    return replace(measurement, psf=replace(psf, trial=trial))


def keep_psf(measurement, path):
    """Keep what the stage of the PSF has found, for other processes: a PSF that was made as a file.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        What `with_psf` returned.
    path : path
        File of the PSF, which is written if it was made from stars.

    Returns
    -------
    dict
        What else `kept_psf` needs, as JSON can hold it.
    """
    psf = measurement.psf
    if psf is None:
        return {}
    if psf.source == STARS:
        psf.write(path)
    return {"source": psf.source, "trial": psf.trial and psf.trial.to_dict()}


def kept_psf(measurement, path, record):
    """Return a measurement with the PSF that `keep_psf` has kept.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    path : path
        File of the PSF.
    record : dict
        What `keep_psf` returned.

    Returns
    -------
    `~sersicnet.measure.tiles.Measurement`
    """
    if not record:
        return measurement
    psf = measurement.psf
    if record["source"] == STARS:
        psf = field_psf(path)
    trial = record["trial"] and PSFTrial.from_dict(record["trial"])
    return replace(measurement, psf=replace(psf, source=record["source"], trial=trial))


def _log(trial, stars):
    """Log what the stars say of the PSF."""
    found = f"{counted(len(stars), 'star')} among {counted(stars.n_candidates, 'bright source')}"
    if trial.n_stars < FEWEST:
        _LOG.info("PSF: %s, too few to try it on (%d are needed)", found, FEWEST)
    elif not trial.is_judged:
        _LOG.info(
            "PSF: %s, which differ from each other, or are broader than it as galaxies may be, "
            "with fewer than %d: not tried",
            found,
            FEWEST_BROAD,
        )
    else:
        _LOG.info("PSF: %s; %s", found, trial.words())
