"""Figures of posteriors and their calibration, part of `sersicnet.plotting`."""

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from sersicnet.diagnostics.calibration import chance_deviation
from sersicnet.diagnostics.ranks import mean_theta
from sersicnet.parameters import PARAMETERS, check_parameters, to_floats, wrap_theta
from sersicnet.plotting.axes import canvas, panels
from sersicnet.plotting.style import AXIS_NAMES, BLUE, COLORS, VERMILION

_BAND = 0.99  # that of Talts et al. (2018)
_CONTOURS = (0.68, 0.95)
_LINE_STYLES = ("-", "--", ":", "-.")


def plot_coverage(table, *, ax=None):
    """Empirical against nominal coverage, one line a parameter and stratum.

    Parameters
    ----------
    table : `~astropy.table.Table`
        What `sersicnet.diagnostics.coverage_table` returns.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.axes.Axes`
        Strata differ by line style.
    """
    ax = _square(ax, width=6.4)  # room for the legend
    by = table["stratum"] if "stratum" in table.colnames else np.full(len(table), None)
    strata = list(dict.fromkeys(by))
    for name in dict.fromkeys(table["parameter"]):
        for index, stratum in enumerate(strata):
            rows = table[(table["parameter"] == name) & (by == stratum)]
            ax.errorbar(
                *(np.array(rows[column]) for column in ("level", "coverage", "coverage_err")),
                color=COLORS[name],
                ls=_LINE_STYLES[index % len(_LINE_STYLES)],
                marker="o",
                ms=4,
                label=name if stratum is None else f"{name}, {stratum}",
            )
    ax.set(xlabel="nominal coverage", ylabel="empirical coverage")
    _name_sides(ax, "intervals too wide", "intervals too narrow")
    if len(table):
        ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def plot_tarp(levels, coverage, *, n_galaxies=None, ax=None):
    """Coverage of random regions against their level.

    Parameters
    ----------
    levels, coverage : (L,) array
        What `sersicnet.diagnostics.tarp` returns.
    n_galaxies : int, optional
        Number of galaxies, to draw the band that 95 % of right posteriors stay in.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.axes.Axes`

    Raises
    ------
    ValueError
        If ``n_galaxies`` is not positive.
    """
    ax, ends = _square(ax, width=4.2), np.array([0.0, 1.0])
    if n_galaxies is not None:
        width = chance_deviation(n_galaxies)
        label = "95 % of right posteriors"
        ax.fill_between(ends, ends - width, ends + width, color="0.85", lw=0, label=label)
    ax.plot(levels, coverage, color=BLUE, lw=1.5, label="TARP")
    ax.set(xlabel="credibility level", ylabel="expected coverage")
    if n_galaxies is not None:
        ax.legend(frameon=False, fontsize=8, loc="upper left")
    return ax


def plot_sbc(ranks, *, n_bins=20, axes=None):
    """Histogram of the ranks of the truth, one panel a parameter.

    Counts are relative to their expectation. The gray band is where those of uniform
    ranks are with a probability of 99 %, each for itself. Posteriors that are too narrow give a
    valley, too wide ones a hill, and biased ones a slope.

    Parameters
    ----------
    ranks : dict of (N,) array
        By parameter, what `sersicnet.diagnostics.sbc_ranks` returns.
    n_bins : int, optional
        Number of bins.
    axes : sequence of `~matplotlib.axes.Axes`, optional
        Where to draw, one for each parameter.

    Returns
    -------
    list of `~matplotlib.axes.Axes`
        One for each parameter.

    Raises
    ------
    ValueError
        If a parameter is unknown, ``n_bins`` is below 2, or ``axes`` are not one for each
        parameter.
    """
    parameters = check_parameters(ranks)
    if n_bins < 2:
        msg = f"n_bins={n_bins} must be 2 or more"
        raise ValueError(msg)
    axes, _ = panels(axes, len(parameters), height=2.4)
    for ax, name in zip(axes, parameters, strict=True):
        values = np.asarray(ranks[name], dtype=float)
        counts, edges = np.histogram(values[np.isfinite(values)], n_bins, range=(0, 1))
        n, expected = counts.sum(), max(counts.sum() / n_bins, 1)
        band = np.array(stats.binom.interval(_BAND, n, 1 / n_bins)) / expected
        ax.axhspan(*band, color="0.85", lw=0)
        ax.axhline(1, color="0.3", lw=0.8)
        ax.stairs(counts / expected, edges, color=BLUE, lw=1.5)
        ax.set(xlim=(0, 1), ylim=(0, 1.25 * max(1, band[1], counts.max() / expected)))
        ax.set(xlabel=f"rank of the true {name}", ylabel="count / expected")
        ax.text(0.04, 0.96, f"{n} galaxies", transform=ax.transAxes, va="top", fontsize=8)
    return axes


def plot_corner(samples, *, truth=None, figure=None, ax=None):
    """Posterior of one galaxy: each parameter, and each pair of them.

    Drawn by the package `corner <https://corner.readthedocs.io>`__ (Foreman-Mackey 2016, JOSS 1,
    24), part of ``sersicnet[plot]``. Dashed lines are at the 16, 50 and 84 % quantiles, contours
    hold 68 and 95 % of the samples, smoothed by a bin, and ``theta`` continues beyond [-90, 90)
    where the posterior does.

    Parameters
    ----------
    samples : dict of (n_samples,) array
        By parameter; of the samples of many galaxies, those of the galaxy in row ``i`` are
        ``{name: values[i] for name, values in samples.items()}``.
    truth : table row or dict, optional
        True values to mark, of all or some of the parameters.
    figure, ax
        Where to draw, as in `~sersicnet.plotting.plot_mosaic`.

    Returns
    -------
    (K, K) `~numpy.ndarray` of `~matplotlib.axes.Axes`
        For K parameters.

    Raises
    ------
    ImportError
        If corner is not installed.
    ValueError
        If a parameter is unknown, the samples are not finite, of different number or fewer
        than two or than the parameters, or ``ax`` is as in `~sersicnet.plotting.plot_mosaic`.
    """
    try:
        import corner
    except ImportError as error:
        msg = "plot_corner needs corner: pip install sersicnet[plot]"
        raise ImportError(msg) from error
    names = check_parameters(samples)
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
    """Axes from 0 to 1 with the line of equality."""
    ax = ax or Figure(figsize=(width, 4.0), layout="constrained").subplots()
    ax.plot([0, 1], [0, 1], color="black", lw=0.8)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.grid(alpha=0.3)
    return ax


def _name_sides(ax, above, below):
    """Say what it means to be above or below the line of equality."""
    style = {"transform": ax.transAxes, "color": "0.4", "fontsize": 8}
    ax.text(0.03, 0.97, above, va="top", **style)
    ax.text(0.97, 0.03, below, ha="right", **style)


def _true_value(truth, name):
    """The true value as a float, None where it is not known."""
    if name not in truth:
        return None
    value = float(to_floats(truth[name], PARAMETERS[name].unit))
    return value if np.isfinite(value) else None


def _limits(values, true):
    """Limits of the samples and the true value, also if all are the same."""
    known = values if true is None else np.append(values, true)
    low, high = known.min(), known.max()
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin
