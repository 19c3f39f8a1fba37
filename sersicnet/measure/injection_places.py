"""Where galaxies are injected: at good pixels, in rounds, far from each other."""

import warnings
from dataclasses import dataclass

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from scipy.spatial import KDTree

from sersicnet.measure.sky import map_sky
from sersicnet.measure.windows import read_window

__all__ = [
    "LAYOUTS",
    "GoodPixels",
    "given_rounds",
    "good_pixels",
    "place_galaxies",
    "warn_of_places",
]

LAYOUTS = ("grid", "random")
# Side of a cell of the grid, and the largest shift of a galaxy in it, in smallest distances: two
# galaxies in neighboring cells are never nearer than one.
_CELL = 1.5
_JITTER = 0.25
# Proposals in a row without a place for a galaxy that are an error: one good pixel in a thousand is
# found all the same.
_MOST_EMPTY = 10000
# Share of the given positions on sources from which on they may be those of a catalog of the image.
_MOST = 0.5


@dataclass(frozen=True, eq=False)
class GoodPixels:
    """The pixels of an image that can be measured.

    Attributes
    ----------
    bits : 2-D uint8 `~numpy.ndarray`
        One bit per pixel, packed along x.
    shape : (int, int)
        Shape of the image.
    number : int
        Number of good pixels.
    """

    bits: np.ndarray
    shape: tuple
    number: int

    def at(self, x, y):
        """Whether positions are in a good pixel, (N,) bool `~numpy.ndarray`."""
        column = np.floor(x + 0.5).astype(int)
        row = np.floor(y + 0.5).astype(int)
        inside = (column >= 0) & (row >= 0) & (column < self.shape[1]) & (row < self.shape[0])
        column = np.where(inside, column, 0)
        row = np.where(inside, row, 0)
        bit = self.bits[row, column // 8] >> (7 - column % 8) & 1
        return inside & (bit == 1)


def good_pixels(field, options):
    """Find the pixels of an image that can be measured: with data and noise, and not masked.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    options : `~sersicnet.measure.Options`
        Of which the sizes of boxes and tiles count.

    Returns
    -------
    GoodPixels

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure import Options
    >>> from sersicnet.measure.field import open_field
    >>> from sersicnet.measure.injection_places import good_pixels
    >>> data = np.random.default_rng(1).normal(size=(90, 100))
    >>> data[:, :10] = np.nan
    >>> with open_field(data) as field:
    ...     good = good_pixels(field, Options())
    >>> good.number, good.at(np.array([5.0, 50.0]), np.array([5.0, 50.0])).tolist()
    (8100, [False, True])
    """
    shape = field.data.shape
    size = options.tile_size
    sky = map_sky(field, box_size=options.box_size, tile_size=size)
    bits = np.zeros((shape[0], -(-shape[1] // 8)), np.uint8)
    number = 0
    for top in range(0, shape[0], size):
        rows = slice(top, min(top + size, shape[0]))
        good = np.zeros((rows.stop - rows.start, shape[1]), bool)
        for left in range(0, shape[1], size):
            columns = slice(left, min(left + size, shape[1]))
            window = read_window(field, sky, (rows, columns), saturation=np.inf)
            good[:, columns] = ~window.bad
        bits[rows] = np.packbits(good, axis=1)
        number += int(good.sum())
    return GoodPixels(bits, shape, number)


def place_galaxies(n, good, *, min_distance, layout, seed):
    """Choose positions for galaxies, in as many rounds as they need.

    Parameters
    ----------
    n : int
        Number of galaxies.
    good : GoodPixels
        Pixels in which a galaxy may be.
    min_distance : float
        Smallest distance of two galaxies of a round, in pixels.
    layout : {'grid', 'random'}
        Whether the positions of a round are a shifted grid with jitter, or random.
    seed : int
        Seed of the positions.

    Returns
    -------
    x, y : (n,) `~numpy.ndarray`
        0-based pixels.
    rounds : (n,) int `~numpy.ndarray`
        Number of the round of each galaxy, from 0 on.

    Raises
    ------
    ValueError
        If there is no good pixel.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.injection_places import GoodPixels, place_galaxies
    >>> good = GoodPixels(np.full((200, 25), 255, np.uint8), (200, 200), 40000)
    >>> x, y, rounds = place_galaxies(50, good, min_distance=40, layout="grid", seed=1)
    >>> len(x), bool(rounds.max() > 1)
    (50, True)
    """
    propose = {"grid": _grid, "random": _random}[layout]
    places = []
    rounds = []
    number = 0
    n_proposed = 0
    n_empty = 0
    while len(places) < n:
        rng = np.random.default_rng([seed, 1, n_proposed])
        n_proposed += 1
        found = propose(good.shape, min_distance, rng)
        found = found[good.at(*found.T)][: n - len(places)]
        if len(found):
            places += found.tolist()
            rounds += [number] * len(found)
            number += 1
            n_empty = 0
            continue
        n_empty += 1
        if good.number == 0 or n_empty > _MOST_EMPTY:
            msg = f"image has {good.number} good pixels: no place for galaxies was found"
            raise ValueError(msg)
    x, y = np.transpose(places)
    return x, y, np.array(rounds)


def _grid(shape, distance, rng):
    """A grid with a random origin, whose points are shifted at random, in random order."""
    cell = np.minimum(_CELL * distance, shape)  # (y, x): a small image has one galaxy
    first = rng.uniform(0, cell) - 0.5
    y = np.arange(first[0], shape[0] - 0.5, cell[0])
    x = np.arange(first[1], shape[1] - 0.5, cell[1])
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    shift = _JITTER / _CELL * cell[::-1]
    places = places + shift * rng.uniform(-1, 1, places.shape)
    return rng.permutation(places)


def _random(shape, distance, rng):
    """Random points, without those that are too near to an earlier one."""
    n = max(1, int(shape[0] * shape[1] / distance**2))
    places = rng.uniform(-0.5, np.array(shape[::-1]) - 0.5, (n, 2))
    pairs = KDTree(places).query_pairs(distance, output_type="ndarray")
    free = np.ones(n, bool)
    free[pairs.max(axis=1)] = False
    return places[free]


def given_rounds(x, y, shape, *, min_distance):
    """Divide given positions into rounds.

    Parameters
    ----------
    x, y : (N,) `~numpy.ndarray`
        0-based pixels.
    shape : (int, int)
        Shape of the image.
    min_distance : float
        As in `place_galaxies`.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        Number of the round of each galaxy, the lowest that keeps the distance to those before it.

    Raises
    ------
    ValueError
        If a position is not in the image.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.injection_places import given_rounds
    >>> x = np.array([10.0, 12.0, 80.0])
    >>> given_rounds(x, x, (100, 100), min_distance=40)
    array([0, 1, 0])
    """
    ny, nx = shape
    outside = (x < -0.5) | (y < -0.5) | (x >= nx - 0.5) | (y >= ny - 0.5)
    if outside.any():
        row = np.flatnonzero(outside)[0]
        msg = (
            f"galaxies: {outside.sum()} of {len(x)} positions are not in the image, such as "
            f"x_0={x[row]:g}, y_0={y[row]:g}: it has {nx} x {ny} pixels (x, y)"
        )
        raise ValueError(msg)
    places = np.column_stack([x, y])
    near = KDTree(places).query_ball_point(places, min_distance)
    rounds = np.full(len(places), -1)
    for row, neighbors in enumerate(near):
        taken = set(rounds[neighbors].tolist())
        number = 0
        while number in taken:
            number += 1
        rounds[row] = number
    return rounds


def warn_of_places(truth, good, existing, *, radius, stacklevel):
    """Warn of given positions at which galaxies cannot be found.

    Parameters
    ----------
    truth : `~astropy.table.QTable`
        Injected galaxies: ``x_0`` and ``y_0``.
    good : GoodPixels
        Pixels that can be measured.
    existing : `~astropy.table.Table`
        Catalog of the image without them.
    radius : float
        Largest distance of a galaxy and its detection, in pixels.
    stacklevel : int
        As in `warnings.warn`, counted from the caller of this function.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If some positions are in bad pixels, or most of them on sources.
    """
    x = truth["x_0"].value
    y = truth["y_0"].value
    n_bad = int(np.sum(~good.at(x, y)))
    if n_bad:
        msg = f"galaxies: {n_bad} of {len(x)} given positions are in pixels without data"
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)
    if not len(existing):
        return
    sources = np.column_stack([existing["x_centroid"].value, existing["y_centroid"].value])
    distance, _ = KDTree(sources).query(np.column_stack([x, y]))
    n_on = int(np.sum(distance <= radius))
    if n_on > _MOST * len(x):
        msg = (
            f"galaxies: {n_on} of {len(x)} given positions are on sources of the image: without "
            "the columns x_0 and y_0, positions are random"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)
