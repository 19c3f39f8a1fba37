"""The estimator `SersicNet`, which stores its settings and delegates."""

from inspect import signature

from sersicnet._settings import Settings, check_names, check_unchanged, hides_unknown, psf_options
from sersicnet.diagnostics.scores import score_table
from sersicnet.inference.bands import predict_bands
from sersicnet.inference.predict import predict
from sersicnet.io.weights import list_pretrained, pretrained_path
from sersicnet.model.description import check_model
from sersicnet.networks.registry import network_name, torch_device
from sersicnet.networks.saved import read_net, write_net
from sersicnet.parameters import check_parameters

__all__ = ["SersicNet"]


class SersicNet(Settings):
    """Measure Sersic parameters of galaxies with a neural network.

    Parameters
    ----------
    parameters : tuple of str
        Parameters to estimate, out of ``mag``, ``r_eff``, ``n``, ``q``, ``theta``, ``x_0``,
        ``y_0`` (see `~sersicnet.parameters.PARAMETERS`).
    network : str
        ``'cnn'``, a convolutional network that learns one instrument and its PSF; ``'posterior'``,
        that for all, which `from_pretrained` loads; ``'likelihood'``, without shipped weights yet.
    stamp_size : int
        Pixels on a side of the stamps that the network sees; cutouts are cropped or padded.
    max_epochs : int
        Largest number of passes through the training set.
    batch_size : int
        Number of galaxies in a training step.
    learning_rate : float, optional
        Highest learning rate; by default 2e-3, or 5e-5 to adapt ``'posterior'``.
    patience : int
        Number of epochs without progress on the validation set after which training stops.
    dropout : float
        Share of dropped inputs of the dense layer in training.
    precision : str
        Lightning's precision in training, e.g. ``'32-true'`` or ``'bf16-mixed'``.
    seed : int
        Seed of all random numbers.
    device : str
        ``'auto'``, ``'cpu'`` or ``'gpu'``.

    Attributes
    ----------
    network_ : `~torch.nn.Module`
        The trained network.
    parameters_ : tuple of str
        Parameters that it was trained for.
    history_ : dict of list
        ``epoch``, ``train_loss`` and ``val_loss`` of the training.
    label_range_ : (2, L) `~numpy.ndarray` or None
        Smallest and largest labels of the training set of a ``'cnn'``.
    record_ : dict
        Record of the training.
    weights_ : str or None
        Name and SHA-256 of the file of the network; None if it was trained since.

    Examples
    --------
    >>> from sersicnet import SersicNet
    >>> SersicNet.from_pretrained("deeplegato").parameters_
    ('mag', 'r_eff', 'n', 'q')
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

    @hides_unknown
    def fit(
        self,
        cutouts,
        truth=None,
        *,
        psf=None,
        psf_oversampling=None,
        normalize_psf=True,
        recenter_psf=True,
        validation=None,
        noise_kernel=None,
        pixel_scale=None,
        zeropoint=None,
        gain=None,
        warm_start=False,
        resume=None,
        progress_bar=True,
        **unknown,
    ):
        """Train on cutouts of known galaxies, or adapt the universal network to them.

        Parameters
        ----------
        cutouts : iterable of `~astropy.nddata.NDData`, 3-D NDData, or (N, ny, nx) array
            Cutouts of known galaxies, also an iterator that does not fit in memory. For ``'cnn'``
            also a `~sersicnet.training.TrainingData` prepared before.
        truth : `~astropy.table.Table` or dict
            One row per cutout, with the columns ``parameters`` (and ``q`` where ``theta`` is one).
        psf, psf_oversampling, normalize_psf, recenter_psf
            As in `predict`, for ``network='posterior'``; ``'cnn'`` does not use them.
        validation : tuple of (cutouts, truth), optional
            Set that decides which epoch was best; by default a tenth of the training set.
        noise_kernel : (K, K) array_like, optional
            If given, cutouts are free of noise, and noise of their ``uncertainty``, correlated by
            this kernel of unit sum of squares, is drawn anew whenever a galaxy is seen (``'cnn'``).
        pixel_scale, zeropoint, gain
            As in `~sersicnet.SersicNet.predict`.
        warm_start : bool
            Whether to continue from the present network, as to adapt it, not from random weights.
        resume : path, optional
            Directory for stamps and checkpoints, from which a run that was killed continues.
        progress_bar : bool
            Whether to show a progress bar.

        Returns
        -------
        SersicNet
            The estimator itself.

        Raises
        ------
        TypeError, ValueError
            If a setting is impossible, the truth lacks a column or has another length, or too few
            galaxies are usable.

        Examples
        --------
        >>> from sersicnet import SersicNet
        >>> from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, render_catalog
        >>> config = SimulationConfig.candels_f160w()
        >>> truth = draw_catalog(20, config, seed=1)
        >>> cutouts = render_catalog(truth, config, seed=1)
        >>> net = SersicNet(parameters=("mag",), stamp_size=32, max_epochs=1, device="cpu")
        >>> net.fit(cutouts, truth, progress_bar=False).parameters_
        ('mag',)
        """
        # Lightning takes longer to import than all the rest, and predictions do without it.
        from sersicnet.training.fit import fit

        check_names("fit", unknown, signature(self.fit).parameters)
        if warm_start:
            self._check_fitted()
        learned = fit(
            self,
            cutouts,
            truth,
            psf=psf,
            psf_options=psf_options(psf_oversampling, normalize_psf, recenter_psf),
            validation=validation,
            noise_kernel=noise_kernel,
            units={"pixel_scale": pixel_scale, "zeropoint": zeropoint, "gain": gain},
            start=self.network_ if warm_start else None,
            resume=resume,
            progress_bar=progress_bar,
        )
        self.network_, self.parameters_, self.history_, self.label_range_, self.record_ = learned
        self.weights_ = None
        return self

    @hides_unknown
    def predict(
        self,
        cutouts,
        *,
        psf=None,
        psf_oversampling=None,
        normalize_psf=True,
        recenter_psf=True,
        pixel_scale=None,
        zeropoint=None,
        gain=None,
        mask_bits=None,
        augment=False,
        refine=None,
        model="sersic",
        neighbors="mask",
        morphology=False,
        sky="prior",
        sky_err=None,
        noise_correlation="measure",
        likelihood="gaussian",
        wavelength=None,
        exposures=False,
        n_samples=64,
        batch_size=64,
        seed=0,
        progress_bar=False,
        **unknown,
    ):
        """Estimate the parameters of galaxies.

        Parameters
        ----------
        cutouts : `~astropy.nddata.NDData` (2-D or 3-D), iterable, (N, ny, nx) array, or dict
            Cutouts of any sizes, each with a galaxy in its middle (to within 3 pixels, see
            `~sersicnet.preprocessing.center`). Those in a list may be 2-D arrays. A dict has those
            of several bands, with None for what is missing; ``psf`` to ``mask_bits`` and ``sky`` to
            ``noise_correlation`` may then be dicts as well.
        psf : (K, L) array_like, CCDData, photutils model or list of them, optional
            Star-like stamps (with the pixel's response) or models, by default those of the cutouts.
        psf_oversampling : int, optional
            PSF pixels on a side of one of the data; by default what a CCDData says, else 1.
        normalize_psf : bool
            Whether PSF stamps hold all of the light; if not, their sum is the share of it.
        recenter_psf : bool
            Whether a star off the middle of its stamp is moved there: else positions are off.
        pixel_scale : float or `~astropy.units.Quantity`, optional
            Arcsec per pixel, one for all or one per cutout; by default from the WCS or header.
        zeropoint : float or `~astropy.units.Quantity`, optional
            AB magnitude of a flux of 1, one for all or per cutout; by default from unit or header.
        gain : float or `~astropy.units.Quantity`, optional
            Electrons per unit of the data, for photons that noise maps lack; else the header.
        mask_bits : int, str or list of them, optional
            The bits that mean bad in masks of integers, as in `~sersicnet.io.read_cutout`.
        augment : bool
            Whether the mean of posteriors in eight orientations is taken, in six times the time.
        refine : None, ``'lm'`` or ``'importance'``
            Refinement of the network's posterior by a fit or by importance sampling; for options,
            `~sersicnet.inference.LevenbergMarquardt` or `~sersicnet.inference.ImportanceSampling`.
        model : str, Sersic or Model
            What is fitted: ``'sersic'``, ``'sersic+exp'``, ..., ``'auto'``; see `sersicnet.Model`.
        neighbors : {'mask', 'fit'}
            Whether other sources are masked by you, or found, and fitted with it (up to 7; 'lm').
        morphology : bool
            Whether to add what needs no profile: Petrosian radius, concentration, asymmetry, ...
        sky : {'prior', 'free', 'fixed', 'plane'}
            What a refinement assumes of the sky: 0 within ``sky_err``, any, none, with any slope.
        sky_err : float or `~astropy.units.Quantity`, optional
            Its standard deviation, in units of the median noise (default 0.03), one or per cutout.
        noise_correlation : 'measure', None, (K, K) array_like or path
            Correlation of the noise of two pixels at each distance, 0 in the middle (FITS file).
        likelihood : {'gaussian', 'poisson', 'student'}
            Whether pixels are normal, counts with their sky, or have outliers (one profile).
        wavelength : dict, optional
            That of each band, in micron or with units, for ``Model("sersic", chromatic=True)``.
        exposures : bool
            Whether the dict has exposures with one magnitude instead of bands.
        n_samples, batch_size : int
            Points of the network's posterior, for quantiles, and stamps in a forward pass.
        seed : int
            Seed of these points, the same for each galaxy, and of the draws of ``'importance'``.
        progress_bar : bool
            Whether to show a progress bar.

        Returns
        -------
        `~sersicnet.SersicResults`
            A row per cutout, NaN and a flag where nothing is measured; BandResults of bands.

        Raises
        ------
        RuntimeError, TypeError, ValueError, `~astropy.units.UnitConversionError`
            If there is no trained network, or the call makes no sense: see the page on bad input.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If a PSF is doubtful (`~sersicnet.check_psf`), most are ``UNRESOLVED``, or fits fail.

        Examples
        --------
        >>> import numpy as np
        >>> from sersicnet import SersicNet
        >>> y, x = np.mgrid[:64, :64] - 31.5
        >>> psf = np.exp(-0.5 * (x**2 + y**2) / 1.5**2)
        >>> image = 30 * np.exp(-np.hypot(x, y) / 4)
        >>> image += np.random.default_rng(1).normal(size=image.shape)
        >>> net = SersicNet.from_pretrained()
        >>> results = net.predict(image[None], psf=psf, pixel_scale=0.1, zeropoint=25)
        >>> bool(abs(results.median("q")[0] - 1) < 0.2)
        True
        """
        check_names("predict", unknown, signature(self.predict).parameters)
        self._check_fitted()
        self.network_.to(torch_device(self.device))
        data = {"psf": psf, "psf_oversampling": psf_oversampling, "normalize_psf": normalize_psf}
        data |= {"recenter_psf": recenter_psf, "pixel_scale": pixel_scale, "zeropoint": zeropoint}
        data |= {"gain": gain, "mask_bits": mask_bits, "sky": sky, "sky_err": sky_err}
        data |= {"noise_correlation": noise_correlation, "likelihood": likelihood}
        data |= {"wavelength": wavelength, "exposures": exposures}
        measure = predict_bands if isinstance(cutouts, dict) else predict
        return measure(
            self,
            cutouts,
            data,
            n_samples=n_samples,
            augment=augment,
            refine=refine,
            model=check_model(model),
            neighbors=neighbors,
            morphology=morphology,
            seed=seed,
            batch_size=batch_size,
            progress_bar=progress_bar,
        )

    def score(self, cutouts, truth, **options):
        """Compute R2, bias, scatter and outliers of each parameter.

        Parameters
        ----------
        cutouts, **options
            As in `~sersicnet.SersicNet.predict`.
        truth : `~astropy.table.Table` or dict
            True parameters, one row per cutout.

        Returns
        -------
        `~astropy.table.QTable`
            See `~sersicnet.diagnostics.score_table`.
        """
        table = self.predict(cutouts, **options).to_table()
        return score_table(table, truth, parameters=self.parameters_)

    def save(self, path):
        """Write the trained network to ``path``, a safetensors file that `load` reads."""
        self._check_fitted()
        write_net(self, path)

    @classmethod
    def load(cls, path):
        """Read a network that `save` wrote.

        Parameters
        ----------
        path : str or path
            Path of the file.

        Returns
        -------
        SersicNet

        Raises
        ------
        FileNotFoundError, ValueError
            If the file is missing, truncated, corrupted or not one of sersicnet.
        """
        return read_net(cls, path)

    @classmethod
    def from_pretrained(cls, name="universal"):
        """Load weights that are shipped with the package.

        Parameters
        ----------
        name : str
            Name of the weights, one of `list_pretrained`.

        Returns
        -------
        SersicNet
        """
        return cls.load(pretrained_path(name))

    @staticmethod
    def list_pretrained():
        """List names and contents of the shipped weights, an `~astropy.table.Table`."""
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
