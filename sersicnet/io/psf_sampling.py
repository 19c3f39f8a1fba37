"""What a file says of the pixels of its PSF, and whether they are those of the image.

The pixels of a PSF may be smaller than those of the image, by a whole number: its oversampling.
`find_oversampling` is the only place that decides which one it is.
"""

import logging
from dataclasses import dataclass

import numpy as np
from astropy.nddata import NDData
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area

from sersicnet.io.cards import header_number

__all__ = [
    "PSFSampling",
    "find_oversampling",
    "header_sampling",
    "header_wcs",
    "own_psf",
    "psf_cards",
    "sampling_of",
    "split_psf",
]

_LOG = logging.getLogger("sersicnet")
# Cards with arcsec per pixel of the PSF: of STPSF first.
_SCALE_CARDS = ("PIXELSCL", "PIXSCALE", "PIXSCL", "PSCALE")
# Cards with pixels of the PSF on a side of one of the detector. STPSF's DET_SAMP stays what it was
# when its PSF is binned to the pixels of the detector, OVERSAMP does not.
_OVERSAMPLING_CARDS = ("OVERSAMP", "OSAMP", "DET_SAMP", "SAMP")
# The same in the ``meta`` of a cutout that has a PSF.
_OWN_SCALE = "PSFSCALE"
_OWN_OVERSAMPLING = "PSFOVER"
# Extensions of STPSF on finer pixels, without the response of those of the detector.
_WITHOUT_PIXEL = ("OVERSAMP", "OVERDIST")
# Arcsec per pixel that a PSF can have; others are placeholders, such as the degree of a WCS.
_LEAST = 1e-4
_MOST = 30.0
# Largest relative difference from a whole number, as for pixel scales: nominal ones are rounded.
_TOLERANCE = 0.02
_MOST_OVERSAMPLING = 16


@dataclass(frozen=True)
class PSFSampling:
    """What is known of the pixels of a PSF.

    Attributes
    ----------
    pixel_scale : float or None
        Arcsec per pixel of the stamp.
    oversampling : int, float or None
        Pixels of the stamp on a side of a pixel of the detector; a float if the card is not whole.
    source : str
        The card or WCS that says it.
    has_pixel : bool
        Whether the response of a pixel of the detector is in it, as far as is known.
    """

    pixel_scale: float | None
    oversampling: int | None
    source: str
    has_pixel: bool = True


def header_sampling(header):
    """Find out what the header of a PSF says of its pixels, a `PSFSampling` or None."""
    return sampling_of(NDData(np.ones((1, 1)), meta=header, wcs=header_wcs(header)))


def header_wcs(header):
    """Return the celestial WCS of a header, None without a usable one."""
    try:
        wcs = WCS(header)
    except Exception:  # wcslib's own exceptions have no common base
        return None
    if not wcs.has_celestial:
        return None
    return wcs


def psf_cards(sampling):
    """Return the cards of a cutout's ``meta`` that keep what its PSF says, a `PSFSampling`."""
    cards = {}
    if sampling is not None and sampling.pixel_scale is not None:
        cards[_OWN_SCALE] = sampling.pixel_scale
    if sampling is not None and sampling.oversampling is not None:
        cards[_OWN_OVERSAMPLING] = sampling.oversampling
    return cards


def sampling_of(psf):
    """Find out what a PSF says of its pixels.

    Parameters
    ----------
    psf : `~astropy.nddata.NDData` or other
        The user's argument, of which an NDData may have a header or a WCS.

    Returns
    -------
    PSFSampling or None
        None where nothing is said.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import NDData
    >>> from sersicnet.io.psf_sampling import sampling_of
    >>> sampling_of(NDData(np.ones((3, 3)), meta={"PIXELSCL": 0.015}))
    PSFSampling(pixel_scale=0.015, oversampling=None, source='PIXELSCL', has_pixel=True)
    """
    if not isinstance(psf, NDData):
        return None
    has_pixel = str(psf.meta.get("EXTNAME", "")).strip() not in _WITHOUT_PIXEL
    scale, source = _scale_of_cards(psf.meta)
    scale_of_wcs = _scale_of_wcs(psf.wcs)
    if scale_of_wcs is not None:
        scale = scale_of_wcs
        source = "its WCS"
    oversampling, card = _card(psf.meta, _OVERSAMPLING_CARDS)
    return _sampling(scale, source, oversampling, card, has_pixel)


def own_psf(cutout):
    """Return the PSF of a cutout, as an NDData where something is known of its pixels.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`
        A cutout; those of `~sersicnet.io.read_cutout` keep what the header of their PSF says in
        the cards ``PSFSCALE`` and ``PSFOVER`` of their ``meta``.

    Returns
    -------
    array, `~astropy.nddata.NDData` or None
    """
    psf = cutout.psf
    if psf is None or isinstance(psf, NDData):
        return psf
    cards = {}
    for own, name in ((_OWN_SCALE, _SCALE_CARDS[0]), (_OWN_OVERSAMPLING, _OVERSAMPLING_CARDS[0])):
        if own in cutout.meta:
            cards[name] = cutout.meta[own]
    if not cards:
        return psf
    return NDData(np.asarray(psf), meta=cards)


def _sampling(scale, source, oversampling, card, has_pixel):
    """Return what is known, None where nothing is."""
    if scale is not None and not _LEAST <= scale <= _MOST:
        scale = None
    if oversampling is not None and not 1 <= oversampling <= _MOST_OVERSAMPLING:
        oversampling = None
    if oversampling is not None and oversampling == int(oversampling):
        oversampling = int(oversampling)
    if scale is None and oversampling is None:
        return None
    if scale is None:
        source = card
    return PSFSampling(scale, oversampling, source, has_pixel)


def _card(meta, names):
    """Return the first number of some cards, and the card's name; None without."""
    for name in names:
        value = header_number(meta, name)
        if value is not None and value > 0:
            return value, name
    return None, None


def _scale_of_cards(meta):
    """Return arcsec per pixel, and the card that says it; None without."""
    scale, source = _card(meta, _SCALE_CARDS)
    if scale is None:
        scale, source = _card(meta, ("GS_SCALE",))
        if scale == 1:  # GalSim writes 1 where it knows none
            scale = None
    if scale is None and "CTYPE1" not in meta:  # degrees, as with a CTYPE
        scale, source = _card(meta, ("CDELT2",))
        if scale is not None:
            scale = 3600 * scale
    return scale, source


def _scale_of_wcs(wcs):
    """Return arcsec per pixel of a celestial WCS, None without."""
    if not isinstance(wcs, WCS) or not wcs.has_celestial:
        return None
    return 3600 * float(proj_plane_pixel_area(wcs.celestial)) ** 0.5


def split_psf(psf):
    """Return the user's PSFs as arrays, and what they say of their pixels.

    Parameters
    ----------
    psf : stamp, model, list of them, or None
        The user's argument.

    Returns
    -------
    psf
        The same with arrays in the place of NDData.
    samplings : list of PSFSampling or None
        One for each item of a list, one for a single stamp; empty where there is no NDData.
    """
    if isinstance(psf, NDData):
        return _pixels(psf), [sampling_of(psf)]
    if isinstance(psf, list | tuple) and any(isinstance(each, NDData) for each in psf):
        stamps = [_pixels(each) if isinstance(each, NDData) else each for each in psf]
        return stamps, [sampling_of(each) for each in psf]
    return psf, []


def _pixels(psf):
    """Return the pixels of an NDData, as a masked array where some are bad."""
    if psf.mask is not None and np.any(psf.mask):
        return np.ma.array(psf.data, mask=np.broadcast_to(psf.mask, psf.data.shape))
    return np.asarray(psf.data)


def find_oversampling(sampling, given, pixel_scale):
    """Decide by how much a PSF is oversampled.

    Parameters
    ----------
    sampling : PSFSampling or None
        What the PSF says.
    given : int or None
        What the user says.
    pixel_scale : float or None
        Arcsec per pixel of the image.

    Returns
    -------
    oversampling : int
        That of the user; else the pixel scale of the image over that of the PSF, or what the PSF
        says; else 1.
    doubt : str or None
        Sentence for a warning if user and PSF do not agree.

    Raises
    ------
    ValueError
        If the user says nothing, and the pixels of the image are no whole number of those of the
        PSF.

    Examples
    --------
    >>> from sersicnet.io.psf_sampling import PSFSampling, find_oversampling
    >>> sampling = PSFSampling(0.015, None, "PIXELSCL")
    >>> find_oversampling(sampling, None, 0.03)
    (2, None)
    >>> find_oversampling(sampling, 1, 0.03)[1][:60]
    'psf_oversampling=1 is used, but PIXELSCL says pixels of 0.01'
    """
    if sampling is None:
        return given or 1, None
    stated, what = _stated(sampling, pixel_scale)
    if stated is None:
        return given or 1, None
    whole = round(stated)
    is_whole = 1 <= whole <= _MOST_OVERSAMPLING and abs(stated / whole - 1) <= _TOLERANCE
    if given is not None:
        if is_whole and whole == given:
            return given, _without_pixel(sampling)
        return given, f"psf_oversampling={given} is used, but {what}"
    if not is_whole:
        msg = (
            f"psf: {what}, which is no whole number: draw the PSF in pixels of the image, or pass "
            f"psf_oversampling= if {sampling.source} is wrong"
        )
        raise ValueError(msg)
    if whole > 1:
        _LOG.info("psf: psf_oversampling=%d, because %s", whole, what)
    return whole, _without_pixel(sampling)


def _stated(sampling, pixel_scale):
    """Return the oversampling that a PSF says, and the reason in words; None without."""
    if sampling.pixel_scale is not None and pixel_scale is not None:
        ratio = pixel_scale / sampling.pixel_scale
        what = (
            f"{sampling.source} says pixels of {sampling.pixel_scale:.4g} arcsec, the image has "
            f"{pixel_scale:.4g}: {ratio:.3g} of them on a side"
        )
        return ratio, what
    if sampling.oversampling is not None:
        what = f"the PSF says that it is oversampled by {sampling.oversampling:g}"
        return float(sampling.oversampling), what
    return None, None


def _without_pixel(sampling):
    """Sentence about a PSF without the response of the pixel, None for others."""
    if sampling.has_pixel:
        return None
    return (
        "the extensions OVERSAMP and OVERDIST of STPSF do not have the response of a pixel of the "
        "detector: average them over its area, or use DET_DIST"
    )
