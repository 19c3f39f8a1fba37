"""Numbers of a galaxy's image that need no profile: sizes, concentration, asymmetry and others.

Definitions are those of statmorph (Rodriguez-Gomez et al. 2019, MNRAS 483, 4140), which follow
Conselice (2003, ApJS 147, 1) and Lotz et al. (2004, AJ 128, 163). Expectations of the noise come
from the noise map and its correlation, in place of an empty part of the image.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter, label, uniform_filter
from scipy.optimize import minimize
from scipy.special import erf

__all__ = ["GalaxyImage", "curve_of_growth", "gini", "petrosian_radius", "second_moment"]

# Surface brightness at the Petrosian radius, relative to the mean within it.
_ETA = 0.2
# Petrosian radii within which light counts, and that images are smoothed over.
_EXTENT = 1.5
_SMOOTHING = 0.25
_GINI_SMOOTHING = 0.2
# Step of the radii of a curve of growth, in pixels.
_STEP = 0.5
# Share of the light in the brightest pixels that M20 is of.
_BRIGHTEST = 0.2
# Precision of the center of symmetry, in pixels, and how far it is looked for.
_PRECISION = 0.01
_FARTHEST = 3.0


def curve_of_growth(image, center, radii, *, q=1.0, theta=0.0):
    """Sum an image within ellipses.

    Parameters
    ----------
    image : (ny, nx) `~numpy.ndarray`
        The image.
    center : (float, float)
        x and y of the middle of the ellipses, in pixels.
    radii : (R,) `~numpy.ndarray`
        Their semi-major axes, in pixels.
    q : float, optional
        Their axis ratio.
    theta : float, optional
        Angle of their major axis, counter-clockwise from +x, in radians.

    Returns
    -------
    (R,) `~numpy.ndarray`
        Pixels on the edge of an ellipse count by about the share that is inside.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.nonparametric import curve_of_growth
    >>> curve_of_growth(np.ones((41, 41)), (20.0, 20.0), np.array([10.0])).round()
    array([315.])
    """
    radius, slope = _radius(image.shape, center, q, theta)
    order = np.argsort(radius, axis=None)
    radius = radius.ravel()[order]
    half = 0.5 * slope.ravel()[order]
    values = image.ravel()[order]
    total = np.concatenate([[0.0], np.cumsum(values)])
    reach = half.max()
    sums = np.empty(len(radii))
    for number, edge in enumerate(radii):
        first, last = np.searchsorted(radius, [edge - reach, edge + reach])
        near = slice(first, last)
        inside = np.clip((edge - radius[near]) / (2 * half[near]) + 0.5, 0, 1)
        sums[number] = total[first] + inside @ values[near]
    return sums


def _radius(shape, center, q, theta):
    """Semi-major axis of the ellipse through each pixel, and its change from pixel to pixel."""
    y, x = np.indices(shape, dtype=float)
    x -= center[0]
    y -= center[1]
    along = x * np.cos(theta) + y * np.sin(theta)
    across = (y * np.cos(theta) - x * np.sin(theta)) / q
    radius = np.hypot(along, across)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.hypot(along, across / q) / radius
    return radius, np.where(radius > 0, slope, 1 / np.sqrt(q))


def petrosian_radius(image, center, *, q=1.0, theta=0.0):
    """Return the radius at which the surface brightness is a fifth of the mean within it.

    Parameters
    ----------
    image, center, q, theta
        As in `curve_of_growth`.

    Returns
    -------
    float
        Semi-major axis in pixels; NaN if the image ends before.
    """
    largest = _largest_ellipse(image.shape, center, q, theta)
    radii = np.arange(_STEP, largest + _STEP / 2, _STEP)
    sums = curve_of_growth(image, center, radii, q=q, theta=theta)
    area = np.pi * q * radii**2
    width = 2  # steps on both sides
    here = slice(width, -width)
    ring = sums[2 * width :] - sums[: -2 * width]
    local = ring / (area[2 * width :] - area[: -2 * width])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = local / (sums[here] / area[here])
    below = np.flatnonzero(~(ratio >= _ETA))
    if not len(below) or below[0] == 0:
        return np.nan
    last = below[0]
    low, high = ratio[last - 1], ratio[last]
    step = (low - _ETA) / (low - high)
    return float(radii[here][last - 1] + step * _STEP)


def _largest_ellipse(shape, center, q, theta):
    """Semi-major axis of the largest ellipse that is within an image."""
    distances = []
    for place, length in zip(center, shape[::-1], strict=True):
        distances.append(min(place + 0.5, length - 0.5 - place))
    extents = [np.hypot(np.cos(theta), q * np.sin(theta))]
    extents.append(np.hypot(np.sin(theta), q * np.cos(theta)))
    return min(distances[0] / extents[0], distances[1] / extents[1])


def gini(values):
    """Return the Gini coefficient of the absolute values of pixels, from 0 (all alike) to 1.

    Parameters
    ----------
    values : (n,) `~numpy.ndarray`
        Fluxes of the pixels of a galaxy.

    Returns
    -------
    float
        NaN of less than two pixels, or without light.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.nonparametric import gini
    >>> gini(np.array([0.0, 0.0, 0.0, 5.0])), gini(np.ones(10))
    (1.0, 0.0)
    """
    values = np.sort(np.abs(values))
    n = len(values)
    if n < 2 or values[-1] == 0:
        return np.nan
    ranks = 2 * np.arange(1, n + 1) - n - 1
    return float(ranks @ values / (values.mean() * n * (n - 1)))


def second_moment(image, inside):
    """Return M20, the logarithm of the share of the second moment in the brightest pixels.

    Parameters
    ----------
    image : (ny, nx) `~numpy.ndarray`
        The image.
    inside : (ny, nx) bool `~numpy.ndarray`
        Pixels of the galaxy.

    Returns
    -------
    float
        Of the brightest pixels that together have a fifth of the light, about the center that makes
        the moment smallest. NaN without light.
    """
    y, x = np.nonzero(inside)
    flux = image[y, x]
    light = flux.sum()
    if not light > 0:
        return np.nan
    moments = flux * ((x - flux @ x / light) ** 2 + (y - flux @ y / light) ** 2)
    order = np.argsort(flux)[::-1]
    brightest = np.cumsum(flux[order]) <= _BRIGHTEST * light
    brightest[0] = True
    share = moments[order][brightest].sum() / moments.sum()
    return float(np.log10(share)) if share > 0 else np.nan


@dataclass(frozen=True, eq=False)
class GalaxyImage:
    """The image of one galaxy, and what is known of its noise.

    Attributes
    ----------
    image : (ny, nx) `~numpy.ndarray`
        Its light, without sky; that of a model where pixels are missing.
    sigma : (ny, nx) `~numpy.ndarray`
        Standard deviation of the noise, 0 where there is none, as where pixels are missing.
    center : (float, float)
        x and y of its middle, in pixels.
    ellipse : (float, float)
        Axis ratio, and angle of the major axis in radians.
    correlation : (K, K) `~numpy.ndarray`, optional
        Correlation of the noise of pixels; by default, it is white.
    """

    image: np.ndarray
    sigma: np.ndarray
    center: tuple
    ellipse: tuple
    correlation: np.ndarray = None

    @cached_property
    def petrosian(self):
        """Petrosian radii of an ellipse and of a circle, in pixels."""
        q, theta = self.ellipse
        ellipse = petrosian_radius(self.image, self.center, q=q, theta=theta)
        return ellipse, petrosian_radius(self.image, self.center)

    @cached_property
    def symmetry(self):
        """Center about which half a turn changes the image least, x and y."""
        reach = _EXTENT * self.petrosian[1] + 2 * _FARTHEST
        corner = np.maximum(np.floor(np.array(self.center) - reach).astype(int), 0)
        end = np.ceil(np.array(self.center) + reach).astype(int) + 1
        image = self.image[corner[1] : end[1], corner[0] : end[0]]
        start = np.array(self.center) - corner
        y, x = np.indices(image.shape, dtype=float)

        def change(moved):
            middle = start + np.clip(moved, -_FARTHEST, _FARTHEST)
            distance2 = (x - middle[0]) ** 2 + (y - middle[1]) ** 2
            inside = distance2 <= (_EXTENT * self.petrosian[1]) ** 2
            difference = np.abs(image - _turned(image, middle))
            return difference[inside].sum() / np.abs(image[inside]).sum()

        steps = np.array([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]])
        options = {"initial_simplex": steps, "xatol": _PRECISION, "fatol": 1e-5, "maxfev": 60}
        moved = minimize(change, np.zeros(2), method="Nelder-Mead", options=options).x
        return tuple(np.array(self.center) + np.clip(moved, -_FARTHEST, _FARTHEST))

    @cached_property
    def aperture(self):
        """Pixels within 1.5 Petrosian radii of the center of symmetry, (ny, nx) bool."""
        return self._circle(self.symmetry)

    def _circle(self, center):
        """Pixels within 1.5 Petrosian radii of a center."""
        y, x = np.indices(self.image.shape, dtype=float)
        return np.hypot(x - center[0], y - center[1]) <= _EXTENT * self.petrosian[1]

    @cached_property
    def radii(self):
        """Radii of circles with 20, 50 and 80 % of the light within 1.5 Petrosian radii."""
        edge = _EXTENT * self.petrosian[1]
        radii = np.append(np.arange(0.0, edge, _STEP), edge)
        sums = curve_of_growth(self.image, self.symmetry, radii)
        sums = np.maximum.accumulate(sums) + 1e-12 * radii  # which noise may make fall
        return np.interp(np.array([0.2, 0.5, 0.8]) * sums[-1], sums, radii)

    def asymmetry(self, light=None):
        """Compare the image with itself after half a turn.

        Parameters
        ----------
        light : float, optional
            Light that the difference is relative to, by default that of the image.

        Returns
        -------
        asymmetry, error : float
            Sum of the absolute differences over that of the light, without what noise adds to it.
        squared, squared_error : float
            Sum of the squared differences over that of the squared light, both without noise.
        """
        turned = _turned(self.image, self.symmetry)
        spread = _turned(self.sigma**2, self.symmetry) * _of_interpolation(
            self.symmetry, self.correlation
        )
        inside = self.aperture
        image = self.image[inside]
        difference = image - turned[inside]
        variance = self.sigma[inside] ** 2 + spread[inside]
        light = np.abs(image).sum() if light is None else light
        noise = np.sqrt(2 / np.pi * variance)
        found = (np.abs(difference).sum() - noise.sum()) / light
        true2 = np.maximum(difference**2 - variance, 0)
        # each pair of pixels counts twice
        error = np.sqrt(2 * self._extent() * _variance_of_absolute(true2, variance).sum()) / light
        light2 = np.sum(image**2) - np.sum(self.sigma[inside] ** 2)
        squared = np.sum(difference**2 - variance) / light2
        of_squares = 2 * self._extent(2) * np.sum(2 * variance**2)
        of_squares += 2 * self._extent() * np.sum(4 * true2 * variance)
        return found, error, squared, np.sqrt(of_squares) / light2

    def _extent(self, power=1):
        """Sum of a power of the correlation of the noise: pixels that one value is common to."""
        if self.correlation is None:
            return 1.0
        return max(float(np.sum(self.correlation**power)), 1.0)

    def smoothness(self):
        """Return the share of the light in structure that smoothing removes, without noise."""
        radius = self.petrosian[1]
        side = _odd_side(_SMOOTHING * radius)
        inside = self.aperture
        y, x = np.indices(self.image.shape, dtype=float)
        distance = np.hypot(x - self.symmetry[0], y - self.symmetry[1])
        ring = inside & (distance >= _SMOOTHING * radius)
        rest = (self.image - uniform_filter(self.image, side))[ring]
        noise = self.sigma[ring] * np.sqrt(_left_by_smoothing(side, self.correlation))
        light = np.abs(self.image[inside]).sum()
        return float((np.maximum(rest, 0).sum() - noise.sum() / np.sqrt(2 * np.pi)) / light)

    @cached_property
    def pixels(self):
        """Pixels as bright as those at the Petrosian radius, in one piece, (ny, nx) bool."""
        radius = self.petrosian[0]
        smooth = gaussian_filter(self.image, _GINI_SMOOTHING * radius)
        q, theta = self.ellipse
        distance, _ = _radius(self.image.shape, self.symmetry, q, theta)
        limit = smooth[np.abs(distance - radius) <= 1].mean()
        pieces, _ = label(smooth >= limit)
        x, y = np.clip(np.rint(self.symmetry).astype(int), 0, np.array(smooth.shape[::-1]) - 1)
        return (pieces == pieces[y, x]) & (pieces > 0)


def _turned(image, center):
    """Return an image after half a turn about a center; beyond its edge, it is 0.

    Between pixels it is interpolated linearly.
    """
    for axis, middle in ((0, center[1]), (1, center[0])):
        first = int(np.floor(2 * middle))
        share = 2 * middle - first
        here = _mirrored(image, first, axis)
        image = (1 - share) * here + share * _mirrored(image, first + 1, axis)
    return image


def _mirrored(image, first, axis):
    """Return an image in reverse order along an axis, from a pixel on, 0 where it has none."""
    length = image.shape[axis]
    image = np.moveaxis(image, axis, 0)
    mirrored = np.zeros_like(image)
    low = max(first - length + 1, 0)  # pixels of the image, and their places in the other one
    high = min(first, length - 1)
    if low <= high:
        mirrored[first - high : first - low + 1] = image[low : high + 1][::-1]
    return np.moveaxis(mirrored, 0, axis)


def _of_interpolation(center, correlation):
    """Return the variance of what is interpolated, of noise with a variance of 1."""
    right, up = np.mod(2 * np.array(center), 1)
    weights = {(0, 0): (1 - up) * (1 - right), (0, 1): (1 - up) * right}
    weights |= {(1, 0): up * (1 - right), (1, 1): up * right}
    total = 0.0
    for (y, x), weight in weights.items():
        for (other_y, other_x), other in weights.items():
            total += weight * other * _correlation_at(correlation, y - other_y, x - other_x)
    return total


def _correlation_at(correlation, dy, dx):
    """Return the correlation of the noise of two pixels."""
    if correlation is None:
        return float(dy == 0 and dx == 0)
    middle = len(correlation) // 2
    if max(abs(dy), abs(dx)) > middle:
        return 0.0
    return float(correlation[middle + dy, middle + dx])


def _odd_side(length):
    """Return the side of a box with a pixel in its middle, of which the mean differs from it."""
    return max(2 * round((length - 1) / 2) + 1, 3)


def _left_by_smoothing(side, correlation):
    """Return the variance of noise minus its mean in a box, of noise with a variance of 1."""
    first = -(side // 2)
    offsets = range(first, first + side)
    with_box = np.mean([[_correlation_at(correlation, y, x) for x in offsets] for y in offsets])
    of_box = 0.0
    for y in range(1 - side, side):
        for x in range(1 - side, side):
            pairs = (side - abs(y)) * (side - abs(x))
            of_box += pairs * _correlation_at(correlation, y, x)
    return max(1 - 2 * with_box + of_box / side**4, 0.0)


def _variance_of_absolute(true2, variance):
    """Return the variance of the absolute value of a number with noise."""
    sigma = np.sqrt(variance)
    true = np.sqrt(true2)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(sigma > 0, true / sigma, np.inf)
    mean = sigma * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + true * erf(ratio / np.sqrt(2))
    return np.maximum(true2 + variance - mean**2, 0)
