"""How often a bulge is said to be in galaxies that have none: spirals and rings.

::

    python -m benchmarks.false_bulges docs/_static/composites

Exponential disks with spiral arms or a ring, and Sersic galaxies beside them, are drawn by GalSim
(`benchmarks.outliers`) and measured with ``model="auto"`` and ``refine="lm"``. None has a bulge or
a nucleus. ``false_bulges.csv`` has the share of them in which two parts are more likely than one,
the share of these with the flag MISFIT, and the share in which a bulge or nucleus has a tenth of
the light or more.
"""

import time

import numpy as np
import torch
from astropy.table import QTable

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import print_table, share, write_rounded
from benchmarks.outliers import draw_outlier
from sersicnet import Flags, SersicNet
from sersicnet.io.weights import weights_path

KINDS = ("galaxy", "spiral", "ring")
# S/N of the galaxies; at the second, arms are seen in the residuals.
SIGNALS = (30.0, 200.0)
# Share of the light that is a bulge worth a name.
_LARGE = 0.1


def main(arguments=None):
    """Draw and measure the galaxies, and write the table."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies of each kind and S/N", default=15)
    add_weights(parser)
    parser.add_argument("--seed", type=int, default=201, help="number of the first galaxy")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    net = SersicNet.load(weights_path(options.weights))
    rows = []
    for signal in SIGNALS:
        for kind in KINDS:
            numbers = range(options.seed, options.seed + options.n)
            cutouts = [draw_outlier(kind, number, signal=signal) for number in numbers]
            begin = time.process_time()
            results = net.predict(cutouts, model="auto", refine="lm", recenter_psf=False)
            seconds = (time.process_time() - begin) / len(cutouts)
            row = {"kind": kind, "S/N": int(signal), "galaxies": len(cutouts)}
            rows.append(row | count(results) | {"CPU s": seconds})
    table = QTable(rows=rows)
    print_table(table)
    write_rounded(table, options.output / "false_bulges.csv", decimals=2)


def count(results):
    """Count the galaxies of one part that are said to have two.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        Results of ``model="auto"``.

    Returns
    -------
    dict
        Shares of the galaxies in which two parts win; of those that win, with MISFIT; and of all,
        in which two parts win and the inner one has a tenth of the light or more.
    """
    columns = results.columns
    two = columns["prob_sersic_exp"] + columns["prob_point_exp"]
    wins = two > 0.5
    misfit = (results.flags & int(Flags.MISFIT)) != 0
    inner = np.nan_to_num(columns["bulge_to_total"]) + np.nan_to_num(columns["point_to_total"])
    return {
        "two parts win": share(wins),
        "of these MISFIT": share(misfit[wins]),
        "with 0.1 of the light": share(wins & (inner >= _LARGE)),
        "no probability": share(np.isnan(two)),
    }


if __name__ == "__main__":
    main()
