"""Insets: parts of a scene on few pixels."""

import numpy as np
import pytest
import torch
from helpers.rendered import labels_of, star
from numpy.testing import assert_allclose

from sersicnet.model import collect_psfs
from sersicnet.model.stamp_groups import NoiseFilters, likelihoods
from sersicnet.model.whitening import whitening_filters

PROFILES = ("sersic", "sersic", "point")


@pytest.fixture(scope="module")
def labels():
    """Two scenes, of which one has a part of another size, and one near the border."""
    one = [*labels_of(snr=90, dx=-20.3, dy=5.0), *labels_of(snr=20, r_eff=2, dx=14.0, dy=-20.0)]
    other = [*labels_of(snr=20, dx=-20.0, dy=5.3), *labels_of(snr=40, r_eff=2, dx=44.0, dy=40.0)]
    return np.array([[*one, 2.5, -9.0, 5.2], [*other, 2.5, -9.0, 5.2]])


def likelihood_of(labels, *, insets, noise=None):
    data = np.zeros((2, 128, 128), dtype=np.float32)
    options = {"chunk": 2, "profiles": PROFILES, "noise": noise, "insets": insets}
    psfs = collect_psfs([star()] * 2)
    ((_, likelihood),) = likelihoods(labels, data, np.ones_like(data), psfs, **options)
    return likelihood


def correlated():
    covariance = torch.zeros(2, 3, 3)
    covariance[:, 1, 1] = 1.0
    covariance[:, 1, ::2] = covariance[:, ::2, 1] = 0.3
    filters = whitening_filters(covariance).numpy()
    return NoiseFilters(filters, np.zeros((2, 128, 128), dtype=bool))


@pytest.mark.parametrize("noise", [None, "correlated"])
def test_where_fits_start_nothing_is_lost(labels, noise):
    noise = correlated() if noise else None
    small = likelihood_of(labels, insets=True, noise=noise)
    whole = likelihood_of(labels, insets=False, noise=noise)
    assert small.insets.sizes.min() < small.data.shape[-1]
    start = torch.from_numpy(labels).float()
    one = small.normal_equations(start)
    other = whole.normal_equations(start)
    assert_allclose(one.chi2, other.chi2, rtol=1e-3, atol=0.1)
    scale = torch.diagonal(other.curvature, dim1=1, dim2=2).sqrt()
    scale = scale[:, :, None] * scale[:, None]
    assert_allclose(one.curvature / scale, other.curvature / scale, atol=5e-3)


def test_derivatives_are_those_of_the_images(labels):
    insets = likelihood_of(labels, insets=True).insets
    start = torch.from_numpy(labels).float()
    image, jacobian = insets.image_and_jacobian(start, stamp_size=128)
    assert_allclose(image, insets.images(start, stamp_size=128), atol=1e-3)
    moved = start.clone()
    moved[:, 7] += 1e-3
    change = (insets.images(moved, stamp_size=128) - image) / 1e-3
    assert_allclose(jacobian[:, 7], change, atol=0.02 * float(change.abs().max()))


def test_scenes_can_be_chosen(labels):
    insets = likelihood_of(labels, insets=True).insets
    start = torch.from_numpy(labels).float()
    both = insets.images(start, stamp_size=128)
    assert_allclose(insets[[1]].images(start[1:], stamp_size=128), both[1:], atol=1e-5)
