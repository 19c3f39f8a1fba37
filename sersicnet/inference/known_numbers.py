"""What is known of galaxies, or of their parts, as numbers in the units of stamps."""

import numpy as np
import torch

from sersicnet.model.labels import angle, split_labels
from sersicnet.model.layout import kind_of
from sersicnet.model.prior import (
    LOG_R_EFF_LIMITS,
    MAX_OFFSET,
    N_LIMITS,
    Q_LIMITS,
    SHARE_LIMITS,
)
from sersicnet.model.scene import Scene
from sersicnet.parameters import wrap_theta
from sersicnet.profile_shapes import SHAPES

__all__ = ["can_be_held", "known_numbers", "make_scene", "normal_priors", "with_fixed"]

# Labels of parameters that have one.
_LABEL_OF = {"mag": "log_flux", "r_eff": "log_r_eff", "n": "n", "x_0": "dx", "y_0": "dy"}
_LABEL_OF |= {name: name for name in SHAPES}
_QUANTITY_OF = {**_LABEL_OF, "r_eff": "r_eff", "q": "q", "theta": "turn", "share": "share"}
_LIMITS = {
    "log_r_eff": LOG_R_EFF_LIMITS,
    "r_eff": tuple(10**limit for limit in LOG_R_EFF_LIMITS),
    "n": N_LIMITS,
    "q": Q_LIMITS,
    "turn": (-np.pi / 2, np.pi / 2),
    "dx": (-MAX_OFFSET, MAX_OFFSET),
    "dy": (-MAX_OFFSET, MAX_OFFSET),
    "share": SHARE_LIMITS,
}
_LIMITS |= {name: (shape.low, shape.high) for name, shape in SHAPES.items()}
# Those of known numbers; squares of fluxes are sums of float32.
_KNOWN_LIMITS = {**_LIMITS, "log_flux": (-15.0, 15.0), "theta": (-np.inf, np.inf)}


def known_numbers(fixed, priors, start, frame, log_light, offset, *, by_axes):
    """Return known numbers of a galaxy, or of a part of it.

    Parameters
    ----------
    fixed, priors : dict
        As in `~sersicnet.inference.constraints.Constraints`, of the parameters of one profile, and
        ``share``.
    start : (N, 7) `~numpy.ndarray`
        Labels that fits start from.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.
    log_light, offset
        As in `~sersicnet.inference.FitDensity`.
    by_axes : bool
        Whether the shape is described by ``q`` and ``turn``, from a known angle ``theta``.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
        By their names in layouts.
    """
    fixed = frame.in_pixels(fixed)
    names = [name for name in _LABEL_OF if name in fixed]
    labels = frame.to_labels(fixed, names)
    known = {_LABEL_OF[name]: labels[_LABEL_OF[name]] for name in names}
    for name, shift in (("log_flux", log_light), ("dx", offset[:, 0]), ("dy", offset[:, 1])):
        if name in known:
            known[name] = known[name] + shift
    for name in ("q", "share"):
        if name in fixed:
            known[name] = fixed[name]
    if "theta" in fixed:
        known["theta"] = np.radians(fixed["theta"])
    elif by_axes or "theta" in priors:
        columns = split_labels(start)
        known["theta"] = np.nan_to_num(angle(columns.e1, columns.e2))
        if "theta" in priors:
            middle, given = _middle_angle(priors["theta"])
            known["theta"] = np.where(given, np.radians(middle), known["theta"])
    return known


def _middle_angle(prior):
    """Return the angles in degrees that those of galaxies are counted from, and which are known.

    They are the means of priors, and the middles of limits alone: where there are neither, all
    angles are possible, and those of the network are as good.
    """
    low, high = prior["low"], prior["high"]
    limited = np.isfinite(low) & np.isfinite(high)
    middle = np.where(limited, (low + high) / 2, 0.0)
    has_mean = ~np.isinf(prior["err"])
    known = has_mean | np.isfinite(low) | np.isfinite(high)
    return np.where(has_mean, prior["mean"], middle), known


def normal_priors(priors, frame, log_light, offset):
    """Return normal priors of a galaxy, or of a part of it.

    Parameters
    ----------
    priors, frame, log_light, offset
        As in `known_numbers`.

    Returns
    -------
    dict of (N, 4) `~numpy.ndarray`
        Mean, standard deviation, and lower and upper limit, by the names of quantities in layouts.
    """
    found = {}
    for name, prior in priors.items():
        middle, scale = _linear(name, prior, frame, log_light, offset)
        mean, low, high = ((prior[part] - middle) / scale for part in ("mean", "low", "high"))
        quantity = _QUANTITY_OF[name]
        lowest, highest = _LIMITS.get(quantity, (-np.inf, np.inf))
        if name == "mag":  # of which the lowest is the brightest
            low, high = high, low
        ends = np.maximum(low, lowest), np.minimum(high, highest)  # NaN if one is
        found[quantity] = np.stack([mean, prior["err"] / np.abs(scale), *ends], axis=1)
    return found


def make_scene(layout, known, normals, usable):
    """Return the scene of fits, and which galaxies have values that make sense.

    Parameters
    ----------
    layout : `~sersicnet.model.Layout`
        Names of the parameters.
    known : dict of (N,) `~numpy.ndarray`
        Known numbers by their names in the layout.
    normals : dict of (N, 4) `~numpy.ndarray`
        Normal priors by the names of their quantities.
    usable : (N,) bool `~numpy.ndarray`
        Whether sizes and axis ratios can be held.

    Returns
    -------
    scene : `~sersicnet.model.Scene`
    usable : (N,) bool `~numpy.ndarray`
    """
    usable = usable & _usable(known, normals, len(usable))
    columns = []
    for name in layout.known:
        stand_in = np.clip(0.0, *_KNOWN_LIMITS[kind_of(name)])
        columns.append(np.where(usable, known[name], stand_in))
    known = torch.from_numpy(np.reshape(columns, (len(known), len(usable))).T.copy())
    made = None
    if normals:
        made = np.stack([normals[name] for name in layout.priors], axis=1)
        made[~usable] = (0.0, 1.0, -np.inf, np.inf)
        made = torch.from_numpy(made)
    return Scene.of(layout, known, made), usable


def _usable(known, normals, n_galaxies):
    """Return which galaxies have known numbers and normal priors that make sense, (N,)."""
    usable = np.ones(n_galaxies, dtype=bool)
    for name, values in known.items():
        low, high = _KNOWN_LIMITS[kind_of(name)]
        usable &= np.isfinite(values) & (values >= low) & (values <= high)
    for values in normals.values():
        mean, err, low, high = values.T
        usable &= np.isfinite(mean) & (err > 0) & (low < high)
    return usable


def can_be_held(fixed, priors, frame):
    """Whether sizes and axis ratios can be held: one on the sky is not one in pixels.

    Parameters
    ----------
    fixed, priors, frame
        As in `known_numbers`.

    Returns
    -------
    (N,) bool `~numpy.ndarray`
    """
    if not {"r_eff", "q"} & {*fixed, *priors} or {"r_eff", "q", "theta"} <= set(fixed):
        return np.ones(len(frame), dtype=bool)
    return frame.is_square.copy()


def with_fixed(quantiles, parameters, fixed):
    """Return quantiles of measured galaxies, in which fixed values are as they came.

    Parameters
    ----------
    quantiles : (P, 3, N) `~numpy.ndarray`
        Quantiles at 16, 50 and 84 %.
    parameters : sequence of str
        Names of the P parameters.
    fixed : dict of (N,) `~numpy.ndarray`
        Fixed values; those of other names do not matter.

    Returns
    -------
    (P, 3, N) `~numpy.ndarray`
    """
    quantiles = quantiles.copy()
    for name, values in fixed.items():
        if name not in parameters:
            continue
        row = quantiles[list(parameters).index(name)]
        measured = np.isfinite(row[1])
        known = values[measured]
        if name.partition("_")[0] == "theta":  # as it came, if it is an angle of the table
            known = np.where(np.abs(known) < 90, known, wrap_theta(known))
        row[:, measured] = known
    return quantiles


def _linear(name, prior, frame, log_light, offset):
    """Zero point and scale of a parameter of tables, in units of a quantity of stamps."""
    match name:
        case "mag":
            zero = frame.zeropoint - 2.5 * (np.log10(frame.noise_level) - log_light)
            return zero, -2.5
        case "r_eff":
            return 0.0, frame.pixel_scale * frame.bins
        case "theta":
            return _middle_angle(prior)[0], np.degrees(1)
        case "x_0":
            return frame.x_middle - offset[:, 0] * frame.bins, frame.bins
        case "y_0":
            return frame.y_middle - offset[:, 1] * frame.bins, frame.bins
        case _:
            return 0.0, 1.0
