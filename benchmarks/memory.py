"""How much memory a prediction of many cutouts needs, beyond its inputs.

::

    python -m benchmarks.memory docs/_static/memory -n 500 4000 20000
    python -m benchmarks.memory docs/_static/memory -n 500 2000 --refine lm
    python -m benchmarks.memory docs/_static/memory -n 20 100 --refine importance

The cutouts are one array of 32 x 32 pixels. ``memory.csv`` (``memory_lm.csv`` of fits) has, per
number of cutouts, the megabytes of the array, those of the results when they are pickled, and the
peak of the process above what it had before the call; and the bytes that the results keep of each
cutout (`~benchmarks.common.storage.kept_bytes`). Each row is measured in a process of its own.
"""

import multiprocessing
import pickle
import resource

import numpy as np
from astropy.table import QTable

from benchmarks.common.command import add_weights, make_parser
from benchmarks.common.storage import kept_bytes
from benchmarks.common.tables import print_table, write_rounded
from sersicnet import SersicNet
from sersicnet.io.weights import weights_path
from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, render_catalog

SIDE = 32
# Galaxies that are simulated; they are repeated as often as needed.
N_SIMULATED = 5
_MEGA = 1e6


def main(arguments=None):
    """Measure all numbers of cutouts, and write the table."""
    parser = make_parser(__doc__)
    add_weights(parser)
    parser.add_argument("-n", "--n", type=int, nargs="+", default=[2000, 20_000])
    parser.add_argument("--refine", choices=("lm", "importance"))
    options = parser.parse_args(arguments)
    context = multiprocessing.get_context("spawn")
    rows = []
    for number in options.n:
        with context.Pool(1) as pool:
            rows.append(pool.apply(measure, (number, options.weights, options.refine)))
    table = QTable(rows=rows)
    name = "memory.csv" if options.refine is None else f"memory_{options.refine}.csv"
    write_rounded(table, options.output / name, decimals=0)
    print_table(table)


def measure(n, weights, refine):
    """Measure the memory of one prediction: megabytes, and the bytes that each cutout leaves.

    Parameters
    ----------
    n : int
        Number of cutouts.
    weights : str
        Name or file of the network.
    refine : str or None
        Refinement.

    Returns
    -------
    dict of float
    """
    config = SimulationConfig.candels_f160w().replace(stamp_size=(SIDE, SIDE))
    drawn = list(render_catalog(draw_catalog(N_SIMULATED, config, seed=1), config, seed=1))
    cutouts = np.stack([drawn[i % N_SIMULATED].data for i in range(n)])
    net = SersicNet.load(weights_path(weights))
    options = {"pixel_scale": config.pixel_scale, "zeropoint": config.zeropoint}
    options |= {"psf": drawn[0].psf, "refine": refine}
    net.predict(cutouts[:N_SIMULATED], **options)
    before = _peak()
    results = net.predict(cutouts, **options)
    return {
        "cutouts": n,
        "array": cutouts.nbytes / _MEGA,
        "results": len(pickle.dumps(results)) / _MEGA,
        "peak above": (_peak() - before) / _MEGA,
        "bytes per cutout": bytes_per_cutout(results),
    }


def bytes_per_cutout(results):
    """Return the bytes that results keep of each galaxy, without what all have in common."""
    return (kept_bytes(results) - kept_bytes(results[:1])) / (len(results) - 1)


def _peak():
    """Peak memory of this process, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
