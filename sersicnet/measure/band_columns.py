"""The columns of a catalog of several bands, known before anything is measured."""

from dataclasses import replace

from sersicnet.diagnostics.schema import COLUMNS, band_columns, part_columns
from sersicnet.inference.choose import model_of
from sersicnet.measure.shown import columns_of
from sersicnet.model.choice import ModelChoice, column_name
from sersicnet.parameters import ALL_PARAMETERS, PARAMETERS
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["NOT_OF_BANDS", "base_columns", "columns_of_bands", "columns_of_model", "with_bands"]

# Columns of an image that several bands do not have: each has its own sky.
NOT_OF_BANDS = ("sky", "prob_star")

# Columns that are in the unit of an image.
_OF_IMAGE = ("sky", "local_background")


def columns_of_model(model):
    """Make the columns of the parts of sources, and of models that are compared.

    Parameters
    ----------
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.

    Returns
    -------
    list of `~sersicnet.parameters.Column`

    Examples
    --------
    >>> from sersicnet import Model
    >>> from sersicnet.measure.band_columns import columns_of_model
    >>> [column.name for column in columns_of_model(Model.auto(("sersic", "point")))][:3]
    ['model', 'prob_sersic', 'prob_point']
    """
    columns = []
    if isinstance(model, ModelChoice):
        columns.append(COLUMNS["model"])
        columns += [COLUMNS[column_name("prob", name)] for name in model.models]
        if {"point", "sersic"} <= set(model.models):
            columns.append(COLUMNS["prob_star"])
        columns += [COLUMNS[column_name("log_evidence", name)] for name in model.models]
    elif model.name in PROFILE_SHAPES:
        for name in PROFILE_SHAPES[model.name].names:
            columns += [] if name in PARAMETERS else ALL_PARAMETERS[name].columns
    parts = _parts(model)
    return [*columns, *_with_first_shares(part_columns(parts), parts)]


def _parts(model):
    """Return name and profile of each part of models of several parts, the first of each model."""
    models = [model]
    if isinstance(model, ModelChoice):
        models = map(model_of, model.models)
    found = {}
    for each in models:
        parts = each.combination.parts
        for number, part in enumerate(parts if len(parts) > 1 else ()):
            found[part] = found.get(part, False) or number == 0
    return found


def _with_first_shares(columns, parts):
    """Return columns without the shares of parts that are first in no model."""
    others = tuple(f"{name}_to_total" for (name, _), is_first in parts.items() if not is_first)
    return [column for column in columns if not column.name.startswith(others)]


def columns_of_bands(bands, model):
    """Make the columns of what is measured in each band.

    Parameters
    ----------
    bands : dict of `~sersicnet.measure.band_cutouts.ImageBand`
        The bands, the reference first.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
    """
    columns = []
    first = next(iter(bands))
    parts = _parts(model)
    for band, image in bands.items():
        own = _with_first_shares(band_columns([band], parts), parts)
        name = f"local_background_{band}"
        about = f"{COLUMNS['local_background'].description}, in {band}"
        own.append(replace(COLUMNS["local_background"], name=name, description=about))
        for column in own:
            is_shift = column.name.removesuffix("_err") in (f"x_shift_{band}", f"y_shift_{band}")
            if column.name in (f"sky_{band}", name):
                column = replace(column, unit=image.measurement.field.unit)
            if not (is_shift and band == first):
                columns.append(column)
    return columns


def base_columns(reference, model):
    """Make the other columns of the catalog.

    Parameters
    ----------
    reference : `~sersicnet.measure.tiles.Measurement`
        The image of the reference band.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
    """
    others = set(NOT_OF_BANDS)
    if isinstance(model, ModelChoice):
        others.add("log_evidence")  # each model has its own
    return [column for column in columns_of(reference) if column.name not in others]


def with_bands(columns, of_bands):
    """Put the columns of bands in front of the flags.

    Parameters
    ----------
    columns, of_bands : list of `~sersicnet.parameters.Column`
        From `base_columns` and `columns_of_bands`.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
    """
    place = [column.name for column in columns].index("flags")
    return [*columns[:place], *of_bands, *columns[place:]]
