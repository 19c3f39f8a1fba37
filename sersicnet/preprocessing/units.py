"""Zero points and pixel scales of cutouts, from arguments, units, WCS and header cards."""

from functools import lru_cache

import astropy.units as u
import numpy as np
from astropy.wcs import WCS

__all__ = [
    "ZEROPOINT_CARDS",
    "check_unit",
    "find_pixel_scale",
    "find_zeropoint",
    "header_number",
    "per_cutout",
]

# Header cards that hold the AB magnitude of one count, in the order in which they are tried.
ZEROPOINT_CARDS = (
    "MAGZP",
    "MAGZPT",
    "MAGZERO",
    "ABMAGZP",
    "ABZP",
    "ZPAB",
    "PHOTZP",
    "ZEROPNT",
    "ZEROPOINT",
    "ZP",
)

# Units that are counts, in any product, and per second.
_COUNTS = {u.adu, u.DN, u.electron, u.ct, u.ph, u.pix}


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
            unit = u.ABmag
        elif value.unit.is_equivalent(u.arcsec / u.pix):
            unit = u.arcsec / u.pix
        else:
            unit = u.arcsec
        return np.asarray(value.to_value(unit), dtype=float)
    except u.UnitConversionError as error:
        msg = f"{name}={value!r}: {error}"
        raise u.UnitConversionError(msg) from None
    except (TypeError, ValueError):
        msg = f"{name}={value!r} must be a number, a Quantity, or one of these for each cutout"
        raise TypeError(msg) from None


@lru_cache(maxsize=256)
def _unit_zeropoint(unit):
    """Return the AB magnitude of 1 ``unit``, None for counts."""
    linear = unit is None or isinstance(unit, u.UnitBase)  # not a logarithmic one
    if linear and unit is not None:
        if unit.is_equivalent(u.Jy):
            return float((1 * unit).to_value(u.ABmag))
        if unit.is_equivalent(u.mgy):  # maggies are AB by definition
            return float(-2.5 * np.log10(unit.to(u.mgy)))
    if linear and (unit is None or set(unit.decompose().bases) <= {*_COUNTS, u.s}):
        return None
    msg = (
        f"the unit {unit} is neither a flux density per frequency (such as nJy) nor counts (such "
        "as adu, electron/s or none); multiply a surface brightness by the pixel's solid angle"
    )
    raise u.UnitConversionError(msg)


def check_unit(unit, zeropoint):
    """Return the unit of simulated images.

    Raises
    ------
    ValueError
        If it is a flux density with another zero point.
    `~astropy.units.UnitConversionError`
        If it is neither a flux density nor counts.
    """
    unit = u.Unit(unit)
    own = _unit_zeropoint(unit)
    if own is not None and not np.isclose(own, zeropoint, rtol=0, atol=1e-3):
        msg = f"zeropoint={zeropoint} must be {own:.4f}, that of the unit {unit}"
        raise ValueError(msg)
    return unit


def find_zeropoint(cutout, given, where):
    """Return the AB magnitude of a flux of 1 in the unit of ``cutout``.

    The unit of a flux density sets it. Counts take ``given``, else the first of
    `~sersicnet.preprocessing.ZEROPOINT_CARDS` in ``cutout.meta``, else, for counts per second,
    the pair ``PHOTFLAM`` and ``PHOTPLAM`` of HST::

        -2.5 log10(PHOTFLAM) - 5 log10(PHOTPLAM) - 2.408

    (STScI, "ACS Zeropoints and Flux Calibration"; it holds for the other cameras as well).

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`
        The cutout.
    given : float, array or None
        The user's argument, checked by `per_cutout`.
    where : str
        Name of the cutout for the error message.

    Returns
    -------
    float or `~numpy.ndarray`

    Raises
    ------
    ValueError
        If counts have no zero point.
    `~astropy.units.UnitConversionError`
        If the unit is neither a flux density nor counts.
    """
    try:
        zeropoint = _unit_zeropoint(cutout.unit)
    except u.UnitConversionError as error:
        msg = f"{where}: {error}"
        raise u.UnitConversionError(msg) from None
    if zeropoint is None and given is not None:
        return given
    if zeropoint is None:
        zeropoint = _header_zeropoint(cutout)
    if zeropoint is None:
        unit = "no unit"
        if cutout.unit is not None:
            unit = f"the unit {cutout.unit}"
        msg = (
            f"{where} has {unit} and no zero point: pass zeropoint= (AB magnitude of one count), "
            f"give it a unit such as nJy, or a header card out of {', '.join(ZEROPOINT_CARDS)}"
        )
        raise ValueError(msg)
    return zeropoint


def _header_zeropoint(cutout):
    """Return the zero point from the header cards, None without."""
    for card in ZEROPOINT_CARDS:
        value = header_number(cutout, card)
        if value is not None:
            return value
    photflam = header_number(cutout, "PHOTFLAM")
    photplam = header_number(cutout, "PHOTPLAM")
    unit = cutout.unit
    if unit is not None and unit.decompose().bases and u.s not in unit.decompose().bases:
        return None  # the pair holds for electrons per second, these are counts
    if photflam and photplam and photflam > 0 and photplam > 0:
        return float(-2.5 * np.log10(photflam) - 5 * np.log10(photplam) - 2.408)
    return None


def header_number(cutout, name):
    """Return a finite number from the header, None without."""
    value = cutout.meta.get(name)
    if value is None or isinstance(value, bool):
        return None
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    if not np.isfinite(value):
        return None
    return value


def find_pixel_scale(cutout, given, where):
    """Return arcsec per pixel: the argument, else from the WCS, else the header card ``PIXSCALE``.

    A WCS gives the square root of the area of a pixel at the reference point.

    Parameters
    ----------
    cutout, given, where
        As in `find_zeropoint`.

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
        scale = header_number(cutout, "PIXSCALE")
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
