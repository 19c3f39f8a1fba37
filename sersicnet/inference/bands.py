"""Several bands of each galaxy: what `SersicNet.predict` does with a dict of cutouts."""

import warnings
from functools import partial

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from tqdm.auto import tqdm

from sersicnet._rows import join_rows
from sersicnet._settings import check_bool, check_positive, check_seed
from sersicnet._words import counted
from sersicnet.flags import Flags
from sersicnet.inference.band_arguments import check_bands, naming, of_each_band
from sersicnet.inference.band_batches import measure_batch
from sersicnet.inference.band_results import BandResults
from sersicnet.inference.calls import check_exposures, check_law
from sersicnet.inference.choose import check_choice
from sersicnet.inference.constraints import warn_unfitted
from sersicnet.inference.neighborhoods import check_neighbors
from sersicnet.inference.predict import evaluation, join, results_of, split_data
from sersicnet.inference.record import describe_photons
from sersicnet.inference.refine import LevenbergMarquardt, check_refinement
from sersicnet.inference.seen import Seen
from sersicnet.inference.tension import warn_of_tension
from sersicnet.inference.wavelengths import known_wavelengths
from sersicnet.io.memory import enough_memory
from sersicnet.model.choice import ModelChoice
from sersicnet.model.psf_check import warn_of_psfs
from sersicnet.networks.posterior import PosteriorNetwork
from sersicnet.preprocessing.batches import open_cutouts
from sersicnet.preprocessing.noise_maps import warn_of_noise
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["NEEDS_FIT", "check_call", "predict_bands"]

NEEDS_FIT = "lm (several bands need a fit)"


def predict_bands(
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
    """Measure galaxies in several bands with a trained estimator.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        Estimator with a trained network.
    cutouts : dict
        Cutouts by the names of bands.
    data : dict
        The arguments of `~sersicnet.SersicNet.predict` that say what the data are, each for all
        bands or a dict by their names.
    n_samples, augment, refine, model, neighbors, morphology, seed, batch_size, progress_bar
        As in `~sersicnet.inference.predict.predict`.

    Returns
    -------
    `~sersicnet.inference.band_results.BandResults`

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid.
    MemoryError
        If there is too little memory.
    """
    check_positive("n_samples", n_samples)
    check_positive("batch_size", batch_size)
    check_bool("augment", augment)
    check_seed("seed", seed)
    _check_one_band(data, morphology)
    present, missing = check_bands(cutouts)
    exposures = data.get("exposures", False)
    options = {"sky": data.get("sky", "prior"), "bands": list(missing), "exposures": exposures}
    refinement = check_call(net, refine, model, neighbors, **options)
    data, log_wavelength = _divided(data, model, list(missing))
    opened, assumed = _opened(net, present, of_each_band(data, list(missing)))
    seen = {band: Seen() for band in opened}
    evaluate = evaluation(net, n_samples=n_samples, augment=augment, seed=seed)
    asked = {
        "evaluate": partial(evaluate, batch_size=batch_size),
        "refinement": refinement,
        "model": model,
        "neighbors": neighbors,
        "assumed": assumed,
        "missing": missing,
        "seed": seed,
        "log_wavelength": log_wavelength,
        "exposures": exposures,
    }
    model.check_length(len(next(iter(missing.values()))))
    joints = []
    memory = enough_memory("predict", "fewer cutouts, or a smaller batch_size=, need less")
    n_galaxies = len(next(iter(missing.values())))
    with memory, tqdm(total=n_galaxies, unit="galaxy", disable=not progress_bar) as bar:
        for batches in zip(*map(_batches, opened, opened.values()), strict=True):
            joint, found = measure_batch(net, dict(zip(opened, batches, strict=True)), **asked)
            joints.append(joint)
            for band, batch in zip(opened, batches, strict=True):
                own = results_of(net.parameters_, opened[band], batch, found[band], model)
                seen[band].add(batch, own)
            bar.update(len(batches[0]))
            del batches, found, batch, own  # whose memory the next batch needs
    asked = {"model": model, "neighbors": neighbors, "refine": refine or NEEDS_FIT}
    found = BandResults.of(_all_joined(net, opened, seen, assumed, asked), join_rows(joints))
    if exposures:
        found.meta["EXPOSURE"] = "one flux in all bands"
    if not next(iter(opened.values())).is_checked:  # else a catalog is made of the results
        _warn(found, missing)
        warn_of_tension(found.columns, stacklevel=3)
        if model.is_free:
            _warn_unfitted(found)
        else:
            warn_unfitted(found.flags, model, stacklevel=3)
    return found


def _check_one_band(data, morphology):
    """Raise ValueError for what is possible in one band only."""
    check_law(data.get("likelihood", "gaussian"))
    if morphology:
        msg = "morphology=True is for one band: pass the cutouts of one"
        raise ValueError(msg)


def _all_joined(net, opened, seen, assumed, asked):
    """Return the results of each band, joined from those of its batches."""
    results = {}
    for band, each in seen.items():
        with naming(band):
            known = asked | {"assumptions": assumed[band]}
            results[band] = _joined(net, opened[band], each, **known)
    return results


def _divided(data, model, bands):
    """Return the arguments without wavelengths, and these, None if nothing changes with them."""
    data = dict(data)
    data.pop("exposures", None)
    wavelength = data.pop("wavelength", None)
    return data, known_wavelengths(wavelength, model, bands)


def _batches(band, opened):
    """Yield the batches of a band, with its name in what they raise."""
    batches = iter(opened)
    while True:
        with naming(band):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _joined(net, batches, seen, **asked):
    """Return the results of all batches of a band, and warn of its noise and PSFs."""
    results = join(net, batches, seen.results, **asked)
    results.meta.update(describe_photons(*np.hstack(seen.photons)))
    # whoever names the band says which line of the user it was
    warn_of_noise(np.concatenate(seen.scatter), stacklevel=1)
    warn_of_psfs(seen.checks, recenter=batches.psf_options["recenter"], stacklevel=1)
    return results


def check_call(net, refine, model, neighbors, *, sky, bands, exposures=False):
    """Check what a call with several bands asks for.

    Parameters
    ----------
    net, refine, model, neighbors, sky
        As in `~sersicnet.inference.predict.predict`; the sky may be that of each band.
    bands : list of str
        Names of the bands.
    exposures : bool, optional
        Whether they are exposures with one flux.

    Returns
    -------
    LevenbergMarquardt or ImportanceSampling
        The refinement.

    Raises
    ------
    ValueError
        If several bands cannot be fitted like this.
    """
    refinement = check_refinement(refine)
    if refinement is None:
        refinement = LevenbergMarquardt()
    check_exposures(exposures, model, neighbors)
    if not isinstance(net.network_, PosteriorNetwork):
        msg = "several bands need the posterior network: use the weights 'universal'"
        raise ValueError(msg)
    if not isinstance(model, ModelChoice):  # the parts of whose models have names of no band
        _check_model(model)
        _check_parts(model, bands)
    for own in sky.values() if isinstance(sky, dict) else [sky]:
        check_choice(model, refinement, own)
    check_neighbors(neighbors, refinement, model)
    if neighbors == "fit" and model.chromatic:
        msg = f"neighbors='fit' needs a model that does not change with wavelength, not {model!r}"
        raise ValueError(msg)
    return refinement


def _check_model(model):
    """Raise ValueError unless a model can be fitted in several bands."""
    if PROFILE_SHAPES.keys() & set(dict(model.combination.parts).values()):
        msg = f"model={model!r}: this profile is fitted in one band"
        raise ValueError(msg)
    possible = model.combination.parameters
    for name in [*model.settings, *model.tied]:
        _, parameter = possible.get(name, (None, name))
        if parameter not in ("r_eff", "n", "q", "theta") or (
            parameter == "theta" and name not in model.tied
        ):
            msg = (
                f"model={model!r}: {name} cannot be known in several bands, which have their own "
                "light and pixels: r_eff, n and q can"
            )
            raise ValueError(msg)


def _check_parts(model, bands):
    """Raise ValueError if a band has the name of a part, so that columns have the same name."""
    parts = list(model.combination.components)
    taken = {*parts}
    for band in bands:
        taken |= {f"{part}_{band}" for part in parts}
    for band in bands:
        if len(parts) > 1 and band in taken:
            msg = f"cutouts has a band {band!r}, and the model a part with its columns: rename one"
            raise ValueError(msg)


def _opened(net, present, given):
    """Return the checked cutouts of each band, and what fits assume about their pixels."""
    opened = {}
    assumed = {}
    for band, images in present.items():
        with naming(band):
            assumed[band], options = split_data(given[band])
            options |= {"stamp_size": net.stamp_size, "needs_psf": True}
            opened[band] = open_cutouts(images, **options)
            assumed[band].check_length(len(opened[band]))
    return opened, assumed


def _warn(results, missing):
    """Warn of bands that show no galaxy where they have cutouts."""
    for band, lost in missing.items():
        flags = results.flags_of(band)
        absent = (flags & int(Flags.MISSING_BAND)) != 0
        if absent.all() and not lost.all():
            msg = (
                f"the cutouts of the band {band!r} do not show the places of the galaxies in the "
                "others (MISSING_BAND): their WCS may be of other images"
            )
            warnings.warn(msg, AstropyUserWarning, stacklevel=4)


def _warn_unfitted(results):
    """Warn of galaxies that have the answers of the network."""
    n_lost = np.count_nonzero(results.flags & int(Flags.NOT_REFINED))
    if n_lost:
        msg = (
            f"{n_lost} of {counted(len(results), 'galaxy')} could not be fitted in several bands "
            "(NOT_REFINED): the answers of the network for the bands, combined, are kept"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=4)
