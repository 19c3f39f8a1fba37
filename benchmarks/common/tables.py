"""Tables of scores as CSV files that the documentation includes."""

import csv

import numpy as np

from sersicnet.diagnostics.scores import binned_score, score_table


def write_scores(predicted, truth, path, *, parameters, edges=None, decimals=4):
    """Write the scores of all galaxies, or in bins of true magnitude, to a CSV file.

    Parameters
    ----------
    predicted, truth : `~astropy.table.QTable`
        See `sersicnet.diagnostics.compare`.
    path : path
        The file.
    parameters : tuple of str
        What is scored.
    edges : sequence of float, optional
        Of the bins of magnitude.
    decimals : int
        After the point.

    Returns
    -------
    `~astropy.table.QTable`
        What was written, before rounding.
    """
    if edges is None:
        scores = score_table(predicted, truth, parameters=parameters)
    else:
        scores = binned_score(predicted, truth, edges=edges, parameters=parameters)
    write_rounded(scores, path, decimals=decimals)
    return scores


def write_rounded(table, path, *, decimals=4):
    """Write a table to a CSV file with rounded numbers and without units."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.colnames)
        for row in table:
            writer.writerow([_text(row[name], decimals) for name in table.colnames])


def _text(value, decimals):
    value = getattr(value, "value", value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.{decimals}f}" if np.isfinite(value) else ""
    return str(value)
