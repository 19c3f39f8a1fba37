"""The stage of the PSF: the stars of an image, a PSF made from them, and any PSF tried on them."""

import logging
import warnings
from dataclasses import replace

from astropy.utils.exceptions import AstropyUserWarning

from sersicnet._words import counted
from sersicnet.measure.made_psf import make_psf
from sersicnet.measure.option_values import STARS
from sersicnet.measure.psf import field_psf
from sersicnet.measure.psf_trial import FEWEST, PSFTrial, try_psf
from sersicnet.measure.stars import find_stars
from sersicnet.networks.posterior import PosteriorNetwork

__all__ = ["keep_psf", "kept_psf", "with_psf"]

_LOG = logging.getLogger("sersicnet")


def with_psf(measurement, sky, *, stacklevel):
    """Return a measurement whose PSF has been tried on the stars, or made from them.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    stacklevel : int
        As in `warnings.warn`, counted from the caller of this function.

    Returns
    -------
    `~sersicnet.measure.tiles.Measurement`

    Raises
    ------
    ValueError
        If the image has no PSF, and too few stars to make one.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the PSF does not fit the stars.
    """
    if not isinstance(measurement.net.network_, PosteriorNetwork):
        return measurement
    shape = measurement.field.data.shape
    if not measurement.has_sky:
        sky = sky.without_level()
    stars = find_stars(measurement.field, sky, saturation=measurement.saturation)
    psf = measurement.psf
    if psf is None:
        psf = make_psf(stars, shape, pixel_scale=measurement.pixel_scale)
        stars = psf.stars
    trial = try_psf(psf, stars, shape)
    _log(trial, stars)
    if trial.bad_parts.any():
        where = "" if trial.is_bad else f"in {counted(trial.bad_parts.sum(), 'part')} of 9: "
        msg = f"psf does not fit the stars of the image: {where}{trial.words()}"
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)
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
        _LOG.info("PSF: %s, which differ too much from each other to try it on", found)
    else:
        _LOG.info("PSF: %s; %s", found, trial.words())
