"""From cutouts and truth to a trained network: what `SersicNet.fit` does."""

import copy
import tempfile
from pathlib import Path

import numpy as np

from sersicnet._settings import check_positive
from sersicnet.networks.registry import build_network, torch_device
from sersicnet.parameters import check_parameters, label_names
from sersicnet.training.adapt import adapt
from sersicnet.training.data import check_kernel
from sersicnet.training.prepared import as_training_data, check_pair, split_rows
from sersicnet.training.regression import train_network

__all__ = ["fit"]

LEARNING_RATE = 2e-3


def fit(
    net,
    cutouts,
    truth,
    *,
    psf,
    psf_options,
    validation,
    noise_kernel,
    units,
    start,
    resume,
    progress_bar,
):
    """Train the network of an estimator, which stays as it is.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        Whose settings count.
    cutouts, truth, psf, validation, noise_kernel, resume, progress_bar
        As in `~sersicnet.SersicNet.fit`.
    psf_options : dict
        Of `~sersicnet.model.collect_psfs`.
    units : dict
        ``pixel_scale`` and ``zeropoint``.
    start : `~torch.nn.Module` or None
        A trained network to go on from, else random weights.

    Returns
    -------
    network : `~torch.nn.Module`
    parameters : tuple of str
    history : dict
    label_range : (2, L) `~numpy.ndarray` or None
    record : dict
        What the estimator keeps of them.

    Raises
    ------
    TypeError, ValueError
        As in `~sersicnet.SersicNet.fit`.
    """
    parameters = _check_settings(net)
    if net.network == "posterior":
        _check_adaptation(start, noise_kernel)
        options = {"psf_options": psf_options, "units": units, "stamp_size": net.stamp_size}
        return adapt(
            net,
            start,
            cutouts,
            truth,
            psf=psf,
            validation=validation,
            resume=resume,
            progress_bar=progress_bar,
            **options,
        )
    if noise_kernel is not None:
        check_kernel(noise_kernel)
    network = _first_network(net, parameters, start)
    options = {"parameters": parameters, "stamp_size": net.stamp_size, **units}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch if resume is None else resume)
        train = as_training_data(cutouts, truth, directory=folder / "train", **options)
        if validation is None:
            kept, left = split_rows(len(train), fraction=0.1, seed=net.seed)
            held_out = train.subset(left)
            train = train.subset(kept)
        else:
            held_out = as_training_data(
                *check_pair(validation), directory=folder / "validation", **options
            )
        if start is None:
            spread = train.labels.std(axis=0).clip(min=1e-6)
            network.standardize(train.labels.mean(axis=0), spread)
        history, seconds = train_network(
            network,
            train,
            held_out,
            directory=folder / "checkpoints",
            max_epochs=net.max_epochs,
            batch_size=net.batch_size,
            learning_rate=LEARNING_RATE if net.learning_rate is None else net.learning_rate,
            patience=net.patience,
            noise_kernel=noise_kernel,
            seed=net.seed,
            device=torch_device(net.device).type,
            precision=net.precision,
            progress_bar=progress_bar,
        )
    label_range = np.stack([train.labels.min(axis=0), train.labels.max(axis=0)])
    record = {
        "n_train": len(train),
        "n_validation": len(held_out),
        "training_seconds": round(seconds),
    }
    return network.eval(), parameters, history, label_range, record


def _check_settings(net):
    """The parameters, after a check of all that would fail late or silently."""
    for name in ("max_epochs", "batch_size", "patience"):
        check_positive(name, getattr(net, name))
    torch_device(net.device)
    return check_parameters(net.parameters)


def _check_adaptation(start, noise_kernel):
    """Refuse what the universal network does not learn by."""
    if start is None:
        msg = (
            "network='posterior' is trained on scenes of its own, by `sersicnet train "
            "universal`: fit adapts trained weights, with warm_start=True, or trains network='cnn'"
        )
        raise ValueError(msg)
    if noise_kernel is not None:
        msg = "noise_kernel is for network='cnn': network='posterior' needs cutouts with noise"
        raise ValueError(msg)


def _first_network(net, parameters, start):
    """The network that training begins with, made before anything long begins."""
    if start is not None:
        return copy.deepcopy(start)
    return build_network(
        net.network,
        seed=net.seed,
        n_labels=len(label_names(parameters)),
        stamp_size=net.stamp_size,
        dropout=net.dropout,
    )
