"""Real galaxies: chi2 of our refined models beside that of published parameters and of imfit's.

::

    python -m benchmarks.real_refined ../shared/real docs/_static/refinement

All models are rendered in the same way on the same pixels, with the sky that fits each best. Where
a publication does not tell the center or the angle, ours is taken.
"""

import numpy as np
import torch
from astropy.table import QTable, Table

from benchmarks.common.command import parser_of
from benchmarks.common.tables import write_rounded
from benchmarks.real import IMFIT_CARDS, PARAMETERS, load_cutouts, samples
from sersicnet import SersicNet
from sersicnet.cli.demonstration import published_values
from sersicnet.diagnostics.scores import score_table
from sersicnet.flags import decode_flags
from sersicnet.model.labels import N_LABELS, stack_labels
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.profile import psf_transform
from sersicnet.parameters import PARAMETERS as ALL
from sersicnet.preprocessing import prepare

SEVEN = tuple(ALL)
# Of chi2 over the degrees of freedom, below which two fits are equally good.
TOLERANCE = 1e-3


def main(arguments=None):
    """Fit the cutouts, and write the tables."""
    parser = parser_of(__doc__, "real")
    options = parser.parse_args(arguments)
    names, cutouts = load_cutouts(options.real)
    net = SersicNet.from_pretrained()
    imfit = published_values(cutouts, cards=IMFIT_CARDS)
    stages = {name: net.predict(cutouts, refine=name).to_table() for name in ("lm", "importance")}
    stages = {"network": net.predict(cutouts).to_table(), **stages}
    models = {**stages, "imfit": imfit, "published": published_values(cutouts)}
    table = QTable({"galaxy": names})
    for name, found in models.items():
        table[name] = reduced_chi2(cutouts, _complete(found, stages["lm"]))
    table["flags"] = [" ".join(part) for part in decode_flags(stages["lm"]["flags"])]
    write_rounded(table, options.output / "real_chi2.csv", decimals=4)
    summary = _compared(table)
    write_rounded(summary, options.output / "real_chi2_summary.csv", decimals=3)
    scores = _scores(stages, imfit, cutouts)
    write_rounded(scores, options.output / "real_scores.csv", decimals=3)
    for part in (table, summary, scores):
        print(*part.pformat(max_lines=-1, max_width=-1), sep="\n")


def _complete(found, ours):
    """Values of all seven parameters, (7, N)."""
    rows = []
    for name in SEVEN:
        own, given = (
            np.ma.filled(np.ma.asarray(getattr(table[name], "value", table[name]), float), np.nan)
            for table in (ours, found if name in list(found.keys()) else ours)
        )
        missing = np.isnan(given) & (name in ("theta", "x_0", "y_0"))
        rows.append(np.where(missing, own, given))
    return np.array(rows)


def reduced_chi2(cutouts, values):
    """Chi2 of each model over the degrees of freedom, the sky fitted: (N,)."""
    stamps, found = prepare(cutouts), []
    named = dict(zip(SEVEN, values, strict=True))
    labels = stamps.frame.to_labels(named, SEVEN)
    labels = torch.from_numpy(stack_labels(labels))
    for row, cutout in enumerate(cutouts):
        if not torch.isfinite(labels[row]).all():
            found.append(np.nan)
            continue
        data, weight = (
            torch.from_numpy(part[[row]]).double() for part in (stamps.data, stamps.weight)
        )
        psf = torch.from_numpy(np.asarray(cutout.psf, float) / np.sum(cutout.psf))
        likelihood = StampLikelihood(data, weight, psf_transform(psf, data.shape[-1]))
        chi2 = float(likelihood.chi2(labels[[row]]))
        found.append(chi2 / (int(likelihood.n_pixels) - N_LABELS - 1))
    return np.array(found)


def _compared(table):
    """How often our fit is as good as others."""
    rows = []
    for name in ("network", "imfit", "published"):
        excess = np.asarray(table["lm"] - table[name])
        known = np.isfinite(excess)
        good = excess[known] <= TOLERANCE * np.asarray(table[name])[known]
        rows.append(
            {
                "lm beside": name,
                "galaxies": int(known.sum()),
                "as good": int(good.sum()),
                "share": float(good.mean()),
                "not as good": " ".join(table["galaxy"][known][~good]),
                "median of chi2 - its": float(np.median(excess[known])),
                "largest of chi2 - its": float(excess[known].max()),
            }
        )
    return QTable(rows=rows)


def _scores(stages, imfit, cutouts):
    """Differences of each stage to imfit."""
    rows = []
    for sample, chosen in samples(cutouts).items():
        for stage, measured in stages.items():
            scores = score_table(measured[chosen], imfit[chosen], parameters=PARAMETERS)
            for row in scores:
                values = {key: float(row[key]) for key in ("bias", "scatter", "coverage")}
                label = str(row["label"])
                rows.append({"sample": sample, "stage - imfit": stage, "label": label, **values})
    return Table(rows=rows)


if __name__ == "__main__":
    main()
