"""Zero points in the headers of images, and which mission writes which card.

A zero point is the AB magnitude of one count. It may hold for the pixel values as they are, for the
counts of one exposure, or for counts per second: `MISSIONS` says which, mission by mission.
"""

import re
from dataclasses import dataclass

import numpy as np

from sersicnet.io.cards import header_number

__all__ = ["MISSIONS", "ZEROPOINT_CARDS", "Card", "Mission", "ZeroPoint", "header_zeropoint"]

# Magnitudes of one count that are possible; other numbers, such as 0 and -999, are placeholders.
_LOWEST = 5.0
_HIGHEST = 50.0
# Two cards that differ by more contradict each other; they are rounded to 0.01 mag.
_TOLERANCE = 0.02
# The two cards of HST that are a zero point together.
_HST = "PHOTFLAM and PHOTPLAM"
# Cards that name the system of the magnitudes.
_SYSTEM_CARDS = ("MAGSYS", "PHOTSYS", "ZPSYS", "MAGTYPE")


@dataclass(frozen=True)
class ZeroPoint:
    """A zero point and where it comes from.

    Attributes
    ----------
    value : float
        AB magnitude of a flux of 1 in the unit of the data.
    source : str
        Where it comes from: cards of the header, the unit, or an argument.
    """

    value: float
    source: str


@dataclass(frozen=True)
class Card:
    """A header card that holds a zero point.

    Attributes
    ----------
    name : str
        Keyword of the card.
    of : {"data", "exposure", "second"}
        What has one count: the pixel values as they are, the counts of the exposure, or the counts
        of one second. The last two are converted by ``EXPTIME`` where the unit of the data asks for
        it.
    is_flux : bool
        Whether the card holds the counts of magnitude 0.
    """

    name: str
    of: str = "data"
    is_flux: bool = False


@dataclass(frozen=True)
class Mission:
    """The zero points of one mission.

    Attributes
    ----------
    name : str
        Name of the mission or of its product.
    known_by : dict
        Regular expression for the values of cards, any of which shows the mission.
    cards : tuple of Card
        Its own zero points; the general ones are read as well.
    vega : bool
        Whether its magnitudes are Vega magnitudes.
    remark : str
        What else there is to know.
    """

    name: str
    known_by: dict
    cards: tuple = ()
    vega: bool = False
    remark: str = ""


MISSIONS = (
    Mission(
        "WISE",
        {"TELESCOP": "(UN|NEO)?WISE.*", "BAND": "W[1-4]", "FILTER": "W[1-4]"},
        vega=True,
        remark="the nanomaggies of the Legacy Surveys' W1 to W4 too",
    ),
    Mission("2MASS", {"TELESCOP": ".*2MASS.*", "ORIGIN": "2MASS.*"}, vega=True),
    Mission("UKIDSS", {"INSTRUME": "WFCAM"}, (Card("MAGZPT", "second"),), vega=True),
    Mission("VISTA", {"INSTRUME": "VIRCAM"}, (Card("MAGZPT", "second"),), vega=True),
    Mission(
        "HST",
        {"TELESCOP": "HST", "PHOTMODE": "(ACS|WFC3|WFPC2|NICMOS).*"},
        remark="PHOTFLAM and PHOTPLAM, of counts per second",
    ),
    Mission("JWST", {"TELESCOP": "JWST"}, remark="MJy/sr with the area of the pixel"),
    Mission("Roman", {"TELESCOP": "ROMAN"}, remark="MJy/sr with the area of the pixel"),
    Mission(
        "Euclid",
        {"TELESCOP": "EUCLID", "INSTRUME": "(VIS|NISP)"},
        (Card("MAGZEROP", "second"), Card("ZPAB"), Card("MAGZERO")),
        remark="MAGZEROP (a string) of VIS frames, ZPAB of NISP frames, MAGZERO of mosaics",
    ),
    Mission(
        "LSST, HSC",
        {"TELESCOP": "(LSST|RUBIN|SUBARU).*", "INSTRUME": "(HSC|HYPER SUPRIME-CAM|LSST.*)"},
        (Card("FLUXMAG0", "exposure", is_flux=True),),
        remark="nJy, or the counts of magnitude 0",
    ),
    Mission(
        "DECam",
        {"INSTRUME": "DECAM"},
        (Card("MAGZERO", "exposure"), Card("MAGZPT", "second")),
        remark="MAGZERO = MAGZPT + 2.5 log10 EXPTIME",
    ),
    Mission("CFHT MegaPipe", {"TELESCOP": "CFHT.*", "INSTRUME": "MEGAPRIME"}, (Card("PHOTZP"),)),
    Mission(
        "KiDS",
        {"INSTRUME": "OMEGACAM", "TELESCOP": "(ESO-)?VST"},
        (Card("PHOTZP"),),
        remark="magnitude 0 is a flux of 1: a zero point of 0 is a number here",
    ),
    Mission("Legacy Surveys, SDSS", {}, remark="nanomaggies: 22.5"),
    Mission(
        "Pan-STARRS",
        {"TELESCOP": "PS1", "INSTRUME": "GPC1", "FPA.TELESCOPE": "PS1"},
        (Card("FPA.ZP", "second"),),
        remark="stacks with BSOFTEN and BOFFSET hold asinh values and are refused",
    ),
    Mission(
        "ZTF",
        {"INSTRUME": "ZTF.*", "TELESCOP": "PALOMAR.*|P48"},
        (Card("MAGZP", "exposure"),),
        remark="without the color term",
    ),
)

# Cards of other images: the magnitude of one count of the data, except for MAGZPT, which is of one
# count per second wherever it is used.
_GENERAL = (
    Card("MAGZP"),
    Card("MAGZERO"),
    Card("ABMAGZP"),
    Card("ABZP"),
    Card("ZPAB"),
    Card("PHOTZP"),
    Card("ZEROPNT"),
    Card("ZEROPOINT"),
    Card("ZP"),
    Card("MAGZPT", "second"),
    Card("FLUXMAG0", "exposure", is_flux=True),
)

# Names of the header cards that hold a zero point.
ZEROPOINT_CARDS = (*(card.name for card in _GENERAL), "MAGZEROP", "FPA.ZP")


def find_mission(header):
    """Return the mission that wrote a header, None if it is none of `MISSIONS`."""
    for mission in MISSIONS:
        for card, pattern in mission.known_by.items():
            if re.fullmatch(pattern, str(header.get(card, "")).strip(), re.IGNORECASE):
                return mission
    return None


def header_zeropoint(header, *, per_second):
    """Find the zero point of the data that a header describes.

    Parameters
    ----------
    header : mapping
        Header cards.
    per_second : bool or None
        Whether the data are counts per second; None where the unit does not say it.

    Returns
    -------
    ZeroPoint or None
        None if there is no card with a possible value.

    Raises
    ------
    ValueError
        If cards contradict each other, or what they say cannot be used: Vega magnitudes, asinh
        values, or a zero point per second without an exposure time.

    Notes
    -----
    Without a unit, the data are counts of the exposure, but counts per second for ``PHOTFLAM`` and
    ``PHOTPLAM`` of HST::

        -2.5 log10(PHOTFLAM) - 5 log10(PHOTPLAM) - 2.408

    (STScI, "ACS Zeropoints and Flux Calibration"; it holds for the other cameras as well).

    Examples
    --------
    >>> from sersicnet.io.zeropoints import header_zeropoint
    >>> header_zeropoint({"MAGZPT": 24.842, "EXPTIME": 107.0}, per_second=False)
    ZeroPoint(value=29.915..., source='MAGZPT with EXPTIME')
    """
    if "BSOFTEN" in header and "BOFFSET" in header:
        msg = (
            "the cards BSOFTEN and BOFFSET say that the pixels hold asinh magnitudes, not fluxes: "
            "convert them, and pass zeropoint="
        )
        raise ValueError(msg)
    stated = _stated(header)
    found = []
    for value, name, of in stated:
        zeropoint = _of_the_data(value, name, of, header, per_second)
        if zeropoint is not None:
            found.append(zeropoint)
    if stated and not found:
        names = " and ".join(name for _, name, _ in stated)
        msg = (
            f"the zero point {names} is of counts in another time than those of the data, and "
            "there is no EXPTIME to convert it: pass zeropoint= (AB magnitude of one count)"
        )
        raise ValueError(msg)
    if not found:
        return None
    _check_agreement(found)
    return found[0]


def _stated(header):
    """Return the value, the name and the counts (of what) of all zero points in a header."""
    mission = find_mission(header)
    cards = {card.name: card for card in _GENERAL}
    if mission is not None:
        own = {card.name: card for card in mission.cards}
        cards = own | {name: card for name, card in cards.items() if name not in own}
    stated = []
    for card in cards.values():
        value = header_number(header, card.name)
        if value is not None and card.is_flux:
            value = _of_flux(value)
        if value is None or not _possible(value, mission):
            continue
        _check_system(header, mission, card.name, value)
        stated.append((value, card.name, card.of))
    pair = _hst(header)
    if pair is not None:
        stated.append((pair, _HST, "second"))
    return stated


def _of_flux(counts):
    """Return the magnitude of one count from the counts of magnitude 0, None if not positive."""
    if counts <= 0:
        return None
    return float(2.5 * np.log10(counts))


def _possible(value, mission):
    """Return whether a number can be a zero point."""
    if value == 0 and mission is not None and mission.name == "KiDS":
        return True
    return _LOWEST <= value <= _HIGHEST


def _of_the_data(value, name, of, header, per_second):
    """Convert a zero point to that of the data, None where this needs an exposure time."""
    if name == _HST and per_second is None:
        per_second = True  # as in drizzled images
    if of == "second" and not per_second:
        sign = 1
    elif of == "exposure" and per_second:
        sign = -1
    else:
        return ZeroPoint(value, name)
    seconds = header_number(header, "EXPTIME")
    if seconds is None or seconds <= 0:
        return None
    return ZeroPoint(float(value + sign * 2.5 * np.log10(seconds)), f"{name} with EXPTIME")


def _check_system(header, mission, name, value):
    """Raise ValueError unless a magnitude is an AB magnitude."""
    system = None
    for keyword in _SYSTEM_CARDS:
        text = str(header.get(keyword, "")).strip().upper()
        if re.match("AB|VEGA|ST", text):
            system = text
            reason = f"{keyword} = {text!r}"
    if system is None and mission is not None and mission.vega:
        system = "VEGA"
        reason = mission.name
    if system is None or system.startswith("AB"):
        return
    kind = "Vega"
    if system.startswith("ST"):
        kind = "ST"
    msg = (
        f"{name} = {value:g} is a {kind} magnitude ({reason}): pass zeropoint= (AB magnitude "
        "of one count)"
    )
    raise ValueError(msg)


def _hst(header):
    """Return the zero point of PHOTFLAM and PHOTPLAM, None without."""
    photflam = header_number(header, "PHOTFLAM")
    photplam = header_number(header, "PHOTPLAM")
    if not (photflam and photplam and photflam > 0 and photplam > 0):
        return None
    value = float(-2.5 * np.log10(photflam) - 5 * np.log10(photplam) - 2.408)
    if not _LOWEST <= value <= _HIGHEST:
        return None
    return value


def _check_agreement(found):
    """Raise ValueError if two zero points differ by more than rounding."""
    lowest = min(found, key=lambda zeropoint: zeropoint.value)
    highest = max(found, key=lambda zeropoint: zeropoint.value)
    if highest.value - lowest.value > _TOLERANCE:
        msg = (
            f"{lowest.source} says a zero point of {lowest.value:.3f}, {highest.source} of "
            f"{highest.value:.3f}: pass zeropoint= (AB magnitude of one count)"
        )
        raise ValueError(msg)
