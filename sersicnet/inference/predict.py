"""From cutouts to results: what `SersicNet.predict` does."""

import copy
from functools import partial

import numpy as np
import torch
from tqdm.auto import tqdm

from sersicnet.flags import FAILED, Flags
from sersicnet.inference.flags import answer_flags, normal_flags
from sersicnet.inference.refine import check_refinement
from sersicnet.model.labels import CENTER, LOG_FLUX, N_LABELS
from sersicnet.model.psf import check_oversampling, collect_psfs, psf_flags, psfs_of, require_psfs
from sersicnet.model.psf_resampling import network_psfs
from sersicnet.model.symmetries import (
    ORIENTATIONS,
    inverse_orientation,
    orient_images,
    orient_labels,
)
from sersicnet.networks.densities import NormalDensity, parameter_samples, summarize
from sersicnet.networks.flow_density import FlowDensity, flow_labels, label_dict
from sersicnet.networks.posterior import PosteriorNetwork
from sersicnet.networks.registry import predict_labels
from sersicnet.parameters import PARAMETERS, label_names
from sersicnet.preprocessing.batches import cutout_batches
from sersicnet.preprocessing.binning import bin_galaxies, needed_bins
from sersicnet.preprocessing.stamps import check_cutouts
from sersicnet.results import SersicResults

__all__ = ["predict", "predict_normal", "predict_posterior"]

SEVEN = tuple(PARAMETERS)
# A galaxy much larger than the stamp is seen to be so when it has been binned once.
_MOST_BINNINGS = 3


def predict(
    net,
    cutouts,
    *,
    psf,
    psf_options,
    units,
    points,
    augment,
    refine,
    seed,
    batch_size,
    progress_bar,
):
    """Results of a trained estimator, one batch of cutouts after the other.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        With a trained network.
    cutouts, psf
        As in `~sersicnet.SersicNet.predict`.
    psf_options : dict
        Of `~sersicnet.model.collect_psfs`.
    units : dict
        ``pixel_scale`` and ``zeropoint``, as the user gave them.
    points : (S, 7) `~numpy.ndarray`
        Standard normal points that quantiles of a flow are computed from.
    augment, refine, seed
        As in `~sersicnet.SersicNet.predict`.
    batch_size : int
        Stamps a forward pass.
    progress_bar : bool
        Whether to show one.

    Returns
    -------
    `~sersicnet.SersicResults`

    Raises
    ------
    TypeError, ValueError
        If the call makes no sense.
    """
    cutouts = check_cutouts(cutouts)
    given = psfs_of(psf, cutouts)
    check_oversampling(psf_options["oversampling"])
    refinement = check_refinement(refine)
    if isinstance(net.network_, PosteriorNetwork):
        require_psfs(given)
        options = {"psf_options": psf_options, "points": points, "seed": seed}
        options["ways"] = ORIENTATIONS if augment else ORIENTATIONS[:1]
        measure = partial(_measure_universal, net.network_, refinement=refinement, **options)
    elif refinement is not None or augment:
        told = "augment=True" if refinement is None else f"refine={refine!r}"
        msg = f"{told} needs the posterior network: use the weights 'universal'"
        raise ValueError(msg)
    else:
        measure = partial(_measure_regression, net)
    parts = []
    with tqdm(total=len(given), unit="galaxy", disable=not progress_bar) as bar:
        for batch in cutout_batches(cutouts, given, units):
            stamps = batch.prepare(net.stamp_size)
            answer, quantiles, columns = measure(batch, stamps, batch_size=batch_size)
            kept = stamps.frame, stamps.flags, stamps.shapes, stamps.wcs
            parts.append(SersicResults(net.parameters_, answer, quantiles, *kept, columns))
            bar.update(len(batch))
    return SersicResults.concatenate(parts)


def _measure_universal(
    network, batch, stamps, *, psf_options, points, ways, refinement, seed, batch_size
):
    """Answer of the posterior network, refined if asked, quantiles and columns of the refinement.

    Flags are added in place.
    """
    psfs, device = collect_psfs(batch.psfs, **psf_options), network.whiten.weight.device
    options, columns = {"points": points, "ways": ways, "batch_size": batch_size}, {}
    answer, quantiles = predict_posterior(network, batch, stamps, psfs, **options)
    if refinement is not None:
        answer, quantiles, columns = refinement(
            answer, quantiles, stamps, psfs, seed=seed, device=device
        )
    stamps.flags[:] |= answer_flags(quantiles, stamps, psfs, device=device)
    return answer, quantiles, columns


def _measure_regression(net, batch, stamps, *, batch_size):
    """As `_measure_universal`, of a network that does not look at PSFs."""
    stamps.flags[:] |= psf_flags(batch.psfs)
    options = {
        "batch_size": batch_size,
        "label_range": net.label_range_,
        "pixel_scale": net.record_.get("simulation", {}).get("pixel_scale"),
    }
    return *predict_normal(net.network_, net.parameters_, stamps, **options), {}


def predict_normal(network, parameters, stamps, *, batch_size, label_range=None, pixel_scale=None):
    """Answer of a network of independent normal distributions.

    Parameters
    ----------
    network : `~torch.nn.Module`
        In evaluation mode.
    parameters : tuple of str
        What it predicts.
    stamps : `~sersicnet.preprocessing.Stamps`
        Flags are added in place.
    batch_size : int
        Stamps a forward pass.
    label_range, pixel_scale
        As in `~sersicnet.inference.flags.normal_flags`.

    Returns
    -------
    `~sersicnet.networks.NormalDensity`, (P, 3, N) `~numpy.ndarray`
        Densities, and quantiles of the parameters.
    """
    mean, scale = predict_labels(network, stamps.data, stamps.weight, batch_size=batch_size)
    lost = ~np.isfinite(mean + scale).all(axis=1)
    stamps.flags[lost] |= int(Flags.PREDICTION_FAILED)
    lost |= (stamps.flags & int(FAILED)) != 0
    mean[lost], scale[lost] = np.nan, np.nan
    answer = NormalDensity(label_names(parameters), mean, scale)
    stamps.flags[:] |= normal_flags(
        answer, stamps, label_range=label_range, pixel_scale=pixel_scale
    )
    return answer, answer.quantiles(stamps.frame, parameters)


def predict_posterior(network, batch, stamps, psfs, *, points, ways, batch_size):
    """Answer of the posterior network, large galaxies binned.

    Parameters
    ----------
    network : `~sersicnet.networks.PosteriorNetwork`
        In evaluation mode.
    batch : `~sersicnet.preprocessing.batches.Batch`
        What the stamps were prepared from.
    stamps : `~sersicnet.preprocessing.Stamps`
        Replaced in place by binned ones where the galaxy is too large; flags of the images
        and of what failed are added.
    psfs : `~sersicnet.model.PSFs`
        Of the cutouts.
    points : (S, 7) `~numpy.ndarray`
        Standard normal points that quantiles are computed from.
    ways : tuple of int
        In which of `~sersicnet.model.symmetries.ORIENTATIONS` stamps are seen.
    batch_size : int
        Stamps a forward pass.

    Returns
    -------
    `~sersicnet.networks.FlowDensity`, (7, 3, N) `~numpy.ndarray`
        Densities, and quantiles of all seven parameters.
    """
    options = {"points": points, "ways": ways, "batch_size": batch_size}
    stamps.flags[:] |= psfs.flags()
    arrays = _measure(network, stamps, psfs, **options)
    for _ in range(_MOST_BINNINGS):
        bins = needed_bins(arrays["quantiles"][:, SEVEN.index("r_eff"), 1], stamps)
        changed = bins != stamps.frame.bins
        for number in np.unique(bins[changed]):
            rows = np.flatnonzero(changed & (bins == number))
            binned, coarse = bin_galaxies(batch, rows, int(number), stamps, psfs)
            again = _measure(network, binned, coarse, **options)
            stamps.flags[rows] = binned.flags
            for name, array in again.items():
                arrays[name][rows] = array
    quantiles = np.moveaxis(arrays.pop("quantiles"), 0, 2)
    # The user may move the network to another device, or train it.
    return FlowDensity(copy.deepcopy(network.flow).cpu(), **arrays), quantiles


def _measure(network, stamps, psfs, *, points, ways, batch_size):
    """Arrays of a `FlowDensity` and ``quantiles``, (N, 7, 3); flags are added to the stamps."""
    psf_stamps, log_light, offset = network_psfs(psfs)
    usable = (psfs.which >= 0) & (stamps.flags & int(FAILED) == 0)
    arrays, samples = _empty(network, len(stamps), len(ways), len(points))
    device, points = network.whiten.weight.device, torch.from_numpy(points)[:, None]
    rows = np.flatnonzero(usable)
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        chosen = torch.stack([psf_stamps[number] for number in psfs.which[part]])
        images = (torch.from_numpy(array[part]) for array in (stamps.data, stamps.weight))
        seen_now = [tensor.to(device) for tensor in (*images, chosen)]
        for way in ways:
            with torch.no_grad():
                posterior = network(*(orient_images(tensor, way) for tensor in seen_now))
            for name in ("context", "mean", "factor"):
                arrays[name][part, way] = getattr(posterior, name).cpu().numpy()
            labels = flow_labels(posterior, points.expand(-1, len(part), -1))
            samples[part, way] = orient_labels(labels, inverse_orientation(way))
    samples = samples.reshape(len(stamps), -1, N_LABELS)
    failed = ~np.isfinite(samples).all(axis=(1, 2))
    stamps.flags[failed & usable] |= int(Flags.PREDICTION_FAILED)
    for array in (*arrays.values(), samples):
        array[failed] = np.nan
    samples[:, :, LOG_FLUX] -= log_light[:, None]
    samples[:, :, CENTER] -= offset[:, None]
    quantiles = summarize(parameter_samples(label_dict(samples), stamps.frame, SEVEN), SEVEN)
    arrays["log_light"], arrays["offset"] = log_light, offset
    return arrays | {"quantiles": np.moveaxis(quantiles, 2, 0)}


def _empty(network, n, n_ways, n_points):
    """Arrays of NaN for what the network says of ``n`` galaxies, each seen in some ways."""
    shapes = {
        "context": (network.config["context"],),
        "mean": (N_LABELS,),
        "factor": (N_LABELS, N_LABELS),
    }
    arrays = {
        name: np.full((n, n_ways, *shape), np.nan, np.float32) for name, shape in shapes.items()
    }
    return arrays, np.full((n, n_ways, n_points, N_LABELS), np.nan)
