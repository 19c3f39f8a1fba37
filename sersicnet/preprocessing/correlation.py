"""The correlation of the noise in an image, from pixels without sources."""

import numpy as np
from astropy.nddata import NDData
from astropy.stats import mad_std
from scipy import ndimage

from sersicnet._settings import check_positive
from sersicnet.preprocessing.noise import estimate_noise, has_noise, noise_map
from sersicnet.preprocessing.segmentation import segment

__all__ = ["measure_correlation"]

# Detection of the sources whose pixels do not show the noise: threshold, in units of the noise, and
# least number of pixels; their outskirts reach this many pixels further.
_THRESHOLD = 1.5
_LEAST_SOURCE = 5
_OUTSKIRTS = 6
# The mean over a square of this side is subtracted first, so that wings of galaxies are no noise.
_LOCAL = 17
# Pixels beyond this many standard deviations are no noise either.
_OUTLIER = 5.0
# Correlation of next neighbors below which noise is taken as independent: the square mean that is
# subtracted makes that of white noise negative by 0.004.
_LEAST_CORRELATION = 0.02


def measure_correlation(image, *, reach=4):
    """Measure the correlation of the noise of neighboring pixels, where there are no sources.

    Sources are detected and left out with their surroundings, and a local mean is subtracted.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`
        The image; its uncertainty, if any, scales the pixels to the same noise.
    reach : int, optional
        Largest distance of two pixels along x and along y, R.

    Returns
    -------
    (2 R + 1, 2 R + 1) `~numpy.ndarray` or None
        Correlation of two pixels with this distance along y and x, 1 in the middle. None where
        that of next neighbors is below 0.02, or below three times its error: the noise is then
        taken as independent.

    Raises
    ------
    TypeError, ValueError
        If ``image`` is not an NDData with one image, or ``reach`` is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import NDData
    >>> from scipy.ndimage import gaussian_filter
    >>> from sersicnet.preprocessing import measure_correlation
    >>> noise = np.random.default_rng(1).normal(size=(200, 200))
    >>> print(measure_correlation(NDData(noise)))
    None
    >>> correlation = measure_correlation(NDData(gaussian_filter(noise, 0.7)))
    >>> print(f"{correlation[4, 5]:.1f}")
    0.6
    """
    import torch  # prediction does not need this module, and to import torch takes long

    from sersicnet.model.noise import autocovariance

    check_positive("reach", reach)
    if not isinstance(image, NDData):
        msg = f"image must be an NDData, not {type(image).__name__}"
        raise TypeError(msg)
    if image.data.ndim != 2:
        msg = f"image has shape {image.data.shape}: one 2-D image is needed"
        raise ValueError(msg)
    pixels, empty = _pixels_without_sources(image)
    noise = torch.from_numpy(np.where(empty, pixels, 0.0))[None]
    covariance = autocovariance(noise, torch.from_numpy(empty)[None], reach=reach)[0].numpy()
    variance = covariance[reach, reach]
    if not variance > 0:
        return None
    correlation = covariance / variance
    neighbors = (correlation[reach, reach + 1] + correlation[reach + 1, reach]) / 2
    error = 1 / np.sqrt(2 * empty.sum())  # of white noise, along two directions
    if neighbors < max(_LEAST_CORRELATION, 3 * error):
        return None
    return correlation


def _pixels_without_sources(image):
    """Return pixels in units of the noise, less a local mean, and which show nothing else."""
    data = np.asarray(image.data, dtype=float)
    noise = np.full(data.shape, estimate_noise(image))
    if has_noise(image):
        noise = noise_map(image)
    empty = np.isfinite(data) & np.isfinite(noise) & (noise > 0)
    if image.mask is not None:
        empty &= ~np.asarray(image.mask, dtype=bool)
    segmented = segment(image, _THRESHOLD, _LEAST_SOURCE, contrast=1)
    if segmented is not None:
        around = np.ones((2 * _OUTSKIRTS + 1,) * 2, dtype=bool)
        empty &= ~ndimage.binary_dilation(segmented.segmentation.data > 0, around)
    pixels = np.divide(data, noise, out=np.zeros_like(data), where=empty)
    share = ndimage.uniform_filter(empty.astype(float), _LOCAL, mode="constant")
    mean = ndimage.uniform_filter(pixels, _LOCAL, mode="constant")
    pixels -= np.divide(mean, share, out=np.zeros_like(mean), where=empty)
    if empty.any():
        empty &= np.abs(pixels) < _OUTLIER * mad_std(pixels[empty])
    return pixels, empty
