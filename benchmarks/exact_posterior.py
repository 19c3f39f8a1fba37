"""Importance sampling beside a long run of an established sampler, on the same posterior.

::

    python -m benchmarks.exact_posterior docs/_static/refinement

Twenty galaxies over S/N and size. nautilus (Lange 2023, MNRAS 525, 3181) samples the same
likelihood times prior in the labels themselves. A run that was killed goes on with the next galaxy.

Markov chains are no reference here: with 32 walkers and 4000 steps of emcee (differential
evolution), a galaxy of S/N 9 came out with widths too small by up to 20 %, as the chains seldom
found the region where it is unresolved; nautilus and importance sampling agreed there to 3 %.
"""

import time

import nautilus
import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable, Table, vstack

from benchmarks.common.command import parser_of
from benchmarks.common.tables import write_rounded
from benchmarks.refinement import PIXEL_SCALE, ZEROPOINT, draw_galaxies
from sersicnet import SersicNet
from sersicnet.inference.fits import median_labels
from sersicnet.inference.refine import ImportanceSampling
from sersicnet.model.labels import N_LABELS, stack_labels
from sersicnet.model.likelihood import likelihoods
from sersicnet.model.prior import E_MAX, LOG_R_EFF_LIMITS, MAX_OFFSET, N_LIMITS, log_prior
from sersicnet.model.psf import collect_psfs
from sersicnet.preprocessing import prepare

SNR_EDGES, SIZE_EDGES = (5, 15, 50, 200, 20000), (1.5, 2.5, 4, 6, 9, 16)
EDGE = (-MAX_OFFSET, MAX_OFFSET)


def main(arguments=None):
    """Run both samplers on each galaxy, and write the tables."""
    parser = parser_of(__doc__)
    parser.add_argument("--live", type=int, default=1000, help="points of nautilus")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    path = options.output / "exact_posterior.csv"
    rows = Table.read(path) if path.exists() else None
    net = SersicNet.from_pretrained()
    galaxies = draw_galaxies(800, seed=12)
    for number, row in enumerate(_choose(galaxies)):
        if rows is not None and number < len(rows):
            continue
        found = compare(net, galaxies, int(row), n_live=options.live)
        rows = found if rows is None else vstack([rows, found])
        write_rounded(rows, path, decimals=3)
        print(*found.pformat(max_width=-1), sep="\n", flush=True)
    write_rounded(_summary(rows), options.output / "exact_posterior_summary.csv", decimals=3)


def _choose(galaxies):
    """One galaxy for each bin of S/N and size."""
    size = 10 ** galaxies["labels"][:, 1]
    bins = [np.digitize(size, SIZE_EDGES), np.digitize(galaxies["snr"], SNR_EDGES)]
    chosen = {}
    for row, key in enumerate(zip(*bins, strict=True)):
        if 0 < key[0] < len(SIZE_EDGES) and 0 < key[1] < len(SNR_EDGES):
            chosen.setdefault(key, row)
    return [chosen[key] for key in sorted(chosen)]


def compare(net, galaxies, row, *, n_live):
    """Means, widths and correlations by both samplers, of one galaxy: a table of one row."""
    noise = StdDevUncertainty(np.ones_like(galaxies["data"][[row]]))
    stack, psf = NDData(galaxies["data"][[row]], uncertainty=noise), galaxies["psf"][row]
    units = {"pixel_scale": PIXEL_SCALE, "zeropoint": ZEROPOINT}
    begin = time.process_time()
    sampling = ImportanceSampling(ess=3000, max_samples=30_000, n_kept=10_000)
    results = net.predict(stack, psf=psf, refine=sampling, **units)
    own_seconds = time.process_time() - begin
    own = results.posterior.labels[0].astype(float)
    begin = time.process_time()
    points, weights, log_evidence = reference(net, stack, psf, units, n_live=n_live)
    seconds = time.process_time() - begin
    covariance = np.cov(points.T, aweights=weights)
    width = np.sqrt(np.diagonal(covariance))
    shift = (own.mean(axis=0) - weights @ points) / width
    ratio = own.std(axis=0) / width
    correlations = np.corrcoef(own.T) - covariance / width / width[:, None]
    return Table(
        {
            "S/N": [float(galaxies["snr"][row])],
            "r_eff [pixel]": [float(10 ** galaxies["labels"][row, 1])],
            "ess": [float(results.columns["ess"][0])],
            "ess of nautilus": [float(1 / np.sum(weights**2))],
            "mean (rms of 7)": [float(np.sqrt(np.mean(shift**2)))],
            "mean (largest)": [float(np.abs(shift).max())],
            "width (rms of 7)": [float(np.sqrt(np.mean((ratio - 1) ** 2)))],
            "width (largest)": [float(np.abs(ratio - 1).max())],
            "correlation (largest)": [float(np.abs(correlations).max())],
            "log evidence": [float(results.columns["log_evidence"][0] - log_evidence)],
            "CPU s": [own_seconds],
            "CPU s of nautilus": [seconds],
        }
    )


def reference(net, stack, psf, units, *, n_live):
    """Labels, (S, 7), their weights of sum 1, and the logarithm of the evidence.

    Within the prior, or ten quoted errors of the network where that is less.
    """
    stamps, psfs = prepare(stack, **units), collect_psfs([psf])
    results = net.predict(stack, psf=psf, **units)
    start = median_labels(results.quantiles, stamps, psfs)
    ((_, likelihood),) = likelihoods(start, stamps.data, stamps.weight, psfs, chunk=1)
    drawn = results.posterior.draw([0], 2000, 1)
    error = stack_labels(drawn)[0].std(axis=0)
    limits = {
        "log_flux": (-np.inf, np.inf),
        "log_r_eff": LOG_R_EFF_LIMITS,
        "n": N_LIMITS,
        "e1": (-E_MAX, E_MAX),
        "e2": (-E_MAX, E_MAX),
        "dx": EDGE,
        "dy": EDGE,
    }
    limits = stack_labels(limits)
    low, high = (np.clip(start[0] + sign * 10 * error, *limits) for sign in (-1, 1))

    @torch.no_grad()
    def log_density(labels):
        labels = torch.from_numpy(labels)
        density = log_prior(labels)
        inside = torch.isfinite(density)
        parts = labels[inside].float().split(32)
        chi2 = torch.cat([likelihood.chi2(part) for part in parts if len(part)] or [density[:0]])
        density[inside] += 0.5 * torch.log(2 * np.pi / likelihood.sky_information) - 0.5 * chi2
        return density.nan_to_num(nan=-1e300, neginf=-1e300).numpy()

    sampler = nautilus.Sampler(
        lambda cube: low + (high - low) * cube,
        log_density,
        n_dim=N_LABELS,
        n_live=n_live,
        vectorized=True,
        pass_dict=False,
        seed=1,
    )
    sampler.run(n_eff=3000, discard_exploration=False)
    points, log_weights, _ = sampler.posterior()
    weights = np.exp(log_weights - log_weights.max())
    return points, weights / weights.sum(), sampler.log_z + np.log(high - low).sum()


def _summary(rows):
    """How many of the galaxies agree."""
    limits = {
        "mean (largest)": 0.1,
        "width (largest)": 0.05,
        "width (rms of 7)": 0.05,
        "correlation (largest)": 0.1,
        "log evidence": 0.1,
    }
    return QTable(
        rows=[
            {
                "difference": name,
                "limit": limit,
                "galaxies within": int((np.abs(rows[name]) < limit).sum()),
                "of": len(rows),
                "median": float(np.median(np.abs(rows[name]))),
                "largest": float(np.max(np.abs(rows[name]))),
            }
            for name, limit in limits.items()
        ]
    )


if __name__ == "__main__":
    main()
