"""The stage of the PSF: the stars of an image, a PSF made from them, and any PSF tried on them."""

import logging
import warnings
from dataclasses import replace

from astropy.utils.exceptions import AstropyUserWarning

from sersicnet._words import counted
from sersicnet.measure.psf_trial import FEWEST, PSFTrial, try_psf
from sersicnet.measure.stars import find_stars
from sersicnet.networks.posterior import PosteriorNetwork

__all__ = ["trial_of", "with_psf", "with_trial"]

_LOG = logging.getLogger("sersicnet")


def with_psf(measurement, sky, *, stacklevel):
    """Return a measurement whose PSF has been tried on the stars of the image.

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

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the PSF does not fit the stars.
    """
    if measurement.psf is None or not isinstance(measurement.net.network_, PosteriorNetwork):
        return measurement
    if not measurement.has_sky:
        sky = sky.without_level()
    stars = find_stars(measurement.field, sky, saturation=measurement.saturation)
    trial = try_psf(measurement.psf, stars, measurement.field.data.shape)
    _log(trial, stars)
    if trial.bad_parts.any():
        where = "" if trial.is_bad else f"in {counted(trial.bad_parts.sum(), 'part')} of 9: "
        msg = f"psf does not fit the stars of the image: {where}{trial.words()}"
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)
    return replace(measurement, psf=replace(measurement.psf, trial=trial))


def trial_of(measurement):
    """Return the trial of a measurement's PSF as JSON can hold it, None where there is none.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        What `with_psf` returned.

    Returns
    -------
    dict or None
    """
    if measurement.psf is None or measurement.psf.trial is None:
        return None
    return measurement.psf.trial.to_dict()


def with_trial(measurement, record):
    """Return a measurement with the trial of its PSF that `trial_of` has described.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    record : dict or None
        Its trial.

    Returns
    -------
    `~sersicnet.measure.tiles.Measurement`
    """
    if record is None:
        return measurement
    return replace(measurement, psf=replace(measurement.psf, trial=PSFTrial.from_dict(record)))


def _log(trial, stars):
    """Log what the stars say of the PSF."""
    found = f"{counted(len(stars), 'star')} among {counted(stars.n_candidates, 'bright source')}"
    if trial.n_stars < FEWEST:
        _LOG.info("PSF: %s, too few to try it on (%d are needed)", found, FEWEST)
    elif not trial.is_judged:
        _LOG.info("PSF: %s, which differ too much from each other to try it on", found)
    else:
        _LOG.info("PSF: %s; %s", found, trial.words())
