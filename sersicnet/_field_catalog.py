"""Catalogues of a survey image: positions that come in, the table that goes out."""

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from sersicnet.parameters import to_floats
from sersicnet.preprocessing import celestial
from sersicnet.results import to_sky

__all__ = ["catalog_positions", "finish_table", "outside"]

# Pixels from the image: farther than any.
_FAR = 1e8
_COLUMNS = ("x_centroid", "y_centroid", "kron_mag", "kron_mag_err", "half_light_radius", "area")


def catalog_positions(catalog, wcs):
    """0-based pixels of the rows of a catalogue, (2, M) `~numpy.ndarray`.

    Raises
    ------
    ValueError
        If it has no positions, such that are no numbers, or that need a WCS that is not there.
    `~astropy.units.UnitConversionError`
        If they are in another unit.
    """
    names = set(catalog.colnames)
    if {"x_0", "y_0"} <= names:
        x, y = (_numbers(catalog, name, u.pix) for name in ("x_0", "y_0"))
    elif {"ra", "dec"} <= names:
        if celestial(wcs) is None:
            msg = "catalog has ra and dec, but the image no celestial WCS: x_0 and y_0 are needed"
            raise ValueError(msg)
        ra, dec = (_numbers(catalog, name, u.deg) for name in ("ra", "dec"))
        x, y = wcs.world_to_pixel(SkyCoord(ra, dec, unit="deg"))
    else:
        msg = f"catalog has the columns {catalog.colnames}: x_0 and y_0, or ra and dec are needed"
        raise ValueError(msg)
    # what is NaN or very far away would not fit into an integer
    return np.clip(np.nan_to_num([x, y], nan=_FAR), -_FAR, _FAR)


def _numbers(catalog, name, unit):
    """A column as floats in a unit, NaN where it is masked."""
    try:
        return to_floats(catalog[name], unit)
    except u.UnitConversionError as error:
        msg = f"catalog: the column {name!r} has the unit {catalog[name].unit}, and needs {unit}"
        raise u.UnitConversionError(msg) from error
    except (TypeError, ValueError) as error:
        msg = f"catalog: the column {name!r} must be of numbers: {error}"
        raise ValueError(msg) from error


def outside(positions, shape):
    """Which positions are in no pixel of the image."""
    if positions is None:
        return np.array([], dtype=int)
    x, y = np.floor(positions + 0.5)
    return np.flatnonzero((x < 0) | (y < 0) | (x >= shape[1]) | (y >= shape[0]))


def finish_table(table, field, catalog):
    """Sort the rows and columns, and add ``id``, ``ra``, ``dec`` and ``pa``.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Of all tiles.
    field : `~sersicnet._field_image.FieldImage`
        The image.
    catalog : `~astropy.table.Table` or None
        Where to measure, if the user said so.

    Returns
    -------
    `~astropy.table.QTable`
    """
    if catalog is None:
        table = table[np.lexsort((table["peak_x"], table["peak_y"]))]
        table["id"] = np.arange(len(table))
    else:
        table = table[np.argsort(table["row"])]
        table["id"] = catalog["id"] if "id" in catalog.colnames else table["row"]
    for name in {"local_sky", "sky"} & set(table.colnames):
        table[name] = u.Quantity(table[name], field.unit)
    if celestial(field.wcs) is not None:
        x, y = ("x_0", "y_0") if "x_0" in table.colnames else ("x_centroid", "y_centroid")
        theta = table["theta"].value if "theta" in table.colnames else np.full(len(table), np.nan)
        sky = to_sky(celestial(field.wcs), table[x].value, table[y].value, theta)
        for name, values in zip(("ra", "dec", "pa"), sky, strict=True):
            table[name] = values * u.deg
        if "theta" not in table.colnames:
            del table["pa"]
    last = ("ra", "dec", "pa", "flags", *_COLUMNS, "local_sky")
    hidden = ("row", "peak_x", "peak_y", *last)
    names = [name for name in table.colnames if name not in hidden]
    return QTable(table[[*names, *(name for name in last if name in table.colnames)]])
