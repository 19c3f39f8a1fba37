"""Galaxies of several parts on a page: their columns in a table, and labels of their models."""

import numpy as np

from sersicnet.model.labels import PROFILE_LABELS, stack_labels
from sersicnet.parameters import ALL_PARAMETERS, PARAMETERS, to_floats
from sersicnet.profile_shapes import PROFILE_SHAPES, parameters_of

__all__ = ["column_groups", "part_labels", "part_values", "parts_of"]

_SHARE = "_to_total"
# Ends of names of columns that are those of no part.
_NO_PARTS = ("err", "lo", "hi", "population")


def parts_of(table):
    """Return the parts of the galaxies of a table.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Measured galaxies.

    Returns
    -------
    tuple of (str, str)
        Name and profile of each part: none of one Sersic profile, nor where a table has several
        models. The name of a point source alone, and of another profile than Sersic's, is empty.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.report.parts import parts_of
    >>> names = ["agn_to_total", "mag_agn", "mag_host", "r_eff_host"]
    >>> parts_of(Table({name: [1.0] for name in names}))
    (('agn', 'point'), ('host', 'sersic'))
    """
    model = str(table.meta.get("MODEL", "")).partition(",")[0].partition(" ")[0]
    if model in ("point", *PROFILE_SHAPES):
        return (("", model),)
    parts = []
    for column in table.colnames:
        name = column.removeprefix("mag_")
        if name == column or name.endswith(_NO_PARTS):
            continue
        if f"r_eff_{name}" in table.colnames:
            parts.append((name, "sersic"))
        elif f"{name}{_SHARE}" in table.colnames:
            parts.append((name, "point"))
    n_shares = sum(name.endswith(_SHARE) for name in table.colnames)
    if len(parts) != 2 or n_shares != 1:
        return ()
    kinds = model.split("+")
    if PROFILE_SHAPES.keys() & set(kinds):
        profiles = ["sersic" if kind == "exp" else kind for kind in kinds]
        return tuple((name, own) for (name, _), own in zip(parts, profiles, strict=True))
    return tuple(parts)


def column_groups(table):
    """Return the columns of parts, bands and populations that have errors, by what they are of.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Measured galaxies.

    Returns
    -------
    dict of list of str

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.report.parts import column_groups
    >>> names = ["mag", "mag_err", "mag_g", "mag_g_err", "r_eff_disk", "r_eff_disk_err"]
    >>> column_groups(Table({name: [1.0] for name in names}))
    {'g': ['mag_g'], 'disk': ['r_eff_disk']}
    """
    groups = {}
    known = set(table.colnames)
    for column in table.colnames:
        if f"{column}_err" not in known:
            continue
        part = column.removesuffix(_SHARE)
        for name in ALL_PARAMETERS:
            if part.startswith(f"{name}_"):
                part = part.removeprefix(f"{name}_")
                break
        if part != column and part not in PARAMETERS:
            groups.setdefault(part, []).append(column)
    return groups


def part_values(table, parts):
    """Return the parameters of parts, by the names of columns.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Measured galaxies.
    parts : tuple of (str, str)
        Their parts.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
        In the units of `~sersicnet.parameters.PARAMETERS`.
    """
    found = {}
    for part, profile in parts:
        for name in parameters_of(profile):
            column = _column(name, part)
            if column not in table.colnames:
                msg = f"results have no column {column!r}, which a model of {part} needs"
                raise ValueError(msg)
            found[column] = to_floats(table[column], ALL_PARAMETERS[name].unit)
    return found


def part_labels(values, parts, frame):
    """Return labels of all parts, and the logarithm of the radius of the largest, in pixels.

    Parameters
    ----------
    values : dict of (N,) `~numpy.ndarray`
        Parameters on the sky by the names of columns.
    parts : tuple of (str, str)
        Parts of the galaxies.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of their stamps.

    Returns
    -------
    labels : (N, K) `~numpy.ndarray`
        NaN where something is not known.
    size : (N,) `~numpy.ndarray`
    """
    labels = []
    size = np.full(len(frame), -np.inf)
    for part, profile in parts:
        own = {name: values[_column(name, part)] for name in parameters_of(profile)}
        own = frame.in_pixels(own | {"x_0": values["x_0"], "y_0": values["y_0"]})
        found = frame.to_labels(own, tuple(own))
        if profile != "point":
            size = np.fmax(size, found["log_r_eff"])
        labels.append(stack_labels(found, names=PROFILE_LABELS[profile]))
    return np.concatenate(labels, axis=1), size


def _column(name, part):
    """Name of the column of a parameter of a part."""
    return f"{name}_{part}" if part else name
