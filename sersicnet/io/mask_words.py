"""Where a mask comes from, and which of its bits count, in words."""

import numpy as np

from sersicnet.io.mask_bits import mask_bits_of

__all__ = ["MASK_CARD", "cutout_mask_words", "describe_mask"]

# Card of meta with these words.
MASK_CARD = "MASKFROM"
_ALL = 2**64 - 1


def describe_mask(name, dtype, cards, *, mask_bits=None):
    """Say which pixels of a mask are taken as bad.

    Parameters
    ----------
    name : str
        Name of the mask: its extension, or the argument.
    dtype : dtype
        That of its pixels.
    cards : `~astropy.io.fits.Header` or dict
        Cards of the mask and of its image.
    mask_bits : int, str or list of them, optional
        As in `~sersicnet.io.mask_bits.bad_pixels`.

    Returns
    -------
    str

    Examples
    --------
    >>> from sersicnet.io.mask_words import describe_mask
    >>> describe_mask("DQ", "int32", {"TELESCOP": "JWST"})
    'DQ, bad are DO_NOT_USE (JWST)'
    >>> describe_mask("FLAGS", "int32", {})
    'FLAGS, all bits are bad (unknown product)'
    """
    kind = np.dtype(dtype).kind
    if kind == "b":
        return name
    if kind == "f" and mask_bits is None:
        return f"{name}, all that is not 0 is bad (floats)"
    rule = mask_bits_of(cards)
    if mask_bits is not None:
        return f"{name}, bad are the bits {rule.choose(mask_bits)} (mask_bits)"
    bad = [name for name, bit in rule.names.items() if rule.bad >> bit & 1]
    good = [name for name in rule.names if name not in bad]
    if rule.bad == _ALL or not good:
        what = "all bits are bad"
    elif len(bad) < len(good):
        what = f"bad are {', '.join(bad)}"
    else:
        what = f"all bits are bad but {', '.join(good)}"
    return f"{name}, {what} ({rule.product})"


def cutout_mask_words(cutout):
    """Say where the mask of a cutout comes from, and which of its bits are taken as bad.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`
        The cutout, with a mask of booleans.

    Returns
    -------
    str or None
        None without a mask, or if it was of booleans when the user made it.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import NDData
    >>> from sersicnet.io.mask_words import cutout_mask_words
    >>> cutout_mask_words(NDData(np.ones((2, 2)), mask=False)) is None
    True
    """
    if cutout.mask is None:
        return None
    return cutout.meta.get(MASK_CARD)
