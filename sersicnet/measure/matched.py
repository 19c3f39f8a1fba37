"""The filter that makes sources stand out, and how often noise alone does."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.special import ndtr

from sersicnet._caller import warn_caller
from sersicnet.inference.assumptions import known_correlation
from sersicnet.measure.image_psf import stamps_at
from sersicnet.measure.noise import CorrelationMap
from sersicnet.measure.option_values import LARGEST_KERNEL
from sersicnet.model.psf import collect_psfs
from sersicnet.preprocessing.segmentation import FWHM_OF_SIGMA, smooth_image

__all__ = ["MatchedFilter", "describe_detection", "filter_of"]

# FWHM in pixels of the smallest filter: images of narrower PSFs have galaxies that are larger.
_LEAST_FWHM = 3.0
# FWHM of the filter that shows the parts of a blend, in that of the filter of the detection.
_FINER = 0.7
# Sources that noise makes in a pixel above which there is a warning.
_MANY_FALSE = 1e-4
# Reach of a Gaussian in sigma, as SciPy cuts it.
_REACH = 4.0


@dataclass(frozen=True, eq=False)
class MatchedFilter:
    """A Gaussian that smooths images before sources are detected in them.

    Attributes
    ----------
    fwhm : float
        FWHM of the Gaussian in pixels.
    correlation : `~sersicnet.measure.noise.CorrelationMap`, optional
        Correlation of the noise of the image; by default it is white.
    """

    fwhm: float
    correlation: CorrelationMap | None = None

    @property
    def finer(self):
        """The filter for the parts of blends."""
        return MatchedFilter(_FINER * self.fwhm, self.correlation)

    def significance(self, window):
        """Return the filtered image of a window in units of its own noise at each place.

        Parameters
        ----------
        window : `~sersicnet.measure.windows.Window`
            The pixels.

        Returns
        -------
        (ny, nx) `~numpy.ndarray`
            That of `apply`, lower beside bad pixels and edges: the mean of fewer pixels has more
            noise, which would be sources along the gaps of an image.
        """
        sigma = self.fwhm / FWHM_OF_SIGMA
        good = np.where(window.bad, 0.0, 1.0)
        weight = ndimage.gaussian_filter(good, sigma, mode="constant")
        # the square of the Gaussian is one of sigma / sqrt(2)
        square = ndimage.gaussian_filter(good, sigma / np.sqrt(2), mode="constant")
        more = np.divide(np.sqrt(square), weight, out=np.ones_like(weight), where=weight > 1e-6)
        return self.apply(window) / np.maximum(more, 1)

    def apply(self, window):
        """Filter a window.

        Parameters
        ----------
        window : `~sersicnet.measure.windows.Window`
            The pixels.

        Returns
        -------
        (ny, nx) `~numpy.ndarray`
            The filtered image in units of its noise where all pixels are good. Bad pixels are
            bridged: else they would break a source into two.
        """
        snr = np.zeros_like(window.data)
        np.divide(window.data, window.noise, out=snr, where=~window.bad)
        smooth = smooth_image(snr, window.bad, sigma=self.fwhm / FWHM_OF_SIGMA)
        smooth /= self.noise_in(window.box)
        return smooth

    def noise(self, correlation=None):
        """Return the noise of the filtered image, in units of that of a pixel.

        Parameters
        ----------
        correlation : (K, K) `~numpy.ndarray`, optional
            Correlation of the noise of two pixels at each distance; by default it is white.

        Returns
        -------
        float
        """
        return float(np.sqrt(self._covariance(correlation)[0]))

    @property
    def curvature(self):
        """Root of the determinant of the curvature of filtered noise, per squared pixel."""
        whole = None
        if self.correlation is not None:
            whole = self.correlation.whole.values
        variance, along_y, along_x = self._covariance(whole)
        return float(2 * np.sqrt((1 - along_y / variance) * (1 - along_x / variance)))

    def false_sources(self, threshold, n_pixels, n_all):
        """Return the number of sources that noise alone is expected to make in an image.

        It is that of the peaks of a Gaussian random field above a high threshold (Adler 1981, The
        Geometry of Random Fields), whose areas are distributed exponentially (Friston et al. 1994,
        Human Brain Mapping 1, 210).

        Parameters
        ----------
        threshold : float
            Threshold of the detection, in units of the noise of the filtered image.
        n_pixels : int
            Fewest connected pixels of a source.
        n_all : int
            Pixels of the image.

        Returns
        -------
        float
        """
        peaks = self.curvature * threshold * np.exp(-(threshold**2) / 2) / (2 * np.pi) ** 1.5
        if peaks == 0:
            return 0.0
        area = ndtr(-threshold) / peaks
        return float(n_all * peaks * np.exp(-n_pixels / area))

    def noise_in(self, box):
        """Return the noise of the filtered image in a part of it, in units of that of a pixel.

        Parameters
        ----------
        box : pair of slices
            The part.

        Returns
        -------
        (ny, nx) `~numpy.ndarray` or float
            One number where it is the same at all places.
        """
        if self.correlation is None:
            return self.noise()
        if not self.correlation.parts:
            return self.noise(self.correlation.whole.values)
        levels = np.array([self.noise(part.values) for part in self.correlation.parts])
        return levels[self.correlation.nearest_in(box)]

    def _covariance(self, correlation):
        """Variance of filtered noise, and the covariances of next neighbors along y and x."""
        if correlation is None:
            correlation = np.ones((1, 1))
        sigma = self.fwhm / FWHM_OF_SIGMA
        wide = np.pad(correlation, 2 * int(np.ceil(_REACH * sigma)) + 1)
        for _ in range(2):  # the image is filtered once, so that its covariance is twice
            wide = ndimage.gaussian_filter(wide, sigma, mode="constant", truncate=_REACH)
        middle = len(wide) // 2
        return wide[middle, middle], wide[middle + 1, middle], wide[middle, middle + 1]


def filter_of(measurement, sky):
    """Return the filter of an image.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky and noise.

    Returns
    -------
    MatchedFilter
        As wide as the options say, else as the PSF, from 3 to 10 pixels; 3 without a PSF.
    """
    correlation = sky.correlation
    if correlation is None:
        known = known_correlation(measurement.options.noise_correlation)
        if known is not None:
            correlation = CorrelationMap(known, np.zeros((0, 2)), ())
    fwhm = measurement.options.kernel_fwhm
    if fwhm is None:
        fwhm = _width_of_psf(measurement)
    return MatchedFilter(fwhm, correlation)


def _width_of_psf(measurement):
    """The FWHM of the filter that the PSF asks for, to a hundredth of a pixel."""
    if measurement.psf is None:
        return _LEAST_FWHM
    stamps = stamps_at(measurement.psf, measurement.field.data.shape)
    widths = collect_psfs(stamps, oversampling=measurement.psf.oversampling).fwhm()
    if not len(widths):
        return _LEAST_FWHM
    return float(np.clip(np.round(np.median(widths), 2), _LEAST_FWHM, LARGEST_KERNEL))


def describe_detection(measurement, sky, matched=None):
    """Describe for ``meta`` how sources were detected, and how many of them noise made.

    Parameters
    ----------
    measurement, sky
        As in `filter_of`.
    matched : MatchedFilter or `~sersicnet.measure.combined.CombinedFilter`, optional
        The filter, by default that of the image.

    Returns
    -------
    dict
        ``KERNFWHM`` (FWHM of the filter in pixels) and ``NFALSE``, the number of sources that the
        noise of the whole image is expected to make. Nothing where the user says what the sources
        are.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there is more than one of these in 10,000 pixels.
    """
    if measurement.field.segments is not None:
        return {}
    if measurement.detector is not None:
        return measurement.detector.describe(measurement)
    matched = matched or filter_of(measurement, sky)
    options = measurement.options
    n_pixels = int(np.prod(measurement.field.data.shape))
    n_false = matched.false_sources(options.threshold, options.n_pixels, n_pixels)
    if n_false > _MANY_FALSE * n_pixels:
        msg = (
            f"threshold={options.threshold:g}: noise alone is expected to make a source in each "
            f"{n_pixels / n_false:.2g} pixels; the threshold is in units of the noise of the "
            "filtered image, and 4.5 by default"
        )
        warn_caller(msg)
    return {"KERNFWHM": matched.fwhm, "NFALSE": float(f"{n_false:.2g}")}
