"""Figures and tables of the documentation that need no trained network.

::

    python -m benchmarks.figures mosaic       # docs/_static/mosaic.png
    python -m benchmarks.figures accuracy     # docs/_static/accuracy.csv, some minutes
"""

import argparse
import csv
import time
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from sersicnet.plotting import plot_mosaic
from sersicnet.simulate_catalog.catalog import draw_catalog
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog

# How the figure writes a column of the truth: unit and format.
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=("mosaic", "accuracy"))
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/_static"))
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    make = {"mosaic": make_mosaic, "accuracy": make_accuracy}[options.name]
    print("wrote", make(options.output))


def make_mosaic(folder, *, n=24, seed=11):
    """Galaxies of ``candels_f160w`` from bright to faint, beside their truth."""
    config = SimulationConfig.candels_f160w()
    catalog = draw_catalog(n, config, seed=seed)
    catalog.sort("mag")
    cutouts = list(render_catalog(catalog, config, seed=seed))
    figure = Figure(figsize=(12.2, 5.8), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.9, 1))
    names = [str(i) for i in range(1, n + 1)]
    plot_mosaic(cutouts, labels=names, n_columns=6, figure=left)
    _draw_table(right.subplots(), catalog, names)
    buffer = BytesIO()
    figure.savefig(buffer, dpi=100)
    # noise does not compress: 256 colors make the file four times smaller
    image = Image.open(buffer).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    image.save(folder / "mosaic.png", optimize=True)
    return folder / "mosaic.png"


def _draw_table(ax, catalog, names):
    """The truth as a table that fills the axes."""
    ax.set_axis_off()
    columns = [
        [unit, *(text.format(_plain(value)) for value in catalog[name])]
        for name, (unit, text) in COLUMNS.items()
    ]
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


def _plain(value):
    return getattr(value, "value", value)


def make_accuracy(folder, *, n=100, seed=7):
    """What GalSim's ``folding_threshold`` costs in time and in error."""
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
    with (folder / "accuracy.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([ACCURACY_COLUMNS, *rows])
    return folder / "accuracy.csv"


def _render(catalog, config, threshold):
    config = config.replace(folding_threshold=threshold)
    start = time.process_time()
    images = list(render_catalog(catalog, config, seed=0, noise=False))
    return images, time.process_time() - start


def _errors(images, exact):
    """Mean and largest relative error of the flux; of the peak; in sigma of a pixel."""
    flux, peak, sigma = [], [], []
    for image, other in zip(images, exact, strict=True):
        difference = image.data - other.data
        flux.append(difference.sum() / other.data.sum())
        peak.append(np.abs(difference).max() / other.data.max())
        sigma.append(np.abs(difference / other.uncertainty.array).max())
    flux = np.abs(flux)
    return np.mean(flux), np.max(flux), np.max(peak), np.mean(sigma), np.max(sigma)


if __name__ == "__main__":
    main()
