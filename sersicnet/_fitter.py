"""The fitter that astropy.modeling loads whenever it is imported: see `sersicnet.fitter`.

Only modules that astropy.modeling has already imported are imported here. All others wait for the
first fit.
"""

from functools import lru_cache

import astropy.units as u
import numpy as np
from astropy.modeling.fitting import Fitter, UnsupportedConstraintError, fitter_unit_support

# Flags that say how the image was read, and cast no doubt on the fit.
_HARMLESS = (
    "BAD_PIXELS",
    "NOISE_ESTIMATED",
    "NOISE_FROM_DATA",
    "CROPPED",
    "PIXEL_SCALE_MISMATCH",
    "BINNED",
)


class SersicNetFitter(Fitter):
    """Fit a Sersic2D or another profile to an image with a known PSF.

    It is used like astropy's own fitters, but it needs no initial values (and ignores them), and
    the model that it returns is the galaxy **before** the PSF. It takes a
    `~astropy.modeling.functional_models.Sersic2D`, or a sum of it with a second one or with a
    Gaussian2D that is a point source; a Gaussian2D, a Moffat2D, or one of `sersicnet.model`
    (EllipticalMoffat2D, King2D, EdgeOnDisk2D, Ferrers2D, CoreSersic2D, BrokenExponential2D); and
    each of these with a Const2D, which is the sky.

    Parameters
    ----------
    psf : (K, L) array_like, optional
        Star-like stamp, with the response of the pixel. A network without a PSF input does not
        need it.
    psf_oversampling : int, optional
        Pixels of the PSF stamp on a side of a pixel of the image; by default what the card
        ``OVERSAMP`` of a CCDData says, else 1.
    recenter_psf : bool
        Whether a star that is off the middle of its stamp is moved there, as in
        `~sersicnet.SersicNet.predict`.
    gain : float, optional
        Electrons per unit of the image, for photons of the galaxy that ``weights`` lack, as in
        `~sersicnet.SersicNet.predict`; by default they are not known.
    net : `~sersicnet.SersicNet`, optional
        Network of all seven parameters, by default that of the weights ``universal``.
    refine : str, optional
        Refinement of the network's posterior, as in `~sersicnet.SersicNet.predict`.

    Attributes
    ----------
    fit_info : dict or None
        Information on the last fit: ``param_cov`` (covariance of the parameters ``param_names``),
        ``results`` (`~sersicnet.SersicResults` in pixels counted from 0, with ``pixel_scale=1`` and
        ``zeropoint=0``, without bounds), ``flags``, and ``share`` (of the posterior within the
        bounds).

    See Also
    --------
    sersicnet.SersicNet : Many galaxies at once, in far less time for each.

    Notes
    -----
    ``bounds`` are a prior: medians and covariance are those of the part of the posterior within
    them. What is fixed is known, and the others are fitted, as with ``refine="lm"``; a parameter
    can be tied to that of the other of two components. Errors are half the widths between the
    quantiles at 16 and 84 %, correlations those of ranks: both describe the middle of the
    posterior, not its tails.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.convolution import Gaussian2DKernel, convolve_fft
    >>> from astropy.modeling.models import Sersic2D
    >>> from sersicnet.fitter import SersicNetFitter
    >>> y, x = np.mgrid[:100, :100]
    >>> truth = Sersic2D(amplitude=2, r_eff=7, n=1, x_0=50, y_0=49, ellip=0.4, theta=0.5)
    >>> psf = Gaussian2DKernel(1.5).array
    >>> image = convolve_fft(truth(x, y), psf) + np.random.default_rng(1).normal(0, 0.2, x.shape)
    >>> fitter = SersicNetFitter(psf)
    >>> fitted = fitter(Sersic2D(), x, y, image, weights=1 / 0.2)
    >>> bool(abs(fitted.r_eff - truth.r_eff) < 4 * fitted.stds["r_eff"])
    True
    """

    # Pickles name the module that can be imported first.
    __module__ = "sersicnet.fitter"

    supported_constraints = ["bounds", "fixed", "tied"]  # noqa: RUF012 -- astropy's interface
    """Kinds of constraints of a model that are honored."""

    def __init__(
        self,
        psf=None,
        *,
        psf_oversampling=None,
        recenter_psf=True,
        gain=None,
        net=None,
        refine=None,
    ):
        self.psf = psf
        self.psf_oversampling = psf_oversampling
        self.recenter_psf = recenter_psf
        self.gain = gain
        self.net = net
        self.refine = refine
        self.fit_info = None

    def __call__(self, model, x, y, z, *, weights=None):
        """Fit one galaxy.

        Parameters
        ----------
        model : `~astropy.modeling.Model`
            Model to fit, one of those of the class: its constraints count, its values do not,
            unless they are fixed.
        x, y : (ny, nx) array_like or `~astropy.units.Quantity`
            A regular grid of square pixels, as from ``y, x = np.mgrid[...]``, with any origin and
            step. The galaxy is within three pixels of its middle.
        z : (ny, nx) array_like or `~astropy.units.Quantity`
            The sky-subtracted image. Pixels that are NaN, or masked in a masked array, are left
            out.
        weights : float, (ny, nx) array_like or `~astropy.units.Quantity`, optional
            1 / sigma of the pixels, 0 where they are not to be used. By default the noise is
            estimated from the border of the image.

        Returns
        -------
        `~astropy.modeling.Model`
            A copy of ``model`` with medians of the posterior, and their ``cov_matrix`` and
            ``stds``. The amplitude is the surface brightness at ``r_eff``: the flux per pixel.

        Raises
        ------
        TypeError
            If the model is another one.
        ValueError
            If there is no PSF, the grid is not regular, the image has nothing to measure, or the
            bounds hold less than 2.5 % of the posterior.
        UnsupportedConstraintError
            If something cannot be fixed or tied, two components do not have one center, or a
            parameter with a unit is bounded.
        `~astropy.units.UnitsError`
            If units of model, grid, image and weights do not match.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If a flag casts doubt on the fit.
        """
        from sersicnet.io.gains import check_gain_unit

        _check_model(model)
        check_gain_unit(self.gain, getattr(z, "unit", None))
        if isinstance(weights, u.Quantity):  # in units of one over that of the image
            unit = getattr(z, "unit", None)
            inverse = u.dimensionless_unscaled if unit is None else 1 / unit
            weights = weights.to_value(inverse)
        if weights is not None:
            try:
                weights = np.broadcast_to(np.asarray(weights, dtype=float), np.shape(z))
            except ValueError:
                msg = f"weights have shape {np.shape(weights)}, z has {np.shape(z)}"
                raise ValueError(msg) from None
        return self._fit(model, x, y, z, weights=weights)

    @fitter_unit_support
    def _fit(self, model, x, y, z, *, weights):
        """Fit one galaxy, without units."""
        from sersicnet._caller import warn_caller
        from sersicnet.flags import decode_flags
        from sersicnet.inference.sersic2d import Grid, fit_on_grid
        from sersicnet.inference.sums2d import read_model

        grid = Grid(x, y, np.shape(z))
        reading = read_model(model, grid)
        results = self._predict(z, weights, reading)
        fitted, info = fit_on_grid(model, results, grid)
        self.fit_info = info | {"results": results, "flags": int(results.flags[0])}
        names = decode_flags(self.fit_info["flags"])
        doubts = [name for name in names if name not in _HARMLESS]
        if reading.sky == "free" and "SKY_DEGENERATE" in doubts:
            doubts.remove("SKY_DEGENERATE")  # the sky that the user fits may be any
        if doubts:
            msg = f"The fit may be unsuccessful, see fit_info['flags']: {', '.join(doubts)}"
            warn_caller(msg)
        return fitted

    def _predict(self, z, weights, reading):
        """Predict one image, with a flux unit of magnitude 0 and pixels of 1 arcsec."""
        from astropy.nddata import InverseVariance, NDData

        from sersicnet.io.psf_sampling import find_oversampling, sampling_of, split_psf
        from sersicnet.parameters import PARAMETERS

        net = _universal() if self.net is None else self.net
        missing = [name for name in PARAMETERS if name not in net.parameters]
        if missing:
            msg = f"net does not predict {', '.join(missing)}: a Sersic2D needs all seven"
            raise ValueError(msg)
        if self.psf is None and net.network in ("posterior", "likelihood"):
            msg = "psf=None: the network needs a star-like stamp, SersicNetFitter(psf=...)"
            raise ValueError(msg)
        uncertainty = None
        if weights is not None:
            uncertainty = InverseVariance(weights**2)
        data = np.ma.getdata(z) - reading.level
        image = NDData(data, mask=np.ma.getmaskarray(z), uncertainty=uncertainty)
        options = {"refine": self.refine}
        if reading.known != "sersic":
            options["model"] = reading.known
        if reading.sky is not None:
            options |= {"sky": reading.sky, "refine": self.refine or "lm"}
        # the pixel scale of a PSF has nothing to be compared with
        oversampling, _ = find_oversampling(sampling_of(self.psf), self.psf_oversampling, None)
        return net.predict(
            image,
            psf=split_psf(self.psf)[0],
            psf_oversampling=oversampling,
            recenter_psf=self.recenter_psf,
            pixel_scale=1.0,
            zeropoint=0.0,
            gain=self.gain,
            **options,
        )


@lru_cache(maxsize=1)
def _universal():
    from sersicnet.estimator import SersicNet

    return SersicNet.from_pretrained()


def _check_model(model):
    """Raise an error unless the model is one that can be fitted."""
    from sersicnet.inference.sums2d import terms_of

    terms_of(model)
    if len(model) != 1:
        msg = f"model is a set of {len(model)}: one galaxy is fitted at a time"
        raise ValueError(msg)
    for name, bounds in model.bounds.items():
        unit = getattr(model, name).unit
        # those of what is fixed, such as the widths of a point source, do not matter
        if unit is not None and bounds != (None, None) and not model.fixed[name]:
            msg = (
                f"{name} has bounds and the unit {unit}, but bounds have no units: bound "
                "parameters without units, which take those of the data (theta: radians)"
            )
            raise UnsupportedConstraintError(msg)
