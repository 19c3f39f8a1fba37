"""Which bits of a mask image mean bad pixels, for the masks of known missions.

Most bits of an observatory's mask do not mean that a pixel is bad: corrected jumps, detected
sources, pixels near a detector's edge. The module ``mask_tables`` has the bits, and where they are
published; here stands which are bad, by product. Of an unknown product all are.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from sersicnet._caller import warn_caller
from sersicnet.io import mask_tables as tables

__all__ = [
    "MaskBits",
    "bad_pixels",
    "check_mask_bits",
    "cutout_mask",
    "mask_bits_of",
    "warn_plain_masks",
]

_ALL = 2**64 - 1
# Product of a mask that is recognized by its layout alone.
GUESSED = "32 bits in DQ, like those of JWST"


@dataclass(frozen=True)
class MaskBits:
    """How to read a mask image of integers.

    Attributes
    ----------
    product : str
        What kind of mask it is.
    bad : int
        Sum of the bits that mean bad.
    names : dict
        Numbers of the bits that have a name.
    codes : bool
        Whether the pixels hold codes, one each, instead of bits: code 3 then counts as bit 3.

    Examples
    --------
    >>> from sersicnet.io.mask_bits import mask_bits_of
    >>> mask_bits_of({"TELESCOP": "JWST"}).bad
    1
    """

    product: str
    bad: int = _ALL
    names: dict = field(default_factory=dict)
    codes: bool = False

    def choose(self, wanted):
        """Add up the bits that the user wants to be bad, integers or names."""
        bad = 0
        for entry in _entries(wanted):
            if not isinstance(entry, str):
                bad |= int(entry)
                continue
            name = entry.upper()
            if name not in self.names:
                known = ", ".join(self.names) or "it has no names, only bits"
                msg = f"mask_bits={entry!r} is not a bit of this mask ({self.product}): {known}"
                raise ValueError(msg)
            bad |= 1 << self.names[name]
        return bad


def check_mask_bits(mask_bits):
    """Raise unless ``mask_bits`` is None, a positive integer, names, or a list of these.

    Parameters
    ----------
    mask_bits : int, str, list or None
        The sum of the bits that mean bad, or their names.

    Raises
    ------
    TypeError, ValueError
        If it is something else.
    """
    if mask_bits is None:
        return
    entries = _entries(mask_bits)
    if not entries:
        msg = f"mask_bits={mask_bits!r} has no bits"
        raise ValueError(msg)
    for entry in entries:
        if isinstance(entry, bool) or not isinstance(entry, str | int | np.integer):
            msg = (
                f"mask_bits={mask_bits!r} must be an integer (the sum of bits) or names of bits, "
                f"not {type(entry).__name__}"
            )
            raise TypeError(msg)
        if not isinstance(entry, str) and not 0 < entry <= _ALL:
            msg = f"mask_bits={mask_bits!r} must be a positive integer of at most 64 bits"
            raise ValueError(msg)


def _entries(mask_bits):
    """Return the entries of ``mask_bits``; a word may hold several, also numbers."""
    if isinstance(mask_bits, list | tuple | set | frozenset):
        entries = []
        for part in mask_bits:
            entries += _entries(part)
        return entries
    if not isinstance(mask_bits, str):
        return [mask_bits]
    return [_word(word) for word in re.split(r"[\s,|+]+", mask_bits) if word]


def _word(word):
    """Return the number that a word is, decimal or with a prefix as 0x10, else the word."""
    for base in (10, 0):
        try:
            return int(word, base)
        except ValueError:
            continue
    return word


def warn_plain_masks(masks, mask_bits):
    """Warn if ``mask_bits`` changes nothing since no mask has bits.

    Parameters
    ----------
    masks : iterable of `~numpy.ndarray` or None
        All masks of the call.
    mask_bits : int, str, list or None
        What the user passed.
    """
    if mask_bits is None:
        return
    for mask in masks:
        if mask is not None and np.asarray(mask).dtype != bool:
            return
    msg = (
        f"mask_bits={mask_bits!r} is ignored: there is no mask of integers, only of booleans or "
        "none; a file is read with read_cutout(path, mask_bits=...)"
    )
    warn_caller(msg)


def mask_bits_of(header):
    """Find which bits of a mask mean bad from its header.

    Parameters
    ----------
    header : `~astropy.io.fits.Header` or dict
        Cards of the mask, and those of its file.

    Returns
    -------
    MaskBits
        With all bits bad where the product is not known.

    Examples
    --------
    >>> from sersicnet.io.mask_bits import mask_bits_of
    >>> mask_bits_of({"TELESCOP": "HST", "INSTRUME": "ACS"}).product
    'HST ACS'
    """
    planes = _planes(header, "MP_")
    if planes:
        return MaskBits("LSST", _lsst_bits(planes, tables.LSST_COADD), planes)
    planes = _named_planes(header)
    if planes:
        return MaskBits("LSST", _lsst_bits(planes, tables.LSST_COADD_MSKN), planes)
    planes = _planes(header, "MSK_FLAG_")
    if planes:
        return MaskBits("Euclid NISP", _all_but(planes, tables.NISP_GOOD), planes)
    if _card(header, "IMTYPE") == "MASKBITS" or _card(header, "EXTNAME") == "MASKBITS":
        return _named("Legacy Surveys", tables.LEGACY, tables.LEGACY_GOOD)
    rule = _bits_of_instrument(header)
    if rule is None and _looks_like_jwst(header):
        return MaskBits(GUESSED, 1, tables.JWST)
    return rule or MaskBits("unknown product")


def _bits_of_instrument(header):
    """Find the bits by telescope and instrument; None where they are not known."""
    telescope = _card(header, "TELESCOP")
    instrument = _card(header, "INSTRUME")
    if telescope == "JWST":
        return MaskBits("JWST", 1, tables.JWST)
    if telescope == "ROMAN":
        return MaskBits("ROMAN", 1, tables.ROMAN)
    if telescope == "HST":
        return _hst_bits(instrument, _card(header, "DETECTOR"))
    if telescope.startswith("EUCLID"):
        return _euclid_bits(instrument, is_mosaic="MAGZERO" in header)
    if instrument.startswith("ZTF"):
        return _named("ZTF", tables.ZTF, ("SEXSOURCES", "PSFSOURCES"))
    if instrument == "OMEGACAM":
        return _named("KiDS", tables.KIDS)
    if instrument == "DECAM":
        return _decam_bits(_card(header, "PLVER"))
    return None


def _named(product, names, good=()):
    """Make the rule of a mask of which all bits are bad but some."""
    return MaskBits(product, _all_but(names, good), names)


def _only(product, names, bad):
    """Make the rule of a mask of which some bits are bad."""
    return MaskBits(product, sum(1 << names[name] for name in bad), names)


def _lsst_bits(planes, of_coadds):
    """Add up the bad bits of LSST or HSC; a coadd has planes that a single visit has not."""
    bad = tables.LSST_BAD
    if not any(name in planes for name in of_coadds):
        bad = (*bad, *tables.LSST_ONE_VISIT)
    return _all_but(planes, [name for name in planes if name not in bad])


def _hst_bits(instrument, detector):
    """Find the bits of an instrument of HST."""
    match instrument, detector:
        case "WFC3", "IR":
            return _named("HST WFC3/IR", tables.WFC3_IR, ("WARM", "ZEROSIG"))
        case "WFC3", _:
            return _named("HST WFC3/UVIS", tables.WFC3_UVIS, ("WARM",))
        case (("ACS" | ""), _):
            return _named("HST ACS", tables.ACS, ("WARM",))
        case "STIS", _:
            return _named("HST STIS", tables.STIS, ("NOT_CTI_CORRECTED",))
        case "WFPC2", _:
            return _named("HST WFPC2", tables.WFPC2, ("REPAIRED_WARM",))
    return MaskBits(f"HST {instrument}")


def _euclid_bits(instrument, *, is_mosaic):
    """Find the bits of frames and mosaics of Euclid, but those that cards name."""
    is_vis = instrument.startswith("VIS")
    if not is_mosaic:
        return _named("Euclid VIS", tables.VIS, tables.VIS_GOOD) if is_vis else None
    if is_vis:
        return _only("Euclid MER, VIS", tables.VIS, tables.MER_VIS_BAD)
    if instrument.startswith(("NISP", "NIR")):
        return _only("Euclid MER, NISP", tables.MER_NISP, tables.MER_NISP_BAD)
    return None


def _looks_like_jwst(header):
    """Return whether the cards are those of an extension DQ of unsigned integers of 32 bits."""
    layout = header.get("EXTNAME"), header.get("BITPIX"), header.get("BZERO")
    return layout == ("DQ", 32, 2**31)


def _decam_bits(version):
    """Find the bits of DECam's community pipeline, whose meaning changed in V3.5.0."""
    found = re.match(r"V?(\d+)\.(\d+)", version)
    if found is None:
        return MaskBits("DECam of an unknown pipeline")
    if tuple(int(number) for number in found.groups()) >= (3, 5):
        bad = _all_but(tables.DECAM_CODES, ("STREAK",))
        return MaskBits("DECam", bad, tables.DECAM_CODES, codes=True)
    return _named("DECam before V3.5", tables.DECAM_BITS)


def _card(header, name):
    """Return a card as a word in capitals, empty where there is none."""
    return str(header.get(name, "")).strip().upper()


def _planes(header, prefix):
    """Return the numbers of the bits that cards with this prefix name."""
    planes = {}
    for key in header:
        name = str(key).upper()
        if not name.startswith(prefix) or not isinstance(header[key], int | np.integer):
            continue
        if 0 <= header[key] < 64:
            planes[name.removeprefix(prefix)] = int(header[key])
    return planes


def _named_planes(header):
    """Return the numbers of the bits whose names are the values of cards, as MSKN0003."""
    planes = {}
    for key in header:
        found = re.fullmatch(r"MSKN(\d{4})", str(key))
        if found:
            planes[str(header[key]).strip().upper()] = int(found[1])
    return planes


def _all_but(names, good):
    """Add up all bits, also those without a name, but the good ones."""
    bad = _ALL
    for name in good:
        if name in names:
            bad &= ~(1 << names[name])
    return bad


def bad_pixels(mask, header, *, mask_bits=None):
    """Convert a mask to booleans, True where a pixel is bad.

    Parameters
    ----------
    mask : `~numpy.ndarray`
        The mask: booleans, integers whose bits the header explains, or floats (as programs write
        that know no integers), of which NaN and all that is not zero is bad.
    header : `~astropy.io.fits.Header` or dict
        Cards of the mask or of its image.
    mask_bits : int, str or list of them, optional
        The bits that mean bad: their sum, or their names; by default those of the mission.

    Returns
    -------
    bool `~numpy.ndarray`

    Raises
    ------
    TypeError, ValueError
        If the mask is not of numbers, or ``mask_bits`` has a name that the header does not know.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.io.mask_bits import bad_pixels
    >>> dq = np.array([0, 1, 4, 5])
    >>> bad_pixels(dq, {"TELESCOP": "JWST"})
    array([False,  True, False,  True])
    >>> bad_pixels(dq, {"TELESCOP": "JWST"}, mask_bits="JUMP_DET")
    array([False, False,  True,  True])
    >>> bad_pixels(dq, {})
    array([False,  True,  True,  True])
    """
    if mask.dtype == bool:
        return mask
    if mask.dtype.kind not in "iuf":
        msg = f"mask has the type {mask.dtype}: booleans or numbers are needed"
        raise TypeError(msg)
    if mask.dtype.kind == "f" and mask_bits is None:
        return mask != 0  # NaN is not 0 either
    rule = mask_bits_of(header)
    wanted = rule.bad if mask_bits is None else rule.choose(mask_bits)
    if wanted == _ALL and not rule.codes:
        return mask != 0
    missing = False
    if mask.dtype.kind == "f":
        missing = ~np.isfinite(mask)
        mask = np.where(missing, 0, mask)
    bits = mask.astype(np.int64).view(np.uint64)
    if rule.codes:
        bits = np.where((bits > 0) & (bits < 64), np.uint64(1) << (bits & np.uint64(63)), bits > 0)
    return ((bits & np.uint64(wanted)) != 0) | missing


def cutout_mask(cutout, *, mask_bits=None):
    """Return the mask of a cutout as booleans of the shape of its data, None where it has none.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`
        The cutout, whose meta may say which bits are bad.
    mask_bits : int, str or list of them, optional
        As in `bad_pixels`.

    Returns
    -------
    bool `~numpy.ndarray` or None

    Raises
    ------
    TypeError, ValueError
        If the mask has another shape, or for the reasons of `bad_pixels`.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import NDData
    >>> from sersicnet.io.mask_bits import cutout_mask
    >>> dq = np.array([[0, 4], [1, 0]])
    >>> cutout_mask(NDData(np.ones((2, 2)), mask=dq, meta={"TELESCOP": "JWST"}))
    array([[False, False],
           [ True, False]])
    """
    if cutout.mask is None:
        return None
    mask = np.asarray(cutout.mask)
    try:
        mask = np.broadcast_to(mask, cutout.data.shape)
    except ValueError:
        msg = f"the mask has shape {mask.shape}, the data {cutout.data.shape}"
        raise ValueError(msg) from None
    return bad_pixels(mask, cutout.meta, mask_bits=mask_bits)
