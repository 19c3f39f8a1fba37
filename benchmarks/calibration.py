"""How well the errors of the universal network are calibrated, on simulated galaxies.

::

    python -m benchmarks.validation_sets --directory DIR
    python -m benchmarks.calibration DIR docs/_static/calibration

Galaxies drawn from the network's own prior show whether its posteriors are calibrated, overall and
in strata. Those of four surveys show how accurate it is there. All are drawn by GalSim and were not
used in training; clean and contaminated galaxies are measured with the same weights.
"""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import torch
from astropy.table import QTable, Table, vstack

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.validation_sets import SETS, load_set
from sersicnet import SersicNet
from sersicnet.diagnostics import (
    binned_score,
    chance_deviation,
    coverage_table,
    sbc_ranks,
    sbc_table,
    score_table,
    tarp,
    tarp_deviation,
)
from sersicnet.io.weights import weights_path
from sersicnet.model import log_snr
from sersicnet.model.labels import E1, LOG_FLUX, LOG_R_EFF, N_LABELS, ellipticity
from sersicnet.parameters import PARAMETERS
from sersicnet.plotting import plot_coverage, plot_sbc, plot_tarp
from sersicnet.training.labeled import labeled_scenes

FOUR = ("mag", "r_eff", "n", "q")
SEVEN = tuple(PARAMETERS)
N_SAMPLES = 256
# Units of the galaxies drawn from the prior.
ZEROPOINT = 25.0
PIXEL_SCALE = 0.1
# Edges of the strata of measured quantities.
STRATA = {
    "S/N": (2, 10, 30, 100, 1000, 20000),
    "r_eff / FWHM": (0, 0.5, 1, 3, 100),
    "n": (0.3, 1, 2.5, 6.2),
    "q": (0.05, 0.3, 0.6, 1.0),
}
COLUMNS = ("sample", "label", "n", "r2", "bias", "scatter", "outliers", "coverage")


def main(arguments=None):
    """Measure all sets, and write tables and figures."""
    parser = make_parser(__doc__, "sets")
    add_weights(parser)
    add_count(parser, "galaxies of each set, by default all")
    options = parser.parse_args(arguments)
    mpl.use("agg")
    options.output.mkdir(parents=True, exist_ok=True)
    net = SersicNet.load(weights_path(options.weights))
    priors = []
    surveys = {}
    for name in SETS:
        measured = measure(net, name, options.sets, n=options.n)
        if name.startswith("prior"):
            priors.append(measured)
        else:
            surveys[name] = measured
    write_calibration(priors, options.output)
    write_accuracy(surveys, options.output)
    density = density_table(net, options.sets, n=options.n)
    write_rounded(density, options.output / "density.csv", decimals=3)
    print_table(density)


def density_table(net, directory, *, n=None, batch_size=64):
    """Return the mean log density that the network gives to the true labels of each set.

    Training maximizes this score, and it is the one by which to choose among weights: errors that
    are too large cost as well as those that are too small. Galaxies outside of the prior are left
    out.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        Network to score.
    directory : `~pathlib.Path`
        Directory of the validation sets.
    n : int, optional
        Number of galaxies of each set, by default all.
    batch_size : int
        Number of galaxies in a batch.

    Returns
    -------
    `~astropy.table.Table`
        One row per set.
    """
    rows = []
    for name in SETS:
        scenes, *_ = labeled_scenes(
            *load_set(name, directory, n=n),
            psf=None,
            psf_options={"oversampling": 1, "normalize": True, "recenter": False},
            units={"pixel_scale": None, "zeropoint": None},
            stamp_size=net.stamp_size,
        )
        batches = zip(*(tensor.split(batch_size) for tensor in scenes.tensors()), strict=True)
        with torch.no_grad():
            densities = [net.network_(*images).log_prob(labels) for *images, labels in batches]
        values = torch.cat(densities).numpy()
        error = values.std() / np.sqrt(len(values))
        rows.append((name, len(values), values.mean(), error))
    return Table(rows=rows, names=("sample", "n", "log density", "error"))


def measure(net, name, directory, *, n=None):
    """Return the results, the posterior samples and the truth of one set."""
    cutouts, truth = load_set(name, directory, n=n)
    results = net.predict(cutouts, recenter_psf=False)
    return results.to_table(), results.samples(N_SAMPLES), truth


def write_calibration(parts, output):
    """Write coverage in each stratum, ranks and TARP of galaxies drawn from the prior.

    Parameters
    ----------
    parts : list of tuple
        Results of `measure` for the sets of the prior.
    output : `~pathlib.Path`
        Directory of the tables and figures.
    """
    tables, draws, truths = zip(*parts, strict=True)
    truth = vstack(truths)
    samples = {name: np.concatenate([draw[name] for draw in draws]) for name in SEVEN}
    strata = strata_of(vstack(tables), truth)
    overall = coverage_table(samples, truth)
    write_rounded(_wide(overall, "level"), output / "coverage.csv", decimals=3)
    _save(plot_coverage(overall), output / "coverage.png")
    table = _strata_table(samples, truth, strata)
    write_rounded(table, output / "coverage_strata.csv", decimals=3)
    write_rounded(sbc_table(samples, truth), output / "sbc.csv", decimals=4)
    ranks = {name: sbc_ranks(samples, truth, name) for name in SEVEN}
    _save(plot_sbc(ranks), output / "sbc.png")
    levels, coverage = tarp(samples, truth, seed=1)
    _save(plot_tarp(levels, coverage, n_galaxies=len(truth)), output / "tarp.png")
    write_rounded(_tarp_table(samples, truth, strata), output / "tarp.csv", decimals=4)
    print_table(table)


def _strata_table(samples, truth, strata):
    """Return the coverage of the 68 % intervals, one row per stratum."""
    rows = [_strata_row("all", "all", coverage_table(samples, truth, levels=(0.68,)))]
    for kind, labels in strata.items():
        for label in _in_order(kind, labels):
            chosen = labels == label
            part = {name: values[chosen] for name, values in samples.items()}
            table = coverage_table(part, truth[chosen], levels=(0.68,))
            rows.append(_strata_row(kind, label, table))
    return vstack(rows)


def strata_of(table, truth):
    """Return the stratum of each galaxy, of each kind.

    Strata are bins of what was measured, as a user would select galaxies: among galaxies selected
    by their true index, for example, the intervals of a correct posterior need not have the nominal
    coverage.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Measured values.
    truth : `~astropy.table.QTable`
        Truth of `benchmarks.validation_sets.load_set`.

    Returns
    -------
    dict of (N,) str `~numpy.ndarray`
    """
    measured = {name: plain(table[name]) for name in FOUR}
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
    """Return the strata of a kind that have galaxies, in the order of their edges or names."""
    known = _names(STRATA[kind]) if kind in STRATA else sorted(set(labels))
    return [label for label in known if (labels == label).any()]


def _strata_row(kind, label, table):
    row = _wide(table, "level")
    row.remove_column("level")
    row.add_columns([[kind], [label]], names=("by", "stratum"), indexes=[0, 0])
    return row


def _wide(table, key):
    """Return the coverage with one row per level, and one column per parameter."""
    rows = []
    for value in dict.fromkeys(table[key]):
        chosen = table[table[key] == value]
        row = {key: float(value), "galaxies": int(chosen["n"][0])}
        for line in chosen:
            row[line["parameter"]] = float(line["coverage"])
        rows.append(row)
    return QTable(rows=rows)


def _tarp_table(samples, truth, strata):
    """Return the largest deviation of TARP from its diagonal, and that expected by chance."""
    groups = {
        "all": np.full(len(truth), "all"),
        "S/N": strata["S/N"],
        "scene": strata["scene"],
    }
    rows = []
    for kind, labels in groups.items():
        for label in _in_order(kind, labels):
            chosen = labels == label
            part = {name: values[chosen] for name, values in samples.items()}
            deviation, error = tarp_deviation(part, truth[chosen], seed=1)
            n = int(chosen.sum())
            rows.append((label, n, deviation, error, chance_deviation(n)))
    return QTable(rows=rows, names=("stratum", "n", "deviation", "error", "95 % by chance"))


def write_accuracy(parts, output):
    """Write the scores of each survey, overall and in bins of magnitude and size.

    Parameters
    ----------
    parts : dict of str to tuple
        Results of `measure`, by the name of the set.
    output : `~pathlib.Path`
        Directory of the tables.
    """
    scores = []
    bins = []
    for name, (table, _, truth) in parts.items():
        score = score_table(table, truth, parameters=FOUR)
        score["sample"] = name
        scores.append(score[COLUMNS])
        for by in ("mag", "r_eff"):
            binned = _score_in_quartiles(table, truth, by)
            binned["sample"] = name
            binned["by"] = by
            bins.append(binned)
    table = vstack(scores)
    write_rounded(table, output / "surveys.csv", decimals=3)
    write_rounded(vstack(bins), output / "surveys_bins.csv", decimals=3)
    print_table(table)


def _score_in_quartiles(table, truth, by):
    """Return the scores in quartiles of a true value, without units."""
    edges = np.quantile(plain(truth[by]), np.linspace(0, 1, 5))
    edges[-1] += 1e-6
    binned = binned_score(table, truth, edges=edges, by=by, parameters=FOUR)
    columns = {}
    for name in binned.colnames:
        columns[name] = np.asarray(getattr(binned[name], "value", binned[name]))
    return Table(columns)


def _save(axes, path):
    figure = np.ravel(axes)[0].figure
    figure.savefig(path, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
