"""Galaxies a second of the shipped four-parameter network, from arrays and from CCDData.

::

    python -m benchmarks.speed --threads 2 -o docs/_static/reproduce/speed.csv
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable

from benchmarks.tables import write_rounded
from sersicnet import SersicNet
from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, render_catalog


def main(arguments=None):
    """Time predictions: the best of a few repetitions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path, help="CSV file")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    config = SimulationConfig.candels_f160w().replace(stamp_size=(128, 128))
    drawn = list(render_catalog(draw_catalog(50, config, seed=1), config, seed=1))
    cutouts = [drawn[i % len(drawn)] for i in range(options.n)]
    noise = StdDevUncertainty(np.stack([cutout.uncertainty.array for cutout in cutouts]))
    stack = NDData(np.stack([cutout.data for cutout in cutouts]), uncertainty=noise)
    net = SersicNet.from_pretrained("deeplegato")
    units = {"pixel_scale": config.pixel_scale, "zeropoint": config.zeropoint}
    table = QTable(names=("input", "threads", "galaxies a second"), dtype=(str, int, int))
    for label, argument, extra in (("array", stack, units), ("list of CCDData", cutouts, {})):
        seconds = min(_time(net, argument, extra) for _ in range(options.repeat))
        table.add_row((label, options.threads, round(options.n / seconds)))
    print(*table.pformat(), sep="\n")
    if options.output:
        write_rounded(table, options.output)


def _time(net, cutouts, units):
    start = time.perf_counter()
    net.predict(cutouts, **units)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
