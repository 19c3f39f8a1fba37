"""Whether models of several parts are found, and their errors and probabilities hold.

::

    python -m benchmarks.bulge_disk docs/_static/bulge_disk --raw measured
    python -m benchmarks.bulge_disk docs/_static/bulge_disk --raw measured --refine lm -n 400

Galaxies of the four models of ``model="auto"`` are drawn from equal odds and from the priors that
these have, by the package's own renderer, behind Moffat PSFs, with a sky of the width of its prior.
More of those drawn are points: galaxies beyond the limits of size are drawn again.
Those count that are *measured* to have a S/N from 20 to 1000 and half-light radii below 6 pixels.
The limits of size are those of the disk: galaxies in which a bulge or nucleus dominates, of a disk
above 9 pixels, are missing, though they would count. So radii of true disks are too small.

``--raw`` keeps what was measured, ten galaxies at a time: a run that was stopped (``--minutes``)
goes on, and the tables are of what there is. ``bulge_disk_REFINE.csv`` has the shares of 68 %
intervals, of the model that is true, that contain the truth. ``calibration_REFINE.csv`` has mean
probability and share of true models in five bins. ``found_REFINE.csv`` has the shares of galaxies
of two parts that are found at the same rate of false ones, by the evidence and by the BIC with the
number of pixels. ``totals_REFINE.csv`` has the bias of total magnitude and half-light radius of
galaxies of two parts, by ``model="auto"``, by the true model and by one Sersic profile.
"""

import time
from itertools import pairwise
from pathlib import Path

import galsim
import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.sets.composites import PROFILES, draw_scenes, signal_to_noise
from benchmarks.sets.psfs import draw_star
from sersicnet import Flags, SersicNet
from sersicnet.inference.composites import LAYOUTS
from sersicnet.inference.totals import joined_labels
from sersicnet.io import atomic_path
from sersicnet.io.weights import weights_path
from sersicnet.model import psf_transform
from sersicnet.model.choice import AUTO, column_name
from sersicnet.model.labels import shifted
from sersicnet.model.parts import scene_images

ZEROPOINT = 25.0
PIXEL_SCALE = 0.1
SIDE = 64
TOGETHER = 10
SKY = 0.03
# What counts, as measured, and how far true values go beyond.
SNR = (20.0, 1000.0)
LARGEST = 6.0
BEYOND = 1.5
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
TOTALS = ("mag", "r_eff")
SHOWN = ("mag", "bulge_to_total", "mag_bulge", "mag_disk", "r_eff_bulge", "r_eff_disk")
SHOWN += ("point_to_total", "mag_point", "r_eff", "n", "q")
_LEVELS = (0.16, 0.84)
# What totals are measured by, and the probability from which on a galaxy has two parts for certain.
_WAYS = {"auto": 'model="auto"', "model": "true model", "single": "one Sersic profile"}
_CERTAIN = 0.95


def main(arguments=None):
    """Measure the set, and write the tables."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies", default=200)
    add_weights(parser)
    parser.add_argument("--refine", choices=("lm", "importance"), default="importance")
    parser.add_argument("--seed", type=int, default=201)
    parser.add_argument("--raw", type=Path, help="folder that keeps what was measured")
    parser.add_argument("--minutes", type=float, default=np.inf, help="CPU minutes to stop after")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    net = SersicNet.load(weights_path(options.weights))
    parts = []
    for number in range(-(-options.n // TOGETHER)):
        part = _measured(net, options, number)
        if part is None:
            break
        parts.append(part)
    measured = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    tables = {
        "bulge_disk": coverage_table(measured),
        "calibration": calibration_table(measured),
        "found": found_table(measured),
        "totals": totals_table(measured),
    }
    for name, table in tables.items():
        print_table(table)
        write_rounded(table, options.output / f"{name}_{options.refine}.csv", decimals=3)


def _measured(net, options, number):
    """Return what was measured of ten galaxies, from a file if it is there."""
    path = None
    if options.raw is not None:
        options.raw.mkdir(parents=True, exist_ok=True)
        path = options.raw / f"{options.refine}_{options.seed}_{number}.npz"
        if path.exists():
            with np.load(path) as file:
                return dict(file)
    if time.process_time() > 60 * options.minutes and number:
        return None
    scenes = simulate(TOGETHER, seed=[options.seed, number])
    found = measure(net, scenes, options.refine)
    if path is not None:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **found)
    return found


def simulate(n, *, seed, side=SIDE):
    """Draw galaxies of all models.

    Parameters
    ----------
    n : int
        Number of galaxies.
    seed : list of int
        Seed of galaxies, PSF, sky and noise.
    side : int, optional
        Pixels on a side of their cutouts.

    Returns
    -------
    dict
        ``data`` (n, S, S), ``psf``, ``model`` (n,) and ``labels``, a list of arrays.
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    profile = galsim.Moffat(rng.uniform(3, 5), fwhm=rng.uniform(3.0, 4.5))
    psf = draw_star(profile, 1, (41, 41))
    psf = psf / psf.sum()
    transform = psf_transform(torch.from_numpy(psf), side)
    models = []
    labels = []
    images = np.empty((n, side, side))
    for row in range(n):
        model, drawn = draw_within(rng, generator)
        models.append(model)
        labels.append(drawn[0].numpy())
        images[row] = scene_images(drawn, transform, profiles=PROFILES[model], stamp_size=side)[0]
    images += SKY * rng.standard_normal(n)[:, None, None] + rng.standard_normal(images.shape)
    return {"data": images, "psf": psf, "model": np.array(models), "labels": labels}


def draw_within(rng, generator):
    """Draw a galaxy that may be measured to be within the limits.

    The model is drawn again with its labels: so the odds stay equal for what is within them.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of the model.
    generator : `~torch.Generator`
        Source of its labels.

    Returns
    -------
    model : str
    labels : (1, K) `~torch.Tensor`
    """
    while True:
        model = AUTO[rng.integers(len(AUTO))]
        labels = draw_scenes(model, 1, generator)
        snr, size = signal_to_noise(labels, model)
        inside = (snr > SNR[0] / BEYOND) & (snr < SNR[1] * BEYOND) & (size < LARGEST * BEYOND)
        if inside:
            return model, labels


def measure(net, scenes, refine):
    """Measure galaxies, and compare them with the truth.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The network.
    scenes : dict
        Galaxies of `simulate`.
    refine : str
        The refinement.

    Returns
    -------
    dict of `~numpy.ndarray`
        One row per galaxy: the true ``model``, probabilities and evidences, ``flags``, ``rank_X``
        (share of draws of the true model below the truth), ``bic_MODEL``, ``counts``, ``seconds``,
        and ``X_true``, ``X_auto`` and ``X_single`` of total magnitude and half-light radius.
    """
    stack = NDData(scenes["data"], uncertainty=StdDevUncertainty(np.ones_like(scenes["data"])))
    units = {"pixel_scale": PIXEL_SCALE, "zeropoint": ZEROPOINT, "psf": scenes["psf"]}
    units["noise_correlation"] = None
    begin = time.process_time()
    results = net.predict(stack, model="auto", refine=refine, **units)
    n = len(results)
    found = {"model": scenes["model"], "flags": results.flags}
    found["seconds"] = np.full(n, (time.process_time() - begin) / n)
    for name in AUTO:
        for kind in ("prob", "log_evidence"):
            column = column_name(kind, name)
            found[column] = results.columns[column]
        fits = net.predict(stack, model=name, refine="lm", **units)
        found[column_name("bic", name)] = _bic(fits, stack, name)
        if name == "sersic":
            found |= {f"{total}_single": fits.median(total) for total in TOTALS}
    found["ess"] = results.columns.get("ess", np.full(n, np.nan))
    found |= {f"{total}_auto": results.median(total) for total in TOTALS}
    found |= _ranks(results, scenes)
    flux = 10 ** (-0.4 * (results.median("mag") - ZEROPOINT))
    size = np.nan_to_num(results.median("r_eff")) / PIXEL_SCALE
    q = np.nan_to_num(results.median("q"), nan=1.0)
    snr = 0.5 * flux / np.sqrt(np.pi * (q * size**2 + 4))
    found["counts"] = (snr > SNR[0]) & (snr < SNR[1]) & (size < LARGEST)
    return found


def _bic(results, stack, model):
    """Return the BIC of fits of a model, with the number of pixels."""
    n_parameters = LAYOUTS[model].n_parameters if model in LAYOUTS else 7
    bic = np.full(len(results), np.nan)
    for row in np.flatnonzero(np.isfinite(results.median("mag"))):
        residual = results.residual(row, stack.data[row])
        bic[row] = np.sum(residual**2) + (n_parameters + 1) * np.log(residual.size)
    return bic


def _ranks(results, scenes):
    """Return shares of draws of the true model below the truth; true totals, and their medians."""
    ranks = {f"rank_{name}": np.full(len(results), np.nan) for name in SHOWN}
    for total in TOTALS:
        ranks |= {f"{total}_{way}": np.full(len(results), np.nan) for way in ("model", "true")}
    for model in AUTO:
        rows = np.flatnonzero(scenes["model"] == model)
        if not len(rows):
            continue
        draws = results[rows].samples(500, model=model)
        for place, row in enumerate(rows):
            for name, value in _truth(model, scenes["labels"][row]).items():
                own = draws[name][place]
                if np.isfinite(own).all():
                    ranks[f"rank_{name}"][row] = (own < value).mean()
            for name, value in true_totals(model, scenes["labels"][row]).items():
                ranks[f"{name}_true"][row] = value
                ranks[f"{name}_model"][row] = np.median(draws[name][place])
    return ranks


def true_totals(model, labels):
    """Return true magnitude and half-light radius of all light."""
    profiles = PROFILES[model]
    parts = tuple(zip(("first", "second"), profiles, strict=False))
    labels = shifted(labels, profiles, log_flux=0.0, center=0.0)
    whole = joined_labels(labels[None, None], parts)
    mag = ZEROPOINT - 2.5 * whole["log_flux"][0, 0]
    return {"mag": mag, "r_eff": PIXEL_SCALE * 10 ** whole["log_r_eff"][0, 0]}


def _truth(model, labels):
    """Return the true values that are shown."""
    profiles = PROFILES[model]
    labels = shifted(labels, profiles, log_flux=0.0, center=0.0)
    if model == "point":
        return {"mag": ZEROPOINT - 2.5 * labels[0]}
    if model == "sersic":
        size = np.hypot(labels[3], labels[4])
        found = {"mag": ZEROPOINT - 2.5 * labels[0], "n": labels[2], "q": (1 - size) / (1 + size)}
        return found | {"r_eff": PIXEL_SCALE * 10 ** labels[1]}
    disk = labels[-7:]
    first = "bulge" if model == "sersic+exp" else "point"
    flux = 10 ** labels[0], 10 ** disk[0]
    found = {
        "mag": ZEROPOINT - 2.5 * np.log10(sum(flux)),
        f"{first}_to_total": flux[0] / sum(flux),
        f"mag_{first}": ZEROPOINT - 2.5 * labels[0],
        "mag_disk": ZEROPOINT - 2.5 * disk[0],
        "r_eff_disk": PIXEL_SCALE * 10 ** disk[1],
    }
    if first == "bulge":
        found["r_eff_bulge"] = PIXEL_SCALE * 10 ** labels[1]
    return found


def coverage_table(measured):
    """Return shares of 68 % intervals that contain the truth, by true model and parameter."""
    rows = []
    for model in AUTO:
        own = measured["counts"] & (measured["model"] == model)
        for name in SHOWN:
            ranks = measured[f"rank_{name}"][own]
            ranks = ranks[np.isfinite(ranks)]
            if not len(ranks):
                continue
            inside = (ranks > _LEVELS[0]) & (ranks < _LEVELS[1])
            share = inside.mean()
            row = {"true model": model, "parameter": name, "galaxies": len(ranks)}
            row |= {"coverage": share, "error": np.sqrt(0.68 * 0.32 / len(ranks))}
            rows.append(row | {"mean rank": ranks.mean()})
    return QTable(rows=rows)


def calibration_table(measured):
    """Return mean probability and share of true models in bins of the probability."""
    good = measured["counts"] & np.isfinite(measured["prob_sersic"])
    probability = np.concatenate([measured[column_name("prob", name)][good] for name in AUTO])
    true = np.concatenate([measured["model"][good] == name for name in AUTO])
    rows = []
    for low, high in pairwise(BINS):
        inside = (probability >= low) & (probability < high + (high == BINS[-1]))
        row = {"from": low, "to": high, "models": int(inside.sum())}
        mean = probability[inside].mean() if inside.any() else np.nan
        share = true[inside].mean() if inside.any() else np.nan
        error = np.sqrt(mean * (1 - mean) / max(inside.sum(), 1))
        rows.append(row | {"mean probability": mean, "true": share, "error": error})
    return QTable(rows=rows)


def found_table(measured):
    """Return shares of galaxies of two parts that are found, at the BIC's rate of false ones."""
    good = measured["counts"] & np.isfinite(measured["prob_sersic"])
    for name in AUTO:
        good &= np.isfinite(measured[column_name("bic", name)])
    own = {name: values[good] for name, values in measured.items()}
    two = np.isin(own["model"], ("sersic+exp", "point+exp"))
    log_two = np.logaddexp(_evidence(own, "sersic+exp"), _evidence(own, "point+exp"))
    log_one = np.logaddexp(_evidence(own, "sersic"), _evidence(own, "point"))
    bic_two = np.minimum(own["bic_sersic_exp"], own["bic_point_exp"])
    bic_one = np.minimum(own["bic_sersic"], own["bic_point"])
    by_bic = bic_two < bic_one
    evidence = log_two - log_one
    false = by_bic[~two].mean() if (~two).any() else np.nan
    threshold = np.nan
    if (~two).any():
        threshold = np.quantile(evidence[~two], 1 - false, method="higher")
    rows = []
    for name, found in (
        ("BIC", by_bic),
        ("evidence, at its rate", evidence > threshold),
        ("evidence, even odds", evidence > 0),
    ):
        row = {"by": name, "one part": int((~two).sum()), "two parts": int(two.sum())}
        row["false"] = found[~two].mean() if (~two).any() else np.nan
        rows.append(row | {"found": found[two].mean() if two.any() else np.nan})
    lost = measured["flags"][measured["counts"]] & int(Flags.LOW_ESS) != 0
    table = QTable(rows=rows)
    table["no probability"] = lost.mean() if len(lost) else np.nan
    return table


def totals_table(measured):
    """Return median errors of total magnitude and radius of galaxies of two parts.

    Errors of radii are shares of the true ones. They are not counted where a point source has half
    of the light.
    """
    two = np.isin(measured["model"], ("sersic+exp", "point+exp")) & measured["counts"]
    two &= np.isfinite(measured["prob_sersic"])
    both = measured["prob_sersic_exp"] + measured["prob_point_exp"]
    groups = {"all": two, "two parts certain": two & (both > _CERTAIN)}
    rows = []
    for group, own in groups.items():
        for way, name in _WAYS.items():
            row = {"galaxies of two parts": group, "number": int(own.sum()), "by": name}
            mag = (measured[f"mag_{way}"] - measured["mag_true"])[own]
            with np.errstate(invalid="ignore", divide="ignore"):
                radius = (measured[f"r_eff_{way}"] / measured["r_eff_true"])[own] - 1
            row |= _bias("mag", mag)
            rows.append(row | _bias("r_eff", radius[measured["r_eff_true"][own] > 0]))
    return QTable(rows=rows)


def _bias(name, errors):
    """Return the median of errors, its counting error, and half of the range of 68 % of them."""
    errors = errors[np.isfinite(errors)]
    if not len(errors):
        return {f"{name} bias": np.nan, f"{name} bias error": np.nan, f"{name} scatter": np.nan}
    low, middle, high = np.quantile(errors, (_LEVELS[0], 0.5, _LEVELS[1]))
    scatter = (high - low) / 2
    error = 1.25 * scatter / np.sqrt(len(errors))
    return {f"{name} bias": middle, f"{name} bias error": error, f"{name} scatter": scatter}


def _evidence(measured, model):
    """Return logarithms of evidences; those that are known roughly are far from the others."""
    found = measured[column_name("log_evidence", model)]
    far = np.where(measured[column_name("prob", model)] > 0.5, 1e6, -1e6)
    return np.where(np.isfinite(found), found, far)


if __name__ == "__main__":
    main()
