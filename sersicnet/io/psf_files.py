"""Read and write the PSF of a FITS file with what its header says."""

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData

from sersicnet.io.cards import header_number
from sersicnet.io.extensions import PSF_NAMES, native
from sersicnet.io.files import atomic_path
from sersicnet.io.fits_files import fits_errors, open_fits, read_pixels
from sersicnet.io.hdus import choose_companion
from sersicnet.io.psf_places import is_mer_grid
from sersicnet.io.psf_sampling import header_wcs

__all__ = ["psf_grid_of_hdu", "psf_of_hdu", "read_psf", "write_psf"]

# Cards of a cube of stamps: the place of each in the image, 0-based pixels.
_PLACE_CARDS = ("PSFX", "PSFY")


def read_psf(path):
    """Read the 2-D image of a FITS file as a PSF: that called PSF, or the only one.

    Parameters
    ----------
    path : str or path-like
        The file; the path may choose an HDU.

    Returns
    -------
    `~astropy.nddata.CCDData`
        The stamp with its header and, where it has one, its celestial WCS. With them,
        `~sersicnet.SersicNet.predict` knows its oversampling.

    Raises
    ------
    OSError, ValueError
        If the file is not FITS, or has no 2-D image, or several of which the path chooses none.

    Examples
    --------
    >>> from sersicnet.io import read_psf
    >>> psf = read_psf("psf.fits[OVERDIST]")  # doctest: +SKIP
    """
    with fits_errors(path, "psf"), open_fits(path) as hdus:
        if any(is_mer_grid(hdu) for hdu in hdus):
            msg = (
                f"psf={str(path)!r} has the PSFs of many places of an image: measure_image takes "
                "it, and cutouts need the one at their place"
            )
            raise ValueError(msg)
        return psf_of_hdu(choose_companion(hdus, PSF_NAMES, path, argument="psf"))


def psf_of_hdu(hdu):
    """Return the PSF of an HDU, with its header and celestial WCS."""
    pixels = native(read_pixels(hdu)).astype(float)
    return CCDData(pixels, unit="", meta=hdu.header.copy(), wcs=header_wcs(hdu.header))


def psf_grid_of_hdu(hdu):
    """Return what a cube of stamps that `write_psf` has written holds, None for others.

    Parameters
    ----------
    hdu : HDU
        An HDU of a FITS file.

    Returns
    -------
    stamps : (N, K, K) `~numpy.ndarray`
        The stamps.
    places : (N, 2) `~numpy.ndarray`
        Their x and y in the image.
    oversampling : int
        Pixels of a stamp on a side of a pixel of the image.
    pixel_scale : float or None
        Arcsec per pixel of the image, where it is known.
    """
    if not hdu.is_image or len(hdu.shape) != 3 or f"{_PLACE_CARDS[0]}0" not in hdu.header:
        return None
    places = []
    for number in range(hdu.shape[0]):
        places.append([header_number(hdu.header, f"{name}{number}") for name in _PLACE_CARDS])
    oversampling = int(header_number(hdu.header, "OVERSAMP") or 1)
    pixel_scale = header_number(hdu.header, "PIXELSCL")
    if pixel_scale is not None:
        pixel_scale *= oversampling
    stamps = native(read_pixels(hdu)).astype(float)
    return stamps, np.array(places, dtype=float), oversampling, pixel_scale


def write_psf(path, stamps, places=None, *, oversampling=1, pixel_scale=None, cards=None):
    """Write a PSF to a FITS file that `~sersicnet.measure.field_psf` reads.

    Parameters
    ----------
    path : path
        The file, which is replaced if it exists, and appears when it is complete.
    stamps : (K, K) or (N, K, K) `~numpy.ndarray`
        A stamp, or stamps at places of an image on a rectangular grid.
    places : (N, 2) array_like, optional
        x and y of these places, 0-based pixels.
    oversampling : int, optional
        Pixels of a stamp on a side of a pixel of the image (card ``OVERSAMP``).
    pixel_scale : float, optional
        Arcsec per pixel of the image (the card ``PIXELSCL`` is that of the stamp).
    cards : dict, optional
        Further cards of the header.

    Examples
    --------
    >>> from sersicnet.io.psf_files import write_psf
    >>> write_psf("psf.fits", stamp, oversampling=2, pixel_scale=0.1)  # doctest: +SKIP
    """
    header = fits.Header()
    header["OVERSAMP"] = (oversampling, "PSF pixels per image pixel on a side")
    if pixel_scale is not None:
        header["PIXELSCL"] = (pixel_scale / oversampling, "arcsec per pixel of the PSF")
    for name, value in (cards or {}).items():
        header[name] = value
    if np.ndim(stamps) == 3:
        for number, place in enumerate(places):
            for name, value in zip(_PLACE_CARDS, place, strict=True):
                header[f"{name}{number}"] = (float(value), "place in the image, from 0")
    with atomic_path(path) as partial:
        fits.PrimaryHDU(np.asarray(stamps, dtype=float), header).writeto(partial, overwrite=True)
