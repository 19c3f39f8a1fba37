"""The columns of the parts of a survey: the same, whatever the images are."""

from dataclasses import replace

import astropy.units as u
import numpy as np
from astropy.table import QTable

from sersicnet.diagnostics.schema import COLUMNS, describe
from sersicnet.inference.refine import check_refinement

__all__ = ["complete_columns", "complete_draws"]

_SKY_POSITION = ("ra", "dec", "pa")
# The parameter that each column of an ellipse in pixels needs.
_ELLIPSE = {"r_eff_pix": "r_eff", "q_pix": "q"}


def complete_columns(table, refinements=()):
    """Add the columns that the catalog of another image of the survey may have, in one order.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Catalog of `~sersicnet.measure.measure_image`.
    refinements : iterable of None, str or refinement, optional
        The refinements of all images, as in `~sersicnet.SersicNet.predict`.

    Returns
    -------
    `~astropy.table.QTable`
        With NaN in columns that do not apply: ``ra``, ``dec`` and ``pa`` without a WCS, and those
        of other refinements. Where pixels are square, ``r_eff_pix`` and ``q_pix`` are ``r_eff`` in
        pixels and ``q``.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from sersicnet.survey.columns import complete_columns
    >>> table = QTable({"r_eff": [0.3] * u.arcsec, "flags": [0]}, meta={"PIXSCALE": 0.1})
    >>> complete_columns(table).colnames
    ['r_eff', 'ra', 'dec', 'r_eff_pix', 'flags']
    """
    table = table.copy(copy_data=False)
    added = []
    for column in _possible_columns(table, refinements):
        name = column.name
        added.append(name)
        if name in table.colnames:
            continue
        if name in _ELLIPSE:
            table[name] = column.with_unit(_in_square_pixels(table, name))
        else:
            table[name] = column.blank(len(table))
    describe(table)
    names = [name for name in table.colnames if name not in added]
    place = names.index("flags")
    return table[names[:place] + added + names[place:]]


def complete_draws(draws, table):
    """Add the draws that another image of the survey may have, in one order.

    Parameters
    ----------
    draws : `~astropy.table.QTable`
        Draws of the sources of an image, from `~sersicnet.measure.draws.take_draws`.
    table : `~astropy.table.QTable`
        Their catalog, from `complete_columns`.

    Returns
    -------
    `~astropy.table.QTable`
        In the order of the catalog: ``sky``, NaN where it was not fitted, and ``r_eff_pix`` and
        ``q_pix`` also where pixels are square.
    """
    complete = QTable({"id": draws["id"]}, meta=dict(draws.meta))
    shape = draws[draws.colnames[1]].shape
    for name in table.colnames:
        if name in draws.colnames:
            complete[name] = draws[name]
        elif name in _ELLIPSE and _ELLIPSE[name] in draws.colnames:
            complete[name] = COLUMNS[name].with_unit(_in_square_pixels(draws, name))
        elif name == "sky":
            complete[name] = u.Quantity(np.full(shape, np.nan, np.float32), table[name].unit)
    return complete


def _possible_columns(table, refinements):
    """Columns that are not in the catalogs of all images, in their order."""
    columns = {}
    for refine in refinements:
        refinement = check_refinement(refine)
        if refinement is not None:
            columns |= {column.name: column for column in refinement.columns}
    if "sky" in columns:
        unit = table["local_background"].unit
        columns["sky"] = replace(columns["sky"], unit=unit or u.dimensionless_unscaled)
    columns |= {name: COLUMNS[name] for name in _SKY_POSITION}
    if "theta" not in table.colnames:
        del columns["pa"]
    for name, parameter in _ELLIPSE.items():
        if parameter in table.colnames:
            columns[name] = COLUMNS[name]
    return list(columns.values())


def _in_square_pixels(table, name):
    """Radii or axis ratios of ellipses in pixels that are square."""
    values = table[_ELLIPSE[name]]
    if name == "r_eff_pix":
        return values.to_value(u.arcsec) / table.meta["PIXSCALE"]
    return values
