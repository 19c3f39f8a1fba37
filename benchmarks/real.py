"""Real galaxies: the universal network beside imfit and published fits.

::

    python -m benchmarks.real ../shared/real docs/_static/real

The first directory holds FITS cutouts with their PSFs, whose primary headers have the cards
``REF*`` (published fit) and ``IMF*`` (imfit), as in `sersicnet.cli.demo.published_values`.
"""

from io import BytesIO

import numpy as np
from astropy.table import QTable, vstack
from photutils.centroids import centroid_2dg
from PIL import Image

from benchmarks.common.command import add_weights, parser_of
from benchmarks.common.tables import write_rounded
from sersicnet import SersicNet
from sersicnet.cli.demonstration import published_values
from sersicnet.diagnostics.scores import score_table
from sersicnet.flags import decode_flags
from sersicnet.io.cutouts import read_cutout
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
# Fewer galaxies of one survey are not scored on their own.
SMALLEST_SAMPLE = 4
SHOWN_TOGETHER = 7


def main(arguments=None):
    """Measure the cutouts, and write tables and figures."""
    parser = parser_of(__doc__, "real")
    add_weights(parser)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    names, cutouts = load_cutouts(options.real)
    results = SersicNet.load(weights_path(options.weights)).predict(cutouts)
    measured = results.to_table()
    references = {
        "published": published_values(cutouts),
        "imfit": published_values(cutouts, cards=IMFIT_CARDS),
    }
    _write_galaxies(names, cutouts, measured, references, options.output)
    _write_centers(names, cutouts, measured, references, options.output)
    _write_scores(cutouts, measured, references, options.output)
    axes = plot_predicted_vs_true(
        measured, references["imfit"], parameters=PARAMETERS, errors=True, reference="imfit"
    )
    axes[0].figure.savefig(options.output / "imfit.png", dpi=110)
    n_figures = -(-len(names) // SHOWN_TOGETHER)
    for part, rows in enumerate(np.array_split(np.arange(len(names)), n_figures)):
        figure = _residuals(results, cutouts, names, rows)
        _save_small(figure, options.output / f"residuals-{part + 1}.png")


def load_cutouts(folder):
    """Names and cutouts, survey by survey."""
    cutouts = {path.stem: read_cutout(path) for path in sorted(folder.glob("*.fits"))}
    names = sorted(cutouts, key=lambda name: (_survey(cutouts[name]) != "COSMOS", name))
    return names, [cutouts[name] for name in names]


def _survey(cutout):
    return cutout.meta["SURVEY"]


def samples(cutouts):
    """All cutouts, and those of each survey that has enough, as bool arrays."""
    surveys = np.array([_survey(cutout) for cutout in cutouts])
    chosen = {"all": np.ones(len(surveys), bool)}
    for survey in dict.fromkeys(surveys):
        if (surveys == survey).sum() >= SMALLEST_SAMPLE:
            chosen[str(survey)] = surveys == survey
    return chosen


def _write_galaxies(names, cutouts, measured, references, output):
    """One line a galaxy: ours, imfit's, the published values, flags."""
    table = QTable({"galaxy": names, "survey": [_survey(cutout) for cutout in cutouts]})
    for name in PARAMETERS:
        table[name], table[f"{name}_err"] = measured[name], measured[f"{name}_err"]
        for reference, values in references.items():
            table[f"{name}_{reference}"] = values[name]
    table["flags"] = [" ".join(flags) for flags in decode_flags(measured["flags"])]
    write_rounded(table, output / "galaxies.csv", decimals=2)


def _write_centers(names, cutouts, measured, references, output):
    """Centers less those of imfit, their errors, and how far the PSF is off its own middle."""
    table = QTable({"galaxy": names})
    for name, axis in (("x_0", 1), ("y_0", 0)):
        table[f"{name} - imfit"] = measured[name] - references["imfit"][name]
        table[f"{name}_err"] = measured[f"{name}_err"]
        offsets = [centroid_2dg(c.psf)[1 - axis] - (c.psf.shape[axis] - 1) / 2 for c in cutouts]
        table[f"PSF {name[0]}"] = offsets
    write_rounded(table, output / "centers.csv", decimals=2)


def _write_scores(cutouts, measured, references, output):
    """Bias, scatter and outliers against both references, and theirs against each other."""
    pairs = {
        "sersicnet - imfit": (measured, references["imfit"]),
        "sersicnet - published": (measured, references["published"]),
        "imfit - published": (references["imfit"], references["published"]),
    }
    rows = []
    for sample, chosen in samples(cutouts).items():
        for label, (first, second) in pairs.items():
            scores = score_table(first[chosen], second[chosen], parameters=PARAMETERS)
            scores["sample"], scores["difference"] = sample, label
            rows.append(scores[scores["n"] >= SMALLEST_SAMPLE][COLUMNS])
    table = vstack(rows)
    write_rounded(table, output / "scores.csv", decimals=3)
    print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")


def _residuals(results, cutouts, names, rows):
    """Image, model and residual of some galaxies, with their flags."""
    models = [results.model_image(i, cutouts[i]) for i in rows]
    flags = decode_flags(results.flags[rows])
    labels = ["\n".join([names[i], *found]) for i, found in zip(rows, flags, strict=True)]
    axes = plot_residuals([cutouts[i] for i in rows], models, labels=labels)
    return axes[0, 0].figure


def _save_small(figure, path):
    """Noise does not compress: 128 colors make the file four times smaller."""
    buffer = BytesIO()
    figure.savefig(buffer, dpi=100)
    image = Image.open(buffer).convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE)
    image.save(path, optimize=True)


if __name__ == "__main__":
    main()
