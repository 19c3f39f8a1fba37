"""Given positions, the finished catalog, and checks of the image that it is made from."""

import logging
import warnings
from dataclasses import replace

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from sersicnet._caller import warn_caller
from sersicnet._words import counted
from sersicnet.diagnostics.schema import describe
from sersicnet.flags import Flags
from sersicnet.measure.field import RELATIVE
from sersicnet.measure.windows import usable_saturation
from sersicnet.parameters import to_floats
from sersicnet.preprocessing.pixels import celestial, local_pixels, to_sky

__all__ = [
    "FAR",
    "catalog_positions",
    "check_noise",
    "check_positions",
    "check_saturation",
    "check_usable",
    "finish_table",
    "outside",
]

_LOG = logging.getLogger("sersicnet")
# Stands for positions that are NaN or farther away: an integer number of pixels from any image.
FAR = 1e8
# Ratio of the given noise to the scatter of the sky outside of which the noise is doubted. Pixels
# of drizzled images scatter by up to 2.3 times less than their correlated noise, so a map may be
# larger by that. Of the 35 real cutouts (docs/trust/real_galaxies.rst), each taken as an image, the
# ratio is 0.66 to 1.09; a map that is wrong by 3 loses sources.
_LEAST = 0.5
_MOST = 2.7
# Boxes of the sky in which they are compared, all over the image: not all of its noise is read.
_N_BOXES = 32
# What a map may be other than what it was given for.
_DOUBTS = {
    "rms=": "is it a weight map, or in another unit?",
    "weight_map=": "is it a map of standard deviations or exposure times, or in another unit?",
    RELATIVE: "it may be exposure times",
}


def catalog_positions(catalog, wcs):
    """Find the pixels of the rows of a catalog.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        Table with ``x_0`` and ``y_0``, or ``ra`` and ``dec``.
    wcs : WCS or None
        WCS of the image.

    Returns
    -------
    (2, M) `~numpy.ndarray`
        0-based x and y; far outside of the image where they are NaN or masked, or where the WCS
        has no pixel for them.

    Raises
    ------
    ValueError
        If columns are missing or do not hold numbers, or a celestial WCS is needed and missing.
    `~astropy.units.UnitConversionError`
        If a column has another kind of unit.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.measure.catalog import catalog_positions
    >>> catalog_positions(Table({"x_0": [3.5], "y_0": [7.0]}), None)
    array([[3.5],
           [7. ]])
    """
    names = set(catalog.colnames)
    if {"x_0", "y_0"} <= names:
        x = _numbers(catalog, "x_0", u.pix)
        y = _numbers(catalog, "y_0", u.pix)
    elif {"ra", "dec"} <= names:
        wcs = celestial(wcs)
        if wcs is None:
            msg = "catalog has ra and dec, but the image no celestial WCS: x_0 and y_0 are needed"
            raise ValueError(msg)
        ra = _numbers(catalog, "ra", u.deg)
        dec = _numbers(catalog, "dec", u.deg)
        x, y = _pixels_of(ra, dec, wcs)
    else:
        msg = f"catalog has the columns {catalog.colnames}: x_0 and y_0, or ra and dec are needed"
        raise ValueError(msg)
    return _far_for_nan([x, y])


def _far_for_nan(positions):
    """Positions without NaN, and without numbers that would not fit into an integer."""
    return np.clip(np.nan_to_num(positions, nan=FAR), -FAR, FAR)


def _pixels_of(ra, dec, wcs):
    """Pixels of positions in degrees, NaN where they are not the way back to the sky.

    Far from the image, the inverse of a distortion does not converge, and may end inside of it.
    """
    known = np.isfinite(ra) & (np.abs(dec) <= 90)
    sky = SkyCoord(np.where(known, ra, np.nan), np.where(known, dec, np.nan), unit="deg")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of what does not converge, which is found here
        x, y = wcs.world_to_pixel(sky)
        distance = wcs.pixel_to_world(x, y).separation(sky).arcsec
    scale, _ = local_pixels(wcs, x, y)
    there = distance < scale
    return np.where(there, x, np.nan), np.where(there, y, np.nan)


def check_positions(catalog, positions, field):
    """Raise ValueError if no row of a catalog is in the image.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        The given catalog.
    positions : (2, M) `~numpy.ndarray`
        Its pixels, from `catalog_positions`.
    field : `~sersicnet.measure.field.FieldImage`
        The image.

    Raises
    ------
    ValueError
        With the place of the image, and whether right ascensions may be in hours.
    """
    shape = field.data.shape
    if not 0 < len(catalog) == len(outside(positions, shape)):
        return
    ny, nx = shape
    msg = f"catalog: none of its {counted(len(catalog), 'row')} is in the image, which has "
    if {"x_0", "y_0"} <= set(catalog.colnames):
        msg += f"x_0 from 0 to {nx - 1} and y_0 from 0 to {ny - 1} (0-based pixels)"
        raise ValueError(msg)
    wcs = celestial(field.wcs)
    middle, corner = wcs.pixel_to_world([(nx - 1) / 2, 0], [(ny - 1) / 2, 0]).icrs
    radius = middle.separation(corner).deg
    msg += f"ra={middle.ra.deg:.5f} and dec={middle.dec.deg:.5f} deg in its middle, "
    msg += f"{radius:.3g} deg from its corners"
    ra = _numbers(catalog, "ra", u.deg)
    dec = _numbers(catalog, "dec", u.deg)
    if not (ra > 24).any():
        in_hours = _far_for_nan(_pixels_of(15 * ra, dec, wcs))
        n_there = len(ra) - len(outside(in_hours, shape))
        if n_there:
            msg += f"; {n_there} are if ra is in hours: multiply it by 15"
    raise ValueError(msg)


def _numbers(catalog, name, unit):
    """A column as floats in a unit, NaN where it is masked."""
    try:
        return to_floats(catalog[name], unit)
    except u.UnitConversionError as error:
        msg = f"catalog: the column {name!r} has the unit {catalog[name].unit}, and needs {unit}"
        raise u.UnitConversionError(msg) from error
    except (TypeError, ValueError) as error:
        needed = "degrees, as in 150.1163 for 10:00:27.9" if unit == u.deg else "pixels"
        msg = f"catalog: the column {name!r} must hold numbers ({needed}): {error}"
        raise ValueError(msg) from error


def outside(positions, shape):
    """Find the positions that are in no pixel of the image.

    Parameters
    ----------
    positions : (2, M) `~numpy.ndarray` or None
        0-based x and y.
    shape : (int, int)
        Shape of the image.

    Returns
    -------
    int `~numpy.ndarray`
        Their numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.catalog import outside
    >>> outside(np.array([[3.0, -5.0], [7.0, 7.0]]), (10, 10))
    array([1])
    """
    if positions is None:
        return np.array([], dtype=int)
    x, y = np.floor(positions + 0.5)
    return np.flatnonzero((x < 0) | (y < 0) | (x >= shape[1]) | (y >= shape[0]))


def finish_table(table, columns, wcs, catalog, *, numbered=False, group=None, extra=()):
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
    numbered : bool, optional
        Whether sources have numbers that the user gave them.
    group : callable, optional
        Function that adds the columns of groups to a table of sources.
    extra : list of `~sersicnet.parameters.Column`, optional
        Those of the columns that no other table has.

    Returns
    -------
    `~astropy.table.QTable`
    """
    if catalog is None and not numbered:
        added = np.asarray(table["flags"]) & int(Flags.COMPANION) != 0
        table = table[np.lexsort((table["peak_x"], table["peak_y"], added))]
        table["id"] = np.arange(len(table))
    else:
        table = table[np.argsort(table["row"])]
        table["id"] = table["row"]
        if catalog is not None and "id" in catalog.colnames:
            table["id"] = catalog["id"]
    if group is not None:
        group(table)
    names = [column.name for column in columns]
    if "ra" in names:
        _add_sky_positions(table, celestial(wcs))
    for column in columns:
        if column.name in ("local_background", "sky"):
            table[column.name] = u.Quantity(table[column.name], column.unit)
    table = QTable(table[names])
    describe(table)
    describe(table, {column.name: column for column in extra})
    return table


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
    q = np.full(len(table), np.nan)
    if "q_pix" in table.colnames:
        q = table["q_pix"]
    ra, dec, pa = to_sky(wcs, x.value, y.value, theta, q=q)
    table["ra"] = ra * u.deg
    table["dec"] = dec * u.deg
    table["pa"] = pa * u.deg


def check_usable(field, sky, boxes):
    """Raise ValueError unless a pixel of the image can be measured.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    boxes : list of pairs of slices
        Windows that together are the image. Reading ends at the first with a usable pixel.

    Raises
    ------
    ValueError
        If all pixels are NaN, masked, or without noise.
    """
    finite = False
    unmasked = False
    middle = len(boxes) // 2  # the first ones of a mosaic may be empty
    for box in boxes[middle:] + boxes[:middle]:
        good = np.isfinite(field.data[box])
        finite |= good.any()
        if field.mask is not None:
            good &= ~field.mask[box]
        unmasked |= good.any()
        noise = field.noise_in(box, sky)
        if (good & np.isfinite(noise) & (noise > 0)).any():
            return
    if unmasked:
        reason = f"{field.noise_name} is nowhere positive and finite"
    elif finite:
        reason = "all that are finite are masked"
    else:
        reason = "all are NaN or infinite"
    msg = f"image has no usable pixel: {reason}"
    raise ValueError(msg)


def check_noise(field, sky, mesh):
    """Compare the given noise with the scatter of the pixels of the sky; scale relative weights.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    mesh : `~sersicnet.measure.sky.SkyMesh`
        The boxes in which the sky was measured.

    Returns
    -------
    `~sersicnet.measure.sky.SkyMap`
        With a ``noise_scale`` for weights that are relative: those of an extension ``WHT``, and a
        ``weight_map`` that is far from the scatter.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the noise is less than half or more than 2.7 times the scatter.
    """
    ratios = _noise_ratios(field, sky, mesh)
    if not ratios:
        return sky
    ratio = np.median(ratios)
    doubted = not _LEAST <= ratio <= _MOST
    scaled = field.noise_name == RELATIVE or (doubted and field.noise_name == "weight_map=")
    msg = (
        f"{field.noise_name} says a noise of {ratio:.2g} times the scatter of the sky (median of "
        f"{len(ratios)} boxes)"
    )
    if scaled:
        msg = f"{msg}; it is taken as relative weights and scaled to the scatter"
        sky = replace(sky, noise_scale=float(1 / ratio))
    if doubted:
        doubt = _DOUBTS.get(field.noise_name, "is it of another kind, or in another unit?")
        warn_caller(f"{msg}: {doubt}")
    elif scaled:
        _LOG.info(msg)
    return sky


def _noise_ratios(field, sky, mesh):
    """The ratios of the given noise to the scatter of the sky, in boxes all over the image."""
    if field.noise is None:
        return []
    chosen = np.unique(np.linspace(0, np.prod(mesh.counts) - 1, _N_BOXES).astype(int))
    ratios = []
    for y, x in np.transpose(np.unravel_index(chosen, mesh.counts)):
        noise = field.noise[mesh.window((slice(y, y + 1), slice(x, x + 1)))]
        noise = noise[np.isfinite(noise) & (noise > 0)]
        scatter = sky.rms[y + 1, x + 1]  # the map has a frame of boxes around the image
        if noise.size and scatter > 0:
            ratios.append(np.median(noise) / scatter)
    return ratios


def check_saturation(level, sky, *, given):
    """Check that the level of saturation is above the sky.

    Parameters
    ----------
    level : float
        Value from which on pixels are saturated.
    sky : `~sersicnet.measure.sky.SkyMap`
        The sky of the image.
    given : bool
        Whether the user gave it; else it is that of the header.

    Raises
    ------
    ValueError
        If the user's level is not above the sky and its noise: it would mask the image.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If that of the header is not, and is not used.
    """
    if np.isinf(usable_saturation(level, sky)) == np.isinf(level):
        return
    found = f"{level:g} is not above the sky ({np.median(sky.level):.4g}) and its noise"
    if given:
        msg = f"saturation={found}: it would mask most of the image"
        raise ValueError(msg)
    msg = f"the header card SATURATE = {found}: no pixel is taken as saturated by it"
    warn_caller(msg)
