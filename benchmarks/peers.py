"""The shipped four-parameter network beside imfit and SExtractor, on the same galaxies.

::

    python -m benchmarks.peers ../shared/bench docs/_static/reproduce

The first directory holds ``make_bench.py``, which simulates 400 galaxies like those
of CANDELS F160W, and ``peers_seed1.csv``, what the peers measured on them.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable, Table, vstack

from benchmarks.tables import write_rounded
from sersicnet import SersicNet
from sersicnet.diagnostics import score_table

PARAMETERS = ("mag", "r_eff", "n", "q")
COLUMNS = ("code", "sample", "label", "n", "n_lost", "r2", "bias", "scatter", "rms")


def main(arguments=None):
    """Simulate the benchmark, measure it, and write the scores of all codes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--weights", default="deeplegato")
    options = parser.parse_args(arguments)
    peers = Table.read(options.bench / "peers_seed1.csv")
    bench = simulate(options.bench, seed=1)
    net = SersicNet.from_pretrained(options.weights)
    ours = net.predict(
        _as_cutouts(bench), pixel_scale=float(bench["pix"]), zeropoint=float(bench["zp"])
    ).to_table()
    truth = QTable({name: np.asarray(peers[f"true_{name}"], float) for name in PARAMETERS})
    np.testing.assert_allclose(truth["mag"], bench["true_mag"], atol=1e-3)
    rows = []
    for code in ("sersicnet", "imfit", "sextractor"):
        measured = ours if code == "sersicnet" else _of_peer(peers, code)
        for sample, chosen in _samples(truth["mag"]).items():
            scores = score_table(measured[chosen], truth[chosen], parameters=PARAMETERS)
            scores["code"], scores["sample"] = code, sample
            rows.append(scores[COLUMNS])
    table = vstack(rows)
    write_rounded(table, options.output / "peers.csv")
    print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")


def simulate(folder, *, seed):
    """The arrays of the benchmark with this seed."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, str(folder / "make_bench.py"), "--seed", str(seed)]
        subprocess.run([*command, "--out", scratch], check=True, capture_output=True)
        with np.load(Path(scratch) / "bench.npz") as file:
            return dict(file)


def _as_cutouts(bench):
    """One stack with its noise map."""
    return NDData(bench["img"], uncertainty=StdDevUncertainty(bench["sig"]), psf=bench["psf"])


def _of_peer(peers, code):
    """A peer's columns; what it lost is NaN."""
    columns = {name: peers[f"{code}_{name}"] for name in PARAMETERS}
    return QTable(
        {
            name: np.ma.filled(np.ma.asarray(column, float), np.nan)
            for name, column in columns.items()
        }
    )


def _samples(mag):
    return {"all": mag > 0, "bright (< 22)": mag < 22, "faint (> 22)": mag > 22}


if __name__ == "__main__":
    main()
