"""Detection and deblending of the sources in a cutout (photutils)."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sersicnet.preprocessing.noise import estimate_noise, has_noise, noise_map, sky_level

__all__ = []

# Sigma in pixels of the Gaussian that the image is smoothed with before detection (FWHM 3).
_SMOOTHING = 3 / 2.3548
# By how many detection thresholds the peak of a source exceeds the saddle toward the next: the
# least that leaves real HST galaxies with correlated noise in one piece.
PROMINENCE = 1.5
_EIGHT = np.ones((3, 3), dtype=bool)  # neighbors along the diagonals count


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
        """Photutils' catalog of the source in the middle."""
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
    peak exceeds the saddle toward its neighbors (zero for an island) by ``prominence``.
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
