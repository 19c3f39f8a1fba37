"""Read the PSF of a FITS file with what its header says."""

from astropy.nddata import CCDData

from sersicnet.io.extensions import PSF_NAMES, native
from sersicnet.io.fits_files import fits_errors, open_fits, read_pixels
from sersicnet.io.hdus import choose_companion
from sersicnet.io.psf_sampling import header_wcs

__all__ = ["psf_of_hdu", "read_psf"]


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
        return psf_of_hdu(choose_companion(hdus, PSF_NAMES, path, argument="psf"))


def psf_of_hdu(hdu):
    """Return the PSF of an HDU, with its header and celestial WCS."""
    pixels = native(read_pixels(hdu)).astype(float)
    return CCDData(pixels, unit="", meta=hdu.header.copy(), wcs=header_wcs(hdu.header))
