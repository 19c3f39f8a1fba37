"""Figures of posteriors and their calibration."""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from sersicnet._words import counted
from sersicnet.diagnostics.calibration import chance_deviation
from sersicnet.diagnostics.ranks import mean_theta
from sersicnet.parameters import PARAMETERS, PIXEL_SHAPE, check_parameters, to_floats, wrap_theta
from sersicnet.plotting.axes import canvas, panels
from sersicnet.plotting.style import (
    AXIS_NAMES,
    BAND_COLOR,
    BLUE,
    COLORS,
    LINE_COLOR,
    NAMES,
    VERMILION,
)

__all__ = ["plot_corner", "plot_coverage", "plot_sbc", "plot_tarp"]

_BAND = 0.99  # that of Talts et al. (2018)
# Samples of a galaxy that are not of its parameters.
_NOT_DRAWN = (*PIXEL_SHAPE, "sky")
_CONTOURS = (0.68, 0.95)
_LINE_STYLES = ("-", "--", ":", "-.")


def plot_coverage(table, *, ax=None):
    """Plot empirical against nominal coverage, one line per parameter and stratum.

    Strata differ by line style.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Result of `sersicnet.diagnostics.coverage_table`.
    ax : `~matplotlib.axes.Axes`, optional
        Axes to draw on.

    Returns
    -------
    `~matplotlib.axes.Axes`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.diagnostics import coverage_table
    >>> from sersicnet.plotting import plot_coverage
    >>> rng = np.random.default_rng(1)
    >>> samples = {"n": rng.normal(2, 0.1, (200, 100))}
    >>> table = coverage_table(samples, {"n": rng.normal(2, 0.1, 200)})
    >>> plot_coverage(table).get_xlabel()
    'nominal coverage'
    """
    legend = {"loc": "upper left", "bbox_to_anchor": (0, 0.94)}
    if ax is None:
        legend = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
    ax = _square(ax, width=6.4)  # room for the legend beside the axes
    by = np.full(len(table), None)
    if "stratum" in table.colnames:
        by = table["stratum"]
    strata = list(dict.fromkeys(by))
    for name in dict.fromkeys(table["parameter"]):
        for index, stratum in enumerate(strata):
            rows = table[(table["parameter"] == name) & (by == stratum)]
            label = NAMES[name]
            if stratum is not None:
                label = f"{NAMES[name]}, {stratum}"
            ax.errorbar(
                np.array(rows["level"]),
                np.array(rows["coverage"]),
                np.array(rows["coverage_err"]),
                color=COLORS[name],
                ls=_LINE_STYLES[index % len(_LINE_STYLES)],
                marker="o",
                ms=4,
                label=label,
            )
    ax.set(xlabel="nominal coverage", ylabel="empirical coverage")
    _name_sides(ax, "intervals too wide", "intervals too narrow")
    if len(table):
        ax.legend(frameon=False, fontsize=8, **legend)
    return ax


def plot_tarp(levels, coverage, *, n_galaxies=None, ax=None):
    """Plot the coverage of random regions against their level.

    Parameters
    ----------
    levels, coverage : (L,) array
        Result of `sersicnet.diagnostics.tarp`.
    n_galaxies : int, optional
        Number of galaxies, to draw the band in which 95 % of calibrated posteriors stay.
    ax : `~matplotlib.axes.Axes`, optional
        Axes to draw on.

    Returns
    -------
    `~matplotlib.axes.Axes`

    Raises
    ------
    ValueError
        If ``n_galaxies`` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.plotting import plot_tarp
    >>> levels = np.linspace(0, 1, 11)
    >>> plot_tarp(levels, levels**1.1, n_galaxies=300).get_ylabel()
    'expected coverage'
    """
    ax = _square(ax, width=4.2)
    if n_galaxies is not None:
        ends = np.array([0.0, 1.0])
        width = chance_deviation(n_galaxies)
        label = "95 % of calibrated posteriors"
        ax.fill_between(ends, ends - width, ends + width, color=BAND_COLOR, lw=0, label=label)
    ax.plot(levels, coverage, color=BLUE, lw=1.5, label="TARP")
    ax.set(xlabel="credibility level", ylabel="expected coverage")
    if n_galaxies is not None:
        ax.legend(frameon=False, fontsize=8, loc="upper left")
    return ax


def plot_sbc(ranks, *, n_bins=20, axes=None):
    """Plot histograms of the ranks of the truth, one panel per parameter.

    Counts are relative to their expectation. The gray band contains each count of uniform
    ranks with a probability of 99 %. Posteriors that are too narrow give a
    valley, too wide ones a hill, and biased ones a slope.

    Parameters
    ----------
    ranks : dict of (N,) array
        Results of `sersicnet.diagnostics.sbc_ranks`, by parameter.
    n_bins : int, optional
        Number of bins.
    axes : sequence of `~matplotlib.axes.Axes`, optional
        Axes to draw on, one per parameter.

    Returns
    -------
    list of `~matplotlib.axes.Axes`
        One per parameter.

    Raises
    ------
    ValueError
        If a parameter is unknown, ``n_bins`` is below 2, or the number of axes is not that of
        the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.plotting import plot_sbc
    >>> axes = plot_sbc({"n": np.random.default_rng(1).random(500)})
    >>> axes[0].get_xlabel()
    'rank of the true Sérsic index'
    """
    parameters = check_parameters(ranks)
    if n_bins < 2:
        msg = f"n_bins={n_bins} must be 2 or more"
        raise ValueError(msg)
    axes = panels(axes, len(parameters), height=2.4)
    for ax, name in zip(axes, parameters, strict=True):
        values = np.asarray(ranks[name], dtype=float)
        counts, edges = np.histogram(values[np.isfinite(values)], n_bins, range=(0, 1))
        n = counts.sum()
        expected = max(n / n_bins, 1)
        band = np.array(stats.binom.interval(_BAND, n, 1 / n_bins)) / expected
        ax.axhspan(*band, color=BAND_COLOR, lw=0)
        ax.axhline(1, color=LINE_COLOR, lw=0.8)
        ax.stairs(counts / expected, edges, color=BLUE, lw=1.5)
        ax.set(xlim=(0, 1), ylim=(0, 1.25 * max(1, band[1], counts.max() / expected)))
        ax.set(xlabel=f"rank of the true {NAMES[name]}", ylabel="count / expected")
        ax.text(0.04, 0.96, counted(n, "galaxy"), transform=ax.transAxes, va="top", fontsize=8)
    return axes


def plot_corner(samples, *, truth=None, figure=None, ax=None):
    """Plot the posterior of one galaxy: each parameter, and each pair of parameters.

    The package `corner <https://corner.readthedocs.io>`__ (Foreman-Mackey 2016, JOSS 1,
    24), part of ``sersicnet[plot]``, draws it. Dashed lines are at the 16, 50 and 84 % quantiles,
    contours contain 68 and 95 % of the samples, smoothed by one bin, and ``theta`` continues
    beyond [-90, 90) where the posterior does.

    Parameters
    ----------
    samples : dict of (n_samples,) array
        Samples of one galaxy, by parameter. Of the samples of many galaxies, those of the galaxy
        in row ``i`` are ``{name: values[i] for name, values in samples.items()}``. Those of
        ``r_eff_pix``, ``q_pix`` and ``sky`` are not drawn.
    truth : table row or dict, optional
        True values to mark, of all or some of the parameters.
    figure, ax
        Where to draw, as in `~sersicnet.plotting.plot_mosaic`.

    Returns
    -------
    (K, K) `~numpy.ndarray` of `~matplotlib.axes.Axes`
        Panels of K parameters.

    Raises
    ------
    ImportError
        If corner is not installed.
    ValueError
        If a parameter is unknown, the samples are not finite, differ in number, are fewer
        than two or than the parameters, or ``ax`` is wrong as in
        `~sersicnet.plotting.plot_mosaic`.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.plotting import plot_corner
    >>> rng = np.random.default_rng(1)
    >>> samples = {"n": rng.normal(2, 0.1, 500), "q": rng.normal(0.5, 0.02, 500)}
    >>> plot_corner(samples, truth={"n": 2.0}).shape  # doctest: +SKIP
    (2, 2)
    """
    try:
        import corner
    except ImportError as error:
        msg = "plot_corner needs corner: pip install 'sersicnet[plot]' ('.[plot]' in a checkout)"
        raise ImportError(msg) from error
    names = check_parameters([name for name in samples if name not in _NOT_DRAWN])
    values = [to_floats(samples[name], PARAMETERS[name].unit) for name in names]
    shapes = {value.shape for value in values}
    if len(shapes) > 1 or values[0].ndim != 1 or values[0].size < max(2, len(names)):
        msg = (
            f"samples have shapes {sorted(shapes)} and must be those of one galaxy: "
            f"(n_samples,), with n_samples at least 2 and at least the {len(names)} parameters"
        )
        raise ValueError(msg)
    if not np.isfinite(values).all():
        msg = f"samples of {', '.join(names)} must all be finite"
        raise ValueError(msg)
    truth = {} if truth is None else dict(truth)
    known = [_true_value(truth, name) for name in names]
    if "theta" in names:
        place = names.index("theta")
        middle = mean_theta(values[place])
        values[place] = middle + wrap_theta(values[place] - middle)
        if known[place] is not None:
            known[place] = middle + wrap_theta(known[place] - middle)
    size = 1.9 * len(names) + 1
    figure = canvas(figure, ax, (size, size))
    corner.corner(
        np.transpose(values),
        labels=[AXIS_NAMES[name] for name in names],
        range=[_limits(value, true) for value, true in zip(values, known, strict=True)],
        quantiles=(0.16, 0.5, 0.84),
        levels=_CONTOURS,
        smooth=1,  # bin
        truths=known,
        truth_color=VERMILION,
        color=BLUE,
        fig=figure,
    )
    return np.reshape(figure.axes, (len(names), len(names)))


def _square(ax, *, width):
    """Make axes from 0 to 1 with the line of equality."""
    ax = ax or Figure(figsize=(width, 4.0), layout="constrained").subplots()
    ax.plot([0, 1], [0, 1], color="black", lw=0.8)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.grid(alpha=0.3)
    return ax


def _name_sides(ax, above, below):
    """Write what it means to be above or below the line of equality."""
    style = {"transform": ax.transAxes, "color": "0.4", "fontsize": 8}
    ax.text(0.03, 0.97, above, va="top", **style)
    ax.text(0.97, 0.03, below, ha="right", **style)


def _true_value(truth, name):
    """Find the true value as a float, None where it is not known."""
    if name not in truth:
        return None
    value = float(to_floats(truth[name], PARAMETERS[name].unit))
    if np.isfinite(value):
        return value
    return None


def _limits(values, true):
    """Find limits that contain the samples and the true value, also if all are the same."""
    if true is not None:
        values = np.append(values, true)
    low = values.min()
    high = values.max()
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin
