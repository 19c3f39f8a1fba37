"""Slopes of the sky with free amplitudes."""

import numpy as np
import pytest
import torch
from helpers.correlated import gaussian_correlation, smoothed
from helpers.small import SIZE, moffat, small_galaxies

from sersicnet.model.free_parts import slope_images
from sersicnet.model.psf import collect_psfs
from sersicnet.model.stamp_groups import NoiseFilters, likelihoods
from sersicnet.model.whitening import whitening_filters

LABELS = small_galaxies(4, log_flux=2.5, log_r_eff=0.3, n=1.5).double().numpy()


def likelihood_of(data, *, colored=False, masked=0.0, plane=True, sky_err=0.03):
    """The likelihood of some galaxies that are not in the data."""
    bad = np.random.default_rng(3).random(data.shape) < masked
    weight = (~bad).astype(np.float32)
    noise = None
    if colored:
        covariance = torch.from_numpy(gaussian_correlation(0.7))[None]
        filters = whitening_filters(covariance).float().numpy().repeat(len(data), axis=0)
        noise = NoiseFilters(filters, bad)
    psfs = collect_psfs([moffat().double().numpy()] * len(data))
    options = {"sky_err": np.full(len(data), sky_err), "noise": noise, "plane": plane}
    data = np.where(bad, 0, data).astype(np.float32)
    ((rows, found),) = likelihoods(LABELS, data, weight, psfs, chunk=8, **options)
    assert list(rows) == list(range(len(data)))
    return found


def noise_images():
    return smoothed(4, SIZE, 0.7, seed=2)


@pytest.mark.parametrize("masked", [0.0, 0.01])
@pytest.mark.parametrize("colored", [False, True])
def test_a_slope_changes_nothing(colored, masked):
    """Neither chi2 nor the terms of a step; a constant sky takes some of it."""
    images = noise_images()
    along_x, along_y = slope_images(SIZE, torch.zeros(1)).numpy()
    labels = torch.from_numpy(LABELS).float()
    options = {"colored": colored, "masked": masked}
    flat = likelihood_of(images, **options).normal_equations(labels)
    steep = images + 2 * along_x - 3 * along_y
    found = likelihood_of(steep, **options).normal_equations(labels)
    for name, atol in (("chi2", 0.1), ("gradient", 0.5), ("curvature", 0.5), ("sky_response", 0.5)):
        one, other = getattr(found, name), getattr(flat, name)
        torch.testing.assert_close(one, other, rtol=2e-3, atol=atol, msg=name)
    constant = likelihood_of(steep, plane=False, **options).chi2(labels)
    assert (constant > flat.chi2 + 100).all()


def test_chi2_is_that_of_the_best_plane():
    """By least squares, in white noise with a sky of which nothing is known."""
    images = noise_images()
    likelihood = likelihood_of(images, masked=0.01, sky_err=np.inf)
    labels = torch.from_numpy(LABELS).float()
    found = likelihood.chi2(labels)
    ones = np.ones((SIZE, SIZE))
    columns = np.stack([ones, *slope_images(SIZE, torch.zeros(1)).numpy()]).reshape(3, -1)
    left = (likelihood.data - likelihood.model(labels)).flatten(1).numpy()
    for row, good in enumerate(likelihood.weight.flatten(1).numpy() > 0):
        _, chi2, *_ = np.linalg.lstsq(columns[:, good].T, left[row, good], rcond=None)
        assert chi2[0] == pytest.approx(float(found[row]), rel=1e-4)


@pytest.mark.parametrize("colored", [False, True])
def test_residuals_have_no_slope(colored):
    along_x, along_y = slope_images(SIZE, torch.zeros(1))
    steep = noise_images() + 5 * along_x.numpy()
    likelihood = likelihood_of(steep, colored=colored, masked=0.01)
    labels = torch.from_numpy(LABELS).float()
    _, _, residual = likelihood.compare(labels)
    for slope in (along_x, along_y):
        kept = slope * (likelihood.weight > 0)
        scatter = kept.square().sum(dim=(1, 2)).sqrt()
        assert ((residual * kept).sum(dim=(1, 2)).abs() < 3 * scatter).all()
    assert torch.equal(likelihood[[2, 3]].chi2(labels[2:]), likelihood.chi2(labels)[2:])


def test_one_stamp_and_many_galaxies():
    """As importance sampling asks for."""
    likelihood = likelihood_of(noise_images(), colored=True, masked=0.01)
    labels = torch.from_numpy(LABELS).float()
    together, _ = likelihood[[0]].marginal(labels)
    alone = [likelihood[[0]].marginal(labels[[row]])[0] for row in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-2)
