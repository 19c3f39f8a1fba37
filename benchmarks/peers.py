"""How accurate the shipped networks are beside imfit, SExtractor and the best possible fit.

::

    python -m benchmarks.peers ../shared/bench docs/_static/calibration

The first directory holds ``make_bench.py``, which simulates 400 galaxies similar to those of
CANDELS F160W, and ``peers_seed1.csv``, the measurements of the other codes on them. The best
possible errors of an unbiased fit without prior knowledge are the Cramer-Rao bound.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable, Table, vstack

from benchmarks.common.command import add_cache, add_weights, make_parser
from benchmarks.common.tables import NMAD_FACTOR, print_table, write_rounded
from sersicnet import SersicNet
from sersicnet.diagnostics import compare, score_table
from sersicnet.io.weights import weights_path
from sersicnet.model import image_and_jacobian, psf_transform
from sersicnet.model.labels import (
    ELLIPTICITY,
    LOG_FLUX,
    LOG_R_EFF,
    SERSIC_N,
    components,
    stack_labels,
)

PARAMETERS = ("mag", "r_eff", "n", "q")
COLUMNS = ("code", "sample", "label", "n", "n_lost", "r2", "bias", "scatter", "rms", "coverage")
# Magnitude below which a galaxy is bright.
BRIGHT = 22.0


def main(arguments=None):
    """Simulate the galaxies, measure them, and write the scores of all codes."""
    parser = make_parser(__doc__, "bench")
    add_weights(parser)
    add_cache(parser, "galaxies")
    options = parser.parse_args(arguments)
    peers = Table.read(options.bench / "peers_seed1.csv")
    bench = simulate(options.bench, seed=1, cache=options.cache)
    truth = QTable({name: np.asarray(peers[f"true_{name}"], float) for name in PARAMETERS})
    np.testing.assert_allclose(truth["mag"], bench["true_mag"], atol=1e-3)
    bounds = cramer_rao(bench)
    rows = []
    for code, measured in _measure_all(bench, peers, options.weights).items():
        for sample, chosen in _samples(truth["mag"]).items():
            scores = score_table(measured[chosen], truth[chosen], parameters=PARAMETERS)
            scores["code"] = code
            scores["sample"] = sample
            scores = scores[COLUMNS]
            scores["nmad / crb"] = np.nan
            if sample.startswith("bright"):
                for row, name in enumerate(PARAMETERS):
                    comparison = compare(measured[chosen], truth[chosen], name)
                    scores["nmad / crb"][row] = _in_units(comparison, bounds[name][chosen])
            rows.append(scores)
    table = vstack(rows)
    write_rounded(table, options.output / "peers.csv")
    print_table(table)


def _measure_all(bench, peers, weights):
    """Return the tables of all codes."""
    return {
        "universal": _measure(bench, weights),
        "universal, augmented": _measure(bench, weights, augment=True),
        "universal, lm": _measure(bench, weights, refine="lm"),
        "universal, importance": _measure(bench, weights, refine="importance"),
        "the same, sky known": _measure(bench, weights, refine="importance", sky="fixed"),
        "deeplegato": _measure(bench, "deeplegato"),
        "imfit": _peer_table(peers, "imfit"),
        "sextractor": _peer_table(peers, "sextractor"),
    }


def simulate(folder, *, seed, cache=None):
    """Return the simulated galaxies.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Directory of ``make_bench.py``.
    seed : int
        Seed of the galaxies.
    cache : `~pathlib.Path`, optional
        Directory that keeps the galaxies between runs.

    Returns
    -------
    dict of `~numpy.ndarray`
        Images, PSF and true values.
    """
    with tempfile.TemporaryDirectory() as scratch:
        where = Path(scratch if cache is None else cache)
        if not (where / "bench.npz").exists():
            command = [sys.executable, str(folder / "make_bench.py"), "--seed", str(seed)]
            subprocess.run([*command, "--out", str(where)], check=True, capture_output=True)
        with np.load(where / "bench.npz") as file:
            return dict(file)


def cramer_rao(bench, *, batch_size=10):
    """Return the smallest errors of an unbiased fit of seven parameters, for known noise and sky.

    Parameters
    ----------
    bench : dict
        Galaxies of `simulate`.
    batch_size : int
        Number of galaxies in a batch.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
        Errors of ``mag``, ``r_eff`` (in dex), ``n`` and ``q``.
    """
    labels = _labels(bench)
    side = bench["img"].shape[-1]
    transform = psf_transform(torch.from_numpy(bench["psf"]), side)
    covariances = []
    for start in range(0, len(labels), batch_size):
        part = slice(start, start + batch_size)
        _, jacobian = image_and_jacobian(labels[part], transform, stamp_size=side)
        noise = torch.from_numpy(bench["sig"][part].astype(float))
        scaled = (jacobian / noise[:, None]).flatten(2)
        covariances.append(torch.linalg.inv(scaled @ scaled.transpose(1, 2)))
    covariance = torch.cat(covariances).numpy()
    error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    e = labels[:, ELLIPTICITY].numpy()
    size = np.hypot(*e.T)
    along = e / size[:, None]
    variance = np.einsum("ni,nij,nj->n", along, covariance[:, ELLIPTICITY, ELLIPTICITY], along)
    return {
        "mag": 2.5 * error[:, LOG_FLUX],
        "r_eff": error[:, LOG_R_EFF],
        "n": error[:, SERSIC_N],
        "q": 2 / (1 + size) ** 2 * np.sqrt(variance),  # q = (1 - |e|) / (1 + |e|)
    }


def _labels(bench):
    """Return the truth as `sersicnet.model.LABELS`, (N, 7), with the flux in counts."""
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
    """Return the NMAD of errors in units of their bounds, 1 for normal errors of that width."""
    return NMAD_FACTOR * np.nanmedian(np.abs(comparison.error) / bound)


def _measure(bench, weights, **options):
    """Return the table of a shipped network."""
    stack = NDData(bench["img"], uncertainty=StdDevUncertainty(bench["sig"]), psf=bench["psf"])
    units = {"pixel_scale": float(bench["pix"]), "zeropoint": float(bench["zp"])}
    net = SersicNet.load(weights_path(weights))
    return net.predict(stack, **units, **options).to_table()


def _peer_table(peers, code):
    """Return the table of another code, NaN for lost galaxies, with intervals if it has errors."""

    def column(name):
        return np.ma.filled(np.ma.asarray(peers[f"{code}_{name}"], float), np.nan)

    table = QTable()
    for name in PARAMETERS:
        table[name] = column(name)
        if f"{code}_{name}_err" in peers.colnames:
            error = column(f"{name}_err")
            table[f"{name}_lo"] = table[name] - error
            table[f"{name}_hi"] = table[name] + error
    return table


def _samples(mag):
    bright = mag < BRIGHT
    return {"all": mag > 0, f"bright (< {BRIGHT:.0f})": bright, f"faint (>= {BRIGHT:.0f})": ~bright}


if __name__ == "__main__":
    main()
