"""The estimator: `SersicNet` stores its settings and delegates."""

import copy
import tempfile
from collections.abc import Iterable, Sized
from pathlib import Path

import numpy as np

from sersicnet._settings import Settings, check_positive, check_unchanged
from sersicnet.diagnostics import score_table
from sersicnet.network import build_network, network_name, predict_labels, torch_device
from sersicnet.parameters import check_parameters, label_names
from sersicnet.preprocessing import prepare
from sersicnet.psf import psf_flags
from sersicnet.results import SersicResults
from sersicnet.training import train_network
from sersicnet.training_data import check_kernel
from sersicnet.training_set import as_training_data, check_pair, split_training_data
from sersicnet.weights import list_pretrained, pretrained_path, read_weights, write_weights

__all__ = ["SersicNet"]


class SersicNet(Settings):
    """Sersic parameters of galaxies by a neural network.

    Parameters
    ----------
    parameters : tuple of str
        What to estimate, out of ``mag``, ``r_eff``, ``n``, ``q``, ``theta``, ``x_0``, ``y_0``
        (see `~sersicnet.parameters.PARAMETERS`).
    network : str
        Kind of network: ``'cnn'``, a convolutional network for one instrument, whose PSF
        it learns from the training set.
    stamp_size : int
        Pixels on a side of what the network sees; cutouts are cut or padded to it.
    max_epochs : int
        Most passes through the training set.
    batch_size : int
        Galaxies a step.
    learning_rate : float
        The highest of the schedule.
    patience : int
        Epochs without progress on the validation set after which training stops.
    dropout : float
        Share of dropped inputs of the dense layer in training.
    precision : str
        Lightning's precision in training, e.g. ``'32-true'`` or ``'bf16-mixed'``.
    seed : int
        Of everything random.
    device : str
        ``'auto'``, ``'cpu'`` or ``'gpu'``.

    Attributes
    ----------
    network_ : `~torch.nn.Module`
        The trained network.
    parameters_ : tuple of str
        What it was trained for.
    history_ : dict of list
        ``epoch``, ``train_loss`` and ``val_loss`` of the training.
    label_range_ : (2, L) `~numpy.ndarray`
        Smallest and largest labels of the training set.
    record_ : dict
        How it was trained.

    Examples
    --------
    >>> from sersicnet import SersicNet
    >>> from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, render_catalog
    >>> config = SimulationConfig.candels_f160w()
    >>> catalog = draw_catalog(3, config, seed=1)
    >>> net = SersicNet.from_pretrained("deeplegato")
    >>> results = net.predict(render_catalog(catalog, config, seed=1))
    >>> results.to_table()["mag"].shape
    (3,)
    """

    def __init__(
        self,
        *,
        parameters=("mag", "r_eff", "n", "q"),
        network="cnn",
        stamp_size=128,
        max_epochs=30,
        batch_size=64,
        learning_rate=2e-3,
        patience=10,
        dropout=0.0,
        precision="32-true",
        seed=0,
        device="auto",
    ):
        self.parameters = parameters
        self.network = network
        self.stamp_size = stamp_size
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.dropout = dropout
        self.precision = precision
        self.seed = seed
        self.device = device

    def __sklearn_is_fitted__(self):
        return hasattr(self, "network_")

    def fit(
        self,
        cutouts,
        truth=None,
        *,
        psf=None,
        validation=None,
        noise_kernel=None,
        pixel_scale=None,
        zeropoint=None,
        warm_start=False,
        resume=None,
        progress_bar=True,
    ):
        """Train on cutouts of known galaxies.

        Parameters
        ----------
        cutouts : iterable of `~astropy.nddata.NDData`, 3-D NDData, or (N, ny, nx) array
            An iterator need not fit in memory: prepared stamps are kept on disk. Or
            a `~sersicnet.training.TrainingData` prepared before.
        truth : `~astropy.table.Table` or dict
            A row a cutout; columns named as ``parameters`` (and ``q`` if ``theta`` is
            one). None for a `~sersicnet.training.TrainingData`.
        psf : optional
            Accepted for networks that take a PSF; this one does not look at it.
        validation : tuple of (cutouts, truth), optional
            What decides which epoch was best; by default a tenth of the training set.
        noise_kernel : (K, K) array_like, optional
            If given, cutouts are taken to be free of noise, and noise of their
            ``uncertainty``, correlated by this kernel of unit sum of squares
            (``[[1]]`` for white noise), is drawn anew whenever a galaxy is seen.
        pixel_scale, zeropoint
            As in `~sersicnet.estimator.SersicNet.predict`.
        warm_start : bool
            Go on from the present network instead of from random weights.
        resume : path, optional
            Directory for stamps and checkpoints. What a killed run left there is used.
        progress_bar : bool
            Whether to show one.

        Returns
        -------
        SersicNet
            Itself.

        Raises
        ------
        ValueError
            If a setting is impossible, the truth lacks a column or has another length, or fewer
            than two galaxies (three, where some must be held out) are usable.
        """
        options = {"parameters": self._check_settings(), "stamp_size": self.stamp_size}
        units = {"pixel_scale": pixel_scale, "zeropoint": zeropoint}
        if noise_kernel is not None:
            check_kernel(noise_kernel)
        network = self._start(options["parameters"], warm_start)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch if resume is None else resume)
            train = as_training_data(cutouts, truth, directory=folder / "train", **options, **units)
            if validation is None:
                train, held_out = split_training_data(train, fraction=0.1, seed=self.seed)
            else:
                cutouts, truth = check_pair(validation)
                held_out = as_training_data(
                    cutouts, truth, directory=folder / "validation", **options, **units
                )
            if not warm_start:
                spread = train.labels.std(axis=0).clip(min=1e-6)
                network.standardise(train.labels.mean(axis=0), spread)
            history, seconds = train_network(
                network,
                train,
                held_out,
                directory=folder / "checkpoints",
                max_epochs=self.max_epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                patience=self.patience,
                noise_kernel=noise_kernel,
                seed=self.seed,
                device=torch_device(self.device).type,
                precision=self.precision,
                progress_bar=progress_bar,
            )
        self.network_, self.history_ = network.eval(), history
        self.parameters_ = options["parameters"]
        self.label_range_ = np.stack([train.labels.min(axis=0), train.labels.max(axis=0)])
        self.record_ = {
            "n_train": len(train),
            "n_validation": len(held_out),
            "training_seconds": round(seconds),
        }
        return self

    def _start(self, parameters, warm_start):
        """The network that training begins with, made before anything long begins."""
        if warm_start:
            self._check_fitted()
            return copy.deepcopy(self.network_)
        return build_network(
            self.network,
            seed=self.seed,
            n_labels=len(label_names(parameters)),
            stamp_size=self.stamp_size,
            dropout=self.dropout,
        )

    def predict(
        self,
        cutouts,
        *,
        psf=None,
        pixel_scale=None,
        zeropoint=None,
        batch_size=64,
    ):
        """Estimate the parameters of galaxies.

        Parameters
        ----------
        cutouts : `~astropy.nddata.NDData` (2-D or 3-D), iterable of them, or (N, ny, nx) array
            Sizes may differ. The galaxy is at the middle, to within what the network was
            trained on; see `~sersicnet.preprocessing.center`.
        psf : (K, K) array_like or list of them, optional
            One for all or one a cutout; by default those of the cutouts. Checked, but not looked
            at by a network without a PSF input.
        pixel_scale : float or `~astropy.units.Quantity`, optional
            Arcsec per pixel, one or one a cutout; by default that of the WCS or header.
        zeropoint : float or `~astropy.units.Quantity`, optional
            AB magnitude of a flux of 1, one or one a cutout; by default that of unit or header.
        batch_size : int
            Stamps a forward pass.

        Returns
        -------
        `~sersicnet.results.SersicResults`
            One row a cutout. A galaxy that cannot be measured has NaN and a flag.

        Raises
        ------
        RuntimeError
            If there is no trained network.
        TypeError, ValueError, `~astropy.units.UnitConversionError`
            If the call makes no sense: see the page on bad input.
        """
        self._check_fitted()
        check_positive("batch_size", batch_size)
        if isinstance(cutouts, Iterable) and not isinstance(cutouts, Sized):
            cutouts = list(cutouts)
        stamps = prepare(
            cutouts, stamp_size=self.stamp_size, pixel_scale=pixel_scale, zeropoint=zeropoint
        )
        one = hasattr(cutouts, "data")  # an array, or one NDData for all
        if one and psf is None and np.ndim(getattr(cutouts, "psf", None)) == 3:
            psf = cutouts.psf
        stamps.flags[:] |= psf_flags(psf, [cutouts] * len(stamps) if one else cutouts)
        self.network_.to(torch_device(self.device))
        mean, scale = predict_labels(
            self.network_, stamps.data, stamps.weight, batch_size=batch_size
        )
        return SersicResults.from_labels(
            self.parameters_,
            mean,
            scale,
            stamps,
            label_range=self.label_range_,
            pixel_scale=self.record_.get("simulation", {}).get("pixel_scale"),
        )

    def score(self, cutouts, truth, **options):
        """R2, bias, scatter and outliers of each parameter.

        Parameters
        ----------
        cutouts, **options
            As in `~sersicnet.estimator.SersicNet.predict`.
        truth : `~astropy.table.Table` or dict
            A row a cutout.

        Returns
        -------
        `~astropy.table.QTable`
            See `~sersicnet.diagnostics.score_table`.
        """
        table = self.predict(cutouts, **options).to_table()
        return score_table(table, truth, parameters=self.parameters_)

    def save(self, path):
        """Write the trained network to a safetensors file that `load` reads.

        Parameters
        ----------
        path : str or path
            The file.
        """
        self._check_fitted()
        metadata = {
            "settings": self.get_params() | {"parameters": list(self.parameters_)},
            "parameters": list(self.parameters_),
            "network": self.network,
            "network_config": self.network_.config,
            "labels": list(label_names(self.parameters_)),
            "label_range": np.asarray(self.label_range_).tolist(),
            "history": self.history_,
            "record": self.record_,
        }
        write_weights(path, self.network_.state_dict(), metadata)

    @classmethod
    def load(cls, path):
        """Read a network that `save` wrote.

        Parameters
        ----------
        path : str or path
            The file.

        Returns
        -------
        SersicNet

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is missing, truncated, corrupted or not sersicnet's.
        """
        tensors, metadata = read_weights(path)
        settings = metadata["settings"] | {"parameters": tuple(metadata["parameters"])}
        net = cls(**settings).set_params(device="auto")
        net.network_ = build_network(metadata["network"], **metadata["network_config"]).eval()
        net.network_.load_state_dict(tensors)
        net.parameters_ = net.parameters
        net.label_range_ = np.array(metadata["label_range"])
        net.history_, net.record_ = metadata["history"], metadata["record"]
        return net

    @classmethod
    def from_pretrained(cls, name="deeplegato"):
        """Load weights that are shipped with the package.

        Parameters
        ----------
        name : str
            See `list_pretrained`.

        Returns
        -------
        SersicNet
        """
        return cls.load(pretrained_path(name))

    @staticmethod
    def list_pretrained():
        """Names and contents of the shipped weights, an `~astropy.table.Table`."""
        return list_pretrained()

    def _check_fitted(self):
        if not hasattr(self, "network_"):
            msg = "this SersicNet has no trained network: call fit, or use from_pretrained"
            raise RuntimeError(msg)
        trained = {
            "parameters": self.parameters_,
            "stamp_size": self.network_.config["stamp_size"],
            "network": network_name(self.network_),
        }
        present = self.get_params() | {"parameters": check_parameters(self.parameters)}
        check_unchanged(present, trained)

    def _check_settings(self):
        """The parameters, after a check of all that would fail late or silently."""
        for name in ("max_epochs", "batch_size", "patience"):
            check_positive(name, getattr(self, name))
        torch_device(self.device)
        return check_parameters(self.parameters)
