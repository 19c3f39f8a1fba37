"""Zero points in the headers of images.

A zero point is the AB magnitude of one count. It may hold for the pixel values as they are, for the
counts of one exposure, or for counts per second: `sersicnet.io.missions` says which.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from sersicnet.io.cards import header_number
from sersicnet.io.missions import Card, find_mission

__all__ = [
    "ZEROPOINT_CARDS",
    "ZeroPoint",
    "header_zeropoint",
    "unused_cards",
]

# Magnitudes of one count that are possible; other numbers, such as 0 and -999, are placeholders.
_LOWEST = 5.0
_HIGHEST = 50.0
# Two cards that differ by more contradict each other; they are rounded to 0.01 mag.
_TOLERANCE = 0.02
# The two cards of HST that are a zero point together.
_HST = "PHOTFLAM and PHOTPLAM"
# Names of drizzled images of HST, which are counts per second.
_DRIZZLED = re.compile(r"_dr[zc](\.|$)")
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
    doubt : str or None
        Sentence for a warning, if it may be another one.
    """

    value: float
    source: str
    doubt: str | None = field(default=None, repr=False)


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
    Without a unit, the data are what drizzling says (``D001OUUN``), else counts of the exposure,
    but counts per second for ``PHOTFLAM`` and ``PHOTPLAM`` of HST::

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
    if per_second is None:
        per_second = _drizzled_per_second(header)
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
    seconds = header_number(header, "EXPTIME")
    if seconds is not None and seconds <= 0:
        seconds = None
    doubt = None
    if per_second is None and of == "second":
        per_second = name == _HST  # as in drizzled images
        if seconds is None and per_second:
            doubt = _no_unit_and_time(value, name)
        elif seconds is not None and not _is_own(name, header):
            doubt = _no_unit(value, name, seconds, per_second)
    if of == "second" and not per_second:
        sign = 1
    elif of == "exposure" and per_second:
        sign = -1
    else:
        return ZeroPoint(value, name, doubt)
    if seconds is None:
        return None
    value = float(value + sign * 2.5 * np.log10(seconds))
    return ZeroPoint(value, f"{name} with EXPTIME", doubt)


def _is_own(name, header):
    """Return whether a card is one of those of the mission, whose images are known."""
    mission = find_mission(header)
    return mission is not None and name in [card.name for card in mission.cards]


def _no_unit(value, name, seconds, per_second):
    """Sentence about data that may be counts or counts per second, None where it is the same."""
    if abs(2.5 * np.log10(seconds)) < _TOLERANCE:
        return None
    of_exposure = value + 2.5 * np.log10(seconds)
    kinds = {True: "counts per second", False: f"counts in EXPTIME = {seconds:g} s"}
    values = {True: value, False: of_exposure}
    return (
        f"the data have no unit, and are taken as {kinds[per_second]}, with a zero point of "
        f"{values[per_second]:.3f} ({name}); if they are {kinds[not per_second]}, it is "
        f"{values[not per_second]:.3f}: give them a unit (electron or electron/s), or pass "
        "zeropoint="
    )


def _no_unit_and_time(value, name):
    """Sentence about data that may be counts of an exposure of unknown length."""
    return (
        "the data have no unit, and the header has no EXPTIME: they are taken as counts per "
        f"second, with a zero point of {value:.3f} ({name}); if they are counts of an exposure, it "
        "is 2.5 log10 of its seconds higher, as 7.5 mag of 1000 s: give them a unit (electron or "
        "electron/s), or pass zeropoint="
    )


def _drizzled_per_second(header):
    """Return whether a drizzled image has counts per second, None where its header is silent."""
    unit = str(header.get("D001OUUN", "")).strip().lower()
    if unit in ("cps", "counts"):
        return unit == "cps"
    if _DRIZZLED.search(str(header.get("FILENAME", "")).lower()):
        return True
    return None


def unused_cards(header):
    """Say why the zero points of a header are not used.

    Parameters
    ----------
    header : mapping
        Header cards, in which `header_zeropoint` finds nothing.

    Returns
    -------
    str
        Empty if there are none.

    Examples
    --------
    >>> from sersicnet.io.zeropoints import unused_cards
    >>> unused_cards({"MAGZP": 0})
    'MAGZP = 0 is not a magnitude from 5 to 50'
    """
    reasons = []
    for card in ZEROPOINT_CARDS:
        if header.get(card) is None:
            continue
        number = header_number(header, card)
        reason = f"is not a magnitude from {_LOWEST:g} to {_HIGHEST:g}"
        if card == "FLUXMAG0":
            reason = "is not the number of counts of magnitude 0"
        elif number is not None and _LOWEST <= number <= _HIGHEST:
            reason = "counts for the images of its mission alone"
        reasons.append(f"{card} = {header[card]!r} {reason}")
    if header.get("PHOTFLAM") is not None:
        pair = f"PHOTFLAM = {header['PHOTFLAM']!r} and PHOTPLAM = {header.get('PHOTPLAM')!r}"
        reasons.append(f"{pair} are not both positive numbers of HST")
    return "; ".join(reasons)


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
        reason = f"{mission.name}, and no card such as MAGSYS says AB"
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
