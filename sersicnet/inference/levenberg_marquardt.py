"""Levenberg-Marquardt fits, from given labels to the maximum of the posterior or likelihood."""

import numpy as np
import torch

from sersicnet.inference.best_fluxes import distinct_starts, has_best_fluxes
from sersicnet.inference.bounds import within_bounds
from sersicnet.inference.covariance import fit_covariance
from sersicnet.inference.endings import STALLED, end_slow, may_wander, tolerance
from sersicnet.inference.evaluations import CHUNKS, evaluate
from sersicnet.inference.fit import Fit, Modes, unfitted
from sersicnet.inference.pace import pace_of
from sersicnet.inference.race import Race
from sersicnet.inference.skies import central_sky, sky_terms
from sersicnet.model.band_likelihood import BandLikelihood
from sersicnet.model.hidden import hidden_covariance
from sersicnet.model.prior import SNR_LIMITS
from sersicnet.model.scene import Scene
from sersicnet.model.scene_prior import log_signal
from sersicnet.model.sizes import FAINTEST
from sersicnet.model.stamp_groups import likelihoods

__all__ = ["CHUNKS", "fit_groups", "fit_stamps", "levenberg_marquardt"]

MAX_ITERATIONS = 60  # for each part of a galaxy
# The same of groups over that: few of them need many steps, which others take as well then.
_MORE = 4
# Good pixels needed beyond the number of parameters: one more than numbers to fit, with the sky.
_MORE_PIXELS = 2


def fit_stamps(
    labels,
    data,
    weight,
    psfs,
    *,
    scene=None,
    others=(),
    prior=True,
    sky_err=None,
    plane=False,
    noise=None,
    shared=None,
    kinds=None,
    members=None,
    faintest=FAINTEST,
    hidden=None,
    least_fall=None,
    device="cpu",
):
    """Fit galaxies, starting from given labels.

    Parameters
    ----------
    labels : (N, K) `~numpy.ndarray`
        Labels to start from: by default seven, in the order of `~sersicnet.model.LABELS`.
    data, weight : (N, S, S) float32 `~numpy.ndarray`
        Data and weights, as in `~sersicnet.preprocessing.Stamps`.
    psfs : `~sersicnet.model.PSFs`
        PSFs of the stamps.
    scene : `~sersicnet.model.Scene`, optional
        Parameters of the galaxies, of which some may be known; by default all seven labels are
        free.
    others : sequence of (N, K) `~numpy.ndarray`, optional
        Other labels to start from, on the same pixels: the best fit is returned.
    prior : bool
        Whether the prior counts (maximum a posteriori) or not (maximum likelihood). Its density
        is that of the logits, of the length of the unconstrained ellipticity and of its angle.
    sky_err : (N,) `~numpy.ndarray`, optional
        Standard deviation of the prior of the sky, in units of the data: 0 for no sky, infinite
        (the default) where nothing is known of it.
    plane : bool, optional
        Whether the sky has a free slope as well.
    noise : `~sersicnet.model.NoiseFilters` or `~sersicnet.model.pixel_laws.PixelLaw`, optional
        Correlation or distribution of the noise, as in `~sersicnet.model.likelihoods`.
    shared : `~sersicnet.model.SharedStamps`, optional
        Stamps that fits of other models have too.
    kinds, members, faintest : optional
        Profiles and PSFs of the parts, if they differ, and how far out these are drawn, as in
        `~sersicnet.model.likelihoods`.
    hidden : HiddenLight, optional
        Numbers of sources that are too faint to be found.
    least_fall : float, optional
        As in ``end_slow`` of ``sersicnet/inference/endings.py``.
    device : str or `~torch.device`
        Device on which models are rendered.

    Returns
    -------
    Fit
        NaN, and not converged, where there are no labels, no PSF, or too few pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sersicnet.inference import fit_stamps
    >>> from sersicnet.model import collect_psfs, psf_transform, sersic_images
    >>> y, x = np.mgrid[-10:11, -10:11]
    >>> psf = np.exp(-0.5 * (x**2 + y**2) / 1.5**2)
    >>> truth = np.array([[3.0, 0.7, 1.5, 0.2, 0.1, 0.3, -0.2]])
    >>> transform = psf_transform(torch.from_numpy(psf / psf.sum()), 64)
    >>> images = sersic_images(torch.from_numpy(truth), transform, stamp_size=64).numpy()
    >>> data = (images + np.random.default_rng(1).normal(size=images.shape)).astype("f4")
    >>> fit = fit_stamps(truth + 0.1, data, np.ones_like(data), collect_psfs([psf]))
    >>> fit.converged
    array([ True])
    """
    device = torch.device(device)
    if scene is None:
        scene = Scene.sersic(len(labels))
    options = {"chunk": CHUNKS[device.type], "sky_err": sky_err, "noise": noise, "device": device}
    options |= {"plane": plane, "profiles": scene.layout.drawn, "shared": shared}
    options |= {"kinds": kinds, "members": members, "faintest": faintest}
    if kinds is not None:
        options["chunk"] *= _MORE
    groups = likelihoods(labels, data, weight, psfs, **options)
    options = {"prior": prior, "hidden": hidden, "device": device}
    options["least_fall"] = least_fall
    return fit_groups(groups, [labels, *others], scene, **options)


def fit_groups(
    groups, starts, scene, *, prior=True, bands=(), hidden=None, least_fall=None, device="cpu"
):
    """Fit galaxies that come in groups.

    Parameters
    ----------
    groups : iterable of ((R,) int `~numpy.ndarray`, likelihood)
        Rows of the galaxies of each group, and their likelihood.
    starts : list of (N, K) `~numpy.ndarray`
        Labels to start from.
    scene : `~sersicnet.model.Scene`
        Parameters of the N galaxies.
    prior : bool, optional
        As in `fit_stamps`.
    bands : tuple of int, optional
        Number of bands, if the likelihoods are of several.
    hidden, least_fall : optional
        As in `fit_stamps`.
    device : str or `~torch.device`, optional
        Device of the likelihoods.

    Returns
    -------
    Fit
    """
    n = len(scene)
    fields = unfitted(n, scene.layout.n_parameters, bands)
    modes = Modes.blank(n, len(starts), scene.layout.n_parameters)
    fewest = scene.layout.n_parameters + _MORE_PIXELS
    if hidden is not None:
        fields["hidden"] = np.zeros_like(fields["covariance"])
    for rows, likelihood in groups:
        n_pixels = likelihood.n_pixels.cpu().numpy()
        fields["n_pixels"][rows] = n_pixels
        enough = np.flatnonzero(n_pixels >= fewest)
        if len(enough):
            own = scene[rows[enough]].to(device, torch.float32)
            chosen = [each[rows[enough]] for each in starts]
            fitted, ends = _best_fit(likelihood[enough], chosen, own, prior, least_fall)
            if hidden is not None:
                light = hidden[rows[enough]]
                fitted["hidden"] = _hidden(likelihood[enough], own, fitted, light)
            for name, values in fitted.items():
                fields[name][rows[enough]] = values.cpu().numpy()
            for name, values in ends.items():
                getattr(modes, name)[rows[enough], : values.shape[1]] = values.cpu().numpy()
    return Fit(modes=modes, **fields)


def _hidden(likelihood, scene, fitted, light):
    """What hidden sources add to the covariances of fits."""
    mean = fitted["mean"]
    labels = scene.labels(mean)
    slopes = scene.slopes(mean)
    return hidden_covariance(likelihood, labels, slopes, fitted["covariance"], light)


def _best_fit(likelihood, starts, scene, prior, least_fall):
    """Return the fits with the least cost, out of those from several labels, and all modes."""
    n = len(likelihood)
    device = likelihood.device
    several = len(starts) > 1
    if has_best_fluxes(likelihood, scene.layout):
        starts = distinct_starts(starts, scene.layout)
    labels = torch.from_numpy(np.concatenate(starts)).float().to(device)
    rows = np.tile(np.arange(n), len(starts))
    race = Race(n) if several else None
    ends = _optimize(likelihood, labels, scene[rows], prior, race, least_fall)
    if race is not None:
        _go_on(likelihood, scene, prior, ends, race.unfinished(ends))
    shape = len(starts), n
    modes = {"log_likelihood": likelihood.log_sky_volume - 0.5 * ends["chi2"].view(shape)}
    for name in ("mean", "covariance", "cost", "slope", "fisher"):
        modes[name] = ends[name].view(*shape, *ends[name].shape[1:])
    cost = torch.where(ends["converged"], ends["cost"], torch.inf).view(shape)
    chosen = cost.argmin(dim=0) * n + torch.arange(n, device=device)
    best = {name: values[chosen] for name, values in ends.items()}
    fitted = _with_images(likelihood, labels[chosen], scene, best)
    return fitted, {name: values.transpose(0, 1) for name, values in modes.items()}


@torch.no_grad()
def _go_on(likelihood, scene, prior, ends, places):
    """Fit on from some of the ends, which are changed in place."""
    rows = places % len(likelihood)
    if not len(rows):
        return
    own = scene[rows]
    found = _optimize(likelihood[rows], own.labels(ends["mean"][places]), own, prior)
    better = found["converged"]
    for name, values in found.items():
        ends[name][places[better]] = values[better]


@torch.no_grad()
def levenberg_marquardt(likelihood, labels, *, scene=None, prior=True):
    """Fit some galaxies together; each has its own damping, and ends when it has converged.

    Parameters
    ----------
    likelihood : `~sersicnet.model.StampLikelihood`
        Likelihood of N stamps.
    labels : (N, K) `~torch.Tensor`
        Labels to start from.
    scene : `~sersicnet.model.Scene`, optional
        Parameters of the galaxies, on the device and of the type of the labels, as in
        `fit_stamps`.
    prior : bool
        Whether the prior counts, as in `fit_stamps`.

    Returns
    -------
    dict of `~torch.Tensor`
        The fields of `Fit` but for ``n_pixels`` and ``modes``.
    """
    if scene is None:
        scene = Scene.sersic(len(labels)).to(labels.device, labels.dtype)
    return _with_images(likelihood, labels, scene, _optimize(likelihood, labels, scene, prior))


def _optimize(likelihood, labels, scene, prior, race=None, least_fall=None):
    """Return the ends of fits, with what was evaluated there.

    Where there is a race, labels are those of all galaxies from one start after the other.
    """
    values = within_bounds(scene, scene.values(labels))
    rows = torch.arange(len(values), device=values.device) % len(likelihood)
    state = evaluate(likelihood, rows, scene, values, prior)
    pace = pace_of(scene.layout)(values)
    left = torch.full_like(pace.damping, torch.inf)
    done = torch.zeros_like(left, dtype=torch.bool)
    good = torch.zeros_like(done)
    n_iter = torch.ones_like(left, dtype=torch.long)
    n_pixels = likelihood.n_pixels[rows]
    before = state["cost"] + torch.inf
    for number in range(MAX_ITERATIONS * len(scene.layout.parts)):
        if race is not None:
            race.end_losers(number, state, left, done, good)
        elif may_wander(scene.layout):
            ended = left, pace.damping, done, good, scene.layout, least_fall
            before = end_slow(number, before, state, n_pixels, *ended)
        active = (~done).nonzero()[:, 0]
        if not len(active):
            break
        now = {name: tensor[active] for name, tensor in state.items()}
        step, decrement = pace.step(active, scene[active], now["mean"], now)
        left[active] = decrement
        small = decrement < tolerance(now["cost"], scene.layout)
        done[active[small]] = True
        good[active[small]] = True
        active = active[~small]
        step = step[~small]
        if not len(active):
            continue
        part = scene[active]
        moved = within_bounds(part, state["mean"][active] + step)
        trial = evaluate(likelihood, rows[active], part, moved, prior)
        n_iter[active] += 1
        better = trial["cost"] <= state["cost"][active]  # False where the trial is NaN
        pace.judge(active, better, state["cost"][active] - trial["cost"])
        _accept(active[better], state, trial, better)
        stalled = ~better & (step.abs().amax(dim=1) < 1e-4)
        done[active[stalled]] = True
        good[active[stalled]] = (left[active[stalled]] < STALLED) | (race is not None)
    return _ended(scene, state, n_iter, good)


def _accept(rows, state, trial, better):
    """Put better parameters in the place of those so far, with what was evaluated there."""
    for name, tensor in state.items():
        tensor[rows] = trial[name][better]


def _ended(scene, state, n_iter, good):
    """Return what is known at the end of fits, and whether it may be an optimum."""
    values = state["mean"]
    covariance, held = fit_covariance(scene, values, state)
    usable = torch.isfinite(covariance).all(dim=2).all(dim=1) & torch.isfinite(state["cost"])
    inside = 10 ** log_signal(scene, scene.labels(values)) > SNR_LIMITS[0]
    inside |= not scene.layout.limits_signal
    found = {"covariance": covariance, "held": held, "n_iter": n_iter}
    return state | found | {"converged": good & usable & inside}


def _with_images(likelihood, start, scene, end):
    """Return the fields of `Fit` but for ``n_pixels`` and ``modes``, from the ends of fits."""
    labels = scene.labels(end["mean"])
    found = _image_terms(likelihood, start, labels, end, end["covariance"])
    for name in ("mean", "covariance", "chi2", "cost", "converged", "held", "n_iter"):
        found[name] = end[name]
    return found


def _image_terms(likelihood, start, end, state, covariance):
    """Return the fields of `Fit` that are of one image, or of the images of all bands."""
    if not isinstance(likelihood, BandLikelihood):
        found = _compare(likelihood, start, end)
        found |= sky_terms(likelihood.at(end), state, covariance)
        return found | {"closer": found.pop("change") < 0}
    found = []
    for number, band in enumerate(likelihood.bands):
        place = likelihood.places[number]
        own = {name: state[name][..., number] for name in ("sky_total", "sky_response")}
        terms = sky_terms(band, own, covariance)
        found.append(_compare(band, start[:, place], end[:, place]) | terms)
    found = {name: torch.stack([each[name] for each in found], dim=1) for name in found[0]}
    change = found.pop("change")
    return found | {"closer": (change.sum(dim=1, keepdim=True) < 0).expand(change.shape)}


def _compare(likelihood, start, end):
    """Return fields of `Fit` that compare start and end, with the change of chi2 for ``closer``."""
    start_sky, signal, before = likelihood.compare(start)
    sky, model, after = likelihood.compare(end)
    center, center_err = central_sky(likelihood, model, after)
    change = signal.clamp(min=0) * (after.square() - before.square())
    return {
        "start_sky": start_sky,
        "sky": sky,
        "central_sky": sky + center,
        "central_sky_err": center_err,
        "change": change.sum(dim=(1, 2)),
    }
