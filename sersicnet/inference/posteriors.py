"""The network's posteriors of a batch of stamps."""

from functools import partial

import numpy as np
import torch

from sersicnet.flags import FAILED, Flags
from sersicnet.model.labels import CENTER, LOG_FLUX, N_LABELS
from sersicnet.model.symmetries import inverse_orientation, orient_images, orient_labels
from sersicnet.networks.densities import parameter_samples, summarize
from sersicnet.networks.flow_density import FlowDensity, flow_labels, label_dict
from sersicnet.networks.inputs import network_input
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.binning import bin_galaxies, needed_bins
from sersicnet.preprocessing.stamps import Stamps

__all__ = ["predict_posterior"]

SEVEN = tuple(PARAMETERS)
# A galaxy much larger than the stamp is seen to be so when it has been binned once.
_MOST_BINNINGS = 3


def predict_posterior(network, batch, *, flow, points, ways, batch_size):
    """Evaluate the posterior network; galaxies that are too large for their stamp are binned.

    Parameters
    ----------
    network : `~sersicnet.networks.PosteriorNetwork`
        Network in evaluation mode.
    batch : `~sersicnet.preprocessing.batches.Batch`
        N cutouts.
    flow : `~zuko.flows.Flow`
        Copy of its flow on the CPU, which the posterior keeps.
    points : (S, 7) `~numpy.ndarray`
        Standard normal points that quantiles are computed from.
    ways : tuple of int
        Those of `~sersicnet.model.symmetries.ORIENTATIONS` in which the network sees the stamps.
    batch_size : int
        Number of stamps in a forward pass.

    Returns
    -------
    stamps : `~sersicnet.preprocessing.Stamps`
        The stamps that the posterior is of, with flags of PSFs, binning and failures.
    posterior : `~sersicnet.networks.FlowDensity`
        Densities of the labels.
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of all seven parameters at 16, 50 and 84 %.
    """
    evaluate = partial(_evaluate, network, points=points, ways=ways, batch_size=batch_size)
    stamps = batch.stamps.with_flags(batch.psfs.flags())
    arrays, flags = evaluate(stamps, batch.psfs)
    stamps = stamps.with_flags(flags)
    for _ in range(_MOST_BINNINGS):
        bins = needed_bins(arrays["quantiles"][:, SEVEN.index("r_eff"), 1], stamps)
        changed = bins != stamps.frame.bins
        if not changed.any():
            break
        places = []
        parts = []
        for number in np.unique(bins[changed]):
            rows = np.flatnonzero(changed & (bins == number))
            binned, psfs = bin_galaxies(batch, rows, int(number))
            binned = binned.with_flags(batch.psfs[rows].flags())
            again, flags = evaluate(binned, psfs)
            places.append(rows)
            parts.append(binned.with_flags(flags))
            for name, array in again.items():
                arrays[name][rows] = array
        stamps = stamps.with_rows(np.concatenate(places), Stamps.concatenate(parts))
    quantiles = np.moveaxis(arrays.pop("quantiles"), 0, 2)
    return stamps, FlowDensity(flow, **arrays), quantiles


def _evaluate(network, stamps, psfs, *, points, ways, batch_size):
    """Return the arrays of a `FlowDensity` with ``quantiles``, (N, 7, 3), and flags, (N,)."""
    seen = network_input(stamps, psfs, fine=network.needs_fine)
    usable = (psfs.which >= 0) & (stamps.flags & int(FAILED) == 0)
    arrays, samples = _empty(network, len(stamps), len(ways), len(points))
    device = network.whiten.weight.device
    points = torch.from_numpy(points)[:, None]
    rows = np.flatnonzero(usable)
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        inputs = [tensor.to(device) for tensor in seen[part]]
        for way in ways:
            with torch.no_grad():
                posterior = network(*(_turned(tensor, way) for tensor in inputs))
            for name in ("context", "mean", "factor"):
                arrays[name][part, way] = getattr(posterior, name).cpu().numpy()
            labels = flow_labels(posterior, points.expand(-1, len(part), -1))
            samples[part, way] = orient_labels(labels, inverse_orientation(way))
    samples = samples.reshape(len(stamps), -1, N_LABELS)
    failed = ~np.isfinite(samples).all(axis=(1, 2))
    flags = np.where(failed & usable, int(Flags.PREDICTION_FAILED), 0)
    for array in (*arrays.values(), samples):
        array[failed] = np.nan
    samples[:, :, LOG_FLUX] -= seen.log_light[:, None]
    samples[:, :, CENTER] -= seen.offset[:, None]
    quantiles = summarize(parameter_samples(label_dict(samples), stamps.frame, SEVEN), SEVEN)
    arrays["log_light"] = seen.log_light
    arrays["offset"] = seen.offset
    arrays["quantiles"] = np.moveaxis(quantiles, 2, 0)
    return arrays, flags


def _turned(tensor, way):
    """Images in another orientation, and numbers as they are."""
    return orient_images(tensor, way) if tensor.dim() > 1 else tensor


def _empty(network, n, n_ways, n_points):
    """Return arrays of NaN for posteriors of ``n`` galaxies, each seen in some ways."""
    shapes = {
        "context": (network.context_size,),
        "mean": (N_LABELS,),
        "factor": (N_LABELS, N_LABELS),
    }
    arrays = {
        name: np.full((n, n_ways, *shape), np.nan, np.float32) for name, shape in shapes.items()
    }
    return arrays, np.full((n, n_ways, n_points, N_LABELS), np.nan)
