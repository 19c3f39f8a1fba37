"""Priors of the sources of an image, from the columns of its catalog."""

import numpy as np

from sersicnet._caller import warn_caller
from sersicnet.diagnostics.schema import tension_column
from sersicnet.measure.detection import cutout_box
from sersicnet.model.choice import ModelChoice
from sersicnet.model.description import Model
from sersicnet.model.given import divided
from sersicnet.model.known_columns import has_priors, prior_columns, prior_names

__all__ = ["columns_of_tensions", "model_for", "priors_in", "with_fit"]


def columns_of_tensions(options):
    """Return the columns of the tensions of priors.

    Parameters
    ----------
    options : `~sersicnet.measure.Options`
        Options of an image, whose catalog is a table.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
        Those of a catalog and of a model; empty without priors.
    """
    if options.fixed:
        return []
    names = []
    if not isinstance(options.fitted, ModelChoice):
        names += divided(options.fitted.settings)[1]
    if options.catalog is not None:
        names += prior_names(options.catalog)
    return [tension_column(name) for name in names]


def priors_in(options):
    """Return the priors of the rows of a catalog.

    Parameters
    ----------
    options : `~sersicnet.measure.Options`
        Options of an image, whose catalog is a table.

    Returns
    -------
    `~sersicnet.Model` or None

    Raises
    ------
    ValueError, `~astropy.units.UnitConversionError`
        As `~sersicnet.Model.from_table`.
    """
    if options.catalog is None or options.fixed or not has_priors(options.catalog):
        return None
    return Model.from_table(options.catalog)


def with_fit(options):
    """Return options with a fit where the catalog has priors, or a model needs it.

    Parameters
    ----------
    options : `~sersicnet.measure.Options`
        Options of an image, whose catalog is a table.

    Returns
    -------
    `~sersicnet.measure.Options`

    Raises
    ------
    ValueError, `~astropy.units.UnitConversionError`
        If a prior is impossible, or there is another model as well.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        With the columns of priors that forced photometry does not use.
    """
    known = priors_in(options)
    if options.fixed and has_priors(options.catalog):
        names = ", ".join(prior_columns(options.catalog.colnames))
        warn_caller(f"catalog: {names} not used: fixed= takes the structure as it is")
    if known is not None and not options.fitted.is_free:
        msg = f"model={options.fitted!r} and a catalog with priors, which are of one Sersic profile"
        raise ValueError(msg)
    if options.refine is not None or (known is None and options.fitted.is_free):
        return options
    return options.replace(refine="lm")


def model_for(measurement, part):
    """Return the model of some sources, with priors in pixels of their cutouts.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    part : `~astropy.table.Table`
        Rows of detection of the sources.

    Returns
    -------
    `~sersicnet.Model` or str
    """
    if measurement.priors is None:
        return "sersic"
    corners = np.array([cutout_box(source)[::-1, 0] for source in part])
    return measurement.priors.at(np.asarray(part["row"]), corners)
