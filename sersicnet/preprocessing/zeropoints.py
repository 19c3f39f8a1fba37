"""Zero points of cutouts: from their unit, the argument ``zeropoint``, or their header."""

import logging
from dataclasses import dataclass
from functools import lru_cache

import astropy.units as u
import numpy as np
from astropy.nddata import NDData

from sersicnet._caller import warn_caller
from sersicnet.io.cards import header_number
from sersicnet.io.missions import find_mission
from sersicnet.io.pixel_areas import AREA_CARD
from sersicnet.io.units import clean_unit
from sersicnet.io.zeropoints import ZEROPOINT_CARDS, ZeroPoint, header_zeropoint, unused_cards
from sersicnet.preprocessing.pixels import celestial, find_pixels

__all__ = ["ZEROPOINT_CARDS", "check_unit", "find_zeropoint"]

_LOGGER = logging.getLogger("sersicnet")
# Units that are counts, in any product, and per second.
_COUNTS = {u.adu, u.DN, u.electron, u.ct, u.ph, u.pix}
_PER_WAVELENGTH = u.erg / (u.s * u.cm**2 * u.AA)
# What makes a flux of a unit, and what such a unit is.
_AREAS = (
    ("flux", u.dimensionless_unscaled),
    ("flux", u.pix),
    ("brightness", u.sr),
)
# Zero points that differ by more are reported when one of them is ignored.
_TOLERANCE = 0.02
# The same number of the area of a pixel by its card and by its WCS, to distortion.
_AREA_TOLERANCE = 0.1


@dataclass(frozen=True)
class _Unit:
    """What the values of an image in some unit are.

    ``kind`` is "counts", "flux", "brightness" (a flux per solid angle) or "wavelength" (a flux per
    wavelength). ``zeropoint`` is the AB magnitude of a flux, or of a brightness times a steradian.
    """

    kind: str
    zeropoint: float | None = None
    per_second: bool | None = None
    scale: float = 1.0


@lru_cache(maxsize=256)
def _read_unit(unit):
    """Find out what a unit measures."""
    if unit is None:
        return _Unit("counts")
    if isinstance(unit, u.UnitBase):  # not a logarithmic one
        for kind, area in _AREAS:
            zeropoint = _flux_zeropoint(unit * area)
            if zeropoint is not None:
                return _Unit(kind, zeropoint)
        if (unit * u.pix).is_equivalent(_PER_WAVELENGTH) or unit.is_equivalent(_PER_WAVELENGTH):
            return _Unit("wavelength")
        basic = unit.decompose()
        powers = dict(zip(basic.bases, basic.powers, strict=True))
        seconds = powers.pop(u.s, 0)
        if powers.keys() <= _COUNTS and seconds in (0, -1):
            per_second = None
            if basic.bases:
                per_second = seconds == -1
            return _Unit("counts", per_second=per_second, scale=basic.scale)
    msg = (
        f"the unit {unit} is neither a flux density (such as nJy, nanomaggy or MJy/sr) nor counts "
        "(such as adu, electron/s or none)"
    )
    raise u.UnitConversionError(msg)


def _flux_zeropoint(unit):
    """Return the AB magnitude of 1 ``unit``, None if it is not a flux density per frequency."""
    if unit.is_equivalent(u.Jy):
        return float((1 * unit).to_value(u.ABmag))
    if unit.is_equivalent(u.mgy):  # maggies are AB by definition
        return float(-2.5 * np.log10(unit.to(u.mgy)))
    return None


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
    about = _read_unit(unit)
    if about.kind not in ("counts", "flux"):
        msg = f"unit={str(unit)!r} must be a flux density such as nJy, or counts"
        raise u.UnitConversionError(msg)
    own = about.zeropoint
    if own is not None and not np.isclose(own, zeropoint, rtol=0, atol=1e-3):
        msg = f"zeropoint={zeropoint} must be {own:.4f}, that of the unit {unit}"
        raise ValueError(msg)
    return unit


def find_zeropoint(cutout, given, where, *, pixel_scale=None):
    """Find the AB magnitude of a flux of 1 in the unit of ``cutout``.

    The unit of a flux density sets it; that of a surface brightness with the area of a pixel, that
    of a flux per wavelength with the card ``PHOTPLAM``. Counts take ``given``, else what
    `~sersicnet.io.zeropoints.header_zeropoint` finds in ``cutout.meta``.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`
        The cutout.
    given : float, array or None
        The user's argument, checked by `~sersicnet.preprocessing.units.per_cutout`.
    where : str
        Name of the cutout for the error message.
    pixel_scale : float, array or None, optional
        The user's argument, for the area of a pixel where the image does not have it.

    Returns
    -------
    `~sersicnet.io.zeropoints.ZeroPoint`
        The value, a float or `~numpy.ndarray` as ``given``, where it comes from, and a doubt if
        the header says another one, or not whether the data are counts per second.

    Raises
    ------
    ValueError
        If counts have no zero point, its cards contradict each other, or it is a Vega magnitude.
    `~astropy.units.UnitConversionError`
        If the unit is neither a flux density nor counts.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If ``given`` is ignored because the unit sets another zero point, or if an image of HST is
        not drizzled.
    """
    try:
        unit = _read_unit(clean_unit(cutout.unit))
        if unit.kind == "flux" and not _is_wise_in_vega(cutout):
            return _of_unit(cutout, unit, given)
        if given is not None:
            _log_ignored_cards(cutout, unit, given, where)
            return ZeroPoint(given, "zeropoint=")
        found = _own_zeropoint(cutout, unit, pixel_scale)
    except u.UnitConversionError as error:
        msg = f"{where}: {error}"
        raise u.UnitConversionError(msg) from None
    except ValueError as error:
        msg = f"{where}: {error}"
        raise ValueError(msg) from None
    if found is None:
        raise ValueError(_nothing_found(cutout, where))
    _warn_of_undrizzled(cutout, found)
    return found


def _nothing_found(cutout, where):
    """Return the message for an image of counts without a zero point."""
    unit = "no unit"
    if cutout.unit not in (None, u.dimensionless_unscaled):
        unit = f"the unit {cutout.unit}"
    placeholders = unused_cards(cutout.meta)
    if placeholders:
        placeholders = f" ({placeholders})"
    return (
        f"{where} has {unit} and no zero point{placeholders}: pass zeropoint= (AB magnitude of one "
        f"count), give it a unit such as nJy, or a header card out of {', '.join(ZEROPOINT_CARDS)}"
    )


def _of_unit(cutout, unit, given):
    """Return the zero point of a flux density, and warn if another one was given or is stated."""
    source = f"the unit {cutout.unit}"
    if given is not None and np.any(np.abs(given - unit.zeropoint) > _TOLERANCE):
        msg = f"zeropoint= is ignored: {source} of the data sets it ({unit.zeropoint:.3f})"
        warn_caller(msg)
    doubt = None
    if given is None:
        doubt = _other_card(cutout, unit)
    return ZeroPoint(unit.zeropoint, source, doubt)


def _other_card(cutout, unit):
    """Sentence about a zero point in the header that is not that of the unit, None without."""
    if not any(card in cutout.meta for card in (*ZEROPOINT_CARDS, "PHOTFLAM")):
        return None
    found = []
    for per_second in (None, True, False):
        try:
            found.append(header_zeropoint(cutout.meta, per_second=per_second))
        except ValueError:  # Vega magnitudes, or no exposure time
            continue
    found = [one for one in found if one is not None]
    if not found or any(abs(one.value - unit.zeropoint) <= _TOLERANCE for one in found):
        return None
    return (
        f"the unit {cutout.unit} of the data has a zero point of {unit.zeropoint:.3f}, which is "
        f"used, but {found[0].source} says {found[0].value:.3f}: correct one of them, or pass "
        f"zeropoint={unit.zeropoint:.3f}"
    )


def _own_zeropoint(cutout, unit, pixel_scale):
    """Return the zero point that an image has without the user's, None without."""
    match unit.kind:
        case "flux":
            msg = (
                f"the unit {cutout.unit} of WISE is of Vega magnitudes: pass zeropoint= (AB "
                "magnitude of one)"
            )
            raise ValueError(msg)
        case "counts":
            if unit.scale != 1:
                msg = f"the unit {cutout.unit} is not one count, or one per second: pass zeropoint="
                raise ValueError(msg)
            return header_zeropoint(cutout.meta, per_second=unit.per_second)
        case "brightness":
            area, source = _pixel_area(cutout, pixel_scale)
            value = unit.zeropoint - 2.5 * np.log10(area)
            return ZeroPoint(value, f"the unit {cutout.unit} and {source}")
        case "wavelength":
            return _from_wavelength(cutout)


def _is_wise_in_vega(cutout):
    """Return whether maggies are those of WISE, which are not AB."""
    if not clean_unit(cutout.unit).is_equivalent(u.mgy):
        return False
    mission = find_mission(cutout.meta)
    return mission is not None and mission.vega


def _from_wavelength(cutout):
    """Return the zero point of a flux density per wavelength."""
    pivot = header_number(cutout.meta, "PHOTPLAM")
    if pivot is None or pivot <= 0:
        msg = (
            f"the unit {cutout.unit} is a flux density per wavelength, and there is no PHOTPLAM "
            "(pivot wavelength in angstrom) to convert it: pass zeropoint= (AB magnitude of one)"
        )
        raise u.UnitConversionError(msg)
    unit = clean_unit(cutout.unit)
    if u.pix in unit.bases:
        unit = unit * u.pix
    flux = (1 * unit).to(u.Jy, u.spectral_density(pivot * u.AA))
    return ZeroPoint(float(flux.to_value(u.ABmag)), f"the unit {cutout.unit} and PHOTPLAM")


def _pixel_area(cutout, pixel_scale):
    """Return the area of a pixel in steradian, and where it comes from.

    That of the WCS, because the cards stay what they were when an image is resampled; the user's
    where it is another one; that of the card where pixels were multiplied by their areas.
    """
    card, stated = _stated_area(cutout.meta)
    if stated is not None and cutout.meta.get(AREA_CARD):
        return stated, card
    wcs = celestial(cutout.wcs)
    has_scale = pixel_scale is not None or header_number(cutout.meta, "PIXSCALE") is not None
    if stated is not None and wcs is None and not has_scale:
        return stated, card
    scale, _, doubt = find_pixels(cutout, pixel_scale, "it")
    if wcs is not None and doubt is None:
        scale, _, _ = find_pixels(cutout, None, "it")  # the user's is rounded, often
    area = (scale * u.arcsec).to_value(u.rad) ** 2
    if stated is None:
        return area, "the area of a pixel"
    if np.any(np.abs(area / stated - 1) > _AREA_TOLERANCE):
        msg = (
            f"{card} says pixels of {stated:.4g} sr, the pixel scale of {np.ravel(scale)[0]:.4g} "
            f"arcsec pixels of {np.ravel(area)[0]:.4g} sr: pass zeropoint= (AB magnitude of one)"
        )
        raise ValueError(msg)
    if wcs is None:
        return stated, card
    return area, "the area of a pixel"


def _stated_area(meta):
    """Return the card with the area of a pixel, and its value in steradian; None without."""
    for card, unit in (("PIXAR_SR", u.sr), ("PIXAR_A2", u.arcsec**2)):
        value = header_number(meta, card)
        if value is not None and value > 0:  # not a placeholder
            return card, float((value * unit).to_value(u.sr))
    return None, None


def _log_ignored_cards(cutout, unit, given, where):
    """Log that the argument was used instead of another zero point of the header.

    Of many cutouts, only the first is looked at; those of a survey image are not.
    """
    is_first = where == "image"
    if isinstance(cutout, NDData):
        is_first = where in ("cutouts", "cutouts[0]")
    if not is_first or not _LOGGER.isEnabledFor(logging.INFO):
        return
    try:
        found = _own_zeropoint(cutout, unit, None)
    except ValueError:
        return
    if found is not None and np.any(np.abs(given - found.value) > _TOLERANCE):
        text = "%s: zeropoint=%s is used, not %.3f, which %s says"
        _LOGGER.info(text, where, given, found.value, found.source)


def _warn_of_undrizzled(cutout, found):
    """Warn of images of HST in which the areas of pixels differ."""
    name = str(cutout.meta.get("FILENAME", ""))
    undrizzled = name.lower().endswith(("_flt.fits", "_flc.fits"))
    if undrizzled and found.source.startswith("PHOTFLAM"):
        msg = (
            f"{name} is not drizzled: its zero point holds after its pixels are multiplied by the "
            "pixel area map, which changes fluxes by up to 12 %"
        )
        warn_caller(msg)
