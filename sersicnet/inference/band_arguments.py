"""Arguments of `SersicNet.predict` for several bands: one value, or one for each band."""

import dataclasses
import re
import warnings
from contextlib import contextmanager

import numpy as np
from astropy.nddata import Cutout2D, NDData
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet._caller import warn_caller
from sersicnet._settings import similar_names
from sersicnet.diagnostics.band_schema import band_columns
from sersicnet.diagnostics.schema import COLUMNS
from sersicnet.preprocessing.images import as_image
from sersicnet.preprocessing.stamps import CheckedCutout
from sersicnet.preprocessing.windows import replace

__all__ = ["check_bands", "check_names", "naming", "of_each_band"]

_NAME = re.compile(r"[a-z0-9][a-z0-9_]*", re.ASCII | re.IGNORECASE)
# Arguments of which None is not the default.
_WITHOUT_NONE = ("normalize_psf", "recenter_psf", "sky", "noise_correlation")
# Endings of columns that names of bands would be taken for, and names of components.
_TAKEN = ("err", "lo", "hi", "pix", "slope", "population", "total")
_TAKEN_ENDS = tuple(f"_{end}" for end in _TAKEN)
_COMPONENTS = ("bulge", "disk", "host", "point", "galaxy")


def check_bands(cutouts):
    """Check the cutouts of several bands, and put an empty one in the place of each missing one.

    Parameters
    ----------
    cutouts : dict
        As in `~sersicnet.SersicNet.predict`, by the names of bands.

    Returns
    -------
    cutouts : dict
        Lists of images, or stacks of them, without the bands that have none.
    missing : dict of (N,) bool `~numpy.ndarray`
        Which galaxies have no cutout, for all bands.

    Raises
    ------
    TypeError, ValueError
        If a name cannot be that of columns, numbers of cutouts differ, or there are none.
    """
    check_names(cutouts, "cutouts")
    found = {}
    missing = {}
    for band, images in cutouts.items():
        with naming(band):
            found[band], missing[band] = _filled(images)
    numbers = list(map(len, missing.values()))
    if len(set(numbers)) > 1:
        each = ", ".join(map("{} in {!r}".format, numbers, missing))
        msg = f"cutouts has {each}: each galaxy needs one in each band, or None"
        raise ValueError(msg)
    for band, lost in missing.items():
        if lost.all():
            del found[band]
    if not found:
        msg = "cutouts has no image in any band: all are None"
        raise ValueError(msg)
    return found, missing


def check_names(bands, argument):
    """Raise an error unless the names of bands can be those of columns.

    Parameters
    ----------
    bands : dict
        Anything by the names of bands.
    argument : str
        What it is called in messages.

    Raises
    ------
    TypeError, ValueError
        If there is no band, a name is not a text, not one of columns, or that of other columns, or
        two differ by their case only.
    """
    if not bands:
        msg = f"{argument} is an empty dict: at least one band is needed"
        raise ValueError(msg)
    for band in bands:
        if not isinstance(band, str):
            msg = f"{argument} has a band {band!r}: its name must be a text, such as 'r'"
            raise TypeError(msg)
        lower = f"_{band.lower()}"
        taken = lower.endswith(_TAKEN_ENDS) or lower[1:] in _COMPONENTS
        for column in band_columns([band]):
            taken |= column.name in COLUMNS
        if taken or not _NAME.fullmatch(band):
            msg = (
                f"{argument} has a band {band!r}: its name must be letters, digits and _, and not "
                f"end with {', '.join(_TAKEN)}, nor be {', '.join(_COMPONENTS)}, as other columns "
                "do"
            )
            raise ValueError(msg)
    if len(set(map(str.lower, bands))) < len(bands):
        msg = f"{argument} has the bands {', '.join(bands)}: files do not tell their case"
        raise ValueError(msg)


def _filled(images):
    """Return the images of a band, None where there are none, and which are missing, (N,)."""
    if isinstance(images, np.ndarray | NDData) and np.ndim(getattr(images, "data", images)) == 3:
        return images, np.zeros(len(getattr(images, "data", images)), dtype=bool)
    is_plain = isinstance(images, np.ndarray) and images.ndim == 2
    if is_plain or isinstance(images, NDData | Cutout2D) or images is None:
        images = [images]
    if isinstance(images, str | dict) or not hasattr(images, "__iter__"):
        msg = f"cutouts must be a list of images, not {type(images).__name__}"
        raise TypeError(msg)
    images = list(images)
    missing = np.zeros(len(images), dtype=bool)
    for place, image in enumerate(images):
        missing[place] = image is None
    if not missing.any() or missing.all():
        return images, missing
    stand_in = as_image(images[missing.argmin()], f"cutouts[{missing.argmin()}]")
    hidden = {"mask": np.ones(stand_in.data.shape, dtype=bool)}
    if isinstance(stand_in, CheckedCutout):
        stand_in = dataclasses.replace(stand_in, **hidden)
    else:
        stand_in = replace(stand_in, **hidden)
    for place in np.flatnonzero(missing):
        images[place] = stand_in
    return images, missing


def of_each_band(arguments, bands):
    """Return the arguments of each band.

    Parameters
    ----------
    arguments : dict
        Values by the names of arguments: one for all bands, or a dict with that of each band, which
        may be None where this is the default.
    bands : sequence of str
        Names of all bands.

    Returns
    -------
    dict of dict
        By the names of bands.

    Raises
    ------
    ValueError
        If there is no band of such a name, or a dict lacks one.

    Examples
    --------
    >>> from sersicnet.inference.band_arguments import of_each_band
    >>> of_each_band({"gain": {"g": 2.0, "r": None}, "zeropoint": 25.0}, ["g", "r"])
    {'g': {'gain': 2.0, 'zeropoint': 25.0}, 'r': {'gain': None, 'zeropoint': 25.0}}
    """
    found = {}
    for band in bands:
        found[band] = {}
    for name, value in arguments.items():
        of_bands = value
        if not isinstance(value, dict):
            of_bands = dict.fromkeys(bands, value)
        for band, each in of_bands.items():
            if band not in found:
                hint = similar_names(str(band), bands)
                msg = f"{name} has a band {band!r}, but cutouts has {', '.join(bands)}{hint}"
                raise ValueError(msg)
            found[band][name] = each
        lacking = [band for band in bands if band not in of_bands]
        if lacking:
            msg = f"{name} has no band {lacking[0]!r}: a dict needs the value of each band"
            if name not in _WITHOUT_NONE:
                msg += ", or None for what the image says"
            raise ValueError(msg)
    return found


@contextmanager
def naming(band):
    """Name the band in what is raised and warned of its images and arguments.

    Parameters
    ----------
    band : str
        Name of the band.

    Examples
    --------
    >>> from sersicnet.inference.band_arguments import naming
    >>> with naming("r"):
    ...     raise ValueError("the gain is negative")
    Traceback (most recent call last):
        ...
    ValueError: band 'r': the gain is negative
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")  # the filters of the user are for what comes out
            yield
    except (TypeError, ValueError) as error:
        msg = f"band {band!r}: {error}"
        raise type(error)(msg) from error
    for one in caught:
        if issubclass(one.category, AstropyUserWarning):
            warn_caller(f"band {band!r}: {one.message}")
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
