"""How many galaxies per second the shipped networks measure, with errors and flags.

::

    python -m benchmarks.speed docs/_static/calibration --threads 2

The input is one 3-D array, or a list of CCDData, each with its noise map and PSF. ``speed.csv`` has
the best of several repetitions, and ``speed_profile.csv`` the time of each step of the universal
network. Without an output, the tables are only printed.
"""

import cProfile
import pstats
import time

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import print_table, write_rounded
from sersicnet import SersicNet
from sersicnet.io.weights import weights_path
from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, render_catalog

# Samples of the posterior, the default of SersicNet.predict.
POINTS = 64
# Galaxies that are simulated; they are repeated as often as needed.
N_SIMULATED = 50
# File and name of the function of each step. The time of all that it calls belongs to the step.
# "prepare" reads the cutouts.
STEPS = {
    "prepare": ("preprocessing/stamps.py", "build_stamps"),
    "network": ("networks/posterior.py", "forward"),
    "sampling": ("networks/flow_density.py", "flow_labels"),
    "quantiles": ("networks/densities.py", "summarize"),
    "misfit": ("inference/misfit.py", "judge"),
}


def main(arguments=None):
    """Time the predictions, and print or write the tables."""
    parser = make_parser(__doc__, output="optional")
    add_count(parser, "galaxies", default=1000)
    n_threads = torch.get_num_threads()
    text = "number of threads, by default that of torch"
    parser.add_argument("--threads", type=int, default=n_threads, help=text)
    parser.add_argument("--repeat", type=int, default=5, help="repetitions, by default 5")
    add_weights(parser)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    universal = SersicNet.load(weights_path(options.weights))
    inputs = make_inputs(options.n)
    table = _time_networks(universal, inputs, options)
    profile = profile_steps(universal, inputs["array"], options.n)
    print_table(table)
    print_table(profile)
    if options.output is not None:
        write_rounded(table, options.output / "speed.csv")
        write_rounded(profile, options.output / "speed_profile.csv", decimals=3)


def _time_networks(universal, inputs, options):
    """Return the speed of each network for each kind of input."""
    ways = {
        "universal": (universal, {}),
        "universal, augmented": (universal, {"augment": True}),
        "deeplegato": (SersicNet.from_pretrained("deeplegato"), {}),
    }
    columns = ("network", "posterior points", "input", "threads", "galaxies per second")
    table = QTable(names=columns, dtype=(str, str, str, int, int))
    for name, (net, settings) in ways.items():
        points = str(POINTS) if net is universal else "none"
        for label, call in inputs.items():
            seconds = min(_time(net, call | settings) for _ in range(options.repeat))
            table.add_row((name, points, label, options.threads, round(options.n / seconds)))
    return table


def make_inputs(n):
    """Return the arguments of `SersicNet.predict` for each kind of input.

    Parameters
    ----------
    n : int
        Number of galaxies.

    Returns
    -------
    dict of dict
    """
    config = SimulationConfig.candels_f160w().replace(stamp_size=(128, 128))
    catalog = draw_catalog(N_SIMULATED, config, seed=1)[:n]
    drawn = list(render_catalog(catalog, config, seed=1))
    cutouts = [drawn[i % len(drawn)] for i in range(n)]
    noise = StdDevUncertainty(np.stack([cutout.uncertainty.array for cutout in cutouts]))
    stack = NDData(np.stack([cutout.data for cutout in cutouts]), uncertainty=noise)
    units = {"pixel_scale": config.pixel_scale, "zeropoint": config.zeropoint}
    return {
        "array": {"cutouts": stack, "psf": drawn[0].psf, **units},
        "list of CCDData": {"cutouts": cutouts},
    }


def profile_steps(net, call, n):
    """Return the milliseconds per galaxy of each step, and of the rest.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        Network.
    call : dict
        Arguments of `SersicNet.predict`.
    n : int
        Number of galaxies.

    Returns
    -------
    `~astropy.table.QTable`
        One row per step.
    """
    profiler = cProfile.Profile()
    profiler.enable()
    _time(net, call)
    profiler.disable()
    calls = pstats.Stats(profiler).stats
    spent = dict.fromkeys(STEPS, 0.0)
    for (path, _, function), (_, _, _, cumulative, _) in calls.items():
        for step, (file, name) in STEPS.items():
            if function == name and path.endswith(f"sersicnet/{file}"):
                # Blocks of the network are inside of the largest.
                spent[step] = max(spent[step], cumulative)
    total = max(row[3] for row in calls.values())
    spent["all else"] = total - sum(spent.values())
    rows = [(step, 1e3 * seconds / n, seconds / total) for step, seconds in spent.items()]
    return QTable(rows=rows, names=("step", "ms per galaxy", "share"))


def _time(net, call):
    """Return the wall-clock seconds of a prediction."""
    options = {"n_samples": POINTS} if hasattr(net.network_, "flow") else {}
    start = time.perf_counter()
    net.predict(**call, **options)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
