"""Large galaxies first: what deblending has split off from them stays only if it stands out.

Arms, knots and bars of a large galaxy have peaks of their own, and so have small galaxies and stars
in front of it. Surveys detect large galaxies in a pass of their own, with a high threshold and
little deblending, and all else in a second one (cold and hot; GALAPAGOS, Barden et al. 2012, MNRAS
422, 449). Here the first pass finds what is bright and large once all that is as small as the PSF
is removed (by an opening, Serra 1982), so that neither knots nor stars count. The median light on
ellipses around each of these galaxies, the largest first, is subtracted, and a part that the second
pass has deblended is a source if its peak exceeds what is left by several times the scatter on its
ellipse: a galaxy that has structure all around hides what would stand out of a smooth one.

Photutils deblends, but compares parts with the light of the whole blend, not with that around them,
and its isophotes need seconds for a galaxy; so the ellipses here are those of the second moments.
"""

from dataclasses import dataclass

import numpy as np
from astropy.stats import mad_std
from scipy import ndimage

__all__ = ["join_large"]

# A large galaxy is this bright, in units of the noise of the image that shows the parts of blends,
# over this many squared FWHM of the filter, at least, a share of it in its brightest part.
_BRIGHT = 5.0
_AREA = 80.0
_SHARE = 0.3
# Side of the squares that light has to fill to be large, in FWHM.
_FILLED = 2.0
# Ellipses reach this far, in semi-major axes of two standard deviations; their distance in FWHM;
# and the number of zones in which the scatter is measured, with this many pixels at least.
_REACH = 2.5
_STEP = 0.5
_ZONES = 5
_FEWEST = 20
# Peak of a part that is a source in units of the scatter. 6.2 false sources are then left of each
# galaxy with knots (12.7 without, SExtractor 5.7), 0.2 of others (0.3, and 0.6), and 117 of 147
# sources in front are found (123, and 106): benchmarks.large_galaxies --seed 100 -n 6.
_STANDING = 6.0
# Rounds in which galaxies and sources are separated.
_ROUNDS = 3
# What is left, in units of the noise, where the pixels of a source are not those of the galaxy.
_LITTLE = 1.5


def join_large(pieces, islands, fine, fwhm):
    """Join the parts of large galaxies.

    Parameters
    ----------
    pieces : 2-D int `~numpy.ndarray`
        Number of the part that a pixel belongs to, 0 for none.
    islands : 2-D int `~numpy.ndarray`
        Number of its connected region of light.
    fine : 2-D `~numpy.ndarray`
        Image in which the parts were deblended, in units of its noise, 1 at least.
    fwhm : float
        FWHM of the filter of the detection, in pixels.

    Returns
    -------
    2-D int `~numpy.ndarray`
        Number of the source that a pixel belongs to; islands that are not large are as they were.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.large import join_large
    >>> y, x = np.mgrid[:90, :90] - 45
    >>> fine = 1 + 60 * np.exp(-np.hypot(x, y) / 20) * (1 + 0.5 * np.cos(6 * np.arctan2(y, x)))
    >>> pieces = np.where(x > 12, 2, 1)
    >>> np.unique(join_large(pieces, np.ones_like(pieces), fine, 3.0))
    array([1])
    """
    joined = pieces.copy()
    least = _AREA * fwhm**2
    for number, box in enumerate(ndimage.find_objects(islands), 1):
        if box is None:
            continue
        own = islands[box] == number
        if np.count_nonzero(own) >= least:
            parts = np.where(own, pieces[box], 0)
            if len(np.unique(parts[parts > 0])) > 1:
                joined[box][own] = _Island(own, parts, fine[box], fwhm).joined()[own]
    return joined


@dataclass(frozen=True, eq=False)
class _Ellipses:
    """What is left of an island without the light on ellipses around a galaxy."""

    radius: np.ndarray
    reach: float
    light: np.ndarray
    scatter: np.ndarray
    left: np.ndarray


class _Island:
    """A connected region of light with several parts."""

    def __init__(self, own, parts, fine, fwhm):
        self._own = own
        self._parts = parts
        self._fine = fine
        self._fwhm = fwhm
        side = 2 * round(_FILLED * fwhm / 2) + 1
        self._opened = ndimage.grey_opening(np.where(own, fine, 0.0), size=(side, side))
        self._labels = np.unique(parts[parts > 0])
        self._flux = ndimage.sum_labels(self._opened, parts, self._labels)
        peaks = ndimage.maximum_position(fine, parts, self._labels)
        self._peaks = tuple(np.array(peaks, dtype=int).T)

    def joined(self):
        """Return the parts, those of large galaxies joined."""
        bright = self._opened > _BRIGHT
        area = ndimage.sum_labels(bright, self._parts, self._labels)
        for number in np.argsort(-self._flux, kind="stable"):
            is_left = (self._parts == self._labels[number]).any()
            if is_left and area[number] >= _SHARE * _AREA * self._fwhm**2:
                self._join(number, bright)
        return self._parts

    def _join(self, number, bright):
        """Join the parts of one galaxy, and give it the pixels that are not those of others."""
        host = self._labels[number]
        own = self._parts == host
        # the brightest pixel of the light that is large
        place = np.where(own, self._opened + 1e-3 * self._fine, -np.inf)
        center = np.unravel_index(np.argmax(place), place.shape)
        others = np.zeros_like(own)
        for _ in range(_ROUNDS):
            around = self._around(center, own & ~others, others)
            zone = self._own & (around.radius < around.reach)
            if np.count_nonzero(zone & bright) < _AREA * self._fwhm**2:
                return
            stays = self._stays(number, around)
            brighter = self._flux > self._flux[number]
            others = np.isin(self._parts, self._labels[stays]) & (around.left > _LITTLE)
            others |= np.isin(self._parts, self._labels[brighter])
            own = np.isin(self._parts, self._labels[~stays])
        dark = zone & (around.left < _LITTLE) & (around.light > 1)
        dark &= np.isin(self._parts, self._labels[stays & ~brighter])
        self._parts[own | dark] = host

    def _stays(self, number, around):
        """Which parts are not of the galaxy."""
        left = around.left[self._peaks] / around.scatter[self._peaks]
        stays = (left >= _STANDING) | (around.radius[self._peaks] > around.reach)
        stays |= self._flux > self._flux[number]
        stays[number] = False
        return stays

    def _around(self, center, own, others):
        """Subtract the light on ellipses around a galaxy of some pixels; others do not count."""
        shape, axis = _ellipse(np.where(own, self._opened, 0.0))
        y, x = np.ogrid[: own.shape[0], : own.shape[1]]
        dy = y - center[0]
        dx = x - center[1]
        squared = shape[0, 0] * dy**2 + 2 * shape[0, 1] * dy * dx + shape[1, 1] * dx**2
        radius = np.sqrt(np.maximum(squared, 0))
        reach = _REACH * axis
        usable = self._own & ~others
        light = _light_on(radius, self._fine, usable, _STEP * self._fwhm, reach)
        left = self._fine - light
        scatter = _scatter_on(radius, left, usable & (radius < reach), reach)
        return _Ellipses(radius, reach, light, scatter, left)


def _ellipse(weight):
    """The matrix of an ellipse whose form is a radius along the major axis, and two sigma of it."""
    y, x = np.nonzero(weight)
    covariance = np.cov(y, x, aweights=weight[y, x], ddof=0) + 0.1 * np.eye(2)
    largest = np.linalg.eigvalsh(covariance)[-1]
    return largest * np.linalg.inv(covariance), 2 * np.sqrt(largest)


def _light_on(radius, image, usable, step, reach):
    """Median on ellipses, which does not rise outward, at each pixel; 0 beyond the last."""
    n = int(reach / step) + 1
    rings = np.where(usable, np.minimum((radius / step).astype(int), n), n)
    order = np.argsort(rings, axis=None, kind="stable")
    values = image.ravel()[order]
    ends = np.searchsorted(rings.ravel()[order], np.arange(n + 1))
    light = np.zeros(n)
    for number in range(n):
        inside = values[ends[number] : ends[number + 1]]
        if len(inside):
            light[number] = np.median(inside)
    light = np.minimum.accumulate(light)
    middles = step * (np.arange(n) + 0.5)
    middles[0] = 0.0
    return np.interp(radius, middles, light, right=0.0)


def _scatter_on(radius, left, usable, reach):
    """Scatter on ellipses at each pixel, that of the noise at least."""
    edges = np.linspace(0, reach, _ZONES + 1)
    scatter = np.ones(_ZONES)
    for number in range(_ZONES):
        inside = usable & (radius >= edges[number]) & (radius < edges[number + 1])
        if np.count_nonzero(inside) >= _FEWEST:
            scatter[number] = max(mad_std(left[inside]), 1.0)
        elif number:
            scatter[number] = scatter[number - 1]
    return np.interp(radius, (edges[1:] + edges[:-1]) / 2, scatter)
