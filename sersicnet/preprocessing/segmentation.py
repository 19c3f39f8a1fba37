"""Detect and deblend the sources in a cutout (photutils)."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sersicnet.preprocessing.missing import missing_pixels
from sersicnet.preprocessing.noise import estimate_noise, has_noise, noise_map, sky_level
from sersicnet.preprocessing.windows import replace

__all__ = ["Segmentation", "centroid", "merge_fragments", "segment", "smooth_image"]

# FWHM of a Gaussian in units of its sigma: the rounded factor that all published numbers were made
# with (8e-6 below the exact one).
FWHM_OF_SIGMA = 2.3548
# Sigma in pixels of the Gaussian that smooths an image before detection: a FWHM of 3.
_SMOOTHING = 3 / FWHM_OF_SIGMA
# Height of a source's peak above the saddle toward the next, in detection thresholds: the least
# that leaves real HST galaxies with correlated noise in one piece.
PROMINENCE = 1.5
_EIGHT = np.ones((3, 3), dtype=bool)  # neighbors along the diagonals count


@dataclass(frozen=True)
class Segmentation:
    """A segmented image, and the source in its middle.

    Attributes
    ----------
    data : (ny, nx) `~numpy.ndarray`
        Sky-subtracted data, in units of the median noise.
    bad : (ny, nx) bool `~numpy.ndarray`
        Pixels that are masked or not finite.
    segmentation : `~photutils.segmentation.SegmentationImage`
        The sources.
    label : int
        Label of the source whose peak is nearest the middle.
    distance : float
        Distance of this peak from the middle in pixels.
    """

    data: np.ndarray
    bad: np.ndarray
    segmentation: object
    label: int
    distance: float

    def catalog(self):
        """Return photutils' catalog of the source in the middle."""
        from photutils.segmentation import SourceCatalog

        catalog = SourceCatalog(self.data, self.segmentation, mask=self.bad)
        return catalog[int(np.searchsorted(self.segmentation.labels, self.label))]


def segment(image, threshold, n_pixels, contrast):
    """Detect and deblend the sources of an image.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`
        The image.
    threshold, n_pixels, contrast
        As in `~sersicnet.preprocessing.find_center`.

    Returns
    -------
    Segmentation or None
        None where nothing is detected.
    """
    image = _without_fills(image)
    data = np.array(image.data, dtype=float)
    noise = noise_map(image) if has_noise(image) else np.full(data.shape, estimate_noise(image))
    bad = ~(np.isfinite(data) & np.isfinite(noise) & (noise > 0))
    if image.mask is not None:
        bad |= np.asarray(image.mask, dtype=bool)
    if bad.all():
        return None
    level = np.median(noise[~bad])
    data = np.where(bad, 0, data - sky_level(image))
    data /= level  # photutils then need not cope with extreme units
    limit = threshold * np.where(bad, np.inf, noise / level)
    smooth = smooth_image(data, bad)
    segmentation = _deblended(smooth, limit, bad, n_pixels, contrast)
    if segmentation is not None:
        segmentation = merge_fragments(smooth, segmentation, PROMINENCE * threshold)
    if segmentation is None:
        return None
    peaks = ndimage.maximum_position(smooth, segmentation.data, segmentation.labels)
    distance = np.hypot(*(np.array(peaks) - (np.array(smooth.shape) - 1) / 2).T)
    nearest = int(segmentation.labels[np.argmin(distance)])
    return Segmentation(data, bad, segmentation, nearest, float(np.min(distance)))


def _without_fills(image):
    """Return an image in whose mask are also the pixels that a constant fills."""
    noise = None
    if has_noise(image):
        noise = noise_map(image)
    missing = missing_pixels(image.data, image.mask, noise=noise)
    if missing is None:
        return image
    if image.mask is not None:
        missing |= np.asarray(image.mask, dtype=bool)
    return replace(image, mask=missing)


def _deblended(smooth, limit, bad, n_pixels, contrast):
    """Return photutils' deblended sources above a limit, None where there are none."""
    # photutils takes a second to import, and prediction does not need it
    from photutils.segmentation import deblend_sources, detect_sources

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no sources were found is no fault
        segmentation = detect_sources(smooth, limit, n_pixels, mask=bad)
        if segmentation is None:
            return None
        return deblend_sources(
            smooth, segmentation, n_pixels, contrast=contrast, progress_bar=False
        )


def merge_fragments(smooth, segmentation, prominence, *, keep_islands=False):
    """Join pieces of a source that deblending has split although no saddle separates them.

    Noise breaks the outskirts of a large galaxy into pieces. A piece stays a source only if its
    peak exceeds the saddle toward its neighbors (zero for an island) by ``prominence``.

    Parameters
    ----------
    smooth : (ny, nx) `~numpy.ndarray`
        The smoothed image that was segmented.
    segmentation : `~photutils.segmentation.SegmentationImage`
        Its deblended sources.
    prominence : float
        Least height of a peak above the saddle.
    keep_islands : bool
        Whether to keep faint islands, which touch no other source, instead of dropping them.

    Returns
    -------
    `~photutils.segmentation.SegmentationImage` or None
        None where no source is left.
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
        winner = 0
        if ring.any():
            winner = labels[around][highest]
        labels[around][own] = winner
        if winner:
            boxes[winner - 1] = _union(boxes[winner - 1], box)
    if not labels.any():
        return None
    return SegmentationImage(labels)


def _union(first, second):
    """Return the smallest box around two boxes."""
    pairs = zip(first, second, strict=True)
    return tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in pairs)


def smooth_image(data, bad, *, sigma=_SMOOTHING):
    """Smooth an image by a Gaussian, without its bad pixels.

    Parameters
    ----------
    data : (ny, nx) `~numpy.ndarray`
        The image.
    bad : (ny, nx) bool `~numpy.ndarray`
        Pixels to leave out.
    sigma : float
        Standard deviation of the Gaussian in pixels.

    Returns
    -------
    (ny, nx) `~numpy.ndarray`
        0 where there are no good pixels around.
    """
    weight = ndimage.gaussian_filter((~bad).astype(float), sigma, mode="constant")
    smooth = ndimage.gaussian_filter(np.where(bad, 0.0, data), sigma, mode="constant")
    return np.divide(smooth, weight, out=np.zeros_like(smooth), where=weight > 1e-6)


def centroid(segmented, shape):
    """Return the position (x, y) of the source in the middle.

    Parameters
    ----------
    segmented : Segmentation or None
        The segmented image.
    shape : (int, int)
        Pixels of the image along y and x.

    Returns
    -------
    x, y : float
        The windowed centroid, else the centroid, else the geometric middle.
    """
    middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    if segmented is None:
        return middle
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        source = segmented.catalog()
        for position in (source.centroid_win, source.centroid):
            x, y = np.ravel(position)
            if 0 <= x <= shape[1] - 1 and 0 <= y <= shape[0] - 1:
                return float(x), float(y)
    return middle
