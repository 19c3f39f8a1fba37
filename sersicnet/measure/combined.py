"""Detection in several images of one grid together, by the sum of the squares of their S/N."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import comb, gamma, gammaincc, ndtri

from sersicnet.measure.detection import find_sources
from sersicnet.measure.detector import LEAST_REACH
from sersicnet.measure.matched import filter_of
from sersicnet.measure.tiles import Measurement
from sersicnet.measure.windows import Window

__all__ = ["CombinedFilter", "CombinedMeasurement", "equivalent_sigma"]

# Largest S/N that is converted by its probability, as those of larger ones underflow, and the step
# of the table of the conversion.
_MOST = 35.0
_STEP = 0.05


@dataclass(frozen=True, eq=False)
class CombinedWindow(Window):
    """The same part of several images: the first, and those of the others.

    Attributes
    ----------
    others : tuple of `~sersicnet.measure.windows.Window`
        The others.
    """

    others: tuple = ()


@dataclass(frozen=True, eq=False)
class CombinedFilter:
    """The filters of several images, of which the sum of the squares shows sources.

    Negative values do not count (Szalay, Connolly & Szokoly 1999, AJ 117, 68, sum all squares).
    The sum is given as the standard deviations that one image would have by chance as often.

    Attributes
    ----------
    filters : tuple of `~sersicnet.measure.matched.MatchedFilter`
        Filter of each image, that of the first window first.
    """

    filters: tuple

    @property
    def fwhm(self):
        """FWHM of the widest filter in pixels."""
        return max(one.fwhm for one in self.filters)

    @property
    def finer(self):
        """The filters for the parts of blends."""
        return CombinedFilter(tuple(one.finer for one in self.filters))

    def significance(self, window):
        """Return the filtered images together, as `MatchedFilter.significance`."""
        found = []
        for one, part in zip(self.filters, (window, *window.others), strict=True):
            found.append(np.where(part.gone, 0.0, one.significance(part)))
        return equivalent_sigma(found)

    def apply(self, window):
        """Return the filtered images together, as `MatchedFilter.apply`."""
        found = []
        for one, part in zip(self.filters, (window, *window.others), strict=True):
            found.append(np.where(part.gone, 0.0, one.apply(part)))
        return equivalent_sigma(found)

    def false_sources(self, threshold, n_pixels, n_all):
        """Return the number of sources that noise makes, as `MatchedFilter.false_sources`.

        Peaks are those of fields of chi square (Worsley 1994, Advances in Applied Probability 26,
        13), each number of bands with a positive value by its probability.
        """
        n_bands = len(self.filters)
        sums, sigmas = _table(n_bands)
        square = np.interp(threshold, sigmas, sums) ** 2
        peaks = 0.0
        for degrees in range(1, n_bands + 1):
            half = degrees / 2
            density = (square / 2) ** (half - 1) * np.exp(-square / 2) / gamma(half)
            chance = comb(n_bands, degrees) / 2**n_bands
            peaks += chance * density * max(square - degrees + 1, 0) / (2 * np.pi)
        peaks *= np.mean([one.curvature for one in self.filters])
        if peaks == 0:
            return 0.0
        area = _chance(square, n_bands) / peaks
        return float(n_all * peaks * np.exp(-n_pixels / area))


def equivalent_sigma(found):
    """Return the significance of several images together, in standard deviations.

    Parameters
    ----------
    found : sequence of (ny, nx) `~numpy.ndarray`
        Filtered images in units of their noise.

    Returns
    -------
    (ny, nx) `~numpy.ndarray`
        A Gaussian number exceeds it as often as noise exceeds the sum of the squares of the
        positive values.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.combined import equivalent_sigma
    >>> one = np.array([[4.5, 3.0]])
    >>> print(equivalent_sigma([one]).round(2), equivalent_sigma([one, -one]).round(2))
    [[4.5 3. ]] [[4.2  2.64]]
    """
    total = 0.0
    for one in found:
        total = total + np.maximum(np.nan_to_num(one), 0) ** 2
    root = np.sqrt(total)
    sums, sigmas = _table(len(found))
    return np.interp(root, sums, sigmas) + np.maximum(root - _MOST, 0)


def _table(n_bands):
    """Return roots of sums of squares, and the standard deviations that are as likely."""
    sums = np.arange(0, _MOST + _STEP / 2, _STEP)
    return sums, -ndtri(_chance(sums**2, n_bands))


def _chance(square, n_bands):
    """Return how often the sum of the squares of positive noise is larger."""
    chance = 0.0
    for degrees in range(1, n_bands + 1):
        chance = chance + comb(n_bands, degrees) / 2**n_bands * gammaincc(degrees / 2, square / 2)
    return chance


@dataclass(frozen=True, eq=False)
class CombinedMeasurement(Measurement):
    """A survey image whose sources are detected in others as well.

    Attributes
    ----------
    others : tuple of `~sersicnet.measure.band_cutouts.ImageBand`
        The other images, of the same pixels.
    own : `~sersicnet.measure.band_cutouts.ImageBand`
        This image.
    """

    others: tuple = ()
    own: object = None

    @cached_property
    def matched(self):
        """The filter of all images, a CombinedFilter."""
        filters = []
        for band in (self.own, *self.others):
            filters.append(filter_of(band.measurement, band.sky))
        return CombinedFilter(tuple(filters))

    def find_sources(self, tile, sky):
        """Detect the sources of a tile in all images."""
        return find_sources(
            self._read,
            tile,
            self.field.data.shape,
            self.options,
            self.matched,
            positions=self.positions,
            is_wanted=self.field.is_wanted,
            reach=max(self.options.tile_size, LEAST_REACH),
        )

    def _read(self, box):
        """Read a part of all images."""
        window = self.own.read(box)
        others = tuple(band.read(box) for band in self.others)
        gone = window.gone
        for other in others:
            gone = gone & other.gone
        fields = vars(window) | {"gone": gone, "others": others}
        return CombinedWindow(**fields)
