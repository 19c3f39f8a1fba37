"""The PSF of an image: which one it is, checked and centered at places all over it."""

import warnings
from dataclasses import replace

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.measure.option_values import STARS, is_word
from sersicnet.measure.psf import Same, find_psf
from sersicnet.model.psf_center import psf_offset, shifted_stamp
from sersicnet.model.psf_check import usable_psf, warn_of_psfs
from sersicnet.model.psf_stamp import unit_stamp

__all__ = ["centered_psf", "open_psf", "psf_of_pictures", "stamps_at"]

# Places on a side of an image where its PSF is checked.
_PLACES = 3


class _Centered:
    """Stamps moved so that their star is in the middle, with the sums they had."""

    def __init__(self, psf):
        self.psf = psf

    def __call__(self, x, y):
        given = np.asarray(self.psf.at(x, y), dtype=float)
        stamp = unit_stamp(given)
        offset = psf_offset(stamp, self.psf.oversampling)
        return given.sum() * shifted_stamp(stamp, -self.psf.oversampling * offset)


def centered_psf(psf, shape, *, normalize=True, recenter=True):
    """Check the PSF of an image at nine places, and center it.

    Parameters
    ----------
    psf : FieldPSF
        The PSF.
    shape : (int, int)
        Shape (ny, nx) of the image.
    normalize, recenter : bool, optional
        ``normalize_psf`` and ``recenter_psf`` of `~sersicnet.measure.measure_image`.

    Returns
    -------
    psf : FieldPSF
        The PSF whose stars are in the middle of their stamps: moved everywhere if it is off by more
        than 0.1 pixel somewhere.
    checks : list of `~sersicnet.model.PSFCheck`
        Properties of the stamps.

    Raises
    ------
    TypeError, ValueError
        If no stamp can be that of a star.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.image_psf import centered_psf
    >>> from sersicnet.measure.psf import field_psf
    >>> y, x = np.mgrid[-12:13, -12:13]
    >>> star = field_psf(np.exp(-((x - 1) ** 2 + y**2) / 8))
    >>> psf, checks = centered_psf(star, (1000, 1000))
    >>> psf.at(0, 0)[12].argmax(), checks[0].is_off_center
    (np.int64(12), True)
    """
    checks = []
    errors = []
    options = {"oversampling": psf.oversampling, "normalize": normalize}
    for stamp in stamps_at(psf, shape):
        try:
            checks.append(usable_psf(stamp, **options)[1])
        except (TypeError, ValueError) as error:
            errors.append(error)
    if not checks:
        raise errors[0]
    if not recenter or not any(check.is_off_center for check in checks):
        return psf, checks
    at = _Centered(psf)
    if isinstance(psf.at, Same):
        at = Same(at(0.0, 0.0))
    return replace(psf, at=at), checks


def open_psf(field, options, pixel_scale, *, stacklevel):
    """Find, check and center the PSF of an image, and warn of one that is doubtful.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image, whose own PSF is used where the options have none.
    options : `~sersicnet.measure.Options`
        Of which those of the PSF count.
    pixel_scale : float
        Arcsec per pixel of the image.
    stacklevel : int
        As in `warnings.warn`, counted from the caller of this function.

    Returns
    -------
    FieldPSF or None
        None where there is no PSF, or where it is to be made from the stars of the image.

    Raises
    ------
    TypeError, ValueError, OSError
        As `field_psf` and `centered_psf`.
    """
    psf = options.psf
    if is_word("psf", psf):
        psf = field.psf if psf != STARS else None
    if psf is None:
        return None
    psf, doubt = find_psf(psf, options.psf_oversampling, pixel_scale, wcs=field.wcs)
    if doubt is not None:
        warnings.warn(f"psf: {doubt}", AstropyUserWarning, stacklevel=stacklevel + 1)
    psf, checks = centered_psf(
        psf,
        field.data.shape,
        normalize=options.normalize_psf,
        recenter=options.recenter_psf,
    )
    warn_of_psfs(checks, recenter=options.recenter_psf, stacklevel=stacklevel + 1)
    return psf


def psf_of_pictures(field, psf):
    """Return the PSF that images of a catalog's galaxies are made with.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image, whose own PSF is used where none is given.
    psf : object
        The user's argument.

    Returns
    -------
    object
        What `field_psf` takes.

    Raises
    ------
    ValueError
        If there is none, or it would have to be made from stars first.
    """
    if isinstance(psf, str) and psf == STARS:
        msg = "psf='stars': pass what measure.psf_from_stars makes of the image, or its file"
        raise ValueError(msg)
    if is_word("psf", psf):
        psf = field.psf
    if psf is None:
        msg = (
            "psf=None and the image has none: an image of galaxies needs the PSF "
            "(measure.psf_from_stars makes one)"
        )
        raise ValueError(msg)
    return psf


def stamps_at(psf, shape):
    """Return the different stamps at some places of an image.

    Parameters
    ----------
    psf : FieldPSF
        The PSF.
    shape : (int, int)
        Rows and columns of the image.

    Returns
    -------
    list of `~numpy.ndarray`
        One, if the PSF is the same everywhere.
    """
    if isinstance(psf.at, Same):
        return [psf.at.stamp]
    stamps = []
    for y in np.linspace(0, shape[0] - 1, _PLACES):
        for x in np.linspace(0, shape[1] - 1, _PLACES):
            stamps.append(psf.at(x, y))
    return stamps
