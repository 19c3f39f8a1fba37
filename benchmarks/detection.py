"""Which sources sersicnet and SExtractor detect in the same images, and which they split.

::

    python -m benchmarks.detection docs/_static/detection

Two fields (`benchmarks.sets.fields`), one of Euclid and one of LSST, are searched by
`~sersicnet.measure.measure_image` and by SExtractor with the filter of its default settings and
with a Gaussian of 3 pixels, both at its default threshold. ``completeness.csv`` counts the galaxies
that are found by magnitude, and false detections, ``pairs.csv`` the pairs of sources that are
both found, ``structure.csv`` the sources that single galaxies with arms, rings and bars
(`benchmarks.outliers`) are split into, and ``close_pairs.csv`` the shares of pairs of galaxies by
distance and ratio of fluxes (`benchmarks.sets.close_pairs`) of which both are found.
``--resampled`` gives the fields the noise of coadds.
Needs the program ``source-extractor``.
"""

import time

import numpy as np
from astropy.table import Table, vstack

from benchmarks.common.command import add_cache, add_count, make_parser
from benchmarks.common.field_scores import completeness, match_brightest, pairs
from benchmarks.common.sextractor import detect, find_program
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.outliers import draw_outlier
from benchmarks.sets.close_pairs import DISTANCES, RATIOS, draw_close_pairs
from benchmarks.sets.fields import load_scene
from sersicnet import SersicNet
from sersicnet.measure import Options
from sersicnet.measure.tiles import open_measurement
from sersicnet.model import collect_psfs

FIELDS = {"euclid": "Euclid VIS", "lsst": "LSST i"}
EDGES = (18, 22, 23, 23.5, 24, 24.5, 25, 25.5, 26, 26.5, 27)
# Sources of pairs are brighter, so that each would be found without the other.
FAINTEST = 24.5
OURS = "sersicnet"
KERNELS = {"SExtractor": "default", "SExtractor, gauss_3.0": "gauss_3.0"}
# Kinds of single galaxies, and of two, within this distance of the middle, in pixels.
KINDS = {"galaxy": 1, "spiral": 1, "ring": 1, "bar": 1, "blend": 2, "neighbor": 2}
WITHIN = 45
# Seed of the close pairs, and the largest distance of a galaxy from its detection, in pixels.
SEED = 201
OFFSET = 2.5


def main(arguments=None):
    """Search the images, and write the tables."""
    parser = make_parser(__doc__)
    text = "side of the fields, in pixels, by default 2048"
    parser.add_argument("--side", type=int, default=2048, help=text)
    parser.add_argument("--resampled", action="store_true", help="noise of coadds")
    add_count(parser, "images of each kind of structure, and close pairs of each", default=100)
    add_cache(parser, "fields")
    options = parser.parse_args(arguments)
    if find_program() is None:
        parser.error("the program source-extractor is not installed")
    net = SersicNet.from_pretrained()
    tables = {"completeness": [], "pairs": [], "seconds": []}
    for kind, name in FIELDS.items():
        scene = load_scene(
            kind, side=options.side, cache=options.cache, resampled=options.resampled
        )
        for title, table in _search(scene, net).items():
            table.add_column(np.full(len(table), name), index=0, name="field")
            tables[title].append(table)
    written = {title: vstack(parts) for title, parts in tables.items()}
    written["structure"] = _structure(net, options.n)
    written["close_pairs"] = _close_pairs(net, options.n)
    for title, table in written.items():
        write_rounded(table, options.output / f"{title}.csv", decimals=3)
        print(title)
        print_table(table)


def _search(scene, net):
    """Search a field by all codes, and score what they find."""
    image = scene.image
    catalogs = {}
    seconds = []
    begin = time.process_time()
    catalogs[OURS] = detected(image, net, psf_oversampling=scene.oversampling)
    seconds.append({"code": OURS, "CPU s": time.process_time() - begin})
    for code, kernel in KERNELS.items():
        found = detect(
            image.data, image.uncertainty.array, kernel=kernel, zeropoint=image.meta["MAGZP"]
        )
        catalogs[code] = found.table
        seconds.append({"code": code, "CPU s": found.seconds})
    for row in seconds:
        row["sources"] = len(catalogs[row["code"]])
    matches = {code: match_brightest(scene.truth, table) for code, table in catalogs.items()}
    fwhm = collect_psfs([image.psf], oversampling=scene.oversampling).fwhm()[0]
    return {
        "completeness": completeness(scene.truth, matches, catalogs, EDGES),
        "pairs": pairs(scene.truth, matches, fwhm, faintest=FAINTEST),
        "seconds": Table(rows=seconds),
    }


def detected(image, net, **options):
    """Return what is detected in an image, as `measure_image` detects it."""
    with open_measurement(image, Options(**options), net=net) as measurement:
        sky = measurement.map_sky()
        found = vstack([measurement.find_sources(tile, sky).table for tile in measurement.tiles])
    with np.errstate(invalid="ignore", divide="ignore"):
        mag = image.meta["MAGZP"] - 2.5 * np.log10(found["kron_flux"])
    return Table({"x_centroid": found["x"], "y_centroid": found["y"], "mag": mag})


def _structure(net, n):
    """Return into how many sources galaxies are split, each in an image of its own."""
    rows = []
    for kind, wanted in KINDS.items():
        counts = {code: [] for code in (OURS, *KERNELS)}
        for index in range(n):
            image = draw_outlier(kind, index)
            counts[OURS].append(_near(detected(image, net, background_box=None), image))
            for code, kernel in KERNELS.items():
                noise = image.uncertainty.array
                found = detect(image.data, noise, kernel=kernel, zeropoint=image.meta["MAGZP"])
                counts[code].append(_near(found.table, image))
        for code, found in counts.items():
            found = np.array(found)
            row = {"kind": kind, "images": n, "galaxies": wanted, "code": code}
            for number in range(3):
                row[f"{number}"] = np.mean(found == number)
            rows.append(row | {"3 and more": np.mean(found > 2)})
    return Table(rows=rows)


def _close_pairs(net, n):
    """Return the shares of pairs of each distance and ratio of which both are found."""
    image, truth = draw_close_pairs(n, SEED)
    catalogs = {OURS: detected(image, net, background_box=None)}
    for code, kernel in KERNELS.items():
        noise = image.uncertainty.array
        zeropoint = image.meta["MAGZP"]
        catalogs[code] = detect(image.data, noise, kernel=kernel, zeropoint=zeropoint).table
    both = {}
    for code, table in catalogs.items():
        match = match_brightest(truth, table, radius=OFFSET)
        both[code] = (match >= 0).reshape(-1, 2).all(axis=1)
    first = truth[::2]
    rows = []
    for distance in DISTANCES:
        for ratio in RATIOS:
            chosen = (first["distance"] == distance) & (first["ratio"] == ratio)
            row = {"distance in FWHM": distance, "ratio of fluxes": ratio, "pairs": n}
            rows.append(row | {code: np.mean(found[chosen]) for code, found in both.items()})
    return Table(rows=rows)


def _near(table, image):
    """Count the sources near the middle of an image."""
    y, x = (np.array(image.data.shape) - 1) / 2
    return int(np.sum(np.hypot(table["x_centroid"] - x, table["y_centroid"] - y) < WITHIN))


if __name__ == "__main__":
    main()
