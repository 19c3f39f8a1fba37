"""Rank the truth of each galaxy among its posterior samples."""

import numpy as np

from sersicnet._words import counted
from sersicnet.diagnostics.columns import column_values, has_flag
from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS, check_parameters, to_floats, wrap_theta


def common_parameters(samples, truth, parameters):
    """Find the parameters to test: those that are asked for, or all that both have."""
    if parameters is None:
        parameters = [name for name in PARAMETERS if name in samples and name in truth.colnames]
        if not parameters:
            msg = f"samples and truth must share a parameter out of {', '.join(PARAMETERS)}"
            raise ValueError(msg)
    return check_parameters(parameters)


def _stack_points(samples, truth, parameter):
    """Join truth, in the first column, and samples of one parameter: (N, 1 + n_samples)."""
    known = column_values(truth, parameter, parameter, "truth")
    known = np.where(has_flag(truth, Flags.RENDER_FAILED), np.nan, known)
    if parameter not in samples:
        msg = f"samples have no parameter {parameter!r}, only {', '.join(samples)}"
        raise ValueError(msg)
    drawn = to_floats(samples[parameter], PARAMETERS[parameter].unit)
    if drawn.ndim != 2 or len(drawn) != len(known) or not drawn.shape[1]:
        msg = (
            f"samples[{parameter!r}] has shape {drawn.shape} and must be "
            f"(N, n_samples) with N={len(known)}, as the truth, and one sample or more"
        )
        raise ValueError(msg)
    points = np.column_stack([known, drawn])
    return np.where(np.isfinite(points), points, np.nan)


def rank_first(points, rng):
    """Rank the first column among all, made continuous at random; NaN in rows with NaN."""
    first = points[:, :1]
    others = points[:, 1:]
    below = (others < first).sum(axis=1)
    equal = (others == first).sum(axis=1)
    ranks = (below + rng.random(len(points)) * (equal + 1)) / points.shape[1]
    return np.where(np.isfinite(points).all(axis=1), ranks, np.nan)


def rank_truth(samples, truth, parameter, seed):
    """Rank the truth among the samples of each galaxy, and find where the truth is known."""
    points = _stack_points(samples, truth, parameter)
    known = np.isfinite(points[:, 0])
    if parameter == "theta":
        points = wrap_theta(points - mean_theta(points)[:, None])
    return rank_first(points, np.random.default_rng(seed)), known


def mean_theta(theta):
    """Find the mean direction along the last axis, in degrees, from the mean of exp(2i theta)."""
    return np.degrees(np.angle(np.exp(2j * np.radians(theta)).mean(axis=-1))) / 2


def standard_labels(samples, truth, parameters):
    """Convert truth and samples to labels with mean 0 and variance 1 in each galaxy.

    Mean and variance include the truth, like the samples: otherwise the truth would be a
    little farther from the mean than the samples are, even if the posteriors are right.
    """
    parameters = common_parameters(samples, truth, parameters)
    points = {name: _stack_points(samples, truth, name) for name in parameters}
    shapes = {name: values.shape[1] - 1 for name, values in points.items()}
    if len(set(shapes.values())) > 1:
        msg = f"all parameters must have the same number of samples, not {shapes}"
        raise ValueError(msg)
    standardized = []
    with np.errstate(divide="ignore", invalid="ignore"):  # infinite labels have no rank
        for label in _labels(points):
            mean = label.mean(axis=1, keepdims=True)
            std = label.std(axis=1, keepdims=True)
            standardized.append((label - mean) / np.where(std > 0, std, 1))
    return standardized


def _labels(points):
    """Convert parameters to the quantities in which distances are measured.

    These are a network's labels, except for their units. Diagnostics do not import the model, so
    that the conversion to (e1, e2) is written here as well.
    """
    labels = dict(points)
    if "r_eff" in labels:
        labels["r_eff"] = np.log10(labels["r_eff"])
    if "theta" in labels:
        direction = 2 * np.radians(labels.pop("theta"))
        q = points.get("q", 0)
        ellipticity = (1 - q) / (1 + q)
        labels["e1"] = ellipticity * np.cos(direction)
        labels["e2"] = ellipticity * np.sin(direction)
    return list(labels.values())


def group_rows(strata, n):
    """Find label and rows of each stratum; without strata, all rows are one."""
    if strata is None:
        return [(None, np.ones(n, dtype=bool))]
    labels = np.asarray(np.ma.getdata(strata))
    mask = np.ma.getmaskarray(strata)
    if labels.shape != (n,):
        galaxies = counted(n, "galaxy")
        msg = f"strata have shape {labels.shape} and must be one label for each of {galaxies}"
        raise ValueError(msg)
    known = ~mask & (labels == labels)  # NaN does not equal itself
    return [(label, known & (labels == label)) for label in np.unique(labels[known])]
