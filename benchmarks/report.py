"""How much a page of 5,000 galaxies by ``sersicnet report`` costs, and a picture of a page.

::

    python -m benchmarks.report               # docs/_static/report.csv
    python -m benchmarks.report --picture     # docs/_static/report.png, needs Chromium

The galaxies are simulated in HST's filter F160W and measured with the universal weights. The same
galaxies are repeated to measure the cost.
"""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from benchmarks.common.command import add_count, make_parser
from benchmarks.common.tables import print_table
from sersicnet import SersicNet
from sersicnet.report import write_report
from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, render_catalog

# Galaxies of the page whose cost is measured.
N_LARGE = 5_000
# Size of the picture, in pixels.
WIDTH = 1500
HEIGHT = 1380


def main(arguments=None):
    """Write the table or the picture."""
    parser = make_parser(__doc__, default_output="docs/_static")
    add_count(parser, "simulated galaxies", default=250)
    parser.add_argument("--picture", action="store_true", help="write the picture, not the table")
    options = parser.parse_args(arguments)
    if options.picture and shutil.which("chromium") is None:
        parser.error("the program chromium is not installed")
    config = SimulationConfig.candels_f160w()
    truth = draw_catalog(options.n, config, seed=5)
    # The page shows the first galaxy, the brightest one.
    truth.sort("mag")
    cutouts = list(render_catalog(truth, config, seed=5))
    results = SersicNet.from_pretrained().predict(cutouts)
    if options.picture:
        draw_picture(results, truth, cutouts, options.output / "report.png")
    else:
        table = cost_table(results.to_table(), truth, cutouts)
        print_table(table)
        table.write(options.output / "report.csv", overwrite=True)


def draw_picture(results, truth, cutouts, path):
    """Write a page, and its picture by Chromium.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        Results of the galaxies.
    truth : `~astropy.table.QTable`
        True values.
    cutouts : list of `~astropy.nddata.CCDData`
        Images.
    path : `~pathlib.Path`
        PNG file to write.
    """
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        write_report(results, page, truth=truth, cutouts=cutouts, title="Simulated galaxies")
        command = [
            shutil.which("chromium"),
            "--headless=new",
            "--no-sandbox",
            "--hide-scrollbars",
            f"--window-size={WIDTH},{HEIGHT}",
            "--virtual-time-budget=20000",
            f"--screenshot={path.resolve()}",
            page.as_uri(),
        ]
        subprocess.run(command, check=True)


def cost_table(catalog, truth, cutouts):
    """Return the CPU seconds and the size of a large page, without and with images.

    Parameters
    ----------
    catalog, truth : `~astropy.table.QTable`
        Measured and true values.
    cutouts : list of `~astropy.nddata.CCDData`
        Images.

    Returns
    -------
    `~astropy.table.Table`
        One row per page.
    """
    times = -(-N_LARGE // len(catalog))
    catalog = _repeat(catalog, times)
    catalog["id"] = np.arange(N_LARGE)
    truth = _repeat(truth, times)
    truth["id"] = catalog["id"]
    images = (cutouts * times)[:N_LARGE]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        for name, shown in (("catalog", None), ("catalog and images", images)):
            start = time.process_time()
            page = write_report(catalog, path, truth=truth, cutouts=shown)
            seconds = time.process_time() - start
            rows.append((name, round(seconds, 1), round(page.stat().st_size / 1e6, 1)))
    return Table(rows=rows, names=("page", "CPU seconds", "MB"))


def _repeat(table, times):
    return vstack([table] * times, metadata_conflicts="silent")[:N_LARGE]


if __name__ == "__main__":
    main()
