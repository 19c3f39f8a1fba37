"""The PSF of a survey image: one stamp, or a different one at each place."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.io.fits_files import fits_errors, open_fits
from sersicnet.io.psf_files import psf_grid_of_hdu, read_psf
from sersicnet.io.psf_places import NearestPSF, is_mer_grid, read_mer_grid
from sersicnet.io.psf_sampling import find_oversampling, sampling_of, split_psf
from sersicnet.io.psfex import PsfexPSF, is_psfex, read_psfex
from sersicnet.model.psf_models import is_model, model_psf
from sersicnet.model.psf_stamp import check_oversampling, unit_stamp

__all__ = [
    "FieldPSF",
    "Same",
    "check_same_oversampling",
    "field_psf",
    "find_psf",
    "gridded_psf",
]

# Largest relative difference of the pixel scale of a PSF and of an image, which may be rounded.
_SAME_SCALE = 0.02


@dataclass(frozen=True, eq=False)
class FieldPSF:
    """Star-like stamps (with the response of the pixel) at all places of an image.

    Attributes
    ----------
    at : callable
        Function that returns the stamp, a 2-D `~numpy.ndarray`, at 0-based pixels ``x, y`` of the
        image.
    oversampling : int
        Pixels of the stamps on a side of a pixel of the image.
    source : str
        ``"stars"`` of one that was made from the stars of the image.
    trial : PSFTrial or None
        What the stars of the image say of it, where it was tried on them.
    pixel_scale : float or None
        Arcsec per pixel of the image that it is of, where that is known.
    """

    at: Callable
    oversampling: int = 1
    source: str = ""
    trial: object = None
    pixel_scale: float | None = None


class Same:
    """One stamp at all places."""

    def __init__(self, stamp):
        self.stamp = stamp

    def __call__(self, x, y):
        """Return the stamp at a place."""
        return self.stamp


def field_psf(psf, *, oversampling=None, pixel_scale=None):
    """Find the PSF at each place of an image.

    Parameters
    ----------
    psf : 2-D array_like, photutils model, `~galsim.des.DES_PSFEx`, path, callable or FieldPSF
        - a star-like stamp, the same everywhere, also as a `~astropy.nddata.CCDData`;
        - a `~photutils.psf.ImagePSF` or `~photutils.psf.GriddedPSFModel`, whose oversampling is its
          own, or another model of `photutils.psf`, such as `~photutils.psf.MoffatPSF`;
        - a file of PSFEx, or GalSim's reader of it (as fine as it is sampled, rounded up to a whole
          number; it is in pixels, without a WCS);
        - a FITS file with a stamp, or with stamps at places of the image (`psf_from_stars`, and
          the grid of PSFs of a tile of Euclid);
        - a function of ``x, y`` (0-based pixels) that returns a stamp.
    oversampling : int, optional
        Pixels of a stamp on a side of a pixel of the image; by default what the file of the stamp
        says, else 1.
    pixel_scale : float, optional
        Arcsec per pixel of the image, with which that of the file is compared.

    Returns
    -------
    FieldPSF

    Raises
    ------
    TypeError
        If ``psf`` is none of these.
    ValueError
        If a stamp cannot be used (`~sersicnet.model.unit_stamp`), or is oversampled
        by different numbers along x and y, or not by a whole number.
    OSError
        If a file is not there, or not FITS.

    Examples
    --------
    >>> import numpy as np
    >>> from photutils.psf import CircularGaussianPRF, ImagePSF
    >>> from sersicnet.measure import field_psf
    >>> y, x = np.mgrid[-20:21, -20:21] / 2
    >>> star = ImagePSF(CircularGaussianPRF(fwhm=2)(x, y), oversampling=2)
    >>> found = field_psf(star)
    >>> found.oversampling, found.at(100, 200).shape
    (2, (41, 41))
    """
    found, doubt = find_psf(psf, oversampling, pixel_scale)
    if doubt is not None:
        warnings.warn(f"psf: {doubt}", AstropyUserWarning, stacklevel=2)
    return found


def find_psf(psf, oversampling, pixel_scale, *, wcs=None):
    """Make what an image needs from a PSF of any kind, without a warning.

    Parameters
    ----------
    psf, oversampling, pixel_scale
        As for `field_psf`.
    wcs : `~astropy.wcs.WCS`, optional
        Of the image, for files with PSFs at places on the sky.

    Returns
    -------
    psf : FieldPSF
    doubt : str or None
        Sentence for a warning.

    Raises
    ------
    TypeError, ValueError, OSError
        As `field_psf`.
    """
    if oversampling is not None:
        check_oversampling(oversampling)
    if isinstance(psf, str | os.PathLike):
        psf = _read(psf, wcs)
    if isinstance(psf, FieldPSF):
        check_same_oversampling(oversampling, psf.oversampling, "a PSF by place")
        _check_same_scale(psf.pixel_scale, pixel_scale)
        return psf, None
    if is_model(psf):
        stamp, own = model_psf(psf)
        check_same_oversampling(oversampling, own, "a model")
        return FieldPSF(stamp if callable(stamp) else Same(stamp), own), None
    if hasattr(psf, "getPSFArray"):  # a DES_PSFEx, without an import of GalSim
        psf = PsfexPSF(psf)
    if isinstance(psf, PsfexPSF | NearestPSF):
        check_same_oversampling(oversampling, psf.oversampling, psf.kind)
        return FieldPSF(psf, psf.oversampling), None
    if callable(psf):
        return FieldPSF(psf, oversampling or 1), None
    sampling = sampling_of(psf)
    psf, _ = split_psf(psf)
    try:
        unit_stamp(psf)
    except TypeError as error:
        kind = type(psf).__name__
        msg = f"psf must be a stamp, a model of photutils, a path or a function, not {kind}"
        raise TypeError(msg) from error
    oversampling, doubt = find_oversampling(sampling, oversampling, pixel_scale)
    return FieldPSF(Same(psf), oversampling), doubt


def check_same_oversampling(given, own, kind):
    """Raise ValueError if the user gives another oversampling than that which a PSF has.

    Parameters
    ----------
    given : int or None
        ``psf_oversampling``; 1 stands for none.
    own : int
        That of the PSF.
    kind : str
        What the PSF is, for the message.

    Raises
    ------
    ValueError
        If they differ.
    """
    if given not in (None, 1, own):
        msg = f"psf_oversampling={given}, but psf is {kind} with one of {own}"
        raise ValueError(msg)


def _check_same_scale(own, pixel_scale):
    """Raise ValueError if a PSF is that of an image with other pixels."""
    if own is None or pixel_scale is None:
        return
    if abs(pixel_scale / own - 1) > _SAME_SCALE:
        msg = (
            f"psf is that of an image with pixels of {own:.4g} arcsec, but these have "
            f"{pixel_scale:.4g}"
        )
        raise ValueError(msg)


def gridded_psf(stamps, places, oversampling, *, pixel_scale=None):
    """Return the PSF of stamps at places of an image, interpolated linearly between them.

    Parameters
    ----------
    stamps : (N, K, K) `~numpy.ndarray`
        Stamps of unit sum.
    places : (N, 2) array_like
        x and y of these, a rectangular grid, 0-based pixels.
    oversampling : int
        Pixels of a stamp on a side of a pixel of the image.
    pixel_scale : float, optional
        Arcsec per pixel of the image.

    Returns
    -------
    FieldPSF
    """
    if len(stamps) == 1:
        return FieldPSF(Same(stamps[0]), oversampling, pixel_scale=pixel_scale)
    from photutils.psf import GriddedPSFModel

    corners = [tuple(place) for place in np.asarray(places).tolist()]
    meta = {"grid_xypos": corners, "oversampling": oversampling}
    model = GriddedPSFModel(NDData(np.asarray(stamps) * oversampling**2, meta=meta))
    return FieldPSF(model_psf(model)[0], oversampling, pixel_scale=pixel_scale)


def _read(path, wcs):
    """The stamp of a FITS file, its stamps at many places, or GalSim's reader of one of PSFEx."""
    with fits_errors(path, "psf"), open_fits(path) as hdus:
        for hdu in hdus:
            if is_psfex(hdu):
                return read_psfex(hdu)
            if is_mer_grid(hdu):
                return read_mer_grid(hdu, hdus, path, wcs=wcs)
            grid = psf_grid_of_hdu(hdu)
            if grid is not None:
                *parts, pixel_scale = grid
                return gridded_psf(*parts, pixel_scale=pixel_scale)
    return read_psf(path)
