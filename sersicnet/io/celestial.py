"""The WCS of an image in a file, as surveys write it."""

import logging

from astropy.wcs import WCS

__all__ = ["LOOKUP_NAMES", "read_wcs"]

_LOG = logging.getLogger("sersicnet")
# Extensions with tables of distortions, of HST, to which the WCS of all images of a file refer.
LOOKUP_NAMES = ("WCSDVARR", "D2IMARR")
_SIP_ORDERS = ("A_ORDER", "B_ORDER", "AP_ORDER", "BP_ORDER")


def read_wcs(header, hdus, path):
    """Read the celestial WCS of an image.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        That of the image.
    hdus : `~astropy.io.fits.HDUList`
        Its file, which may have tables of distortions.
    path : path
        The file, for messages.

    Returns
    -------
    `~astropy.wcs.WCS` or None
        None where it is not celestial; of the plane, if the image is one of a cube.

    Raises
    ------
    ValueError
        If the cards cannot be understood.

    Notes
    -----
    Images that were resampled often keep the SIP coefficients of one of their exposures. These
    count only if ``CTYPE`` ends with ``-SIP``.
    """
    try:
        wcs = WCS(_without_left_over(header, path), fobj=hdus)
    except Exception as error:  # wcslib's own exceptions have no common base
        reason = str(error).strip().rpartition("\n")[2]  # before it, a line of wcslib's code
        msg = f"{path}: its WCS cannot be read: {reason}"
        raise ValueError(msg) from error
    if not wcs.has_celestial:
        return None
    if wcs.naxis != 2:
        return wcs.celestial  # a plane of a cube
    return wcs


def _without_left_over(header, path):
    """Return the header without the orders of a SIP distortion that is not in its CTYPE."""
    orders = [card for card in _SIP_ORDERS if card in header]
    kinds = [str(header.get(f"CTYPE{axis}", "")) for axis in (1, 2)]
    if not orders or any(kind.endswith("-SIP") for kind in kinds):
        return header
    _LOG.info("%s: its SIP coefficients are not used, as CTYPE does not end with -SIP", path)
    header = header.copy()
    for card in orders:
        header.remove(card)
    return header
