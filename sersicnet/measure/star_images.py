"""Images of stars behind a PSF on finer pixels, and the fit of flux and center to each star.

A PSF is on a square *canvas* of odd side, finer than the image by a whole number, with its star in
the middle. It is moved to the center of each star by the phases of its transform, and every n-th
pixel is taken: images are linear in the PSF, whose derivative is therefore the same in reverse.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2

__all__ = ["Canvas", "StarFits", "fit_stars"]

# Pixels of the image around the stamps that a canvas has at least.
_PAD = 4
# Rounds of the fit, and the farthest that a center may be from where it was first, in pixels.
_ROUNDS = 5
_FARTHEST = 1.5
# Standard deviation of the sky that is left around a star, in units of the noise.
_SKY = 0.03


@dataclass(frozen=True)
class Canvas:
    """The pixels of a PSF from which images of stars are made.

    Attributes
    ----------
    half : int
        Half of the side of the stamps of stars, in pixels.
    oversampling : int
        Pixels of the canvas on a side of a pixel of the image.
    """

    half: int
    oversampling: int

    @cached_property
    def reach(self):
        """Half of the side of the canvas, in pixels of the image: the next with fast transforms."""
        reach = self.half + _PAD
        while next_fast_len(2 * self.oversampling * reach + 1) > 2 * self.oversampling * reach + 1:
            reach += 1
        return reach

    @property
    def side(self):
        """Pixels on a side."""
        return 2 * self.oversampling * self.reach + 1

    @property
    def _pixels(self):
        first = self.oversampling * (self.reach - self.half)
        side = slice(first, self.side - first, self.oversampling)
        return (..., side, side)

    def radius(self):
        """Distance of the pixels of the canvas from its middle, in pixels of the image."""
        axis = (np.arange(self.side) - self.side // 2) / self.oversampling
        return np.hypot(axis[:, None], axis)

    def place(self, stamp):
        """Return a stamp of unit sum on the canvas, cut or padded around its middle pixel."""
        canvas = np.zeros((self.side, self.side))
        inner = []
        outer = []
        for n in stamp.shape:
            half = min(n // 2, self.side // 2)
            inner.append(slice(self.side // 2 - half, self.side // 2 + half + 1))
            outer.append(slice(n // 2 - half, n // 2 + half + 1))
        canvas[tuple(inner)] = stamp[tuple(outer)]
        return canvas

    def crop(self, canvas):
        """Return the stamp of unit sum that the stamps of stars show."""
        cut = self.oversampling * (self.reach - self.half)
        stamp = canvas[..., cut : self.side - cut, cut : self.side - cut]
        return stamp / stamp.sum(axis=(-2, -1), keepdims=True)

    def transform(self, canvas):
        """Return the transform of a PSF."""
        return rfft2(canvas)

    def phases(self, dx, dy):
        """Return the phases that move a PSF by pixels of the image, one for each star."""
        y, x = self._frequencies
        steps = dy[:, None, None] * y + dx[:, None, None] * x
        return np.exp(-2j * np.pi * steps)

    @cached_property
    def _frequencies(self):
        y = self.oversampling * np.fft.fftfreq(self.side)[:, None]
        x = self.oversampling * np.fft.rfftfreq(self.side)
        return y, x

    def images(self, transforms):
        """Return images of unit flux of PSFs that were moved."""
        whole = irfft2(transforms, s=(self.side, self.side))
        return self.oversampling**2 * whole[self._pixels]

    def back(self, images):
        """Return the transforms of what `images` is the sum of, for derivatives by the PSF."""
        whole = np.zeros((*images.shape[:-2], self.side, self.side))
        whole[self._pixels] = self.oversampling**2 * images
        return rfft2(whole)

    def slopes(self, transforms):
        """Return the derivatives of images by the center, along x and y."""
        y, x = self._frequencies
        along_x = self.images(-2j * np.pi * x * transforms)
        along_y = self.images(-2j * np.pi * y * transforms)
        return along_x, along_y


@dataclass(frozen=True, eq=False)
class StarFits:
    """A PSF as it fits N stars.

    Attributes
    ----------
    flux, sky, dx, dy : (N,) `~numpy.ndarray`
        Total flux, sky that is left, and center in pixels from the middle of the stamp.
    images : (N, K, K) `~numpy.ndarray`
        Images of the PSF at these places, of unit flux.
    residuals : (N, K, K) `~numpy.ndarray`
        Stars without PSF and sky, 0 where pixels are bad.
    weights : (N, K, K) `~numpy.ndarray`
        Inverse variances, 0 where pixels are bad.
    """

    flux: np.ndarray
    sky: np.ndarray
    dx: np.ndarray
    dy: np.ndarray
    images: np.ndarray
    residuals: np.ndarray
    weights: np.ndarray

    @property
    def snr(self):
        """S/N of each star."""
        signal = self.flux[:, None, None] * self.images
        return np.sqrt((self.weights * signal**2).sum(axis=(1, 2)))

    @property
    def n_free(self):
        """Degrees of freedom of each star."""
        return (self.weights > 0).sum(axis=(1, 2)) - 4

    @property
    def chi2(self):
        """chi2 of each star per degree of freedom."""
        return (self.weights * self.residuals**2).sum(axis=(1, 2)) / self.n_free

    @property
    def misfit(self):
        """Residuals beyond the noise relative to the star, weighted like its pixels."""
        return np.sqrt(np.clip(self.chi2 - 1, 0, None) * self.n_free) / self.snr


def fit_stars(stars, canvas, transforms, *, start=None, floor=0.0):
    """Fit flux and center of stars, and the sky around them, behind a PSF.

    Parameters
    ----------
    stars : `~sersicnet.measure.stars.Stars`
        The stars.
    canvas : Canvas
        Pixels of the PSF.
    transforms : (M, M') or (N, M, M') complex `~numpy.ndarray`
        Transform of the PSF, or that at each star.
    start : StarFits, optional
        Centers to start from, by default those of the stars.
    floor : float, optional
        Error of the PSF as a share of it in each pixel, in which the weight of bright stars ends.

    Returns
    -------
    StarFits
    """
    variance = stars.noise**2
    good = ~stars.bad
    half = stars.data.shape[-1] // 2
    first_x = np.asarray(stars.table["x"] - stars.first[:, 1] - half)
    first_y = np.asarray(stars.table["y"] - stars.first[:, 0] - half)
    flux = np.zeros(len(stars))
    dx, dy = first_x, first_y
    if start is not None:
        dx, dy, flux = start.dx, start.dy, start.flux
    sky_weight = 1 / (_SKY**2 * np.median(variance, axis=(1, 2)))
    for _ in range(_ROUNDS):
        moved = transforms * canvas.phases(dx, dy)
        images = canvas.images(moved)
        weights = good / (variance + (floor * flux[:, None, None] * images) ** 2)
        flux, sky = _linear(stars.data, images, weights, sky_weight)
        along_x, along_y = canvas.slopes(moved)
        residuals = stars.data - flux[:, None, None] * images - sky[:, None, None]
        step_x, step_y = _steps(residuals, flux, along_x, along_y, weights)
        dx = np.clip(dx + step_x, first_x - _FARTHEST, first_x + _FARTHEST)
        dy = np.clip(dy + step_y, first_y - _FARTHEST, first_y + _FARTHEST)
    images = canvas.images(transforms * canvas.phases(dx, dy))
    flux, sky = _linear(stars.data, images, weights, sky_weight)
    residuals = good * (stars.data - flux[:, None, None] * images - sky[:, None, None])
    return StarFits(flux, sky, dx, dy, images, residuals, weights)


def _linear(data, images, weights, sky_weight):
    """The best flux and sky."""
    pixels = (1, 2)
    a = (weights * images**2).sum(axis=pixels)
    b = (weights * images).sum(axis=pixels)
    c = weights.sum(axis=pixels) + sky_weight
    p = (weights * images * data).sum(axis=pixels)
    q = (weights * data).sum(axis=pixels)
    determinant = a * c - b**2
    return (c * p - b * q) / determinant, (a * q - b * p) / determinant


def _steps(residuals, flux, along_x, along_y, weights):
    """The steps of the center that reduce the residuals most, of at most half a pixel."""
    x = flux[:, None, None] * along_x
    y = flux[:, None, None] * along_y
    pixels = (1, 2)
    xx = (weights * x * x).sum(axis=pixels)
    yy = (weights * y * y).sum(axis=pixels)
    xy = (weights * x * y).sum(axis=pixels)
    p = (weights * x * residuals).sum(axis=pixels)
    q = (weights * y * residuals).sum(axis=pixels)
    determinant = np.where(xx * yy > xy**2, xx * yy - xy**2, np.inf)
    step_x = (yy * p - xy * q) / determinant
    step_y = (xx * q - xy * p) / determinant
    return np.clip(step_x, -0.5, 0.5), np.clip(step_y, -0.5, 0.5)
