"""The stars of a catalog, such as that of Gaia, in an image."""

import logging

import numpy as np
from astropy.table import Table
from scipy.spatial import cKDTree

from sersicnet._caller import warn_caller
from sersicnet._words import counted
from sersicnet.measure.catalog import FAR, catalog_positions, check_positions, outside
from sersicnet.measure.positions import with_positions

__all__ = [
    "NAME",
    "STAR_SIZE",
    "add_stars",
    "is_star",
    "near_stars",
    "star_positions",
    "stars_in",
]

_LOG = logging.getLogger("sersicnet")
# Column of the row of the star of a source.
NAME = "star_id"
# Distance in pixels up to which a source is a star of a catalog.
_RADIUS = 2.0
# Probability of a star, from the image alone, below which a source is a galaxy with a star in it.
_LEAST = 0.01
# Half-light radius in pixels of stars among the models of sources.
STAR_SIZE = 0.01


def star_positions(stars, wcs):
    """Find the pixels of the stars of a catalog.

    Parameters
    ----------
    stars : `~astropy.table.Table`, `~astropy.coordinates.SkyCoord`, path or None
        The stars, with the columns that `~sersicnet.measure.positions.with_positions` knows.
    wcs : WCS or None
        WCS of the image.

    Returns
    -------
    (2, S) `~numpy.ndarray` or None
        x and y.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If they have no positions, or these are on the sky and the image has no celestial WCS.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.measure.star_catalog import star_positions
    >>> star_positions(Table({"x_0": [3.0], "y_0": [7.0]}), None)
    array([[3.],
           [7.]])
    """
    if stars is None:
        return None
    _, positions = _with_pixels(stars, wcs)
    return positions


def stars_in(stars, field):
    """Find the pixels of the stars of a catalog in an image.

    Parameters
    ----------
    stars
        As in `star_positions`.
    field : `~sersicnet.measure.field.FieldImage`
        The image.

    Returns
    -------
    (2, S) `~numpy.ndarray` or None
        x and y.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        As `star_positions`.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If none of them is in the image.
    """
    if stars is None:
        return None
    table, positions = _with_pixels(stars, field.wcs)
    try:
        check_positions(table, positions, field)
    except ValueError as error:
        warn_caller(_of_stars(error))
    n_inside = len(table) - len(outside(positions, field.data.shape))
    _LOG.info("stars: %d of %s in the image", n_inside, counted(len(table), "row"))
    return positions


def _with_pixels(stars, wcs):
    """Return the stars as a table with known columns, and their x and y."""
    if hasattr(stars, "icrs"):
        sky = stars.icrs
        stars = Table({"ra": np.atleast_1d(sky.ra.deg), "dec": np.atleast_1d(sky.dec.deg)})
    try:
        table = with_positions(stars, wcs)
        return table, catalog_positions(table, wcs)
    except (TypeError, ValueError) as error:
        raise type(error)(_of_stars(error)) from error


def _of_stars(error):
    """Return the message of an error of a catalog as one of ``stars``."""
    return f"stars=: {str(error).removeprefix('catalog').removeprefix(':').strip()}"


def near_stars(x, y, positions):
    """Find the stars at some places.

    Parameters
    ----------
    x, y : (N,) array_like
        Places in pixels.
    positions : (2, S) `~numpy.ndarray`
        Positions of stars.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        Number of the nearest star within 2 pixels, -1 without one.
    """
    known = np.flatnonzero((np.abs(positions) < FAR).all(axis=0))
    places = np.transpose([np.asarray(x, dtype=float), np.asarray(y, dtype=float)])
    found = np.full(len(places), -1)
    shown = np.isfinite(places).all(axis=1)
    if not len(known) or not shown.any():
        return found
    tree = cKDTree(positions[:, known].T)
    distance, nearest = tree.query(places[shown])
    found[shown] = np.where(distance <= _RADIUS, known[nearest], -1)
    return found


def add_stars(table, positions):
    """Add which sources are stars of a catalog, and their probability of being stars.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Sources with ``x_centroid``, ``y_centroid`` and ``prob_star``, whose columns are changed in
        place.
    positions : (2, S) `~numpy.ndarray` or None
        Positions of the stars; without them, nothing is added.
    """
    if positions is None:
        return
    x, y = (np.asarray(table[f"{axis}_centroid"].value) for axis in "xy")
    found = near_stars(x, y, positions)
    table[NAME] = found
    if "prob_star" in table.colnames:
        image = np.asarray(table["prob_star"], dtype=float)
        table["prob_star"] = np.where((found >= 0) & ~(image < _LEAST), 1.0, image)


def is_star(table):
    """Return which sources are stars of a catalog, and not galaxies with a star in them.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Sources.

    Returns
    -------
    (N,) bool `~numpy.ndarray`
    """
    if NAME not in table.colnames or "prob_star" not in table.colnames:
        return np.zeros(len(table), dtype=bool)
    return (np.asarray(table[NAME]) >= 0) & (np.asarray(table["prob_star"]) == 1)
