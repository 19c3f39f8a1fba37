"""A sample of the sources of an image, from which its population is inferred.

The image is divided into squares of 512 pixels from its corner, in a random order that the seed
gives. The sample is the sources of the first squares, so that it does not depend on the tiles.
"""

from dataclasses import dataclass, replace

import numpy as np

from sersicnet.measure.sky import boxes_of

__all__ = ["Sample", "measure_squares", "numbered", "sample_image", "squares_of"]

_SIDE = 512
# Share of the squares that are measured, and sources, at least, where the image has as many.
_SHARE = 0.05
_ENOUGH = 2000
# Sources from which on no more are needed, which bounds the memory (2.5 kB each).
_PLENTY = 20_000


@dataclass(frozen=True, eq=False)
class Sample:
    """Sources that have been measured, and need not be measured again.

    Attributes
    ----------
    parts : list of (`~sersicnet.SersicResults`, `~astropy.table.QTable`)
        Results of some sources, and their rows of detection.
    places : dict
        Number of the part, and row in it, of each source by `_keys`.
    """

    parts: list
    places: dict

    @classmethod
    def of(cls, parts):
        """Make it from parts."""
        places = {}
        for number, (_, table) in enumerate(parts):
            for row, key in enumerate(_keys(table)):
                places[key] = (number, row)
        return cls(parts, places)

    @property
    def results(self):
        """Results as `numbered` returns them, a list."""
        return [numbered(results, table) for results, table in self.parts]

    def take(self, table):
        """Find the sources of a table that have been measured.

        Parameters
        ----------
        table : `~astropy.table.QTable`
            Rows of detection.

        Returns
        -------
        parts : list of (`~sersicnet.SersicResults`, `~astropy.table.QTable`)
            Their results and rows.
        others : `~astropy.table.QTable`
            The rows of the other sources.
        """
        found = {}
        others = np.ones(len(table), bool)
        for place, key in enumerate(_keys(table)):
            if key in self.places:
                number, row = self.places[key]
                found.setdefault(number, []).append(row)
                others[place] = False
        parts = []
        for number, rows in found.items():
            results, measured = self.parts[number]
            parts.append((results[rows], measured[rows]))
        return parts, table[others]


def _keys(table):
    """Return what tells the sources of an image apart: the row of a catalog, and the place."""
    columns = [np.asarray(table[name], dtype=int).tolist() for name in ("row", "peak_y", "peak_x")]
    return list(zip(*columns, strict=True))


def numbered(results, table):
    """Return results with the flags of detection, whose draws do not depend on the tiles.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        Results of some sources.
    table : `~astropy.table.QTable`
        Their rows of detection: the place of a source in the image seeds its draws.

    Returns
    -------
    `~sersicnet.SersicResults`
    """
    places = (np.asarray(table["peak_y"], int) << 24) + np.asarray(table["peak_x"], int)
    return replace(results, ids=places, flags=results.flags | np.asarray(table["flags"]))


def squares_of(measurement):
    """List the squares of an image in random order.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.

    Returns
    -------
    list of pairs of slices
    """
    squares = list(boxes_of(measurement.field.data.shape, _SIDE))
    order = np.random.default_rng(measurement.options.seed).permutation(len(squares))
    return [squares[number] for number in order]


def measure_squares(measurement, sky, squares):
    """Measure the sources of some squares.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    squares : iterable of pairs of slices
        Some of `squares_of`.

    Yields
    ------
    results : `~sersicnet.SersicResults`
        Results of some sources.
    table : `~astropy.table.QTable`
        Their rows of detection.
    """
    if not measurement.has_sky:
        sky = sky.without_level()
    for square in squares:
        yield from measurement.results_of(measurement.find_sources(square, sky))


def sample_image(measurement, sky):
    """Measure a sample of the sources of an image.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.

    Returns
    -------
    Sample
        The sources of 5 % of the squares, or of more until there are 2000, but no more squares
        once there are 20,000.
    """
    squares = squares_of(measurement)
    parts = []
    n_sources = 0
    for number, square in enumerate(squares):
        enough = number >= _SHARE * len(squares) and n_sources >= _ENOUGH
        if enough or n_sources >= _PLENTY:
            break
        found = list(measure_squares(measurement, sky, [square]))
        n_sources += sum(len(results) for results, _ in found)
        parts += found
    return Sample.of(parts)
