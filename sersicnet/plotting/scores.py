"""Figures of cutouts, residuals, scores, posteriors and training.

Every function draws on the axes or figure that it is given, or makes a figure of
its own, and returns the axes: ``ax.figure.savefig("figure.png")`` writes it. No
state of pyplot is read or changed. Needs matplotlib, the optional dependencies
``sersicnet[plot]``.
"""

import numpy as np

from sersicnet.diagnostics.columns import as_table
from sersicnet.diagnostics.comparison import compare
from sersicnet.diagnostics.scores import parameter_values
from sersicnet.parameters import PARAMETERS, check_parameters
from sersicnet.plotting.style import AXIS_NAMES, BLUE, VERMILION

try:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    from sersicnet.plotting.axes import canvas, grid, panels
    from sersicnet.plotting.images import (
        BAD_COLOR,
        as_labels,
        as_list,
        image_norm,
        pixels_of,
        residual,
        show_image,
    )
    from sersicnet.plotting.posteriors import plot_corner, plot_coverage, plot_sbc, plot_tarp
except ImportError as error:
    msg = "sersicnet.plotting needs matplotlib: pip install sersicnet[plot]"
    raise ImportError(msg) from error

__all__ = [
    "plot_binned_score",
    "plot_corner",
    "plot_coverage",
    "plot_history",
    "plot_mosaic",
    "plot_predicted_vs_true",
    "plot_residuals",
    "plot_sbc",
    "plot_tarp",
]

RESIDUAL_LIMIT = 5  # sigma


def plot_mosaic(cutouts, *, labels=None, n_columns=8, figure=None, ax=None):
    """Galaxies side by side, each with its own asinh stretch.

    The stretch runs from the 2nd percentile of the pixels to their 99.8th, and is linear
    within the noise. Masked and bad pixels are gray.

    Parameters
    ----------
    cutouts : sequence of `~astropy.nddata.NDData` or 2-D array
        The images.
    labels : sequence of str or table, optional
        A text for each; of a table with parameter columns, such as the truth, the
        magnitude, radius, Sersic index and axis ratio are written.
    n_columns : int, optional
        Images in a row.
    figure : `~matplotlib.figure.Figure` or subfigure, optional
        Where to draw.
    ax : `~matplotlib.axes.Axes`, optional
        Instead: axes of ``figure.subplots()`` in the place of which to draw.

    Returns
    -------
    list of `~matplotlib.axes.Axes`
        One for each cutout.

    Raises
    ------
    ValueError
        If there are no cutouts, ``n_columns`` is not positive, the labels differ in number, or
        ``ax`` has no place in a grid or comes with a ``figure``.
    """
    cutouts = as_list(cutouts, "cutouts")
    labels = as_labels(labels, len(cutouts))
    if n_columns < 1:
        msg = f"n_columns={n_columns} must be 1 or more"
        raise ValueError(msg)
    n_columns = min(n_columns, len(cutouts))
    n_rows = -(-len(cutouts) // n_columns)
    height = 1.45 + 0.17 * max((label.count("\n") + 1 for label in labels if label), default=0)
    figure = canvas(figure, ax, (1.45 * n_columns, height * n_rows), layout="constrained")
    axes = grid(figure, len(cutouts), n_rows, n_columns)
    for place, cutout, label in zip(axes, cutouts, labels, strict=True):
        show_image(place, cutout, image_norm(cutout))
        place.set_title(label, fontsize=8, pad=3)
    return axes


def plot_residuals(cutouts, models, *, labels=None, figure=None, ax=None):
    """Image, model and residual of each galaxy, one galaxy a row.

    Image and model have the same asinh stretch. The residual is (image - model) / noise,
    from -5 to 5 sigma; the noise is the cutout's uncertainty, or the
    robust scatter of the residual where there is none.

    Parameters
    ----------
    cutouts : sequence of `~astropy.nddata.NDData` or 2-D array
        The images.
    models : sequence of `~astropy.nddata.NDData` or 2-D array
        A model image for each, in the unit of its cutout.
    labels, figure, ax
        As in `plot_mosaic`; the label is written to the left of the row.

    Returns
    -------
    (N, 3) `~numpy.ndarray` of `~matplotlib.axes.Axes`
        Image, model and residual of each galaxy.

    Raises
    ------
    ValueError
        If there are no cutouts, models or labels differ in number or shape, or ``ax`` is as in
        `plot_mosaic`.
    """
    cutouts, models = as_list(cutouts, "cutouts"), as_list(models, "models")
    labels = as_labels(labels, len(cutouts))
    if [pixels_of(cutout).shape for cutout in cutouts] != [
        pixels_of(model).shape for model in models
    ]:
        msg = f"models ({len(models)}) must have the number and shapes of cutouts ({len(cutouts)})"
        raise ValueError(msg)
    figure = canvas(figure, ax, (6.6, 1.62 * len(cutouts) + 0.3), layout="constrained")
    axes = figure.subplots(len(cutouts), 3, squeeze=False)
    for row, cutout, model, label in zip(axes, cutouts, models, labels, strict=True):
        norm = image_norm(cutout)
        show_image(row[0], cutout, norm)
        show_image(row[1], model, norm)
        limits = mpl.colors.Normalize(-RESIDUAL_LIMIT, RESIDUAL_LIMIT)
        shown = show_image(row[2], residual(cutout, model), limits, colors="RdBu_r")
        row[0].set_ylabel(label, fontsize=8, rotation=0, ha="right", va="center")
    for ax, title in zip(axes[0], ("image", "model", "residual"), strict=True):
        ax.set_title(title, fontsize=10)
    bar = figure.colorbar(shown, ax=axes[:, 2], extend="both", aspect=30, pad=0.03)
    bar.set_label("(image - model) / noise", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return axes


def plot_predicted_vs_true(predicted, truth, *, parameters=None, errors=False, axes=None):
    """Predicted against true values, one panel a parameter.

    Each panel has the line of equality, R2, and the NMAD scatter (in dex for ``r_eff``,
    whose axes are logarithmic). Points are colored by the true magnitude if there is one.

    Parameters
    ----------
    predicted, truth : table or dict
        See `sersicnet.diagnostics.compare`.
    parameters : sequence of str, optional
        The parameters to draw, by default all that both tables have.
    errors : bool, optional
        Whether to draw the intervals from ``<p>_lo`` to ``<p>_hi``.
    axes : sequence of `~matplotlib.axes.Axes`, optional
        Where to draw, one for each parameter.

    Returns
    -------
    list of `~matplotlib.axes.Axes`
        One for each parameter.

    Raises
    ------
    ValueError
        As `sersicnet.diagnostics.compare`, and if ``axes`` are not one for each parameter.
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
    axes, own = panels(axes, len(parameters), height=3.1)
    for ax, name in zip(axes, parameters, strict=True):
        points = _plot_comparison(ax, compare(predicted, truth, name), colors, errors=errors)
    if own and points.get_array() is not None:
        bar = axes[0].figure.colorbar(points, ax=axes, pad=0.02, aspect=25)
        bar.set_label("true magnitude [AB]")
        bar.solids.set_alpha(1)
    return axes


def plot_history(history, *, ax=None):
    """Training and validation loss against epoch, with the best epoch marked.

    Parameters
    ----------
    history : dict of sequence
        ``epoch``, ``train_loss`` and ``val_loss``, all of one length.
    ax : `~matplotlib.axes.Axes`, optional
        Where to draw.

    Returns
    -------
    `~matplotlib.axes.Axes`

    Raises
    ------
    ValueError
        If one of the three is missing, they are empty, or they differ in length.
    """
    keys = ("epoch", "train_loss", "val_loss")
    lengths = {key: len(history[key]) if key in history else None for key in keys}
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


def plot_binned_score(table, *, axes=None):
    """Bias and scatter in bins, one panel a parameter.

    Parameters
    ----------
    table : `~astropy.table.Table`
        What `sersicnet.diagnostics.binned_score` returns.
    axes : sequence of `~matplotlib.axes.Axes`, optional
        Where to draw, one for each parameter.

    Returns
    -------
    list of `~matplotlib.axes.Axes`
        One for each parameter.

    Raises
    ------
    ValueError
        If ``axes`` are not one for each parameter.
    """
    parameters = list(dict.fromkeys(table["parameter"]))
    by = table.meta.get("by", "mag")
    axes, _ = panels(axes, len(parameters), height=2.6)
    for ax, name in zip(axes, parameters, strict=True):
        rows = table[table["parameter"] == name]
        lower, upper = (
            np.array(getattr(rows[edge], "value", rows[edge]), dtype=float)
            for edge in ("bin_lower", "bin_upper")
        )
        bias, scatter = np.array(rows["bias"]), np.array(rows["scatter"])
        middle, half = (lower + upper) / 2, (upper - lower) / 2
        ax.axhline(0, color="0.3", lw=0.8)
        ax.bar(middle, 2 * scatter, 2 * half, bias - scatter, color=BLUE, alpha=0.25, label="NMAD")
        ax.errorbar(middle, bias, xerr=half, fmt="o", ms=4, color=BLUE, label="bias")
        if np.any(limit := np.nan_to_num(np.abs(bias) + np.nan_to_num(scatter))):
            ax.set_ylim(-1.35 * limit.max(), 1.35 * limit.max())  # room for the legend
        unit = f" [{rows['unit'][0]}]" if rows["unit"][0] else ""
        ax.set(xlabel=f"true {AXIS_NAMES.get(by, by)}", ylabel=f"error of {rows['label'][0]}{unit}")
    axes[0].legend(frameon=False, fontsize=8, ncols=2)
    return axes


def _plot_comparison(ax, comparison, colors, *, errors):
    """One panel of `plot_predicted_vs_true`; returns the points."""
    scale = (lambda values: 10**values) if comparison.parameter == "r_eff" else np.asarray
    used = np.isfinite(comparison.predicted)
    true, predicted, lower, upper = (
        scale(getattr(comparison, name)[used]) for name in ("truth", "predicted", "lower", "upper")
    )
    points = ax.scatter(
        true,
        predicted,
        s=np.clip(4000 / max(len(true), 1), 3, 20),
        c=BLUE if colors is None else colors[comparison.rows][used],
        **_color_range(colors),
        cmap=None if colors is None else mpl.colormaps["viridis"].with_extremes(bad=BAD_COLOR),
        plotnonfinite=colors is not None,
        alpha=0.7,
        lw=0,
        rasterized=True,
    )
    if errors:
        lengths = np.nan_to_num(np.abs([predicted - lower, upper - predicted]))
        ax.errorbar(true, predicted, lengths, fmt="none", ecolor="0.6", lw=0.6, zorder=0)
    if comparison.parameter == "r_eff":
        ax.set(xscale="log", yscale="log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    _equal_limits(ax, np.concatenate([true, predicted]))
    name = AXIS_NAMES[comparison.parameter]
    ax.set(xlabel=f"true {name}", ylabel=f"predicted {name}", aspect="equal")
    text = f"$R^2$ = {comparison.r2:.3f}\nNMAD = {comparison.scatter:.3g} {comparison.unit}"
    if comparison.n_lost:
        text += f"\n{comparison.n_lost} of {len(comparison.truth)} lost"
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2}
    ax.text(0.04, 0.96, text.rstrip(), transform=ax.transAxes, va="top", fontsize=9, bbox=box)
    return points


def _color_range(colors):
    """The same colors in all panels, also in one of which few galaxies are known."""
    if colors is None or not np.isfinite(colors).any():
        return {}
    return {"vmin": np.nanmin(colors), "vmax": np.nanmax(colors)}


def _equal_limits(ax, values):
    """The same limits on both axes, with a margin, and the line of equality."""
    ax.axline((1, 1), (2, 2), color="black", lw=0.8, zorder=3)
    if values.size == 0:
        return
    transform = ax.xaxis.get_transform()
    low, high = transform.transform(np.array([values.min(), values.max()]))
    margin = 0.04 * (high - low) or 0.5
    limits = transform.inverted().transform(np.array([low - margin, high + margin]))
    ax.set(xlim=limits, ylim=limits)
