"""Zero points and pixel scales of cutouts: what turns counts and pixels into physics."""

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

_COUNTS = {u.adu, u.DN, u.electron, u.ct, u.ph, u.pix}


def per_cutout(value, n_cutouts, name):
    """Check the argument ``zeropoint`` or ``pixel_scale``.

    Parameters
    ----------
    value : None, float, `~astropy.units.Quantity` or array of one value a cutout
        What the user gave: AB magnitudes, or arcsec (per pixel).
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
    if not np.all(np.isfinite(values)) or (name == "pixel_scale" and np.any(values <= 0)):
        needed = "positive and finite" if name == "pixel_scale" else "finite"
        msg = f"{name}={value!r} must be {needed}"
        raise ValueError(msg)
    return np.broadcast_to(values, (n_cutouts,))


def _strip_unit(value, name):
    """The argument in AB magnitudes or arcsec, without its unit."""
    if getattr(value, "unit", None) is not None and not isinstance(value, u.Quantity):
        value = value.quantity  # a table column
    try:
        if not isinstance(value, u.Quantity):
            return np.asarray(value, dtype=float)
        if name == "zeropoint":
            return np.asarray(value.to_value(u.ABmag), dtype=float)
        per_pixel = value.unit.is_equivalent(u.arcsec / u.pix)
        return np.asarray(value.to_value(u.arcsec / u.pix if per_pixel else u.arcsec), dtype=float)
    except u.UnitConversionError as error:
        msg = f"{name}={value!r}: {error}"
        raise u.UnitConversionError(msg) from None
    except (TypeError, ValueError):
        msg = f"{name}={value!r} must be a number, a Quantity, or one of these for each cutout"
        raise TypeError(msg) from None


@lru_cache(maxsize=256)
def _unit_zeropoint(unit):
    """AB magnitude of 1 ``unit``, None for counts."""
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
    """The unit of simulated images.

    Raises
    ------
    ValueError
        If it is a flux density of another zero point.
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
    """AB magnitude of a flux of 1 in the unit of ``cutout``.

    A flux density has it in its unit. Counts take ``given``, else the first of
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
    if zeropoint is None:
        zeropoint = _header_zeropoint(cutout) if given is None else given
    if zeropoint is None:
        unit = "no unit" if cutout.unit is None else f"the unit {cutout.unit}"
        msg = (
            f"{where} has {unit} and no zero point: pass zeropoint= (AB magnitude of one count), "
            f"give it a unit such as nJy, or a header card out of {', '.join(ZEROPOINT_CARDS)}"
        )
        raise ValueError(msg)
    return zeropoint


def _header_zeropoint(cutout):
    """Zero point from the header cards, None without."""
    for card in ZEROPOINT_CARDS:
        value = header_number(cutout, card)
        if value is not None:
            return value
    photflam, photplam = header_number(cutout, "PHOTFLAM"), header_number(cutout, "PHOTPLAM")
    unit = cutout.unit
    if unit is not None and unit.decompose().bases and u.s not in unit.decompose().bases:
        return None  # the pair holds for electrons per second, these are counts
    if photflam and photplam and photflam > 0 and photplam > 0:
        return float(-2.5 * np.log10(photflam) - 5 * np.log10(photplam) - 2.408)
    return None


def header_number(cutout, name):
    """A finite number out of the header, None without."""
    value = cutout.meta.get(name)
    if value is None or isinstance(value, bool):
        return None
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def find_pixel_scale(cutout, given, where):
    """Arcsec per pixel: the argument, else the WCS, else the header card ``PIXSCALE``.

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
        If there is none.
    """
    if given is not None:
        return given
    scale = None if cutout.wcs is None else _wcs_pixel_scale(cutout.wcs, cutout.data.shape)
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
    """Square root of the pixel's area in arcsec; None for a WCS that is not celestial."""
    if not isinstance(wcs, WCS):
        return _measured_pixel_scale(wcs, shape)
    if not wcs.has_celestial:
        return None
    matrix = (wcs if wcs.naxis == 2 else wcs.celestial).pixel_scale_matrix
    # the determinant by hand: numpy's takes longer than all the rest
    area = abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])
    return 3600 * float(area) ** 0.5 if np.isfinite(area) else None


def _measured_pixel_scale(wcs, shape):
    """The same for a generalized WCS, from the sky positions of three pixels."""
    if wcs.low_level_wcs.pixel_n_dim != 2:
        return None
    y, x = (np.array(shape[-2:]) - 1) / 2
    sky = wcs.pixel_to_world(x + np.array([0, 1, 0]), y + np.array([0, 0, 1]))
    if not hasattr(sky, "spherical_offsets_to"):
        return None
    east, north = (offset.to_value(u.arcsec) for offset in sky[0].spherical_offsets_to(sky[1:]))
    area = abs(east[0] * north[1] - east[1] * north[0])
    return float(area) ** 0.5 if np.isfinite(area) else None
