"""Real galaxies: the shipped network for COSMOS beside imfit and published fits.

::

    python -m benchmarks.real ../shared/real docs/_static/real

The first directory holds FITS cutouts whose primary headers have the cards
``REF*`` (published fit) and ``IMF*`` (imfit), as in `sersicnet.demo.published_values`.
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.table import QTable, vstack
from photutils.centroids import centroid_2dg

from benchmarks.tables import write_rounded
from sersicnet import SersicNet
from sersicnet.cutouts import read_cutout
from sersicnet.demo import published_values
from sersicnet.diagnostics import score_table
from sersicnet.flags import decode_flags
from sersicnet.plotting import plot_predicted_vs_true, plot_residuals

IMFIT_CARDS = {
    "mag": "IMFMAG",
    "r_eff": "IMFRE",
    "n": "IMFN",
    "q": "IMFQ",
    "theta": "IMFTHETA",
    "x_0": "IMFX",
    "y_0": "IMFY",
}
PARAMETERS = ("mag", "r_eff", "n", "q")
COLUMNS = ("difference", "label", "n", "bias", "scatter", "rms", "outliers", "coverage")


def main(arguments=None):
    """Measure the HST cutouts, and write tables and figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--weights", default="cosmos")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    cutouts = load_hst(options.real)
    names, cutouts = list(cutouts), list(cutouts.values())
    results = SersicNet.from_pretrained(options.weights).predict(cutouts)
    measured = results.to_table()
    references = {
        "published": published_values(cutouts),
        "imfit": published_values(cutouts, cards=IMFIT_CARDS),
    }
    _write_galaxies(names, measured, references, options.output)
    _write_centres(names, cutouts, measured, references, options.output)
    _write_scores(cutouts, measured, references, options.output)
    cosmos = _is_cosmos(cutouts)
    axes = plot_predicted_vs_true(
        measured[cosmos], references["imfit"][cosmos], parameters=PARAMETERS, errors=True
    )
    axes[0].figure.savefig(options.output / "imfit.png", dpi=110)
    for part, rows in enumerate(np.array_split(np.arange(len(names)), 3)):
        figure = _residuals(results, cutouts, names, rows)
        figure.savefig(options.output / f"residuals-{part + 1}.png", dpi=100)


def load_hst(folder):
    """The cutouts of HST, by name."""
    cutouts = {path.stem: read_cutout(path) for path in sorted(folder.glob("*.fits"))}
    return {k: v for k, v in cutouts.items() if v.meta["INSTRUME"].startswith("HST")}


def _is_cosmos(cutouts):
    """Which cutouts have the pixel scale and PSF that the network was trained for."""
    return np.array([cutout.meta["SURVEY"] == "COSMOS" for cutout in cutouts])


def _write_galaxies(names, measured, references, output):
    """One line a galaxy: ours, imfit's, the published values, flags."""
    table = QTable({"galaxy": names})
    for name in PARAMETERS:
        table[name], table[f"{name}_err"] = measured[name], measured[f"{name}_err"]
        for reference, values in references.items():
            table[f"{name}_{reference}"] = values[name]
    table["flags"] = [" ".join(flags) for flags in decode_flags(measured["flags"])]
    write_rounded(table, output / "galaxies.csv", decimals=2)


def _write_centres(names, cutouts, measured, references, output):
    """Centres less those of imfit, their errors, and how far the PSF is off its own middle."""
    table = QTable({"galaxy": names})
    for name, axis in (("x_0", 1), ("y_0", 0)):
        table[f"{name} - imfit"] = measured[name] - references["imfit"][name]
        table[f"{name}_err"] = measured[f"{name}_err"]
        offsets = [centroid_2dg(c.psf)[1 - axis] - (c.psf.shape[axis] - 1) / 2 for c in cutouts]
        table[f"PSF {name[0]}"] = offsets
    write_rounded(table, output / "centres.csv", decimals=2)


def _write_scores(cutouts, measured, references, output):
    """Bias, scatter and outliers against both references, and theirs against each other."""
    pairs = {
        "sersicnet - imfit": (measured, references["imfit"]),
        "sersicnet - published": (measured, references["published"]),
        "imfit - published": (references["imfit"], references["published"]),
    }
    rows, cosmos = [], _is_cosmos(cutouts)
    for label, (first, second) in pairs.items():
        scores = score_table(first[cosmos], second[cosmos], parameters=PARAMETERS)
        scores.add_column([label] * len(scores), name="difference", index=0)
        rows.append(scores[COLUMNS])
    table = vstack(rows)
    write_rounded(table, output / "scores.csv", decimals=3)
    print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")


def _residuals(results, cutouts, names, rows):
    models = [results.model_image(i, cutouts[i]) for i in rows]
    axes = plot_residuals([cutouts[i] for i in rows], models, labels=[names[i] for i in rows])
    return axes[0, 0].figure


if __name__ == "__main__":
    main()
