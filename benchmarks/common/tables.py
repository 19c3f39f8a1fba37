"""Tables of scores: columns as plain numbers, and CSV files that the documentation includes."""

import csv

import numpy as np

from sersicnet.diagnostics import binned_score, score_table
from sersicnet.io import atomic_path

# Standard deviation of a normal distribution over its median absolute deviation.
NMAD_FACTOR = 1.4826


def plain(column):
    """Return a column as an array of floats, without its unit."""
    return np.asarray(getattr(column, "value", column), float)


def share(chosen):
    """Return the share of True in a bool array, NaN if the array is empty."""
    if len(chosen) == 0:
        return np.nan
    return np.mean(chosen)


def write_scores(predicted, truth, path, *, parameters, edges=None, decimals=4):
    """Write the scores of all galaxies, or those in bins of true magnitude, to a CSV file.

    Parameters
    ----------
    predicted, truth : `~astropy.table.QTable`
        Measured and true values: see `sersicnet.diagnostics.compare`.
    path : `~pathlib.Path`
        File to write.
    parameters : tuple of str
        Parameters to score.
    edges : sequence of float, optional
        Edges of the bins of magnitude.
    decimals : int
        Number of digits after the decimal point.

    Returns
    -------
    `~astropy.table.QTable`
        The scores, before they are rounded.
    """
    if edges is None:
        scores = score_table(predicted, truth, parameters=parameters)
    else:
        scores = binned_score(predicted, truth, edges=edges, parameters=parameters)
    write_rounded(scores, path, decimals=decimals)
    return scores


def write_rounded(table, path, *, decimals=4):
    """Write a table to a CSV file with rounded numbers and without units.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Table to write.
    path : `~pathlib.Path`
        File to write, in a directory that need not exist.
    decimals : int
        Number of digits after the decimal point.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.colnames)
        for row in table:
            writer.writerow([_text(row[name], decimals) for name in table.colnames])


def print_table(table):
    """Print all rows and columns of a table."""
    print(*table.pformat(max_lines=-1, max_width=-1), sep="\n", flush=True)


def _text(value, decimals):
    value = getattr(value, "value", value)
    if not isinstance(value, (float, np.floating)):
        return str(value)
    if np.isfinite(value):
        return f"{value:.{decimals}f}"
    return ""
