"""The stars of a survey image: isolated, unsaturated points, found by a search of their own."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from astropy.stats import mad_std
from astropy.table import Table, vstack
from scipy import ndimage

from sersicnet.measure.sky import boxes_of
from sersicnet.measure.star_catalog import near_stars
from sersicnet.measure.star_sizes import measure_sizes, star_locus
from sersicnet.measure.windows import grown, read_window
from sersicnet.preprocessing.segmentation import FWHM_OF_SIGMA, smooth_image

__all__ = ["Stars", "find_stars"]

# Sigma in pixels of the Gaussian that smooths an image for this search.
_SMOOTHING = 3 / FWHM_OF_SIGMA
# S/N of smoothed peaks that are neighbors, and of those that may be stars; S/N of these as points.
_NEIGHBOR = 4.0
_BRIGHT = 20.0
_LEAST_SNR = 40.0
# Light above this multiple of the noise, smoothed, belongs to a source.
_EDGE = 2.0
# A peak is a neighbor if it exceeds the median at its distance from the source by this share of it.
_UNEVEN = 0.5
# A neighbor brighter than this share of a source is at least this many FWHM from a star.
_SHARE = 0.03
_APART = 2.5
# Pixels without which a source is no star, in pixels from its peak.
_CORE = 3
# Half of the side of the stamps in which sources are compared, in pixels.
_HALF = 15
# Largest share of the pixels of a star's stamp that are masked.
_MASKED = 0.4
# Stars that are used: the brightest in each part of the image, and the number of parts on a side.
_MOST = 300
_PARTS = 5
# Windows of an image that are searched, all over it.
_MOST_TILES = 25
# Pixels beyond a stamp that its smoothing needs.
_MARGIN = 8
# Half of the side of a star's stamp in FWHM, and limits in pixels.
_REACH = 5.0
_HALVES = (12, 31)

_COLUMNS = ("x", "y", "flux", "snr", "fwhm", "e1", "e2", "nearest", "level")


@dataclass(frozen=True, eq=False)
class Stars:
    """Stamps of stars.

    Attributes
    ----------
    table : `~astropy.table.Table`
        ``x``, ``y`` (pixels of the image), ``flux``, ``snr`` and ``fwhm`` (pixels) of a Gaussian.
    first : (N, 2) int `~numpy.ndarray`
        y and x of the first pixel of each stamp in the image.
    data, noise : (N, K, K) `~numpy.ndarray`
        Image without the sky around the pixel in which the star is, and standard deviations with
        the photons of the star.
    bad : (N, K, K) bool `~numpy.ndarray`
        Pixels that are masked, or belong to neighbors.
    n_candidates : int
        Number of bright, isolated sources out of which they were chosen.
    """

    table: Table
    first: np.ndarray
    data: np.ndarray
    noise: np.ndarray
    bad: np.ndarray
    n_candidates: int = 0

    def __len__(self):
        return len(self.table)

    def __getitem__(self, rows):
        """Return some of the stars."""
        parts = (part[rows] for part in (self.table, self.first, self.data, self.noise, self.bad))
        return Stars(*parts, self.n_candidates)


def find_stars(field, sky, *, saturation=np.inf, tile_size=1024, places=None):
    """Find the stars of an image.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    saturation : float, optional
        Value from which on pixels of the image are saturated.
    tile_size : int, optional
        Pixels on a side of the windows that are read one after the other, 25 at most.
    places : (2, S) `~numpy.ndarray`, optional
        x and y of known stars: nothing else is one.

    Returns
    -------
    Stars
        Up to 300, the brightest ones of each part of the image; none where no sources are as
        compact as each other.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.field import open_field
    >>> from sersicnet.measure.sky import map_sky
    >>> from sersicnet.measure.stars import find_stars
    >>> y, x = np.mgrid[:200, :200]
    >>> data = np.random.default_rng(1).normal(size=(200, 200))
    >>> for place in ((40, 50), (150, 60), (60, 150), (140, 140), (100, 100)):
    ...     data += 90 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / 5)
    >>> with open_field(data, rms=np.ones_like(data)) as field:
    ...     stars = find_stars(field, map_sky(field, box_size=100, tile_size=200))
    >>> len(stars)
    5
    """
    read = partial(read_window, field, sky, saturation=saturation)
    shape = field.data.shape
    tiles = list(boxes_of(shape, tile_size))
    some = np.unique(np.linspace(0, len(tiles) - 1, _MOST_TILES).round().astype(int))
    tables = [_candidates(read, tiles[number], shape) for number in some]
    table = vstack(tables, metadata_conflicts="silent")
    if places is not None:
        table = table[near_stars(table["x"], table["y"], places) >= 0]
    where = (2 * table["x"] / shape[1] - 1, 2 * table["y"] / shape[0] - 1)
    ellipticity = np.array([table["e1"], table["e2"]])
    chosen = star_locus(table["fwhm"], ellipticity, table["snr"], *where)
    if chosen.any():
        fwhm = np.median(table["fwhm"][chosen])
        chosen &= ~(table["nearest"] < _APART * fwhm)
    stars = _cut_out(read, _spread(table[chosen], shape), shape)
    return replace(stars, n_candidates=len(table))


def _candidates(read, tile, shape):
    """The table of the bright sources whose peak is in a tile, without neighbors in their core."""
    sources = _Sources(read(grown(tile, _HALF + 1, shape)))
    peaks = np.argwhere(sources.is_peak & (sources.smooth > _BRIGHT * sources.level))
    place = sources.window.place(tile)
    for axis in (0, 1):
        peaks = peaks[(peaks[:, axis] >= place[axis].start) & (peaks[:, axis] < place[axis].stop)]
    stamps = [sources.stamp(peak, _HALF) for peak in peaks]
    whole = [number for number, stamp in enumerate(stamps) if stamp.is_whole]
    if not whole:
        return Table({name: np.zeros(0) for name in _COLUMNS})
    planes = np.array([[stamps[i].data, stamps[i].noise, stamps[i].bad] for i in whole])
    table = measure_sizes(planes[:, 0], planes[:, 1], planes[:, 2] > 0)
    table["y"] = peaks[whole, 0] + sources.window.origin[0] + table["dy"]
    table["x"] = peaks[whole, 1] + sources.window.origin[1] + table["dx"]
    table["nearest"] = [stamps[i].nearest for i in whole]
    table["level"] = sources.level
    good = (table["snr"] > _LEAST_SNR) & (table["nearest"] > _CORE)
    return table[list(_COLUMNS)][good]


def _spread(table, shape):
    """The brightest rows of each part of an image, up to a number in all."""
    if len(table) <= _MOST:
        return table
    part = (table["y"] * _PARTS // shape[0]) * _PARTS + table["x"] * _PARTS // shape[1]
    order = np.argsort(-table["snr"])
    rank = np.zeros(len(table))
    for number in np.unique(part):
        rows = order[part[order] == number]
        rank[rows] = np.arange(len(rows))
    return table[np.sort(np.lexsort((-table["snr"], rank))[:_MOST])]


def _cut_out(read, table, shape):
    """Stamps of the stars of a table, of a size that follows from theirs."""
    half = _HALVES[0]
    if len(table):
        half = int(np.clip(np.ceil(_REACH * np.median(table["fwhm"])), *_HALVES))
    first = np.zeros((len(table), 2), int)
    planes = np.zeros((len(table), 3, 2 * half + 1, 2 * half + 1))
    good = np.zeros(len(table), bool)
    for row, star in enumerate(table):
        peak = np.array([round(star["y"]), round(star["x"])])
        box = tuple(slice(middle, middle + 1) for middle in peak)
        window = read(grown(box, half + _MARGIN, shape))
        sources = _Sources(window, level=star["level"])
        stamp = sources.stamp(peak - window.origin, half)
        planes[row] = stamp.data, stamp.noise, stamp.bad
        first[row] = peak - half
        good[row] = stamp.is_whole and stamp.bad.mean() < _MASKED
    data, noise, bad = np.moveaxis(planes, 1, 0)
    return Stars(table, first, data, noise, bad > 0)[good]


@dataclass(frozen=True, eq=False)
class _Stamp:
    """The pixels around a source, and the distance of its nearest neighbor that matters."""

    data: np.ndarray
    noise: np.ndarray
    bad: np.ndarray
    nearest: float

    @property
    def is_whole(self):
        """Whether the core has no bad pixel."""
        half = len(self.data) // 2
        core = slice(half - _CORE, half + _CORE + 1)
        return not self.bad[core, core].any()


class _Sources:
    """The peaks of a window, and the light around them."""

    def __init__(self, window, *, level=None):
        bad = window.bad | window.hidden
        snr = np.zeros_like(window.data)
        np.divide(window.data, window.noise, out=snr, where=~bad)
        self.window = window
        self.bad = bad
        self.smooth = smooth_image(snr, bad, sigma=_SMOOTHING)
        self.level = level
        if level is None:
            self.level = mad_std(self.smooth[~bad]) if not bad.all() else np.inf
        self.islands = ndimage.label(self.smooth > _EDGE * self.level)[0]
        highest = self.smooth == ndimage.maximum_filter(self.smooth, 5)
        self.is_peak = highest & (self.smooth > _NEIGHBOR * self.level) & ~bad

    def stamp(self, peak, half):
        """The stamp around a peak (y, x), bad where it is beyond the window or a neighbor's."""
        window = self.window
        smooth = _piece(self.smooth, peak, half, 0.0)
        island = _piece(self.islands, peak, half, 0)
        others = np.argwhere(_piece(self.is_peak, peak, half, False)) - half
        distance = np.hypot(*others.T)
        heights = smooth[tuple((others + half).T)]
        around = _ring_medians(smooth, half)[distance.round().astype(int)]
        is_neighbor = heights - around > np.maximum(_NEIGHBOR * self.level, _UNEVEN * around)
        is_neighbor &= distance > 1.5
        bad = _piece(self.bad, peak, half, True)
        bad = bad | (island > 0) & (island != island[half, half])
        bad |= _nearer_to(others[is_neighbor], half) & (island > 0)
        matters = is_neighbor & (heights > _SHARE * smooth[half, half])
        nearest = distance[matters].min(initial=np.inf)
        data = _piece(window.data, peak, half, 0.0)
        noise = _piece(window.noise_of_sources, peak, half, 1.0)
        bad |= ~(np.isfinite(data) & (noise > 0))
        return _Stamp(np.where(bad, 0.0, data), np.where(bad, 1.0, noise), bad, nearest)


def _piece(plane, middle, half, fill):
    """A square of a plane around a pixel, filled where it is beyond the plane."""
    piece = np.full((2 * half + 1, 2 * half + 1), fill, dtype=plane.dtype)
    first = np.array(middle) - half
    inner = []
    outer = []
    for start, n in zip(first, plane.shape, strict=True):
        stop = min(start + 2 * half + 1, n)
        outer.append(slice(max(start, 0), stop))
        inner.append(slice(max(start, 0) - start, stop - start))
    piece[tuple(inner)] = plane[tuple(outer)]
    return piece


def _ring_medians(smooth, half):
    """Medians of a stamp in rings of a pixel around its middle."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    ring = np.hypot(x, y).round().astype(int)
    return ndimage.median(smooth, ring, np.arange(ring.max() + 1))


def _nearer_to(others, half):
    """The pixels of a stamp that are nearer to one of some places than to the middle."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    nearer = np.zeros(y.shape, bool)
    for dy, dx in others:
        nearer |= np.hypot(y - dy, x - dx) < np.hypot(y, x)
    return nearer
