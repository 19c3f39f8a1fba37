"""Positions in the catalogs of other programs: which columns, and which pixel is the first."""

import os

from astropy.table import Table

from sersicnet.io.tables import read_table
from sersicnet.preprocessing.pixels import celestial

__all__ = ["with_positions"]

# Columns of sky positions, in lower case: of SExtractor, VizieR, Gaia and Euclid.
_SKY = (
    ("ra", "dec"),
    ("alpha_j2000", "delta_j2000"),
    ("alphawin_j2000", "deltawin_j2000"),
    ("alphapsf_j2000", "deltapsf_j2000"),
    ("alpha_sky", "delta_sky"),
    ("raj2000", "dej2000"),
    ("ra_icrs", "de_icrs"),
    ("right_ascension", "declination"),
)
# Columns of pixels, and the number of the first one: 1 in SExtractor and FITS, 0 in photutils.
_PIXELS = (
    ("x_0", "y_0", 0),
    ("x_image", "y_image", 1),
    ("xwin_image", "ywin_image", 1),
    ("xpsf_image", "ypsf_image", 1),
    ("xmodel_image", "ymodel_image", 1),
    ("x_centroid", "y_centroid", 0),
    ("xcentroid", "ycentroid", 0),
)


def with_positions(catalog, wcs):
    """Give a catalog the columns ``ra`` and ``dec``, or ``x_0`` and ``y_0``, that we read.

    Parameters
    ----------
    catalog : `~astropy.table.Table` or path
        A catalog, or its file.
    wcs : WCS or None
        WCS of the image. If it is celestial, sky positions are taken before pixels.

    Returns
    -------
    `~astropy.table.Table`
        The catalog itself if it has these columns, or if it has no other known ones. Else a copy
        in which they are added, and ``id`` where SExtractor has ``NUMBER``.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file cannot be read.
    TypeError
        If ``catalog`` is neither a table nor a path.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.measure.positions import with_positions
    >>> found = with_positions(Table({"X_IMAGE": [1.0], "Y_IMAGE": [7.0]}), None)
    >>> print(found["x_0", "y_0"])
    x_0 y_0
    --- ---
    0.0 6.0
    """
    if isinstance(catalog, str | os.PathLike):
        catalog = read_table(catalog)
    if not isinstance(catalog, Table):
        msg = f"catalog must be a table or the path of one, not {type(catalog).__name__}"
        raise TypeError(msg)
    names = {}
    for name in reversed(catalog.colnames):
        names[name.lower()] = name
    own = set(catalog.colnames)
    if {"x_0", "y_0"} <= own or {"ra", "dec"} <= own:
        return catalog
    found = _sky_columns(catalog, names)
    if celestial(wcs) is None or not found:
        found = _pixel_columns(catalog, names) or found
    if not found:
        return catalog
    catalog = catalog.copy(copy_data=False)
    for name, values in found.items():
        catalog[name] = values
    if "number" in names and "id" not in names:
        catalog["id"] = catalog[names["number"]]
    return catalog


def _sky_columns(catalog, names):
    """Find the sky positions of a catalog, an empty dictionary without."""
    for ra, dec in _SKY:
        if ra in names and dec in names:
            return {"ra": catalog[names[ra]], "dec": catalog[names[dec]]}
    return {}


def _pixel_columns(catalog, names):
    """Find the 0-based pixels of a catalog, an empty dictionary without."""
    for x, y, first in _PIXELS:
        if x in names and y in names:
            return {
                "x_0": _from_zero(catalog[names[x]], first),
                "y_0": _from_zero(catalog[names[y]], first),
            }
    return {}


def _from_zero(column, first):
    """Count pixels from 0."""
    unit = getattr(column, "unit", None)
    if first == 0:
        return column
    if unit is None:
        return column - first
    return column - first * unit
