"""The source in the middle of a cutout and its neighbours (photutils)."""

import copy
import warnings
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sersicnet._noise import estimate_noise, has_noise, noise_map, sky_level
from sersicnet._windows import as_nddata, check_size, cut_cutout
from sersicnet.parameters import wrap_theta

__all__ = ["center", "find_center", "mask_neighbours", "measure_shape"]

# Sigma in pixels of the Gaussian that the image is smoothed with before detection (FWHM 3).
_SMOOTHING = 3 / 2.3548
# By how many detection thresholds the peak of a source exceeds the saddle towards the next: the
# least that leaves real HST galaxies with correlated noise in one piece.
PROMINENCE = 1.5
_EIGHT = np.ones((3, 3), dtype=bool)  # neighbours along the diagonals count


def find_center(cutout, *, threshold=2.0, n_pixels=5, contrast=0.005):
    """Position of the source nearest the middle of a cutout.

    The image, smoothed by a Gaussian of 3 pixels FWHM, is segmented and deblended by photutils.
    Pieces whose peak does not exceed the saddle towards the next piece (the sky, for an island) by
    1.5 thresholds are joined to it again (dropped, for an island): noise does not break up the
    outskirts of a large galaxy. The source is the one whose peak is nearest the middle, so a
    brighter neighbour does not attract it. Its position is the windowed centroid
    (`~photutils.segmentation.SourceCatalog`), which leaves neighbours out.

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
    r"""Centre, axis ratio and position angle from the second moments of the light.

    With the covariance :math:`C` of the light of the source nearest the middle, its eigenvalues
    :math:`\lambda_1 \geq \lambda_2`,

    .. math::

        q = \sqrt{\lambda_2 / \lambda_1}, \qquad
        \theta = \tfrac{1}{2} \operatorname{atan2}(2 C_{xy}, C_{xx} - C_{yy}).

    The PSF is not corrected for, so ``q`` is too round for a small source: this is for drawing a
    model where a network predicts neither angle nor centre, no measurement.

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


def mask_neighbours(cutout, *, threshold=2.0, n_pixels=5, contrast=0.005, grow=2):
    """Mask all sources but the one nearest the middle.

    A source farther from the middle than a quarter of the shorter side is a neighbour even if no
    other is nearer: the one in the middle was too faint to be detected then.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
        The cutout.
    threshold, n_pixels, contrast
        As for `find_center`. A larger ``contrast`` keeps a clumpy galaxy in one piece, a smaller
        one splits off fainter neighbours.
    grow : int, optional
        Pixels by which the masked regions are widened (not into the source that is kept).

    Returns
    -------
    `~astropy.nddata.NDData` of the same class
        A copy whose mask has the neighbours added.
    """
    image = copy.deepcopy(as_nddata(cutout))
    found = _detect(image, threshold, n_pixels, contrast)
    if found is None:
        return image
    labels = found.segmentation.data
    kept = (labels == found.label) & (found.distance <= min(labels.shape) / 4)
    neighbours = (labels > 0) & ~kept
    if grow > 0 and neighbours.any():
        neighbours = ndimage.binary_dilation(neighbours, iterations=grow) & ~kept
    old = False if image.mask is None else np.asarray(image.mask, dtype=bool)
    image.mask = old | neighbours
    return image


@dataclass(frozen=True)
class _Detection:
    """A segmented image.

    Its sky-subtracted data, bad pixels and labels; the label whose peak is nearest the middle,
    and how far away in pixels.
    """

    data: np.ndarray
    bad: np.ndarray
    segmentation: object
    label: int
    distance: float

    def catalog(self):
        """Photutils' catalogue of the source in the middle."""
        from photutils.segmentation import SourceCatalog

        catalog = SourceCatalog(self.data, self.segmentation, mask=self.bad)
        return catalog[int(np.searchsorted(self.segmentation.labels, self.label))]


def _detect(image, threshold, n_pixels, contrast):
    """Segment an image; None where nothing is detected."""
    # photutils takes a second to import, and prediction does not need it
    from photutils.segmentation import deblend_sources, detect_sources

    data = np.array(image.data, dtype=float)
    noise = noise_map(image) if has_noise(image) else np.full(data.shape, estimate_noise(image))
    bad = ~(np.isfinite(data) & np.isfinite(noise) & (noise > 0))
    if image.mask is not None:
        bad |= np.asarray(image.mask, dtype=bool)
    if bad.all():
        return None
    data = np.where(bad, 0, data - sky_level(image))
    # divided by the noise: extreme units are no matter to photutils then
    data /= np.median(noise[~bad])
    limit = threshold * np.where(bad, np.inf, noise / np.median(noise[~bad]))
    smooth = smooth_image(data, bad)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "no sources were found" is an answer here
        segmentation = detect_sources(smooth, limit, n_pixels, mask=bad)
        if segmentation is None:
            return None
        segmentation = deblend_sources(
            smooth, segmentation, n_pixels, contrast=contrast, progress_bar=False
        )
    segmentation = merge_fragments(smooth, segmentation, PROMINENCE * threshold)
    if segmentation is None:
        return None
    return _Detection(data, bad, segmentation, *_nearest_middle(smooth, segmentation))


def merge_fragments(smooth, segmentation, prominence, *, keep_islands=False):
    """Join what deblending has split but no saddle separates; drop faint islands, or keep them.

    Noise breaks the outskirts of a large galaxy into pieces. A piece stays a source only if its
    peak exceeds the saddle towards its neighbours (zero for an island) by ``prominence``.
    """
    from photutils.segmentation import SegmentationImage

    labels = segmentation.data.copy()
    boxes = ndimage.find_objects(labels)
    peaks = ndimage.maximum(smooth, labels, segmentation.labels)
    for i in np.argsort(peaks):
        label = segmentation.labels[i]
        box = boxes[label - 1]
        around = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)
        own = labels[around] == label
        ring = ndimage.binary_dilation(own, _EIGHT) & ~own & (labels[around] > 0)
        heights = np.where(ring, smooth[around], 0)
        highest = np.unravel_index(np.argmax(heights), heights.shape)
        kept = keep_islands and not ring.any()
        if kept or peaks[i] - heights[highest] >= prominence:
            continue
        winner = labels[around][highest] if ring.any() else 0
        labels[around][own] = winner
        if winner:
            boxes[winner - 1] = _union(boxes[winner - 1], box)
    return SegmentationImage(labels) if labels.any() else None


def _union(first, second):
    """The smallest box around two."""
    pairs = zip(first, second, strict=True)
    return tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in pairs)


def smooth_image(data, bad, *, sigma=_SMOOTHING):
    """Gaussian smoothing that bad pixels do not take part in."""
    weight = ndimage.gaussian_filter((~bad).astype(float), sigma, mode="constant")
    smooth = ndimage.gaussian_filter(np.where(bad, 0.0, data), sigma, mode="constant")
    return np.divide(smooth, weight, out=np.zeros_like(smooth), where=weight > 1e-6)


def _nearest_middle(smooth, segmentation):
    """The label whose peak is nearest the middle of the image, and its distance."""
    peaks = ndimage.maximum_position(smooth, segmentation.data, segmentation.labels)
    distance = np.hypot(*(np.array(peaks) - (np.array(smooth.shape) - 1) / 2).T)
    return int(segmentation.labels[np.argmin(distance)]), float(np.min(distance))


def _centroid(found, shape):
    """(x, y) of the detected source, else the geometric middle."""
    middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    if found is None:
        return middle
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        source = found.catalog()
        for position in (source.centroid_win, source.centroid):
            x, y = np.ravel(position)
            if 0 <= x <= shape[1] - 1 and 0 <= y <= shape[0] - 1:
                return float(x), float(y)
    return middle
