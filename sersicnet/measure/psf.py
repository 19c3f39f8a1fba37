"""The PSF of a survey image: one stamp, or a different one at each place."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.modeling import Model

from sersicnet.io.extensions import PSF_NAMES
from sersicnet.io.fits_files import fits_errors, open_fits
from sersicnet.io.hdus import choose_companion
from sersicnet.model.psf import check_oversampling, check_psf

__all__ = ["FieldPSF", "field_psf"]


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
    """

    at: Callable
    oversampling: int = 1


class _Same:
    """One stamp at all places."""

    def __init__(self, stamp):
        self.stamp = stamp

    def __call__(self, x, y):
        return self.stamp


def field_psf(psf, *, oversampling=1):
    """Find the PSF at each place of an image.

    Parameters
    ----------
    psf : 2-D array_like, photutils model, `~galsim.des.DES_PSFEx`, path, callable or FieldPSF
        - a star-like stamp, the same everywhere;
        - a `~photutils.psf.ImagePSF` or `~photutils.psf.GriddedPSFModel`, whose oversampling is its
          own;
        - a file of PSFEx, or GalSim's reader of it (as fine as it is sampled, rounded up to a whole
          number; it is in pixels, without a WCS);
        - a FITS file with a stamp;
        - a function of ``x, y`` (0-based pixels) that returns a stamp.
    oversampling : int, optional
        Pixels of a stamp on a side of a pixel of the image.

    Returns
    -------
    FieldPSF

    Raises
    ------
    TypeError
        If ``psf`` is none of these.
    ValueError
        If a stamp cannot be used (`~sersicnet.model.check_psf`), or is oversampled
        by different numbers along x and y.
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
    if isinstance(psf, FieldPSF):
        return psf
    if isinstance(psf, str | os.PathLike):
        psf = _read(psf)
    if isinstance(psf, Model):
        return _from_model(psf)
    check_oversampling(oversampling)
    if hasattr(psf, "getPSFArray"):  # a DES_PSFEx, without an import of GalSim
        return _from_psfex(psf)
    if callable(psf):
        return FieldPSF(psf, oversampling)
    try:
        check_psf(psf)
    except TypeError as error:
        msg = f"psf must be a stamp, a model of photutils, a path or a function, not {psf!r}"
        raise TypeError(msg) from error
    return FieldPSF(_Same(psf), oversampling)


def _read(path):
    """The stamp of a FITS file, or GalSim's reader of a file of PSFEx."""
    with fits_errors(path, "psf"), open_fits(path) as hdus:
        for hdu in hdus:
            if isinstance(hdu, fits.BinTableHDU) and "PSF_MASK" in hdu.columns.names:
                from galsim.des import DES_PSFEx

                return DES_PSFEx(hdu)
        stamp = choose_companion(hdus, PSF_NAMES, path, argument="psf")
        return np.asarray(stamp.data, dtype=float)


def _from_model(model):
    """The PSF of a photutils model: at each place, the model's own pixels."""
    from photutils.psf import GriddedPSFModel, ImagePSF

    if not isinstance(model, (ImagePSF, GriddedPSFModel)):
        msg = f"psf is a {type(model).__name__}: of models, ImagePSF or GriddedPSFModel is needed"
        raise TypeError(msg)
    step_y, step_x = (int(n) for n in model.oversampling)
    if step_y != step_x:
        msg = f"psf is oversampled by {step_y} in y, {step_x} in x: one number is needed"
        raise ValueError(msg)
    check_oversampling(step_x)
    n_y, n_x = model.data.shape[-2:]
    y, x = np.indices((n_y, n_x))
    y = (y - (n_y - 1) / 2) / step_x
    x = (x - (n_x - 1) / 2) / step_x

    def stamp(x_0, y_0):  # the model's values are per pixel of the image
        return model.evaluate(x + x_0, y + y_0, 1.0, x_0, y_0) / step_x**2

    if isinstance(model, GriddedPSFModel):
        return FieldPSF(stamp, step_x)
    return FieldPSF(_Same(stamp(0.0, 0.0)), step_x)


def _from_psfex(reader):
    """The PSF of a PSFEx file: GalSim's interpolation of its pixels, which are of any size."""
    from galsim import ImageD, PositionD

    step = max(1, int(np.ceil(1 / reader.getSampleScale() - 1e-6)))
    check_oversampling(step)
    side = int(reader.basis.shape[1] * reader.getSampleScale() * step) // 2 * 2 - 1

    def stamp(x, y):
        psf = reader.getPSF(PositionD(x + 1, y + 1))  # FITS counts from 1
        image = ImageD(side, side, scale=1 / step)
        return psf.drawImage(image, method="no_pixel").array

    return FieldPSF(stamp, step)
