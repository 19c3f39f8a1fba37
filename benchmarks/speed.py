"""Galaxies a second of the shipped networks: medians, errors and flags of all parameters.

::

    python -m benchmarks.speed --threads 2 -o docs/_static/calibration

From one 3-D array, and from a list of CCDData, each with its noise map and PSF. ``speed.csv`` has
the best of some repetitions, and ``speed_profile.csv`` where the universal network's time goes.
"""

import argparse
import cProfile
import pstats
import time
from pathlib import Path

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable

from benchmarks.common.command import add_weights
from benchmarks.common.tables import write_rounded
from sersicnet import SersicNet
from sersicnet.io.weights import weights_path
from sersicnet.simulate_catalog.catalog import draw_catalog
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog

POINTS = 64  # of the posterior, as is the default of SersicNet.predict
# Functions whose time, with all that they call, is that of a step; "prepare" reads cutouts.
STEPS = {
    "prepare": ("stamps.py", "prepare"),
    "network": ("posterior.py", "forward"),
    "sampling": ("flow_density.py", "flow_labels"),
    "quantiles": ("densities.py", "summarize"),
    "misfit": ("misfit.py", "misfit"),
}


def main(arguments=None):
    """Time predictions, and write tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeat", type=int, default=5)
    add_weights(parser)
    parser.add_argument("-o", "--output", type=Path, help="directory of the tables")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    universal = SersicNet.load(weights_path(options.weights))
    ways = {
        "universal": (universal, {}),
        "universal, augmented": (universal, {"augment": True}),
        "deeplegato": (SersicNet.from_pretrained("deeplegato"), {}),
    }
    inputs = make_inputs(options.n)
    columns = ("network", "posterior points", "input", "threads", "galaxies a second")
    table = QTable(names=columns, dtype=(str, str, str, int, int))
    for name, (net, how) in ways.items():
        points = str(POINTS) if net is universal else "none"
        for label, call in inputs.items():
            seconds = min(_time(net, call | how) for _ in range(options.repeat))
            row = (name, points, label, options.threads, round(options.n / seconds))
            table.add_row(row)
    profile = profile_steps(universal, inputs["array"], options.n)
    for each in (table, profile):
        print(*each.pformat(max_width=-1), sep="\n")
    if options.output:
        write_rounded(table, options.output / "speed.csv")
        write_rounded(profile, options.output / "speed_profile.csv", decimals=3)


def make_inputs(n):
    """Arguments of `SersicNet.predict` for each kind of input, as dicts."""
    config = SimulationConfig.candels_f160w().replace(stamp_size=(128, 128))
    drawn = list(render_catalog(draw_catalog(50, config, seed=1), config, seed=1))
    cutouts = [drawn[i % len(drawn)] for i in range(n)]
    noise = StdDevUncertainty(np.stack([cutout.uncertainty.array for cutout in cutouts]))
    stack = NDData(np.stack([cutout.data for cutout in cutouts]), uncertainty=noise)
    units = {"pixel_scale": config.pixel_scale, "zeropoint": config.zeropoint}
    return {
        "array": {"cutouts": stack, "psf": drawn[0].psf, **units},
        "list of CCDData": {"cutouts": cutouts},
    }


def profile_steps(net, call, n):
    """Milliseconds a galaxy of each step, and of all else."""
    profiler = cProfile.Profile()
    profiler.enable()
    _time(net, call)
    profiler.disable()
    found = pstats.Stats(profiler).stats
    spent = dict.fromkeys(STEPS, 0.0)
    for (path, _, function), (_, _, _, cumulative, _) in found.items():
        for step, (file, name) in STEPS.items():
            if function == name and "sersicnet" in path and path.endswith(file):
                spent[step] = max(spent[step], cumulative)  # blocks of the network are inside
    total = max(row[3] for row in found.values())
    spent["all else"] = total - sum(spent.values())
    rows = [(step, 1e3 * seconds / n, seconds / total) for step, seconds in spent.items()]
    return QTable(rows=rows, names=("step", "ms a galaxy", "share"))


def _time(net, call):
    start = time.perf_counter()
    options = {"n_samples": POINTS} if hasattr(net.network_, "flow") else {}
    net.predict(**call, **options)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
