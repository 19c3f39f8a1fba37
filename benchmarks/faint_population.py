"""Populations of faint galaxies: their sizes, their kinds, and those that are not detected.

::

    python -m benchmarks.faint_population docs/_static/population --cache build/population
    python -m benchmarks.faint_population OUTPUT --faint 100 --kinds 0 --field 0 --seeds 201 202

Galaxies as of CANDELS are disks and spheroids, with a relation of size and magnitude. Sizes, kinds
and relation are taken from the truth, from the estimates of the universal network, and from
galaxies drawn from the population that is inferred:

- a faint sample, with an S/N of 5 to 20: slope and scatter of the relation by least squares
  (``faint.csv``);
- a brighter one, with an S/N of 16 to 80: whether the kinds come out as two (``kinds.csv``);
- a simulated field, with galaxies down to those that are not detected. The population of all is
  inferred from the detected ones, and from galaxies that are injected into the field
  (``selection.csv``).

Numbers are means over the seeds; ``_off`` is the difference to the truth of the same seed, with its
error. Columns ``pooled`` are of one population for the galaxies of all seeds. ``population.png``
shows the first two.
"""

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter1d

from benchmarks.common.command import add_cache, add_weights, make_parser
from benchmarks.common.pickled import pickled
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.population import SEEDS, measure, snr_of
from benchmarks.sets.faint import (
    BRIGHTER,
    FAINT,
    FIELD_MAGNITUDES,
    MAGNITUDES,
    PIVOT,
    SQUARE,
    draw_field,
    faint_catalog,
)
from benchmarks.sets.galaxies import config_of
from sersicnet import Population, SersicNet
from sersicnet.io.weights import weights_path
from sersicnet.measure import Options, inject_galaxies
from sersicnet.measure.samples import measure_squares, numbered, squares_of
from sersicnet.measure.tiles import open_measurement
from sersicnet.plotting import plot_population
from sersicnet.plotting.style import AXIS_NAMES, BAND_COLOR, BLUE, LINE_COLOR, VERMILION
from sersicnet.simulate_catalog import draw_psf

# Galaxies that are drawn from a population.
SAMPLE = 100_000
RANGES = {"faint": MAGNITUDES, "kinds": BRIGHTER}
# What a sample is described by.
SAMPLES = ("truth", "estimates", "inferred")
SELECTED = ("truth", "detected", "parent")
# Magnitudes of the injected galaxies, and how many these are for each galaxy of the field.
INJECTED = (22.0, 26.5)
INJECTIONS = 3
# The index that divides disks and spheroids, and the bins of its logarithm.
BETWEEN = 2.0
INDEX_EDGES = np.linspace(np.log(0.3), np.log(6.2), 61)


def main(arguments=None):
    """Measure the samples and fields, infer their populations, and write tables and a figure."""
    parser = make_parser(__doc__)
    add_weights(parser)
    add_cache(parser, "galaxies, as they were measured")
    text = "number of galaxies of the faint sample for each seed, by default 400"
    parser.add_argument("--faint", type=int, default=400, help=text)
    text = "number of galaxies of the brighter sample for each seed, by default 200"
    parser.add_argument("--kinds", type=int, default=200, help=text)
    text = "number of galaxies of the field for each seed, by default 576"
    parser.add_argument("--field", type=int, default=576, help=text)
    text = "seeds of the samples, by default 201 to 205"
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help=text)
    options = parser.parse_args(arguments)
    net = SersicNet.load(weights_path(options.weights))
    shown = {}
    if options.faint:
        shown["faint"] = write_sample(net, "faint", fit_relation, options)
    if options.kinds:
        shown["kinds"] = write_sample(net, "kinds", find_kinds, options)
    if len(shown) == 2:
        path = options.output / "population.png"
        draw_figure(shown["faint"], shown["kinds"]).savefig(path, dpi=110)
    if options.field:
        write_selection(net, options)


def write_sample(net, name, describe, options):
    """Write what describes a sample, and return the galaxies of all seeds by `SAMPLES`."""
    number = getattr(options, name)
    magnitudes = RANGES[name]
    truths = [faint_catalog(number, seed, magnitudes=magnitudes) for seed in options.seeds]
    config = config_of(FAINT)
    snr = np.concatenate([snr_of(truth, config) for truth in truths])
    print(f"{name}: S/N of the middle 90 %:", np.percentile(snr, [5, 95]).round(1))
    results = []
    for seed, truth in zip(options.seeds, truths, strict=True):
        file = f"{FAINT}-{name}-{number}-{seed}-None"
        results.append(pickled(options.cache, file, measure, net, truth, config, seed))
    inferred = [Population.infer(part).sample(SAMPLE) for part in results]
    estimates = [part.to_table() for part in results]
    samples = dict(zip(SAMPLES, (truths, estimates, inferred), strict=True))
    tables = {}
    for key, parts in samples.items():
        tables[key] = vstack(parts, metadata_conflicts="silent")
    all_at_once = Population.infer(results)
    print(f"{name}: {all_at_once.about}, {len(all_at_once.mixture)} components")
    pooled = tables["truth"], all_at_once.sample(SAMPLE)
    found = describe_all(samples, describe, pooled=pooled)
    write_rounded(found, options.output / f"{name}.csv", decimals=3)
    print_table(found)
    return tables


def write_selection(net, options):
    """Write the relation of the galaxies of a field from those of them that are detected."""
    found = {name: [] for name in SELECTED}
    for seed in options.seeds:
        truth = faint_catalog(options.field, seed, magnitudes=FIELD_MAGNITUDES)
        file = f"{FAINT}-field-{options.field}-{seed}-None"
        detected, injections = pickled(options.cache, file, measure_field, net, truth, seed)
        parent = Population.infer(detected, selection=injections)
        print(f"{sum(map(len, detected))} of {len(truth)} galaxies are detected; {parent.about}")
        found["truth"].append(truth)
        found["detected"].append(Population.infer(detected).sample(SAMPLE))
        found["parent"].append(parent.sample(SAMPLE))
    selection = describe_all(found, fit_relation)
    write_rounded(selection, options.output / "selection.csv", decimals=3)
    print_table(selection)


def measure_field(net, truth, seed):
    """Return the results of the detected galaxies of a field, and galaxies injected into it."""
    config = config_of(FAINT)
    star = draw_psf(config.psf, pixel_scale=config.pixel_scale)
    given = {"psf": star, "pixel_scale": config.pixel_scale, "zeropoint": config.zeropoint}
    image = draw_field(truth, star, seed)
    with open_measurement(image, Options(**given), net=net) as measurement:
        squares = squares_of(measurement)
        pairs = list(measure_squares(measurement, measurement.map_sky(), squares))
    injections = inject_galaxies(
        image,
        config,
        n_galaxies=INJECTIONS * len(truth),
        magnitudes=INJECTED,
        min_distance=SQUARE,
        net=net,
        seed=seed,
        **given,
    )
    return [numbered(results, table) for results, table in pairs], injections


def describe_all(samples, describe, *, pooled=None):
    """Return what describes samples, and how it differs from the truth, as means over the seeds.

    Parameters
    ----------
    samples : dict of list of `~astropy.table.QTable`
        Tables of each sample, one per seed; the first sample is the truth.
    describe : callable
        Function of a table that returns numbers by name.
    pooled : (`~astropy.table.QTable`, `~astropy.table.QTable`), optional
        All true galaxies, and those of the population that is inferred from all seeds at once.

    Returns
    -------
    `~astropy.table.QTable`
        One row per number. Of the truth its value and the error of that, of another sample its
        value, the difference to the truth of the same seed (``_off``), and the error of that.
    """
    found = {name: [describe(table) for table in tables] for name, tables in samples.items()}
    first, *others = found
    if pooled is not None:
        pooled = [describe(table) for table in pooled]
    rows = []
    for quantity in found[first][0]:
        true = np.array([numbers[quantity] for numbers in found[first]])
        row = {"quantity": quantity}
        row[first], row[f"{first}_err"] = mean_of(true)
        for name in others:
            values = np.array([numbers[quantity] for numbers in found[name]])
            row[name] = values.mean()
            row[f"{name}_off"], row[f"{name}_off_err"] = mean_of(values - true)
        if pooled is not None:
            row["pooled"] = pooled[1][quantity]
            row["pooled_off"] = pooled[1][quantity] - pooled[0][quantity]
        rows.append(row)
    return QTable(rows=rows)


def mean_of(values):
    """Return the mean of some values, and its error, which one value does not have."""
    if len(values) < 2:
        return np.mean(values), np.nan
    return np.mean(values), np.std(values) / np.sqrt(len(values) - 1)


def fit_relation(table):
    """Return slope, middle and scatter of the relation of size and magnitude, by least squares."""
    mag = plain(table["mag"]) - PIVOT
    log_r_eff = np.log10(table["r_eff"].to_value(u.arcsec))
    good = np.isfinite(mag + log_r_eff)
    slope, middle = np.polyfit(mag[good], log_r_eff[good], 1)
    scatter = np.std(log_r_eff[good] - middle - slope * mag[good])
    mean_mag = np.mean(mag[good]) + PIVOT
    return {"slope": slope, "middle": middle, "scatter": scatter, "mag": mean_mag}


def find_kinds(table):
    """Return the share of disks, the medians of disks and spheroids, and how they are separated.

    ``valley`` is the density of the logarithm of the index between its two peaks, over that of the
    lower peak: 1 where there is one peak.
    """
    index = plain(table["n"])
    index = index[np.isfinite(index)]
    disk = index < BETWEEN
    found = {"disks": np.mean(disk), "n_disks": np.median(index[disk])}
    found["n_spheroids"] = np.median(index[~disk])
    q = plain(table["q"])[np.isfinite(plain(table["q"]))]
    found["q_disks"] = np.median(q[disk])
    found["q_spheroids"] = np.median(q[~disk])
    counts, _ = np.histogram(np.log(index), INDEX_EDGES)
    smooth = gaussian_filter1d(counts.astype(float), 2.5)
    middle = np.searchsorted(INDEX_EDGES, np.log(BETWEEN)) - 1
    first = np.argmax(smooth[:middle])
    second = middle + np.argmax(smooth[middle:])
    lower_peak = min(smooth[first], smooth[second])
    return found | {"valley": smooth[first : second + 1].min() / lower_peak}


def draw_figure(faint, kinds):
    """Draw the distributions of the faint sample, its relation, and the kinds of the brighter one.

    Parameters
    ----------
    faint, kinds : dict of `~astropy.table.QTable`
        Galaxies by name of the sample.

    Returns
    -------
    `~matplotlib.figure.Figure`
    """
    figure = Figure(figsize=(13, 6.2), layout="constrained")
    upper, lower = figure.subfigures(2, 1)
    upper.suptitle("faint sample, S/N of 5 to 20", fontsize=11)
    tables = {"estimates": faint["estimates"], "truth": faint["truth"]}
    plot_population(faint["inferred"], **tables, axes=upper.subplots(1, 4))
    relation, index, q, plane = lower.subplots(1, 4)
    relation.set_title("faint sample: size and magnitude", fontsize=10)
    draw_relation(relation, faint)
    index.set_title("disks and spheroids, S/N of 16 to 80", fontsize=10)
    draw_shares(index, kinds, "n", np.linspace(0.3, 6.2, 41))
    draw_shares(q, kinds, "q", np.linspace(0, 1, 31))
    plane.set_title("inferred (colors) and true (points)", fontsize=10)
    draw_plane(plane, kinds)
    return figure


STYLES = {
    "truth": {"color": LINE_COLOR},
    "estimates": {"color": VERMILION},
    "inferred": {"color": BLUE, "lw": 1.8},
}


def draw_relation(ax, tables):
    """Draw the fitted relations of samples and their scatter, and the true galaxies."""
    mag = np.array(MAGNITUDES)
    truth = tables["truth"]
    radii = truth["r_eff"].to_value(u.arcsec)
    ax.plot(plain(truth["mag"]), radii, ".", ms=2, color=BAND_COLOR, zorder=0)
    for name, table in tables.items():
        found = fit_relation(table)
        line = found["middle"] + found["slope"] * (mag - PIVOT)
        label = f"{name}: {found['slope']:.2f}, {found['scatter']:.2f} dex"
        ax.plot(mag, 10**line, label=label, **STYLES[name])
        for side in (-1, 1):
            ax.plot(mag, 10 ** (line + side * found["scatter"]), ls=":", **STYLES[name])
    ax.set(yscale="log", xlabel=AXIS_NAMES["mag"], ylabel=AXIS_NAMES["r_eff"], ylim=(0.05, 1.2))
    ax.set_yticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
    ax.yaxis.set_minor_formatter("")
    ax.legend(frameon=False, fontsize=8, title="slope, scatter (dotted)", loc="lower left")


def draw_shares(ax, tables, name, edges):
    """Draw the shares of the galaxies of samples in bins of a parameter."""
    for sample, table in tables.items():
        style = dict(STYLES[sample])
        if sample == "truth":
            style = {"color": BAND_COLOR, "fill": True}
        counts, _ = np.histogram(plain(table[name]), edges)
        ax.stairs(counts / counts.sum(), edges, label=sample, **style)
    ax.set(xlabel=AXIS_NAMES[name], ylabel="share of the galaxies", ylim=(0, None))
    ax.legend(frameon=False, fontsize=8)


def draw_plane(ax, tables):
    """Draw the inferred density of index and axis ratio, and the true galaxies."""
    drawn = tables["inferred"]
    ax.hist2d(
        plain(drawn["n"]), plain(drawn["q"]), bins=(60, 40), cmap="Blues", cmin=SAMPLE / 20_000
    )
    truth = tables["truth"][:400]
    ax.plot(truth["n"], truth["q"], ".", ms=2.5, color=VERMILION)
    ax.set(xlabel=AXIS_NAMES["n"], ylabel=AXIS_NAMES["q"], xlim=(0.3, 6.2), ylim=(0, 1))


if __name__ == "__main__":
    main()
