"""How sersicnet and SExtractor compare on the same simulated survey images.

::

    python -m benchmarks.field docs/_static/field

Two fields of 2048 x 2048 pixels (`benchmarks.sets.fields`), one of Euclid and one of LSST, are
measured by the network alone and by SExtractor, with the same image, noise map and PSF, and its own
settings of the detection: the filter of its default settings, and a Gaussian of 3 pixels. A corner
of 1024 pixels (``--lm-side``) is measured by Levenberg-Marquardt fits of groups as well, and has
the tables ``accuracy_lm.csv`` and ``coverage_lm.csv``. A detection belongs to the brightest source
within 3 pixels. Needs the program ``source-extractor``. CPU seconds are those of one core.
``--cache`` keeps images and catalogs, so that a run which was stopped goes on.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import QTable, Table, vstack

from benchmarks.common.command import add_cache, make_parser
from benchmarks.common.field_figures import plot_errors, plot_piece
from benchmarks.common.field_scores import (
    accuracy,
    completeness,
    coverage,
    flagged,
    match_brightest,
    pairs,
)
from benchmarks.common.sextractor import find_program, fit_sersic
from benchmarks.common.tables import NMAD_FACTOR, plain, print_table, write_rounded
from benchmarks.sets.fields import Scene, load_scene
from sersicnet import Flags, SersicNet
from sersicnet.io import atomic_path
from sersicnet.measure import measure_image, write_field_model
from sersicnet.model import collect_psfs

FIELDS = {"euclid": "Euclid VIS", "lsst": "LSST i"}
# Edges of the bins of magnitude, of the numbers of sources and of the scores.
COUNT_EDGES = (18, 22, 23, 23.5, 24, 24.5, 25, 25.5, 26, 26.5, 27)
SCORE_EDGES = (18, 23, 24.5, 26)
# Sources of pairs are brighter, so that each would be found without the other.
FAINTEST = 24.5
# Names of the codes, and the filters of SExtractor.
OURS = "network"
FITTED = "lm"
RIVALS = {"SExtractor": "default", "SExtractor, gauss_3.0": "gauss_3.0"}
# Those of the figures.
SHOWN = (OURS, FITTED, "SExtractor")


@dataclass(frozen=True, eq=False)
class Measured:
    """The measurement of a field by one code.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        Catalog of the code.
    match : int `~numpy.ndarray`
        Row of the catalog for each true source, -1 if it was not found.
    residual : 2-D `~numpy.ndarray` or None
        Image minus the models.
    """

    table: QTable
    match: np.ndarray
    residual: np.ndarray | None = None

    @property
    def seconds(self):
        """CPU time."""
        return self.table.meta["SECONDS"]


def main(arguments=None):
    """Draw and measure the fields, and write tables and figures."""
    parser = make_parser(__doc__)
    text = "side of the fields, in pixels, by default 2048"
    parser.add_argument("--side", type=int, default=2048, help=text)
    text = "side of the corner that is fitted, in pixels, by default 1024"
    parser.add_argument("--lm-side", type=int, default=1024, help=text)
    text = "fields, by default all"
    parser.add_argument("--fields", nargs="+", choices=FIELDS, default=list(FIELDS), help=text)
    add_cache(parser, "fields and catalogs")
    options = parser.parse_args(arguments)
    if find_program() is None:
        parser.error("the program source-extractor is not installed")
    torch.set_num_threads(1)
    net = SersicNet.from_pretrained()
    tables = {}
    corners = {}
    measured = {}
    for kind in options.fields:
        name = FIELDS[kind]
        scene = load_scene(kind, side=options.side, cache=options.cache)
        whole = _measure(scene, net, kind, options.cache)
        corners[name], inside = _corner(scene, options.lm_side)
        measured[name] = _measure_corner(corners[name], inside, whole, net, kind, options.cache)
        found = _tables(scene, whole) | _tables_of_fits(corners[name].truth, measured[name])
        for title, table in found.items():
            table.add_column(np.full(len(table), name), index=0, name="field")
            tables.setdefault(title, []).append(table)
    for title, parts in tables.items():
        table = vstack(parts)
        write_rounded(table, options.output / f"{title}.csv", decimals=3)
        print(title)
        print_table(table)
    plot_errors(corners, measured, options.output / "errors.png", codes=SHOWN)
    plot_piece(corners, measured, options.output / "piece.png", codes=SHOWN)


def _corner(scene, side):
    """Return the lower left corner of a field, and which sources are in it."""
    truth = scene.truth
    inside = (plain(truth["x_0"]) < side - 0.5) & (plain(truth["y_0"]) < side - 0.5)
    image = scene.image[:side, :side]
    image = CCDData(image, psf=scene.image.psf)  # a slice has no PSF
    return Scene(image, scene.oversampling, truth[inside]), inside


def _psf_of(scene):
    return {"psf": scene.image.psf, "psf_oversampling": scene.oversampling}


def _measure(scene, net, kind, cache):
    """Measure a field by the network and by SExtractor."""
    image = scene.image
    # The first call imports modules and reads tables: it is not timed.
    measure_image(image[:256, :256], net=net, refine="lm", **_psf_of(scene))
    measured = {}
    side = len(image.data)
    for code in (OURS, *RIVALS):
        path = None if cache is None else cache / f"{kind}-{side}-{code}.ecsv"
        table = kept_catalog(path, lambda code=code: measure_catalog(scene, net, code))
        measured[code] = Measured(table, match_brightest(scene.truth, table))
    return measured


def kept_catalog(path, measure):
    """Return a catalog, which is measured if no file has it; its ``meta`` has ``SECONDS``.

    Parameters
    ----------
    path : `~pathlib.Path` or None
        File of the catalog.
    measure : callable
        Function without arguments that returns the catalog.

    Returns
    -------
    `~astropy.table.QTable`
    """
    if path is not None and path.exists():
        return QTable.read(path)
    table = measure()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as partial:
            table.write(partial, format="ascii.ecsv")
    return table


def measure_catalog(scene, net, code):
    """Measure a field by one code.

    Parameters
    ----------
    scene : `~benchmarks.sets.fields.Scene`
        The field.
    net : `~sersicnet.SersicNet`
        The network.
    code : str
        Code, one of this module's names.

    Returns
    -------
    `~astropy.table.QTable`
        Catalog, with the CPU time as ``SECONDS`` in ``meta``.
    """
    image = scene.image
    if code in RIVALS:
        found = _fit_rival(scene, code)
        found.table.meta["SECONDS"] = found.seconds
        return found.table
    begin = time.process_time()
    table = measure_image(image, net=net, refine=code if code == FITTED else None, **_psf_of(scene))
    table.meta = {"SECONDS": time.process_time() - begin}
    return table


def _fit_rival(scene, code, **options):
    """Measure a field by SExtractor."""
    image = scene.image
    units = {"pixel_scale": image.meta["PIXSCALE"], "zeropoint": image.meta["MAGZP"]}
    options |= {"oversampling": scene.oversampling, "kernel": RIVALS[code]}
    given = image.data, image.uncertainty.array, image.psf
    return fit_sersic(*given, **options, **units)


def _measure_corner(corner, inside, whole, net, kind, cache):
    """Measure the corner of a field by fits, and find there what was measured of all of it."""
    side = len(corner.image.data)
    path = None if cache is None else cache / f"{kind}-{side}-{FITTED}.ecsv"
    table = kept_catalog(path, lambda: measure_catalog(corner, net, FITTED))
    fitted = Measured(table, match_brightest(corner.truth, table), _residual(table, corner))
    measured = {OURS: whole[OURS], FITTED: fitted, **{code: whole[code] for code in RIVALS}}
    residuals = {OURS: _residual(whole[OURS].table, corner)}
    for code in RIVALS:
        if code in SHOWN:
            residuals[code] = _fit_rival(corner, code, residual=True).residual
    for code, part in whole.items():
        measured[code] = Measured(part.table, part.match[inside], residuals.get(code))
    return measured


def _residual(table, scene):
    """Return the image minus the models of a catalog."""
    side = len(scene.image.data) + 64
    near = (plain(table["x_0"]) < side) & (plain(table["y_0"]) < side)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "residual.fits"
        write_field_model(table[near], scene.image, path, residual=True, **_psf_of(scene))
        return fits.getdata(path)


def _tables(scene, measured):
    """Return the tables of a field; accuracy is that of the galaxies that all codes have found."""
    truth = scene.truth
    both, aligned, galaxies = _found_by_all(truth, measured)
    matches = {code: part.match for code, part in measured.items()}
    catalogs = {code: part.table for code, part in measured.items()}
    fwhm = collect_psfs([scene.image.psf], oversampling=scene.oversampling).fwhm()[0]
    galaxy = both & (plain(truth["r_eff"]) > 0)
    return {
        "seconds": _seconds(measured),
        "completeness": completeness(truth, matches, catalogs, COUNT_EDGES),
        "pairs": pairs(truth, matches, fwhm, faintest=FAINTEST),
        "accuracy": accuracy(galaxies, truth[galaxy], SCORE_EDGES),
        "coverage": coverage(galaxies, truth[galaxy], SCORE_EDGES),
        "blended": flagged(galaxies, truth[galaxy]),
        "stars": _stars(aligned, truth, both),
    }


def _tables_of_fits(truth, measured):
    """Return the tables of the corner of a field."""
    both, _, galaxies = _found_by_all(truth, measured)
    galaxy = both & (plain(truth["r_eff"]) > 0)
    return {
        "seconds_lm": _seconds({FITTED: measured[FITTED]}),
        "accuracy_lm": accuracy(galaxies, truth[galaxy], SCORE_EDGES),
        "coverage_lm": coverage(galaxies, truth[galaxy], SCORE_EDGES),
        "blended_lm": flagged(galaxies, truth[galaxy]),
    }


def _found_by_all(truth, measured):
    """Return which sources all codes have found, their rows by code, and those of galaxies."""
    both = np.all([part.match >= 0 for part in measured.values()], axis=0)
    aligned = {code: part.table[part.match] for code, part in measured.items()}
    galaxy = both & (plain(truth["r_eff"]) > 0)
    return both, aligned, {code: table[galaxy] for code, table in aligned.items()}


def _seconds(measured):
    """Return the CPU time of each code."""
    rows = []
    for code, part in measured.items():
        n = len(part.table)
        failed = np.isnan(plain(part.table["mag"]))
        rows.append(
            {
                "code": code,
                "sources": n,
                "not measured": int(failed.sum()),
                "CPU s": part.seconds,
                "ms per source": 1e3 * part.seconds / n,
            }
        )
    return Table(rows=rows)


def _stars(aligned, truth, both):
    """Return how well stars are measured, and separated from galaxies."""
    star = plain(truth["r_eff"]) == 0
    rows = []
    for code, table in aligned.items():
        error = plain(table["mag"]) - truth["mag"]
        error = error[star & both & np.isfinite(error)]
        bias = np.median(error)
        rows.append(
            {
                "code": code,
                "stars": len(error),
                "mag bias": bias,
                "mag scatter": NMAD_FACTOR * np.median(np.abs(error - bias)),
                "UNRESOLVED of stars": _unresolved(code, table, star & both),
                "UNRESOLVED of galaxies": _unresolved(code, table, ~star & both),
            }
        )
    return Table(rows=rows)


def _unresolved(code, table, chosen):
    """Return the share of sources with the flag UNRESOLVED, NaN for a code without it."""
    if code in RIVALS:
        return np.nan
    return np.mean((table["flags"][chosen] & int(Flags.UNRESOLVED)) != 0)


if __name__ == "__main__":
    main()
