"""The galaxies of a batch in several bands: from their stamps to posteriors and columns."""

from dataclasses import replace

import numpy as np

from sersicnet.flags import Flags
from sersicnet.inference.band_choice import BandChoice
from sersicnet.inference.band_density import BandDensity
from sersicnet.inference.band_fits import BandModel, fit_bands
from sersicnet.inference.band_groups import GroupFits, Neighbors
from sersicnet.inference.band_seen import Asked, SeenBand
from sersicnet.inference.calls import warn_of_zeropoints
from sersicnet.inference.choose import compared, known_of, model_of
from sersicnet.inference.linear_fluxes import FLUXES, LEAST_SNR, of_unseen
from sersicnet.inference.neighborhoods import Neighborhoods
from sersicnet.inference.predict import finished
from sersicnet.inference.refine import ImportanceSampling
from sersicnet.inference.tension import tension_columns
from sersicnet.model.choice import ModelChoice
from sersicnet.parameters import PARAMETERS

__all__ = ["measure_batch"]

_MAG = tuple(PARAMETERS).index("mag")


def measure_batch(
    net,
    batches,
    *,
    evaluate,
    refinement,
    model,
    neighbors,
    assumed,
    missing,
    seed,
    log_wavelength,
    exposures=False,
):
    """Measure the batches of all bands.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The estimator.
    batches : dict of `~sersicnet.preprocessing.batches.Batch`
        Cutouts of N galaxies by the names of the bands that have any.
    evaluate : callable
        Returns stamps, posterior and quantiles of a batch, as
        `~sersicnet.inference.posteriors.predict_posterior`.
    refinement : LevenbergMarquardt or ImportanceSampling
        The refinement.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.
    neighbors : {'mask', 'fit'}
        As in `~sersicnet.SersicNet.predict`.
    assumed : dict of `~sersicnet.inference.assumptions.Assumptions`
        What fits assume about the pixels of each band.
    missing : dict of (M,) bool `~numpy.ndarray`
        Which of all galaxies have no cutout, for all bands.
    seed : int
        Seed of random draws.
    log_wavelength : dict or None
        Decimal logarithms of the wavelengths of the bands, if something changes with them.
    exposures : bool, optional
        Whether the bands are exposures with one flux.

    Returns
    -------
    posterior : BandDensity or BandChoice
        The joint posteriors.
    found : dict of tuple
        Stamps, posterior, quantiles and columns of each band that has cutouts.
    """
    around = None
    if neighbors == "fit":
        found = {band: Neighborhoods.of(batch) for band, batch in batches.items()}
        batches = {band: own.masked for band, own in found.items()}
        groups = GroupFits.blank(len(next(iter(batches.values()))), batches)
        around = Neighbors(found, assumed, evaluate, groups)
    looked = {}
    for band, batch in batches.items():
        stamps, posterior, quantiles = evaluate(batch)
        quantiles = np.where(missing[band][batch.rows], np.nan, quantiles)
        pixels = assumed[band].of(batch, stamps)
        looked[band] = SeenBand(posterior, quantiles, stamps, batch.psfs, pixels)
    first = next(iter(batches.values()))
    models = _models(model, np.arange(first.first, first.first + len(first)))
    asked = Asked(
        names=list(missing),
        band_shift=float(model.band_shift),
        prior=getattr(refinement, "prior", True),
        device=net.network_.whiten.weight.device,
        log_wavelength=log_wavelength,
        sampling=refinement if isinstance(refinement, ImportanceSampling) else None,
        seed=seed,
        exposures=exposures,
    )
    if exposures:
        warn_of_zeropoints(looked)
    joints = fit_bands(looked, asked, models, around)
    tensions = _tensions(looked, asked, models)
    found = {}
    for band, batch in batches.items():
        refined = _refined(band, looked[band], joints, models, asked)
        refined[2].update(tensions.get(band, {}))
        if around is not None:
            refined = groups.joined(band, joints[model.name].fits[band], refined)
            looked[band] = groups.shown(band, looked[band])
        shown = next(iter(joints.values())).usable[band]
        found[band] = _finish(net, batch, looked[band], shown, refined)
        stamps, *rest = found[band]
        flags = np.where(missing[band][batch.rows], int(Flags.MISSING_BAND), stamps.flags)
        found[band] = replace(stamps, flags=flags), *rest
    _keep_unseen(found, exposures=exposures)
    densities = {}
    for name, joint in joints.items():
        densities[name] = _density(joint, looked, list(missing))
    if not isinstance(model, ModelChoice):
        return next(iter(densities.values())), found
    posteriors = {band: posterior for band, (_, posterior, *_) in found.items()}
    return BandChoice.of(densities, posteriors), found


def _models(model, numbers):
    """Return the models of some galaxies, `BandModel` by name."""
    if not isinstance(model, ModelChoice):
        return {model.name: BandModel(known_of(model, numbers), model.chromatic)}
    found = {}
    for name in model.models:
        own = model_of(name)
        found[name] = BandModel(known_of(own, numbers), own.chromatic, model.odds[name])
    return found


def _tensions(looked, asked, models):
    """Return the columns of how far priors are from joint fits without them, by band."""
    ((name, model), *others) = models.items()
    if others or model.constraints is None or not model.constraints.priors:
        return {}
    asked = replace(asked, sampling=None)
    free = {name: replace(model, constraints=model.constraints.without_priors())}
    joints = fit_bands(looked, asked, free)
    found = {}
    for band, seen in looked.items():
        _, quantiles, columns, _ = _refined(band, seen, joints, free, asked)
        known = model.constraints.priors, quantiles, tuple(PARAMETERS)
        found[band] = tension_columns(*known, columns)
    return found


def _refined(band, seen, joints, models, asked):
    """Return posterior, quantiles, columns and flags of one band."""
    answers = {}
    for name, joint in joints.items():
        fits = joint.fits[band]
        shown = joint.usable[band]
        keeps_start = models[name].constraints is None
        if joint.draws is None:
            options = {"prior": asked.prior, "keeps_start": keeps_start}
            answers[name] = fits.refined(seen, shown, **options)
        else:
            options = {"sampling": asked.sampling, "keeps_start": keeps_start}
            answers[name] = fits.sampled(seen, shown, joint.draws_of(band), **options)
    if len(models) == 1:
        return next(iter(answers.values()))
    each = joints.values()
    evidence = np.stack([joint.log_evidence for joint in each], axis=1)
    rough = np.stack([joint.rough for joint in each], axis=1)
    odds = np.array([model.odds for model in models.values()])
    known = {"frame": seen.stamps.frame, "measured": seen.usable & shown, "seed": asked.seed}
    posterior, quantiles, *rest = compared(answers, evidence, rough, odds, **known)
    if asked.sampling is None:
        held = np.stack([joint.fits[band].is_flux_held for joint in each])
        lost = held[posterior.best, np.arange(len(posterior))]
        quantiles[_MAG, ::2, lost] = np.nan  # as of one model, a limit has no error
    return posterior, quantiles, *rest


def _density(joint, looked, names):
    """Return the joint posteriors of a batch, also of bands without any cutout."""
    n = len(joint.first)
    zeropoint = np.full((n, len(names)), np.nan)
    log_light = np.zeros(n)
    offset = np.zeros((n, 2))
    pixel = np.zeros(n)
    numbers = np.array(list(map(names.index, looked)))
    for place, (number, seen) in enumerate(zip(numbers, looked.values(), strict=True)):
        frame = seen.stamps.frame
        fit = joint.fits[names[number]]
        of_stamps = frame.zeropoint - 2.5 * (np.log10(frame.noise_level) - fit.log_light)
        zeropoint[:, number] = of_stamps
        rows = joint.first == place
        log_light[rows] = fit.log_light[rows]
        offset[rows] = fit.offset[rows]
        pixel[rows] = (frame.pixel_scale * frame.bins)[rows]
    return BandDensity(
        bands=tuple(names),
        names=joint.names,
        first=numbers[joint.first],
        mean=joint.mean,
        covariance=joint.covariance,
        held=joint.held,
        base=joint.base,
        drawn=None if joint.draws is None else joint.draws.values,
        zeropoint=zeropoint,
        log_light=log_light,
        offset=offset,
        pixel=pixel,
    )


def _finish(net, batch, seen, shown, refined):
    """Return stamps, posterior, quantiles and columns of one band from the joint fits."""
    options = {"all_fluxes": True}
    stamps, *found = finished(net, batch, seen.stamps, seen.pixels, refined, **options)
    elsewhere = seen.usable & ~shown
    flags = np.where(elsewhere, stamps.flags | int(Flags.MISSING_BAND), stamps.flags)
    return replace(stamps, flags=flags), *found


def _keep_unseen(found, *, exposures):
    """Keep, in place, the fluxes without a prior of what is not detected in each band, and flag it.

    Exposures have one flux, and show a galaxy or not together.
    """
    fluxes = {}
    limits = {}
    for band, (_, _, quantiles, columns) in found.items():
        fluxes[band] = {name: columns[name] for name in FLUXES}
        low, median, _ = quantiles[_MAG]
        limits[band] = np.isfinite(median) & np.isnan(low)
    if exposures:
        fluxes = dict.fromkeys(found, _together(list(fluxes.values())))
        limits = dict.fromkeys(found, np.any(list(limits.values()), axis=0))
    for band, (stamps, posterior, quantiles, columns) in found.items():
        own = fluxes[band]
        with np.errstate(invalid="ignore"):  # NaN where there is no model
            unseen = (own["flux"] < LEAST_SNR * own["flux_err"]) | limits[band]
        unseen &= np.isfinite(quantiles[_MAG, 1])
        columns.update(of_unseen(own, unseen))
        stamps = stamps.with_flags(unseen * int(Flags.LOW_SNR))
        found[band] = stamps, posterior, quantiles, columns


def _together(fluxes):
    """Return the weighted means of fluxes of exposures, NaN where none has one."""
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = np.array([own["flux_err"] for own in fluxes]) ** -2.0
        total = np.nansum(weights, axis=0)
        mean = np.nansum(weights * [own["flux"] for own in fluxes], axis=0) / total
        return {"flux": mean, "flux_err": total**-0.5}
