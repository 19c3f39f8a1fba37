"""How often galaxies get companions that they do not have.

::

    python -m benchmarks.false_companions docs/_static/blends

Bright Sersic galaxies, and galaxies with arms, a ring, a bar, a bulge or a nucleus, or with a wrong
PSF, are drawn by GalSim (`benchmarks.outliers`), each alone in its image, and measured as survey
images are. ``false_companions.csv`` has the share of them in which the search takes one, the number
of these per galaxy, the share of galaxies with the flag MISFIT, and how much a companion changes
the magnitude of the galaxy, in its errors (the median over galaxies that have some).
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
from sersicnet.measure import measure_image

KINDS = ("galaxy", "spiral", "ring", "bar", "bulge", "nucleus", "wrong PSF")
UNITS = {"pixel_scale": 0.1, "zeropoint": 25.0}
# S/N of the galaxies: companions are looked for around those above 100.
SIGNAL = 300.0


def main(arguments=None):
    """Draw and measure the galaxies, and write the table."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies of each kind", default=40)
    add_weights(parser)
    parser.add_argument("--seed", type=int, default=201, help="number of the first galaxy")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    net = SersicNet.load(weights_path(options.weights))
    rows = []
    for kind in KINDS:
        begin = time.process_time()
        found = []
        for number in range(options.seed, options.seed + options.n):
            cutout = draw_outlier(kind, number, signal=SIGNAL)
            found.append(measure(cutout, net))
        seconds = (time.process_time() - begin) / len(found)
        row = {"kind": kind, "galaxies": len(found)}
        rows.append(row | summary(np.array(found)) | {"CPU s": seconds})
        print(rows[-1], flush=True)
    table = QTable(rows=rows)
    print_table(table)
    write_rounded(table, options.output / "false_companions.csv", decimals=2)


def measure(cutout, net):
    """Measure the image of one galaxy.

    Parameters
    ----------
    cutout : `~astropy.nddata.CCDData`
        The image.
    net : `~sersicnet.SersicNet`
        The network.

    Returns
    -------
    companions : int
        Number of its companions.
    misfit : bool
        Whether the galaxy has the flag MISFIT.
    moved : float
        Difference of its magnitude from that without a search, in errors; NaN without companions.
    """
    options = {"net": net, "psf": cutout.psf, "refine": "lm", "background_box": None, **UNITS}
    table = measure_image(cutout, **options)
    flags = np.asarray(table["flags"])
    is_companion = flags & int(Flags.COMPANION) != 0
    row = _brightest(table)
    misfit = row is not None and bool(flags[row] & int(Flags.MISFIT))
    moved = np.nan
    if is_companion.any() and row is not None:
        alone = measure_image(cutout, companions=False, **options)
        change = table["mag"][row] - alone["mag"][_brightest(alone)]
        moved = float(abs(change / table["mag_err"][row]).value)
    return int(is_companion.sum()), misfit, moved


def _brightest(table):
    """Return the row of the brightest source, None if there is none."""
    mag = np.array(table["mag"].value)
    if not np.isfinite(mag).any():
        return None
    return int(np.nanargmin(mag))


def summary(found):
    """Summarize what `measure` returned of some galaxies, (N, 3), as a row of the table."""
    companions, misfit, moved = found.T
    changed = moved[np.isfinite(moved)]
    return {
        "with companions": share(companions > 0),
        "companions per galaxy": companions.mean(),
        "MISFIT": share(misfit > 0),
        "moved by errors": np.median(changed) if len(changed) else np.nan,
    }


if __name__ == "__main__":
    main()
