"""Read numbers from header cards; write units, headers and WCS as cards, without loss."""

import re
import warnings

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

_WCS_CARD = re.compile(
    r"WCSAXES|WCSNAME|(CRPIX|CRVAL|CTYPE|CUNIT|CDELT|CROTA|CNAME|CRDER|CSYER)\d+"
    r"|(PC|CD|PV|PS)\d+_\d+|LONPOLE|LATPOLE|RADESYS|EQUINOX|EPOCH|MJDREF"
    r"|(A|B|AP|BP)_(ORDER|DMAX|\d+_\d+)"
)
# Cards that describe a file, not what it shows.
FILE_CARDS = ("EXTNAME", "EXTVER", "INHERIT", "CHECKSUM", "DATASUM", "BLANK", "LONGSTRN")


def unit_string(unit):
    """Write a unit as a string from which `~astropy.units.Unit` makes exactly this unit."""
    if unit is None or unit == u.dimensionless_unscaled:
        return "1"
    string = unit.to_string()
    scale = float(getattr(unit, "scale", 1))
    if scale != 1:  # to_string rounds the scale to six digits
        string = u.CompositeUnit(1, unit.bases, unit.powers).to_string(fraction=False)
        string = f"{scale!r} {string}"
    try:
        readable = u.Unit(string) == unit
    except ValueError:
        readable = False
    if not readable:
        msg = f"its unit {unit} has no name that astropy.units knows"
        raise ValueError(msg)
    return string


def header_number(header, name):
    """Return a finite number from a header, None without.

    Parameters
    ----------
    header : mapping
        Header cards.
    name : str
        Keyword of the card. Its value may be a number or a string with one.

    Returns
    -------
    float or None
    """
    value = header.get(name)
    if value is None or isinstance(value, bool):
        return None
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    if not np.isfinite(value):
        return None
    return value


def meta_header(meta):
    """Make a FITS header of ``meta``, and warn of the cards that FITS cannot hold."""
    if isinstance(meta, fits.Header):
        return meta.copy(strip=True)
    header = fits.Header()
    lost = []
    for key, value in meta.items():
        if isinstance(value, np.generic):
            value = value.item()
        try:
            keyword = key
            if len(key) > 8 or not re.fullmatch("[A-Z0-9_-]*", key.upper()):
                keyword = f"HIERARCH {key}"
            card = fits.Card(keyword, value)
            str(card)  # a card is checked when it is formatted
            header.append(card)
        except (ValueError, TypeError, fits.VerifyError):
            lost.append(str(key))
    if lost:
        msg = f"meta cards that FITS cannot hold were left out: {', '.join(lost)}"
        warnings.warn(msg, AstropyUserWarning, stacklevel=2)
    header.strip()
    return header


def wcs_cards(wcs):
    """Write a WCS as cards, with all digits (``to_header`` rounds numbers to 14 digits)."""
    if not isinstance(wcs, WCS) or wcs.cpdis1 is not None or wcs.det2im1 is not None:
        msg = f"its wcs ({type(wcs).__name__}) is not a FITS WCS without distortion tables"
        raise ValueError(msg)
    header = wcs.to_header(relax=True, key=" ")
    for name, values in (
        ("CRPIX", wcs.wcs.crpix),
        ("CRVAL", wcs.wcs.crval),
        ("CDELT", wcs.wcs.get_cdelt()),
    ):
        header.update({f"{name}{i}": float(value) for i, value in enumerate(values, start=1)})
    for (i, j), value in np.ndenumerate(wcs.wcs.get_pc()):
        if value != (i == j):
            header[f"PC{i + 1}_{j + 1}"] = float(value)
    return {card.keyword: card.value for card in header.cards if _WCS_CARD.fullmatch(card.keyword)}


def exact_floats(header):
    """Write all digits of the floats of a header, which astropy cuts to 20 characters."""
    cards = []
    for card in header.cards:
        try:
            value = repr(card.value).upper()
        except fits.VerifyError:  # a card of a survey that breaks the standard
            value = ""
        if len(value) <= 20 or not isinstance(card.value, float):
            cards.append(card)
            continue
        comment = ""
        if card.comment:
            comment = f" / {card.comment}"
        keyword = card.image.partition("=")[0]
        cards.append(fits.Card.fromstring(f"{keyword}= {value}{comment}"[:80]))
    return fits.Header(cards)


def remove_wcs_cards(header):
    """Remove the cards that `wcs_cards` writes, and older ways to write a WCS."""
    for key in {key for key in header if _WCS_CARD.fullmatch(key)}:
        header.remove(key, remove_all=True)


def clean_meta(header, *, keep_wcs):
    """Copy a header without the cards that describe the file, the array or the WCS."""
    meta = header.copy(strip=True)
    for card in FILE_CARDS:
        meta.remove(card, ignore_missing=True, remove_all=True)
    if not keep_wcs:
        remove_wcs_cards(meta)
    return meta
