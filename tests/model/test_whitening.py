"""Stamps with correlated noise, whitened."""

import numpy as np
import pytest
import torch
from helpers.correlated import gaussian_correlation, smoothed
from helpers.small import SIZE, moffat, small_galaxies

from sersicnet.model.jacobian import image_and_jacobian
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.psf import collect_psfs
from sersicnet.model.whitening import (
    filter_transform,
    whitened_likelihood,
    whitening_filters,
)


def filters_of(sigma, n):
    covariance = np.zeros((3, 3))
    covariance[1, 1] = 1
    if sigma:
        covariance = gaussian_correlation(sigma)
    return whitening_filters(torch.from_numpy(covariance)[None]).float().expand(n, -1, -1)


def whitened(labels, noise, *, sigma, bad=None, large=None, level=1.0, oversampling=1, start=None):
    """The likelihood of galaxies in noise, with masked pixels in small and in large parts."""
    psf = moffat(size=41 * oversampling, oversampling=oversampling)
    transform = psf_transform(psf, SIZE, oversampling=oversampling)
    images = sersic_images(labels, transform, stamp_size=SIZE, oversampling=oversampling)
    lost = torch.zeros(images.shape, dtype=torch.bool)
    small = lost if bad is None else bad
    lost = small if large is None else small | large
    data = torch.where(lost, 0, images + level * torch.from_numpy(noise).float())
    weight = torch.where(lost, 0, torch.ones_like(images) / level)
    psfs = collect_psfs([psf.numpy()] * len(labels), oversampling=oversampling)
    likelihood = whitened_likelihood(
        labels if start is None else start,
        data,
        weight,
        filters_of(sigma, len(labels)),
        small,
        psfs,
        size=SIZE,
        sky_err=torch.full((len(labels),), 0.03, dtype=torch.float64),
    )
    return likelihood, StampLikelihood(
        data, weight, transform, oversampling, sky_err=likelihood.sky_err
    )


@pytest.mark.parametrize("sigma", [0.5, 0.7, 1.0, 1.5])
def test_filtered_noise_is_white_where_the_noise_has_power(sigma):
    covariance = torch.from_numpy(gaussian_correlation(sigma))[None]
    power = filter_transform(covariance, 96)
    left = filter_transform(whitening_filters(covariance), 96) ** 2 * power
    floor = 0.01 * power.amax()
    torch.testing.assert_close(left, power / (power + floor), rtol=0, atol=0.1)


def test_white_noise_needs_no_filter():
    found = filters_of(0, 1)[0]
    assert found[8, 8] == pytest.approx(1, rel=0.01)
    assert found.abs().sum() == pytest.approx(float(found[8, 8]), rel=1e-5)


@pytest.mark.parametrize("masked", [0.0, 0.02])
def test_a_filter_that_does_nothing_changes_nothing(masked):
    """Masked pixels that are projected out are as good as left out."""
    labels = small_galaxies(4, log_flux=3.0)
    noise = np.random.default_rng(1).normal(size=(4, SIZE, SIZE))
    bad = torch.from_numpy(np.random.default_rng(2).random(noise.shape) < masked)
    found, white = whitened(labels, noise, sigma=0, bad=bad)
    # pixels near the edges are left out, and the power of the noise has a floor of 1 %
    white.weight[:] *= (found.weight > 0) / 1.01**0.5
    one, other = found.normal_equations(labels + 0.02), white.normal_equations(labels + 0.02)
    for name in ("chi2", "gradient", "curvature", "sky_total", "sky_response"):
        values = getattr(one, name).double(), getattr(other, name).double()
        scale = float(values[1].abs().amax())
        torch.testing.assert_close(*values, rtol=0, atol=2e-3 * scale)
    torch.testing.assert_close(found.sky_precision, white.sky_precision, rtol=1e-3, atol=0)
    assert (found.n_pixels == white.n_pixels).all()


def test_what_is_under_a_mask_does_not_matter():
    labels = small_galaxies(3, log_flux=3.0)
    noise = smoothed(3, SIZE, 1.0)
    bad = torch.from_numpy(np.random.default_rng(2).random(noise.shape) < 0.02)
    bad[:, 30:33, 31] = True
    found, _ = whitened(labels, noise, sigma=1.0, bad=bad)
    before = found.normal_equations(labels)
    image = torch.from_numpy(np.where(bad, 3.0, 0.0)).float()
    wide = torch.nn.functional.pad(image, (8, 8, 8, 8))
    kernel = filters_of(1.0, 3)
    found.data += torch.nn.functional.conv2d(wide[None], kernel[:, None], groups=3)[0]
    after = found.normal_equations(labels)
    for name in ("chi2", "gradient", "curvature"):
        one, other = getattr(before, name), getattr(after, name)
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * float(one.abs().amax()))
    sky, _, residual = found.compare(labels)
    assert residual.abs().max() < 10
    assert sky.abs().max() < 0.1


@pytest.mark.parametrize("oversampling", [1, 2])
def test_models_are_filtered_images(oversampling):
    """Also behind an oversampled PSF, and in the light that periodic copies put into the stamp."""
    labels = small_galaxies(3, log_flux=3.0, log_r_eff=0.9, n=4.0)
    noise = np.zeros((3, SIZE, SIZE))
    found, white = whitened(labels, noise, sigma=1.0, oversampling=oversampling)
    wide = torch.nn.functional.pad(white.model(labels), (8, 8, 8, 8))
    kernel = filters_of(1.0, 3)[:, None]
    expected = torch.nn.functional.conv2d(wide[None], kernel, groups=3)[0]
    inner = slice(8, -8)
    peak = float(expected.amax())
    torch.testing.assert_close(
        found.model(labels)[:, inner, inner], expected[:, inner, inner], rtol=0, atol=1e-3 * peak
    )


CASES = {
    "clean": {},
    "isolated pixels": {"bad": 0.02},
    "a hole": {"large": True},
    "brighter noise to one side": {"level": torch.from_numpy(np.geomspace(1, 3, SIZE)).float()},
}


@pytest.mark.parametrize("case", CASES)
def test_derivatives_scatter_as_the_curvature_says(case):
    """At the true galaxy, chi2 has a random slope whose covariance is the curvature."""
    n = 120
    sigma = 1.0
    labels = small_galaxies(1, log_flux=3.0, n=1.5, log_r_eff=0.5).expand(n, -1)
    options = dict(CASES[case])
    shape = (n, SIZE, SIZE)
    if "bad" in options:
        lost = np.random.default_rng(2).random(shape[1:]) < options["bad"]
        options["bad"] = torch.from_numpy(np.broadcast_to(lost, shape).copy())
    if "large" in options:
        options["large"] = torch.zeros(shape, dtype=torch.bool)
        options["large"][:, 36:44, 28:36] = True
    found, white = whitened(labels, smoothed(n, SIZE, sigma), sigma=sigma, **options)
    ratios = []
    for likelihood in (found, white):
        equations = likelihood.normal_equations(labels)
        inverse = torch.linalg.inv(equations.curvature[0].double())
        steps = equations.gradient.double() @ inverse
        ratios.append((steps.square().mean(dim=0) / inverse.diagonal()).sqrt())
    assert ((ratios[0] > 0.7) & (ratios[0] < 1.25)).all()
    assert (ratios[1] > 1.3).all()


def test_a_whitened_fit_is_nearly_as_good_as_it_can_be():
    """Errors are those of generalized least squares with the full covariance of the pixels."""
    labels = small_galaxies(1, log_flux=3.0, n=1.0, log_r_eff=0.3)
    found, white = whitened(labels, np.zeros((1, SIZE, SIZE)), sigma=1.0)
    equations = found.normal_equations(labels)
    inner = slice(12, 52)
    _, jacobian = image_and_jacobian(labels, white.transform, stamp_size=SIZE)
    columns = jacobian[0, :, inner, inner].flatten(1).double()
    y, x = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    apart_y = (y.flatten()[:, None] - y.flatten()).abs()
    apart_x = (x.flatten()[:, None] - x.flatten()).abs()
    near = (apart_y <= 8) & (apart_x <= 8)
    table = torch.from_numpy(gaussian_correlation(1.0))[8:, 8:]
    covariance = torch.where(near, table[apart_y.clamp(max=8), apart_x.clamp(max=8)], 0)
    covariance += 0.01 * torch.eye(1600, dtype=torch.float64) * table.sum()
    best = torch.linalg.inv(columns @ torch.linalg.solve(covariance, columns.T))
    own = torch.linalg.inv(equations.curvature[0].double())
    ratio = (own.diagonal() / best.diagonal()).sqrt()
    assert ((ratio > 0.9) & (ratio < 1.1)).all()
