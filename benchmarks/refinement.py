"""How close the refinements come to the physical limit, and whether their errors are right.

::

    python -m benchmarks.refinement docs/_static/refinement

The galaxies are isolated, drawn by GalSim from the universal prior, and convolved with known Moffat
PSFs; the noise is white, and the noise map is exact. The likelihood is therefore correct, and the
Cramer-Rao bound is the scatter of the best unbiased fit. ``crb.csv`` and ``crb.png`` compare the
network and maximum likelihood with it; ``coverage.csv`` shows how good the quoted errors of all
three stages are; ``ess.csv`` has the efficiency of importance sampling.
"""

from itertools import pairwise, product

import galsim
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.stats import mad_std
from astropy.table import QTable

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.sets.psfs import CANNOT_DRAW, draw_galaxy, draw_star
from sersicnet import Flags, SersicNet
from sersicnet.inference import ImportanceSampling, LevenbergMarquardt
from sersicnet.io.weights import weights_path
from sersicnet.model import StampLikelihood, draw_labels, log_snr, psf_transform
from sersicnet.model.labels import (
    CENTER,
    DX,
    DY,
    ELLIPTICITY,
    LOG_FLUX,
    LOG_R_EFF,
    N_LABELS,
    SERSIC_N,
    angle,
    axis_ratio,
    length,
    split_labels,
)
from sersicnet.networks import label_dict
from sersicnet.parameters import PARAMETERS, wrap_theta
from sersicnet.preprocessing import StampFrame

SEVEN = tuple(PARAMETERS)
SIZE = 128
PSF_SIZE = 129
ZEROPOINT = 25.0
PIXEL_SCALE = 0.1
# Largest number of galaxies with the same PSF.
PER_PSF = 25
# Smallest half-light radius in FWHM: the likelihood of a smaller galaxy is far from normal.
SMALLEST = 0.5
# Largest half-light radius in pixels: the stamp misses much of a larger galaxy.
LARGEST = 16.0
SNR_EDGES = (5, 30, 100, 1000, 20000)
# S/N above which a galaxy is bright.
BRIGHT = 30


def main(arguments=None):
    """Simulate and measure the galaxies, and write the tables."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies", default=2000)
    text = "galaxies that all three stages measure, by default 400"
    parser.add_argument("--n-importance", type=int, default=400, help=text)
    add_weights(parser)
    options = parser.parse_args(arguments)
    mpl.use("agg")
    options.output.mkdir(parents=True, exist_ok=True)
    net = SersicNet.load(weights_path(options.weights))
    galaxies = draw_galaxies(options.n, seed=11)
    stages = {"network": None, "lm, no prior": LevenbergMarquardt(prior=False)}
    measured = {name: _measure(net, galaxies, refine) for name, refine in stages.items()}
    table = crb_table(measured, galaxies)
    _write(table, options.output / "crb.csv")
    plot_crb(table).figure.savefig(options.output / "crb.png", dpi=110, bbox_inches="tight")
    few = {name: values[: options.n_importance] for name, values in galaxies.items()}
    stages = {"network": None, "lm": LevenbergMarquardt(), "importance": ImportanceSampling()}
    measured = {name: _measure(net, few, refine) for name, refine in stages.items()}
    _write(coverage_table(measured, few), options.output / "coverage.csv")
    _write(ess_table(measured["importance"], few), options.output / "ess.csv")


def draw_galaxies(n, *, seed):
    """Draw galaxies of the prior with S/N above 5 that are resolved and smaller than the stamp.

    Parameters
    ----------
    n : int
        Number of galaxies N.
    seed : int
        Seed of the galaxies, PSFs and noise.

    Returns
    -------
    dict
        ``data`` (N, 128, 128) in units of the noise, ``psf`` (list of N stamps), ``labels`` (N, 7),
        ``snr`` (N,).
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    data = []
    psfs = []
    labels = []
    while len(data) < n:
        fwhm = rng.uniform(3, 6)
        beta = rng.uniform(3, 5)
        profile = galsim.Moffat(beta, fwhm=fwhm)
        psf = draw_star(profile, 1, (PSF_SIZE, PSF_SIZE))
        drawn = draw_labels(20 * PER_PSF, generator=generator).double()
        size = 10 ** drawn[:, LOG_R_EFF]
        good = (size > SMALLEST * fwhm) & (size < LARGEST) & (log_snr(drawn) > np.log10(5))
        for row in drawn[good][:PER_PSF].numpy():
            try:
                image = draw_galaxy(profile, _to_galaxy(row), (SIZE, SIZE), row[CENTER])
            except CANNOT_DRAW:
                continue
            data.append((image + rng.standard_normal(image.shape)).astype(np.float32))
            psfs.append(psf)
            labels.append(row)
    labels = np.array(labels[:n])
    snr = 10 ** log_snr(torch.from_numpy(labels)).numpy()
    return {"data": np.array(data[:n]), "psf": psfs[:n], "labels": labels, "snr": snr}


def _to_galaxy(label):
    """Convert labels to the numbers that `benchmarks.sets.psfs.draw_galaxy` takes."""
    columns = split_labels(label)
    return {
        "flux": 10**columns.log_flux,
        "r_eff": 10**columns.log_r_eff,
        "n": columns.n,
        "q": axis_ratio(length(columns.e1, columns.e2)),
        "theta": np.degrees(angle(columns.e1, columns.e2)),
    }


def cramer_rao(galaxies):
    """Return the smallest errors of an unbiased fit with an unknown sky.

    Parameters
    ----------
    galaxies : dict
        Galaxies of `draw_galaxies`.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
        Errors in the units of `~sersicnet.parameters.PARAMETERS`, of ``r_eff`` in dex.
    """
    variances = []
    for data, psf, label in zip(galaxies["data"], galaxies["psf"], galaxies["labels"], strict=True):
        label = torch.from_numpy(label[None])
        transform = psf_transform(torch.from_numpy(psf).double(), SIZE)
        image = torch.from_numpy(data[None]).double()
        likelihood = StampLikelihood(image, torch.ones_like(image), transform)
        curvature = likelihood.normal_equations(label).curvature
        covariance = torch.linalg.inv(curvature)[0].numpy()
        slopes = _slopes(label[0].numpy())
        variances.append(np.einsum("pi,ij,pj->p", slopes, covariance, slopes))
    return dict(zip(SEVEN, np.sqrt(variances).T, strict=True))


def _slopes(label):
    """Return the derivatives of the seven parameters by the labels, (7, 7).

    ``r_eff`` is in dex, ``theta`` in degrees.
    """
    slopes = np.zeros((len(SEVEN), N_LABELS))
    slopes[SEVEN.index("mag"), LOG_FLUX] = -2.5
    slopes[SEVEN.index("r_eff"), LOG_R_EFF] = 1
    slopes[SEVEN.index("n"), SERSIC_N] = 1
    slopes[SEVEN.index("x_0"), DX] = 1
    slopes[SEVEN.index("y_0"), DY] = 1
    e = label[ELLIPTICITY]
    size = length(*e)
    along = e / size
    across = np.array([-along[1], along[0]])
    # q = (1 - |e|) / (1 + |e|)
    slopes[SEVEN.index("q"), ELLIPTICITY] = -2 / (1 + size) ** 2 * along
    slopes[SEVEN.index("theta"), ELLIPTICITY] = np.degrees(0.5 / size) * across
    return slopes


def _measure(net, galaxies, refine):
    """Return the table of one stage."""
    noise = StdDevUncertainty(np.ones_like(galaxies["data"]))
    stack = NDData(galaxies["data"], uncertainty=noise)
    units = {"pixel_scale": PIXEL_SCALE, "zeropoint": ZEROPOINT}
    options = {"refine": refine, "sky": "free"}
    return net.predict(stack, psf=galaxies["psf"], **options, **units).to_table()


def _interval(table, name):
    """Return the values of a parameter and the ends of its intervals, of ``r_eff`` in dex."""
    ends = [plain(table[name]), plain(table[f"{name}_lo"]), plain(table[f"{name}_hi"])]
    if name == "r_eff":
        ends = [np.log10(end) for end in ends]
    return ends


def _errors(table, galaxies):
    """Return measured minus true, and half the width of the interval (``r_eff`` in dex).

    Returns
    -------
    dict of tuple of 2 (N,) `~numpy.ndarray`
        By parameter.
    """
    middle = (SIZE - 1) / 2
    frame = StampFrame(*np.broadcast_to([1.0, ZEROPOINT, PIXEL_SCALE, 1, middle, middle], (1, 6)).T)
    truth = frame.from_labels(label_dict(galaxies["labels"]), SEVEN)
    truth["r_eff"] = np.log10(truth["r_eff"])
    errors = {}
    for name in SEVEN:
        value, low, high = _interval(table, name)
        error = value - truth[name]
        if name == "theta":
            error = wrap_theta(error)
        errors[name] = error, (high - low) / 2
    return errors


def crb_table(measured, galaxies):
    """Return the scatter of the errors in units of the Cramer-Rao bound, by stage and S/N.

    Parameters
    ----------
    measured : dict of str to `~astropy.table.QTable`
        Tables of the stages.
    galaxies : dict
        Galaxies of `draw_galaxies`.

    Returns
    -------
    `~astropy.table.QTable`
        One row per stage, sample and parameter.
    """
    bounds = cramer_rao(galaxies)
    samples = _samples(galaxies["snr"], lowest=BRIGHT)
    rows = []
    for (stage, table), (sample, chosen) in product(measured.items(), samples.items()):
        errors = _errors(table, galaxies)
        for name in SEVEN:
            error, half_width = errors[name]
            scaled = (error / bounds[name])[chosen]
            pull = (error / half_width)[chosen]
            known = np.isfinite(pull)
            rows.append(
                {
                    "stage": stage,
                    "S/N": sample,
                    "parameter": name,
                    "n": int(chosen.sum()),
                    "NMAD / CRB": mad_std(scaled, ignore_nan=True),
                    "bias / CRB": np.nanmedian(scaled),
                    "NMAD of pulls": mad_std(pull, ignore_nan=True),
                    "coverage": np.mean(np.abs(pull[known]) < 1),
                    "not refined": int(_flagged(table, Flags.NOT_REFINED)[chosen].sum()),
                    "at bound": int(_flagged(table, Flags.AT_BOUND)[chosen].sum()),
                }
            )
    return QTable(rows=rows)


def plot_crb(table):
    """Draw the scatter over the bound against S/N, one line per parameter and stage.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Table of `crb_table`.

    Returns
    -------
    `~matplotlib.axes.Axes`
    """
    _, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    samples = [sample for sample in dict.fromkeys(table["S/N"]) if sample != "all"]
    for stage, style in (("network", "--"), ("lm, no prior", "-")):
        for number, name in enumerate(SEVEN):
            chosen = (table["stage"] == stage) & (table["parameter"] == name)
            values = [float(table["NMAD / CRB"][chosen & (table["S/N"] == s)][0]) for s in samples]
            label = None if stage == "network" else name
            axes.plot(samples, values, f"o{style}", color=f"C{number}", label=label)
    axes.axhspan(0.95, 1.05, color="0.85", zorder=0)
    axes.set(xlabel="S/N", ylabel="scatter / Cramér-Rao bound", yscale="log")
    axes.set_yticks([0.7, 1, 1.5, 2, 3, 5], ["0.7", "1", "1.5", "2", "3", "5"])
    axes.minorticks_off()
    axes.legend(title="solid: lm, dashed: network", ncols=4, fontsize="small")
    return axes


def coverage_table(measured, galaxies):
    """Return how good the quoted errors of each stage are, for bright and faint galaxies.

    Parameters
    ----------
    measured, galaxies
        As in `crb_table`.

    Returns
    -------
    `~astropy.table.QTable`
        One row per stage, sample and parameter.
    """
    bright = galaxies["snr"] > BRIGHT
    samples = {f"S/N > {BRIGHT}": bright, f"S/N 5 to {BRIGHT}": ~bright}
    rows = []
    for stage, table in measured.items():
        errors = _errors(table, galaxies)
        for sample, chosen in samples.items():
            for name in SEVEN:
                error, half_width = errors[name]
                pull = (error / half_width)[chosen]
                rows.append(
                    {
                        "stage": stage,
                        "sample": sample,
                        "parameter": name,
                        "n": int(chosen.sum()),
                        "rms": np.sqrt(np.nanmean(error[chosen] ** 2)),
                        "NMAD of pulls": mad_std(pull, ignore_nan=True),
                        "bias of pulls": np.nanmedian(pull),
                        "coverage": _coverage(table, error, name, chosen),
                    }
                )
    return QTable(rows=rows)


def _coverage(table, error, name, chosen):
    """Return the share of intervals, which need not be symmetric, that contain the truth."""
    value, low, high = _interval(table, name)
    # The true theta is within 90 degrees of the median.
    truth = value - error
    known = chosen & np.isfinite(high - low)
    return np.mean(((truth >= low) & (truth <= high))[known])


def ess_table(table, galaxies):
    """Return the effective share of the samples of importance sampling, by S/N.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Table of importance sampling.
    galaxies : dict
        Galaxies of `draw_galaxies`.

    Returns
    -------
    `~astropy.table.QTable`
        One row per sample.
    """
    share = table["ess"] / table["n_samples"]
    rows = []
    for sample, chosen in _samples(galaxies["snr"], lowest=5).items():
        low, middle, high = np.nanpercentile(share[chosen], [5, 50, 95])
        rows.append(
            {
                "S/N": sample,
                "n": int(chosen.sum()),
                "median ess / samples": middle,
                "5 %": low,
                "95 %": high,
                "median samples": float(np.median(table["n_samples"][chosen])),
                "ess < 100": int(_flagged(table, Flags.LOW_ESS)[chosen].sum()),
            }
        )
    return QTable(rows=rows)


def _samples(snr, *, lowest):
    edges = [edge for edge in SNR_EDGES if edge >= lowest]
    samples = {"all": snr >= lowest}
    for low, high in pairwise(edges):
        samples[f"{low} to {high}"] = (snr >= low) & (snr < high)
    return samples


def _flagged(table, flag):
    return (np.asarray(table["flags"]) & int(flag)) != 0


def _write(table, path):
    write_rounded(table, path, decimals=3)
    print_table(table)


if __name__ == "__main__":
    main()
