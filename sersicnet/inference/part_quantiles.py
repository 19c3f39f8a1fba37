"""Quantiles of the parameters of galaxies of several parts, and of these parts, from fits."""

from functools import lru_cache

import numpy as np
import scipy  # its stats take half a second: imported where they are used
from scipy.special import ndtri

from sersicnet.inference.totals import joined_labels
from sersicnet.networks.densities import named_part_samples, parameter_samples, summarize
from sersicnet.networks.flow_density import label_dict
from sersicnet.parameters import ALL_PARAMETERS, PARAMETERS, wrap_theta

__all__ = ["drawn_quantiles", "part_quantiles", "share_column"]

SEVEN = tuple(PARAMETERS)
# Draws of each galaxy, the same for all: evenly spread ones. One Sersic profile takes no time.
_LOG_DRAWS = 7
_LOG_DRAWS_OF_ONE = 11
_SEED = 1
# Columns that have no error where a parameter has none.
_SHOWN_BY = {
    "log_flux": ("mag",),
    "log_ratio": ("r_eff",),
    "log_r_eff": ("r_eff",),
    "n": ("n",),
    "e1": ("q", "theta"),
    "q": ("q",),
    "turn": ("theta",),
    "dx": ("x_0",),
    "dy": ("y_0",),
}


def share_column(parts):
    """Return the name of the column with the share of the first part in the light."""
    return f"{parts[0][0]}_to_total"


def part_quantiles(posterior, held, frame):
    """Return quantiles of fits of several parts, or bands, at 16, 50 and 84 %.

    The medians are the optimum itself, and the distances of the others from it those of draws from
    their median.

    Parameters
    ----------
    posterior : `~sersicnet.inference.FitDensity`
        Fits of N galaxies.
    held : (N, P) bool `~numpy.ndarray`
        Parameters without an error of their own: what shows them has an error of NaN.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of their stamps.

    Returns
    -------
    quantiles : (7, 3, N) `~numpy.ndarray`
        Of the whole, as in `~sersicnet.inference.fit_quantiles`; those of ``n`` are NaN for parts.
    columns : dict of (N,) `~numpy.ndarray`
        Of the parts: ``mag_bulge``, ``mag_bulge_err``, ``mag_bulge_lo``, ``mag_bulge_hi`` and so
        on, on the sky, and the share of the first part.
    """
    rows = np.arange(len(posterior))
    parts = posterior.parts
    normal = _points(posterior.mean.shape[1], _LOG_DRAWS if parts else _LOG_DRAWS_OF_ONE)
    away = normal @ _symmetric_roots(posterior, rows)
    drawn = posterior.measured_labels(posterior.mean[:, None] + away, rows)
    best = posterior.measured_labels(posterior.mean[:, None], rows)
    layout = posterior.scene.layout
    optimum, draws = (_values(each, frame, parts) for each in (best, drawn))
    lost = _lost(layout, held)
    found = {}
    for name, values in draws.items():
        parameter = _parameter_of(name, layout.parts)
        found[name] = _around(parameter, values, optimum[name], lost.get(name))
    return _as_columns(found)


def drawn_quantiles(labels, parts, frame):
    """Return quantiles of equally likely draws of several parts, as `part_quantiles` does.

    Parameters
    ----------
    labels : (N, S, K) `~numpy.ndarray`
        The draws, NaN for galaxies without any.
    parts : tuple of (str, str)
        Name and profile of each part.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.

    Returns
    -------
    quantiles : (7, 3, N) `~numpy.ndarray`
    columns : dict of (N,) `~numpy.ndarray`
    """
    found = {}
    for name, draws in _values(labels, frame, parts).items():
        parameter = "theta" if _parameter_of(name, parts) == "theta" else "n"
        (found[name],) = summarize({parameter: draws}, (parameter,))
    return _as_columns(found)


def _as_columns(found):
    """Return quantiles of the whole, (7, 3, N), and columns of the parts."""
    quantiles = np.stack([found[name] for name in SEVEN])
    columns = {}
    for name, values in found.items():
        if name in SEVEN:
            continue
        low, middle, high = values
        columns |= {name: middle, f"{name}_err": (high - low) / 2}
        columns |= {f"{name}_lo": low, f"{name}_hi": high}
    return quantiles, columns


@lru_cache
def _points(n_parameters, log_draws):
    """Evenly spread standard normal points, (S, P)."""
    uniform = scipy.stats.qmc.Sobol(n_parameters, seed=_SEED).random_base2(log_draws)
    return ndtri(uniform)


def _symmetric_roots(posterior, rows):
    """Return the symmetric roots of the covariances: the only ones that rounding cannot turn."""
    root = posterior.roots(rows)
    good = np.isfinite(root).all(axis=(1, 2))
    axes, widths, _ = np.linalg.svd(root[good])
    root[good] = (axes * widths[:, None]) @ np.swapaxes(axes, 1, 2)
    return root


def _values(labels, frame, parts):
    """Return parameters of the whole and of its parts, by the names of their columns."""
    if parts is None:
        return parameter_samples(label_dict(labels), frame, SEVEN)
    named = joined_labels(labels, parts)
    return parameter_samples(named, frame, SEVEN) | named_part_samples(named, frame, parts)


def _around(parameter, draws, optimum, lost):
    """Return quantiles around the optimum, (3, N)."""
    if parameter == "theta":
        draws = optimum + wrap_theta(draws - optimum)
    low, middle, high = _quantiles(draws)
    best = optimum[:, 0]
    found = np.stack([best + low - middle, best, best + high - middle])
    if parameter == "share":
        found = np.clip(found, 0, 1)
    elif parameter != "theta":
        limits = ALL_PARAMETERS[parameter]
        found = np.clip(found, limits.lower, limits.upper)
    if lost is not None:
        found[::2, lost] = np.nan
    return found


def _quantiles(draws):
    """Return quantiles of draws at 16, 50 and 84 %, (3, N)."""
    return summarize({"n": draws}, ("n",))[0]


def _parameter_of(name, parts):
    """Return the parameter that a column shows, of the whole or of a part."""
    if name in ALL_PARAMETERS:
        return name
    for part, _ in parts:
        parameter = name.removesuffix(f"_{part}")
        if parameter in ALL_PARAMETERS:
            return parameter
    return "share"


def _lost(layout, held):
    """Return which galaxies have no error of a column, by its name."""
    parts = [part for part, _ in layout.parts]
    lost = {}
    for column, free in enumerate(layout.free):
        kind, _, part = free.partition(".")
        names = []
        shapes = (kind,) if kind in ALL_PARAMETERS else ()
        for shown in _SHOWN_BY.get(kind, shapes):
            own = [part] if part else parts
            if kind == "log_ratio":
                own = parts[:1]
            elif kind == "log_r_eff":  # the size of the first part is relative to it
                own = parts
            names += [shown, *(f"{shown}_{each}" for each in own)]
        if kind == "share":
            names = [share_column(layout.parts), *(f"mag_{each}" for each in parts)]
        for name in names:
            lost[name] = lost.get(name, False) | held[:, column]
    return lost
