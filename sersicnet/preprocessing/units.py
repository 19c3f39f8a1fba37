"""Arguments that are magnitudes, pixel scales or gains."""

import astropy.units as u
import numpy as np

from sersicnet._words import counted

__all__ = ["SCALE_LIMITS", "per_cutout", "rows_or_none"]

# Arcsec per pixel of images in which galaxies are measured: those of an interferometer or an
# extremely large telescope, and more than those of wide-field monitors. A scale in degrees or in
# milliarcsec, or the 3600 arcsec of a WCS without one, is mostly outside.
SCALE_LIMITS = (1e-3, 30.0)
# AB magnitudes of one count are smaller in size: a watt per square meter and hertz is -56.1, but
# has a unit, and an erg per second, square centimeter and hertz is -48.6.
_LARGEST_ZEROPOINT = 50.0


def per_cutout(value, n_cutouts, name):
    """Check the argument ``zeropoint``, ``pixel_scale`` or ``gain``, repeated for each cutout.

    Parameters
    ----------
    value : None, float, `~astropy.units.Quantity` or array with one value per cutout
        The user's value: AB magnitudes, arcsec (per pixel), or electrons per unit of the image.
    n_cutouts : int
        Number of cutouts.
    name : {"zeropoint", "pixel_scale", "gain"}
        Name of the argument.

    Returns
    -------
    (n_cutouts,) `~numpy.ndarray` or None
        Magnitudes, arcsec, or electrons per unit of the image.

    Raises
    ------
    ValueError
        If a zero point is not between -50 and 50, a pixel scale is not within `SCALE_LIMITS`, a
        gain is not positive, or their number is wrong.
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
    needed, good = _possible(values, name)
    if not np.all(good):
        msg = f"{name}={value!r} must be {needed}"
        raise ValueError(msg)
    return np.broadcast_to(values, (n_cutouts,))


def _possible(values, name):
    """What values are needed, in words, and which of them are."""
    match name:
        case "pixel_scale":
            lowest, highest = SCALE_LIMITS
            needed = f"{lowest} to {highest:g} arcsec per pixel"
            return needed, (values >= lowest) & (values <= highest)
        case "gain":
            needed = "a positive number of electrons per unit of the image (infinite: no photons)"
            return needed, values > 0
        case _:
            limit = _LARGEST_ZEROPOINT
            needed = f"between -{limit:g} and {limit:g} (AB magnitude of one)"
            return needed, np.abs(values) <= limit


def _strip_unit(value, name):
    """Return the argument in AB magnitudes, arcsec or electrons, without its unit."""
    if getattr(value, "unit", None) is not None and not isinstance(value, u.Quantity):
        value = value.quantity  # a table column
    try:
        if isinstance(value, bool):
            raise TypeError
        if not isinstance(value, u.Quantity):
            return np.asarray(value, dtype=float)
        if name == "zeropoint":
            return _to_magnitudes(value)
        if name == "gain":
            return _to_electrons(value)
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


def _to_electrons(value):
    """Return electrons per count without their unit; a count is not converted to others."""
    for count in (u.adu, u.DN, u.ct, u.electron, u.one):
        if value.unit in (u.electron / count, u.electron * u.s / count):
            return np.asarray(value.value, dtype=float)
    msg = "electrons per unit of the image are needed, such as electron / adu"
    raise u.UnitConversionError(msg)


def _to_magnitudes(value):
    """Return AB magnitudes without their unit; a flux is no zero point."""
    if value.unit == u.mag:  # taken as AB
        return np.asarray(value.value, dtype=float)
    if value.unit.is_equivalent(u.Jy) and not isinstance(value.unit, u.MagUnit):
        msg = "a flux is not a magnitude: pass the AB magnitude of one count"
        raise u.UnitConversionError(msg)
    return np.asarray(value.to_value(u.ABmag), dtype=float)


def rows_or_none(values, rows):
    """Return some rows of an array, None where there is no array."""
    if values is None:
        return None
    return values[rows]
