"""How honest the errors of galaxies injected into coadds of LSST are, by magnitude.

::

    python -m benchmarks.rubin coadd docs/_static/rubin --cache build/rubin
    python -m benchmarks.rubin empty docs/_static/rubin --cache build/rubin
    python -m benchmarks.rubin faint docs/_static/rubin --cache build/rubin
    python -m benchmarks.rubin causes docs/_static/rubin --cache build/rubin

GalSim draws a coadd of LSST (`benchmarks.sets.fields`) with the correlated noise of resampled
exposures, and galaxies are injected into it, as Rubin does with its own (arXiv:2603.23786). They
are measured by the network alone, by the network with the population of the sources of the coadd,
by fits (lm), by importance sampling, and by SExtractor, if it is installed: its models, and
MAG_AUTO. Neighbors are masked.

``coadd`` has galaxies of 19 to 27 mag. ``empty`` injects the same into noise: the difference is
what the sources of the coadd do. ``faint`` has galaxies with an S/N of 5 to 10 behind the PSF; it
counts super-spreaders, whose radius is measured above three times the truth. ``causes`` fits bright
galaxies in coadds that have some of the sources each. What was measured of a round is kept in the
cache, and a run goes on where another one ended.
"""

from dataclasses import dataclass, replace
from functools import partial

import matplotlib as mpl
import numpy as np
import torch
from astropy.table import Table, vstack
from matplotlib.figure import Figure

from benchmarks.common.command import add_cache, add_count, add_weights, make_parser
from benchmarks.common.injected import (
    PARAMETERS,
    RUNS,
    by_code,
    by_magnitude,
    results_of,
    super_spreaders,
)
from benchmarks.common.rounds import Rounds, load_population, load_sources
from benchmarks.common.sextractor import find_program
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.sets.coadds import only_sources, place
from benchmarks.sets.fields import INDEX, INDEX_SCATTER, SIZE_SCATTER, load_scene, median_radius
from benchmarks.sets.galaxies import config_of
from sersicnet import Flags, SersicNet
from sersicnet.io.weights import weights_path


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
    sources : (float, float) or None
        Magnitudes of the sources of the coadd, None for all of them.
    min_distance : float
        Pixels between injected galaxies.
    """

    magnitudes: tuple
    number: int
    rounds: dict
    threshold: float = 4.5
    sources: tuple | None = None
    min_distance: float = 50.0


# A range without any source.
NONE = (0.0, 0.0)
PARTS = {
    "coadd": Part((19.0, 27.0), 4000, {"lm": 4, "importance": 1, "SExtractor": 4}),
    "empty": Part((19.0, 27.0), 1500, {"importance": 0}, sources=NONE),
    "faint": Part((25.6, 26.5), 4500, {"lm": 2, "importance": 0, "SExtractor": 2}),
}
# Coadds with some of the sources; galaxies are farther from each other than in the others.
BRIGHT = Part((19.0, 21.0), 100, {}, min_distance=100.0)
CAUSES = {
    "all": BRIGHT,
    "brighter than 25.5 mag": replace(BRIGHT, sources=(0.0, 25.5)),
    "fainter than 25.5 mag": replace(BRIGHT, sources=(25.5, np.inf)),
    "none": replace(BRIGHT, sources=NONE),
}
# Edges of the tables of the documentation, and what each of them has.
SHORT_EDGES = (19, 21, 23, 25, 26)
COLUMNS = ("bias_mag", "bias_r_eff")
COLUMNS += tuple(f"error_ratio_{name}" for name in PARAMETERS)
# Pixels at the border without injected galaxies.
MARGIN = 32
COLORS = ("#0072B2", "#CC79A7", "#D55E00", "#009E73", "#E69F00", "#999999")
# Ticks of ratios, and the largest bias that is drawn.
TICKS = (0.5, 1, 2, 4, 8)
BIAS = 0.25
# What is drawn in each panel, of which galaxies, and its label.
PANELS = (
    ("completeness", "all", "completeness"),
    ("bias_mag", "all", "bias of the magnitude"),
    ("bias_r_eff", "all", "bias of log r_eff [dex]"),
    ("error_ratio_mag", "all", "error / quoted error of mag: all"),
    ("error_ratio_mag", "not flagged", "error / quoted error of mag: not flagged"),
    ("error_ratio_r_eff", "not flagged", "error / quoted error of r_eff: not flagged"),
)


def main(arguments=None):
    """Inject and measure galaxies, and write tables and a figure."""
    options = _parser().parse_args(arguments)
    mpl.use("agg")
    torch.set_num_threads(1)
    if options.name == "causes":
        causes = _causes(options)
        write_rounded(causes, options.output / "causes.csv", decimals=3)
        print_table(causes)
        return
    tables = results_of(_measure(options, options.name, PARTS[options.name]))
    if options.name == "faint":
        spreaders = super_spreaders(tables)
        write_rounded(spreaders, options.output / "super_spreaders.csv", decimals=4)
        print_table(spreaders)
        return
    summary = by_magnitude(tables)
    print_table(summary)
    write_rounded(summary, options.output / f"{options.name}.csv", decimals=3)
    summary = by_magnitude(tables, edges=SHORT_EDGES)
    for column in COLUMNS:
        path = options.output / f"{options.name}_{column}.csv"
        decimals = 3 if column.startswith("bias") else 2
        write_rounded(by_code(summary, column), path, decimals=decimals)
    if options.name == "coadd":
        plot(by_magnitude(tables), options.output / "rubin.png")


def _parser():
    """Make the parser of the command."""
    parser = make_parser(__doc__, choices=(*PARTS, "causes"))
    add_weights(parser)
    add_count(parser, "galaxies, by default 4000 (empty: 1500, faint: 4500, causes: 100)")
    parser.add_argument("--side", type=int, default=1536, help="side of the coadd in pixels")
    parser.add_argument("--seed", type=int, default=1, help="seed of the galaxies")
    parser.add_argument("--white", action="store_true", help="white noise instead of a coadd's")
    parser.add_argument("--runs", nargs="+", choices=RUNS, help="what to measure, by default all")
    text = "largest number of new rounds to measure by each: the others are taken from the cache"
    parser.add_argument("--new", type=int, help=text)
    text = "largest number of rounds that each code measures, by default that of the part"
    parser.add_argument("--rounds", type=int, help=text)
    text = "galaxies of a round that importance measures, by default 300"
    parser.add_argument("--importance", type=int, default=300, help=text)
    add_cache(parser, "coadd, and what was measured in it")
    return parser


def _measure(options, name, part):
    """Measure the galaxies of all rounds, and return their tables, by what measured them."""
    rounds = _rounds(options, name, part)
    parts = {}
    for run in _runs(options):
        n_rounds = part.rounds.get(run)
        if options.rounds is not None:
            n_rounds = min(options.rounds, options.rounds if n_rounds is None else n_rounds)
        limit = options.importance if run == "importance" else None
        found = rounds.measure(run, n_rounds=n_rounds, n_new=options.new, limit=limit)
        if found:
            parts[run] = found
    return parts


def _rounds(options, name, part):
    """Draw a coadd and the galaxies of a part."""
    number = options.n or part.number
    net = SersicNet.load(weights_path(options.weights))
    coadd = load_scene("lsst", side=options.side, cache=options.cache, resampled=not options.white)
    scene = coadd
    if part.sources is not None:
        scene = only_sources(coadd, part.sources, white=options.white)
    galaxies = place(
        draw_galaxies(number, options.seed, magnitudes=part.magnitudes),
        options.side,
        min_distance=part.min_distance,
        margin=MARGIN,
        seed=options.seed,
    )
    kind = f"{'white' if options.white else 'resampled'}-{options.side}"
    measured = {"threshold": part.threshold, "cache": options.cache}
    neighbors = coadd
    sources = f"sources-{kind}-{part.threshold:g}"
    if part.sources == NONE:
        neighbors = scene
        sources = f"no-{sources}"
    population = f"population-{kind}-{part.threshold:g}"
    return Rounds(
        scene,
        galaxies,
        net,
        seed=options.seed,
        sources=partial(load_sources, neighbors, net, name=sources, **measured),
        population=partial(load_population, coadd, net, name=population, **measured),
        threshold=part.threshold,
        cache=options.cache and options.cache / f"{name}-{kind}-{number}",
    )


def _causes(options):
    """Return the errors of fits of bright galaxies in coadds with some of the sources each."""
    options.runs = ["lm"]
    rows = []
    for name, part in CAUSES.items():
        tables = results_of(_measure(options, f"causes-{name.replace(' ', '-')}", part))
        summary = by_magnitude(tables, edges=part.magnitudes)
        fitting = (np.asarray(tables["lm"]["flags"]) & int(Flags.MISFIT)) == 0
        if fitting.any():
            others = by_magnitude({"lm": tables["lm"][fitting]}, edges=part.magnitudes)[:1]
            others["galaxies"] = ["no MISFIT"]
            summary = vstack([summary, others])
        for row in summary[summary["galaxies"] != "isolated"]:
            columns = ["galaxies", "n_detected", "bias_mag"]
            columns += [f"error_ratio_{name}" for name in PARAMETERS]
            rows.append({"sources": name} | {column: row[column] for column in columns})
    return Table(rows=rows)


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


def plot(summary, path):
    """Draw completeness, bias and error over quoted error of all codes against magnitude.

    Parameters
    ----------
    summary : `~astropy.table.Table`
        Table of `by_magnitude`.
    path : `~pathlib.Path`
        PNG file to write.
    """
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True)
    for ax, (name, galaxies, label) in zip(axes.flat, PANELS, strict=True):
        for code, color in zip(dict.fromkeys(summary["code"]), COLORS, strict=False):
            rows = summary[(summary["code"] == code) & (summary["galaxies"] == galaxies)]
            x = (rows["mag_lower"] + rows["mag_upper"]) / 2
            error = None
            if name != "completeness":
                error = rows[f"{name}_err"]
            ax.errorbar(x, rows[name], error, color=color, marker="o", ms=3, label=code)
        level = 0.0
        if name.startswith("error_ratio"):
            level = 1.0
            ax.axhspan(0.9, 1.1, color="0.9")
            ax.set(yscale="log", ylim=(0.4, 12), yticks=TICKS, yticklabels=TICKS)
            ax.minorticks_off()
        if name.startswith("bias"):
            ax.set(ylim=(-BIAS, BIAS))
        ax.axhline(level, color="0.4", lw=0.8)
        ax.set(ylabel=label)
    axes[0, 0].legend(fontsize="small")
    for ax in axes[1]:
        ax.set(xlabel="true magnitude [AB]")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
