"""Populations inferred from simulated catalogs, and what they do for their galaxies.

::

    python -m benchmarks.population docs/_static/population --cache build/population
    python -m benchmarks.population OUTPUT --each 100 --seeds 201 202 --surveys lsst --cache DIR

Galaxies of four surveys are drawn by GalSim from the priors of their configurations, and measured
by the universal network. Those with a true S/N of 5 or more within the half-light ellipse are kept:
others are not in catalogs. They are scored as they are, with the population known (the density that
they were drawn from, which is constant within its limits), and with the population inferred from
the same galaxies: from at most 200 (each seed has two catalogs of half of its galaxies), and from
all of all seeds. ``surveys.csv`` has R2 and the share of truths within the 68 % intervals,
``loss.csv`` what an inferred population loses to the known one in R2, mean of the catalogs.

The magnitudes of the truth are those of the stamps of the PSFs, which have unit sum: 2 % of the
light of JWST's and Euclid's is beyond the stamp, which is two errors of a bright galaxy.
"""

from dataclasses import replace

import astropy.units as u
import numpy as np
import torch
from astropy.table import QTable, vstack

from benchmarks.common.command import add_cache, add_weights, make_parser
from benchmarks.common.pickled import pickled
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.sets.galaxies import FAINTEST_SNR, config_of
from sersicnet import Flags, Population, SersicNet
from sersicnet.diagnostics import score_table
from sersicnet.diagnostics.columns import has_flag
from sersicnet.io.weights import weights_path
from sersicnet.model.labels import components, stack_labels
from sersicnet.model.prior import log_snr
from sersicnet.simulate_catalog import draw_catalog, draw_psf, render_catalog

FOUR = ("mag", "r_eff", "n", "q")
SURVEYS = ("candels", "euclid", "lsst", "jwst")
SEEDS = (201, 202, 203, 204, 205)
# Galaxies of a small catalog, at the most.
SMALL = 200
# Side of the stamp that has all light of a PSF.
WHOLE = 401


def main(arguments=None):
    """Measure galaxies of surveys, infer their populations, and write the scores."""
    parser = make_parser(__doc__)
    add_weights(parser)
    add_cache(parser, "galaxies, as they were measured")
    text = "number of galaxies that are drawn for each seed, by default 400"
    parser.add_argument("--each", type=int, default=400, help=text)
    text = "seeds of the catalogs, by default 201 to 205"
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help=text)
    text = f"surveys, by default all: {', '.join(SURVEYS)}"
    parser.add_argument("--surveys", nargs="+", choices=SURVEYS, default=SURVEYS, help=text)
    options = parser.parse_args(arguments)
    net = SersicNet.load(weights_path(options.weights))
    scores = vstack([score_survey(net, survey, options) for survey in options.surveys])
    surveys = survey_table(scores)
    write_rounded(surveys, options.output / "surveys.csv", decimals=3)
    print_table(surveys)
    loss = loss_table(scores)
    write_rounded(loss, options.output / "loss.csv", decimals=4)
    print_table(loss)


def score_survey(net, survey, options):
    """Return the scores of the small catalogs of a survey, and of all of its galaxies."""
    known = known_population(survey)
    catalogs = [bright_galaxies(net, survey, seed, options) for seed in options.seeds]
    weighed = [known.reweight(results) for results, _ in catalogs]
    parts = []
    for seed, (results, truth), ours in zip(options.seeds, catalogs, weighed, strict=True):
        for rows in small_catalogs(len(truth)):
            parts.append(score([results[rows]], [ours[rows]], truth[rows]))
            label(parts[-1], survey, str(seed))
    everything = [results for results, _ in catalogs]
    truth = vstack([truth for _, truth in catalogs], metadata_conflicts="silent")
    parts.append(score(everything, weighed, truth))
    label(parts[-1], survey, "all")
    return vstack(parts)


def small_catalogs(n):
    """Return the rows of catalogs of about the same number of galaxies, of ``n`` in all."""
    return np.array_split(np.arange(n), np.ceil(n / SMALL))


def label(scores, survey, seed):
    """Put the names of a catalog in front of its scores, and print them."""
    for name, value in (("seed", seed), ("survey", survey)):
        scores.add_column(np.full(len(scores), value), name=name, index=0)
    print_table(scores)


def bright_galaxies(net, survey, seed, options):
    """Return the results and truth of galaxies of a survey that catalogs would have."""
    config = config_of(survey)
    truth = draw_catalog(options.each, config, seed=seed)
    name = f"{survey}-{len(truth)}-{seed}-None"
    results = pickled(options.cache, name, measure, net, truth, config, seed)
    bright = np.flatnonzero(snr_of(truth, config) >= FAINTEST_SNR)
    truth = truth[bright]
    truth["mag"] += stamp_shift(survey) * u.mag
    return results[bright], truth


def measure(net, truth, config, seed):
    """Return the results of galaxies that GalSim draws."""
    cutouts = list(render_catalog(truth, config, seed=seed))
    return net.predict(cutouts, recenter_psf=False)


def snr_of(truth, config):
    """Return the S/N of galaxies within their half-light ellipse."""
    log_r_eff = np.log10(truth["r_eff"].to_value(u.arcsec))
    return snr_at(plain(truth["mag"]), log_r_eff, plain(truth["q"]), config)


def snr_at(mag, log_r_eff, q, config):
    """Return the S/N as the universal prior defines it."""
    columns = dict(zip(("e1", "e2"), components(q, np.zeros_like(q)), strict=True))
    columns["log_flux"] = -0.4 * (mag - config.zeropoint) - np.log10(config.sky_noise)
    columns["log_r_eff"] = log_r_eff - np.log10(config.pixel_scale)
    columns |= {name: np.zeros_like(q) for name in ("n", "dx", "dy")}
    return 10 ** log_snr(torch.from_numpy(stack_labels(columns))).numpy()


def stamp_shift(survey):
    """Return by how much magnitudes are fainter by the light within the stamp of the PSF."""
    config = config_of(survey)
    whole = draw_psf(replace(config.psf, size=WHOLE), pixel_scale=config.pixel_scale)
    edge = (WHOLE - config.psf.size) // 2
    return -2.5 * np.log10(whole[edge:-edge, edge:-edge].sum())


def known_population(survey):
    """Return the population that the galaxies of a survey are drawn from."""
    config = config_of(survey)
    limits = {name: (config.priors[name].lower, config.priors[name].upper) for name in FOUR}
    limits["r_eff"] = np.log10(limits["r_eff"])
    shift = stamp_shift(survey)
    limits["mag"] = np.add(limits["mag"], shift)

    def log_density(*values):
        mag, log_r_eff, _, q = values
        inside = snr_at(mag - shift, log_r_eff, q, config) >= FAINTEST_SNR
        for value, (low, high) in zip(values, limits.values(), strict=True):
            inside = inside & (value >= low) & (value <= high)
        return np.where(inside, 0.0, -np.inf)

    return Population.known(log_density)


def score(parts, known, truth):
    """Return R2 and coverage of the results alone, and with two populations.

    Parameters
    ----------
    parts : list of `~sersicnet.SersicResults`
        Measured galaxies.
    known : list of `~sersicnet.SersicResults`
        The same, with the population that they come from.
    truth : `~astropy.table.QTable`
        Their truth.

    Returns
    -------
    `~astropy.table.Table`
        One row per population.
    """
    inferred = Population.infer(parts)
    ours = [inferred.reweight(part) for part in parts]
    rows = []
    for name, results in (("none", parts), ("known", known), ("inferred", ours)):
        tables = [each.to_table() for each in results]
        table = vstack(tables, metadata_conflicts="silent")
        row = {"galaxies": len(truth), "population": name, "components": len(inferred.mixture)}
        row["low_ess"] = np.mean(has_flag(table, int(Flags.LOW_ESS)))
        for line in score_table(table, truth, parameters=FOUR):
            row[f"r2_{line['parameter']}"] = float(line["r2"])
            row[f"coverage_{line['parameter']}"] = float(line["coverage"])
        rows.append(row)
    return QTable(rows=rows)


def survey_table(scores):
    """Return the mean scores of the small catalogs of each survey, and those of all galaxies."""
    rows = []
    for survey in dict.fromkeys(scores["survey"]):
        for small in (True, False):
            part = catalogs_of(scores, survey, small)
            for population in dict.fromkeys(part["population"]):
                chosen = part[part["population"] == population]
                row = {"survey": survey, "galaxies": round(chosen["galaxies"].mean())}
                row |= {"catalogs": len(chosen), "population": population}
                for name in FOUR:
                    row[f"r2_{name}"] = chosen[f"r2_{name}"].mean()
                for name in FOUR:
                    row[f"coverage_{name}"] = chosen[f"coverage_{name}"].mean()
                rows.append(row)
    return QTable(rows=rows)


def catalogs_of(scores, survey, small):
    """Return the scores of the small catalogs of a survey, or of all of its galaxies."""
    return scores[(scores["survey"] == survey) & ((scores["seed"] != "all") == small)]


def loss_table(scores):
    """Return what R2 an inferred population loses to the known one: mean over catalogs, error."""
    rows = []
    for survey in dict.fromkeys(scores["survey"]):
        for small in (True, False):
            part = catalogs_of(scores, survey, small)
            known = part[part["population"] == "known"]
            inferred = part[part["population"] == "inferred"]
            row = {"survey": survey, "galaxies": round(known["galaxies"].mean())}
            row["catalogs"] = len(known)
            for name in FOUR:
                loss = np.array(known[f"r2_{name}"]) - np.array(inferred[f"r2_{name}"])
                row[f"loss_{name}"] = loss.mean()
                row[f"loss_{name}_err"] = np.nan
                if small:
                    row[f"loss_{name}_err"] = loss.std() / np.sqrt(max(len(loss) - 1, 1))
            rows.append(row)
    return QTable(rows=rows)


if __name__ == "__main__":
    main()
