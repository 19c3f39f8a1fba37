"""How honest the errors of galaxies injected into coadds of LSST are, by magnitude.

::

    python -m benchmarks.rubin coadd docs/_static/rubin --cache build/rubin
    python -m benchmarks.rubin empty docs/_static/rubin --cache build/rubin
    python -m benchmarks.rubin faint docs/_static/rubin --cache build/rubin

GalSim draws a coadd of LSST (`benchmarks.sets.fields`) with the correlated noise of resampled
exposures, and galaxies are injected into it, as Rubin does with its own (arXiv:2603.23786). They
are measured by the network alone, by the network with the population of the sources of the coadd,
by fits (lm), by importance sampling, and by SExtractor, if it is installed: its models, and
MAG_AUTO. Neighbors are masked.

``coadd`` has galaxies of 19 to 27 mag. ``empty`` injects the same into noise: the difference is
what the sources of the coadd do. ``faint`` has galaxies with an S/N of 5 to 10 behind the PSF, and
a lower detection threshold; it counts super-spreaders, whose radius is measured above three times
the truth. What was measured of a round is kept in the cache, and a run goes on where another one
ended.
"""

from dataclasses import dataclass
from functools import partial

import matplotlib as mpl
import numpy as np
import torch
from astropy.stats import binom_conf_interval
from astropy.table import Table, vstack
from matplotlib.figure import Figure

from benchmarks.common.command import add_cache, add_count, add_weights, make_parser
from benchmarks.common.rounds import Rounds, load_population
from benchmarks.common.sextractor import find_program
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.sets.coadds import place, without_sources
from benchmarks.sets.fields import INDEX, INDEX_SCATTER, SIZE_SCATTER, load_scene, median_radius
from benchmarks.sets.galaxies import config_of
from sersicnet import Flags, SersicNet
from sersicnet.diagnostics import injection_summary
from sersicnet.io.weights import weights_path

# What is measured, and the codes whose results are in it: the columns of each end with its suffix.
RUNS = {
    "network": {"network": "", "population": "_population"},
    "lm": {"lm": ""},
    "importance": {"importance": ""},
    "SExtractor": {"SExtractor": "", "SExtractor AUTO": "_auto"},
}
PARAMETERS = ("mag", "r_eff", "n", "q")
# Flags of blended galaxies, and of those whose light is not that of a galaxy alone.
FLAGGED = int(Flags.BLENDED | Flags.MISFIT)


@dataclass(frozen=True)
class Part:
    """Galaxies that are injected, and where.

    Attributes
    ----------
    magnitudes : (float, float)
        Their range.
    number : int
        Number of galaxies.
    rounds : dict of str to int
        Largest number of rounds that each code measures; the network measures all.
    threshold : float
        Detection threshold.
    has_sources : bool
        Whether the coadd has sources of its own.
    """

    magnitudes: tuple
    number: int
    rounds: dict
    threshold: float = 1.5
    has_sources: bool = True


PARTS = {
    "coadd": Part((19.0, 27.0), 6000, {"lm": 6, "importance": 1, "SExtractor": 6}),
    "empty": Part(
        (19.0, 27.0), 3000, {"lm": 4, "importance": 0, "SExtractor": 4}, has_sources=False
    ),
    # the threshold of LSST, 5 times the noise of a point source
    "faint": Part((25.6, 26.5), 5000, {"lm": 2, "importance": 0, "SExtractor": 2}, threshold=1.0),
}
MAG_EDGES = (19, 20, 21, 22, 23, 24, 24.5, 25, 25.5, 26, 26.5, 27)
# Edges and columns of the table of the documentation.
SHORT_EDGES = (19, 22, 24, 25, 26, 27)
SHORT_COLUMNS = ("n_injected", "completeness", "bias_mag", "bias_r_eff")
SHORT_COLUMNS += tuple(f"error_ratio_{name}" for name in PARAMETERS)
# Range of S/N, and of measured over true radius, of super-spreaders.
FAINT = (5.0, 10.0)
SPREAD = 3.0
# Pixels between injected galaxies, and at the border without any.
MIN_DISTANCE = 50.0
MARGIN = 32
# Pixels, and half-light radii, to the nearest source that is detected in the coadd, beyond which a
# galaxy is isolated.
ISOLATED = (15.0, 3.0)
COLORS = ("#0072B2", "#CC79A7", "#D55E00", "#009E73", "#E69F00", "#999999")
PANELS = {
    "completeness": "completeness",
    "bias_mag": "bias of the magnitude",
    "bias_r_eff": "bias of log r_eff [dex]",
    "error_ratio_mag": "error / quoted error: magnitude",
    "error_ratio_r_eff": "error / quoted error: r_eff",
    "error_ratio_n": "error / quoted error: n",
}


def main(arguments=None):
    """Inject and measure galaxies, and write tables and a figure."""
    options = _parser().parse_args(arguments)
    mpl.use("agg")
    torch.set_num_threads(1)
    tables = results_of(_measure(options))
    if options.name == "faint":
        spreaders = super_spreaders(tables)
        write_rounded(spreaders, options.output / "super_spreaders.csv", decimals=4)
        print_table(spreaders)
        return
    summary = by_magnitude(tables)
    print_table(summary)
    if options.name == "empty":
        write_rounded(short_table(tables), options.output / "empty.csv", decimals=2)
        return
    write_rounded(summary, options.output / "rubin.csv", decimals=3)
    write_rounded(short_table(tables), options.output / "errors.csv", decimals=2)
    plot(summary[summary["galaxies"] == "all"], options.output / "rubin.png")


def _parser():
    """Make the parser of the command."""
    parser = make_parser(__doc__, choices=tuple(PARTS))
    add_weights(parser)
    add_count(parser, "galaxies, by default 6000 (empty: 3000, faint: 5000)")
    parser.add_argument("--side", type=int, default=1536, help="side of the coadd in pixels")
    parser.add_argument("--seed", type=int, default=1, help="seed of the galaxies")
    parser.add_argument("--white", action="store_true", help="white noise instead of a coadd's")
    parser.add_argument("--runs", nargs="+", choices=RUNS, help="what to measure, by default all")
    text = "largest number of new rounds to measure by each: the others are taken from the cache"
    parser.add_argument("--new", type=int, help=text)
    text = "galaxies of a round that importance measures, by default 300"
    parser.add_argument("--importance", type=int, default=300, help=text)
    add_cache(parser, "coadd, and what was measured in it")
    return parser


def _measure(options):
    """Measure the galaxies of all rounds, and return their tables, by what measured them."""
    part = PARTS[options.name]
    number = options.n or part.number
    net = SersicNet.load(weights_path(options.weights))
    scene = load_scene("lsst", side=options.side, cache=options.cache, resampled=not options.white)
    settings = {"threshold": part.threshold}
    population = partial(load_population, scene, net, cache=options.cache, **settings)
    if not part.has_sources:
        scene = without_sources(scene, white=options.white)
    galaxies = place(
        draw_galaxies(number, options.seed, magnitudes=part.magnitudes),
        options.side,
        min_distance=MIN_DISTANCE,
        margin=MARGIN,
        seed=options.seed,
    )
    cache = None
    if options.cache is not None:
        noise = "white" if options.white else "resampled"
        cache = options.cache / f"{options.name}-{noise}-{options.side}-{number}"
    rounds = Rounds(
        scene, galaxies, net, seed=options.seed, population=population, cache=cache, **settings
    )
    parts = {}
    for run in _runs(options):
        limit = options.importance if run == "importance" else None
        found = rounds.measure(run, n_rounds=part.rounds.get(run), n_new=options.new, limit=limit)
        if found:
            parts[run] = found
    return parts


def _runs(options):
    """Return the names of what is measured."""
    runs = options.runs or list(RUNS)
    if find_program() is None:
        runs = [name for name in runs if name != "SExtractor"]
    return runs


def draw_galaxies(n, seed, *, magnitudes):
    """Draw galaxies with the sizes and shapes of those of the field.

    Parameters
    ----------
    n : int
        Number of galaxies.
    seed : int
        Seed of the draws.
    magnitudes : (float, float)
        Range of their magnitudes, all of which are alike.

    Returns
    -------
    `~astropy.table.Table`
        ``mag``, ``r_eff`` (arcsec), ``n`` and ``q``.
    """
    rng = np.random.default_rng(seed)
    mag = rng.uniform(*magnitudes, n)
    r_eff = median_radius(mag) * 10 ** (SIZE_SCATTER * rng.standard_normal(n))
    priors = config_of("lsst").priors
    index = INDEX * 10 ** (INDEX_SCATTER * rng.standard_normal(n))
    index = np.round(np.clip(index, priors["n"].lower, priors["n"].upper), 1)  # as in the field
    return Table({"mag": mag, "r_eff": r_eff, "n": index, "q": priors["q"].sample(rng, n)})


def results_of(parts):
    """Return the table of each code, with its results in the columns of the parameters.

    Parameters
    ----------
    parts : dict of str to list of `~astropy.table.QTable`
        Tables of rounds, by what was measured.

    Returns
    -------
    dict of str to `~astropy.table.QTable`
    """
    tables = {}
    for run, found in parts.items():
        whole = vstack(found, metadata_conflicts="silent")
        for code, suffix in RUNS[run].items():
            table = whole.copy()
            if suffix:
                _take(table, suffix)
            tables[code] = table
    return tables


def _take(table, suffix):
    """Replace the values of the parameters by those of the columns with a suffix, or by NaN."""
    for name in PARAMETERS:
        for end in ("", "_err", "_lo", "_hi"):
            given = f"{name}{suffix}{end}"
            if given in table.colnames:
                table[name + end] = table[given]
            elif name + end in table.colnames:
                unit = table[name + end].unit or 1
                table[name + end] = np.full(len(table), np.nan) * unit


def short_table(tables):
    """Return the table of the documentation: few bins, and no counting errors.

    Parameters
    ----------
    tables : dict of str to `~astropy.table.QTable`
        Tables of `results_of`.

    Returns
    -------
    `~astropy.table.Table`
    """
    summary = by_magnitude(tables, edges=SHORT_EDGES)
    bins = zip(summary["mag_lower"], summary["mag_upper"], strict=True)
    summary["magnitudes"] = [f"{lower:g} to {upper:g}" for lower, upper in bins]
    return summary["code", "galaxies", "magnitudes", *SHORT_COLUMNS]


def by_magnitude(tables, *, edges=MAG_EDGES):
    """Return completeness, bias and errors of all codes, in bins of true magnitude.

    Parameters
    ----------
    tables : dict of str to `~astropy.table.QTable`
        Tables of `results_of`.
    edges : sequence of float, optional
        Edges of the bins.

    Returns
    -------
    `~astropy.table.Table`
        One row per code, kind of galaxies (all; isolated ones; those without a flag that says that
        they are blended, or not like a model) and bin.
    """
    columns = ["mag_lower", "mag_upper", "n_injected", "n_detected", "completeness"]
    for kind in ("bias", "scatter", "error_ratio"):
        for name in PARAMETERS:
            columns += [f"{kind}_{name}", f"{kind}_{name}_err"]
    rows = []
    for code, table in tables.items():
        for galaxies, chosen in kinds_of(table).items():
            if not chosen.any():
                continue
            summary = injection_summary(
                table[chosen], mag_edges=edges, r_eff_edges=(0.0, 100.0), parameters=PARAMETERS
            )
            for row in summary[summary["by"] == "mag"]:
                values = {name: float(plain(row[name])) for name in columns}
                rows.append({"code": code, "galaxies": galaxies} | values)
    table = Table(rows=rows)
    for name in ("n_injected", "n_detected"):
        table[name] = table[name].astype(int)
    return table


def kinds_of(table):
    """Find the galaxies of each kind.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        ``source_distance``, ``true_r_eff`` and ``flags``, which are 0 if it was not detected.

    Returns
    -------
    dict of str to (N,) bool `~numpy.ndarray`
    """
    distance = plain(table["source_distance"])
    pixels, radii = ISOLATED
    scale = config_of("lsst").pixel_scale
    isolated = (distance > pixels) & (distance > radii * plain(table["true_r_eff"]) / scale)
    return {
        "all": np.ones(len(table), bool),
        "isolated": isolated,
        "not flagged": (np.asarray(table["flags"]) & FLAGGED) == 0,
    }


def super_spreaders(tables):
    """Return the share of faint galaxies that are measured far too large, by each code.

    Parameters
    ----------
    tables : dict of str to `~astropy.table.QTable`
        Tables of `results_of`.

    Returns
    -------
    `~astropy.table.Table`
        One row per code: detected galaxies of this S/N, how many of them are super-spreaders, their
        share, and its 68 % interval.
    """
    rows = []
    for code, table in tables.items():
        radius = plain(table["r_eff"])
        faint = (table["true_snr"] >= FAINT[0]) & (table["true_snr"] < FAINT[1])
        faint &= np.asarray(table["detected"]) & np.isfinite(radius)
        spread = radius[faint] > SPREAD * plain(table["true_r_eff"])[faint]
        row = {"code": code, "galaxies": int(faint.sum()), "super-spreaders": int(spread.sum())}
        row |= {"share": np.nan, "lower": np.nan, "upper": np.nan}
        if faint.any():
            limits = binom_conf_interval(spread.sum(), faint.sum(), interval="wilson")
            row |= {"share": spread.mean(), "lower": limits[0], "upper": limits[1]}
        rows.append(row)
    return Table(rows=rows)


def plot(summary, path):
    """Draw completeness, bias and error over quoted error of all codes against magnitude.

    Parameters
    ----------
    summary : `~astropy.table.Table`
        Rows of the table of `by_magnitude`.
    path : `~pathlib.Path`
        PNG file to write.
    """
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True)
    for ax, (name, label) in zip(axes.flat, PANELS.items(), strict=True):
        for code, color in zip(dict.fromkeys(summary["code"]), COLORS, strict=False):
            rows = summary[summary["code"] == code]
            x = (rows["mag_lower"] + rows["mag_upper"]) / 2
            error = None
            if name != "completeness":
                error = rows[f"{name}_err"]
            ax.errorbar(x, rows[name], error, color=color, marker="o", ms=3, label=code)
        level = 0.0
        if name.startswith("error_ratio"):
            level = 1.0
            ax.axhspan(0.9, 1.1, color="0.9")
            ax.set(ylim=(0.5, 3.5))
        ax.axhline(level, color="0.4", lw=0.8)
        ax.set(ylabel=label)
    axes[0, 0].legend()
    for ax in axes[1]:
        ax.set(xlabel="true magnitude [AB]")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
