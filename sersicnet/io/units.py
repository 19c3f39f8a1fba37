"""Read the units of images as archives spell them.

The FITS standard asks for ``electron.s**(-1)``; archives write ``ELECTRONS/S``, ``e-/s``,
``nanomaggies`` or ``10^-17 erg/s/cm2/Ang``. `parse_unit` reads all of these.
"""

import re
import warnings

import astropy.units as u

__all__ = ["clean_unit", "parse_unit"]

# Strings that stand for no unit.
_NO_UNIT = {"", "none", "unitless", "dimensionless", "n/a", "null", "unknown", "undefined"}
# Words of archives, in lower case, and the names that astropy knows.
_WORDS = {
    **dict.fromkeys(("adu", "adus"), "adu"),
    **dict.fromkeys(("dn", "dns"), "DN"),
    **dict.fromkeys(("count", "counts", "ct", "cts"), "ct"),
    **dict.fromkeys(("electron", "electrons", "e-", "e", "el"), "electron"),
    **dict.fromkeys(("photon", "photons", "ph", "phot"), "ph"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("pixel", "pixels", "pix", "spaxel"), "pix"),
    **dict.fromkeys(("steradian", "steradians", "sr"), "sr"),
    **dict.fromkeys(("arcsecond", "arcseconds", "arcsec", "asec"), "arcsec"),
    **dict.fromkeys(("angstrom", "angstroms", "ang", "a", "aa"), "Angstrom"),
    **dict.fromkeys(("erg", "ergs"), "erg"),
    **dict.fromkeys(("maggy", "maggies", "mgy"), "mgy"),
    **dict.fromkeys(("nanomaggy", "nanomaggies", "nmaggy", "nmaggies", "nmgy"), "nmgy"),
    "beam": "beam",
    "cm": "cm",
    "hz": "Hz",
    "nm": "nm",
}
_WORD = re.compile(r"e-(?!\d)|[^\W\d_]+", re.IGNORECASE)
_JANSKY = re.compile(r"(nano|n|micro|u|µ|milli|mega|m|kilo|k|)(jy|janskys?)", re.IGNORECASE)
_PREFIXES = {"nano": "n", "micro": "u", "µ": "u", "milli": "m", "mega": "M", "kilo": "k"}
# A number in front: 1e-17, 10^-17, 10**(-20)*
_SCALE = re.compile(
    r"(?P<number>\d+\.?\d*(?:e[+-]?\d+)?)(?:(?:\^|\*\*)\(?(?P<power>[+-]?\d+)\)?)?[\s*x]*(?=[a-z])",
    re.IGNORECASE,
)
# Counts in the words of a person: 'ADU (counts)', 'HSC counts', 'FLUXMAG0=27 units'
_COUNTS = re.compile(r"(?P<word>adu|dn) \(counts\)|[a-z]+ counts|fluxmag0\b.*", re.IGNORECASE)


def parse_unit(string):
    """Read a unit as archives write it: in any case, in the plural, with their own words.

    Parameters
    ----------
    string : str or None
        Value of a card such as ``BUNIT``.

    Returns
    -------
    `~astropy.units.Unit` or None
        None where there is no unit: no string, an empty one, or a word such as ``'UNITLESS'``.

    Raises
    ------
    ValueError
        If the string is not a unit; the message quotes it.

    Notes
    -----
    ``S`` is a second, not a siemens, and ``A`` an angstrom, not an ampere. Prefixes keep their case
    where it matters: ``MJy`` and ``mJy``. ``MJY`` is refused, but ``MJY/SR`` is ``MJy / sr``.

    Examples
    --------
    >>> from sersicnet.io import parse_unit
    >>> parse_unit("ELECTRONS/S"), parse_unit("nanomaggies"), parse_unit("10^-17 erg/s/cm2/Ang")
    (Unit("electron / s"), Unit("nmgy"), Unit("1e-17 erg / (Angstrom s cm2)"))
    """
    if string is None:
        return None
    text = str(string).strip()
    if text.lower() in _NO_UNIT:
        return None
    counts = _COUNTS.fullmatch(text)
    if counts:
        return u.Unit(_WORDS[(counts["word"] or "counts").lower()])
    text = re.sub(r"\bper\b", "/", text, flags=re.IGNORECASE)
    text = re.sub(r"\bcps\b", "ct/s", text, flags=re.IGNORECASE)
    scale = 1.0
    number = _SCALE.match(text)
    if number:
        scale = float(number["number"]) ** int(number["power"] or 1)
        text = text[number.end() :]
    if re.search(r"\bmjy\b|\bMJY\b(?!\s*/\s*SR)", text):
        msg = f"{str(string)!r} may be mJy or MJy: write one of these"
        raise ValueError(msg)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)  # several slashes
            unit = u.Unit(_WORD.sub(_name, text))
    except (ValueError, TypeError):
        msg = f"{str(string)!r} is not a unit such as 'electron / s', 'adu' or 'nJy'"
        raise ValueError(msg) from None
    if scale != 1:
        return u.Unit(scale * unit)
    return unit


def _name(match):
    """Return astropy's name of a word, or the word itself."""
    word = match[0]
    jansky = _JANSKY.fullmatch(word)
    if jansky is None:
        return _WORDS.get(word.lower(), word)
    prefix = jansky[1]
    if prefix not in ("m", "M"):
        prefix = prefix.lower()
    return f"{_PREFIXES.get(prefix, prefix)}Jy"


def clean_unit(unit):
    """Read again a unit that astropy did not understand, or took for another one.

    `~astropy.nddata.CCDData.read` makes DN per siemens of ``'DN/S'``.

    Parameters
    ----------
    unit : `~astropy.units.Unit` or None
        Unit of an NDData.

    Returns
    -------
    `~astropy.units.Unit` or None

    Raises
    ------
    ValueError
        If it is not a unit.

    Examples
    --------
    >>> import astropy.units as u
    >>> from sersicnet.io.units import clean_unit
    >>> clean_unit(u.Unit("DN/S"))
    Unit("DN / s")
    """
    misread = isinstance(unit, u.UnrecognizedUnit) or u.S in getattr(unit, "bases", ())
    if misread:
        return parse_unit(unit.to_string())
    return unit
