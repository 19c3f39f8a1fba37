"""How well importance sampling agrees with an established sampler on the same posterior.

::

    python -m benchmarks.exact_posterior docs/_static/refinement

Twenty galaxies cover S/N and size. nautilus (Lange 2023, MNRAS 525, 3181) samples the same
likelihood times prior in the labels themselves. It is the package ``nautilus-sampler``. A run that
was stopped continues with the next galaxy.

Markov chains are not a reference here: with 32 walkers and 4000 steps of emcee (differential
evolution), a galaxy of S/N 9 had widths too small by up to 20 %, because the chains seldom found
the region where it is unresolved; nautilus and importance sampling agreed there to 3 %.
"""

import importlib.util
import time

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable, Table, vstack

from benchmarks.common.command import make_parser
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.refinement import PIXEL_SCALE, ZEROPOINT, draw_galaxies
from sersicnet import SersicNet
from sersicnet.inference import ImportanceSampling
from sersicnet.inference.fits import median_labels
from sersicnet.model import collect_psfs, likelihoods, log_prior
from sersicnet.model.labels import LOG_R_EFF, N_LABELS, stack_labels
from sersicnet.model.prior import E_MAX, LOG_R_EFF_LIMITS, MAX_OFFSET, N_LIMITS
from sersicnet.preprocessing import prepare

UNITS = {"pixel_scale": PIXEL_SCALE, "zeropoint": ZEROPOINT}
N_GALAXIES = 800
# Width of the prior of the sky, in units of the noise: an evidence needs one.
SKY_ERR = 0.03
# One galaxy is chosen in each bin of S/N and of half-light radius in pixels.
SNR_EDGES = (5, 15, 50, 200, 20000)
SIZE_EDGES = (1.5, 2.5, 4, 6, 9, 16)
# Ranges of the labels within the prior.
RANGES = {
    "log_flux": (-np.inf, np.inf),
    "log_r_eff": LOG_R_EFF_LIMITS,
    "n": N_LIMITS,
    "e1": (-E_MAX, E_MAX),
    "e2": (-E_MAX, E_MAX),
    "dx": (-MAX_OFFSET, MAX_OFFSET),
    "dy": (-MAX_OFFSET, MAX_OFFSET),
}
# Differences below which the two samplers agree.
LIMITS = {
    "mean (largest)": 0.1,
    "width (largest)": 0.05,
    "width (rms of 7)": 0.05,
    "correlation (largest)": 0.1,
    "log evidence": 0.1,
}


def main(arguments=None):
    """Run both samplers on each galaxy, and write the tables."""
    parser = make_parser(__doc__)
    text = "live points of nautilus, by default 1000"
    parser.add_argument("--live", type=int, default=1000, help=text)
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("nautilus") is None:
        parser.error("nautilus is not installed: pip install nautilus-sampler")
    torch.set_num_threads(1)
    path = options.output / "exact_posterior.csv"
    rows = Table.read(path) if path.exists() else None
    net = SersicNet.from_pretrained()
    galaxies = draw_galaxies(N_GALAXIES, seed=12)
    for number, row in enumerate(_choose(galaxies)):
        if rows is not None and number < len(rows):
            continue
        compared = compare(net, galaxies, int(row), n_live=options.live)
        rows = compared if rows is None else vstack([rows, compared])
        write_rounded(rows, path, decimals=3)
        print_table(compared)
    write_rounded(_summary(rows), options.output / "exact_posterior_summary.csv", decimals=3)


def _choose(galaxies):
    """Choose one galaxy for each bin of S/N and size."""
    size = 10 ** galaxies["labels"][:, LOG_R_EFF]
    size_bins = np.digitize(size, SIZE_EDGES)
    snr_bins = np.digitize(galaxies["snr"], SNR_EDGES)
    chosen = {}
    for row, key in enumerate(zip(size_bins, snr_bins, strict=True)):
        if 0 < key[0] < len(SIZE_EDGES) and 0 < key[1] < len(SNR_EDGES):
            chosen.setdefault(key, row)
    return [chosen[key] for key in sorted(chosen)]


def compare(net, galaxies, row, *, n_live):
    """Compare means, widths and correlations of one galaxy by both samplers.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        Network that proposes the samples.
    galaxies : dict
        Galaxies of `benchmarks.refinement.draw_galaxies`.
    row : int
        Number of the galaxy.
    n_live : int
        Number of live points of nautilus.

    Returns
    -------
    `~astropy.table.Table`
        One row.
    """
    noise = StdDevUncertainty(np.ones_like(galaxies["data"][[row]]))
    stack = NDData(galaxies["data"][[row]], uncertainty=noise)
    psf = galaxies["psf"][row]
    begin = time.process_time()
    sampling = ImportanceSampling(ess=3000, max_samples=30_000, n_kept=10_000)
    results = net.predict(stack, psf=psf, refine=sampling, sky_err=SKY_ERR, **UNITS)
    own_seconds = time.process_time() - begin
    own = results.posterior.labels[0].astype(float)
    begin = time.process_time()
    points, weights, log_evidence = reference(net, stack, psf, n_live=n_live)
    seconds = time.process_time() - begin
    covariance = np.cov(points.T, aweights=weights)
    width = np.sqrt(np.diagonal(covariance))
    shift = (own.mean(axis=0) - weights @ points) / width
    ratio = own.std(axis=0) / width
    correlations = np.corrcoef(own.T) - covariance / width / width[:, None]
    compared = {
        "S/N": galaxies["snr"][row],
        "r_eff [pixel]": 10 ** galaxies["labels"][row, LOG_R_EFF],
        "ess": results.columns["ess"][0],
        "ess of nautilus": 1 / np.sum(weights**2),
        "mean (rms of 7)": np.sqrt(np.mean(shift**2)),
        "mean (largest)": np.abs(shift).max(),
        "width (rms of 7)": np.sqrt(np.mean((ratio - 1) ** 2)),
        "width (largest)": np.abs(ratio - 1).max(),
        "correlation (largest)": np.abs(correlations).max(),
        "log evidence": results.columns["log_evidence"][0] - log_evidence,
        "CPU s": own_seconds,
        "CPU s of nautilus": seconds,
    }
    return Table({name: [float(value)] for name, value in compared.items()})


def reference(net, stack, psf, *, n_live):
    """Sample the posterior of one galaxy by nautilus.

    The points are within the prior, or within ten quoted errors of the network where that range is
    smaller.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        Network whose result is in the middle of the range.
    stack : `~astropy.nddata.NDData`
        The galaxy, (1, 128, 128).
    psf : 2-D `~numpy.ndarray`
        Its PSF.
    n_live : int
        Number of live points.

    Returns
    -------
    labels : (S, 7) `~numpy.ndarray`
    weights : (S,) `~numpy.ndarray`
        Weights of sum 1.
    log_evidence : float
    """
    import nautilus

    stamps = prepare(stack, **UNITS)
    psfs = collect_psfs([psf])
    results = net.predict(stack, psf=psf, **UNITS)
    start = median_labels(results.quantiles, stamps, psfs)
    ((_, likelihood),) = likelihoods(
        start, stamps.data, stamps.weight, psfs, chunk=1, sky_err=np.array([SKY_ERR])
    )
    drawn = results.posterior.draw([0], 2000, 1)
    error = stack_labels(drawn)[0].std(axis=0)
    lower, upper = stack_labels(RANGES)
    low = np.clip(start[0] - 10 * error, lower, upper)
    high = np.clip(start[0] + 10 * error, lower, upper)

    def to_labels(cube):
        return low + (high - low) * cube

    sampler = nautilus.Sampler(
        to_labels,
        _log_density(likelihood),
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


def _log_density(likelihood):
    """Return the logarithm of likelihood times prior, as a function of labels (S, 7)."""

    @torch.no_grad()
    def log_density(labels):
        labels = torch.from_numpy(labels)
        density = log_prior(labels)
        inside = torch.isfinite(density)
        parts = labels[inside].float().split(32)
        found = [likelihood.marginal(part)[0] for part in parts if len(part)] or [density[:0]]
        density[inside] += torch.cat(found)
        return density.nan_to_num(nan=-1e300, neginf=-1e300).numpy()

    return log_density


def _summary(rows):
    """Count the galaxies whose differences are within the limits."""
    summary = []
    for name, limit in LIMITS.items():
        difference = np.abs(rows[name])
        summary.append(
            {
                "difference": name,
                "limit": limit,
                "galaxies within": int((difference < limit).sum()),
                "galaxies": len(rows),
                "median": float(np.median(difference)),
                "largest": float(np.max(difference)),
            }
        )
    return QTable(rows=summary)


if __name__ == "__main__":
    main()
