"""How simulated galaxies look, and how exact GalSim draws them: without a trained network.

::

    python -m benchmarks.figures mosaic       # docs/_static/mosaic.png
    python -m benchmarks.figures accuracy     # docs/_static/accuracy.csv, some minutes
"""

import csv
import time

import numpy as np
from matplotlib.figure import Figure

from benchmarks.common.command import make_parser
from benchmarks.common.png import save_small_png
from sersicnet.plotting import plot_mosaic
from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, render_catalog

# Unit and format of each column of the truth in the figure.
COLUMNS = {
    "mag": ("AB", "{:.2f}"),
    "r_eff": ("arcsec", "{:.2f}"),
    "n": ("", "{:.2f}"),
    "q": ("", "{:.2f}"),
    "theta": ("deg", "{:.0f}"),
    "size": ("pix", "{:d}"),
}
ACCURACY_COLUMNS = (
    "survey",
    "folding_threshold",
    "ms",
    "flux, mean",
    "flux, max",
    "peak, max",
    "sigma, mean",
    "sigma, max",
)


def main(arguments=None):
    """Make one figure or table."""
    parser = make_parser(__doc__, choices=tuple(_MAKE), default_output="docs/_static")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    print("wrote", _MAKE[options.name](options.output))


def make_mosaic(folder, *, n=24, seed=11):
    """Draw galaxies of ``candels_f160w`` from bright to faint, with their true values.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Directory to write to.
    n : int
        Number of galaxies.
    seed : int
        Seed of the galaxies.

    Returns
    -------
    `~pathlib.Path`
        The PNG file.
    """
    config = SimulationConfig.candels_f160w()
    catalog = draw_catalog(n, config, seed=seed)
    catalog.sort("mag")
    cutouts = list(render_catalog(catalog, config, seed=seed))
    figure = Figure(figsize=(12.2, 5.8), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.9, 1))
    names = [str(i) for i in range(1, n + 1)]
    plot_mosaic(cutouts, labels=names, n_columns=6, figure=left)
    _draw_table(right.subplots(), catalog, names)
    path = folder / "mosaic.png"
    save_small_png(figure, path, dpi=100, colors=256)
    return path


def _draw_table(ax, catalog, names):
    """Draw the true values as a table that fills the axes."""
    ax.set_axis_off()
    columns = []
    for name, (unit, text) in COLUMNS.items():
        values = [text.format(getattr(value, "value", value)) for value in catalog[name]]
        columns.append([unit, *values])
    table = ax.table(
        list(zip(*columns, strict=True)),
        rowLabels=["", *names],
        colLabels=list(COLUMNS),
        cellLoc="right",
        bbox=(0.06, 0, 0.94, 1),
        edges="horizontal",
    )
    table.auto_set_font_size(False)
    table.set_fontsize(9)
    for (row, _), cell in table.get_celld().items():
        cell.set_edgecolor("white" if row == 0 else "0.88")
        cell.set_text_props(ha="right", color="0.4" if row == 1 else "black")


def make_accuracy(folder, *, n=100, seed=7):
    """Measure the time and the error of several values of GalSim's ``folding_threshold``.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Directory to write to.
    n : int
        Number of galaxies of each survey.
    seed : int
        Seed of the galaxies.

    Returns
    -------
    `~pathlib.Path`
        The CSV file.
    """
    presets = (
        (SimulationConfig.candels_f160w(), 5e-4, (2e-2, 5e-3, 2e-3)),
        (SimulationConfig.cosmos_f814w(), 2e-3, (2e-2, 1e-2, 5e-3)),
    )
    rows = []
    for config, reference, thresholds in presets:
        catalog = draw_catalog(n, config.replace(stamp_size=(128, 128)), seed=seed)
        exact, seconds = _render(catalog, config, reference)
        rows.append([config.name, f"{reference:g}", round(1e3 * seconds / n), *[""] * 5])
        for threshold in thresholds:
            images, seconds = _render(catalog, config, threshold)
            errors = [f"{error:.1g}" for error in _errors(images, exact)]
            rows.append([config.name, f"{threshold:g}", round(1e3 * seconds / n), *errors])
    path = folder / "accuracy.csv"
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([ACCURACY_COLUMNS, *rows])
    return path


def _render(catalog, config, threshold):
    """Return the images without noise, and the CPU seconds."""
    config = config.replace(folding_threshold=threshold)
    start = time.process_time()
    images = list(render_catalog(catalog, config, seed=0, noise=False))
    return images, time.process_time() - start


def _errors(images, exact):
    """Compare images with exact ones.

    Returns
    -------
    tuple of 5 float
        Mean and largest relative error of the flux; largest error of a pixel relative to the peak;
        mean and largest of the largest error of a pixel in units of its noise.
    """
    flux = []
    peak = []
    sigma = []
    for image, other in zip(images, exact, strict=True):
        difference = image.data - other.data
        flux.append(difference.sum() / other.data.sum())
        peak.append(np.abs(difference).max() / other.data.max())
        sigma.append(np.abs(difference / other.uncertainty.array).max())
    flux = np.abs(flux)
    return np.mean(flux), np.max(flux), np.max(peak), np.mean(sigma), np.max(sigma)


_MAKE = {"mosaic": make_mosaic, "accuracy": make_accuracy}

if __name__ == "__main__":
    main()
