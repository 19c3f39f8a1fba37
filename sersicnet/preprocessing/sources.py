"""Find the source in the middle of a cutout, and mask its neighbors (photutils)."""

import copy

import numpy as np
from scipy import ndimage

from sersicnet.parameters import wrap_theta
from sersicnet.preprocessing.segmentation import centroid, segment
from sersicnet.preprocessing.windows import as_nddata, check_size, cut_cutout

__all__ = ["center", "find_center", "mask_neighbors", "measure_shape"]


def find_center(cutout, *, threshold=2.0, n_pixels=5, contrast=0.005):
    """Find the position of the source nearest the middle of a cutout.

    The image, smoothed by a Gaussian of 3 pixels FWHM, is segmented and deblended by photutils.
    Pieces whose peak does not exceed the saddle toward the next piece (the sky, for an island) by
    1.5 thresholds are joined to it again (dropped, for an island): noise does not break up the
    outskirts of a large galaxy. The source is the one whose peak is nearest the middle, even if a
    neighbor is brighter. Its position is the windowed centroid
    (`~photutils.segmentation.SourceCatalog`), which leaves neighbors out.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
        The cutout. NaN and masked pixels are ignored.
    threshold : float, optional
        Detection threshold above the sky, in units of the noise of a pixel.
    n_pixels : int, optional
        Smallest number of connected pixels above the threshold.
    contrast : float, optional
        Smallest fraction of the flux of a blend that a deblended source has.

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
    return centroid(segment(image, threshold, n_pixels, contrast), image.data.shape)


def center(cutout, *, size=None):
    """Move the source nearest the middle of a cutout into its middle, by whole pixels.

    Nothing is interpolated: the cutout is cropped and padded such that the position that
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
        `~sersicnet.preprocessing.crop_or_pad`. ``x_0`` and ``y_0`` that are measured in the copy
        are its own pixels, not those of ``cutout``.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing import center, find_center
    >>> y, x = np.mgrid[:40, :40]
    >>> image = 50 * np.exp(-0.5 * ((x - 16) ** 2 + (y - 22) ** 2) / 9)
    >>> image += np.random.default_rng(1).normal(size=image.shape)
    >>> centered = center(image, size=33)
    >>> x_0, y_0 = find_center(centered)
    >>> print(f"{x_0:.1f} {y_0:.1f}")
    16.0 16.0
    """
    image = as_nddata(cutout)
    shape = image.data.shape
    if size is not None:
        shape = check_size(size)
    position = find_center(image)[::-1]
    origin = tuple(
        int(np.floor(x - (n - 1) / 2 + 0.5)) for x, n in zip(position, shape, strict=True)
    )
    return cut_cutout(image, origin, shape)


def measure_shape(cutout, *, threshold=2.0, n_pixels=5, contrast=0.005):
    r"""Measure center, axis ratio and angle of a source from the second moments of its light.

    With the covariance :math:`C` of the light of the source nearest the middle, its eigenvalues
    :math:`\lambda_1 \geq \lambda_2`,

    .. math::

        q = \sqrt{\lambda_2 / \lambda_1}, \qquad
        \theta = \tfrac{1}{2} \operatorname{atan2}(2 C_{xy}, C_{xx} - C_{yy}).

    The PSF is not corrected for, so ``q`` is too round for a small source. Use it to draw a model
    where a network predicts neither angle nor center; it is not a measurement of the galaxy.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
        The cutout.
    threshold, n_pixels, contrast
        As in `find_center`.

    Returns
    -------
    dict of float
        ``x_0``, ``y_0`` (pixels), ``q``, ``theta`` (degrees, [-90, 90), counter-clockwise from
        +x). Where nothing is detected: the middle, 1 and 0.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing import measure_shape
    >>> y, x = np.mgrid[:40, :40] - 19.5
    >>> image = 50 * np.exp(-0.5 * (x**2 / 16 + y**2 / 4))
    >>> image += np.random.default_rng(1).normal(size=image.shape)
    >>> shape = measure_shape(image)
    >>> print(f"{shape['q']:.1f} {abs(shape['theta']) < 5}")
    0.5 True
    """
    image = as_nddata(cutout)
    segmented = segment(image, threshold, n_pixels, contrast)
    x_0, y_0 = centroid(segmented, image.data.shape)
    shape = {"x_0": x_0, "y_0": y_0, "q": 1.0, "theta": 0.0}
    if segmented is None:
        return shape
    source = segmented.catalog()
    if np.isfinite(source.covariance.value).all():
        # NaN where the covariance has a negative eigenvalue
        shape["q"] = float(np.nan_to_num(1 / source.elongation).item())
        shape["theta"] = float(wrap_theta(source.orientation.to_value("deg").item()))
    return shape


def mask_neighbors(cutout, *, threshold=2.0, n_pixels=5, contrast=0.005, grow=2):
    """Mask all sources of a cutout but the one nearest the middle.

    A source farther from the middle than a quarter of the shorter side is a neighbor even if no
    other is nearer: then the one in the middle is too faint to be detected.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
        The cutout.
    threshold, n_pixels, contrast
        As in `find_center`. A larger ``contrast`` keeps a clumpy galaxy in one piece, a smaller
        one splits off fainter neighbors.
    grow : int, optional
        Pixels by which the masked regions are widened (not into the source that is kept).

    Returns
    -------
    `~astropy.nddata.NDData` of the same class
        A copy with the neighbors added to its mask.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing import mask_neighbors
    >>> y, x = np.mgrid[:60, :60]
    >>> image = 50 * np.exp(-0.5 * ((x - 30) ** 2 + (y - 30) ** 2) / 9)
    >>> image += 90 * np.exp(-0.5 * ((x - 50) ** 2 + (y - 12) ** 2) / 9)
    >>> image += np.random.default_rng(1).normal(size=image.shape)
    >>> masked = mask_neighbors(image)
    >>> masked.mask[12, 50], masked.mask[30, 30]
    (np.True_, np.False_)
    """
    image = copy.deepcopy(as_nddata(cutout))
    segmented = segment(image, threshold, n_pixels, contrast)
    if segmented is None:
        return image
    labels = segmented.segmentation.data
    kept = (labels == segmented.label) & (segmented.distance <= min(labels.shape) / 4)
    neighbors = (labels > 0) & ~kept
    if grow > 0 and neighbors.any():
        neighbors = ndimage.binary_dilation(neighbors, iterations=grow) & ~kept
    if image.mask is not None:
        neighbors |= np.asarray(image.mask, dtype=bool)
    image.mask = neighbors
    return image
