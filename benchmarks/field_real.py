"""Real cutouts as small survey images: sersicnet and SExtractor, beside imfit.

::

    python -m benchmarks.field_real ../shared/real docs/_static/field

Cutouts of at least 100 pixels, without their masks, which hide the neighbors. Their sky has been
subtracted. imfit's values, of the galaxy in the middle alone and with the neighbors masked, are
in the headers (`benchmarks.real`). Needs the program ``source-extractor``.
"""

import numpy as np
from astropy.table import Table, hstack, vstack

from benchmarks.common.command import parser_of
from benchmarks.common.field_scores import PARAMETERS, match_brightest, plain
from benchmarks.common.sextractor import find_program, fit_sersic
from benchmarks.common.tables import write_rounded
from benchmarks.field import FITTED, OURS, RIVAL
from benchmarks.real import IMFIT_CARDS, load_cutouts
from sersicnet import SersicNet
from sersicnet.cli.demonstration import published_values
from sersicnet.diagnostics.comparison import compare
from sersicnet.measure.image import measure_image

SMALLEST = 100  # pixels on a side of a cutout
CODES = (OURS, FITTED, RIVAL)
_PLACES = {"x_centroid": "x_0", "y_centroid": "y_0"}


def main(arguments=None):
    """Measure the cutouts, and write the tables."""
    parser = parser_of(__doc__, "real")
    options = parser.parse_args(arguments)
    if find_program() is None:
        parser.error("the program source-extractor is not installed")
    chosen = [pair for pair in zip(*load_cutouts(options.real), strict=True) if _is_large(pair[1])]
    names, cutouts = zip(*chosen, strict=True)
    imfit, net = published_values(cutouts, cards=IMFIT_CARDS), SersicNet.from_pretrained()
    parts = [_compare(cutout, row, net) for cutout, row in zip(cutouts, imfit, strict=True)]
    counts, middle, others = zip(*parts, strict=True)
    middle, others = (
        {code: vstack([p[code] for p in x]) for code in CODES} for x in (middle, others)
    )
    tables = {
        "real_galaxies": _galaxies(names, counts, middle, imfit),
        "real_scores": _scores(middle, imfit, others),
    }
    for title, table in tables.items():
        write_rounded(table, options.output / f"{title}.csv", decimals=3)
        print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")


def _is_large(cutout):
    return min(cutout.shape) >= SMALLEST


def _compare(cutout, imfit, net):
    """How many sources; the one that imfit has fitted; others that both codes have found."""
    found = _measure(cutout, net)
    counts = {code: len(found[code]) for code in (OURS, RIVAL)}
    matches = {code: match_brightest(found[OURS], table) for code, table in found.items()}
    both = np.all([rows >= 0 for rows in matches.values()], axis=0)
    own = {code: _row_near(table, imfit) for code, table in found.items()}
    both[own[OURS]] = False
    middle = {code: _plain_table(table, own[code]) for code, table in found.items()}
    others = {code: _plain_table(table, matches[code][both]) for code, table in found.items()}
    return counts | {"both, beside": int(both.sum())}, middle, others


def _measure(cutout, net):
    """The catalog of each code."""
    cutout.mask = None
    units = {"pixel_scale": cutout.meta["PIXSCALE"], "zeropoint": cutout.meta["MAGZP"]}
    options = {"psf": cutout.psf, "net": net, "background_box": None, **units}
    found = {OURS: measure_image(cutout, **options)}
    found[FITTED] = measure_image(cutout, refine="lm", **options)
    noise, manual = cutout.uncertainty.array, {"BACK_TYPE": "MANUAL"}
    rival = fit_sersic(cutout.data, noise, cutout.psf, settings=manual, **units)
    return found | {RIVAL: rival.table}


def _row_near(table, imfit):
    """The row nearest to where imfit has found the galaxy."""
    x, y = (plain(table[name]) - plain(imfit[other]) for name, other in _PLACES.items())
    return [np.hypot(x, y).argmin()]


def _plain_table(table, rows):
    return Table({name: plain(table[name])[rows] for name in PARAMETERS})


def _galaxies(names, counts, middle, imfit):
    """Numbers of sources of each cutout, and all values of the galaxy in its middle."""
    table = hstack([Table({"cutout": names}), Table(rows=counts)])
    for name in PARAMETERS:
        table[f"{name}: imfit"] = plain(imfit[name])
        for code, values in middle.items():
            table[f"{name}: {code}"] = values[name]
    return table


def _scores(middle, imfit, others):
    """Differences of the galaxies in the middle to imfit, of all others to SExtractor."""
    pairs = {f"{code} - imfit": (values, imfit) for code, values in middle.items()}
    pairs |= {f"{code} - {RIVAL}": (others[code], others[RIVAL]) for code in (OURS, FITTED)}
    rows = []
    for title, (first, second) in pairs.items():
        for name in PARAMETERS:
            comparison = compare(first, second, name)
            row = {"difference": title, "galaxies": comparison.n, "parameter": comparison.label}
            rows.append(row | {"median": comparison.bias, "scatter": comparison.scatter})
    return Table(rows=rows)


if __name__ == "__main__":
    main()
