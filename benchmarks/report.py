"""A picture of the page of ``sersicnet report``, and what a page of 5,000 galaxies costs.

::

    python -m benchmarks.report --picture     # docs/_static/report.png, with Chromium
    python -m benchmarks.report               # docs/_static/report.csv

Galaxies are simulated as HST would see them in F160W and measured with the universal weights.
For the cost the same galaxies are repeated.
"""

import argparse
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack

from sersicnet import SersicNet
from sersicnet.report.write import write_report
from sersicnet.simulate_catalog.catalog import draw_catalog
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog

N_LARGE = 5_000
WIDTH, HEIGHT = 1500, 1380


def main(arguments=None):
    """Write the picture or the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=250, help="galaxies that are simulated")
    parser.add_argument("--picture", action="store_true", help="instead of the cost")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/_static"))
    options = parser.parse_args(arguments)
    config = SimulationConfig.candels_f160w()
    truth = draw_catalog(options.n, config, seed=5)
    truth.sort("mag")  # the page opens the first
    cutouts = list(render_catalog(truth, config, seed=5))
    results = SersicNet.from_pretrained().predict(cutouts)
    if options.picture:
        draw_picture(results, truth, cutouts, options.output / "report.png")
    else:
        table = cost_table(results.to_table(), truth, cutouts)
        print(*table.pformat(max_width=-1), sep="\n")
        table.write(options.output / "report.csv", overwrite=True)


def draw_picture(results, truth, cutouts, path):
    """The page as Chromium draws it."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        write_report(results, page, truth=truth, cutouts=cutouts, title="Simulated galaxies")
        window = f"--window-size={WIDTH},{HEIGHT}"
        waiting = "--virtual-time-budget=20000"
        options = ["--headless=new", "--no-sandbox", "--hide-scrollbars", window, waiting]
        picture = f"--screenshot={path.resolve()}"
        subprocess.run([shutil.which("chromium"), *options, picture, page.as_uri()], check=True)


def cost_table(catalog, truth, cutouts):
    """CPU seconds and size of a large page, without and with images."""
    times = -(-N_LARGE // len(catalog))
    catalog, truth = (
        vstack([table] * times, metadata_conflicts="silent")[:N_LARGE] for table in (catalog, truth)
    )
    catalog["id"] = np.arange(N_LARGE)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, images in (("catalog", None), ("and images", (cutouts * times)[:N_LARGE])):
            start = time.process_time()
            page = write_report(catalog, Path(folder) / "page.html", truth=truth, cutouts=images)
            seconds = time.process_time() - start
            rows.append((name, round(seconds, 1), round(page.stat().st_size / 1e6, 1)))
    return Table(rows=rows, names=("page", "CPU seconds", "MB"))


if __name__ == "__main__":
    main()
