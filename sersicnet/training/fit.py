"""From cutouts and truth to a trained network, for `sersicnet.SersicNet.fit`."""

import copy
import tempfile
from pathlib import Path

import numpy as np

from sersicnet._settings import check_positive
from sersicnet.io.files import check_output_folder
from sersicnet.networks.registry import build_network, torch_device
from sersicnet.parameters import check_parameters, label_names
from sersicnet.training.adapt import adapt
from sersicnet.training.checkpoints import CHECKPOINTS
from sersicnet.training.data import check_kernel
from sersicnet.training.prepared import as_training_data, check_pair, split_rows
from sersicnet.training.regression import train_network

__all__ = ["fit"]

LEARNING_RATE = 2e-3
# Share of the galaxies that are held out for validation.
_HELD_OUT = 0.1
# Smallest spread of a label in the training set: labels are divided by it.
_SMALLEST_SPREAD = 1e-6


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
        Estimator, whose settings are used.
    cutouts, truth, psf, validation, noise_kernel, resume, progress_bar
        Arguments of `~sersicnet.SersicNet.fit`.
    psf_options : dict
        Options of `~sersicnet.model.collect_psfs`.
    units : dict
        ``pixel_scale``, ``zeropoint`` and ``gain``.
    start : `~torch.nn.Module` or None
        Trained network to start from; random weights by default.

    Returns
    -------
    network : `~torch.nn.Module`
        Trained network.
    parameters : tuple of str
        Parameters that it predicts.
    history : dict of list
        ``epoch``, ``train_loss`` and ``val_loss``.
    label_range : (2, L) `~numpy.ndarray` or None
        Smallest and largest labels of the training set.
    record : dict
        Facts about the training, which are stored with the weights.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, as for `~sersicnet.SersicNet.fit`.
    OSError
        If files cannot be written into ``resume``, before the training.
    """
    parameters = _check_settings(net)
    if resume is not None:
        check_output_folder(resume, "resume")
        check_output_folder(Path(resume) / "checkpoints", "resume", files=CHECKPOINTS)
    if net.network == "likelihood":
        msg = (
            "network='likelihood' cannot be fitted to cutouts yet: train it on scenes "
            "(sersicnet train universal --kind likelihood), or adapt network='posterior'"
        )
        raise ValueError(msg)
    if net.network == "posterior":
        _check_adaptation(start, noise_kernel)
        run_options = {"validation": validation, "resume": resume, "progress_bar": progress_bar}
        options = {"psf_options": psf_options, "units": units, "stamp_size": net.stamp_size}
        return adapt(net, start, cutouts, truth, psf=psf, **run_options, **options)
    if noise_kernel is not None:
        check_kernel(noise_kernel)
    network = _first_network(net, parameters, start)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch if resume is None else resume)
        options = {"parameters": parameters, "stamp_size": net.stamp_size, **units}
        train, held_out = _training_sets(net, cutouts, truth, validation, folder, options)
        if start is None:
            spread = train.labels.std(axis=0).clip(min=_SMALLEST_SPREAD)
            network.standardize(train.labels.mean(axis=0), spread)
        history, seconds = train_network(
            network,
            train,
            held_out,
            directory=folder / "checkpoints",
            noise_kernel=noise_kernel,
            progress_bar=progress_bar,
            **_train_options(net),
        )
    label_range = np.stack([train.labels.min(axis=0), train.labels.max(axis=0)])
    record = {
        "n_train": len(train),
        "n_validation": len(held_out),
        "training_seconds": round(seconds),
        "images": train.images,
    }
    return network.eval(), parameters, history, label_range, record


def _train_options(net):
    """Options of `train_network` from the settings of an estimator."""
    return {
        "max_epochs": net.max_epochs,
        "batch_size": net.batch_size,
        "learning_rate": LEARNING_RATE if net.learning_rate is None else net.learning_rate,
        "patience": net.patience,
        "seed": net.seed,
        "device": torch_device(net.device).type,
        "precision": net.precision,
    }


def _training_sets(net, cutouts, truth, validation, folder, options):
    """The training set and the validation set, prepared in a folder."""
    train = as_training_data(cutouts, truth, directory=folder / "train", **options)
    if validation is None:
        kept, left = split_rows(len(train), fraction=_HELD_OUT, seed=net.seed)
        return train.subset(kept), train.subset(left)
    pair = check_pair(validation)
    return train, as_training_data(*pair, directory=folder / "validation", **options)


def _check_settings(net):
    """Check the settings that would fail late or silently, and return the parameters."""
    for name in ("max_epochs", "batch_size", "patience"):
        check_positive(name, getattr(net, name))
    torch_device(net.device)
    return check_parameters(net.parameters)


def _check_adaptation(start, noise_kernel):
    """Raise ValueError unless the posterior network can be adapted."""
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
    """The network that the training starts from, made before anything slow starts."""
    if start is not None:
        return copy.deepcopy(start)
    return build_network(
        net.network,
        seed=net.seed,
        n_labels=len(label_names(parameters)),
        stamp_size=net.stamp_size,
        dropout=net.dropout,
    )
