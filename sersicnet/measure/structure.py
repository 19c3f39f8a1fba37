"""The structure of the sources of a catalog in the pixels of an image, for forced photometry."""

from dataclasses import dataclass, replace

import astropy.units as u
import numpy as np

from sersicnet._caller import warn_caller
from sersicnet._words import counted
from sersicnet.measure.catalog import FAR
from sersicnet.measure.option_values import has_free_position
from sersicnet.measure.pixels import pixels_at
from sersicnet.measure.positions import grid_doubt
from sersicnet.model.labels import components, stack_labels
from sersicnet.model.prior import N_LIMITS
from sersicnet.parameters import PARAMETERS, pixel_shape_of, to_floats
from sersicnet.preprocessing.ellipses import TOLERANCE, elongation, in_pixels, unstretched
from sersicnet.preprocessing.pixels import celestial

__all__ = ["Structure", "structure_in", "structure_of"]

_SHAPE = ("r_eff", "n", "q")
_POSITION = ("x_0", "y_0")
# Smallest half-light radius in pixels: that of a point source.
_SMALLEST = 0.01
# Flux, in units of the noise of a pixel, that a solution starts from where a catalog has none.
_UNKNOWN_MAG = 25.0


@dataclass(frozen=True, eq=False)
class Structure:
    """What is known of the M rows of a catalog.

    Attributes
    ----------
    labels : (M, 7) `~numpy.ndarray`
        Labels in pixels of the image: fluxes in its unit, centers in its 0-based pixels. NaN where
        something is missing or impossible.
    errors : (M, 7) `~numpy.ndarray`
        Their errors in the catalog, 0 where it has none.
    values : dict of (M,) `~numpy.ndarray`
        ``r_eff`` (arcsec), ``n``, ``q``; ``r_eff_pix``, ``q_pix`` and ``theta`` (degrees) in pixels
        of the image.
    """

    labels: np.ndarray
    errors: np.ndarray
    values: dict

    @property
    def usable(self):
        """Rows that have all, (M,) bool."""
        return np.isfinite(self.labels).all(axis=1)


def structure_of(catalog, positions, field, *, pixel_scale, zeropoint):
    """Carry sizes, shapes and positions of a catalog to an image.

    On another grid of pixels, the ellipse on the sky is kept: ``r_eff``, ``q`` and ``pa``.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        Table with ``r_eff``, ``n`` and ``q``, and ``pa`` (with ``ra`` and ``dec``) or ``theta``
        (with ``x_0`` and ``y_0`` of this image). ``mag`` is where solutions start.
    positions : (2, M) `~numpy.ndarray`
        Their 0-based x and y in the image.
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    pixel_scale : float, `~astropy.units.Quantity` or None
        As in `~sersicnet.measure.Options`.
    zeropoint : float
        AB magnitude of a flux of 1 in the image.

    Returns
    -------
    Structure

    Raises
    ------
    ValueError
        If a column is missing, or the ellipses are those in pixels of another image.
    """
    names = set(catalog.colnames)
    missing = [name for name in _SHAPE if name not in names]
    if missing:
        msg = f"catalog has no column {', '.join(missing)}: fixed= needs r_eff, n, q and an angle"
        raise ValueError(msg)
    values = {}
    for name in _SHAPE:
        values[name] = _numbers(catalog, name, PARAMETERS[name].unit)
    x, y = positions
    scale, stretch = pixels_at(field, x, y, pixel_scale)
    on_sky = {"ra", "dec", "pa"} <= names and celestial(field.wcs) is not None
    if on_sky:
        pa = _numbers(catalog, "pa", u.deg)
        found = _ellipses(values, pa, stretch)
        r_eff, q, theta = found
        r_eff = r_eff / scale
    else:
        _check_same_grid(catalog, names, field)
        r_eff, q, theta = _in_same_pixels(catalog, values, scale, stretch)
    values |= {"theta": theta, "r_eff_pix": r_eff, "q_pix": q}
    with np.errstate(invalid="ignore", divide="ignore"):
        log_r_eff = np.log10(np.maximum(r_eff, _SMALLEST))
        e1, e2 = components(q, np.radians(theta))
    log_flux = _log_flux(catalog, names, zeropoint)
    labels = {"log_flux": log_flux, "log_r_eff": log_r_eff, "n": values["n"], "e1": e1, "e2": e2}
    labels = stack_labels(labels | {"dx": x, "dy": y})
    labels[~_are_possible(values, x, y)] = np.nan
    return Structure(labels, _errors(catalog, names, values, scale), values)


def structure_in(measurement):
    """Carry the catalog of a measurement to its image, as `structure_of` does.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image, with ``catalog`` among its options.

    Returns
    -------
    Structure
        Rows with a negative error that counts are not usable.

    Raises
    ------
    ValueError
        As `structure_of`, or if errors of positions are wanted that are in unknown pixels.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        With the column, if errors that count are negative.
    """
    options = measurement.options
    counting = ()
    if options.catalog_errors:
        counting = (*_SHAPE, "theta", *_POSITION)
    elif has_free_position(options.fixed):
        counting = _POSITION
    if counting:
        _check_errors(options.catalog)
    found = structure_of(
        options.catalog,
        measurement.positions,
        measurement.field,
        pixel_scale=options.pixel_scale,
        zeropoint=measurement.zeropoint,
    )
    return _without_negative(found, options.catalog, counting)


def _without_negative(structure, catalog, counting):
    """Return the structure without rows that have a negative error of some parameters."""
    labels = structure.labels.copy()
    for name in counting:
        column = f"{name}_err"
        if column not in catalog.colnames:
            continue
        with np.errstate(invalid="ignore"):
            negative = _numbers(catalog, column, PARAMETERS[name].unit) < 0
        if negative.any():
            n_rows = counted(np.count_nonzero(negative), "row")
            warn_caller(f"catalog: {column} is negative in {n_rows} (PREDICTION_FAILED, no flux)")
        labels[negative] = np.nan
    return replace(structure, labels=labels)


def _numbers(catalog, name, unit):
    """Return a column as floats in a unit, NaN where it is masked."""
    try:
        return to_floats(catalog[name], unit)
    except u.UnitConversionError as error:
        own = catalog[name].unit
        msg = f"catalog: the column {name!r} has the unit {own}, and needs {unit or 'none'}"
        raise u.UnitConversionError(msg) from error


def _check_errors(catalog):
    """Raise ValueError if a catalog has errors of positions in pixels of an unknown size."""
    names = {"x_0_err", "y_0_err"} & set(catalog.colnames)
    if names and "x_0" not in catalog.colnames and "PIXSCALE" not in catalog.meta:
        msg = (
            f"errors of positions count, and the catalog has {', '.join(sorted(names))} in pixels "
            "of another image. Give their size in arcsec, catalog.meta['PIXSCALE'], or leave these "
            "columns out"
        )
        raise ValueError(msg)


def _ellipses(values, pa, stretch):
    """Ellipses in pixels, times the pixel scale, of those on the sky; NaN where not known."""
    known = np.isfinite(values["r_eff"] + values["q"] + pa)
    found = np.full((3, len(pa)), np.nan)
    if known.any():
        r_eff = np.maximum(values["r_eff"][known], np.finfo(float).tiny ** 0.25)
        found[:, known] = in_pixels(r_eff, values["q"][known], pa[known], stretch[known])
    return found


def _check_same_grid(catalog, names, field):
    """Raise ValueError unless the ellipses of a catalog are in pixels of this image."""
    if not {"x_0", "y_0", "theta"} <= names:
        msg = (
            "catalog needs ra, dec and pa to be carried to an image with a celestial WCS, or x_0, "
            "y_0 and theta in pixels of this image"
        )
        raise ValueError(msg)
    doubt = grid_doubt(catalog, field.wcs)
    if doubt is not None:
        msg = f"catalog: {doubt}: pa is needed to carry ellipses to another image"
        raise ValueError(msg)


def _in_same_pixels(catalog, values, scale, stretch):
    """Ellipses of a catalog of this image: half-light radius in pixels, axis ratio and angle."""
    theta = _numbers(catalog, "theta", u.deg)
    if pixel_shape_of(catalog):
        r_eff = _numbers(catalog, "r_eff_pix", u.pix)
        return r_eff, _numbers(catalog, "q_pix", None), theta
    square = elongation(stretch) <= 1 + TOLERANCE
    with np.errstate(all="ignore"):
        r_eff, q = unstretched(values["r_eff"], values["q"], theta, stretch)
    r_eff = np.where(square, values["r_eff"], r_eff)
    return r_eff / scale, np.where(square, values["q"], q), theta


def _log_flux(catalog, names, zeropoint):
    """Logarithms of the fluxes that solutions start from."""
    mag = np.full(len(catalog), _UNKNOWN_MAG)
    if "mag" in names:
        given = _numbers(catalog, "mag", u.ABmag)
        mag = np.where(np.isfinite(given), given, _UNKNOWN_MAG)
    return -0.4 * (mag - zeropoint)


def _are_possible(values, x, y):
    """Rows whose values are those of a galaxy in an image."""
    with np.errstate(invalid="ignore"):
        possible = (values["r_eff"] >= 0) & (values["q"] > 0) & (values["q"] <= 1)
        possible &= (values["n"] >= N_LIMITS[0]) & (values["n"] <= N_LIMITS[1])
    return possible & (np.abs(x) < FAR) & (np.abs(y) < FAR) & np.isfinite(values["theta"])


def _errors(catalog, names, values, scale):
    """Errors of the labels that a catalog has, those of size, index, shape and position."""
    found = {}
    for name in (*_SHAPE, "theta", *_POSITION):
        column = f"{name}_err"
        error = np.zeros(len(catalog))
        if column in names:
            error = np.nan_to_num(_numbers(catalog, column, PARAMETERS[name].unit))
        found[name] = error
    if "x_0" not in names:  # errors are in pixels of the image that the catalog was measured in
        in_pixels_here = catalog.meta.get("PIXSCALE", 0.0) / scale  # which a call has checked
        found["x_0"] = found["x_0"] * in_pixels_here
        found["y_0"] = found["y_0"] * in_pixels_here
    with np.errstate(invalid="ignore", divide="ignore"):
        log_r_eff = found["r_eff"] / values["r_eff"] / np.log(10)
    q = values["q"]
    angle = 2 * np.radians(values["theta"])
    size = (1 - q) / (1 + q)
    along = 2 * found["q"] / (1 + q) ** 2
    across = 2 * np.radians(found["theta"]) * size
    e1 = np.hypot(along * np.cos(angle), across * np.sin(angle))
    e2 = np.hypot(along * np.sin(angle), across * np.cos(angle))
    labels = {"log_flux": np.zeros(len(catalog)), "log_r_eff": log_r_eff, "n": found["n"]}
    labels |= {"e1": e1, "e2": e2, "dx": found["x_0"], "dy": found["y_0"]}
    return np.nan_to_num(stack_labels(labels), posinf=0.0)
