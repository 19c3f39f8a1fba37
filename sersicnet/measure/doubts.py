"""What is doubtful in a finished catalog as a whole."""

import warnings

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet._words import counted
from sersicnet.flags import FAILED, Flags
from sersicnet.inference.flags import warn_if_unresolved
from sersicnet.inference.tension import warn_of_tension
from sersicnet.measure.image_psf import stamps_at
from sersicnet.preprocessing.inputs import psf_width

__all__ = ["warn_of_catalog"]

# Boxes of the sky that are smaller than this many half-light radii take some of the light of a
# galaxy for sky, 0.05 mag and more: of 108 simulated galaxies with radii of 4 to 16 pixels, at a
# S/N of 30 and 300, those with n = 4 lose 0.00 to 0.04 mag in boxes of 8 radii, 0.10 in boxes of 5,
# 0.08 to 0.13 in boxes of 4, and those with n = 1 0.00 to 0.01, 0.01 to 0.04 and 0.01 to 0.09.
_RADII = 5.0
# Largest error of the magnitude of a source that counts: radii of others are guesses.
_LARGEST_ERROR = 0.2
# A star behind a PSF of half of its width has a half-light radius of 0.87 of the FWHM of this PSF,
# and a galaxy a larger one. Among this many detected sources with such an error of the magnitude,
# this share at least is more compact than that, where the PSF is right.
_N_BRIGHT = 100
_BRIGHT_ERROR = 0.05
_COMPACT = 0.55
_LEAST_SHARE = 0.01
# Flags of sources whose radii do not count.
_DOUBTED = FAILED | Flags.BAD_PSF | Flags.LOW_SNR | Flags.EDGE


def warn_of_catalog(table, measurement, *, stacklevel):
    """Warn if most sources are unresolved, or none is, or some are large for the boxes of the sky.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The catalog.
    measurement : `~sersicnet.measure.tiles.Measurement`
        What measured it.
    stacklevel : int
        As in `warnings.warn`, counted from the caller of this function.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        With the number of these sources.
    """
    if measurement.options.fixed:
        return
    columns = {name: table[name] for name in table.colnames}
    warn_of_tension(columns, stacklevel=stacklevel + 1)
    if measurement.net.network in ("posterior", "likelihood"):
        warn_if_unresolved(np.asarray(table["flags"]), stacklevel=stacklevel + 1)
        _warn_if_all_are_large(table, measurement, stacklevel=stacklevel + 1)
    if not measurement.has_sky or not {"r_eff", "mag_err"} <= set(table.colnames):
        return
    box = measurement.options.background_box
    radius = _radii_in_pixels(table, measurement.pixel_scale)
    counts = np.asarray(table["flags"]) & int(_DOUBTED) == 0
    counts &= np.asarray(u.Quantity(table["mag_err"]).value) < _LARGEST_ERROR
    large = counts & (_RADII * radius > box)
    if large.any():
        sources = counted(np.count_nonzero(large), "source")
        msg = (
            f"background_box={box}: the half-light radii of {sources} are up to "
            f"{radius[large].max():.0f} pixels, and boxes of less than {_RADII:g} radii take some "
            "of their light for sky"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)


def _warn_if_all_are_large(table, measurement, *, stacklevel):
    """Warn if no detected source is as compact as a star, as behind a PSF that is too narrow."""
    if measurement.options.catalog is not None or measurement.psf is None:
        return
    stamps = stamps_at(measurement.psf, measurement.field.data.shape)
    fwhm = psf_width(stamps, {"oversampling": measurement.psf.oversampling})
    if fwhm is None or not {"r_eff", "mag_err"} <= set(table.colnames):
        return
    bright = np.asarray(table["flags"]) & int(FAILED | Flags.BAD_PSF) == 0
    bright &= np.asarray(u.Quantity(table["mag_err"]).value) < _BRIGHT_ERROR
    radius = _radii_in_pixels(table, measurement.pixel_scale)[bright] / fwhm
    n_compact = np.count_nonzero(radius < _COMPACT)
    if len(radius) < _N_BRIGHT or n_compact >= _LEAST_SHARE * len(radius):
        return
    msg = (
        f"{n_compact} of {len(radius)} bright sources have half-light radii below {_COMPACT} of "
        "the FWHM of the PSF, as stars and small galaxies have: it may be narrower than that of "
        "the image; a PSF on the pixels of the image needs psf_oversampling=1"
    )
    warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)


def _radii_in_pixels(table, pixel_scale):
    """Half-light radii along the major axis in pixels."""
    if "r_eff_pix" in table.colnames:
        return u.Quantity(table["r_eff_pix"]).value
    return u.Quantity(table["r_eff"], u.arcsec).value / pixel_scale
