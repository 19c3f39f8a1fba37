"""Whether large galaxies with structure stay whole, and what is in front of them is found.

::

    python -m benchmarks.large_galaxies docs/_static/detection

Images of 512 x 512 pixels (`benchmarks.sets.large_galaxies`) with one large galaxy, smooth, with
arms, with arms and knots, or with bar and ring, and 36 small galaxies and stars are searched by
`~sersicnet.measure.measure_image`, with and without ``large_first``, and by SExtractor with the
filter of its default settings and with a Gaussian of 3 pixels. ``large.csv`` has the share of large
galaxies that are found, and the median error of their aperture magnitude; false sources for each,
most of which are its parts; and the shares of small sources found, by their distance in half-light
radii. Needs the program ``source-extractor``.
"""

import numpy as np
from astropy.table import Table

from benchmarks.common.command import add_count, make_parser
from benchmarks.common.field_scores import match_brightest
from benchmarks.common.sextractor import detect, find_program
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.detection import KERNELS, detected
from benchmarks.sets.large_galaxies import KINDS, draw_large
from sersicnet import SersicNet

# Options of our detection, by the name of the row.
OURS = {"sersicnet": {}, "sersicnet, large_first=False": {"large_first": False}}
# Edges of the zones around the large galaxy, in its half-light radii, and those of their columns.
ZONES = {"to 1": (0, 1), "1 to 2.5": (1, 2.5), "beyond": (2.5, np.inf)}
# Largest distance of the large galaxy from its detection, in its radii, and of all, in pixels.
OFFSET = 0.35
RADIUS = 3.5


def main(arguments=None):
    """Draw and search the images, and write the table."""
    parser = make_parser(__doc__)
    add_count(parser, "images of each kind", default=25)
    parser.add_argument("--seed", type=int, default=200, help="seed of the first, by default 200")
    options = parser.parse_args(arguments)
    if find_program() is None:
        parser.error("the program source-extractor is not installed")
    net = SersicNet.from_pretrained()
    rows = []
    for kind in KINDS:
        scores = {code: [] for code in (*OURS, *KERNELS)}
        for number in range(options.n):
            scene = draw_large(kind, options.seed + number)
            for code, table in _search(scene.image, net).items():
                scores[code].append(_score(scene.truth, table))
        for code, found in scores.items():
            rows.append({"kind": kind, "images": options.n, "code": code} | _summary(found))
        write_rounded(Table(rows=rows), options.output / "large.csv", decimals=2)
    print_table(Table(rows=rows))


def _search(image, net):
    """Search an image by all codes."""
    found = {}
    for code, settings in OURS.items():
        found[code] = detected(image, net, **settings)
    for code, kernel in KERNELS.items():
        noise = image.uncertainty.array
        zeropoint = image.meta["MAGZP"]
        found[code] = detect(image.data, noise, kernel=kernel, zeropoint=zeropoint).table
    return found


def _score(truth, table):
    """Return what is found of an image, and the numbers of small sources by zone."""
    match = match_brightest(truth, table, radius=RADIUS)
    large = truth[0]
    distance = np.hypot(
        plain(table["x_centroid"]) - large["x_0"], plain(table["y_centroid"]) - large["y_0"]
    )
    near = np.flatnonzero(distance < max(OFFSET * large["r_eff"], RADIUS))
    mag = plain(table["mag"])
    error = np.nan
    match[0] = -1
    if len(near):
        match[0] = near[np.nanargmin(mag[near])]
        error = mag[match[0]] - large["mag"]
    score = {"found": match[0] >= 0, "error": error}
    score["false"] = len(table) - len(np.unique(match[match >= 0]))
    for name, (low, high) in ZONES.items():
        radii = plain(truth["radii"])[1:]
        inside = (radii >= low) & (radii < high)
        score[name] = np.array([np.sum(match[1:][inside] >= 0), np.sum(inside)])
    return score


def _summary(scores):
    """Return one row of the table."""
    row = {name: np.mean([score[name] for score in scores]) for name in ("found", "false")}
    error = np.array([score["error"] for score in scores])
    row["mag bias"] = np.nanmedian(error)
    row["off by 0.3 mag"] = np.mean(~(np.abs(error) < 0.3))
    for name in ZONES:
        n_found, n_all = np.sum([score[name] for score in scores], axis=0)
        row[f"small sources, {name}"] = int(n_all)
        row[f"found, {name}"] = n_found / max(n_all, 1)
    return row


if __name__ == "__main__":
    main()
