"""How sersicnet and SExtractor compare on the same simulated survey images.

::

    python -m benchmarks.field docs/_static/field

Two fields of 2048 x 2048 pixels (`benchmarks.sets.fields`), one of Euclid and one of LSST, are
measured by the network alone, by Levenberg-Marquardt fits that start from its results, those of
groups together, and by SExtractor, with the same image, noise map and PSF, and its own settings of
the detection. A detection belongs to the brightest source within 3 pixels. Needs the program
``source-extractor``. CPU seconds are those of one core.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from astropy.table import QTable, Table, vstack

from benchmarks.common.command import add_cache, make_parser
from benchmarks.common.field_figures import plot_errors, plot_piece
from benchmarks.common.field_scores import accuracy, completeness, coverage, match_brightest
from benchmarks.common.sextractor import find_program, fit_sersic
from benchmarks.common.tables import NMAD_FACTOR, plain, print_table, write_rounded
from benchmarks.sets.fields import load_scene
from sersicnet import Flags, SersicNet
from sersicnet.measure import measure_image, write_field_model

FIELDS = {"euclid": "Euclid VIS", "lsst": "LSST i"}
# Edges of the bins of magnitude, of the numbers of sources and of the scores.
COUNT_EDGES = (18, 22, 23, 24, 24.5, 25, 25.5, 26, 26.5, 27)
SCORE_EDGES = (18, 23, 24.5, 26)
# Names of the codes.
OURS = "network"
FITTED = "lm"
RIVAL = "SExtractor"


@dataclass(frozen=True, eq=False)
class Measured:
    """The measurement of a field by one code.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        Catalog of the code.
    match : int `~numpy.ndarray`
        Row of the catalog for each true source, -1 if it was not found.
    seconds : float
        CPU time.
    residual : 2-D `~numpy.ndarray`
        Image minus the models.
    """

    table: QTable
    match: np.ndarray
    seconds: float
    residual: np.ndarray


def main(arguments=None):
    """Draw and measure the fields, and write tables and figures."""
    parser = make_parser(__doc__)
    text = "side of the fields, in pixels, by default 2048"
    parser.add_argument("--side", type=int, default=2048, help=text)
    add_cache(parser, "fields")
    options = parser.parse_args(arguments)
    if find_program() is None:
        parser.error("the program source-extractor is not installed")
    torch.set_num_threads(1)
    net = SersicNet.from_pretrained()
    tables = {}
    scenes = {}
    measured = {}
    for kind, name in FIELDS.items():
        scenes[name] = load_scene(kind, side=options.side, cache=options.cache)
        measured[name] = _measure(scenes[name], net)
        for title, table in _tables(scenes[name].truth, measured[name]).items():
            table.add_column(np.full(len(table), name), index=0, name="field")
            tables.setdefault(title, []).append(table)
    for title, parts in tables.items():
        table = vstack(parts)
        write_rounded(table, options.output / f"{title}.csv", decimals=3)
        print(title)
        print_table(table)
    codes = (OURS, FITTED, RIVAL)
    plot_errors(scenes, measured, options.output / "errors.png", codes=codes)
    plot_piece(scenes, measured, options.output / "piece.png", codes=codes)


def _measure(scene, net):
    """Measure a field by all codes."""
    image = scene.image
    units = {"pixel_scale": image.meta["PIXSCALE"], "zeropoint": image.meta["MAGZP"]}
    psf = {"psf": image.psf, "psf_oversampling": scene.oversampling}
    # The first call imports modules and reads tables: it is not timed.
    measure_image(image[:256, :256], net=net, refine="lm", **units, **psf)
    measured = {}
    for code, refine in ((OURS, None), (FITTED, "lm")):
        begin = time.process_time()
        table = measure_image(image, net=net, refine=refine, **psf)
        seconds = time.process_time() - begin
        match = match_brightest(scene.truth, table)
        measured[code] = Measured(table, match, seconds, _residual(table, image, psf))
    found = fit_sersic(
        image.data,
        image.uncertainty.array,
        image.psf,
        oversampling=scene.oversampling,
        residual=True,
        **units,
    )
    match = match_brightest(scene.truth, found.table)
    measured[RIVAL] = Measured(found.table, match, found.seconds, found.residual)
    return measured


def _residual(table, image, psf):
    """Return the image minus the models of a catalog."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "residual.fits"
        write_field_model(table, image, path, residual=True, **psf)
        return fits.getdata(path)


def _tables(truth, measured):
    """Return all tables of a field; accuracy is that of the galaxies that all codes have found."""
    both = np.all([part.match >= 0 for part in measured.values()], axis=0)
    aligned = {code: part.table[part.match] for code, part in measured.items()}
    galaxy = both & (plain(truth["r_eff"]) > 0)
    galaxies = {code: table[galaxy] for code, table in aligned.items()}
    detected = {code: measured[code] for code in (OURS, RIVAL)}
    matches = {code: part.match for code, part in detected.items()}
    catalogs = {code: part.table for code, part in detected.items()}
    return {
        "seconds": _seconds(measured),
        "completeness": completeness(truth, matches, catalogs, COUNT_EDGES),
        "accuracy": accuracy(galaxies, truth[galaxy], SCORE_EDGES),
        "coverage": coverage(galaxies, truth[galaxy]),
        "stars": _stars(aligned, truth, both),
    }


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
                "UNRESOLVED of stars": _unresolved(table, star & both),
                "UNRESOLVED of galaxies": _unresolved(table, ~star & both),
            }
        )
    return Table(rows=rows)


def _unresolved(table, chosen):
    """Return the share of sources with the flag UNRESOLVED, NaN for a code without flags."""
    if "flags" not in table.colnames:
        return np.nan
    return np.mean((table["flags"][chosen] & int(Flags.UNRESOLVED)) != 0)


if __name__ == "__main__":
    main()
