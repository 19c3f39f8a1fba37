"""Arguments that are magnitudes or pixel scales."""

import astropy.units as u
import numpy as np

from sersicnet._words import counted

__all__ = ["SCALE_LIMITS", "per_cutout"]

# Arcsec per pixel of images in which galaxies are measured: those of an interferometer or an
# extremely large telescope, and more than those of wide-field monitors. A scale in degrees or in
# milliarcsec, or the 3600 arcsec of a WCS without one, is mostly outside.
SCALE_LIMITS = (1e-3, 30.0)
# AB magnitudes of one count are smaller in size: a watt per square meter and hertz is -56.1, but
# has a unit, and an erg per second, square centimeter and hertz is -48.6.
_LARGEST_ZEROPOINT = 50.0


def per_cutout(value, n_cutouts, name):
    """Check the argument ``zeropoint`` or ``pixel_scale``, and repeat it for each cutout.

    Parameters
    ----------
    value : None, float, `~astropy.units.Quantity` or array with one value per cutout
        The user's value: AB magnitudes, or arcsec (per pixel).
    n_cutouts : int
        Number of cutouts.
    name : {"zeropoint", "pixel_scale"}
        Name of the argument.

    Returns
    -------
    (n_cutouts,) `~numpy.ndarray` or None
        Magnitudes or arcsec.

    Raises
    ------
    ValueError
        If a zero point is not between -50 and 50, a pixel scale is not within `SCALE_LIMITS`, or
        their number is wrong.
    TypeError
        If it is not a number.
    `~astropy.units.UnitConversionError`
        If a quantity has another unit.
    """
    if value is None:
        return None
    values = _strip_unit(value, name)
    if values.shape not in ((), (n_cutouts,)):
        cutouts = counted(n_cutouts, "cutout")
        msg = f"{name} has shape {values.shape}: one value, or one for each of {cutouts}"
        raise ValueError(msg)
    if name == "pixel_scale":
        lowest, highest = SCALE_LIMITS
        needed = f"{lowest} to {highest:g} arcsec per pixel"
        good = (values >= lowest) & (values <= highest)
    else:
        needed = f"between -{_LARGEST_ZEROPOINT:g} and {_LARGEST_ZEROPOINT:g} (AB magnitude of one)"
        good = np.abs(values) <= _LARGEST_ZEROPOINT
    if not np.all(good):
        msg = f"{name}={value!r} must be {needed}"
        raise ValueError(msg)
    return np.broadcast_to(values, (n_cutouts,))


def _strip_unit(value, name):
    """Return the argument in AB magnitudes or arcsec, without its unit."""
    if getattr(value, "unit", None) is not None and not isinstance(value, u.Quantity):
        value = value.quantity  # a table column
    try:
        if not isinstance(value, u.Quantity):
            return np.asarray(value, dtype=float)
        if name == "zeropoint":
            return _to_magnitudes(value)
        unit = u.arcsec
        if value.unit.is_equivalent(u.arcsec / u.pix):
            unit = u.arcsec / u.pix
        return np.asarray(value.to_value(unit), dtype=float)
    except u.UnitConversionError as error:
        msg = f"{name}={value!r}: {error}"
        raise u.UnitConversionError(msg) from None
    except (TypeError, ValueError):
        msg = f"{name}={value!r} must be a number, a Quantity, or one of these for each cutout"
        raise TypeError(msg) from None


def _to_magnitudes(value):
    """Return AB magnitudes without their unit; a flux is no zero point."""
    if value.unit == u.mag:  # taken as AB
        return np.asarray(value.value, dtype=float)
    if value.unit.is_equivalent(u.Jy) and not isinstance(value.unit, u.MagUnit):
        msg = "a flux is not a magnitude: pass the AB magnitude of one count"
        raise u.UnitConversionError(msg)
    return np.asarray(value.to_value(u.ABmag), dtype=float)
