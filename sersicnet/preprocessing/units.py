"""Arguments that are magnitudes or scales, and pixel scales from WCS and header cards."""

import astropy.units as u
import numpy as np
from astropy.wcs import WCS

from sersicnet.io.cards import header_number

__all__ = ["find_pixel_scale", "per_cutout"]


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
        If a value is not finite (a pixel scale: not positive), or their number is wrong.
    TypeError
        If it is not a number.
    `~astropy.units.UnitConversionError`
        If a quantity has another unit.
    """
    if value is None:
        return None
    values = _strip_unit(value, name)
    if values.shape not in ((), (n_cutouts,)):
        msg = f"{name} has shape {values.shape}: one value, or one for each of {n_cutouts} cutouts"
        raise ValueError(msg)
    if name == "pixel_scale":
        needed = "positive and finite"
        good = np.isfinite(values) & (values > 0)
    else:
        needed = "finite"
        good = np.isfinite(values)
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


def find_pixel_scale(cutout, given, where):
    """Return arcsec per pixel: the argument, else from the WCS, else the header card ``PIXSCALE``.

    A WCS gives the square root of the area of a pixel at the reference point.

    Parameters
    ----------
    cutout, given, where
        As in `~sersicnet.preprocessing.zeropoints.find_zeropoint`.

    Returns
    -------
    float or `~numpy.ndarray`

    Raises
    ------
    ValueError
        If there is no pixel scale.
    """
    if given is not None:
        return given
    scale = None
    if cutout.wcs is not None:
        scale = _wcs_pixel_scale(cutout.wcs, cutout.data.shape)
    if not scale:
        scale = header_number(cutout.meta, "PIXSCALE")
    if not scale or scale < 0:
        msg = (
            f"{where} has no pixel scale: pass pixel_scale= (arcsec per pixel), give it a "
            "celestial WCS, or the header card PIXSCALE"
        )
        raise ValueError(msg)
    return scale


def _wcs_pixel_scale(wcs, shape):
    """Return the square root of the pixel's area in arcsec, None if the WCS is not celestial.

    `astropy.wcs.utils.proj_plane_pixel_area` gives the same, but copies the WCS: that takes longer
    than all other work on a cutout.
    """
    if not isinstance(wcs, WCS):
        return _measured_pixel_scale(wcs, shape)
    if not wcs.has_celestial:
        return None
    if wcs.naxis != 2:
        wcs = wcs.celestial
    matrix = wcs.pixel_scale_matrix
    # the determinant by hand: numpy's takes longer than all the rest
    area = abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])
    if not np.isfinite(area):
        return None
    return 3600 * float(area) ** 0.5


def _measured_pixel_scale(wcs, shape):
    """Return the same for a generalized WCS, from the sky positions of three pixels."""
    if wcs.low_level_wcs.pixel_n_dim != 2:
        return None
    y, x = (np.array(shape[-2:]) - 1) / 2
    sky = wcs.pixel_to_world(x + np.array([0, 1, 0]), y + np.array([0, 0, 1]))
    if not hasattr(sky, "spherical_offsets_to"):
        return None
    east, north = (offset.to_value(u.arcsec) for offset in sky[0].spherical_offsets_to(sky[1:]))
    area = abs(east[0] * north[1] - east[1] * north[0])
    if not np.isfinite(area):
        return None
    return float(area) ** 0.5
