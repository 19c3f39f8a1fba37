"""How sersicnet, SExtractor and imfit compare on real cutouts, measured as small survey images.

::

    python -m benchmarks.field_real ../shared/real docs/_static/field

The cutouts have at least 100 pixels on a side, and are measured without their masks, which hide the
neighbors. Their sky has been subtracted. The headers have imfit's values of the galaxy in the
middle, fitted alone and with the neighbors masked (`benchmarks.real`). Needs the program
``source-extractor``.
"""

import numpy as np
from astropy.table import Table, hstack, vstack

from benchmarks.common.command import make_parser
from benchmarks.common.field_scores import PARAMETERS, match_brightest
from benchmarks.common.sextractor import find_program, fit_sersic
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.field import FITTED, OURS
from benchmarks.real import IMFIT_CARDS, load_cutouts
from sersicnet import SersicNet
from sersicnet.cli.demonstration import published_values
from sersicnet.diagnostics import compare
from sersicnet.measure import measure_image

# Smallest side of a cutout, in pixels.
SMALLEST = 100
RIVAL = "SExtractor"
CODES = (OURS, FITTED, RIVAL)


def main(arguments=None):
    """Measure the cutouts, and write the tables."""
    parser = make_parser(__doc__, "real")
    options = parser.parse_args(arguments)
    if find_program() is None:
        parser.error("the program source-extractor is not installed")
    names = []
    cutouts = []
    for name, cutout in zip(*load_cutouts(options.real), strict=True):
        if min(cutout.shape) >= SMALLEST:
            names.append(name)
            cutouts.append(cutout)
    imfit = published_values(cutouts, cards=IMFIT_CARDS)
    net = SersicNet.from_pretrained()
    parts = [_compare(cutout, row, net) for cutout, row in zip(cutouts, imfit, strict=True)]
    counts, middle, others = zip(*parts, strict=True)
    middle = _stack(middle)
    others = _stack(others)
    tables = {
        "real_galaxies": _galaxies(names, counts, middle, imfit),
        "real_scores": _scores(middle, imfit, others),
    }
    for title, table in tables.items():
        write_rounded(table, options.output / f"{title}.csv", decimals=3)
        print_table(table)


def _stack(parts):
    """Join the tables of all cutouts, code by code."""
    return {code: vstack([part[code] for part in parts]) for code in CODES}


def _compare(cutout, imfit, net):
    """Measure a cutout by all codes, and match their catalogs.

    Parameters
    ----------
    cutout : `~astropy.nddata.CCDData`
        Cutout of a real galaxy.
    imfit : `~astropy.table.Row`
        Values of imfit.
    net : `~sersicnet.SersicNet`
        Network.

    Returns
    -------
    counts : dict
        Numbers of sources.
    middle : dict of str to `~astropy.table.Table`
        By code, the galaxy that imfit has fitted.
    others : dict of str to `~astropy.table.Table`
        By code, the other sources that all codes have found.
    """
    found = _measure(cutout, net)
    counts = {code: len(found[code]) for code in (OURS, RIVAL)}
    matches = {code: match_brightest(found[OURS], table) for code, table in found.items()}
    both = np.all([rows >= 0 for rows in matches.values()], axis=0)
    own = {code: _row_near(table, imfit) for code, table in found.items()}
    both[own[OURS]] = False
    counts["others, found by both"] = int(both.sum())
    middle = {code: _plain_table(table, own[code]) for code, table in found.items()}
    others = {code: _plain_table(table, matches[code][both]) for code, table in found.items()}
    return counts, middle, others


def _measure(cutout, net):
    """Return the catalog of each code."""
    cutout.mask = None
    units = {"pixel_scale": cutout.meta["PIXSCALE"], "zeropoint": cutout.meta["MAGZP"]}
    options = {"psf": cutout.psf, "net": net, "background_box": None, **units}
    noise = cutout.uncertainty.array
    rival = fit_sersic(cutout.data, noise, cutout.psf, settings={"BACK_TYPE": "MANUAL"}, **units)
    return {
        OURS: measure_image(cutout, **options),
        FITTED: measure_image(cutout, refine="lm", **options),
        RIVAL: rival.table,
    }


def _row_near(table, imfit):
    """Return the row nearest to imfit's position of the galaxy, in a list."""
    x = plain(table["x_centroid"]) - plain(imfit["x_0"])
    y = plain(table["y_centroid"]) - plain(imfit["y_0"])
    return [np.hypot(x, y).argmin()]


def _plain_table(table, rows):
    return Table({name: plain(table[name])[rows] for name in PARAMETERS})


def _galaxies(names, counts, middle, imfit):
    """Return the numbers of sources, and all values of the galaxy in the middle, by cutout."""
    table = hstack([Table({"cutout": names}), Table(rows=counts)])
    for name in PARAMETERS:
        table[f"{name}: imfit"] = plain(imfit[name])
        for code, values in middle.items():
            table[f"{name}: {code}"] = values[name]
    return table


def _scores(middle, imfit, others):
    """Compare the galaxies in the middle with imfit, and all others with SExtractor."""
    pairs = {f"{code} - imfit": (values, imfit) for code, values in middle.items()}
    for code in (OURS, FITTED):
        pairs[f"{code} - {RIVAL}"] = (others[code], others[RIVAL])
    rows = []
    for title, (first, second) in pairs.items():
        for name in PARAMETERS:
            comparison = compare(first, second, name)
            rows.append(
                {
                    "difference": title,
                    "galaxies": comparison.n,
                    "parameter": comparison.label,
                    "median": comparison.bias,
                    "scatter": comparison.scatter,
                }
            )
    return Table(rows=rows)


if __name__ == "__main__":
    main()
