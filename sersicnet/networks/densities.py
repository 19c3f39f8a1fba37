"""What a network says about the labels of N galaxies, and quantiles of the parameters from it."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from sersicnet._rows import Rows, own_normal
from sersicnet.model.labels import length
from sersicnet.parameters import PARAMETERS, wrap_theta

__all__ = ["NormalDensity", "parameter_samples", "summarize"]

# Lower and upper quantiles of the tables.
LEVELS = (0.16, 0.5, 0.84)


@dataclass(frozen=True, eq=False)
class NormalDensity(Rows):
    """Independent normal distributions of labels.

    Attributes
    ----------
    names : tuple of str
        Of the labels.
    mean, scale : (N, L) `~numpy.ndarray`
        NaN for a galaxy without an answer.
    """

    shared = ("names",)

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray

    def draw(self, rows, n, seed):
        """Labels of some galaxies, dict of (R, n) `~numpy.ndarray`; each has its own generator."""
        normal = own_normal(rows, (n, len(self.names)), seed)
        labels = self.mean[rows, None] + self.scale[rows, None] * normal
        return dict(zip(self.names, np.moveaxis(labels, 2, 0), strict=True))

    def quantiles(self, frame, parameters):
        """Quantiles of the parameters at ``LEVELS``, (P, 3, N) `~numpy.ndarray`."""
        answers = []
        for level in LEVELS:
            labels = self.mean + norm.ppf(level) * self.scale
            named = dict(zip(self.names, labels.T, strict=True))
            with np.errstate(over="ignore"):  # an error without bounds
                values = frame.from_labels(named, parameters)
            answers.append([_clip(values[name], name) for name in parameters])
        quantiles = np.sort(np.swapaxes(answers, 0, 1), axis=1)  # mag falls where flux rises
        if "theta" in parameters:
            row = parameters.index("theta")
            middle, width = answers[1][row], self._theta_width()
            quantiles[row] = [middle - width, middle, middle + width]
        return quantiles

    def _theta_width(self):
        """First-order error of the angle of (e1, e2), at most that of no knowledge."""
        columns = [self.names.index("e1"), self.names.index("e2")]
        e1, e2 = self.mean[:, columns].T
        s1, s2 = self.scale[:, columns].T
        direction, size = np.arctan2(e2, e1), np.maximum(length(e1, e2), 1e-9)
        across = np.hypot(np.sin(direction) * s1, np.cos(direction) * s2)
        width = 0.5 * np.degrees(across / size) * norm.ppf(LEVELS[2])
        return np.minimum(width, 0.34 * 180)


def summarize(values, parameters, *, weights=None):
    """Quantiles of parameters from samples.

    Parameters
    ----------
    values : dict of (N, S) `~numpy.ndarray`
        Samples in the units of `~sersicnet.parameters.PARAMETERS`.
    parameters : tuple of str
        Which.
    weights : (S,) `~numpy.ndarray`, optional
        Of the samples; all the same by default.

    Returns
    -------
    (P, 3, N) `~numpy.ndarray`
        At ``LEVELS``. Those of ``theta`` lie around its median and may leave [-90, 90).
    """
    return np.stack(
        [
            (_angle_quantiles if name == "theta" else _quantiles)(values[name], weights)
            for name in parameters
        ]
    )


def _quantiles(values, weights):
    """At `LEVELS`, (3, N): each of the S values stands for its share of 1 / S around it.

    Weighted values stand for all up to the next.
    """
    if weights is None:
        return np.quantile(values, LEVELS, axis=1, method="hazen")
    return np.quantile(values, LEVELS, axis=1, method="inverted_cdf", weights=weights)


def _angle_quantiles(theta, weights):
    double = np.radians(2 * theta)
    x, y = (np.average(part(double), axis=1, weights=weights) for part in (np.cos, np.sin))
    middle = 0.5 * np.degrees(np.arctan2(y, x))
    around = wrap_theta(theta - middle[:, None])
    low, median, high = _quantiles(around, weights)
    wrapped = wrap_theta(middle + median)
    return np.stack([wrapped + low - median, wrapped, wrapped + high - median])


def parameter_samples(labels, frame, parameters):
    """Parameters, dict of (N, S), from labels, dict of (N, S), of N galaxies."""
    values = frame[:, None].from_labels(labels, parameters)
    return {name: _clip(value, name) for name, value in values.items()}


def _clip(values, name):
    return np.clip(values, PARAMETERS[name].lower, PARAMETERS[name].upper)
