"""Positions in the catalogs of other programs: which columns, and which pixel is the first."""

import logging
import os

import astropy.units as u
import numpy as np
from astropy.table import Table

from sersicnet._caller import warn_caller
from sersicnet.io.tables import read_table
from sersicnet.measure.catalog import FAR, catalog_positions
from sersicnet.parameters import to_floats
from sersicnet.preprocessing.pixels import celestial

__all__ = ["check_grid", "grid_doubt", "with_positions"]

_LOG = logging.getLogger("sersicnet")
# Pixels by which positions may differ that are meant to be the same: rounded ones, or those of a
# centroid and of a model.
_ONE_PIXEL = 1.0

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
        in which they are added, and ``id`` where it has another spelling, such as ``ID``, or
        SExtractor has ``NUMBER``. Of ``x_0``, ``y_0``,
        ``ra`` and ``dec``, the first two are left out if they are pixels of another image.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file cannot be read.
    TypeError
        If ``catalog`` is neither a table nor a path.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If ``x_0`` and ``y_0`` differ from ``ra`` and ``dec`` in this image by more than a pixel,
        and it is not a catalog of `~sersicnet.measure.measure_image`, of which the log says it.

    Notes
    -----
    The log says which positions are used of a catalog that has both.

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
    catalog = _with_id(catalog, names)
    own = set(catalog.colnames)
    sky = _sky_columns(catalog, names)
    found = _chosen(sky, _pixel_columns(catalog, names), celestial(wcs), own)
    if {"x_0", "y_0"} <= own:
        return _on_this_grid(catalog, sky, wcs)
    if not found or set(found) <= own:
        return catalog
    catalog = catalog.copy(copy_data=False)
    for name, values in found.items():
        catalog[name] = values
    return catalog


def _with_id(catalog, names):
    """Give a catalog the column ``id`` where it has it in another spelling, or ``NUMBER``."""
    spelled = names.get("id", names.get("number"))
    if spelled is None or "id" in catalog.colnames:
        return catalog
    catalog = catalog.copy(copy_data=False)
    catalog["id"] = catalog[spelled]
    return catalog


def _chosen(sky, pixels, wcs, own):
    """Choose sky positions or pixels, and log the choice where a catalog has both."""
    if not (sky and pixels):
        return sky or pixels
    if wcs is None:
        _LOG.info("catalog: pixels are used, not sky positions: the image has no celestial WCS")
        return pixels
    if not {"x_0", "y_0"} <= own:
        _LOG.info("catalog: sky positions are used, not pixels")
    return sky


def _on_this_grid(catalog, sky, wcs):
    """Take the sky positions of a catalog if its pixels are those of another image."""
    if not sky:
        return catalog
    doubt = grid_doubt(Table({"x_0": catalog["x_0"], "y_0": catalog["y_0"], **sky}), wcs)
    if doubt is None:
        return catalog
    msg = f"catalog: {doubt}: ra and dec are used"
    if "WEIGHTS" in catalog.meta:  # a catalog of ours, which is carried to another image
        _LOG.info(msg)
    else:
        warn_caller(msg)
    catalog = catalog.copy(copy_data=False)
    catalog.remove_columns(["x_0", "y_0"])
    for name, values in sky.items():
        catalog[name] = values
    return catalog


def grid_doubt(catalog, wcs):
    """Say whether the pixels of a catalog are those of another image than its sky positions.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        Table with ``x_0`` and ``y_0``, and perhaps ``ra`` and ``dec``.
    wcs : WCS or None
        WCS of the image.

    Returns
    -------
    str or None
        Sentence about them; None where they agree to a pixel, or one of them is missing.
    """
    wcs = celestial(wcs)
    if wcs is None or not {"x_0", "y_0", "ra", "dec"} <= set(catalog.colnames):
        return None
    pixels = catalog_positions(catalog["x_0", "y_0"], None)
    sky = catalog_positions(catalog["ra", "dec"], wcs)
    stated = [to_floats(catalog[name], u.deg) for name in ("ra", "dec")]
    known = (np.abs(pixels) < FAR).all(axis=0) & np.isfinite(stated).all(axis=0)
    there = known & (np.abs(sky) < FAR).all(axis=0)  # not where a distortion does not converge
    if 2 * there.sum() >= known.sum():
        known = there
    distance = np.hypot(*(pixels - sky))[known]
    n_different = np.count_nonzero(distance > _ONE_PIXEL)
    if n_different == 0:
        return None
    return (
        f"x_0 and y_0 of {n_different} of {len(distance)} rows are not the pixels of ra and dec in "
        "this image"
    )


def check_grid(catalog, wcs):
    """Raise ValueError if the pixels of a catalog are those of another image.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        A catalog that `~sersicnet.measure.measure_image` made.
    wcs : WCS or None
        WCS of the image in which its galaxies are shown.

    Raises
    ------
    ValueError
        If pixels and sky positions differ by more than a pixel.
    """
    doubt = grid_doubt(catalog, wcs)
    if doubt is not None:
        msg = f"catalog: {doubt}: pass the image that it was measured in"
        raise ValueError(msg)


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
