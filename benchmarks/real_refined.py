"""How good the fits of real galaxies are: chi2 of our models, of imfit's and of published ones.

::

    python -m benchmarks.real_refined ../shared/real docs/_static/refinement

All models are rendered in the same way on the same pixels, each with its best-fitting sky. Where a
publication does not give the center or the angle, ours is taken.
"""

import numpy as np
import torch
from astropy.table import QTable, Table

from benchmarks.common.command import make_parser
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.real import IMFIT_CARDS, load_cutouts, samples
from benchmarks.real import PARAMETERS as FOUR
from sersicnet import SersicNet, decode_flags
from sersicnet.cli.demonstration import published_values
from sersicnet.diagnostics import score_table
from sersicnet.model import StampLikelihood, psf_transform
from sersicnet.model.labels import N_LABELS, stack_labels
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing import prepare

SEVEN = tuple(PARAMETERS)
# Parameters that a publication may lack.
COMPLETED = ("theta", "x_0", "y_0")
# Relative difference of chi2 per degree of freedom below which two fits are equally good.
TOLERANCE = 1e-3


def main(arguments=None):
    """Fit the cutouts, and write the tables."""
    parser = make_parser(__doc__, "real")
    options = parser.parse_args(arguments)
    names, cutouts = load_cutouts(options.real)
    net = SersicNet.from_pretrained()
    imfit = published_values(cutouts, cards=IMFIT_CARDS)
    stages = {
        "network": net.predict(cutouts, recenter_psf=False).to_table(),
        "lm": net.predict(cutouts, refine="lm", recenter_psf=False).to_table(),
        "importance": net.predict(cutouts, refine="importance", recenter_psf=False).to_table(),
    }
    models = {**stages, "imfit": imfit, "published": published_values(cutouts)}
    table = QTable({"galaxy": names})
    for name, fitted in models.items():
        table[name] = reduced_chi2(cutouts, _complete(fitted, stages["lm"]))
    table["flags"] = [" ".join(part) for part in decode_flags(stages["lm"]["flags"])]
    write_rounded(table, options.output / "real_chi2.csv", decimals=4)
    summary = _compared(table)
    write_rounded(summary, options.output / "real_chi2_summary.csv", decimals=3)
    scores = _scores(stages, imfit, cutouts)
    write_rounded(scores, options.output / "real_scores.csv", decimals=3)
    for part in (table, summary, scores):
        print_table(part)


def _complete(fitted, ours):
    """Return the values of all seven parameters by name, ours where a publication has none."""
    values = {}
    for name in SEVEN:
        own = _filled(ours[name])
        if name not in list(fitted.keys()):
            values[name] = own
            continue
        values[name] = _filled(fitted[name])
        if name in COMPLETED:
            missing = np.isnan(values[name])
            values[name] = np.where(missing, own, values[name])
    return values


def _filled(column):
    """Return a column as floats, NaN where it is masked."""
    return np.ma.filled(np.ma.asarray(getattr(column, "value", column), float), np.nan)


def reduced_chi2(cutouts, values):
    """Return chi2 per degree of freedom of each model, with the sky fitted.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.CCDData`
        The galaxies.
    values : dict of (N,) `~numpy.ndarray`
        All seven parameters of each model.

    Returns
    -------
    (N,) `~numpy.ndarray`
        NaN where a parameter is NaN.
    """
    stamps = prepare(cutouts)
    labels = torch.from_numpy(stack_labels(stamps.frame.to_labels(values, SEVEN)))
    reduced = np.full(len(cutouts), np.nan)
    for row, cutout in enumerate(cutouts):
        if not torch.isfinite(labels[row]).all():
            continue
        data = torch.from_numpy(stamps.data[[row]]).double()
        weight = torch.from_numpy(stamps.weight[[row]]).double()
        psf = torch.from_numpy(np.asarray(cutout.psf, float) / np.sum(cutout.psf))
        likelihood = StampLikelihood(data, weight, psf_transform(psf, data.shape[-1]))
        chi2 = float(likelihood.chi2(labels[[row]]))
        reduced[row] = chi2 / (int(likelihood.n_pixels) - N_LABELS - 1)
    return reduced


def _compared(table):
    """Count the galaxies for which the Levenberg-Marquardt fit is as good as another model."""
    rows = []
    for name in ("network", "imfit", "published"):
        excess = np.asarray(table["lm"] - table[name])
        known = np.isfinite(excess)
        good = excess[known] <= TOLERANCE * np.asarray(table[name])[known]
        rows.append(
            {
                "lm compared with": name,
                "galaxies": int(known.sum()),
                "as good": int(good.sum()),
                "share": float(good.mean()),
                "not as good": " ".join(table["galaxy"][known][~good]),
                "median difference of chi2": float(np.median(excess[known])),
                "largest difference of chi2": float(excess[known].max()),
            }
        )
    return QTable(rows=rows)


def _scores(stages, imfit, cutouts):
    """Compare each stage with imfit."""
    rows = []
    for sample, chosen in samples(cutouts).items():
        for stage, measured in stages.items():
            scores = score_table(measured[chosen], imfit[chosen], parameters=FOUR)
            for score in scores:
                row = {"sample": sample, "stage - imfit": stage, "label": str(score["label"])}
                for key in ("bias", "scatter", "coverage"):
                    row[key] = float(score[key])
                rows.append(row)
    return Table(rows=rows)


if __name__ == "__main__":
    main()
