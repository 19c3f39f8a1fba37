"""The source in the middle of a cutout and its neighbors (photutils)."""

import copy

import numpy as np
from scipy import ndimage

from sersicnet.parameters import wrap_theta
from sersicnet.preprocessing.segmentation import _centroid, _detect
from sersicnet.preprocessing.windows import as_nddata, check_size, cut_cutout

__all__ = ["center", "find_center", "mask_neighbors", "measure_shape"]


def find_center(cutout, *, threshold=2.0, n_pixels=5, contrast=0.005):
    """Position of the source nearest the middle of a cutout.

    The image, smoothed by a Gaussian of 3 pixels FWHM, is segmented and deblended by photutils.
    Pieces whose peak does not exceed the saddle toward the next piece (the sky, for an island) by
    1.5 thresholds are joined to it again (dropped, for an island): noise does not break up the
    outskirts of a large galaxy. The source is the one whose peak is nearest the middle, so a
    brighter neighbor does not attract it. Its position is the windowed centroid
    (`~photutils.segmentation.SourceCatalog`), which leaves neighbors out.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
        The cutout. NaN and masked pixels are ignored.
    threshold : float, optional
        Detection threshold above the sky, in units of the noise of a pixel.
    n_pixels : int, optional
        Smallest number of connected pixels above it.
    contrast : float, optional
        Smallest fraction of the light of a blend that makes a source of its own.

    Returns
    -------
    x_0, y_0 : float
        0-based pixels; the geometric middle where nothing is detected.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing import find_center
    >>> y, x = np.mgrid[:40, :40]
    >>> image = 50 * np.exp(-0.5 * ((x - 18.2) ** 2 + (y - 21.5) ** 2) / 9)
    >>> image += np.random.default_rng(1).normal(size=image.shape)
    >>> x_0, y_0 = find_center(image)
    >>> print(f"{x_0:.1f} {y_0:.1f}")
    18.2 21.5
    """
    image = as_nddata(cutout)
    return _centroid(_detect(image, threshold, n_pixels, contrast), image.data.shape)


def center(cutout, *, size=None):
    """Move the source nearest the middle into the middle, by whole pixels.

    Nothing is interpolated: the cutout is cut and padded such that the position that
    `find_center` returns is at most half a pixel from the middle, ``(size - 1) / 2``.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
        The cutout.
    size : int or (int, int), optional
        Pixels of the result along both axes, or along y and x; by default those of the cutout.

    Returns
    -------
    `~astropy.nddata.NDData` of the same class
        A copy; padding is masked and the WCS gives the same sky, as in
        `~sersicnet.preprocessing.crop_or_pad`. ``x_0`` and ``y_0`` that are measured in it are
        pixels of it, not of ``cutout``.
    """
    image = as_nddata(cutout)
    shape = image.data.shape if size is None else check_size(size)
    position = find_center(image)[::-1]
    origin = tuple(
        int(np.floor(x - (n - 1) / 2 + 0.5)) for x, n in zip(position, shape, strict=True)
    )
    return cut_cutout(image, origin, shape)


def measure_shape(cutout, *, threshold=2.0, n_pixels=5, contrast=0.005):
    r"""Center, axis ratio and position angle from the second moments of the light.

    With the covariance :math:`C` of the light of the source nearest the middle, its eigenvalues
    :math:`\lambda_1 \geq \lambda_2`,

    .. math::

        q = \sqrt{\lambda_2 / \lambda_1}, \qquad
        \theta = \tfrac{1}{2} \operatorname{atan2}(2 C_{xy}, C_{xx} - C_{yy}).

    The PSF is not corrected for, so ``q`` is too round for a small source: this is for drawing a
    model where a network predicts neither angle nor center, no measurement.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
        The cutout.
    threshold, n_pixels, contrast
        As for `find_center`.

    Returns
    -------
    dict of float
        ``x_0``, ``y_0`` (pixels), ``q``, ``theta`` (degrees, [-90, 90), counter-clockwise from
        +x). Where nothing is detected: the middle, 1 and 0.
    """
    image = as_nddata(cutout)
    found = _detect(image, threshold, n_pixels, contrast)
    x_0, y_0 = _centroid(found, image.data.shape)
    shape = {"x_0": x_0, "y_0": y_0, "q": 1.0, "theta": 0.0}
    if found is None:
        return shape
    covariance = np.asarray(found.catalog().covariance.value).reshape(2, 2)
    if not np.all(np.isfinite(covariance)):
        return shape
    smallest, largest = np.linalg.eigvalsh(covariance)
    shape["q"] = float(np.sqrt(max(smallest, 0) / largest))
    theta = 0.5 * np.arctan2(2 * covariance[0, 1], covariance[0, 0] - covariance[1, 1])
    shape["theta"] = float(wrap_theta(np.degrees(theta)))
    return shape


def mask_neighbors(cutout, *, threshold=2.0, n_pixels=5, contrast=0.005, grow=2):
    """Mask all sources but the one nearest the middle.

    A source farther from the middle than a quarter of the shorter side is a neighbor even if no
    other is nearer: the one in the middle was too faint to be detected then.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
        The cutout.
    threshold, n_pixels, contrast
        As for `find_center`. A larger ``contrast`` keeps a clumpy galaxy in one piece, a smaller
        one splits off fainter neighbors.
    grow : int, optional
        Pixels by which the masked regions are widened (not into the source that is kept).

    Returns
    -------
    `~astropy.nddata.NDData` of the same class
        A copy whose mask has the neighbors added.
    """
    image = copy.deepcopy(as_nddata(cutout))
    found = _detect(image, threshold, n_pixels, contrast)
    if found is None:
        return image
    labels = found.segmentation.data
    kept = (labels == found.label) & (found.distance <= min(labels.shape) / 4)
    neighbors = (labels > 0) & ~kept
    if grow > 0 and neighbors.any():
        neighbors = ndimage.binary_dilation(neighbors, iterations=grow) & ~kept
    old = False if image.mask is None else np.asarray(image.mask, dtype=bool)
    image.mask = old | neighbors
    return image
