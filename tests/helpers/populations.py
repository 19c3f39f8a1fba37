"""Catalogs whose posteriors are known: the likelihood of each galaxy is normal.

The fits of a catalog without the prior are normal distributions of unconstrained labels; those here
are made from true galaxies and random errors, without images.
"""

import numpy as np
import torch

from sersicnet.inference.record import UNIVERSAL
from sersicnet.inference.refined import FitDensity, SampleDensity, fit_quantiles
from sersicnet.model.labels import N_LABELS, components, stack_labels
from sersicnet.model.unconstrained import from_unconstrained, to_unconstrained
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.frame import StampFrame
from sersicnet.results import SersicResults

ZEROPOINT = 25.0
SCALE = 0.1
SEVEN = tuple(PARAMETERS)


def frame_of(n, *, stretch=None, zeropoint=ZEROPOINT, scale=SCALE, noise=1.0):
    ones = np.ones(n)
    if stretch is not None:
        stretch = np.broadcast_to(stretch, (n, 2, 2))
    middle = 63.5 * ones
    return StampFrame(noise * ones, zeropoint * ones, scale * ones, ones, middle, middle, stretch)


def draw_truth(n, *, seed=0, mode=None):
    """Galaxies around a relation of size and magnitude: ``COORDINATES`` by name.

    Disks, or spheroids with ``mode="spheroids"``.
    """
    rng = np.random.default_rng([seed, 9])
    mag = rng.normal(18.0, 0.8, n)
    index = 1.0 * np.exp(rng.normal(0, 0.15, n))
    q = np.clip(rng.normal(0.5, 0.15, n), 0.1, 0.95)
    log_r_eff = -0.3 - 0.15 * (mag - 18) + rng.normal(0, 0.08, n)
    if mode == "spheroids":
        index = 3.8 * np.exp(rng.normal(0, 0.12, n))
        q = np.clip(rng.normal(0.8, 0.08, n), 0.1, 0.95)
        log_r_eff -= 0.25
    return {"mag": mag, "log_r_eff": log_r_eff, "n": index, "q": q}


def labels_of(truth, frame, *, seed=0):
    n = len(truth["mag"])
    rng = np.random.default_rng([seed, 8])
    values = {"mag": truth["mag"], "r_eff": 10 ** truth["log_r_eff"]}
    labels = frame.to_labels(values, ("mag", "r_eff"))
    e1, e2 = components(truth["q"], rng.uniform(-np.pi / 2, np.pi / 2, n))
    center = dict(zip(("dx", "dy"), rng.uniform(-1, 1, (2, n)), strict=True))
    return stack_labels(labels | center | {"n": truth["n"], "e1": e1, "e2": e2})


def measure(truth, *, error=0.3, seed=0, frame=None):
    """Results whose posteriors are the likelihoods of noisy measurements."""
    n = len(truth["mag"])
    frame = frame_of(n) if frame is None else frame
    true = to_unconstrained(torch.from_numpy(labels_of(truth, frame, seed=seed))).numpy()
    widths = error * np.array([0.15, 0.7, 1.5, 1.0, 1.0, 0.3, 0.3])
    mean = true + widths * np.random.default_rng([seed, 7]).normal(size=true.shape)
    covariance = np.broadcast_to(np.diag(widths**2), (n, N_LABELS, N_LABELS)).copy()
    fits = FitDensity(None, mean, covariance, np.zeros(n), np.zeros((n, 2)), None, prior=False)
    quantiles = fit_quantiles(fits, np.zeros((n, N_LABELS), bool), frame)
    return make_results(fits, quantiles, frame)


def measure_drawn(net, truth, config, seed):
    """Measure a catalog as `benchmarks.population.measure` does, without images."""
    columns = {"mag": truth["mag"].value, "log_r_eff": np.log10(truth["r_eff"].value)}
    columns |= {"n": np.array(truth["n"]), "q": np.array(truth["q"])}
    return measure(columns, error=0.1, seed=seed, frame=frame_of(len(truth), zeropoint=29.0))


def make_results(posterior, quantiles, frame, **changes):
    n = quantiles.shape[2]
    options = {
        "flags": np.zeros(n, dtype=np.int64),
        "shapes": np.full((n, 2), 128),
        "wcs": (None,) * n,
        "meta": {"PRIOR": UNIVERSAL},
    }
    return SersicResults(SEVEN, posterior, quantiles, frame, **options | changes)


def sampled(labels, frame, **changes):
    """Results of kept draws of labels, (N, S, 7)."""
    quantiles = np.zeros((7, 3, len(labels)))
    return make_results(SampleDensity(labels), quantiles, frame, **changes)


def from_numbers(values):
    """Labels of unconstrained numbers."""
    return from_unconstrained(torch.as_tensor(values)).numpy()
