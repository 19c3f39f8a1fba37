"""How the universal network compares with imfit and with published fits on real galaxies.

::

    python -m benchmarks.real ../shared/real docs/_static/real

The first directory holds FITS cutouts with their PSFs. Their primary headers have the cards
``REF*`` (published fit) and ``IMF*`` (imfit), as in `sersicnet.cli.demonstration.published_values`.
"""

import numpy as np
from astropy.table import QTable, vstack
from photutils.centroids import centroid_2dg

from benchmarks.common.command import add_weights, make_parser
from benchmarks.common.png import save_small_png
from benchmarks.common.tables import print_table, write_rounded
from sersicnet import SersicNet, decode_flags, read_cutout
from sersicnet.cli.demonstration import published_values
from sersicnet.diagnostics import score_table
from sersicnet.io.weights import weights_path
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
COLUMNS = ("sample", "difference", "label", "n", "bias", "scatter", "rms", "outliers", "coverage")
# Smallest number of galaxies of a survey that are scored on their own.
SMALLEST_SAMPLE = 4
# Galaxies in a figure of residuals.
SHOWN_TOGETHER = 7


def main(arguments=None):
    """Measure the cutouts, and write tables and figures."""
    parser = make_parser(__doc__, "real")
    add_weights(parser)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    names, cutouts = load_cutouts(options.real)
    results = SersicNet.load(weights_path(options.weights)).predict(cutouts, recenter_psf=False)
    measured = results.to_table()
    references = {
        "published": published_values(cutouts),
        "imfit": published_values(cutouts, cards=IMFIT_CARDS),
    }
    _write_galaxies(names, cutouts, measured, references, options.output)
    _write_centers(names, cutouts, measured, references, options.output)
    _write_scores(cutouts, measured, references, options.output)
    _plot_imfit(measured, references["imfit"], options.output / "imfit.png")
    n_figures = -(-len(names) // SHOWN_TOGETHER)
    for part, rows in enumerate(np.array_split(np.arange(len(names)), n_figures)):
        figure = _residuals(results, cutouts, names, rows)
        save_small_png(figure, options.output / f"residuals-{part + 1}.png")


def load_cutouts(folder):
    """Return the names and the cutouts of a directory, those of COSMOS first."""
    cutouts = {path.stem: read_cutout(path) for path in sorted(folder.glob("*.fits"))}
    names = sorted(cutouts, key=lambda name: (_survey(cutouts[name]) != "COSMOS", name))
    return names, [cutouts[name] for name in names]


def _survey(cutout):
    return cutout.meta["SURVEY"]


def samples(cutouts):
    """Return the rows of all cutouts, and of each survey with enough of them.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.CCDData`
        The cutouts.

    Returns
    -------
    dict of (N,) bool `~numpy.ndarray`
    """
    surveys = np.array([_survey(cutout) for cutout in cutouts])
    chosen = {"all": np.ones(len(surveys), bool)}
    for survey in dict.fromkeys(surveys):
        if (surveys == survey).sum() >= SMALLEST_SAMPLE:
            chosen[str(survey)] = surveys == survey
    return chosen


def _write_galaxies(names, cutouts, measured, references, output):
    """Write one line per galaxy: the values of all codes, and flags."""
    table = QTable({"galaxy": names, "survey": [_survey(cutout) for cutout in cutouts]})
    for name in PARAMETERS:
        table[name] = measured[name]
        table[f"{name}_err"] = measured[f"{name}_err"]
        for reference, values in references.items():
            table[f"{name}_{reference}"] = values[name]
    table["flags"] = [" ".join(flags) for flags in decode_flags(measured["flags"])]
    write_rounded(table, output / "galaxies.csv", decimals=2)


def _write_centers(names, cutouts, measured, references, output):
    """Write the centers minus those of imfit, their errors, and the offsets of the PSFs."""
    table = QTable({"galaxy": names})
    for name, axis in (("x_0", 1), ("y_0", 0)):
        table[f"{name} - imfit"] = measured[name] - references["imfit"][name]
        table[f"{name}_err"] = measured[f"{name}_err"]
        offsets = []
        for cutout in cutouts:
            middle = (cutout.psf.shape[axis] - 1) / 2
            offsets.append(centroid_2dg(cutout.psf)[1 - axis] - middle)
        table[f"PSF {name[0]}"] = offsets
    write_rounded(table, output / "centers.csv", decimals=2)


def _write_scores(cutouts, measured, references, output):
    """Write how the three codes differ from each other, pair by pair."""
    pairs = {
        "sersicnet - imfit": (measured, references["imfit"]),
        "sersicnet - published": (measured, references["published"]),
        "imfit - published": (references["imfit"], references["published"]),
    }
    rows = []
    for sample, chosen in samples(cutouts).items():
        for label, (first, second) in pairs.items():
            scores = score_table(first[chosen], second[chosen], parameters=PARAMETERS)
            scores["sample"] = sample
            scores["difference"] = label
            rows.append(scores[scores["n"] >= SMALLEST_SAMPLE][COLUMNS])
    table = vstack(rows)
    write_rounded(table, output / "scores.csv", decimals=3)
    print_table(table)


def _plot_imfit(measured, imfit, path):
    """Draw the measured values against those of imfit."""
    axes = plot_predicted_vs_true(
        measured, imfit, parameters=PARAMETERS, errors=True, reference="imfit"
    )
    axes[0].figure.savefig(path, dpi=110)


def _residuals(results, cutouts, names, rows):
    """Draw image, model and residual of some galaxies, with their flags."""
    shown = [cutouts[i] for i in rows]
    flags = decode_flags(results.flags[rows])
    labels = ["\n".join([names[i], *found]) for i, found in zip(rows, flags, strict=True)]
    axes = plot_residuals(shown, results[rows], labels=labels)
    return axes[0, 0].figure


if __name__ == "__main__":
    main()
