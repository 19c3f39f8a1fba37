"""Stamps of the PSF models of photutils."""

import numpy as np

from sersicnet.model.psf_stamp import check_oversampling

__all__ = ["is_model", "model_psf", "plain_psf"]

# Pixels of the data on a side of the stamps of models without pixels, PSF pixels in each, and
# points in each of these that the response of the pixel is averaged over.
_SIDE = 63
_OVERSAMPLING = 3
_POINTS = 3


def is_model(psf):
    """Return whether a PSF is a model of `astropy.modeling`, as those of photutils are.

    Parameters
    ----------
    psf : object
        The user's argument.

    Returns
    -------
    bool

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.psf_models import is_model
    >>> is_model(np.ones((3, 3)))
    False
    """
    return callable(getattr(psf, "evaluate", None))


def model_psf(model):
    """Return the stamp of a photutils model.

    Parameters
    ----------
    model : `~astropy.modeling.Model`
        An `~photutils.psf.ImagePSF` or `~photutils.psf.GriddedPSFModel`, whose own pixels are
        taken, or another model of `photutils.psf`. Those named PSF have no response of the pixel,
        which is added.

    Returns
    -------
    psf : (K, L) `~numpy.ndarray` or callable
        The stamp, or, of a model that depends on the place in the image, a function that returns
        that at 0-based pixels ``x, y``.
    oversampling : int
        PSF pixels per pixel of the image on a side.

    Raises
    ------
    TypeError
        If ``model`` is not a PSF of photutils.
    ValueError
        If it is oversampled by different numbers along x and y, or by too many.

    Examples
    --------
    >>> from photutils.psf import CircularGaussianPRF
    >>> from sersicnet.model.psf_models import model_psf
    >>> stamp, oversampling = model_psf(CircularGaussianPRF(fwhm=2.5))
    >>> stamp.shape, oversampling
    ((189, 189), 3)
    """
    from photutils.psf import GriddedPSFModel, ImagePSF  # training works without photutils

    if isinstance(model, GriddedPSFModel):
        return _pixels_of(model)
    if isinstance(model, ImagePSF):
        at, oversampling = _pixels_of(model)
        return at(0.0, 0.0), oversampling
    if not type(model).__module__.startswith("photutils.psf"):
        msg = f"psf is a {type(model).__name__}: of models, one of photutils.psf is needed"
        raise TypeError(msg)
    return _drawn(model), _OVERSAMPLING


def _pixels_of(model):
    """A function that returns a model's own pixels at ``x, y``, and their oversampling."""
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

    return stamp, step_x


def _drawn(model):
    """The stamp of a model without pixels, with the response of the pixel."""
    model = model.copy()
    model.x_0 = 0.0
    model.y_0 = 0.0
    model.flux = 1.0
    n_pixels = _SIDE * _OVERSAMPLING
    if type(model).__name__.endswith("PRF"):  # integrated over the pixel
        axis = (np.arange(n_pixels) - n_pixels // 2) / _OVERSAMPLING
        return model(axis, axis[:, None]) / _OVERSAMPLING**2
    from scipy.ndimage import uniform_filter

    n_points = n_pixels * _POINTS
    axis = (np.arange(n_points) - n_points // 2) / (_OVERSAMPLING * _POINTS)
    points = uniform_filter(model(axis, axis[:, None]), _OVERSAMPLING * _POINTS, mode="constant")
    middles = slice(_POINTS // 2, None, _POINTS)
    return points[middles, middles] / _OVERSAMPLING**2


def plain_psf(psf, oversampling):
    """Return the PSFs of cutouts with stamps in the place of models.

    Parameters
    ----------
    psf : stamp, model, or list of them and of None
        The user's argument.
    oversampling : int
        PSF pixels per pixel of the data on a side, of stamps.

    Returns
    -------
    psf : stamp or list
        The same without models.
    oversampling : int
        PSF pixels per pixel of the data on a side.

    Raises
    ------
    TypeError, ValueError
        If a model cannot be used, depends on the place in an image, or has another oversampling.

    Examples
    --------
    >>> from photutils.psf import CircularGaussianPRF
    >>> from sersicnet.model.psf_models import plain_psf
    >>> stamp, oversampling = plain_psf(CircularGaussianPRF(fwhm=2.5), 1)
    >>> stamp.shape, oversampling
    ((189, 189), 3)
    """
    if is_model(psf):
        psfs, oversampling = plain_psf([psf], oversampling)
        return psfs[0], oversampling
    if not isinstance(psf, list | tuple) or not any(is_model(each) for each in psf):
        return psf, oversampling
    stamps = {}
    steps = set()
    for each in psf:
        if is_model(each) and id(each) not in stamps:
            stamps[id(each)], step = _one_stamp(each)
            steps.add(step)
        elif each is not None and not is_model(each):
            steps.add(oversampling)
    if len(steps) > 1 or (oversampling != 1 and oversampling not in steps):
        found = " and ".join(str(step) for step in sorted(steps))
        msg = f"psf_oversampling={oversampling}, but psf has models and stamps with {found}"
        raise ValueError(msg)
    return [stamps.get(id(each), each) for each in psf], steps.pop()


def _one_stamp(model):
    """The stamp of a model that is the same everywhere, and its oversampling."""
    stamp, oversampling = model_psf(model)
    if callable(stamp):
        msg = (
            "psf is a GriddedPSFModel, which depends on the place in the image: pass "
            "psf=[sersicnet.measure.field_psf(model).at(x, y), ...] with the place of each cutout "
            f"in the image (pixels from 0), and psf_oversampling={oversampling}"
        )
        raise ValueError(msg)
    return stamp, oversampling
