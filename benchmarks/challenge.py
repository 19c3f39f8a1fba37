"""The scores of the Euclid Morphology Challenge on fields of its kind, beside SExtractor.

::

    OMP_NUM_THREADS=1 python -m benchmarks.challenge docs/_static/challenge --cache CACHE

Fields of Euclid VIS (`benchmarks.sets.fields`; 0.1 arcsec a pixel, galaxies and stars to 27 mag)
are measured by the network, by Levenberg-Marquardt fits and by SExtractor, and scored by the
formulas of the challenge (`benchmarks.common.challenge_scores`) to its limit of 25.3 mag. The
fields are those of this package, **not the images of the challenge**: what it has published stands
beside ours for orientation only. As there, scores are those of galaxies that all codes have found.
"""

import numpy as np
import torch
from astropy.table import vstack

from benchmarks.common.challenge_scores import challenge_table, completeness_table
from benchmarks.common.command import add_cache, make_parser
from benchmarks.common.field_scores import match_brightest
from benchmarks.common.sextractor import find_program
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.field import FITTED, OURS, kept_catalog, measure_catalog
from benchmarks.sets.fields import load_scene
from sersicnet import SersicNet

KIND = "euclid"
CODES = (OURS, FITTED, "SExtractor")
# The bins of the challenge are 11 from 14 to 25.3 mag; these fields have galaxies in the last six.
EDGES = np.linspace(14, 25.3, 12)[5:]
# The smallest dispersions that the challenge has published, by any code (none in the second bin).
PUBLISHED = {
    "r_eff": (0.018, np.nan, 0.028, 0.048, 0.081, 0.113),
    "q": (0.005, np.nan, 0.015, 0.028, 0.054, 0.096),
    "n": (0.014, np.nan, 0.028, 0.047, 0.090, 0.163),
}


def main(arguments=None):
    """Draw and measure the fields, and write the tables."""
    parser = make_parser(__doc__)
    text = "side of the fields, in pixels, by default 2048"
    parser.add_argument("--side", type=int, default=2048, help=text)
    text = "seeds of the fields, by default 201 to 204"
    parser.add_argument("--seeds", type=int, nargs="+", default=[201, 202, 203, 204], help=text)
    text = "codes, by default all"
    parser.add_argument("--codes", nargs="+", choices=CODES, default=list(CODES), help=text)
    add_cache(parser, "fields and catalogs")
    options = parser.parse_args(arguments)
    if "SExtractor" in options.codes and find_program() is None:
        parser.error("the program source-extractor is not installed")
    torch.set_num_threads(1)
    net = SersicNet.from_pretrained()
    truths = []
    matches = {code: [] for code in options.codes}
    found = {code: [] for code in options.codes}
    for seed in options.seeds:
        truth, tables, rows = _measure_field(seed, net, options)
        truths.append(truth)
        common = np.all([match >= 0 for match in rows.values()], axis=0)
        truth["common"] = common
        for code, match in rows.items():
            matches[code].append(match)
            found[code].append(tables[code]["r_eff", "q", "n"][match[common]])
    truth = vstack(truths)
    matches = {code: np.concatenate(parts) for code, parts in matches.items()}
    catalogs = {code: vstack(parts, metadata_conflicts="silent") for code, parts in found.items()}
    common = truth[truth["common"]]
    tables = {
        "challenge": challenge_table(catalogs, common, EDGES, PUBLISHED),
        "completeness": completeness_table(truth, matches, EDGES),
    }
    for name, table in tables.items():
        print_table(table)
        write_rounded(table, options.output / f"{name}.csv", decimals=3)


def _measure_field(seed, net, options):
    """Measure a field; return its galaxies, and the catalog and the matches of each code."""
    scene = load_scene(KIND, side=options.side, cache=options.cache, seed=seed)
    tables = {}
    matches = {}
    galaxy = plain(scene.truth["r_eff"]) > 0
    for code in options.codes:
        path = None
        if options.cache is not None:
            path = options.cache / f"{KIND}-seed{seed}-{options.side}-{code}.ecsv"
        table = kept_catalog(path, lambda code=code: measure_catalog(scene, net, code))
        tables[code] = table
        matches[code] = match_brightest(scene.truth, table)[galaxy]
    return scene.truth[galaxy], tables, matches


if __name__ == "__main__":
    main()
