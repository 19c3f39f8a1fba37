"""Which of the injected galaxies were detected, and the table of all of them."""

import astropy.units as u
import numpy as np
from astropy.table import QTable
from scipy.spatial import KDTree

from sersicnet.parameters import PARAMETERS

__all__ = ["injection_table", "match_injections"]

# Columns of the catalog that the table of injections has no use for: its own id is that of the
# galaxy, and there are no rows of the sources that a group_id is of.
_LEFT_OUT = ("id", "group_id")
_DESCRIPTIONS = {
    "id": "number of the injected galaxy",
    "round": "number of the image with injected galaxies",
    "log_density": "log of the density of (mag, log10 r_eff/arcsec, n, q) it was drawn from",
    "detected": "whether it was found, and not a brighter source in its place",
    "on_source": "whether a source of the image is within the radius of the match",
    "distance": "distance from the injected to the detected position",
    "source_distance": "distance from the injected position to the nearest source of the image",
    "source_mag": "magnitude of the brightest source of the image within the radius",
}


def match_injections(truth, catalog, existing, *, radius):
    """Find the detections of the galaxies of one round.

    A galaxy is detected if the nearest source of the catalog is within the radius, unless the image
    had a source there before that is brighter: then that is what was detected.

    Parameters
    ----------
    truth : `~astropy.table.QTable`
        Injected galaxies: ``mag``, ``x_0`` and ``y_0``.
    catalog : `~astropy.table.Table`
        Catalog of the image with these galaxies.
    existing : `~astropy.table.Table`
        Catalog of the image without them.
    radius : float
        Largest distance in pixels.

    Returns
    -------
    `~astropy.table.QTable`
        ``row`` of the catalog, -1 where the galaxy was not detected, ``on_source``, ``distance``,
        ``source_distance`` and ``source_mag``, as in the table of
        `~sersicnet.measure.inject_galaxies`.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from sersicnet.measure.injection_match import match_injections
    >>> truth = QTable({"mag": [22.0, 25.0], "x_0": [10.0, 50.0], "y_0": [10.0, 50.0]})
    >>> found = {"x_centroid": [50.2, 9.8], "y_centroid": [50.0, 10.0], "mag": [23.0, 22.1]}
    >>> catalog = QTable(found | {"kron_mag": [23.0, 22.1]})
    >>> match_injections(truth, catalog, catalog[:1], radius=3)["row"].tolist()
    [1, -1]
    """
    places = _positions(truth, "x_0", "y_0")
    found = _positions(catalog, "x_centroid", "y_centroid")
    before = _positions(existing, "x_centroid", "y_centroid")
    mag = _plain(truth["mag"])
    distances, rows = _nearest(found, places, radius)
    brightest = _brightest(before, _magnitudes(existing), places, radius)
    matched = rows >= 0
    of_match = _brightest(before, _magnitudes(existing), found[rows[matched]], radius)
    brightest[matched] = np.minimum(brightest[matched], of_match)
    rows[brightest <= mag] = -1
    distances[rows < 0] = np.nan
    table = QTable({"row": rows, "on_source": brightest < np.inf})
    table["distance"] = distances * u.pix
    source_distances, _ = _nearest(before, places, np.inf)
    table["source_distance"] = source_distances * u.pix
    # unknown, where the source in the image has no magnitude
    table["source_mag"] = np.where(np.isfinite(brightest), brightest, np.nan) * u.ABmag
    return table


def _positions(table, x, y):
    """Positions of a table, (N, 2) `~numpy.ndarray`."""
    return np.column_stack([_plain(table[x]), _plain(table[y])])


def _nearest(sources, places, radius):
    """Distance and number of the nearest source of each place: NaN and -1 beyond a radius."""
    rows = np.full(len(places), -1)
    distances = np.full(len(places), np.nan)
    if len(sources):
        distance, row = KDTree(sources).query(places, distance_upper_bound=radius)
        near = np.isfinite(distance)
        rows[near] = row[near]
        distances[near] = distance[near]
    return distances, rows


def _plain(column):
    return np.asarray(getattr(column, "value", column), dtype=float)


def _magnitudes(catalog):
    """Magnitudes of sources, from their light where they have no model; -inf where unknown."""
    mag = np.full(len(catalog), np.nan)
    for name in ("mag", "kron_mag"):
        if name in catalog.colnames:
            mag = np.where(np.isfinite(mag), mag, _plain(catalog[name]))
    return np.where(np.isfinite(mag), mag, -np.inf)


def _brightest(sources, mag, places, radius):
    """Magnitude of the brightest source near each place, inf where there is none."""
    brightest = np.full(len(places), np.inf)
    if len(sources) and len(places):
        for place, near in enumerate(KDTree(sources).query_ball_point(places, radius)):
            brightest[place] = min(mag[near], default=np.inf)
    return brightest


def injection_table(truth, matches, catalog):
    """Join the galaxies of a round with what was measured of them.

    Parameters
    ----------
    truth : `~astropy.table.QTable`
        Injected galaxies, with ``id`` and ``round``.
    matches : `~astropy.table.QTable`
        Table of `match_injections`.
    catalog : `~astropy.table.QTable`
        Catalog of the image with these galaxies.

    Returns
    -------
    `~astropy.table.QTable`
        One row per galaxy; the columns of the catalog are NaN, and flags 0, where it was not
        detected.
    """
    table = QTable({name: truth[name] for name in ("id", "round")})
    for name in PARAMETERS:
        table[f"true_{name}"] = truth[name]
        table[f"true_{name}"].info.description = f"injected: {PARAMETERS[name].description}"
    table["log_density"] = truth["log_density"]
    rows = np.asarray(matches["row"])
    table["detected"] = rows >= 0
    for name in ("on_source", "distance", "source_distance", "source_mag"):
        table[name] = matches[name]
    for name in catalog.colnames:
        if name not in _LEFT_OUT:
            table[name] = _of_rows(catalog[name], rows)
            table[name].info.description = catalog[name].info.description
            table[name].info.format = catalog[name].info.format
    for name, description in _DESCRIPTIONS.items():
        table[name].info.description = description
    return table


def _of_rows(column, rows):
    """Values of some rows of a column, nothing where the row is -1."""
    unit = getattr(column, "unit", None)
    values = np.zeros(len(rows), dtype=column.dtype)
    if values.dtype.kind == "f":
        values[:] = np.nan
    found = rows >= 0
    values[found] = np.asarray(getattr(column, "value", column))[rows[found]]
    if unit is None:
        return values
    return values * unit
