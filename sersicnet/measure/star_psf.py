"""A PSF from the stars of an image, oversampled where it is undersampled, and by place.

Its pixels are those that explain all stars at once (as in PSFEx, Bertin 2011, ASPC 442, 435): a
linear problem, because an image of a star is linear in the PSF. They deviate from a Moffat profile,
which is fitted first, by shares of it that are smooth over the width of the PSF. Where the stars
say nothing, as in the wings of few faint ones, the PSF is that profile.

photutils' EPSFBuilder, which adds up residuals on finer pixels, has no variation over the image;
``benchmarks.psf_auto`` compares it, PSFEx and the mean of the stars.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.optimize import least_squares
from scipy.sparse.linalg import LinearOperator, cg

from sersicnet.measure.star_images import Canvas, fit_stars
from sersicnet.model.psf_center import psf_offset

__all__ = ["StarPSF", "build_psf"]

# FWHM in pixels below which the PSF of an image is oversampled, and by how much.
_WELL_SAMPLED = 2.4
_OVERSAMPLING = 2
# Expected deviations from the profile, as shares of it and of its peak near it, and the same of
# each term of a polynomial of the place.
_SHARE = 0.5
_PEAK_SHARE = 0.01
_TERM_SHARE = 0.2
# Sigma in FWHM over which deviations are smooth.
_SMOOTH = 0.2
# Error of the PSF, as a share of it, in which the weight of bright stars ends.
_FLOOR = 0.02
# Rounds of fits of all stars and of the PSF, and steps of the latter.
_ROUNDS = 3
_STEPS = 60
# Stars that the profile is fitted to, the brightest ones.
_N_PROFILE = 30
# Number of stars from which on the PSF is a polynomial of the place, of this degree.
_DEGREES = ((15, 2), (0, 0))
# Stars are left out whose residuals are above this share of their light, this many times those of
# others, and above the noise by this many times its standard deviation.
_LEAST_MISFIT = 0.03
_OUTLIER = 3.0
_SIGNIFICANT = 5.0


@dataclass(frozen=True, eq=False)
class StarPSF:
    """A PSF that was made from stars.

    Attributes
    ----------
    canvas : `~sersicnet.measure.star_images.Canvas`
        Its pixels.
    terms : (K, M, M) `~numpy.ndarray`
        Canvas of each term of a polynomial of the place.
    degree : int
        Degree of the polynomial.
    shape : (int, int)
        Shape of the image.
    stars : `~sersicnet.measure.stars.Stars`
        The stars that it was made of.
    """

    canvas: Canvas
    terms: np.ndarray
    degree: int
    shape: tuple
    stars: object

    @property
    def oversampling(self):
        """Pixels of stamps on a side of a pixel of the image."""
        return self.canvas.oversampling

    def at(self, x, y):
        """Return the stamp of unit sum at 0-based pixels of the image."""
        factors = place_terms(np.array([x]), np.array([y]), self.shape, self.degree)[0]
        return self.canvas.crop(np.tensordot(factors, self.terms, 1))


def build_psf(stars, shape):
    """Make a PSF from stars.

    Parameters
    ----------
    stars : `~sersicnet.measure.stars.Stars`
        The stars.
    shape : (int, int)
        Shape of the image.

    Returns
    -------
    StarPSF
        Without those stars that are not like the others.
    """
    oversampling = 1
    if np.median(stars.table["fwhm"]) < _WELL_SAMPLED:
        oversampling = _OVERSAMPLING
    canvas = Canvas(stars.data.shape[-1] // 2, oversampling)
    profile, fwhm = _fit_profile(stars, canvas)
    degree = _degree(len(stars))
    terms = profile[None]
    fits = None
    for round_number in range(_ROUNDS):
        factors = place_terms(stars.table["x"], stars.table["y"], shape, degree)[:, : len(terms)]
        transforms = np.tensordot(factors, canvas.transform(terms), 1)
        fits = fit_stars(stars, canvas, transforms, start=fits, floor=_FLOOR)
        kept = _alike(fits)
        if round_number == 0:  # the profile alone does not know how the PSF changes
            kept[:] = True
        stars = stars[kept]
        degree = min(degree, _degree(len(stars)))
        factors = place_terms(stars.table["x"], stars.table["y"], shape, degree)
        problem = _Problem(stars, canvas, _kept(fits, kept), factors, profile, fwhm)
        terms = problem.solve()
        terms = _centered(terms / terms[0].sum(), canvas)
        fits = _kept(fits, kept)
    return StarPSF(canvas, terms, degree, tuple(shape), stars)


def _degree(n_stars):
    """The degree of the polynomial for a number of stars."""
    return next(degree for least, degree in _DEGREES if n_stars >= least)


def place_terms(x, y, shape, degree):
    """Return the terms of a polynomial of the place in an image, (N, K)."""
    across = 2 * np.asarray(x, dtype=float) / max(shape[1] - 1, 1) - 1
    along = 2 * np.asarray(y, dtype=float) / max(shape[0] - 1, 1) - 1
    powers = [(i, total - i) for total in range(degree + 1) for i in range(total + 1)]
    return np.transpose([across**i * along**j for i, j in powers])


def _centered(terms, canvas):
    """Terms of a PSF whose star is in the middle at the middle of the image."""
    offset = psf_offset(terms[0], canvas.oversampling)
    moved = canvas.transform(terms) * canvas.phases(*-offset[:, None])
    return np.fft.irfft2(moved, s=terms.shape[1:])


def _kept(fits, rows):
    """Some of the fits."""
    return type(fits)(**{name: part[rows] for name, part in vars(fits).items()})


def _alike(fits):
    """Which stars are like the others."""
    misfit = fits.misfit
    is_like = misfit < max(_OUTLIER * np.median(misfit), _LEAST_MISFIT)
    is_noise = fits.chi2 < 1 + _SIGNIFICANT * np.sqrt(2 / fits.n_free)
    return (is_like | is_noise) & (fits.flux > 0)


def _fit_profile(stars, canvas):
    """The Moffat profile of the brightest stars on the canvas, and its FWHM in pixels."""
    brightest = np.sort(np.argsort(-np.asarray(stars.table["snr"]))[:_N_PROFILE])
    some = stars[brightest]
    start = [np.log(np.median(some.table["fwhm"])), np.log(2.0), 0.0, 0.0]
    centers = None
    for _ in range(2):
        transform = canvas.transform(_moffat(canvas, start))
        centers = fit_stars(some, canvas, transform, start=centers, floor=_FLOOR)
        phases = canvas.phases(centers.dx, centers.dy)
        root = np.sqrt(centers.weights)

        def residuals(parameters, phases=phases, root=root, sky=centers.sky):
            images = canvas.images(canvas.transform(_moffat(canvas, parameters)) * phases)
            data = some.data - sky[:, None, None]
            flux = (root**2 * images * data).sum(axis=(1, 2))
            flux /= (root**2 * images**2).sum(axis=(1, 2))
            return (root * (data - flux[:, None, None] * images)).ravel()

        limits = [[-1.0, np.log(0.3), -0.5, -0.5], [3.5, np.log(9.0), 0.5, 0.5]]
        found = least_squares(residuals, np.clip(start, *limits), bounds=limits, max_nfev=8)
        start = found.x
    return _moffat(canvas, start), float(np.exp(start[0]))


def _moffat(canvas, parameters):
    """A Moffat profile of unit sum with the response of the pixel on a canvas.

    The parameters are the logarithms of its FWHM and of beta - 1, and two of the ellipticity.
    """
    log_fwhm, log_beta, e1, e2 = parameters
    beta = 1 + np.exp(log_beta)
    n_points = 3
    side = canvas.side * n_points
    axis = (np.arange(side) - side // 2) / (n_points * canvas.oversampling)
    x, y = axis, axis[:, None]
    radius2 = ((1 - e1) * x**2 + (1 + e1) * y**2 - 2 * e2 * x * y) / np.sqrt(1 - e1**2 - e2**2)
    scale2 = np.exp(2 * log_fwhm) / (4 * (2 ** (1 / beta) - 1))
    points = (1 + radius2 / scale2) ** -beta
    points = uniform_filter(points, n_points * canvas.oversampling, mode="nearest")
    pixels = points[n_points // 2 :: n_points, n_points // 2 :: n_points]
    return pixels / pixels.sum()


class _Problem:
    """The linear problem of the pixels of a PSF, as deviations from a profile."""

    def __init__(self, stars, canvas, fits, factors, profile, fwhm):
        self.canvas = canvas
        self.factors = factors
        self.flux = fits.flux[:, None, None]
        self.phases = canvas.phases(fits.dx, fits.dy)
        self.weights = fits.weights
        self.profile = profile
        images = canvas.images(canvas.transform(profile) * self.phases)
        self.target = stars.data - fits.sky[:, None, None] - self.flux * images
        self.sigma = _SMOOTH * fwhm * canvas.oversampling
        near = np.exp(-0.5 * (canvas.radius() / (2 * fwhm)) ** 2)
        expected = _SHARE * profile + _PEAK_SHARE * profile.max() * near
        shares = np.full(factors.shape[1], _TERM_SHARE / _SHARE)
        shares[0] = 1.0
        # so that a smoothed, random value has these deviations
        norm = max(1.0, np.sqrt(4 * np.pi) * self.sigma)
        self.expected = norm * shares[:, None, None] * expected

    def solve(self):
        """Return the canvas of each term."""
        shape = self.expected.shape
        n = self.expected.size
        operator = LinearOperator((n, n), matvec=lambda z: self._normal(z.reshape(shape)).ravel())
        right = self._back(self.weights * self.flux * self.target)
        z, _ = cg(operator, right.ravel(), rtol=1e-3, maxiter=_STEPS)
        terms = self._deviations(z.reshape(shape))
        terms[0] += self.profile
        return terms

    def _deviations(self, z):
        smooth = gaussian_filter(z, (0, self.sigma, self.sigma), mode="constant")
        return self.expected * smooth

    def _normal(self, z):
        transforms = self.canvas.transform(self._deviations(z))
        moved = np.tensordot(self.factors, transforms, 1) * self.phases
        images = self.flux * self.canvas.images(moved)
        return z + self._back(self.weights * self.flux * images)

    def _back(self, images):
        transforms = self.canvas.back(images) * self.phases.conj()
        terms = np.tensordot(self.factors.T, transforms, 1)
        side = self.canvas.side
        canvases = np.fft.irfft2(terms, s=(side, side))
        sigma = (0, self.sigma, self.sigma)
        return gaussian_filter(self.expected * canvases, sigma, mode="constant")
