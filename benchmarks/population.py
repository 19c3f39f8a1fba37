"""Populations inferred from simulated catalogs, and what they do for their galaxies.

::

    python -m benchmarks.population docs/_static/population
    python -m benchmarks.population OUTPUT --n 2000 --seeds 201 --surveys lsst jwst --cache DIR

Galaxies of four surveys are drawn by GalSim from the priors of their configurations, and measured
by the universal network. They are scored as they are, with the population known (the density that
they were drawn from, which is constant within its limits), and with the population inferred from
the same galaxies (``surveys.csv``: R2, and the share of truths within the 68 % intervals;
``loss.csv``: what an inferred population loses to the known one in R2, mean of the seeds).

The magnitudes of the truth are those of the stamps of the PSFs, which have unit sum: 2 % of the
light of JWST's and Euclid's is beyond the stamp, which is two errors of a bright galaxy.

A faint sample has a relation of size and magnitude and two kinds of galaxies. Slope and scatter of
the relation are fitted to the estimates, and to galaxies drawn from the inferred population
(``relation.csv``); ``population.png`` shows its distributions. Of this sample, those are kept that
are measured as brighter than a limit, and the population of all is inferred from these, and from
galaxies of a flat distribution that have the same limit (``selection.csv``).
"""

import pickle
from dataclasses import replace

import astropy.units as u
import matplotlib as mpl
import numpy as np
from astropy.table import QTable, vstack

from benchmarks.common.command import add_cache, add_weights, make_parser
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.sets.galaxies import config_of
from sersicnet import Population, SersicNet
from sersicnet.diagnostics import score_table
from sersicnet.io.files import atomic_path
from sersicnet.io.weights import weights_path
from sersicnet.parameters import Prior
from sersicnet.plotting import plot_population
from sersicnet.simulate_catalog import draw_catalog, draw_psf, render_catalog

FOUR = ("mag", "r_eff", "n", "q")
SURVEYS = ("candels", "euclid", "lsst", "jwst")
SEEDS = (201, 202, 203, 204, 205)
# The faint sample: its instrument, magnitudes, and relation of size (dex of arcsec) and magnitude.
FAINT = "candels"
MAGNITUDES = (22.5, 24.3)
PIVOT = 23.5
SLOPE = -0.12
SCATTER = 0.15
MIDDLE = -0.4
# Rows of the table of the relation.
FITS = ("truth", "estimates", "inferred")
# Limit of the magnitude, magnitudes of the injected galaxies, how many these are for each galaxy,
# and rows of the table.
LIMIT = 23.6
INJECTED = Prior(22.0, 25.0)
INJECTIONS = 4
SELECTED = ("truth", "detected", "parent")
# Side of the stamp that has all light of a PSF.
WHOLE = 401


def main(arguments=None):
    """Measure the galaxies, infer their populations, and write tables and a figure."""
    parser = make_parser(__doc__)
    add_weights(parser)
    add_cache(parser, "galaxies, as they were measured")
    text = "numbers of galaxies of each catalog, by default 200 and 2000"
    parser.add_argument("-n", "--n", type=int, nargs="+", default=(200, 2000), help=text)
    text = "seeds of the catalogs, by default 201 to 205"
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help=text)
    text = f"surveys, by default all: {', '.join(SURVEYS)}"
    parser.add_argument("--surveys", nargs="*", choices=SURVEYS, default=SURVEYS, help=text)
    text = "refinement of the network's answers: lm or importance"
    parser.add_argument("--refine", choices=("lm", "importance"), help=text)
    options = parser.parse_args(arguments)
    mpl.use("agg")
    options.output.mkdir(parents=True, exist_ok=True)
    net = SersicNet.load(weights_path(options.weights))
    write_surveys(net, options)
    write_relation(net, options)
    write_selection(net, options)


def write_surveys(net, options):
    """Write the scores of all surveys, numbers of galaxies and seeds."""
    parts = []
    for survey in options.surveys:
        for n in options.n:
            for seed in options.seeds:
                truth = draw_catalog(n, config_of(survey), seed=seed)
                results = measure(net, survey, truth, seed, options)
                truth["mag"] += stamp_shift(survey) * u.mag
                scores = score(results, truth, known_population(survey))
                for name, value in (("seed", seed), ("galaxies", n), ("survey", survey)):
                    scores.add_column(np.full(len(scores), value), name=name, index=0)
                print_table(scores)
                parts.append(scores)
    if parts:
        scores = vstack(parts)
        write_rounded(scores, options.output / "surveys.csv", decimals=3)
        loss = loss_table(scores)
        write_rounded(loss, options.output / "loss.csv", decimals=4)
        print_table(loss)


def measure(net, name, truth, seed, options):
    """Return the results of simulated galaxies, from the cache where they are there."""
    path = None
    if options.cache is not None:
        options.cache.mkdir(parents=True, exist_ok=True)
        path = options.cache / f"{name}-{len(truth)}-{seed}-{options.refine}.pickle"
        if path.exists():
            return pickle.loads(path.read_bytes())
    config = config_of(name.partition("-")[0])
    cutouts = list(render_catalog(truth, config, seed=seed))
    results = net.predict(cutouts, recenter_psf=False, refine=options.refine)
    if path is not None:
        with atomic_path(path) as partial:
            partial.write_bytes(pickle.dumps(results))
    return results


def stamp_shift(survey):
    """Return by how much magnitudes are fainter by the light within the stamp of the PSF."""
    config = config_of(survey)
    whole = draw_psf(replace(config.psf, size=WHOLE), pixel_scale=config.pixel_scale)
    edge = (WHOLE - config.psf.size) // 2
    return -2.5 * np.log10(whole[edge:-edge, edge:-edge].sum())


def known_population(survey):
    """Return the population that the galaxies of a survey are drawn from."""
    priors = config_of(survey).priors
    limits = {name: (priors[name].lower, priors[name].upper) for name in FOUR}
    limits["r_eff"] = np.log10(limits["r_eff"])
    limits["mag"] = np.add(limits["mag"], stamp_shift(survey))

    def log_density(*values):
        inside = True
        for value, (low, high) in zip(values, limits.values(), strict=True):
            inside = inside & (value >= low) & (value <= high)
        return np.where(inside, 0.0, -np.inf)

    return Population.known(log_density)


def score(results, truth, known):
    """Return R2 and coverage of the results alone, and with two populations.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        Measured galaxies.
    truth : `~astropy.table.QTable`
        Their truth.
    known : `~sersicnet.Population`
        The population that they come from.

    Returns
    -------
    `~astropy.table.Table`
        One row per population.
    """
    inferred = Population.infer(results)
    tables = {
        "none": results.to_table(),
        "known": known.reweight(results).to_table(),
        "inferred": inferred.reweight(results).to_table(),
    }
    rows = []
    for name, table in tables.items():
        row = {"population": name, "components": len(inferred.mixture), "low_ess": 0}
        if "ess" in table.colnames:
            row["low_ess"] = int(np.sum(plain(table["ess"]) < 100))
        for line in score_table(table, truth, parameters=FOUR):
            row[f"r2_{line['parameter']}"] = float(line["r2"])
            row[f"coverage_{line['parameter']}"] = float(line["coverage"])
        rows.append(row)
    return QTable(rows=rows)


def loss_table(scores):
    """Return what R2 an inferred population loses to the known one, mean and error over seeds."""
    rows = []
    for survey, n in dict.fromkeys(zip(scores["survey"], scores["galaxies"], strict=True)):
        part = scores[(scores["survey"] == survey) & (scores["galaxies"] == n)]
        known = part[part["population"] == "known"]
        inferred = part[part["population"] == "inferred"]
        row = {"survey": survey, "galaxies": n, "seeds": len(known)}
        for name in FOUR:
            loss = np.array(known[f"r2_{name}"]) - np.array(inferred[f"r2_{name}"])
            row[f"loss_{name}"] = loss.mean()
            row[f"loss_{name}_err"] = loss.std() / np.sqrt(max(len(loss) - 1, 1))
        rows.append(row)
    return QTable(rows=rows)


def write_relation(net, options):
    """Write slope and scatter of the relation of the faint sample, and its figure."""
    rows = []
    n = max(options.n)
    for seed in options.seeds:
        truth = faint_catalog(n, seed)
        results = measure(net, f"{FAINT}-faint", truth, seed, options)
        population = Population.infer(results)
        drawn = population.sample(100_000)
        for name, table in zip(FITS, (truth, results.to_table(), drawn), strict=True):
            rows.append({"seed": seed, "sample": name} | fit_relation(table))
    relation = QTable(rows=rows)
    write_rounded(relation, options.output / "relation.csv", decimals=4)
    print_table(relation)
    axes = plot_population(drawn, estimates=results, truth=truth)
    axes[0].figure.savefig(options.output / "population.png", dpi=110)


def write_selection(net, options):
    """Write the relation of the faint sample from those of its galaxies that are detected."""
    rows = []
    n = max(options.n)
    config = config_of(FAINT)
    for seed in options.seeds:
        truth = faint_catalog(n, seed)
        results = measure(net, f"{FAINT}-faint", truth, seed, options)
        detected = results[np.flatnonzero(is_detected(results))]
        injected = draw_catalog(
            INJECTIONS * n, config.replace(priors={"mag": INJECTED}), seed=1000 + seed
        )
        found = measure(net, f"{FAINT}-injected", injected, 1000 + seed, options)
        injections = QTable({f"true_{name}": injected[name] for name in FOUR})
        injections["detected"] = is_detected(found)
        parent = Population.infer(detected, selection=injections)
        drawn = (Population.infer(detected).sample(100_000), parent.sample(100_000))
        for name, table in zip(SELECTED, (truth, *drawn), strict=True):
            row = {"seed": seed, "sample": name} | fit_relation(table)
            rows.append(row | {"faint": np.mean(plain(table["mag"]) > LIMIT)})
    selection = QTable(rows=rows)
    write_rounded(selection, options.output / "selection.csv", decimals=4)
    print_table(selection)


def is_detected(results):
    """Return whether galaxies are measured as brighter than the limit, (N,) bool array."""
    return results.median("mag") < LIMIT


def faint_catalog(n, seed):
    """Draw disks and spheroids of a relation of size and magnitude, at S/N of about 5 to 20."""
    truth = draw_catalog(n, config_of(FAINT), seed=seed)
    rng = np.random.default_rng([seed, 5])
    mag = rng.uniform(*MAGNITUDES, n)
    log_r_eff = MIDDLE + SLOPE * (mag - PIVOT) + rng.normal(0, SCATTER, n)
    spheroid = rng.random(n) < 0.4
    index = np.where(spheroid, rng.normal(3.8, 0.4, n), np.exp(rng.normal(0, 0.2, n)))
    q = np.where(spheroid, rng.normal(0.8, 0.1, n), rng.normal(0.5, 0.17, n))
    truth["mag"] = mag * truth["mag"].unit
    truth["r_eff"] = 10**log_r_eff * u.arcsec
    truth["n"] = index.clip(0.5, 6)
    truth["q"] = q.clip(0.15, 0.99)
    return truth


def fit_relation(table):
    """Return slope, middle and scatter of the relation of size and magnitude, by least squares."""
    mag = plain(table["mag"]) - PIVOT
    log_r_eff = np.log10(table["r_eff"].to_value(u.arcsec))
    good = np.isfinite(mag + log_r_eff)
    slope, middle = np.polyfit(mag[good], log_r_eff[good], 1)
    scatter = np.std(log_r_eff[good] - middle - slope * mag[good])
    n = plain(table["n"])[good]
    return {"slope": slope, "middle": middle, "scatter": scatter, "n_below_2": np.mean(n < 2)}


if __name__ == "__main__":
    main()
