"""Numbers of the sources of an image by flux."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = ["SourceCounts", "source_fluxes"]

# Pixels by which sources reach beyond what is above the threshold.
_OUTSKIRTS = 3
# Side of the square in which a peak is the highest pixel.
_PEAK = 5


@dataclass(frozen=True)
class SourceCounts:
    """Numbers of faint sources: N(> f) = density f^-slope on a pixel.

    Attributes
    ----------
    density : float
        Sources per pixel that are brighter than a flux of 1, in the unit of the image; 0 where
        there were too few to count.
    slope : float
        Slope of the numbers: 2.5 times that of the magnitudes.
    in_noise : float
        Flux, in units of the noise of a pixel, up to which sources are in the correlation of the
        noise already; 0 where that has none.
    n_counted : int
        Number of the sources that were counted.
    """

    density: float
    slope: float
    in_noise: float
    n_counted: int

    def describe(self):
        """Describe them for ``meta``: what was done, and the number of sources."""
        done = "added" if self.density > 0 else "too few sources"
        return {"HIDDEN": done, "NCOUNTED": self.n_counted}

    def in_stamp(self, noise_level, bins):
        """Return density, slope and faintest flux in the units of a stamp.

        Parameters
        ----------
        noise_level : float
            Unit of the stamp, in that of the image.
        bins : int
            Pixels of the image on a side of a pixel of the stamp.

        Returns
        -------
        density, slope, faintest : float

        Examples
        --------
        >>> from sersicnet.preprocessing.counts import SourceCounts
        >>> counts = SourceCounts(density=0.01, slope=1.0, in_noise=20.0, n_counted=100)
        >>> counts.in_stamp(10.0, 2)
        (0.004, 1.0, 10.0)
        """
        density = self.density * bins**2 * noise_level**-self.slope
        return density, self.slope, self.in_noise / bins


def source_fluxes(data, significance, *, threshold):
    """Measure the fluxes of the sources of an image, roughly: pixels belong to the nearest peak.

    Parameters
    ----------
    data : (ny, nx) `~numpy.ndarray`
        The image without the sky.
    significance : (ny, nx) `~numpy.ndarray`
        The filtered image, in units of its noise.
    threshold : float
        Significance from which on pixels belong to sources.

    Returns
    -------
    fluxes : (K,) `~numpy.ndarray`
    peaks : (2, K) int `~numpy.ndarray`
        y and x of the highest pixel of each source.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.counts import source_fluxes
    >>> data = np.zeros((20, 20))
    >>> data[5:8, 5:8] = 10.0
    >>> data[6, 6] = 20.0
    >>> source_fluxes(data, data, threshold=5.0)
    (array([100.]), array([[6],
           [6]]))
    """
    above = significance > threshold
    highest = ndimage.maximum_filter(significance, size=_PEAK)
    numbers, n_peaks = ndimage.label(above & (significance == highest), np.ones((3, 3)))
    if n_peaks == 0:
        return np.zeros(0), np.zeros((2, 0), dtype=int)
    nearest = ndimage.distance_transform_edt(
        numbers == 0, return_distances=False, return_indices=True
    )
    reach = ndimage.binary_dilation(above, iterations=_OUTSKIRTS)
    owner = np.where(reach, numbers[tuple(nearest)], 0)
    known = np.arange(1, n_peaks + 1)
    peaks = np.array(ndimage.maximum_position(significance, numbers, known)).T
    return ndimage.sum_labels(data, owner, known), peaks
