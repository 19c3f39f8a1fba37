"""Insets: parts of a scene on few pixels."""

import numpy as np
import pytest
import torch
from helpers.rendered import labels_of, star
from numpy.testing import assert_allclose

from sersicnet.model import collect_psfs
from sersicnet.model.insets import own_labels
from sersicnet.model.stamp_groups import NoiseFilters, likelihoods
from sersicnet.model.whitening import whitening_filters

STAR = labels_of(log_flux=2.5, r_eff=2.0, n=2.0, dx=-9.0, dy=5.2)
EMPTY = [-9.0, 0.0, 1.0, 0.1, 0.0, 0.0, 0.0]
KINDS = np.array([["sersic", "sersic", "point"], ["sersic", "point", ""]])


@pytest.fixture(scope="module")
def labels():
    """Two scenes, of which one has a part of another size, and the other one near the border."""
    one = [*labels_of(snr=90, dx=-20.3, dy=5.0), *labels_of(snr=20, r_eff=2, dx=14.0, dy=-20.0)]
    other = [*labels_of(snr=40, r_eff=2, dx=44.0, dy=40.0), *STAR, *EMPTY]
    return np.array([[*one, *STAR], other])


def likelihood_of(labels, *, kinds=KINDS, noise=None, psfs=None):
    n_scenes, n_parts = kinds.shape
    data = np.zeros((n_scenes, 128, 128), dtype=np.float32)
    options = {"chunk": 2, "profiles": ("sersic",) * n_parts, "noise": noise, "kinds": kinds}
    options["members"] = psfs or collect_psfs([star()] * (n_scenes * n_parts))
    stamps = data, np.ones_like(data), collect_psfs([star()] * n_scenes)
    ((_, likelihood),) = likelihoods(labels, *stamps, **options)
    return likelihood


def whole_likelihood(labels, profiles, *, noise=None):
    data = np.zeros((1, 128, 128), dtype=np.float32)
    options = {"chunk": 1, "profiles": profiles, "noise": noise}
    psfs = collect_psfs([star()])
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
    """Scenes of different parts are what each is alone, on whole stamps."""
    noise = correlated() if noise else None
    small = likelihood_of(labels, noise=noise)
    assert small.insets.sizes.min() < small.data.shape[-1]
    both = small.normal_equations(torch.from_numpy(labels).float())
    own = {"sersic": list(range(7)), "point": own_labels("point")}
    for row, kinds in enumerate(KINDS):
        profiles = tuple(kind for kind in kinds if kind)
        columns = np.concatenate([np.add(7 * n, own[kind]) for n, kind in enumerate(profiles)])
        start = labels[[row]][:, columns]
        other_noise = None if noise is None else noise[[row]]
        whole = whole_likelihood(start, profiles, noise=other_noise)
        other = whole.normal_equations(torch.from_numpy(start).float())
        assert_allclose(both.chi2[row], other.chi2[0], rtol=1e-3, atol=0.1)
        scale = torch.diagonal(other.curvature[0]).sqrt()
        scale = scale[:, None] * scale
        curvature = both.curvature[row][columns][:, columns]
        assert_allclose(curvature / scale, other.curvature[0] / scale, atol=5e-3)


def test_what_a_scene_does_not_have_has_no_derivatives(labels):
    start = torch.from_numpy(labels).float()
    insets = likelihood_of(labels).insets
    _, slopes = insets.image_and_slopes(start, stamp_size=128)
    jacobian = insets.jacobian(slopes, 128)
    star = own_labels("point")
    assert not jacobian[1, 14:].any()
    assert not np.delete(jacobian[0, 14:].numpy(), star, axis=0).any()
    assert (jacobian[0, 14:][star].abs().amax(dim=(1, 2)) > 0).all()


def test_derivatives_are_those_of_the_images(labels):
    insets = likelihood_of(labels).insets
    start = torch.from_numpy(labels).float()
    image, slopes = insets.image_and_slopes(start, stamp_size=128)
    jacobian = insets.jacobian(slopes, 128)
    assert_allclose(image, insets.images(start, stamp_size=128), atol=1e-3)
    moved = start.clone()
    moved[:, 7] += 1e-3
    change = (insets.images(moved, stamp_size=128) - image) / 1e-3
    assert_allclose(jacobian[:, 7], change, atol=0.02 * float(change.abs().max()))


def test_products_are_those_of_whole_stamps(labels):
    insets = likelihood_of(labels).insets
    rng = np.random.default_rng(5)
    weight, one, other = torch.from_numpy(rng.uniform(1, 2, size=(3, 2, 128, 128))).float()
    images = torch.stack([one, other], dim=1)
    _, slopes = insets.image_and_slopes(torch.from_numpy(labels).float(), stamp_size=128)
    of_images, of_slopes = insets.products(slopes, weight, images)
    whole = (insets.jacobian(slopes, 128) * weight[:, None]).flatten(2)
    expected = whole @ whole.transpose(1, 2)
    assert_allclose(of_slopes, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    expected = whole @ images.flatten(2).transpose(1, 2)
    assert_allclose(of_images, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_scenes_can_be_chosen(labels):
    insets = likelihood_of(labels).insets
    start = torch.from_numpy(labels).float()
    both = insets.images(start, stamp_size=128)
    assert_allclose(insets[[1]].images(start[1:], stamp_size=128), both[1:], atol=1e-5)


def test_each_part_has_its_own_psf(labels):
    broad = star(fwhm=5.0)
    psfs = collect_psfs([star(), broad, star(), star(), star(), broad])
    start = torch.from_numpy(labels).float()
    one = likelihood_of(labels).insets.images(start, stamp_size=128)
    other = likelihood_of(labels, psfs=psfs).insets.images(start, stamp_size=128)
    assert float((other - one)[0].abs().max()) > 0.1
    assert_allclose(other[1], one[1], atol=1e-3)  # the broad one is that of an empty place
