"""The shipped networks beside imfit and SExtractor, and beside the best possible.

::

    python -m benchmarks.peers ../shared/bench docs/_static/calibration

The first directory holds ``make_bench.py``, which simulates 400 galaxies like those
of CANDELS F160W, and ``peers_seed1.csv``, what the peers measured on them. The best that an
unbiased fit without prior knowledge can reach is the Cramer-Rao bound.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable, Table, vstack

from benchmarks.common.command import add_weights, parser_of
from benchmarks.common.tables import write_rounded
from sersicnet import SersicNet
from sersicnet.diagnostics.comparison import compare
from sersicnet.diagnostics.scores import score_table
from sersicnet.inference.refine import ImportanceSampling
from sersicnet.io.weights import weights_path
from sersicnet.model.jacobian import image_and_jacobian
from sersicnet.model.labels import (
    ELLIPTICITY,
    LOG_FLUX,
    LOG_R_EFF,
    SERSIC_N,
    components,
    stack_labels,
)
from sersicnet.model.profile import psf_transform

PARAMETERS = ("mag", "r_eff", "n", "q")
COLUMNS = ("code", "sample", "label", "n", "n_lost", "r2", "bias", "scatter", "rms", "coverage")
BRIGHT = 22.0


def main(arguments=None):
    """Simulate the benchmark, measure it, and write the scores of all codes."""
    parser = parser_of(__doc__, "bench")
    add_weights(parser)
    parser.add_argument("--cache", type=Path, help="directory for the simulated galaxies")
    options = parser.parse_args(arguments)
    peers = Table.read(options.bench / "peers_seed1.csv")
    bench = simulate(options.bench, seed=1, cache=options.cache)
    truth = QTable({name: np.asarray(peers[f"true_{name}"], float) for name in PARAMETERS})
    np.testing.assert_allclose(truth["mag"], bench["true_mag"], atol=1e-3)
    codes = {
        "universal": _measure(bench, options.weights),
        "universal, augmented": _measure(bench, options.weights, augment=True),
        "universal, lm": _measure(bench, options.weights, refine="lm"),
        "universal, importance": _measure(bench, options.weights, refine="importance"),
        "the same, sky known": _measure(
            bench, options.weights, refine=ImportanceSampling(sky=False)
        ),
        "deeplegato": _measure(bench, "deeplegato"),
        "imfit": _of_peer(peers, "imfit"),
        "sextractor": _of_peer(peers, "sextractor"),
    }
    bounds = cramer_rao(bench)
    rows = []
    for code, measured in codes.items():
        for sample, chosen in _samples(truth["mag"]).items():
            scores = score_table(measured[chosen], truth[chosen], parameters=PARAMETERS)
            scores["code"], scores["sample"] = code, sample
            scores = scores[COLUMNS]
            scores["nmad / crb"] = [
                _in_units(compare(measured[chosen], truth[chosen], name), bounds[name][chosen])
                if sample.startswith("bright")
                else np.nan
                for name in PARAMETERS
            ]
            rows.append(scores)
    table = vstack(rows)
    write_rounded(table, options.output / "peers.csv")
    print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")


def simulate(folder, *, seed, cache=None):
    """The arrays of the benchmark with this seed, kept in the directory ``cache`` if given."""
    with tempfile.TemporaryDirectory() as scratch:
        where = Path(scratch if cache is None else cache)
        if not (where / "bench.npz").exists():
            command = [sys.executable, str(folder / "make_bench.py"), "--seed", str(seed)]
            subprocess.run([*command, "--out", str(where)], check=True, capture_output=True)
        with np.load(where / "bench.npz") as file:
            return dict(file)


def cramer_rao(bench, *, batch_size=10):
    """Smallest errors of an unbiased fit of all seven parameters, known noise, no sky.

    Parameters
    ----------
    bench : dict
        From `simulate`.
    batch_size : int
        Galaxies at a time.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
        Of ``mag``, ``r_eff`` (in dex), ``n`` and ``q``.
    """
    labels = _labels(bench)
    size = bench["img"].shape[-1]
    transform = psf_transform(torch.from_numpy(bench["psf"]), size)
    covariances = []
    for start in range(0, len(labels), batch_size):
        part = slice(start, start + batch_size)
        _, jacobian = image_and_jacobian(labels[part], transform, stamp_size=size)
        noise = torch.from_numpy(bench["sig"][part].astype(float))
        scaled = (jacobian / noise[:, None]).flatten(2)
        covariances.append(torch.linalg.inv(scaled @ scaled.transpose(1, 2)))
    covariance = torch.cat(covariances).numpy()
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    e = labels[:, ELLIPTICITY].numpy()
    size = np.hypot(*e.T)
    across = e / size[:, None]
    variance = np.einsum("ni,nij,nj->n", across, covariance[:, ELLIPTICITY, ELLIPTICITY], across)
    return {
        "mag": 2.5 * error[:, LOG_FLUX],
        "r_eff": error[:, LOG_R_EFF],
        "n": error[:, SERSIC_N],
        "q": 2 / (1 + size) ** 2 * np.sqrt(variance),  # q = (1 - |e|) / (1 + |e|)
    }


def _labels(bench):
    """Truth as `sersicnet.model.LABELS`, (N, 7), with the flux in counts."""
    e1, e2 = components(bench["true_q"], np.radians(bench["true_pa"]))
    middle = (bench["img"].shape[-1] - 1) / 2
    columns = {
        "log_flux": np.log10(bench["true_flux"]),
        "log_r_eff": np.log10(bench["true_re_maj"] / bench["pix"]),
        "n": bench["true_n"],
        "e1": e1,
        "e2": e2,
        "dx": bench["true_x0"] - middle,
        "dy": bench["true_y0"] - middle,
    }
    return torch.from_numpy(stack_labels(columns))


def _in_units(comparison, bound):
    """The median error in units of its bound, as 1 for a normal distribution of that width."""
    return 1.4826 * np.nanmedian(np.abs(comparison.error) / bound)


def _measure(bench, weights, **options):
    """Our table."""
    stack = NDData(bench["img"], uncertainty=StdDevUncertainty(bench["sig"]), psf=bench["psf"])
    units = {"pixel_scale": float(bench["pix"]), "zeropoint": float(bench["zp"])}
    net = SersicNet.load(weights_path(weights))
    return net.predict(stack, **units, **options).to_table()


def _of_peer(peers, code):
    """A peer's columns, with intervals where it has errors; what it lost is NaN."""

    def column(name):
        return np.ma.filled(np.ma.asarray(peers[f"{code}_{name}"], float), np.nan)

    table = QTable()
    for name in PARAMETERS:
        table[name] = column(name)
        if f"{code}_{name}_err" in peers.colnames:
            error = column(f"{name}_err")
            table[f"{name}_lo"], table[f"{name}_hi"] = table[name] - error, table[name] + error
    return table


def _samples(mag):
    bright = mag < BRIGHT
    return {"all": mag > 0, f"bright (< {BRIGHT:.0f})": bright, f"faint (>= {BRIGHT:.0f})": ~bright}


if __name__ == "__main__":
    main()
