"""Gaussian posteriors with a truth, right or wrong by as much as a test wants."""

import numpy as np

from sersicnet.diagnostics.calibration import (
    chance_deviation,
)
from sersicnet.parameters import wrap_theta

# Middle and width of the toy prior, and width of the toy posteriors.
TOYS = {
    "mag": (21, 2, 0.1),
    "r_eff": (1.0, 0.1, 0.05),
    "n": (3, 1, 0.5),
    "q": (0.6, 0.05, 0.03),
    "theta": (0, 60, 25),
    "x_0": (63, 1, 0.1),
    "y_0": (63, 1, 0.2),
}


def make_posteriors(*, n=2000, n_samples=100, names=tuple(TOYS), scale=1.0, offset=0.0, seed=0):
    """Gaussian posteriors ``scale`` times too wide and ``offset`` sigma off, and the truth."""
    rng = np.random.default_rng(seed)
    samples, truth = {}, {}
    for name in names:
        middle, spread, sigma = TOYS[name]
        middle = rng.normal(middle, spread, n)
        truth[name] = middle + sigma * rng.normal(size=n)
        errors = offset + scale * rng.normal(size=(n, n_samples))
        samples[name] = middle[:, None] + sigma * errors
    for columns in (samples, truth):
        if "theta" in columns:
            columns["theta"] = wrap_theta(columns["theta"])
    return samples, truth


def is_uniform(ranks):
    """No farther from uniform than chance goes once in a thousand times."""
    uniform = (np.arange(len(ranks)) + 0.5) / len(ranks)
    return np.abs(np.sort(ranks) - uniform).max() < chance_deviation(len(ranks), probability=0.999)
