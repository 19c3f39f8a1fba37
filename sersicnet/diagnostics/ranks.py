"""Truth and samples of each galaxy side by side, for `sersicnet.diagnostics.calibration`."""

import numpy as np

from sersicnet.diagnostics.columns import column_values, has_flag
from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS, check_parameters, to_floats, wrap_theta


def common_parameters(samples, truth, parameters):
    """The parameters to test."""
    if parameters is None:
        parameters = [name for name in PARAMETERS if name in samples and name in truth.colnames]
        if not parameters:
            msg = f"samples and truth must share a parameter out of {', '.join(PARAMETERS)}"
            raise ValueError(msg)
    return check_parameters(parameters)


def _stack_points(samples, truth, parameter):
    """Truth, in the first column, and samples of one parameter, (N, 1 + n_samples)."""
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
    """Continuous ranks of the first column among all, NaN in rows that are not finite."""
    first, others = points[:, :1], points[:, 1:]
    below, equal = (others < first).sum(axis=1), (others == first).sum(axis=1)
    ranks = (below + rng.random(len(points)) * (equal + 1)) / points.shape[1]
    return np.where(np.isfinite(points).all(axis=1), ranks, np.nan)


def rank_truth(samples, truth, parameter, seed):
    """Continuous rank of the truth among the samples of each galaxy, and whether it is known."""
    points = _stack_points(samples, truth, parameter)
    known = np.isfinite(points[:, 0])
    if parameter == "theta":
        points = wrap_theta(points - mean_theta(points)[:, None])
    return rank_first(points, np.random.default_rng(seed)), known


def mean_theta(theta):
    """Mean direction along the last axis, degrees: that of the mean of exp(2 i theta)."""
    return np.degrees(np.angle(np.exp(2j * np.radians(theta)).mean(axis=-1))) / 2


def standard_labels(samples, truth, parameters):
    """Truth and samples as labels with mean 0 and variance 1 in each galaxy.

    The truth takes part in mean and variance as the samples do: if it did not, it would be
    a little farther from the mean than they are, also if the posteriors are right.
    """
    parameters = common_parameters(samples, truth, parameters)
    points = {name: _stack_points(samples, truth, name) for name in parameters}
    shapes = {name: values.shape[1] - 1 for name, values in points.items()}
    if len(set(shapes.values())) > 1:
        msg = f"all parameters must have the same number of samples, not {shapes}"
        raise ValueError(msg)
    with np.errstate(divide="ignore", invalid="ignore"):  # infinite labels have no rank
        labels = _labels(points)
        means = [label.mean(axis=1, keepdims=True) for label in labels]
        stds = [label.std(axis=1, keepdims=True) for label in labels]
        return [
            (label - mean) / np.where(std > 0, std, 1)
            for label, mean, std in zip(labels, means, stds, strict=True)
        ]


def _labels(points):
    """The quantities that distances are of: as a network's labels, but for their units."""
    labels = dict(points)
    if "r_eff" in labels:
        labels["r_eff"] = np.log10(labels["r_eff"])
    if "theta" in labels:
        direction, q = 2 * np.radians(labels.pop("theta")), points.get("q", 0)
        ellipticity = (1 - q) / (1 + q)
        labels["e1"], labels["e2"] = (
            ellipticity * np.cos(direction),
            ellipticity * np.sin(direction),
        )
    return list(labels.values())


def group_rows(strata, n):
    """Label and rows of each stratum; all rows without strata."""
    if strata is None:
        return [(None, np.ones(n, dtype=bool))]
    labels, mask = np.asarray(np.ma.getdata(strata)), np.ma.getmaskarray(strata)
    if labels.shape != (n,):
        msg = f"strata have shape {labels.shape} and must be one label for each of {n} galaxies"
        raise ValueError(msg)
    known = ~mask & (labels == labels)  # NaN does not equal itself
    return [(label, known & (labels == label)) for label in np.unique(labels[known])]
