"""Can the errors be trusted? The universal network on GalSim galaxies that it never saw.

::

    python -m benchmarks.validation_sets --directory DIR
    python -m benchmarks.calibration DIR docs/_static/calibration

Galaxies drawn from the network's own prior tell whether its posteriors are calibrated, overall and
in strata; those of four surveys how accurate it is there. Clean and contaminated, all with
the same weights.
"""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import torch
from astropy.table import QTable, Table, vstack

from benchmarks.common.command import add_weights, parser_of
from benchmarks.common.tables import write_rounded
from benchmarks.validation_sets import SETS, load_set
from sersicnet import SersicNet
from sersicnet.diagnostics.calibration import (
    chance_deviation,
    coverage_table,
    sbc_ranks,
    sbc_table,
    tarp,
    tarp_deviation,
)
from sersicnet.diagnostics.scores import binned_score, score_table
from sersicnet.io.weights import weights_path
from sersicnet.model.labels import E1, LOG_FLUX, LOG_R_EFF, N_LABELS, ellipticity
from sersicnet.model.prior import log_snr
from sersicnet.parameters import PARAMETERS
from sersicnet.plotting import plot_coverage, plot_sbc, plot_tarp
from sersicnet.training.labeled import labeled_scenes

FOUR = ("mag", "r_eff", "n", "q")
SEVEN = tuple(PARAMETERS)
N_SAMPLES = 256
# Of the galaxies from the prior.
ZEROPOINT, PIXEL_SCALE = 25.0, 0.1
STRATA = {
    "S/N": (2, 10, 30, 100, 1000, 20000),
    "r_eff / FWHM": (0, 0.5, 1, 3, 100),
    "n": (0.3, 1, 2.5, 6.2),
    "q": (0.05, 0.3, 0.6, 1.0),
}
COLUMNS = ("sample", "label", "n", "r2", "bias", "scatter", "outliers", "coverage")


def main(arguments=None):
    """Measure all sets, and write tables and figures."""
    parser = parser_of(__doc__, "sets")
    add_weights(parser)
    parser.add_argument("--n", type=int, help="galaxies a set, all by default")
    options = parser.parse_args(arguments)
    mpl.use("agg")
    options.output.mkdir(parents=True, exist_ok=True)
    net = SersicNet.load(weights_path(options.weights))
    measured = {name: measure(net, name, options.sets, n=options.n) for name in SETS}
    priors = [measured[name] for name in SETS if name.startswith("prior")]
    write_calibration(priors, options.output)
    surveys = {name: part for name, part in measured.items() if not name.startswith("prior")}
    write_accuracy(surveys, options.output)
    density = density_table(net, options.sets, n=options.n)
    write_rounded(density, options.output / "density.csv", decimals=3)
    print(*density.pformat(max_lines=-1), sep="\n")


def density_table(net, directory, *, n=None, batch_size=64):
    """Mean logarithm of the density that the network gives to the true labels of each set.

    What training maximizes, and the score by which to choose among weights: errors that are too
    large cost as well as those that are too small. Galaxies outside of the prior are left out.
    """
    rows = []
    for name in SETS:
        scenes, _ = labeled_scenes(
            *load_set(name, directory, n=n),
            psf=None,
            psf_options={"oversampling": 1, "normalize": True},
            units={"pixel_scale": None, "zeropoint": None},
            stamp_size=net.stamp_size,
        )
        batches = zip(*(tensor.split(batch_size) for tensor in scenes.tensors()), strict=True)
        with torch.no_grad():
            found = [net.network_(*seen).log_prob(labels) for *seen, labels in batches]
        values = torch.cat(found).numpy()
        error = values.std() / np.sqrt(len(values))
        rows.append((name, len(values), values.mean(), error))
    return Table(rows=rows, names=("sample", "n", "log density", "error"))


def measure(net, name, directory, *, n=None):
    """Results, posterior samples and truth of one set."""
    cutouts, truth = load_set(name, directory, n=n)
    results = net.predict(cutouts)
    return results.to_table(), results.samples(N_SAMPLES), truth


def write_calibration(parts, output):
    """Coverage in each stratum, ranks and TARP of galaxies drawn from the prior."""
    truth = vstack([part[2] for part in parts])
    samples = {name: np.concatenate([part[1][name] for part in parts]) for name in SEVEN}
    strata = strata_of(vstack([part[0] for part in parts]), truth)
    overall = coverage_table(samples, truth)
    write_rounded(_wide(overall, "level"), output / "coverage.csv", decimals=3)
    _save(plot_coverage(overall), output / "coverage.png")
    rows = [_strata_row("all", "all", coverage_table(samples, truth, levels=(0.68,)))]
    for kind, labels in strata.items():
        for label in _in_order(kind, labels):
            chosen = labels == label
            part = {name: values[chosen] for name, values in samples.items()}
            table = coverage_table(part, truth[chosen], levels=(0.68,))
            rows.append(_strata_row(kind, label, table))
    strata_table = vstack(rows)
    write_rounded(strata_table, output / "coverage_strata.csv", decimals=3)
    write_rounded(sbc_table(samples, truth), output / "sbc.csv", decimals=4)
    ranks = {name: sbc_ranks(samples, truth, name) for name in SEVEN}
    _save(plot_sbc(ranks), output / "sbc.png")
    levels, coverage = tarp(samples, truth, seed=1)
    _save(plot_tarp(levels, coverage, n_galaxies=len(truth)), output / "tarp.png")
    write_rounded(_tarp_table(samples, truth, strata), output / "tarp.csv", decimals=4)
    print(*strata_table.pformat(max_lines=-1, max_width=-1), sep="\n")


def strata_of(table, truth):
    """The stratum of each galaxy, of each kind.

    By what was measured, as a user would select: among galaxies selected by their true index, say,
    the intervals of a right posterior need not cover what they claim.
    """
    measured = {name: np.asarray(getattr(table[name], "value", table[name])) for name in FOUR}
    pixels = measured["r_eff"] / PIXEL_SCALE
    labels = np.zeros((len(table), N_LABELS))
    labels[:, LOG_FLUX] = -0.4 * (measured["mag"] - ZEROPOINT)
    labels[:, LOG_R_EFF] = np.log10(pixels)
    labels[:, E1] = ellipticity(measured["q"])
    numbers = {
        "S/N": 10 ** log_snr(torch.from_numpy(labels)).numpy(),
        "r_eff / FWHM": pixels / np.asarray(truth["fwhm_pix"]),
        "n": measured["n"],
        "q": measured["q"],
    }
    strata = {}
    for kind, edges in STRATA.items():
        place = np.clip(np.digitize(numbers[kind], edges) - 1, 0, len(edges) - 2)
        strata[kind] = np.array(_names(edges))[place]
    strata["scene"] = np.where(truth["contaminated"], "contaminated", "clean")
    strata["noise map"] = np.asarray(truth["noise_map"]).astype(str)
    strata["PSF"] = np.asarray(truth["psf_family"]).astype(str)
    return strata


def _names(edges):
    return [f"{low} to {high}" for low, high in pairwise(edges)]


def _in_order(kind, labels):
    known = _names(STRATA[kind]) if kind in STRATA else sorted(set(labels))
    return [label for label in known if (labels == label).any()]


def _strata_row(kind, label, table):
    row = _wide(table, "level")
    row.remove_column("level")
    row.add_columns([[kind], [label]], names=("by", "stratum"), indexes=[0, 0])
    return row


def _wide(table, key):
    """Coverage with a row for each level, and a column for each parameter."""
    rows = []
    for value in dict.fromkeys(table[key]):
        chosen = table[table[key] == value]
        values = {row["parameter"]: float(row["coverage"]) for row in chosen}
        rows.append({key: float(value), "galaxies": int(chosen["n"][0]), **values})
    return QTable(rows=rows)


def _tarp_table(samples, truth, strata):
    """Largest deviation of TARP from its diagonal, with what chance would give."""
    rows = []
    for kind in ("all", "S/N", "scene"):
        labels = np.full(len(truth), "all") if kind == "all" else strata[kind]
        for label in _in_order(kind, labels):
            chosen = labels == label
            part = {name: values[chosen] for name, values in samples.items()}
            deviation, error = tarp_deviation(part, truth[chosen], seed=1)
            n = int(chosen.sum())
            rows.append((label, n, deviation, error, chance_deviation(n)))
    return QTable(rows=rows, names=("stratum", "n", "deviation", "error", "95 % by chance"))


def write_accuracy(parts, output):
    """Scores of each survey, overall and in bins of magnitude and size."""
    scores, bins = [], []
    for name, (table, _, truth) in parts.items():
        score = score_table(table, truth, parameters=FOUR)
        score["sample"] = name
        scores.append(score[COLUMNS])
        for by, unit in (("mag", 1), ("r_eff", 1)):
            values = np.asarray(getattr(truth[by], "value", truth[by])) * unit
            edges = np.quantile(values, np.linspace(0, 1, 5))
            edges[-1] += 1e-6
            binned = binned_score(table, truth, edges=edges, by=by, parameters=FOUR)
            binned["sample"], binned["by"] = name, by
            bins.append(
                Table(
                    {c: np.asarray(getattr(binned[c], "value", binned[c])) for c in binned.colnames}
                )
            )
    table = vstack(scores)
    write_rounded(table, output / "surveys.csv", decimals=3)
    write_rounded(vstack(bins), output / "surveys_bins.csv", decimals=3)
    print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")


def _save(axes, path):
    figure = np.ravel(axes)[0].figure
    figure.savefig(path, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
