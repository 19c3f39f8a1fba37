"""Predictions of a network that was trained for one survey."""

import numpy as np

from sersicnet.flags import FAILED, Flags
from sersicnet.inference.flags import normal_flags
from sersicnet.inference.gaps import judge_gaps
from sersicnet.networks.densities import NormalDensity
from sersicnet.networks.registry import predict_labels
from sersicnet.parameters import label_names

__all__ = ["measure_regression", "predict_normal"]


def measure_regression(net, batch, *, batch_size):
    """Measure a batch with a network that does not look at PSFs; one that is missing is no fault.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        Estimator with such a network.
    batch : `~sersicnet.preprocessing.batches.Batch`
        N cutouts.
    batch_size : int
        Number of stamps in a forward pass.

    Returns
    -------
    stamps : `~sersicnet.preprocessing.Stamps`
        Their stamps, with all flags.
    posterior, quantiles
        As from `predict_normal`.
    columns : dict
        Empty.
    """
    bad_psf = batch.psfs.flags() & int(Flags.BAD_PSF)
    stamps = batch.stamps.with_flags(bad_psf * batch.has_psf)
    posterior, quantiles, flags = predict_normal(
        net.network_,
        net.parameters_,
        stamps,
        batch_size=batch_size,
        label_range=net.label_range_,
        trained=_trained(net.record_),
        psf_fwhm=batch.psfs.widths(),
    )
    return judge_gaps(stamps.with_flags(flags)), posterior, quantiles, {}


def _trained(record):
    """Return the ranges of the images that a network was trained on, as far as a record has them.

    Records of simulations before version 1.0 have the pixel scale alone.
    """
    ranges = dict(record.get("images", {}))
    scale = record.get("simulation", {}).get("pixel_scale")
    if scale is not None:
        ranges.setdefault("pixel_scale", [scale, scale])
    return ranges


def predict_normal(network, parameters, stamps, *, batch_size, **options):
    """Evaluate a network of independent normal distributions.

    Parameters
    ----------
    network : `~torch.nn.Module`
        Network in evaluation mode.
    parameters : tuple of str
        Parameters that it predicts.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of N galaxies.
    batch_size : int
        Number of stamps in a forward pass.
    **options
        Options of `~sersicnet.inference.flags.normal_flags`.

    Returns
    -------
    posterior : `~sersicnet.networks.NormalDensity`
        Densities of the labels.
    quantiles : (P, 3, N) `~numpy.ndarray`
        Quantiles of the parameters at 16, 50 and 84 %.
    flags : (N,) int `~numpy.ndarray`
        Flags that follow from them.
    """
    mean, scale = predict_labels(network, stamps.data, stamps.weight, batch_size=batch_size)
    lost = ~np.isfinite(mean + scale).all(axis=1)
    flags = np.where(lost, int(Flags.PREDICTION_FAILED), 0)
    lost |= (stamps.flags & int(FAILED)) != 0
    mean[lost] = np.nan
    scale[lost] = np.nan
    posterior = NormalDensity(label_names(parameters), mean, scale)
    flags |= normal_flags(posterior, stamps.with_flags(flags), **options)
    return posterior, posterior.quantiles(stamps.frame, parameters), flags
