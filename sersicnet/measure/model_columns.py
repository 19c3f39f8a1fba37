"""The columns of models in catalogs: those of parts, and of models that are compared."""

from sersicnet.diagnostics.schema import COLUMNS, part_columns
from sersicnet.inference.choose import model_of
from sersicnet.model.choice import ModelChoice, column_name
from sersicnet.parameters import ALL_PARAMETERS, PARAMETERS
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["columns_of_model", "in_front_of_flags", "parts_of", "with_first_shares", "with_model"]

# Columns of one profile that changes with wavelength.
_SLOPES = ("r_eff_slope", "r_eff_slope_err", "n_slope", "n_slope_err")


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
    >>> from sersicnet.measure.model_columns import columns_of_model
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
    if model.chromatic:
        columns += [COLUMNS[name] for name in _SLOPES]
    parts = parts_of(model)
    return [*columns, *with_first_shares(part_columns(parts), parts)]


def with_model(columns, model):
    """Add the columns of a model to those of one Sersic profile.

    Parameters
    ----------
    columns : list of `~sersicnet.parameters.Column`
        Columns of a catalog.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
        With the columns of the model in front of the flags.
    """
    added = columns_of_model(model)
    others = {column.name for column in added}
    if isinstance(model, ModelChoice):
        others.add("log_evidence")  # each model has its own
    columns = [column for column in columns if column.name not in others]
    return in_front_of_flags(columns, added)


def in_front_of_flags(columns, added):
    """Put columns in front of the flags.

    Parameters
    ----------
    columns, added : list of `~sersicnet.parameters.Column`
        Columns of a catalog, and others.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
    """
    place = [column.name for column in columns].index("flags")
    return [*columns[:place], *added, *columns[place:]]


def parts_of(model):
    """Find the parts of models of several parts.

    Parameters
    ----------
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.

    Returns
    -------
    dict of bool
        By name and profile of each part, whether it is the first of a model.
    """
    models = [model]
    if isinstance(model, ModelChoice):
        models = map(model_of, model.models)
    found = {}
    for each in models:
        parts = each.combination.parts
        for number, part in enumerate(parts if len(parts) > 1 else ()):
            found[part] = found.get(part, False) or number == 0
    return found


def with_first_shares(columns, parts):
    """Leave out the shares of parts that are first in no model.

    Parameters
    ----------
    columns : list of `~sersicnet.parameters.Column`
        Columns of parts.
    parts : dict of bool
        From `parts_of`.

    Returns
    -------
    list of `~sersicnet.parameters.Column`
    """
    others = tuple(f"{name}_to_total" for (name, _), is_first in parts.items() if not is_first)
    return [column for column in columns if not column.name.startswith(others)]
