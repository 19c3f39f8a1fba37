"""Figures of predictions beside the truth, of scores, and of a training."""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from sersicnet.diagnostics.columns import as_table
from sersicnet.diagnostics.comparison import compare
from sersicnet.diagnostics.scores import parameter_values
from sersicnet.parameters import PARAMETERS, check_parameters
from sersicnet.plotting.axes import panels
from sersicnet.plotting.style import (
    AXIS_NAMES,
    BAD_COLOR,
    BLUE,
    ERROR_NAMES,
    LINE_COLOR,
    POINT_COLORS,
    VERMILION,
)

__all__ = ["plot_binned_score", "plot_history", "plot_predicted_vs_true"]

# Galaxies below which R2 and NMAD say next to nothing: of ten galaxies, 1 - R2 is uncertain by a
# factor of 1.8, of two by a factor of 10.
_FEWEST = 10


def plot_predicted_vs_true(
    predicted, truth, *, parameters=None, errors=False, reference="true", axes=None
):
    """Plot predicted against true values, one panel per parameter.

    Each panel has the line of equality, R2, and the NMAD scatter (in dex for ``r_eff``,
    whose axes are logarithmic); of fewer than ten galaxies, it has their number and the rms of the
    error. Points are colored by the true magnitude if there is one.

    Parameters
    ----------
    predicted, truth : table or dict
        Predictions and true values, see `sersicnet.diagnostics.compare`.
    parameters : sequence of str, optional
        Parameters to plot. By default all that both tables have.
    errors : bool, optional
        Whether to draw the intervals from ``<p>_lo`` to ``<p>_hi``.
    reference : str, optional
        Name of the values in ``truth`` on the axes, such as ``"published"`` or ``"imfit"``
        for real galaxies, whose true values nobody knows.
    axes : sequence of `~matplotlib.axes.Axes`, optional
        Axes to draw on, one per parameter.

    Returns
    -------
    list of `~matplotlib.axes.Axes`
        One per parameter.

    Raises
    ------
    ValueError
        For the same reasons as in `sersicnet.diagnostics.compare`, and if the number of axes is
        not that of the parameters.

    Examples
    --------
    >>> from sersicnet.plotting import plot_predicted_vs_true
    >>> predicted = {"n": [1.1, 2.1, 2.9], "q": [0.4, 0.5, 0.8]}
    >>> published = {"n": [1.0, 2.0, 3.0], "q": [0.4, 0.6, 0.8]}
    >>> axes = plot_predicted_vs_true(predicted, published, reference="published")
    >>> axes[1].get_xlabel()
    'published axis ratio'
    """
    predicted = as_table(predicted, "predicted")
    truth = as_table(truth, "truth")
    if parameters is None:
        common = {*predicted.colnames} & {*truth.colnames}
        parameters = [name for name in PARAMETERS if name in common]
    parameters = check_parameters(parameters)
    colors = None
    if "mag" in truth.colnames:
        colors = parameter_values(truth, "mag")
    own = axes is None
    axes = panels(axes, len(parameters), height=3.1)
    for ax, name in zip(axes, parameters, strict=True):
        comparison = compare(predicted, truth, name)
        points = _plot_points(ax, comparison, colors)
        if errors:
            _plot_errors(ax, comparison)
        _finish_comparison(ax, comparison, reference)
    if own and colors is not None:
        bar = axes[0].figure.colorbar(points, ax=axes, pad=0.02, aspect=25)
        bar.set_label(f"{reference} {AXIS_NAMES['mag']}")
        bar.solids.set_alpha(1)
    return axes


def plot_history(history, *, ax=None):
    """Plot training and validation loss against epoch, and mark the best epoch.

    Parameters
    ----------
    history : dict of sequence
        ``epoch``, ``train_loss`` and ``val_loss``, all of one length.
    ax : `~matplotlib.axes.Axes`, optional
        Axes to draw on.

    Returns
    -------
    `~matplotlib.axes.Axes`

    Raises
    ------
    ValueError
        If one of the three is missing, they are empty, or they differ in length.

    Examples
    --------
    >>> from sersicnet.plotting import plot_history
    >>> history = {"epoch": [1, 2], "train_loss": [2.0, 1.0], "val_loss": [2.0, 1.5]}
    >>> plot_history(history).get_xlabel()
    'epoch'
    """
    keys = ("epoch", "train_loss", "val_loss")
    lengths = dict.fromkeys(keys) | {key: len(history[key]) for key in keys if key in history}
    if len(set(lengths.values())) > 1 or not lengths["epoch"]:
        msg = f"history must have values of one length in each of {keys}, not lengths {lengths}"
        raise ValueError(msg)
    epoch, train, validation = (np.asarray(history[key], dtype=float) for key in keys)
    ax = ax or Figure(figsize=(5.4, 3.6), layout="constrained").subplots()
    ax.plot(epoch, train, color=BLUE, label="training")
    ax.plot(epoch, validation, color=VERMILION, label="validation")
    if np.isfinite(validation).any():
        best = np.nanargmin(validation)
        label = f"best: epoch {epoch[best]:g}, loss {validation[best]:.4g}"
        ax.plot(epoch[best], validation[best], "o", color=VERMILION, mec="black", label=label)
    ax.set(xlabel="epoch", ylabel="loss")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return ax


def plot_binned_score(table, *, reference="true", axes=None):
    """Plot bias and scatter in bins, one panel per parameter.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Result of `sersicnet.diagnostics.binned_score`.
    reference : str, optional
        Name of the values that predictions are compared with, as in `plot_predicted_vs_true`.
    axes : sequence of `~matplotlib.axes.Axes`, optional
        Axes to draw on, one per parameter.

    Returns
    -------
    list of `~matplotlib.axes.Axes`
        One per parameter.

    Raises
    ------
    ValueError
        If the number of axes is not that of the parameters.

    Examples
    --------
    >>> from sersicnet.diagnostics import binned_score
    >>> from sersicnet.plotting import plot_binned_score
    >>> truth = {"mag": [18.5, 19.5, 20.5, 21.5], "n": [1.0, 2.0, 3.0, 4.0]}
    >>> score = binned_score({"n": [1.25, 2.25, 3.5, 4.5]}, truth, edges=[18, 20, 22])
    >>> plot_binned_score(score)[0].get_xlabel()
    'true magnitude [AB]'
    """
    parameters = list(dict.fromkeys(table["parameter"]))
    by = table.meta.get("by", "mag")
    axes = panels(axes, len(parameters), height=2.6)
    for ax, name in zip(axes, parameters, strict=True):
        rows = table[table["parameter"] == name]
        lower = _plain(rows["bin_lower"])
        upper = _plain(rows["bin_upper"])
        bias = np.array(rows["bias"])
        scatter = np.array(rows["scatter"])
        middle = (lower + upper) / 2
        half = (upper - lower) / 2
        ax.axhline(0, color=LINE_COLOR, lw=0.8)
        ax.bar(middle, 2 * scatter, 2 * half, bias - scatter, color=BLUE, alpha=0.25, label="NMAD")
        ax.errorbar(middle, bias, xerr=half, fmt="o", ms=4, color=BLUE, label="bias")
        limit = np.nan_to_num(np.abs(bias) + np.nan_to_num(scatter))
        if np.any(limit):
            ax.set_ylim(-1.35 * limit.max(), 1.35 * limit.max())  # room for the legend
        ax.set_xlabel(f"{reference} {AXIS_NAMES.get(by, by)}")
        ax.set_ylabel(f"error of\n{ERROR_NAMES[name]}", fontsize=9)
    axes[0].legend(frameon=False, fontsize=8, ncols=2)
    return axes


def _plain(column):
    """Convert a column with or without unit to floats."""
    return np.array(getattr(column, "value", column), dtype=float)


def _shown(comparison, name):
    """Find the values of the galaxies that have a prediction, as they are plotted."""
    values = getattr(comparison, name)[np.isfinite(comparison.predicted)]
    if comparison.parameter == "r_eff":
        return 10**values
    return values


def _plot_points(ax, comparison, colors):
    """Draw one point per galaxy, colored by magnitude."""
    true = _shown(comparison, "truth")
    options = {"c": BLUE}
    if colors is not None:
        options = {
            "c": colors[comparison.rows][np.isfinite(comparison.predicted)],
            "cmap": mpl.colormaps[POINT_COLORS].with_extremes(bad=BAD_COLOR),
            "plotnonfinite": True,
        }
        # the same in all panels, also in one where few galaxies are known
        if np.isfinite(colors).any():
            options["vmin"] = np.nanmin(colors)
            options["vmax"] = np.nanmax(colors)
    size = np.clip(4000 / max(len(true), 1), 3, 20)
    predicted = _shown(comparison, "predicted")
    return ax.scatter(true, predicted, s=size, alpha=0.7, lw=0, rasterized=True, **options)


def _plot_errors(ax, comparison):
    """Draw the intervals of the predictions."""
    predicted = _shown(comparison, "predicted")
    below = predicted - _shown(comparison, "lower")
    above = _shown(comparison, "upper") - predicted
    lengths = np.nan_to_num(np.abs([below, above]))
    true = _shown(comparison, "truth")
    ax.errorbar(true, predicted, lengths, fmt="none", ecolor=BAD_COLOR, lw=0.6, zorder=0)


def _finish_comparison(ax, comparison, reference):
    """Set the scales and labels of a panel, and write the scores."""
    if comparison.parameter == "r_eff":
        ax.set(xscale="log", yscale="log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    true = _shown(comparison, "truth")
    _equal_limits(ax, np.concatenate([true, _shown(comparison, "predicted")]))
    name = AXIS_NAMES[comparison.parameter]
    ax.set(xlabel=f"{reference} {name}", ylabel=f"predicted {name}", aspect="equal")
    if comparison.n < _FEWEST:
        text = f"$N$ = {comparison.n}\nrms = {comparison.rms:.3g} {comparison.unit}"
    else:
        text = f"$R^2$ = {comparison.r2:.3f}\nNMAD = {comparison.scatter:.3g} {comparison.unit}"
    if comparison.n_lost:
        text += f"\n{comparison.n_lost} of {len(comparison.truth)} lost"
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2}
    ax.text(0.04, 0.96, text.rstrip(), transform=ax.transAxes, va="top", fontsize=9, bbox=box)


def _equal_limits(ax, values):
    """Set the same limits on both axes, with a margin, and draw the line of equality."""
    ax.axline((1, 1), (2, 2), color="black", lw=0.8, zorder=3)
    if values.size == 0:
        return
    transform = ax.xaxis.get_transform()
    low, high = transform.transform(np.array([values.min(), values.max()]))
    margin = 0.04 * (high - low) or 0.5
    limits = transform.inverted().transform(np.array([low - margin, high + margin]))
    ax.set(xlim=limits, ylim=limits)
