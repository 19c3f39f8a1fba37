"""What fits of galaxies found."""

from dataclasses import dataclass, replace

import numpy as np

from sersicnet._rows import Rows

__all__ = ["Fit", "Modes", "unfitted"]

# Fields of a fit that are one number for each image.
_OF_IMAGES = ("sky", "sky_err", "free_sky", "free_sky_err")
_OF_IMAGES += ("central_sky", "central_sky_err", "start_sky")


@dataclass(frozen=True, eq=False)
class Modes(Rows):
    """The ends of fits of N galaxies from each of M starts.

    Attributes
    ----------
    mean : (N, M, P) `~numpy.ndarray`
        Unconstrained parameters.
    covariance : (N, M, P, P) `~numpy.ndarray`
        Their covariances, NaN where there is none.
    cost : (N, M) `~numpy.ndarray`
        Costs, as in `Fit`.
    log_likelihood : (N, M) `~numpy.ndarray`
        Logarithms of the likelihood, the sky integrated over.
    slope : (N, M, P) `~numpy.ndarray`
        Derivatives of this logarithm.
    fisher : (N, M, P, P) `~numpy.ndarray`
        Minus its second derivatives, to first order in those of the images.
    """

    mean: np.ndarray
    covariance: np.ndarray
    cost: np.ndarray
    log_likelihood: np.ndarray
    slope: np.ndarray
    fisher: np.ndarray

    @classmethod
    def blank(cls, n, n_modes, n_parameters):
        """Make those of galaxies that have not been fitted, all NaN."""
        shapes = {"mean": 1, "covariance": 2, "cost": 0, "log_likelihood": 0, "slope": 1}
        arrays = {}
        for name, n_axes in (shapes | {"fisher": 2}).items():
            arrays[name] = np.full((n, n_modes, *n_axes * [n_parameters]), np.nan)
        return cls(**arrays)


@dataclass(frozen=True, eq=False)
class Fit(Rows):
    """Fits of N galaxies.

    Of fits of B bands, what is said of the sky, and ``closer``, have an axis of bands behind that
    of the galaxies; ``closer`` is of all bands together.

    Attributes
    ----------
    mean : (N, P) `~numpy.ndarray`
        Free, unconstrained parameters at the optimum: those of the scene, by default the labels.
    covariance : (N, P, P) `~numpy.ndarray`
        Their covariance, from the curvature.
    chi2 : (N,) `~numpy.ndarray`
        Chi2 at the optimum.
    cost : (N,) `~numpy.ndarray`
        Half of chi2, less the logarithm of the prior if it counts, up to a constant.
    sky : (N,) `~numpy.ndarray`
        Fitted sky, in units of the data of the stamps.
    sky_slope : (N, P) `~numpy.ndarray`
        Derivatives of the best sky by the parameters.
    sky_err : (N,) `~numpy.ndarray`
        Error of the sky of a known galaxy.
    free_sky, free_sky_err : (N,) `~numpy.ndarray`
        The sky that a fit without its prior would find, and its error, to first order.
    central_sky, central_sky_err : (N,) `~numpy.ndarray`
        The sky at the galaxy, as the pixels around it have it if the sky is curved, and its error;
        infinite where there are too few of these pixels.
    sky_shift : (N, P) `~numpy.ndarray`
        Derivatives of the fitted parameters by the sky of the image, to first order: 0 where
        nothing is known of the sky, as the fit follows it then.
    start_sky : (N,) `~numpy.ndarray`
        The same for the labels that the fit started from.
    closer : (N,) bool `~numpy.ndarray`
        Whether chi2 within the galaxy is smaller than for these labels: pixels are weighted by
        the signal of the galaxy that the fit started from.
    n_pixels : (N,) `~numpy.ndarray`
        Number of pixels that chi2 was summed over.
    n_iter : (N,) int `~numpy.ndarray`
        Number of evaluations of model and derivatives.
    converged : (N,) bool `~numpy.ndarray`
        Whether the optimum was found, with a covariance.
    held : (N, P) bool `~numpy.ndarray`
        Parameters that ended at their bound, or that the image does not bound. For the
        ellipticity, both e1 and e2 are held where its length is.
    modes : Modes, optional
        The ends of the fits from all starts.
    hidden : (N, P, P) `~numpy.ndarray`, optional
        What hidden sources add to the covariance, where they are taken into account.
    """

    mean: np.ndarray
    covariance: np.ndarray
    chi2: np.ndarray
    cost: np.ndarray
    sky: np.ndarray
    sky_slope: np.ndarray
    sky_err: np.ndarray
    free_sky: np.ndarray
    free_sky_err: np.ndarray
    central_sky: np.ndarray
    central_sky_err: np.ndarray
    sky_shift: np.ndarray
    start_sky: np.ndarray
    closer: np.ndarray
    n_pixels: np.ndarray
    n_iter: np.ndarray
    converged: np.ndarray
    held: np.ndarray
    modes: Modes | None = None
    hidden: np.ndarray | None = None

    def with_hidden(self):
        """Return the same with errors that include those from hidden sources."""
        if self.hidden is None:
            return self
        return replace(self, covariance=self.covariance + self.hidden)


def unfitted(n, n_parameters, bands=()):
    """Return the fields of `Fit` for galaxies that have not been fitted.

    Parameters
    ----------
    n, n_parameters : int
        Numbers of galaxies and of parameters.
    bands : tuple of int, optional
        Number of bands, if there are several.

    Returns
    -------
    dict of `~numpy.ndarray`
    """
    fields = {
        "n_pixels": np.zeros(n, dtype=np.int64),
        "n_iter": np.zeros(n, dtype=np.int64),
        "converged": np.zeros(n, dtype=bool),
        "closer": np.zeros((n, *bands), dtype=bool),
        "held": np.zeros((n, n_parameters), dtype=bool),
        "covariance": np.full((n, n_parameters, n_parameters), np.nan),
        "mean": np.full((n, n_parameters), np.nan),
        "chi2": np.full(n, np.nan),
        "cost": np.full(n, np.nan),
    }
    for name in ("sky_slope", "sky_shift"):
        fields[name] = np.full((n, *bands, n_parameters), np.nan)
    for name in _OF_IMAGES:
        fields[name] = np.full((n, *bands), np.nan)
    return fields
