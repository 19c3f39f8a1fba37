"""Derivatives, likelihood and Levenberg-Marquardt fit of one galaxy a stamp."""

import numpy as np
import pytest
import torch

from sersicnet.jacobian import image_and_jacobian
from sersicnet.likelihood import StampLikelihood, stamp_sizes
from sersicnet.prior import LABELS, draw_labels, from_unconstrained, to_unconstrained
from sersicnet.profile import psf_transform, sersic_images
from sersicnet.refine import _prior_terms, levenberg_marquardt

SIZE = 64


def moffat(fwhm=3.0, size=41, oversampling=1, dtype=torch.float32):
    """A circular PSF stamp of unit sum."""
    axis = (torch.arange(size, dtype=torch.float64) - (size - 1) / 2) / oversampling
    alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / 3) - 1)
    stamp = (1 + (axis[:, None] ** 2 + axis**2) / alpha2) ** -3.0
    return (stamp / stamp.sum()).to(dtype)


def small_galaxies(n_galaxies, /, *, seed=1, dtype=torch.float32, **fixed):
    """Labels from the prior, of galaxies that fit into the stamp."""
    labels = draw_labels(n_galaxies, generator=torch.Generator().manual_seed(seed)).to(dtype)
    labels[:, 1] = labels[:, 1].clamp(0, 0.8)
    labels[:, 2] = labels[:, 2].clamp(0.5, 4)
    for name, value in fixed.items():
        labels[:, LABELS.index(name)] = value
    return labels


def noisy(labels, *, oversampling=1, sky=0.0, seed=2):
    """Their likelihood, with white noise of 1 and a sky."""
    psf = moffat(size=41 * oversampling, oversampling=oversampling)
    transform = psf_transform(psf, SIZE, oversampling=oversampling)
    image = sersic_images(labels, transform, stamp_size=SIZE, oversampling=oversampling)
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
    data = image + noise + sky
    return StampLikelihood(data, torch.ones_like(data), transform, oversampling)


@pytest.mark.parametrize("oversampling", [1, 2])
@pytest.mark.parametrize("name", LABELS)
def test_jacobian_is_the_derivative(name, oversampling):
    labels = small_galaxies(6, dtype=torch.float64, log_flux=0.0)
    psf = moffat(size=40 * oversampling + 1, oversampling=oversampling, dtype=torch.float64)
    options = {"stamp_size": SIZE, "oversampling": oversampling}
    transform = psf_transform(psf, SIZE, oversampling=oversampling)
    image, jacobian = image_and_jacobian(labels, transform, **options)
    torch.testing.assert_close(image, sersic_images(labels, transform, **options))
    column, step = LABELS.index(name), 1e-5
    ahead, behind = labels.clone(), labels.clone()
    ahead[:, column] += step
    behind[:, column] -= step
    difference = sersic_images(ahead, transform, **options)
    difference = (difference - sersic_images(behind, transform, **options)) / (2 * step)
    scale = difference.abs().amax(dim=(1, 2), keepdim=True)
    # what is left are the periodic copies, whose derivative is left out
    assert ((jacobian[:, column] - difference).abs() / scale).max() < 3e-4


def test_derivative_of_the_prior():
    values = torch.randn(40, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    _, slope, bend = _prior_terms(values)
    for column in range(7):
        step = torch.zeros(7, dtype=torch.float64)
        step[column] = 1e-5
        ahead, behind = _prior_terms(values + step)[0], _prior_terms(values - step)[0]
        difference = (ahead - behind) / 2e-5
        if column == 0:  # flat but for its limits
            difference = torch.zeros_like(difference)
        torch.testing.assert_close(slope[:, column], difference, rtol=1e-5, atol=1e-7)
    assert (bend[:, 1:] > 0).all()


def test_sky_is_projected_out():
    labels = small_galaxies(4, log_flux=3.0)
    plain, raised = noisy(labels), noisy(labels, sky=2.5)
    for a, b in zip(plain.normal_equations(labels), raised.normal_equations(labels), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=0.5)
    torch.testing.assert_close(plain.chi2(labels), raised.chi2(labels), rtol=1e-4, atol=0.1)


@pytest.mark.parametrize("oversampling", [1, 2])
def test_fit_finds_the_truth_with_the_errors_that_it_quotes(oversampling):
    truth = small_galaxies(64, log_flux=3.5, n=1.5)
    likelihood = noisy(truth, oversampling=oversampling)
    start = truth + 0.05 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(4))
    fit = levenberg_marquardt(likelihood, start, prior=False)
    assert fit["converged"].float().mean() > 0.95
    good = fit["converged"] & ~fit["at_bound"]
    width = torch.diagonal(fit["covariance"], dim1=1, dim2=2).sqrt()
    pull = ((fit["mean"] - to_unconstrained(truth)) / width)[good]
    scatter = 1.4826 * pull.abs().median()
    assert 0.85 < scatter < 1.15  # 448 numbers, correlated
    dof = SIZE**2 - 8
    assert abs(fit["chi2"][good].median() / dof - 1) < 0.02


def test_each_galaxy_is_fitted_on_its_own():
    truth = small_galaxies(6, log_flux=3.0)
    likelihood = noisy(truth)
    together = levenberg_marquardt(likelihood, truth)
    alone = levenberg_marquardt(likelihood[2:3], truth[2:3])
    width = torch.diagonal(together["covariance"], dim1=1, dim2=2)[2].sqrt()
    assert ((together["mean"][2] - alone["mean"][0]).abs() < 0.05 * width).all()


def test_hopeless_stamps_end_and_leave_the_others_alone():
    truth = small_galaxies(3, log_flux=3.0)
    likelihood = noisy(truth)
    likelihood.data[0] = 0.0  # an empty stamp
    likelihood.data[1] = 1e18
    fit = levenberg_marquardt(likelihood, truth)
    assert bool(fit["converged"][2])
    alone = levenberg_marquardt(likelihood[2:3], truth[2:3])
    width = torch.diagonal(fit["covariance"], dim1=1, dim2=2)[2].sqrt()
    assert ((fit["mean"][2] - alone["mean"][0]).abs() < 0.05 * width).all()


def test_prior_pulls_a_faint_galaxy_inside():
    truth = small_galaxies(16, log_flux=1.8, n=5.5)
    likelihood = noisy(truth)
    free = levenberg_marquardt(likelihood, truth, prior=False)
    held = levenberg_marquardt(likelihood, truth, prior=True)
    assert held["at_bound"].sum() <= free["at_bound"].sum()
    assert held["mean"][:, 1:].abs().mean() < free["mean"][:, 1:].abs().mean()
    labels = from_unconstrained(held["mean"])
    assert torch.isfinite(labels).all()


def test_stamps_grow_with_the_galaxy_and_with_its_light():
    labels = np.tile([4.0, 0.3, 1.0, 0.0, 0.0, 0.0, 0.0], (4, 1))
    labels[:, 1] = [0.0, 0.5, 1.0, 1.5]
    sizes = stamp_sizes(labels, np.full(4, 3.0))
    assert (np.diff(sizes) >= 0).all()
    assert sizes[0] < sizes[-1] == 128
    labels[:, 0] = 6.0
    assert (stamp_sizes(labels, np.full(4, 3.0)) >= sizes).all()
