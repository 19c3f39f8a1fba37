"""The gain in the headers of images: how many electrons one unit of their pixels is."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import astropy.units as u
import numpy as np

from sersicnet.io.cards import header_number
from sersicnet.io.missions import find_mission

__all__ = ["Gain", "check_gain_unit", "header_gain"]

# Units that are counts.
_COUNTS = (u.adu, u.DN, u.ct, u.electron)
# Missions whose images are means of jittered exposures, with the gain of the detector.
_MEANS = ("UKIDSS", "VISTA")


@dataclass(frozen=True)
class Gain:
    """The gain of an image and where it comes from.

    Attributes
    ----------
    value : float or None
        Electrons per unit of the data; None where it is not known.
    source : str
        Cards that it comes from, or why those of the header are not used.
    """

    value: float | None
    source: str = ""


class _Kind(NamedTuple):
    """Whether counts are electrons, and whether they are those of one second."""

    is_electrons: bool
    is_rate: bool


def header_gain(header, unit):
    """Find the gain of data with this header.

    Parameters
    ----------
    header : mapping
        Header cards.
    unit : `~astropy.units.Unit` or None
        Unit of the data.

    Returns
    -------
    Gain

    Notes
    -----
    Data in electrons have a gain of 1, those in other counts that of the card ``GAIN``; counts per
    second are multiplied by ``EXPTIME``. Data without a unit may be per second or not: the card
    counts only where SWarp wrote it, which gives that of the coadd. Where several exposures are
    combined (``NCOMBINE``), the card may be that of one of them and is not used, nor is that of
    UKIDSS and VISTA, and of SWarp in counts per second, which may include the exposure time; the
    exposure time of HST is the sum in any case.

    Examples
    --------
    >>> import astropy.units as u
    >>> from sersicnet.io.gains import header_gain
    >>> header_gain({"GAIN": 2.5, "EXPTIME": 100.0}, u.adu / u.s)
    Gain(value=250.0, source='GAIN and EXPTIME')
    >>> header_gain({"GAIN": 2.5}, None)
    Gain(value=None, source='GAIN = 2.5 is not used: the data have no unit')
    """
    card = header_number(header, "GAIN")
    is_swarp = str(header.get("SOFTNAME", "")).strip().lower() == "swarp"
    if unit is None or unit == u.dimensionless_unscaled:
        if is_swarp:
            return _checked(card, ["GAIN"])
        return _unused(card, "the data have no unit")
    kind = _kind(unit)
    if kind is None:
        return _unused(card, f"the data are not counts, but {unit}")
    fault = _mean_of_several(header)
    if fault is not None:
        return _unused(card, fault)
    names = []
    gain = 1.0
    if not kind.is_electrons:
        if kind.is_rate and is_swarp:
            return _unused(card, "SWarp may have multiplied it by the exposure time")
        names.append("GAIN")
        gain = card
    if kind.is_rate:
        names.append("EXPTIME")
        seconds = header_number(header, "EXPTIME")
        if gain is None or seconds is None:
            return _unused(card, "the data are per second, and there is no EXPTIME")
        gain = gain * seconds
    return _checked(gain, names or [f"the unit {unit}"])


def check_gain_unit(gain, unit):
    """Check that a gain is per count of the data, or per count per second.

    Parameters
    ----------
    gain : float, `~astropy.units.Quantity` or array
        The user's gain.
    unit : `~astropy.units.Unit` or None
        Unit of the data.

    Raises
    ------
    `~astropy.units.UnitConversionError`
        If one of both has a time, and the other does not.

    Examples
    --------
    >>> import astropy.units as u
    >>> from sersicnet.io.gains import check_gain_unit
    >>> check_gain_unit(250 * u.electron * u.s / u.adu, u.adu / u.s)
    """
    given = getattr(gain, "unit", None)
    kind = _kind(unit)
    if given is None or given == u.one or kind is None:
        return
    if (u.s in given.bases) != kind.is_rate:
        msg = (
            f"gain={gain} and data in {unit}: electrons per unit of the image are needed; of "
            "counts per second, the gain times the exposure time"
        )
        raise u.UnitConversionError(msg)


@lru_cache
def _kind(unit):
    """What kind of counts a unit is, None for another one; comparing units is slow."""
    for counts in _COUNTS:
        if unit in (counts, counts / u.s):
            return _Kind(counts == u.electron, unit != counts)
    return None


def _mean_of_several(header):
    """Why the gain of combined exposures is not known, or None."""
    mission = find_mission(header)
    name = mission.name if mission is not None else ""
    if name in _MEANS:
        return f"images of {name} are means of exposures"
    combined = header_number(header, "NCOMBINE")
    if combined is not None and combined > 1 and name != "HST":
        return f"{combined:g} exposures are combined, as a sum or a mean"
    return None


def _checked(gain, names):
    """A gain, unless it is a placeholder."""
    if gain is None:
        return Gain(None)
    source = " and ".join(names)
    if not 0 < gain < np.inf:
        return Gain(None, f"{source} is not positive")
    return Gain(float(gain), source)


def _unused(card, reason):
    """No gain, and why the card is not used, if there is one."""
    if card is None:
        return Gain(None)
    return Gain(None, f"GAIN = {card:g} is not used: {reason}")
