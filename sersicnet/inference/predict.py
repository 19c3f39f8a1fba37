"""From cutouts to results: what `SersicNet.predict` does."""

import copy
from functools import partial

import numpy as np
from tqdm.auto import tqdm

from sersicnet._settings import check_bool, check_positive, check_seed, psf_options
from sersicnet.flags import Flags
from sersicnet.inference.assumptions import Assumptions
from sersicnet.inference.calls import check_law, check_plain, without_exposures
from sersicnet.inference.choose import check_choice, judge_models, known_of, refine_models
from sersicnet.inference.constraints import warn_unfitted
from sersicnet.inference.counts import of_counts, with_whole_sky
from sersicnet.inference.crowded import fit_others
from sersicnet.inference.flags import (
    misfit_flags,
    network_flags,
    posterior_flags,
    warn_if_unresolved,
)
from sersicnet.inference.gaps import hidden_light, judge_gaps
from sersicnet.inference.joined import with_neighbors
from sersicnet.inference.linear_fluxes import (
    known_light,
    linear_fluxes,
    of_unseen,
    sky_priors,
)
from sersicnet.inference.log import log_batch, log_results
from sersicnet.inference.members import are_members, fit_members
from sersicnet.inference.morphology import check_morphology, morphology_columns
from sersicnet.inference.neighborhoods import Neighborhoods, check_neighbors
from sersicnet.inference.noise_filters import smooth_correlation
from sersicnet.inference.off_center import flag_off_center, may_move, moved_to_galaxies
from sersicnet.inference.one_survey import measure_regression
from sersicnet.inference.posteriors import predict_posterior
from sersicnet.inference.record import describe_call, describe_inputs, describe_photons
from sersicnet.inference.refine import LevenbergMarquardt, check_refinement
from sersicnet.inference.seen import Seen
from sersicnet.inference.shapes import quantiles_on_sky, shapes_in_pixels
from sersicnet.inference.star_probability import star_columns
from sersicnet.inference.tension import warn_of_tension
from sersicnet.inference.wavelengths import without_wavelengths
from sersicnet.io.memory import enough_memory
from sersicnet.model.psf_check import warn_of_psfs
from sersicnet.model.symmetries import ORIENTATIONS
from sersicnet.networks.flow_density import base_points
from sersicnet.networks.posterior import PosteriorNetwork
from sersicnet.preprocessing.batches import open_cutouts
from sersicnet.preprocessing.inputs import PSF_WIDTH, Inputs, psf_width
from sersicnet.preprocessing.noise_maps import warn_of_noise
from sersicnet.results import SersicResults

__all__ = ["evaluation", "finished", "join", "predict", "results_of", "split_data"]


def predict(
    net,
    cutouts,
    data,
    *,
    n_samples,
    augment,
    refine,
    model,
    neighbors,
    morphology,
    seed,
    batch_size,
    progress_bar,
):
    """Measure cutouts with a trained estimator, batch after batch.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        Estimator with a trained network.
    cutouts, n_samples, augment, refine, seed, batch_size, progress_bar
        As in `~sersicnet.SersicNet.predict`.
    data : dict
        The arguments that say what the data are, as in `split_data`.
    model : `~sersicnet.Model`
        What is known of the galaxies.
    neighbors : {'mask', 'fit'}
        As in `~sersicnet.SersicNet.predict`.
    morphology : bool
        As there.

    Returns
    -------
    `~sersicnet.SersicResults`

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.
    MemoryError
        If there is too little memory.
    """
    check_positive("batch_size", batch_size)
    data = without_exposures(without_wavelengths(data, model))
    needs_psf = isinstance(net.network_, PosteriorNetwork)
    assumptions, images = split_data(data)
    asked = {"refine": refine, "model": model, "assumptions": assumptions, "neighbors": neighbors}
    if not are_members(cutouts):
        check_neighbors(neighbors, check_refinement(refine), model)
    check_law(assumptions.likelihood, model=model, neighbors=neighbors)
    check_morphology(net, model, morphology)
    measure = _measure_with(net, n_samples=n_samples, augment=augment, seed=seed, **asked)
    if morphology:
        measure = partial(measure, morphology=True)
    batches = open_cutouts(cutouts, stamp_size=net.stamp_size, needs_psf=needs_psf, **images)
    assumptions.check_length(len(batches))
    model.check_length(len(batches))
    seen = Seen()
    memory = enough_memory("predict", "fewer cutouts, or a smaller batch_size=, need less")
    with memory, tqdm(total=len(batches), unit="galaxy", disable=not progress_bar) as bar:
        for batch in batches:
            found = measure(batch, batch_size=batch_size)
            seen.add(batch, results_of(net.parameters_, batches, batch, found, model))
            bar.update(len(batch))
            del batch, found  # whose memory the next batch needs
    warn_of_noise(np.concatenate(seen.scatter), stacklevel=3)
    results = join(net, batches, seen.results, **asked)
    warn_unfitted(results.flags, model, stacklevel=3)
    if batches.is_checked:
        return results
    warn_of_tension(results.columns, stacklevel=3)
    results.meta.update(describe_photons(*np.hstack(seen.photons)))
    if needs_psf:
        recenter = batches.psf_options["recenter"]
        warn_of_psfs(seen.checks, recenter=recenter, stacklevel=3)
        warn_if_unresolved(results.flags, stacklevel=3)
    return results


def split_data(data):
    """Split what users say of data into what fits assume, and what images are.

    Parameters
    ----------
    data : dict
        Values by the names of arguments of `~sersicnet.SersicNet.predict`; what is missing is the
        default.

    Returns
    -------
    assumptions : `~sersicnet.inference.assumptions.Assumptions`
        What fits assume about the pixels.
    images : dict
        Arguments of `~sersicnet.preprocessing.batches.open_cutouts`.
    """
    images = dict(data)
    names = ("sky", "sky_err", "noise_correlation", "likelihood")
    assumed = {name: images.pop(name) for name in names if name in images}
    defaults = {"psf_oversampling": None, "normalize_psf": True, "recenter_psf": True}
    star = [images.pop(name, default) for name, default in defaults.items()]
    assumptions = Assumptions(**assumed)
    images["counts"] = assumptions.likelihood == "poisson"
    return assumptions, images | {"psf_options": psf_options(*star)}


def _numbers(batch):
    """Return the numbers of the galaxies of a batch."""
    return np.arange(batch.first, batch.first + len(batch))


def results_of(parameters, batches, batch, found, model):
    """Return the results of a batch, with shapes on the sky and in pixels.

    Parameters
    ----------
    parameters : tuple of str
        Names of the parameters.
    batches : `~sersicnet.preprocessing.batches.OpenCutouts`
        All cutouts.
    batch : `~sersicnet.preprocessing.batches.Batch`
        Some of them.
    found : tuple
        Stamps, posterior, quantiles and columns.
    model : `~sersicnet.Model`
        What is known of the galaxies.

    Returns
    -------
    `~sersicnet.SersicResults`
    """
    if batch.first == 0:
        log_batch(batch, len(batches))
    stamps, posterior, quantiles, columns = found
    inputs = Inputs.of(batch.cutouts, batches.psfs[batch.rows], batches.psf_options)
    shapes = shapes_in_pixels(quantiles, stamps.frame, parameters)
    quantiles = quantiles_on_sky(quantiles, posterior, stamps.frame, parameters)
    constraints = known_of(model, _numbers(batch))
    if constraints is not None:
        quantiles = constraints.put_into(quantiles, parameters)
        columns = constraints.put_into_columns(columns)
    flags = of_counts(stamps.flags)
    kept = stamps.frame, flags, stamps.shapes, stamps.wcs, columns
    return SersicResults(parameters, posterior, quantiles, *kept, shapes, inputs)


def join(net, batches, parts, *, refine, model, assumptions, neighbors):
    """Join the results of all batches, and describe and log them.

    Parameters
    ----------
    net, refine, model, assumptions, neighbors
        As in `predict`.
    batches : `~sersicnet.preprocessing.batches.OpenCutouts`
        All cutouts.
    parts : list of `~sersicnet.SersicResults`
        Results of each batch.

    Returns
    -------
    `~sersicnet.SersicResults`
    """
    results = SersicResults.concatenate(parts)
    width = psf_width(batches.psfs, batches.psf_options)
    if width is not None:
        results.meta[PSF_WIDTH] = width
    results.meta.update(describe_inputs(batches.cutouts, results.frame))
    options = {"assumptions": assumptions, "psf_options": batches.psf_options}
    options["neighbors"] = neighbors
    results.meta.update(describe_call(net, refine=refine, model=model, **options))
    log_results(batches.cutouts, results, assumptions)
    return results


def _measure_with(net, *, n_samples, augment, refine, model, assumptions, neighbors, seed):
    """Return the function that measures a batch with the network."""
    check_positive("n_samples", n_samples)
    check_bool("augment", augment)
    check_seed("seed", seed)
    refinement = check_refinement(refine)
    needs_fit = neighbors == "fit" or not model.is_free or not assumptions.is_gaussian
    if refinement is None and needs_fit:
        refinement = LevenbergMarquardt()
    check_choice(model, refinement, assumptions.sky)
    if not isinstance(net.network_, PosteriorNetwork):
        check_plain(refine, augment, model, neighbors, assumptions.likelihood)
        return partial(measure_regression, net)
    return partial(
        _measure_universal,
        net,
        evaluate=evaluation(net, n_samples=n_samples, augment=augment, seed=seed),
        refinement=refinement,
        model=model,
        assumptions=assumptions,
        neighbors=neighbors,
        seed=seed,
    )


def evaluation(net, *, n_samples, augment, seed):
    """Return the function that evaluates the posterior network on a batch.

    Parameters
    ----------
    net, n_samples, augment, seed
        As in `predict`.

    Returns
    -------
    callable
        `~sersicnet.inference.posteriors.predict_posterior`, of a batch and ``batch_size``.
    """
    return partial(
        predict_posterior,
        net.network_,
        # a copy: the user may move the network to another device, or train it
        flow=copy.deepcopy(net.network_.flow).cpu(),
        points=base_points(n_samples, seed),
        ways=ORIENTATIONS if augment else ORIENTATIONS[:1],
    )


def _measure_universal(
    net,
    batch,
    *,
    evaluate,
    refinement,
    model,
    assumptions,
    neighbors,
    seed,
    batch_size,
    morphology=False,
):
    """Measure a batch with the posterior network.

    Returns its stamps, with binned ones and all flags, the posterior, refined if asked, quantiles,
    and columns of the misfit and of the refinement.
    """
    device = net.network_.whiten.weight.device
    evaluate = partial(evaluate, batch_size=batch_size)
    if neighbors == "fit" and are_members(batch.cutouts):
        options = {"assumptions": assumptions, "seed": seed, "device": device}
        options |= {"evaluate": evaluate, "refinement": refinement}
        stamps, refined, pixels = fit_members(batch, **options)
        return finished(net, batch, stamps, pixels, refined)
    around = None
    if neighbors == "fit":
        around = Neighborhoods.of(batch)
        batch = around.masked
    found = evaluate(batch)
    if around is not None:
        found = flag_off_center(found)
    elif may_move(batch, model):
        batch, found = moved_to_galaxies(evaluate, batch, found)
    stamps, posterior, quantiles = found
    stars = star_columns(batch, quantiles, stamps)
    refined = posterior, quantiles, {}, None
    pixels = None
    if refinement is not None:
        pixels = assumptions.of(batch, stamps)
        options = {"pixels": pixels, "seed": seed, "device": device}
        network = posterior, quantiles, stamps, batch.psfs
        known = {"numbers": _numbers(batch)}
        own = {"prior": getattr(refinement, "prior", True), "device": device}
        known["fits"] = fit_others(batch, quantiles, stamps, pixels, **own)
        refined = refine_models(refinement, model, *network, **known, **options)
        if around is not None:
            options |= {"assumptions": assumptions, "evaluate": evaluate}
            refined, stamps = with_neighbors(
                around, refined, stamps, prior=refinement.prior, **options
            )
        if batch.counts:
            refined = with_whole_sky(refined, stamps.frame)
    for name, values in stars.items():
        refined[2].setdefault(name, values)  # else it is that of the evidence
    options = {"morphology": morphology, "known": known_light(model, _numbers(batch))}
    return finished(net, batch, stamps, pixels, refined, **options)


def finished(
    net, batch, stamps, pixels, refined, *, morphology=False, all_fluxes=False, known=False
):
    """Judge what was measured in a batch by its images.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        Estimator with a posterior network.
    batch : `~sersicnet.preprocessing.batches.Batch`
        The cutouts.
    stamps : `~sersicnet.preprocessing.Stamps`
        Their stamps, of which some may be binned.
    pixels : `~sersicnet.inference.assumptions.PixelModel` or None
        What a refinement assumed of their pixels.
    refined : tuple
        Posterior, quantiles, columns and flags of the refinement, as it returns them.
    morphology : bool, optional
        Whether to measure what needs no profile.
    all_fluxes : bool, optional
        Whether there are fluxes without a prior of all galaxies, not of those alone that are not
        detected.
    known : bool or (N,) bool `~numpy.ndarray`, optional
        Galaxies whose magnitude is known, and shown if they are not detected, unless at a bound.

    Returns
    -------
    tuple
        Stamps with all flags, posterior, quantiles and columns.
    """
    posterior, quantiles, columns, flags = refined
    device = net.network_.whiten.weight.device
    correlation = None
    of_network = np.ones(len(stamps), dtype=bool)
    if pixels is not None:
        correlation = pixels.correlation
        stamps = stamps.with_flags(flags | pixels.flags)
        of_network = (flags & int(Flags.NOT_REFINED)) != 0
    options = {"correlation": correlation, "device": device}
    sky = sky_priors(batch, pixels)
    judged, shown = judge_models(posterior, quantiles, stamps, batch, sky=sky, **options)
    if correlation is None:
        correlation = smooth_correlation(judged.neighbors)
    stamps = stamps.with_flags(posterior_flags(shown, stamps, batch.psfs, correlation))
    stamps = stamps.with_flags(misfit_flags(judged, shown, ~of_network))
    flags = network_flags(stamps, batch.psfs, judged, adapted=net.record_.get("images"))
    stamps = stamps.with_flags(of_network * flags)
    hidden = hidden_light(shown, stamps, batch.psfs, device=device)
    stamps = judge_gaps(stamps, hidden)
    fluxes, unseen = linear_fluxes(judged, shown, stamps.frame, correlation)
    stamps = stamps.with_flags(unseen * int(Flags.LOW_SNR))
    if not all_fluxes:
        fluxes = of_unseen(fluxes, unseen & ~(known & (stamps.flags & int(Flags.AT_BOUND) == 0)))
    columns = {"chi2": judged.chi2, "n_pixels": judged.n_pixels} | columns | fluxes
    if morphology:
        options |= {"correlation": correlation, "neighbors": judged.neighbors}
        options |= {"sky": columns.get("sky"), "counts": batch.counts}
        columns |= morphology_columns(shown, stamps, batch.psfs, **options)
    return stamps, posterior, quantiles, columns
