"""Simulated survey images, measured by `sersicnet.measure` and by SExtractor side by side.

::

    python -m benchmarks.field docs/_static/field

Two fields of 2048 x 2048 pixels (`benchmarks.sets.fields`), one of Euclid, one of LSST, are
measured by the network alone, by Levenberg-Marquardt fits that start there (four times, each
galaxy without its neighbors as they were found before), and by SExtractor, which has the same
image, noise map, PSF and settings of detection. A detection belongs to the brightest source within
3 pixels. Needs the program ``source-extractor``. CPU seconds are those of one core.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from astropy.table import QTable, Table, vstack

from benchmarks.common.command import parser_of
from benchmarks.common.field_figures import plot_errors, plot_piece
from benchmarks.common.field_scores import accuracy, completeness, coverage, match_brightest, plain
from benchmarks.common.sextractor import find_program, fit_sersic
from benchmarks.common.tables import write_rounded
from benchmarks.sets.fields import load_scene
from sersicnet import SersicNet
from sersicnet.flags import Flags
from sersicnet.measure.image import measure_image
from sersicnet.measure.models import write_field_model

FIELDS = {"euclid": "Euclid VIS", "lsst": "LSST i"}
COUNT_EDGES = (18, 22, 23, 24, 24.5, 25, 25.5, 26, 26.5, 27)
SCORE_EDGES = (18, 23, 24.5, 26)
OURS, FITTED, RIVAL = "network", "lm", "SExtractor"


@dataclass(frozen=True, eq=False)
class Measured:
    """What a code made of a field.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        Its catalog.
    match : int `~numpy.ndarray`
        Its row for each true source, -1 for none.
    seconds : float
        That it took.
    residual : 2-D `~numpy.ndarray`
        The image less its models.
    """

    table: QTable
    match: np.ndarray
    seconds: float
    residual: np.ndarray


def main(arguments=None):
    """Draw, measure, and write tables and figures."""
    parser = parser_of(__doc__)
    parser.add_argument("--side", type=int, default=2048, help="of the fields, in pixels")
    parser.add_argument("--cache", type=Path, help="directory for the simulated fields")
    options = parser.parse_args(arguments)
    if find_program() is None:
        parser.error("the program source-extractor is not installed")
    torch.set_num_threads(1)
    net, tables, scenes, measured = SersicNet.from_pretrained(), {}, {}, {}
    for kind, name in FIELDS.items():
        scene = load_scene(kind, side=options.side, cache=options.cache)
        scenes[name], measured[name] = scene, _measure(scene, net)
        for title, table in _tables(scene.truth, measured[name]).items():
            table.add_column(np.full(len(table), name), index=0, name="field")
            tables.setdefault(title, []).append(table)
    for title, parts in tables.items():
        table = vstack(parts)
        write_rounded(table, options.output / f"{title}.csv", decimals=3)
        print(title, *table.pformat(max_lines=-1, max_width=-1), sep="\n")
    plot_errors(scenes, measured, options.output / "errors.png", codes=(OURS, FITTED, RIVAL))
    plot_piece(scenes, measured, options.output / "piece.png", codes=(OURS, FITTED, RIVAL))


def _measure(scene, net):
    """What all codes make of a field."""
    image, meta = scene.image, scene.image.meta
    psf = {"psf": image.psf, "psf_oversampling": scene.oversampling}
    measure_image(image[:256, :256], net=net, refine="lm", **_units(meta), **psf)  # to warm up
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
        **_units(meta),
    )
    match = match_brightest(scene.truth, found.table)
    return measured | {RIVAL: Measured(found.table, match, found.seconds, found.residual)}


def _units(meta):
    return {"pixel_scale": meta["PIXSCALE"], "zeropoint": meta["MAGZP"]}


def _residual(table, image, psf):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "residual.fits"
        write_field_model(table, image, path, residual=True, **psf)
        return fits.getdata(path)


def _tables(truth, measured):
    """All tables of a field; accuracy is that of the galaxies which both codes have found."""
    both = np.all([part.match >= 0 for part in measured.values()], axis=0)
    aligned = {code: part.table[part.match] for code, part in measured.items()}
    galaxy = both & (plain(truth["r_eff"]) > 0)
    galaxies = {code: table[galaxy] for code, table in aligned.items()}
    detected = {code: measured[code] for code in (OURS, RIVAL)}
    return {
        "seconds": _seconds(measured),
        "completeness": completeness(
            truth,
            {code: part.match for code, part in detected.items()},
            {code: part.table for code, part in detected.items()},
            COUNT_EDGES,
        ),
        "accuracy": accuracy(galaxies, truth[galaxy], SCORE_EDGES),
        "coverage": coverage(galaxies, truth[galaxy]),
        "stars": _stars(aligned, truth, both),
    }


def _seconds(measured):
    rows = []
    for code, part in measured.items():
        n = len(part.table)
        failed = np.isnan(plain(part.table["mag"]))
        row = {"code": code, "sources": n, "without an answer": int(failed.sum())}
        rows.append(row | {"CPU s": part.seconds, "ms a source": 1e3 * part.seconds / n})
    return Table(rows=rows)


def _stars(aligned, truth, both):
    """Magnitudes of the stars, and whether they are told from galaxies."""
    star, rows = plain(truth["r_eff"]) == 0, []
    for code, table in aligned.items():
        error = plain(table["mag"]) - truth["mag"]
        error = error[star & both & np.isfinite(error)]
        row = {"code": code, "stars": len(error), "mag bias": np.median(error)}
        row["mag scatter"] = 1.4826 * np.median(np.abs(error - row["mag bias"]))
        for name, chosen in (("stars", star & both), ("galaxies", ~star & both)):
            unresolved = np.nan
            if "flags" in table.colnames:
                unresolved = np.mean((table["flags"][chosen] & int(Flags.UNRESOLVED)) != 0)
            row[f"UNRESOLVED of {name}"] = unresolved
        rows.append(row)
    return Table(rows=rows)


if __name__ == "__main__":
    main()
