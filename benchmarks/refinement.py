"""How close the refinements come to the physical limit, and whether their errors hold.

::

    python -m benchmarks.refinement docs/_static/refinement

Isolated GalSim galaxies of the universal prior behind known Moffat PSFs, in white noise that the
noise map gives exactly: nothing is wrong with the likelihood, so the Cramer-Rao bound is the
scatter that the best unbiased fit has. ``crb.csv`` and ``crb.png`` compare maximum likelihood and
the network with it; ``coverage.csv`` has what the quoted errors of all three stages are worth.
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

from benchmarks.common.command import add_weights, parser_of
from benchmarks.common.tables import write_rounded
from benchmarks.sets.psfs import CANNOT_DRAW, draw_galaxy, draw_star
from sersicnet import SersicNet
from sersicnet.flags import Flags
from sersicnet.inference.refine import ImportanceSampling, LevenbergMarquardt
from sersicnet.io.weights import weights_path
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
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.prior import draw_labels, log_snr
from sersicnet.model.profile import psf_transform
from sersicnet.networks.flow_density import label_dict
from sersicnet.parameters import PARAMETERS, wrap_theta
from sersicnet.preprocessing.frame import StampFrame

SEVEN = tuple(PARAMETERS)
SIZE, PSF_SIZE, ZEROPOINT, PIXEL_SCALE = 128, 129, 25.0, 0.1
PER_PSF = 25
# Of the half-light radius in FWHM and in pixels: a smaller galaxy has no likelihood that is
# anything like normal, of a larger one the stamp misses much.
SMALLEST, LARGEST = 0.5, 16.0
SNR_EDGES = (5, 30, 100, 1000, 20000)
BRIGHT = 30


def main(arguments=None):
    """Simulate, measure, and write the tables."""
    parser = parser_of(__doc__)
    parser.add_argument("-n", type=int, default=2000, help="galaxies")
    parser.add_argument("--n-importance", type=int, default=400, help="of them, all three stages")
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
    """Galaxies of the prior with S/N above 5 that are resolved and smaller than the stamp.

    Parameters
    ----------
    n : int
        Number of galaxies N.
    seed : int
        Of all that is random.

    Returns
    -------
    dict
        ``data`` (N, 128, 128) in units of the noise, ``psf`` (list of N stamps), ``labels`` (N, 7),
        ``snr`` (N,).
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    data, psfs, labels = [], [], []
    while len(data) < n:
        fwhm, beta = rng.uniform(3, 6), rng.uniform(3, 5)
        profile = galsim.Moffat(beta, fwhm=fwhm)
        psf = draw_star(profile, 1, (PSF_SIZE, PSF_SIZE))
        drawn = draw_labels(20 * PER_PSF, generator=generator).double()
        size = 10 ** drawn[:, 1]
        good = (size > SMALLEST * fwhm) & (size < LARGEST) & (log_snr(drawn) > np.log10(5))
        for row in drawn[good][:PER_PSF].numpy():
            try:
                image = draw_galaxy(profile, _numbers(row), (SIZE, SIZE), row[CENTER])
            except CANNOT_DRAW:
                continue
            data.append((image + rng.standard_normal(image.shape)).astype(np.float32))
            psfs.append(psf)
            labels.append(row)
    labels = np.array(labels[:n])
    snr = 10 ** log_snr(torch.from_numpy(labels)).numpy()
    return {"data": np.array(data[:n]), "psf": psfs[:n], "labels": labels, "snr": snr}


def _numbers(label):
    log_flux, log_r_eff, n, e1, e2, _, _ = split_labels(np.asarray(label, dtype=float))
    shape = {"q": axis_ratio(length(e1, e2)), "theta": np.degrees(angle(e1, e2))}
    numbers = {"flux": 10**log_flux, "r_eff": 10**log_r_eff, "n": n}
    return numbers | shape


def cramer_rao(galaxies):
    """Smallest errors of an unbiased fit, the sky unknown: dict of (N,) by parameter.

    In the units of `~sersicnet.parameters.PARAMETERS`, of ``r_eff`` in dex.
    """
    variances = []
    for data, psf, label in zip(galaxies["data"], galaxies["psf"], galaxies["labels"], strict=True):
        label = torch.from_numpy(label[None])
        transform = psf_transform(torch.from_numpy(psf).double(), SIZE)
        image = torch.from_numpy(data[None]).double()
        likelihood = StampLikelihood(image, torch.ones_like(image), transform)
        _, _, curvature = likelihood.normal_equations(label)
        covariance = torch.linalg.inv(curvature)[0].numpy()
        slopes = _slopes(label[0].numpy())
        variances.append(np.einsum("pi,ij,pj->p", slopes, covariance, slopes))
    return dict(zip(SEVEN, np.sqrt(variances).T, strict=True))


def _slopes(label):
    """Derivatives of the seven parameters (``r_eff`` in dex, ``theta`` in degrees) by labels."""
    slopes = {name: np.zeros(N_LABELS) for name in SEVEN}
    slopes["mag"][LOG_FLUX] = -2.5
    slopes["r_eff"][LOG_R_EFF] = 1
    slopes["n"][SERSIC_N] = 1
    slopes["x_0"][DX] = 1
    slopes["y_0"][DY] = 1
    e1, e2 = label[ELLIPTICITY]
    size = length(e1, e2)
    slopes["q"][ELLIPTICITY] = -2 / (1 + size) ** 2 * np.array([e1, e2]) / size
    slopes["theta"][ELLIPTICITY] = np.degrees(0.5 / size) * np.array([-e2, e1]) / size
    return np.array(list(slopes.values()))


def _measure(net, galaxies, refine):
    """Table of one stage."""
    noise = StdDevUncertainty(np.ones_like(galaxies["data"]))
    stack = NDData(galaxies["data"], uncertainty=noise)
    units = {"pixel_scale": PIXEL_SCALE, "zeropoint": ZEROPOINT}
    return net.predict(stack, psf=galaxies["psf"], refine=refine, **units).to_table()


def _errors(table, galaxies):
    """Measured less true, and half the width of the interval, by parameter (``r_eff`` in dex)."""
    labels = galaxies["labels"]
    frame = StampFrame(*np.broadcast_to([1.0, ZEROPOINT, PIXEL_SCALE, 1, 63.5, 63.5], (1, 6)).T)
    truth = frame.from_labels(label_dict(labels), SEVEN)
    found = {}
    for name in SEVEN:
        column, low, high = (
            np.asarray(getattr(table[name + end], "value", table[name + end]), float)
            for end in ("", "_lo", "_hi")
        )
        if name == "r_eff":
            column, low, high, truth[name] = (
                np.log10(part) for part in (column, low, high, truth[name])
            )
        error = column - truth[name]
        error = wrap_theta(error) if name == "theta" else error
        found[name] = error, (high - low) / 2
    return found


def crb_table(measured, galaxies):
    """Scatter of the errors in units of the Cramer-Rao bound, by stage and S/N."""
    bounds = cramer_rao(galaxies)
    samples = _samples(galaxies["snr"], lowest=BRIGHT)
    rows = []
    for (stage, table), (sample, chosen) in product(measured.items(), samples.items()):
        errors = _errors(table, galaxies)
        for name in SEVEN:
            error = (errors[name][0] / bounds[name])[chosen]
            pull = (errors[name][0] / errors[name][1])[chosen]
            known = np.isfinite(pull)
            rows.append(
                {
                    "stage": stage,
                    "S/N": sample,
                    "parameter": name,
                    "n": int(chosen.sum()),
                    "NMAD / CRB": mad_std(error, ignore_nan=True),
                    "bias / CRB": np.nanmedian(error),
                    "NMAD of pulls": mad_std(pull, ignore_nan=True),
                    "coverage": np.mean(np.abs(pull[known]) < 1),
                    "not refined": int(_flagged(table, Flags.NOT_REFINED)[chosen].sum()),
                    "at bound": int(_flagged(table, Flags.AT_BOUND)[chosen].sum()),
                }
            )
    return QTable(rows=rows)


def plot_crb(table):
    """Scatter over the bound against S/N: a line for each parameter, dashed for the network."""
    _, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    samples = [sample for sample in dict.fromkeys(table["S/N"]) if sample != "all"]
    for stage, style in (("network", "--"), ("lm, no prior", "-")):
        for number, name in enumerate(SEVEN):
            chosen = (table["stage"] == stage) & (table["parameter"] == name)
            values = [float(table["NMAD / CRB"][chosen & (table["S/N"] == s)][0]) for s in samples]
            label = name if stage != "network" else None
            axes.plot(samples, values, f"o{style}", color=f"C{number}", label=label)
    axes.axhspan(0.95, 1.05, color="0.85", zorder=0)
    axes.set(xlabel="S/N", ylabel="scatter / Cramer-Rao bound", yscale="log")
    axes.set_yticks([0.7, 1, 1.5, 2, 3, 5], ["0.7", "1", "1.5", "2", "3", "5"])
    axes.minorticks_off()
    axes.legend(title="solid: lm, dashed: network", ncols=4, fontsize="small")
    return axes


def coverage_table(measured, galaxies):
    """What the errors of each stage are worth, bright and faint."""
    bright = galaxies["snr"] > BRIGHT
    rows = []
    for stage, table in measured.items():
        errors = _errors(table, galaxies)
        for sample, chosen in ((f"S/N > {BRIGHT}", bright), (f"S/N 5 to {BRIGHT}", ~bright)):
            for name in SEVEN:
                pull = (errors[name][0] / errors[name][1])[chosen]
                rows.append(
                    {
                        "stage": stage,
                        "sample": sample,
                        "parameter": name,
                        "n": int(chosen.sum()),
                        "rms": np.sqrt(np.nanmean(errors[name][0][chosen] ** 2)),
                        "NMAD of pulls": mad_std(pull, ignore_nan=True),
                        "bias of pulls": np.nanmedian(pull),
                        "coverage": _coverage(table, errors, name, chosen),
                    }
                )
    return QTable(rows=rows)


def _coverage(table, errors, name, chosen):
    """Share of intervals, which need not be symmetric, that hold the truth."""
    column, low, high = (
        np.asarray(getattr(table[name + end], "value", table[name + end]), float)
        for end in ("", "_lo", "_hi")
    )
    if name == "r_eff":
        column, low, high = (np.log10(part) for part in (column, low, high))
    truth = column - errors[name][0]  # of theta within 90 degrees of the median
    known = chosen & np.isfinite(high - low)
    return np.mean(((truth >= low) & (truth <= high))[known])


def ess_table(table, galaxies):
    """Effective share of the draws of importance sampling, by S/N."""
    share, rows = table["ess"] / table["n_samples"], []
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
    print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")


if __name__ == "__main__":
    main()
