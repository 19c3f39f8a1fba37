"""Fits and samples of several models of the same stamps, and the choice between them."""

import numpy as np

from sersicnet.flags import Flags
from sersicnet.inference.chosen import ChoiceDensity, mixed_quantiles
from sersicnet.inference.composites import Composite
from sersicnet.inference.constraints import Constraints
from sersicnet.inference.evidence import known_probabilities, wanted_shares
from sersicnet.inference.fits import BatchStart, fit_batch
from sersicnet.inference.misfit import judge
from sersicnet.inference.refine import LevenbergMarquardt
from sersicnet.inference.tension import tension_columns
from sersicnet.model.choice import CHROMATIC, ModelChoice, column_name
from sersicnet.model.description import Model
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.part_models import PartModels, shown_as_one

__all__ = ["check_choice", "compared", "judge_models", "known_of", "model_of", "refine_models"]

# Numbers that are summed over models.
_SUMS = ("n_iter", "n_samples")
# Probability of models without a fit from which on columns of all models are not those of all.
_MUCH = 0.1


def known_of(model, numbers):
    """Return what is known of some galaxies, None where nothing is.

    Parameters
    ----------
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        The user's model.
    numbers : (N,) int `~numpy.ndarray`
        Numbers of the galaxies.

    Returns
    -------
    Constraints, Composite or None
    """
    if isinstance(model, ModelChoice):
        return None
    return Constraints.of(model, numbers)


def model_of(name):
    """Return the model of a name that `~sersicnet.model.ModelChoice` compares."""
    if name == CHROMATIC:
        return Model("sersic", chromatic=True)
    return Model(name)


def refine_models(
    refinement, model, posterior, quantiles, stamps, psfs, *, numbers, fits=None, **options
):
    """Refine the posteriors of some galaxies under a model, or under several that are compared.

    Parameters
    ----------
    refinement : LevenbergMarquardt or ImportanceSampling
        The refinement.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        The user's model.
    posterior, quantiles, stamps, psfs, **options
        As `~sersicnet.inference.LevenbergMarquardt` takes them.
    numbers : (N,) int `~numpy.ndarray`
        Numbers of the galaxies.
    fits : BatchFit, optional
        Fits of one Sersic profile of which nothing is known, if they are there already.

    Returns
    -------
    tuple
        What the refinement returns. Of several models, the posterior is a `ChoiceDensity`; columns
        of parts are those of the best model, and NaN where it does not have them.
    """
    network = posterior, quantiles, stamps, psfs
    if not isinstance(model, ModelChoice):
        constraints = known_of(model, numbers)
        if constraints is not None:
            fits = _fits_of_parts(refinement, constraints, *network[1:], **options)
        answer = refinement(*network, constraints=constraints, fits=fits, **options)
        if constraints is not None and constraints.priors:
            answer[2].update(_tensions(refinement, constraints, network, **options))
        return answer
    known = {}
    for name in model.models:
        known[name] = known_of(model_of(name), numbers)
    start = BatchStart.of(quantiles, stamps, psfs).shared_by(known.values(), stamps)
    fits = {}
    for name in sorted(known, key=lambda name: name != "sersic"):
        own = {"constraints": known[name], "start": start, "device": options["device"]}
        found = fit_batch(*network[1:], options["pixels"], prior=True, **own)
        if name == "sersic":
            start = start.moved_to(found)
        fits[name] = found.with_evidence()
    odds = np.array(list(model.odds.values()))
    evidence = np.stack([fits[name].normal.log_evidence for name in known], axis=1)
    rough = np.stack([fits[name].normal.rough for name in known], axis=1)
    shares = wanted_shares(evidence, odds)
    answers = {}
    for number, (name, constraints) in enumerate(known.items()):
        own = {"constraints": constraints, "fits": fits[name]}
        own["share"] = shares[:, number]
        answers[name] = refinement(*network, **own, **options)
    measured = np.isfinite(quantiles).all(axis=(0, 1))
    kept = {"frame": stamps.frame, "measured": measured, "seed": options["seed"]}
    return compared(answers, evidence, rough, odds, **kept)


def _tensions(refinement, constraints, network, **options):
    """Return the columns of how far priors are from fits without them."""
    free = constraints.without_priors()
    fits = _fits_of_parts(refinement, free, *network[1:], **options)
    fit = LevenbergMarquardt(prior=getattr(refinement, "prior", True))
    _, quantiles, columns, _ = fit(*network, constraints=free, fits=fits, **options)
    return tension_columns(constraints.priors, quantiles, tuple(PARAMETERS), columns)


def _fits_of_parts(refinement, constraints, *network, pixels, device, **_):
    """Return fits of several parts that start from those of one Sersic profile, else None."""
    if not isinstance(constraints, Composite) or len(constraints.model.combination.parts) < 2:
        return None
    options = {"prior": getattr(refinement, "prior", True), "device": device}
    start = BatchStart.of(*network)
    start = start.moved_to(fit_batch(*network, pixels, start=start, **options))
    return fit_batch(*network, pixels, constraints=constraints, start=start, **options)


def compared(answers, evidence, rough, odds, *, frame, measured, seed):
    """Return posterior, quantiles, columns and flags of galaxies over all models.

    Parameters
    ----------
    answers : dict of tuple
        What a refinement returns for each of M models, by name.
    evidence : (N, M) `~numpy.ndarray`
        Logarithms of the evidences of normal likelihoods around the fits; those of samples, where
        there are some, take their place.
    rough : (N, M) bool `~numpy.ndarray`
        Those that are known roughly only.
    odds : (M,) `~numpy.ndarray`
        Prior odds of the models.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.
    measured : (N,) bool `~numpy.ndarray`
        Which galaxies can be measured.
    seed : int
        Seed of random draws.

    Returns
    -------
    posterior : ChoiceDensity
    quantiles : (7, 3, N) `~numpy.ndarray`
    columns : dict of (N,) `~numpy.ndarray`
    flags : (N,) int `~numpy.ndarray`
    """
    rough = rough.copy()
    shown = np.where(rough, np.nan, evidence)
    for number, found in enumerate(answers.values()):
        if "log_evidence" in found[2]:
            rough[:, number] = (found[3] & int(Flags.LOW_ESS)) != 0
            shown[:, number] = found[2]["log_evidence"]
    evidence = np.where(np.isnan(shown), evidence, shown)
    probability = known_probabilities(evidence, rough, odds)
    lost = measured & rough.any(axis=1) & np.isnan(probability).any(axis=1)
    posteriors, _, tables, flags = zip(*answers.values(), strict=True)
    densities = dict(zip(answers, posteriors, strict=True))
    columns = dict(zip(answers, tables, strict=True))
    known = np.isfinite(probability).all(axis=1)
    best = np.where(known, np.nan_to_num(probability).argmax(axis=1), 0)
    posterior = ChoiceDensity(probability, best, densities)
    chosen = np.stack(flags)[best, np.arange(len(best))]
    chosen = chosen | np.where(lost, int(Flags.LOW_ESS), 0)
    unfitted = (np.stack(flags, axis=1) & int(Flags.NOT_REFINED)) != 0
    missing = np.where(unfitted, probability, 0).sum(axis=1) > _MUCH
    failed = measured & (~known | missing) & ~lost
    chosen |= np.where(failed, int(Flags.NOT_REFINED), 0)
    table = _columns(columns, best, known, probability, shown)
    return posterior, mixed_quantiles(posterior, frame, seed), table, chosen


def _columns(columns, best, known, probability, evidence):
    """Return the columns of the choice, and those of the best model."""
    names = list(columns)
    found = {"model": np.where(known, np.array(names)[best], "")}
    for number, name in enumerate(names):
        found[column_name("prob", name)] = probability[:, number]
    if {"point", "sersic"} <= set(names):
        point = probability[:, names.index("point")]
        sersic = probability[:, names.index("sersic")]
        with np.errstate(invalid="ignore", divide="ignore"):
            found["prob_star"] = point / (point + sersic)
    for number, name in enumerate(names):
        found[column_name("log_evidence", name)] = evidence[:, number]
    for number, own in enumerate(columns.values()):
        for column, values in own.items():
            if column in _SUMS:
                found[column] = found.get(column, 0) + values
            elif column == "ess":
                found[column] = np.minimum(found.get(column, np.inf), values)
            elif column != "log_evidence":
                whole = found.setdefault(column, np.full(len(best), np.nan))
                found[column] = np.where(best == number, values, whole)
    return found


def judge_models(posterior, quantiles, stamps, batch, **options):
    """Compare galaxies under the models that tables show with their images.

    Parameters
    ----------
    posterior, quantiles
        Posteriors of N galaxies, and quantiles of their parameters.
    stamps : `~sersicnet.preprocessing.Stamps`
        Their stamps.
    batch : `~sersicnet.preprocessing.batches.Batch`
        Their cutouts and PSFs.
    **options
        Those of `~sersicnet.inference.misfit.judge`.

    Returns
    -------
    judged : `~sersicnet.model.Misfit`
    shown : (7, 3, N) `~numpy.ndarray`
        Quantiles of one Sersic galaxy in the place of each.
    """
    densities = [posterior]
    best = np.zeros(len(stamps), dtype=int)
    if isinstance(posterior, ChoiceDensity):
        densities = list(posterior.densities.values())
        best = posterior.best
    elif getattr(posterior, "parts", None) is None:
        return judge(quantiles, stamps, batch, **options), quantiles
    shown = shown_as_one(quantiles, batch.psfs, stamps.frame)
    judged = None
    unfitted = np.isfinite(quantiles[:, 1]).all(axis=0)
    for number in np.unique(best):
        parts = PartModels.of(densities[number], stamps.frame, batch.psfs)
        own = np.where(best == number, shown, np.nan)
        found = judge(own, stamps, batch, parts=parts, **options)
        rows = np.flatnonzero(best == number)
        judged = found if judged is None else judged.with_rows(rows, found[rows])
        unfitted[rows] &= np.isnan(parts.labels[rows]).any(axis=1)
    rows = np.flatnonzero(unfitted)  # the network's answer, one Sersic profile
    if len(rows):
        found = judge(np.where(unfitted, quantiles, np.nan), stamps, batch, **options)
        judged = judged.with_rows(rows, found[rows])
    return judged, shown


def check_choice(model, refinement, sky):
    """Raise ValueError where models cannot be compared.

    Parameters
    ----------
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        The user's model.
    refinement : LevenbergMarquardt or ImportanceSampling
        The refinement.
    sky : str
        As in `~sersicnet.SersicNet.predict`.
    """
    if not isinstance(model, ModelChoice):
        return
    if not getattr(refinement, "prior", True):
        msg = f"refine={refinement!r} has no prior: an evidence, as model='auto' needs it, has one"
        raise ValueError(msg)
    if sky not in ("prior", "fixed"):
        msg = f"sky={sky!r} has no prior: model='auto' needs sky='prior' or 'fixed'"
        raise ValueError(msg)
