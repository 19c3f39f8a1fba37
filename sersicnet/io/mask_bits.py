"""Which bits of a mask image mean bad pixels, for the masks of known missions.

Most bits of an observatory's mask do not mean that a pixel is bad: corrected jumps, detected
sources, pixels near a detector's edge. The bits that do are listed here, by product; of an unknown
product all are bad. The lists of LSST, HSC and Euclid NISP are of names, whose bits the header has.
"""

import re
import warnings
from dataclasses import dataclass, field

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

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
# LSST and HSC, bits in the cards MP_<name>. A pixel with INTRP alone was interpolated well.
_LSST_BAD = ("BAD", "SAT", "SUSPECT", "NO_DATA", "CROSSTALK", "UNMASKEDNAN", "CR", "EDGE")
# Euclid NISP, bits in the cards MSK_FLAG_<name>; all others are bad.
_NISP_GOOD = ("NLINEAR", "DARKNODET", "OBMASK", "STARSIGNAL")
# JWST and Roman: the pipeline sets DO_NOT_USE wherever one of the other bits matters.
_JWST = {
    "DO_NOT_USE": 0,
    "SATURATED": 1,
    "JUMP_DET": 2,
    "DROPOUT": 3,
    "OUTLIER": 4,
    "PERSISTENCE": 5,
    "NON_SCIENCE": 9,
    "DEAD": 10,
    "HOT": 11,
    "WARM": 12,
}
# HST: lost data, filled, bad detector pixel, unstable, hot, saturated, bad flat field, signal in
# the zero read (or saturated converter), cosmic rays; not warm (64) and stable (32, 128) pixels.
_HST_BAD = 1 | 2 | 4 | 8 | 16 | 256 | 512 | 2048 | 4096 | 8192
# Euclid VIS: light of a star (STARSIGNAL) and of objects (OBMASK); all others are bad.
_VIS_GOOD = {"STARSIGNAL": 18, "OBMASK": 24}
# DECam's community pipeline from V3.5.0 on: codes, not bits; the streaks (8) have too many pixels.
_DECAM_CODES = {
    "BAD": 1,
    "NO_VALUE": 2,
    "SATURATED": 3,
    "BLEED": 4,
    "COSMIC_RAY": 5,
    "LOW_WEIGHT": 6,
    "TRANSIENT": 7,
    "STREAK": 8,
}
# The same before: bits.
_DECAM_BITS = {
    "BAD": 0,
    "SATURATED": 1,
    "INTERPOLATED": 2,
    "COSMIC_RAY": 4,
    "BLEED": 6,
    "TRANSIENT": 7,
}
_LEGACY_NAMES = (
    "NPRIMARY BRIGHT SATUR_G SATUR_R SATUR_Z ALLMASK_G ALLMASK_R ALLMASK_Z WISEM1 WISEM2 BAILOUT "
    "MEDIUM GALAXY CLUSTER SATUR_I ALLMASK_I SUB_BLOB"
)
_LEGACY = {name: bit for bit, name in enumerate(_LEGACY_NAMES.split())}
# Overlap of bricks, WISE, stars that are not bright, other galaxies.
_LEGACY_GOOD = ("NPRIMARY", "WISEM1", "WISEM2", "MEDIUM", "GALAXY", "SUB_BLOB")
_ZTF_NAMES = (
    "TRACKS SEXSOURCES LOWRESPONSIVITY HIGHRESPONSIVITY NOISY GHOSTS SPILLAGE SPIKES SATURATED "
    "DEAD NAN PSFSOURCES BRIGHTSTARHALO"
)
_ZTF = {name: bit for bit, name in enumerate(_ZTF_NAMES.split())}


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
    warnings.warn(msg, AstropyUserWarning, stacklevel=5)


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
    >>> mask_bits_of({"TELESCOP": "HST"}).product
    'HST'
    """
    planes = _planes(header, "MP_")
    if planes:
        good = [name for name in planes if name not in _LSST_BAD]
        return MaskBits("LSST", _all_but(planes, good), planes)
    planes = _planes(header, "MSK_FLAG_")
    if planes:
        return MaskBits("Euclid NISP", _all_but(planes, _NISP_GOOD), planes)
    if _card(header, "IMTYPE") == "MASKBITS" or _card(header, "EXTNAME") == "MASKBITS":
        return MaskBits("Legacy Surveys", _all_but(_LEGACY, _LEGACY_GOOD), _LEGACY)
    telescope = _card(header, "TELESCOP")
    instrument = _card(header, "INSTRUME")
    if telescope in ("JWST", "ROMAN"):
        return MaskBits(telescope, 1, _JWST)
    if telescope == "HST":
        return MaskBits("HST", _HST_BAD)
    if instrument.startswith("VIS") and telescope.startswith("EUCLID"):
        return MaskBits("Euclid VIS", _all_but(_VIS_GOOD, _VIS_GOOD), _VIS_GOOD)
    if instrument.startswith("ZTF"):
        return MaskBits("ZTF", _all_but(_ZTF, ("SEXSOURCES", "PSFSOURCES")), _ZTF)
    if instrument == "DECAM":
        return _decam_bits(_card(header, "PLVER"))
    if _looks_like_jwst(header):
        return MaskBits(GUESSED, 1, _JWST)
    return MaskBits("unknown product")


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
        return MaskBits("DECam", _all_but(_DECAM_CODES, ("STREAK",)), _DECAM_CODES, codes=True)
    return MaskBits("DECam before V3.5", _all_but(_DECAM_BITS, ()), _DECAM_BITS)


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
