"""Tables of what `benchmarks.bulge_disk` measured."""

from itertools import pairwise

import numpy as np
from astropy.table import QTable

from sersicnet import Flags
from sersicnet.model.choice import AUTO, column_name

__all__ = ["SHOWN", "calibration_table", "coverage_table", "found_table", "survey_row"]
__all__ += ["ranking_table", "totals_table"]

SHOWN = ("mag", "bulge_to_total", "mag_bulge", "mag_disk", "r_eff_bulge", "r_eff_disk")
SHOWN += ("point_to_total", "mag_point", "r_eff", "n", "q")
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_LEVELS = (0.16, 0.84)
# What totals are measured by, and the probability from which on a galaxy has two parts for certain.
_WAYS = {"auto": 'model="auto"', "model": "true model", "single": "one Sersic profile"}
_CERTAIN = 0.95
# Rates of false ones at which galaxies of two parts are counted, and how often galaxies are drawn
# again.
_RATES = (0.02, 0.05, 0.1, 0.2)
_N_DRAWN = 300
# Parameters of two parts whose coverage is that of a survey, by what the column says.
_POOLED = {
    "shares": ("bulge_to_total", "point_to_total"),
    "magnitudes": ("mag_bulge", "mag_point", "mag_disk"),
    "radii": ("r_eff_bulge", "r_eff_disk"),
}


def coverage_table(measured):
    """Return shares of 68 % intervals that contain the truth, by true model and parameter."""
    rows = []
    for model in AUTO:
        own = measured["counts"] & (measured["model"] == model)
        for name in SHOWN:
            ranks = measured[f"rank_{name}"][own]
            ranks = ranks[np.isfinite(ranks)]
            if not len(ranks):
                continue
            inside = (ranks > _LEVELS[0]) & (ranks < _LEVELS[1])
            share = inside.mean()
            row = {"true model": model, "parameter": name, "galaxies": len(ranks)}
            row |= {"coverage": share, "error": np.sqrt(0.68 * 0.32 / len(ranks))}
            rows.append(row | {"mean rank": ranks.mean()})
    return QTable(rows=rows)


def calibration_table(measured):
    """Return mean probability and share of true models in bins of the probability."""
    good = measured["counts"] & np.isfinite(measured["prob_sersic"])
    probability = np.concatenate([measured[column_name("prob", name)][good] for name in AUTO])
    true = np.concatenate([measured["model"][good] == name for name in AUTO])
    rows = []
    for low, high in pairwise(BINS):
        inside = (probability >= low) & (probability < high + (high == BINS[-1]))
        row = {"from": low, "to": high, "models": int(inside.sum())}
        mean = probability[inside].mean() if inside.any() else np.nan
        share = true[inside].mean() if inside.any() else np.nan
        error = np.sqrt(mean * (1 - mean) / max(inside.sum(), 1))
        rows.append(row | {"mean probability": mean, "true": share, "error": error})
    return QTable(rows=rows)


def found_table(measured):
    """Return shares of galaxies of two parts that are found, by the BIC's number of false ones."""
    two, evidence, bic = _scores(measured)
    by_bic = bic > 0
    rows = []
    for name, found in (
        ("BIC", by_bic),
        ("evidence, at its rate", evidence > _threshold(evidence, two, by_bic[~two].sum())),
        ("evidence, even odds", evidence > 0),
    ):
        row = {"by": name, "one part": int((~two).sum()), "two parts": int(two.sum())}
        row["false"] = found[~two].mean() if (~two).any() else np.nan
        rows.append(row | {"found": found[two].mean() if two.any() else np.nan})
    lost = measured["flags"][measured["counts"]] & int(Flags.LOW_ESS) != 0
    table = QTable(rows=rows)
    table["no probability"] = lost.mean() if len(lost) else np.nan
    return table


def ranking_table(measured):
    """Return shares of galaxies of two parts that are found at some rates of false ones.

    The last row has the area under the curve of both shares: the probability that a galaxy of two
    parts has the larger evidence of these than one of one part. Errors are those of the difference,
    by drawing the galaxies again.
    """
    scores = _scores(measured)
    two = scores[0]
    rng = np.random.default_rng(1)
    drawn = [rng.integers(len(two), size=len(two)) for _ in range(_N_DRAWN)]
    rows = []
    for rate in (*_RATES, None):
        row = {"false": "area" if rate is None else f"{rate:g}"}
        row |= {"one part": int((~two).sum()), "two parts": int(two.sum())}
        row["evidence"], row["BIC"] = _both(scores, rate)
        again = [np.subtract(*_both([each[own] for each in scores], rate)) for own in drawn]
        row["difference"] = row["evidence"] - row["BIC"]
        again = np.array(again)[np.isfinite(again)]
        rows.append(row | {"error": np.std(again) if len(again) else np.nan})
    return QTable(rows=rows)


def _scores(measured):
    """Which galaxies that count have two parts, and logarithms of odds of these, by both ways."""
    good = measured["counts"] & np.isfinite(measured["prob_sersic"])
    for name in AUTO:
        good &= np.isfinite(measured[column_name("bic", name)])
    own = {name: values[good] for name, values in measured.items()}
    two = np.isin(own["model"], ("sersic+exp", "point+exp"))
    log_two = np.logaddexp(_evidence(own, "sersic+exp"), _evidence(own, "point+exp"))
    log_one = np.logaddexp(_evidence(own, "sersic"), _evidence(own, "point"))
    bic_two = np.minimum(own["bic_sersic_exp"], own["bic_point_exp"])
    bic_one = np.minimum(own["bic_sersic"], own["bic_point"])
    return two, log_two - log_one, (bic_one - bic_two) / 2


def _threshold(score, two, n_false):
    """Score above which this many galaxies of one part are."""
    ordered = np.sort(score[~two])[::-1]
    return ordered[n_false] if n_false < len(ordered) else -np.inf


def _both(scores, rate):
    """Share that is found at a rate of false ones, or the area of all, by evidence and by BIC."""
    two, *ways = scores
    if not two.any() or two.all():
        return np.nan, np.nan
    found = []
    for score in ways:
        if rate is None:
            above = score[two][:, None] - score[~two]
            found.append((above > 0).mean() + 0.5 * (above == 0).mean())
        else:
            n_false = int(np.floor(rate * (~two).sum() + 1e-9))
            found.append((score[two] > _threshold(score, two, n_false)).mean())
    return tuple(found)


def totals_table(measured):
    """Return median errors of total magnitude and radius of galaxies of two parts.

    Errors of radii are shares of the true ones. They are not counted where a point source has half
    of the light.
    """
    two = np.isin(measured["model"], ("sersic+exp", "point+exp")) & measured["counts"]
    two &= np.isfinite(measured["prob_sersic"])
    both = measured["prob_sersic_exp"] + measured["prob_point_exp"]
    groups = {"all": two, "two parts certain": two & (both > _CERTAIN)}
    rows = []
    for group, own in groups.items():
        for way, name in _WAYS.items():
            row = {"galaxies of two parts": group, "number": int(own.sum()), "by": name}
            mag = (measured[f"mag_{way}"] - measured["mag_true"])[own]
            with np.errstate(invalid="ignore", divide="ignore"):
                radius = (measured[f"r_eff_{way}"] / measured["r_eff_true"])[own] - 1
            row |= _bias("mag", mag)
            rows.append(row | _bias("r_eff", radius[measured["r_eff_true"][own] > 0]))
    return QTable(rows=rows)


def survey_row(measured):
    """Return coverage, shares that are found, and biases of totals, in one row.

    Parameters
    ----------
    measured : dict of `~numpy.ndarray`
        Of `benchmarks.bulge_disk.measure`.

    Returns
    -------
    dict
    """
    two = measured["counts"] & np.isin(measured["model"], ("sersic+exp", "point+exp"))
    found = {"galaxies": int(measured["counts"].sum()), "two parts": int(two.sum())}
    for name, parameters in _POOLED.items():
        ranks = np.concatenate([measured[f"rank_{parameter}"][two] for parameter in parameters])
        ranks = ranks[np.isfinite(ranks)]
        inside = (ranks > _LEVELS[0]) & (ranks < _LEVELS[1])
        found[f"coverage of {name}"] = inside.mean() if len(ranks) else np.nan
    by = {row["by"]: row for row in found_table(measured)}
    found["false by BIC"] = by["BIC"]["false"]
    found["found by BIC"] = by["BIC"]["found"]
    found["found by evidence, at its rate"] = by["evidence, at its rate"]["found"]
    totals = totals_table(measured)[0]
    for name in ("mag bias", "mag bias error", "r_eff bias", "r_eff bias error"):
        found[name] = totals[name]
    found["CPU s"] = np.median(measured["seconds"])
    return found


def _bias(name, errors):
    """Return the median of errors, its counting error, and half of the range of 68 % of them."""
    errors = errors[np.isfinite(errors)]
    if not len(errors):
        return {f"{name} bias": np.nan, f"{name} bias error": np.nan, f"{name} scatter": np.nan}
    low, middle, high = np.quantile(errors, (_LEVELS[0], 0.5, _LEVELS[1]))
    scatter = (high - low) / 2
    error = 1.25 * scatter / np.sqrt(len(errors))
    return {f"{name} bias": middle, f"{name} bias error": error, f"{name} scatter": scatter}


def _evidence(measured, model):
    """Return logarithms of evidences; those that are known roughly are far from the others."""
    found = measured[column_name("log_evidence", model)]
    far = np.where(measured[column_name("prob", model)] > 0.5, 1e6, -1e6)
    return np.where(np.isfinite(found), found, far)
