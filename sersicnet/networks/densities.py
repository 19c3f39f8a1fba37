"""Normal distributions of the labels of N galaxies, and quantiles of the parameters."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from sersicnet._rows import Rows, own_normal
from sersicnet.model.labels import length
from sersicnet.parameters import PARAMETERS, wrap_theta

__all__ = ["NormalDensity", "parameter_samples", "summarize"]

# Quantiles of the tables.
LEVELS = (0.16, 0.5, 0.84)


@dataclass(frozen=True, eq=False)
class NormalDensity(Rows):
    """Independent normal distributions of labels.

    Attributes
    ----------
    names : tuple of str
        Names of the labels.
    mean, scale : (N, L) `~numpy.ndarray`
        Means and standard deviations; NaN for a galaxy that could not be measured.
    """

    shared = ("names",)

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray

    def draw(self, rows, n, seed, *, numbers=None):
        """Draw labels of some galaxies, each with its own generator.

        Parameters
        ----------
        rows : (R,) array_like of int
            Rows of the galaxies.
        n : int
            Number of draws per galaxy.
        seed : int
            Seed of all generators.
        numbers : (R,) array_like of int, optional
            Numbers that tell the generators apart, by default the rows.

        Returns
        -------
        dict of (R, n) `~numpy.ndarray`
            By name of the label.
        """
        if numbers is None:
            numbers = rows
        normal = own_normal(numbers, (n, len(self.names)), seed)
        labels = self.mean[rows, None] + self.scale[rows, None] * normal
        return dict(zip(self.names, np.moveaxis(labels, 2, 0), strict=True))

    def quantiles(self, frame, parameters):
        """Compute quantiles of the parameters at ``LEVELS``, (P, 3, N) `~numpy.ndarray`."""
        quantiles = []
        for level in LEVELS:
            labels = self.mean + norm.ppf(level) * self.scale
            named = dict(zip(self.names, labels.T, strict=True))
            with np.errstate(over="ignore"):  # errors have no upper bound
                values = frame.from_labels(named, parameters)
            quantiles.append([_clip(values[name], name) for name in parameters])
        medians = quantiles[1]
        quantiles = np.sort(np.swapaxes(quantiles, 0, 1), axis=1)  # mag falls where flux rises
        if "theta" in parameters:
            row = parameters.index("theta")
            middle = medians[row]
            width = self._theta_width()
            quantiles[row] = [middle - width, middle, middle + width]
        return quantiles

    def _theta_width(self):
        """Compute the first-order error of the angle of (e1, e2), at most that of a flat one."""
        columns = [self.names.index("e1"), self.names.index("e2")]
        e1, e2 = self.mean[:, columns].T
        s1, s2 = self.scale[:, columns].T
        direction = np.arctan2(e2, e1)
        size = np.maximum(length(e1, e2), 1e-9)
        across = np.hypot(np.sin(direction) * s1, np.cos(direction) * s2)
        width = 0.5 * np.degrees(across / size) * norm.ppf(LEVELS[2])
        return np.minimum(width, 0.34 * 180)


def summarize(values, parameters, *, weights=None):
    """Compute quantiles of parameters from samples.

    Parameters
    ----------
    values : dict of (N, S) `~numpy.ndarray`
        Samples in the units of `~sersicnet.parameters.PARAMETERS`.
    parameters : tuple of str
        Names of P parameters.
    weights : (S,) or (N, S) `~numpy.ndarray`, optional
        Weights of the samples, by default all the same.

    Returns
    -------
    (P, 3, N) `~numpy.ndarray`
        The quantiles at 16, 50 and 84 %. Those of ``theta`` lie around its median and may leave
        [-90, 90).

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.networks import summarize
    >>> samples = {"n": np.linspace(1, 3, 101)[None]}
    >>> np.round(summarize(samples, ("n",)), 2)
    array([[[1.31],
            [2.  ],
            [2.69]]])
    """
    quantiles = []
    for name in parameters:
        if name == "theta":
            quantiles.append(_angle_quantiles(values[name], weights))
        else:
            quantiles.append(_quantiles(values[name], weights))
    return np.stack(quantiles)


def _quantiles(values, weights):
    """Compute quantiles at `LEVELS`, (3, N).

    Each of S values represents a probability of 1 / S around it; a weighted value represents all
    numbers up to the next value.
    """
    if weights is None:
        return np.quantile(values, LEVELS, axis=1, method="hazen")
    if np.ndim(weights) == 1:
        return np.quantile(values, LEVELS, axis=1, method="inverted_cdf", weights=weights)
    # NumPy takes a hundred times as long where each row has weights of its own.
    order = np.argsort(values, axis=1)
    edges = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    places = [(edges < level * edges[:, -1:]).sum(axis=1) for level in LEVELS]
    chosen = np.take_along_axis(order, np.stack(places, axis=1), axis=1)
    return np.take_along_axis(values, chosen, axis=1).T


def _angle_quantiles(theta, weights):
    double = np.radians(2 * theta)
    x = np.average(np.cos(double), axis=1, weights=weights)
    y = np.average(np.sin(double), axis=1, weights=weights)
    middle = 0.5 * np.degrees(np.arctan2(y, x))
    around = wrap_theta(theta - middle[:, None])
    low, median, high = _quantiles(around, weights)
    wrapped = wrap_theta(middle + median)
    return np.stack([wrapped + low - median, wrapped, wrapped + high - median])


def parameter_samples(labels, frame, parameters):
    """Convert samples of labels to samples of parameters.

    Parameters
    ----------
    labels : dict of (N, S) `~numpy.ndarray`
        Samples of the labels of N galaxies.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.
    parameters : tuple of str
        Names of the parameters.

    Returns
    -------
    dict of (N, S) `~numpy.ndarray`
        By name of the parameter, within its limits.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.networks import parameter_samples
    >>> from sersicnet.preprocessing import StampFrame
    >>> one = np.ones(1)
    >>> frame = StampFrame(one, 25 * one, 0.1 * one, one, 31.5 * one, 31.5 * one)
    >>> samples = parameter_samples({"log_flux": np.array([[1.0, 2.0]])}, frame, ("mag",))
    >>> samples["mag"]
    array([[22.5, 20. ]])
    """
    values = frame[:, None].from_labels(labels, parameters)
    return {name: _clip(value, name) for name, value in values.items()}


def _clip(values, name):
    return np.clip(values, PARAMETERS[name].lower, PARAMETERS[name].upper)
