"""The catalog of an image as the user wants it: some columns, with the names of a dialect."""

from sersicnet.diagnostics.dialects import shown_table
from sersicnet.diagnostics.fluxes import with_fluxes
from sersicnet.diagnostics.schema import COLUMNS
from sersicnet.measure.columns import blank_table, catalog_columns, source_columns
from sersicnet.measure.draws import Draws, take_draws
from sersicnet.measure.forced import forced_columns
from sersicnet.measure.groups import grouping
from sersicnet.measure.model_columns import in_front_of_flags, with_model
from sersicnet.measure.option_values import has_free_position
from sersicnet.measure.pixels import has_one_pixel_scale
from sersicnet.measure.priors import columns_of_tensions
from sersicnet.measure.star_catalog import NAME
from sersicnet.preprocessing.pixels import celestial

__all__ = ["check_shown", "columns_of", "draws_of", "tile_columns_of"]


def columns_of(measurement):
    """Return the columns of the catalog of an image, which its call determines.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
        With those of draws, which are taken out of the catalog when it is complete.
    """
    return _with_draws(_columns_of(measurement), draws_of(measurement))


def draws_of(measurement):
    """Return what of the posteriors the user wants beside quantiles.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.

    Returns
    -------
    `~sersicnet.measure.draws.Draws` or None
    """
    return Draws.wanted(measurement.options, _columns_of(measurement))


def _with_draws(columns, draws):
    """Put the columns of draws in front of the flags."""
    return columns if draws is None else in_front_of_flags(columns, draws.columns)


def _columns_of(measurement):
    """Return all columns of the catalog of an image but those of draws."""
    unit = measurement.field.unit
    on_sky = celestial(measurement.field.wcs) is not None
    one_pixel_scale = has_one_pixel_scale(measurement.field, measurement.options.pixel_scale)
    if measurement.options.fixed:
        return forced_columns(
            unit=unit,
            celestial=on_sky,
            one_pixel_scale=one_pixel_scale,
            free_position=has_free_position(measurement.options.fixed),
            stars=measurement.stars is not None,
        )
    columns = catalog_columns(
        measurement.net.parameters_,
        measurement.options.refine,
        judged=measurement.judged,
        population=measurement.population is not None,
        morphology=measurement.options.morphology,
        known=_known_columns(measurement),
        grouped=grouping(measurement) is not None,
        unit=unit,
        celestial=on_sky,
        one_pixel_scale=one_pixel_scale,
    )
    return with_fluxes(with_model(columns, measurement.options.fitted))


def tile_columns_of(measurement):
    """Return the columns of the sources of a tile, before the catalog is finished.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
    """
    columns = source_columns(
        measurement.net.parameters_,
        measurement.options.refine,
        judged=measurement.judged,
        population=measurement.population is not None,
        joint=measurement.joint,
        morphology=measurement.options.morphology,
        known=_known_columns(measurement),
    )
    columns = with_model(columns, measurement.options.fitted)
    return _with_draws(columns, draws_of(measurement))


def _known_columns(measurement):
    """Return the columns of what the user knows of sources: priors and stars."""
    columns = columns_of_tensions(measurement.options)
    if measurement.stars is not None:
        columns.append(COLUMNS[NAME])
    return columns


def check_shown(measurement, columns, dialect):
    """Raise ValueError, before hours of work, if columns will not be there.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    columns, dialect
        As in `~sersicnet.measure.measure_image`.

    Raises
    ------
    ValueError
        If there is no such dialect, or no column of such a name.
    """
    empty = blank_table(columns_of(measurement), 0)
    take_draws(empty)
    shown_table(empty, columns, dialect, pixel_scale=measurement.pixel_scale)
