"""The estimator: `SersicNet` stores its settings and delegates."""

from sersicnet._settings import Settings, check_bool, check_positive, check_unchanged
from sersicnet.diagnostics.scores import score_table
from sersicnet.inference.predict import predict
from sersicnet.io.weights import list_pretrained, pretrained_path
from sersicnet.networks.flow_density import base_points
from sersicnet.networks.registry import network_name, torch_device
from sersicnet.networks.saved import read_net, write_net
from sersicnet.parameters import check_parameters

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
        it learns from the training set; ``'posterior'``, the one for all, which has been trained
        (`from_pretrained`) and which `fit` adapts.
    stamp_size : int
        Pixels on a side of what the network sees; cutouts are cut or padded to it.
    max_epochs : int
        Most passes through the training set.
    batch_size : int
        Galaxies a step.
    learning_rate : float, optional
        The highest of the schedule; by default 2e-3, or 5e-5 to adapt ``'posterior'``.
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
    label_range_ : (2, L) `~numpy.ndarray` or None
        Smallest and largest labels of the training set of a ``'cnn'``.
    record_ : dict
        How it was trained.
    weights_ : str or None
        Name and SHA-256 of the file that it was loaded from; None if it was trained since.

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
        learning_rate=None,
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
        psf_oversampling=1,
        normalize_psf=True,
        validation=None,
        noise_kernel=None,
        pixel_scale=None,
        zeropoint=None,
        warm_start=False,
        resume=None,
        progress_bar=True,
    ):
        """Train on cutouts of known galaxies, or adapt the universal network to them.

        Parameters
        ----------
        cutouts : iterable of `~astropy.nddata.NDData`, 3-D NDData, or (N, ny, nx) array
            An iterator need not fit in memory: prepared stamps are kept on disk. For ``'cnn'``
            also a `~sersicnet.training.TrainingData` prepared before.
        truth : `~astropy.table.Table` or dict
            A row a cutout; columns named as ``parameters`` (and ``q`` if ``theta`` is
            one). None for a `~sersicnet.training.TrainingData`.
        psf, psf_oversampling, normalize_psf
            As in `predict`, for ``network='posterior'``; ``'cnn'`` does not look at them.
        validation : tuple of (cutouts, truth), optional
            What decides which epoch was best; by default a tenth of the training set.
        noise_kernel : (K, K) array_like, optional
            If given, cutouts are taken to be free of noise, and noise of their
            ``uncertainty``, correlated by this kernel of unit sum of squares (``[[1]]``: white
            noise), is drawn anew whenever a galaxy is seen. For ``'cnn'``.
        pixel_scale, zeropoint
            As in `~sersicnet.SersicNet.predict`.
        warm_start : bool
            Go on from the present network instead of from random weights. True to adapt.
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
        TypeError, ValueError
            If a setting is impossible, the truth lacks a column or has another length, or too few
            galaxies are usable.
        """
        # Lightning takes longer to import than all the rest, and predictions do without it.
        from sersicnet.training.fit import fit

        if warm_start:
            self._check_fitted()
        learned = fit(
            self,
            cutouts,
            truth,
            psf=psf,
            psf_options={"oversampling": psf_oversampling, "normalize": normalize_psf},
            validation=validation,
            noise_kernel=noise_kernel,
            units={"pixel_scale": pixel_scale, "zeropoint": zeropoint},
            start=self.network_ if warm_start else None,
            resume=resume,
            progress_bar=progress_bar,
        )
        self.network_, self.parameters_, self.history_, self.label_range_, self.record_ = learned
        self.weights_ = None
        return self

    def predict(
        self,
        cutouts,
        *,
        psf=None,
        psf_oversampling=1,
        normalize_psf=True,
        pixel_scale=None,
        zeropoint=None,
        augment=False,
        refine=None,
        n_samples=64,
        batch_size=64,
        seed=0,
        progress_bar=False,
    ):
        """Estimate the parameters of galaxies.

        Parameters
        ----------
        cutouts : `~astropy.nddata.NDData` (2-D or 3-D), iterable of them, or (N, ny, nx) array
            Sizes may differ. The galaxy is at the middle (the universal network: to within 3
            pixels); see `~sersicnet.preprocessing.center`.
        psf : (K, L) array_like or list of them, optional
            Star-like stamps (with the pixel's response), one for all or one a cutout; by default
            those of the cutouts. The universal network needs them; one without a PSF input
            checks them, but does not look at them.
        psf_oversampling : int
            Pixels of the PSF stamps on a side of a pixel of the data.
        normalize_psf : bool
            Whether PSF stamps hold all the light. If not, their own sum says what share.
        pixel_scale : float or `~astropy.units.Quantity`, optional
            Arcsec per pixel, one or one a cutout; by default that of the WCS or header.
        zeropoint : float or `~astropy.units.Quantity`, optional
            AB magnitude of a flux of 1, one or one a cutout; by default that of unit or header.
        augment : bool
            Whether the universal network looks at each stamp in eight ways (flipped along x, along
            y, transposed) and answers with the mean of the eight posteriors: six times as long.
        refine : None, ``'lm'`` or ``'importance'``
            Polish the universal network's answer by a fit, or by importance sampling. For options,
            a `~sersicnet.inference.LevenbergMarquardt` or
            `~sersicnet.inference.ImportanceSampling`.
        n_samples : int
            Points of the network's posterior that medians and quantiles are computed from.
        batch_size : int
            Stamps a forward pass.
        seed : int
            Of these points, the same for each galaxy, and of the draws of ``'importance'``, which
            depend on a galaxy's pixels as well.
        progress_bar : bool
            Whether to show one.

        Returns
        -------
        `~sersicnet.SersicResults`
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
        check_positive("n_samples", n_samples)
        check_bool("augment", augment)
        self.network_.to(torch_device(self.device))
        return predict(
            self,
            cutouts,
            psf=psf,
            psf_options={"oversampling": psf_oversampling, "normalize": normalize_psf},
            units={"pixel_scale": pixel_scale, "zeropoint": zeropoint},
            points=base_points(n_samples, seed),
            augment=augment,
            refine=refine,
            seed=seed,
            batch_size=batch_size,
            progress_bar=progress_bar,
        )

    def score(self, cutouts, truth, **options):
        """R2, bias, scatter and outliers of each parameter.

        Parameters
        ----------
        cutouts, **options
            As in `~sersicnet.SersicNet.predict`.
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
        write_net(self, path)

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
        return read_net(cls, path)

    @classmethod
    def from_pretrained(cls, name="universal"):
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
