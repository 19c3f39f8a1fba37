"""Write a page about a catalog: figures, and a table that opens each galaxy."""

import reprlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from sersicnet import __version__
from sersicnet._caller import warn_caller
from sersicnet._words import counted
from sersicnet.diagnostics.columns import as_table
from sersicnet.diagnostics.scores import parameter_values, split_truth
from sersicnet.io.files import atomic_path, check_folder
from sersicnet.io.memory import enough_memory
from sersicnet.parameters import PARAMETERS, pixel_shape_of, table_values, to_floats
from sersicnet.preprocessing.inputs import psf_options_of
from sersicnet.preprocessing.photons import NONE, PHOTONS
from sersicnet.report.colors import color_pictures
from sersicnet.report.data import (
    ReportData,
    page_columns,
    quantile_curves,
    sample_curves,
    shown_parameters,
    split_normal_samples,
)
from sersicnet.report.page import page_html
from sersicnet.report.parts import part_values, parts_of
from sersicnet.report.pictures import galaxy_pictures

__all__ = ["write_report"]

# Number of samples of each posterior, for its figures and for the calibration.
_N_SAMPLES = 128


def write_report(
    results,
    path,
    *,
    truth=None,
    cutouts=None,
    psf=None,
    psf_oversampling=None,
    normalize_psf=None,
    recenter_psf=None,
    pixel_scale=None,
    zeropoint=None,
    corners=None,
    image=None,
    image_shape=None,
    title=None,
):
    """Write a page about measured galaxies.

    The page is made with `Bokeh <https://docs.bokeh.org/>`__, part of ``sersicnet[report]``. It
    contains everything that it needs, and opens from disk without a network.

    Parameters
    ----------
    results : `~sersicnet.SersicResults` or `~astropy.table.Table`
        The galaxies. Results have samples of their posteriors; of a catalog, such as that of
        ``to_table``, only the quantiles are known.
    path : str or path-like
        The HTML file. An existing file is replaced.
    truth : `~astropy.table.Table` or dict, optional
        True values, one row per galaxy in the same order, or with the same ``id``. By default
        those in columns ``true_<p>`` of the catalog, if it has any.
    cutouts : sequence of `~astropy.nddata.NDData` or None, 3-D NDData or array, or dict, optional
        Cutouts in which the galaxies were measured, in the same order, for pictures of image,
        model and residual; None where there is no cutout. Of results of several bands, a dict of
        lists: pictures are of the reference band, and in color where three bands have the same
        pixels.
    psf, psf_oversampling, normalize_psf, recenter_psf, pixel_scale, zeropoint
        PSFs and units of the cutouts, as in `~sersicnet.SersicNet.predict`. The options of the PSFs
        are by default those in the ``meta`` of the catalog; of results, the PSFs as well.
    corners : (N, 2) array_like, optional
        x and y of the first pixels of the cutouts in the image that the positions of the catalog
        refer to, as `~sersicnet.measure.catalog_cutouts` finds them; by default 0.
    image : 2-D array_like, optional
        Small image of the field, in units of its noise, for the map of a catalog of one survey
        image.
    image_shape : (int, int), optional
        Rows and columns of the whole image.
    title : str, optional
        Title of the page, by default the name of the file.

    Returns
    -------
    `~pathlib.Path`
        The file.

    Raises
    ------
    ValueError
        If the catalog has no galaxies or none of the parameters, there is not one row of
        ``truth`` and one of ``cutouts`` per galaxy, some ids of ``truth`` are those of other
        galaxies, or a cutout is not the one that was measured.
    TypeError, `~astropy.units.UnitConversionError`
        If a column has a wrong unit, the cutouts are not images, or there are those of bands
        without results of bands.
    FileNotFoundError
        If the folder of ``path`` does not exist.
    ImportError
        If Bokeh is not installed.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If ``truth`` has other ids than the catalog, or ``psf`` another FWHM than the PSF of the
        measurement.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from sersicnet.report import write_report
    >>> catalog = QTable({"mag": [20.0, 21.0] * u.ABmag, "mag_err": [0.1, 0.1] * u.mag})
    >>> with TemporaryDirectory() as folder:
    ...     path = write_report(catalog, Path(folder) / "catalog.html")
    ...     print(path.name, path.stat().st_size > 1000)
    catalog.html True
    """
    path = Path(path)
    check_folder(path)
    measured, cutouts, colors = _of_reference_band(results, cutouts)
    table, truth = _tables(as_table(results, "results"), truth)
    parameters = tuple(name for name in PARAMETERS if name in table.colnames)
    pictures = [""] * len(table)
    if cutouts is not None:
        given = {"oversampling": psf_oversampling, "normalize": normalize_psf}
        options = psf_options_of(table.meta, recenter=recenter_psf, **given)
        values, sky = _shown(table, parameters, corners)
        pictures = galaxy_pictures(
            values | part_values(table, parts_of(table)),
            cutouts,
            parts=parts_of(table),
            psf=psf,
            psf_options=options,
            units=_units(table.meta, pixel_scale, zeropoint),
            sky=sky,
            inputs=getattr(measured, "inputs", None),
            meta=table.meta,
        )
        if colors is not None:
            pictures = [" ".join(urls).strip() for urls in zip(pictures, colors, strict=True)]
    with enough_memory(str(path), "fewer galaxies need less"):
        galaxies = _last_if_not_measured(_collect(results, table, truth, parameters, pictures))
        if image is not None:
            galaxies = replace(galaxies, field=(image, image_shape))
        title = path.stem if title is None else title
        html = page_html(galaxies, title=title, subtitle=_subtitle(galaxies))
    with atomic_path(path) as partial:
        partial.write_text(html, encoding="utf-8")
    return path


def _of_reference_band(results, cutouts):
    """Return results and cutouts of one band, and pictures of all bands in color, else None."""
    if not isinstance(cutouts, dict):
        return results, cutouts, None
    _check_bands(results, cutouts)
    colors = color_pictures(results, cutouts)
    return results.band(), cutouts[results.meta["REFBAND"]], colors


def _check_bands(results, cutouts):
    """Raise an error unless cutouts are lists of the galaxies in the bands of results."""
    if not hasattr(results, "bands"):
        msg = "cutouts is a dict of bands: results must then be those of bands"
        raise TypeError(msg)
    reference = results.meta["REFBAND"]
    if reference not in cutouts:
        msg = (
            f"cutouts has {', '.join(cutouts)}: those of the reference band {reference} are needed"
        )
        raise ValueError(msg)
    for band, each in cutouts.items():
        if not isinstance(each, list | tuple) or len(each) != len(results):
            msg = f"cutouts[{band!r}] must be a list of {len(results)} cutouts, or None in it"
            raise ValueError(msg)


def _units(meta, pixel_scale, zeropoint):
    """Return the user's units of the cutouts, and the gain that a catalog was measured with.

    It is None where the header of a cutout has it, if any, as for a catalog of something else.
    """
    gain = None
    if meta.get("PHOTONS") == PHOTONS[NONE]:
        gain = np.inf
    elif "PHOTONS" in meta:
        gain = meta.get("GAIN")
    return {"pixel_scale": pixel_scale, "zeropoint": zeropoint, "gain": gain}


def _tables(table, truth):
    """Separate a catalog from the true values, and check that they can be shown."""
    if truth is None and any(name.startswith("true_") for name in table.colnames):
        table, truth = split_truth(table)
    elif truth is not None:
        truth = as_table(truth, "truth")
        _check_truth(truth, table)
        truth = _same_order(truth, table)
    if not len(table) or not set(table.colnames) & set(PARAMETERS):
        msg = (
            f"results have {counted(len(table), 'row')} with columns {', '.join(table.colnames)}: "
            f"one or more galaxies with columns out of {', '.join(PARAMETERS)} are needed"
        )
        raise ValueError(msg)
    return table, truth


def _shown(table, parameters, corners):
    """Values of galaxies in pixels of their cutouts, and the sky of these."""
    values = {name: parameter_values(table, name) for name in parameters}
    values |= table_values(table, pixel_shape_of(table))
    if corners is None:
        return values, _fitted_sky(table)
    corners = np.asarray(corners)
    for axis, name in enumerate(("x_0", "y_0")):
        values[name] = values[name] - corners[:, axis]
    return values, np.zeros(len(table))  # what `catalog_cutouts` cuts out has no sky


def _fitted_sky(table):
    """Return the fitted sky of each galaxy, in the unit of its image; 0 where there is none."""
    name = "sky" if "sky" in table.colnames else f"sky_{table.meta.get('REFBAND')}"
    if name not in table.colnames:
        return np.zeros(len(table))
    return np.nan_to_num(to_floats(table[name], table[name].unit))


def _check_truth(truth, table):
    """Raise ValueError unless the truth has a parameter, and one row per galaxy."""
    if not set(truth.colnames) & set(PARAMETERS):
        msg = (
            f"truth has the columns {', '.join(truth.colnames)}: one or more out of "
            f"{', '.join(PARAMETERS)} are needed"
        )
        raise ValueError(msg)
    if len(truth) != len(table):
        rows = counted(len(truth), "row")
        msg = f"truth has {rows}, and there are {counted(len(table), 'galaxy')}"
        raise ValueError(msg)


def _same_order(truth, table):
    """Return the truth in the order of the ids of a catalog, where both have these.

    Raises
    ------
    ValueError
        If some ids are the same, but not all.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If none are: the rows are taken as they are. Names of files and numbers of rows, as those
        of simulations, are no contradiction.
    """
    if not {"id"} <= set(truth.colnames) & set(table.colnames):
        return truth
    true_ids = [str(value) for value in truth["id"]]
    ids = [str(value) for value in table["id"]]
    if true_ids == ids:
        return truth
    rows = {value: row for row, value in enumerate(true_ids)}
    if sorted(true_ids) == sorted(ids) and len(rows) == len(ids):
        return truth[[rows[value] for value in ids]]
    found = f"truth has the ids {reprlib.repr(true_ids)}, the catalog {reprlib.repr(ids)}"
    if set(true_ids) & set(ids):
        msg = f"{found}: the same galaxies are needed, one row each"
        raise ValueError(msg)
    if not _are_rows_and_names(true_ids, ids) and not _are_rows_and_names(ids, true_ids):
        msg = f"{found}: rows are compared in their order"
        warn_caller(msg)
    return truth


def _are_rows_and_names(numbers, names):
    """Whether ids are the numbers of rows, and others are names."""
    rows = [str(row) for row in range(len(numbers))]
    return numbers == rows and not any(name.isdigit() for name in names)


def _collect(results, table, truth, parameters, pictures):
    """Collect the contents of the page."""
    columns = page_columns(table, truth, parameters)
    shown = shown_parameters(parameters)
    points = None
    if hasattr(results, "samples"):
        samples = results.samples(_N_SAMPLES)
        limits, heights, points = sample_curves(samples, columns, shown)
    else:
        samples = split_normal_samples(table, parameters, _N_SAMPLES)
        limits, heights = quantile_curves(columns, shown)
    return ReportData(table, truth, parameters, columns, samples, limits, heights, points, pictures)


def _last_if_not_measured(galaxies):
    """Put the galaxies that were not measured at the end of the page."""
    lost = ~np.isfinite(galaxies.columns[galaxies.by])
    if not lost.any():
        return galaxies
    order = np.argsort(lost, kind="stable")

    def ordered(values):
        if isinstance(values, list):
            return [values[i] for i in order]
        return values[order]

    truth = galaxies.truth
    points = galaxies.points
    return replace(
        galaxies,
        table=galaxies.table[order],
        truth=None if truth is None else truth[order],
        columns={name: ordered(values) for name, values in galaxies.columns.items()},
        samples={name: ordered(values) for name, values in galaxies.samples.items()},
        limits=galaxies.limits[order],
        heights=galaxies.heights[order],
        points=None if points is None else points[order],
        pictures=ordered(galaxies.pictures),
    )


def _subtitle(galaxies):
    """Write the numbers of galaxies: all, with flags, and without a measurement."""
    name = galaxies.parameters[0]
    lost = int(np.sum(~np.isfinite(galaxies.columns[name])))
    flagged = sum(text != "" for text in galaxies.columns["flags"])
    parts = [counted(len(galaxies.table), "galaxy"), f"{flagged:,} with flags"]
    if lost:
        parts.append(f"{lost:,} not measured")
    return ", ".join(parts) + f", sersicnet {__version__}"
