"""Predictions with a truth, as tables of every kind."""

import astropy.units as u
import numpy as np
from astropy.table import QTable

from sersicnet.parameters import PARAMETERS

UNITS = {name: parameter.unit or u.dimensionless_unscaled for name, parameter in PARAMETERS.items()}
RANGES = {
    "mag": (18, 24),
    "r_eff": (0.1, 1.5),
    "n": (0.5, 6),
    "q": (0.2, 1),
    "theta": (-90, 90),
    "x_0": (62, 64),
    "y_0": (62, 64),
}


NUMBERS = ("r2", "bias", "scatter", "rms", "outliers", "coverage")


def make_truth(*, size=400, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(*limits, size) for name, limits in RANGES.items()}


def make_predicted(truth, *, sigma=0.1, seed=1):
    rng = np.random.default_rng(seed)
    noise = {name: rng.normal(0, sigma, len(values)) for name, values in truth.items()}
    predicted = {name: truth[name] + noise[name] for name in truth}
    predicted["r_eff"] = truth["r_eff"] * 10 ** noise["r_eff"]
    predicted["theta"] = (predicted["theta"] + 90) % 180 - 90
    return predicted


def as_qtable(columns):
    return QTable({name: values << UNITS[name] for name, values in columns.items()})


def row(score, parameter):
    (index,) = np.flatnonzero(score["parameter"] == parameter)
    return score[index]
