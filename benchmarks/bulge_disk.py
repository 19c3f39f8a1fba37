"""Whether models of several parts are found, and their errors and probabilities hold.

::

    python -m benchmarks.bulge_disk docs/_static/bulge_disk --raw measured
    python -m benchmarks.bulge_disk docs/_static/bulge_disk --raw measured --refine lm -n 400

Galaxies of the four models of ``model="auto"`` are drawn from equal odds and from the priors that
these have, by the package's own renderer, behind Moffat PSFs, with a sky of the width of its prior.
More of those drawn are points: galaxies beyond the limits of size are drawn again.
Those count that are *measured* to have a S/N from 20 to 1000 and half-light radii below 6 pixels.

``--survey`` has galaxies like those of a survey instead, drawn by GalSim, with its PSF and without
a sky: a share of bulge or nucleus from 0 to 1, radii of disks from 0.7 to 8 pixels, and bulges
smaller than these by factors around 3.

``--raw`` keeps what was measured, ten galaxies at a time: a run that was stopped (``--minutes``)
goes on, and the tables are of what there is. ``bulge_disk_REFINE.csv`` has the shares of 68 %
intervals, of the model that is true, that contain the truth. ``calibration_REFINE.csv`` has mean
probability and share of true models in five bins. ``found_REFINE.csv`` has the shares of galaxies
of two parts that are found at the same rate of false ones, by the evidence and by the BIC with the
number of pixels, and ``ranking_REFINE.csv`` those at some rates. ``totals_REFINE.csv`` has the bias
of total magnitude and half-light radius of galaxies of two parts, by ``model="auto"``, by the true
model and by one Sersic profile.
"""

import time
from pathlib import Path

import galsim
import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import Table, vstack

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.composite_tables import (
    SHOWN,
    calibration_table,
    coverage_table,
    found_table,
    ranking_table,
    survey_row,
    totals_table,
)
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.sets.composites import PROFILES, draw_scenes, signal_to_noise
from benchmarks.sets.psfs import draw_star
from benchmarks.sets.survey_composites import SURVEYS, simulate_survey
from sersicnet import SersicNet
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
TOTALS = ("mag", "r_eff")


def main(arguments=None):
    """Measure the set, and write the tables."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies", default=200)
    add_weights(parser)
    parser.add_argument("--refine", choices=("lm", "importance"), default="importance")
    parser.add_argument("--survey", choices=SURVEYS, help="galaxies like those of a survey")
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
        "ranking": ranking_table(measured),
        "totals": totals_table(measured),
    }
    kind = options.refine if options.survey is None else f"{options.survey}_{options.refine}"
    for name, table in tables.items():
        print_table(table)
        write_rounded(table, options.output / f"{name}_{kind}.csv", decimals=3)
    if options.survey is not None:
        row = {"survey": options.survey} | survey_row(measured)
        _write_row(row, options.output / f"surveys_{options.refine}.csv")


def _write_row(row, path):
    """Write the row of a survey into the table of all, in the place of an older one."""
    rows = Table(rows=[row])
    if path.exists():
        known = Table.read(path)
        rows = vstack([known[known["survey"] != row["survey"]], rows])
    rows.sort("survey")
    print_table(rows)
    write_rounded(rows, path, decimals=3)


def _measured(net, options, number):
    """Return what was measured of ten galaxies, from a file if it is there."""
    path = None
    if options.raw is not None:
        options.raw.mkdir(parents=True, exist_ok=True)
        survey = options.survey or ""
        path = options.raw / f"{options.refine}{survey}_{options.seed}_{number}.npz"
        if path.exists():
            with np.load(path) as file:
                return dict(file)
    if time.process_time() > 60 * options.minutes and number:
        return None
    seed = [options.seed, number]
    if options.survey is None:
        scenes = simulate(TOGETHER, seed=seed)
    else:
        own = {"seed": seed, "side": SIDE, "snr": SNR}
        scenes = simulate_survey(TOGETHER, options.survey, **own)
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
    units |= {"noise_correlation": None, "psf_oversampling": scenes.get("psf_oversampling", 1)}
    if "psf_oversampling" in scenes:  # the stamps have the light that they show, and no more
        units |= {"normalize_psf": False, "recenter_psf": False}
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
    largest = scenes.get("largest", LARGEST)
    found["counts"] = (snr > SNR[0]) & (snr < SNR[1]) & (size < largest)
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


if __name__ == "__main__":
    main()
