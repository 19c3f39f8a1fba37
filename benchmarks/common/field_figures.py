"""Figures of simulated fields: errors against magnitude, and residuals of a part of the image."""

import numpy as np
from matplotlib.figure import Figure

from benchmarks.common.field_scores import PARAMETERS
from benchmarks.common.png import save_small_png
from sersicnet.diagnostics import compare

# Limits of the axes of the errors, measured minus true.
LIMITS = {"mag": 0.6, "r_eff": 0.5, "n": 2.5, "q": 0.6}
# Colors of Okabe & Ito, as in sersicnet's own figures.
COLORS = ("#0072B2", "#009E73", "#D55E00")
EDGES = np.arange(19.0, 26.6, 0.5)
# Smallest number of galaxies whose quartiles are drawn.
FEWEST = 10
# Side of the part of a field that is shown, in pixels.
PIECE = 300
# Faintest magnitude of the sources by which that part is chosen.
SEEN = 24.0


def plot_errors(scenes, measured, path, *, codes):
    """Draw the errors of the galaxies that all codes have found, with their quartiles.

    Parameters
    ----------
    scenes : dict of str to `benchmarks.sets.fields.Scene`
        Fields by their names.
    measured : dict of str to dict of str to `benchmarks.field.Measured`
        Measurements by field and code.
    path : `~pathlib.Path`
        PNG file to write.
    codes : sequence of str
        Codes to compare.
    """
    figure = Figure(figsize=(10, 11), layout="constrained")
    axes = figure.subplots(len(PARAMETERS), len(scenes), sharex=True, squeeze=False)
    for column, (name, scene) in zip(axes.T, scenes.items(), strict=True):
        parts = {code: measured[name][code] for code in codes}
        _draw_field(column, name, scene.truth, parts)
    axes[0, 0].legend(loc="lower left", ncols=len(codes))
    save_small_png(figure, path, dpi=90)


def _draw_field(axes, name, truth, parts):
    """Draw the errors of one field, one panel per parameter."""
    both = np.all([part.match >= 0 for part in parts.values()], axis=0)
    both &= np.asarray(truth["r_eff"]) > 0
    truth = truth[both]
    axes[0].set_title(f"{name}: {len(truth)} galaxies")
    for ax, parameter in zip(axes, PARAMETERS, strict=True):
        for (code, part), color in zip(parts.items(), COLORS, strict=True):
            comparison = compare(part.table[part.match[both]], truth, parameter)
            _draw_errors(ax, np.asarray(truth["mag"]), comparison.error, color, code)
        limit = LIMITS[parameter]
        label = f"error of {comparison.label}"
        if comparison.unit:
            label = f"{label} [{comparison.unit}]"
        ax.set(ylim=(-limit, limit), ylabel=label)
        ax.axhline(0, color="0.3", lw=0.8)
    axes[-1].set(xlabel="true magnitude [AB]", xlim=(19, 26.5))


def _draw_errors(ax, mag, error, color, label):
    ax.plot(mag, error, ".", ms=2, color=color, alpha=0.25)
    number = np.digitize(mag, EDGES)
    middles = []
    quartiles = []
    for index in range(1, len(EDGES)):
        inside = error[(number == index) & np.isfinite(error)]
        if len(inside) >= FEWEST:
            middles.append((EDGES[index - 1] + EDGES[index]) / 2)
            quartiles.append(np.percentile(inside, (25, 50, 75)))
    lower, median, upper = np.reshape(quartiles, (len(middles), 3)).T
    ax.plot(middles, median, color=color, lw=2, label=label)
    for line in (lower, upper):
        ax.plot(middles, line, color=color, lw=1, ls="--")


def plot_piece(scenes, measured, path, *, codes):
    """Draw a part of each field, and its residual by each code.

    Parameters
    ----------
    scenes, measured, path, codes
        As in `plot_errors`.
    """
    figure = Figure(figsize=(13, 6.7), layout="constrained")
    axes = figure.subplots(len(scenes), 1 + len(codes), squeeze=False)
    for row, (name, scene) in zip(axes, scenes.items(), strict=True):
        data = scene.image.data
        noise = np.median(scene.image.uncertainty.array)
        images = {name: data}
        for code in codes:
            images[f"residual: {code}"] = measured[name][code].residual
        box = _crowded(scene.truth, len(data))
        for ax, (title, image) in zip(row, images.items(), strict=True):
            stretched = np.arcsinh(image[box] / noise / 3)
            ax.imshow(stretched, origin="lower", cmap="gray_r", vmin=-2, vmax=5)
            ax.set(title=title, xticks=[], yticks=[])
    save_small_png(figure, path, dpi=90)


def _crowded(truth, side):
    """Return the slices of the part with the most bright sources."""
    edges = np.arange(0, side + 1, PIECE)
    bright = truth[truth["mag"] < SEEN]
    counts, *_ = np.histogram2d(bright["y_0"], bright["x_0"], bins=(edges, edges))
    row, column = np.unravel_index(counts.argmax(), counts.shape)
    top = edges[row]
    left = edges[column]
    return slice(top, top + PIECE), slice(left, left + PIECE)
