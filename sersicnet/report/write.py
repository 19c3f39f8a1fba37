"""A page about a catalog: one HTML file with figures, and a table that opens each galaxy.

The page is made with `Bokeh <https://docs.bokeh.org/>`__, part of ``sersicnet[report]``. It holds
all that it needs, and opens from disk without a network.
"""

from pathlib import Path

import numpy as np

from sersicnet import __version__
from sersicnet.diagnostics.columns import as_table
from sersicnet.diagnostics.scores import parameter_values, split_truth
from sersicnet.io.files import atomic_path, check_folder
from sersicnet.parameters import PARAMETERS

try:
    from sersicnet.report.data import (
        ReportData,
        page_columns,
        quantile_curves,
        sample_curves,
        shown_parameters,
        split_normal_samples,
    )
    from sersicnet.report.page import page_html
    from sersicnet.report.pictures import galaxy_pictures
except ImportError as error:
    msg = (
        "sersicnet.report needs bokeh: pip install 'sersicnet[report]' ('.[report]' in a checkout)"
    )
    raise ImportError(msg) from error

__all__ = ["write_report"]

# Draws from each posterior, for its figures and for the calibration.
_N_SAMPLES = 128


def write_report(
    results,
    path,
    *,
    truth=None,
    cutouts=None,
    psf=None,
    psf_oversampling=1,
    normalize_psf=True,
    pixel_scale=None,
    zeropoint=None,
    title=None,
):
    """Write a page about measured galaxies.

    Parameters
    ----------
    results : `~sersicnet.SersicResults` or `~astropy.table.Table`
        The galaxies. Results bring samples of their posteriors; of a catalog, such as
        ``to_table`` gives, all that is known is in its quantiles.
    path : str or path
        The HTML file, which is replaced if it exists.
    truth : `~astropy.table.Table` or dict, optional
        True values, a row a galaxy in the same order; by default those in columns ``true_<p>``
        of the catalog, if there are any.
    cutouts : sequence of `~astropy.nddata.NDData` or None, or 3-D NDData or array, optional
        What the galaxies were measured in, in the same order, for pictures of image, model and
        residual; None where there is no cutout.
    psf, psf_oversampling, normalize_psf, pixel_scale, zeropoint
        Of the cutouts, as in `~sersicnet.SersicNet.predict`.
    title : str, optional
        By default the name of the file.

    Returns
    -------
    `~pathlib.Path`
        The file.

    Raises
    ------
    ValueError
        If the catalog has no galaxies or none of the parameters, or truth or cutouts are not
        one a row.
    TypeError, `~astropy.units.UnitConversionError`
        If a column has a wrong unit, or the cutouts make no sense.
    FileNotFoundError
        If the folder of ``path`` is not there.
    """
    table = as_table(results, "results")
    path = Path(path)
    check_folder(path)
    if truth is None and any(name.startswith("true_") for name in table.colnames):
        table, truth = split_truth(table)
    elif truth is not None:
        truth = as_table(truth, "truth")
    parameters = tuple(name for name in PARAMETERS if name in table.colnames)
    if not parameters or not len(table):
        msg = (
            f"results have {len(table)} rows with columns {', '.join(table.colnames)}: one or more "
            f"galaxies with columns out of {', '.join(PARAMETERS)} are needed"
        )
        raise ValueError(msg)
    pictures = [""] * len(table)
    if cutouts is not None:
        pictures = galaxy_pictures(
            {name: parameter_values(table, name) for name in parameters},
            cutouts,
            psf=psf,
            psf_options={"oversampling": psf_oversampling, "normalize": normalize_psf},
            units={"pixel_scale": pixel_scale, "zeropoint": zeropoint},
        )
    galaxies = _collect(results, table, truth, parameters, pictures)
    title = path.stem if title is None else title
    html = page_html(galaxies, title=title, subtitle=_subtitle(galaxies))
    with atomic_path(path) as partial:
        partial.write_text(html, encoding="utf-8")
    return path


def _collect(results, table, truth, parameters, pictures):
    """All that the page shows."""
    columns = page_columns(table, truth, parameters)
    shown, points = shown_parameters(parameters), None
    if hasattr(results, "samples"):
        samples = results.samples(_N_SAMPLES)
        limits, heights, points = sample_curves(samples, columns, shown)
    else:
        samples = split_normal_samples(table, parameters, _N_SAMPLES)
        limits, heights = quantile_curves(columns, shown)
    return ReportData(table, truth, parameters, columns, samples, limits, heights, points, pictures)


def _subtitle(galaxies):
    """How many galaxies there are, and of what kind."""
    name = galaxies.parameters[0]
    lost = int(np.sum(~np.isfinite(galaxies.columns[name])))
    flagged = sum(text != "" for text in galaxies.columns["flags"])
    parts = [f"{len(galaxies.table):,} galaxies", f"{flagged:,} with flags"]
    parts += [f"{lost:,} without an answer"] if lost else []
    return ", ".join(parts) + f", sersicnet {__version__}"
