"""Catalogs of a survey image: positions that come in, the table that goes out."""

import warnings

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.parameters import to_floats
from sersicnet.preprocessing.stamps import celestial
from sersicnet.results import to_sky

__all__ = ["catalog_positions", "check_noise", "check_usable", "finish_table", "outside"]

# Pixels from the image: farther than any.
_FAR = 1e8
# Noise over scatter of the sky beyond which the map of the noise is doubted. Pixels of drizzled
# images scatter by up to three times less than their correlated noise is, so that a map may say
# so much more; light of sources that is not clipped makes them scatter more. Of the 35 real cutouts
# (docs/trust/real_galaxies.rst), each for an image, the ratio is 0.66 to 1.09.
_LEAST, _MOST = 0.5, 4.0
# Boxes of the sky in which they are compared, all over the image: not all of its noise is read.
_N_BOXES = 32
# What a map may be instead of what it was given for.
_DOUBTS = {
    "rms=": "is it a weight map, or in another unit?",
    "weight_map=": "is it a map of standard deviations or exposure times, or in another unit?",
}


def catalog_positions(catalog, wcs):
    """0-based pixels of the rows of a catalog, (2, M) `~numpy.ndarray`.

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


def finish_table(table, columns, wcs, catalog):
    """Sort the rows and columns of a catalog, and add ``id``, ``ra``, ``dec`` and ``pa``.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Rows of all tiles.
    columns : list of `~sersicnet.parameters.Column`
        Columns of the catalog.
    wcs : WCS or None
        WCS of the image.
    catalog : `~astropy.table.Table` or None
        Given catalog, if any.

    Returns
    -------
    `~astropy.table.QTable`
    """
    if catalog is None:
        table = table[np.lexsort((table["peak_x"], table["peak_y"]))]
        table["id"] = np.arange(len(table))
    else:
        table = table[np.argsort(table["row"])]
        table["id"] = table["row"]
        if "id" in catalog.colnames:
            table["id"] = catalog["id"]
    names = [column.name for column in columns]
    if "ra" in names:
        _add_sky_positions(table, celestial(wcs))
    for column in columns:
        if column.name in ("local_background", "sky"):
            table[column.name] = u.Quantity(table[column.name], column.unit)
    return QTable(table[names])


def _add_sky_positions(table, wcs):
    """Add ``ra``, ``dec`` and ``pa``: of the model where it has a center, else of the centroid."""
    x = table["x_centroid"]
    y = table["y_centroid"]
    if "x_0" in table.colnames:
        x = table["x_0"]
        y = table["y_0"]
    theta = np.full(len(table), np.nan)
    if "theta" in table.colnames:
        theta = table["theta"].value
    ra, dec, pa = to_sky(wcs, x.value, y.value, theta)
    table["ra"] = ra * u.deg
    table["dec"] = dec * u.deg
    table["pa"] = pa * u.deg


def check_usable(field, sky, boxes):
    """Refuse an image of which no pixel can be measured.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    boxes : list of pairs of slices
        Windows that together are the image. The first with a usable pixel is the last to be read.

    Raises
    ------
    ValueError
        If all are NaN, masked, or without noise.
    """
    finite = unmasked = False
    middle = len(boxes) // 2  # the first ones of a mosaic may be empty
    for box in boxes[middle:] + boxes[:middle]:
        good = np.isfinite(field.data[box])
        finite |= good.any()
        if field.mask is not None:
            good &= ~field.mask[box]
        unmasked |= good.any()
        noise = sky.rms_in(box) if field.noise is None else field.noise[box]
        if (good & np.isfinite(noise) & (noise > 0)).any():
            return
    reason = f"{field.noise_name} is nowhere positive and finite"
    if not unmasked:
        reason = "all that are finite are masked" if finite else "all are NaN or infinite"
    msg = f"image has no usable pixel: {reason}"
    raise ValueError(msg)


def check_noise(field, sky, mesh):
    """Warn if the given noise is not what pixels of the sky scatter by.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    mesh : `~sersicnet.measure.sky.SkyMesh`
        The boxes in which it was measured.
    """
    if field.noise is None:
        return
    chosen = np.unique(np.linspace(0, np.prod(mesh.counts) - 1, _N_BOXES).astype(int))
    ratios = []
    for y, x in np.transpose(np.unravel_index(chosen, mesh.counts)):
        noise = field.noise[mesh.window((slice(y, y + 1), slice(x, x + 1)))]
        noise = noise[np.isfinite(noise) & (noise > 0)]
        scatter = sky.rms[y + 1, x + 1]  # there are boxes around the image
        if noise.size and scatter > 0:
            ratios.append(np.median(noise) / scatter)
    if ratios and not _LEAST <= np.median(ratios) <= _MOST:
        doubt = _DOUBTS.get(field.noise_name, "is it of another kind, or in another unit?")
        msg = (
            f"{field.noise_name} says a noise of {np.median(ratios):.2g} times the scatter of the "
            f"sky (median of {len(ratios)} boxes): {doubt}"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=4)  # of who called measure_image
