"""Figures of simulated fields: errors against magnitude, and a piece with what is left of it."""

from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.common.field_scores import PARAMETERS
from sersicnet.diagnostics.comparison import compare

# Of predicted minus true.
LIMITS = {"mag": 0.6, "r_eff": 0.5, "n": 2.5, "q": 0.6}
COLORS = ("#0072B2", "#009E73", "#D55E00")  # of Okabe & Ito, as in sersicnet's own figures
EDGES = np.arange(19.0, 26.6, 0.5)
FEWEST = 10  # galaxies of which quartiles are shown
PIECE, SEEN = 300, 24.0  # pixels on a side, faintest magnitude that counts


def plot_errors(scenes, measured, path, *, codes):
    """Errors of all galaxies that all codes have found, with their quartiles."""
    figure = Figure(figsize=(10, 11), layout="constrained")
    axes = figure.subplots(len(PARAMETERS), len(scenes), sharex=True, squeeze=False)
    for column, (name, scene) in zip(axes.T, scenes.items(), strict=True):
        parts = {code: measured[name][code] for code in codes}
        both = np.all([part.match >= 0 for part in parts.values()], axis=0)
        both &= np.asarray(scene.truth["r_eff"]) > 0
        truth = scene.truth[both]
        column[0].set_title(f"{name}: {len(truth)} galaxies")
        for ax, parameter in zip(column, PARAMETERS, strict=True):
            for (code, part), color in zip(parts.items(), COLORS, strict=True):
                comparison = compare(part.table[part.match[both]], truth, parameter)
                _draw_errors(ax, np.asarray(truth["mag"]), comparison.error, color, code)
            limit = LIMITS[parameter]
            ax.set(ylim=(-limit, limit), ylabel=f"error of {comparison.label}")
            ax.axhline(0, color="0.3", lw=0.8)
        column[-1].set(xlabel="true magnitude", xlim=(19, 26.5))
    axes[0, 0].legend(loc="lower left", ncols=len(codes))
    _save(figure, path)


def _draw_errors(ax, mag, error, color, label):
    ax.plot(mag, error, ".", ms=2, color=color, alpha=0.25)
    number, middles, quartiles = np.digitize(mag, EDGES), [], []
    for index in range(1, len(EDGES)):
        inside = error[(number == index) & np.isfinite(error)]
        if len(inside) >= FEWEST:
            middles.append((EDGES[index - 1] + EDGES[index]) / 2)
            quartiles.append(np.percentile(inside, (25, 50, 75)))
    lower, median, upper = np.transpose(quartiles) if quartiles else 3 * [[]]
    ax.plot(middles, median, color=color, lw=2, label=label)
    for line in (lower, upper):
        ax.plot(middles, line, color=color, lw=1, ls="--")


def plot_piece(scenes, measured, path, *, codes):
    """A piece of each field, and what each code leaves over."""
    figure = Figure(figsize=(13, 6.7), layout="constrained")
    axes = figure.subplots(len(scenes), 1 + len(codes), squeeze=False)
    for row, (name, scene) in zip(axes, scenes.items(), strict=True):
        data, noise = scene.image.data, np.median(scene.image.uncertainty.array)
        residuals = {code: measured[name][code].residual for code in codes}
        pictures = {name: data} | {f"residual: {code}": part for code, part in residuals.items()}
        box = _crowded(scene.truth, len(data))
        for ax, (title, picture) in zip(row, pictures.items(), strict=True):
            piece = np.arcsinh(picture[box] / noise / 3)
            ax.imshow(piece, origin="lower", cmap="gray_r", vmin=-2, vmax=5)
            ax.set(title=title, xticks=[], yticks=[])
    _save(figure, path)


def _crowded(truth, side):
    """The piece with most sources that are easily seen."""
    edges = np.arange(0, side + 1, PIECE)
    bright = truth[truth["mag"] < SEEN]
    counts, *_ = np.histogram2d(bright["y_0"], bright["x_0"], bins=(edges, edges))
    starts = edges[np.array(np.unravel_index(counts.argmax(), counts.shape))]
    return tuple(slice(start, start + PIECE) for start in starts)


def _save(figure, path):
    """Noise does not compress: 128 colors make the file four times smaller."""
    buffer = BytesIO()
    figure.savefig(buffer, dpi=90)
    image = Image.open(buffer).convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE)
    image.save(path, optimize=True)
