"""Units, headers and WCS as FITS cards, without loss, for `sersicnet.io.cutouts`."""

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
FILE_CARDS = ("EXTNAME", "EXTVER", "INHERIT", "CHECKSUM", "DATASUM", "BLANK", "LONGSTRN")


def unit_string(unit):
    """A string from which `~astropy.units.Unit` makes exactly this unit."""
    if unit is None or unit == u.dimensionless_unscaled:
        return "1"
    string, scale = unit.to_string(), float(getattr(unit, "scale", 1))
    if scale != 1:  # to_string rounds the scale to six digits
        string = u.CompositeUnit(1, unit.bases, unit.powers).to_string(fraction=False)
        string = f"{scale!r} {string}"
    if parse_unit(string) != unit:
        msg = f"its unit {unit} has no name that astropy.units knows"
        raise ValueError(msg)
    return string


def parse_unit(string):
    """The unit of a BUNIT string, or None."""
    string = string.strip() if isinstance(string, str) else ""
    if string == "ADU":
        return u.adu
    try:
        return u.Unit(string) if string else None
    except (ValueError, TypeError):
        return None


def meta_header(meta):
    """A FITS header of ``meta``, with a warning that names what it cannot hold."""
    if isinstance(meta, fits.Header):
        return meta.copy(strip=True)
    header, lost = fits.Header(), []
    for key, value in meta.items():
        value = value.item() if isinstance(value, np.generic) else value
        try:
            long_key = len(key) > 8 or not re.fullmatch("[A-Z0-9_-]*", key.upper())
            card = fits.Card(f"HIERARCH {key}" if long_key else key, value)
            str(card)  # the card is checked when it is formatted
            header.append(card)
        except (ValueError, TypeError, fits.VerifyError):
            lost.append(str(key))
    if lost:
        msg = f"meta cards that FITS cannot hold were left out: {', '.join(lost)}"
        warnings.warn(msg, AstropyUserWarning, stacklevel=2)
    header.strip()
    return header


def wcs_cards(wcs):
    """The WCS as cards, numbers in full (``to_header`` rounds them to 14 digits)."""
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
    """The header with floats of any length in full, which astropy cuts to 20 characters."""
    return fits.Header([_exact_float(card) for card in header.cards])


def _exact_float(card):
    try:
        value = repr(card.value).upper()
    except fits.VerifyError:  # a card of the survey's that breaks the standard
        return card
    if not isinstance(card.value, float) or len(value) <= 20:
        return card
    comment = f" / {card.comment}" if card.comment else ""
    keyword = card.image.partition("=")[0]
    return fits.Card.fromstring(f"{keyword}= {value}{comment}"[:80])


def remove_wcs_cards(header):
    """Remove the cards that `wcs_cards` would write, and older ways to write them."""
    for key in {key for key in header if _WCS_CARD.fullmatch(key)}:
        header.remove(key, remove_all=True)


def clean_meta(header, *, keep_wcs):
    """The header without the cards that describe the file, the array or the WCS."""
    meta = header.copy(strip=True)
    for card in FILE_CARDS:
        meta.remove(card, ignore_missing=True, remove_all=True)
    if not keep_wcs:
        remove_wcs_cards(meta)
    return meta
