"""Groups as scenes: their parameters, and the light that their members share."""

import numpy as np
import pytest
import torch
from helpers.rendered import labels_of, star
from numpy.testing import assert_allclose

from sersicnet.model import collect_psfs
from sersicnet.model.groups import (
    are_sharp,
    blend_fraction,
    group_images,
    group_layout,
    group_scene,
    light_on_flux,
)
from sersicnet.model.parts import scene_images
from sersicnet.model.profile import psf_transform
from sersicnet.model.scene_prior import log_signal

CPU = torch.device("cpu")
FIRST = labels_of()
SECOND = labels_of(snr=20, r_eff=2, dx=14.0, dy=-20.0)
POINT = [2.5, -9.0, 5.0]


@pytest.fixture(scope="module")
def labels():
    return np.array([[*FIRST, *SECOND, *POINT]])


@pytest.fixture(scope="module")
def scene(labels):
    return group_scene(labels, ("sersic", "point"))


def test_parameters_come_back_from_labels(scene, labels):
    """Also of neighbors far outside of the limits of a center."""
    values = scene.values(torch.from_numpy(labels))
    assert values.shape == (1, 17)
    assert values.abs().max() < 6
    assert_allclose(scene.labels(values), labels, atol=1e-6)


def test_the_first_parameters_are_those_of_the_galaxy_in_the_middle(scene, labels):
    slopes = scene.slopes(scene.values(torch.from_numpy(labels)))
    assert (slopes[0, :7, 7:] == 0).all()
    assert (slopes[0, 7:, :7] == 0).all()


def test_slopes_are_those_of_the_labels(scene, labels):
    values = scene.values(torch.from_numpy(labels)) + 0.1
    slopes = scene.slopes(values)
    for column in range(17):
        step = torch.zeros(17, dtype=torch.float64)
        step[column] = 1e-5
        difference = (scene.labels(values + step) - scene.labels(values - step)) / 2e-5
        torch.testing.assert_close(slopes[:, :, column], difference, rtol=1e-5, atol=1e-6)


def test_the_signal_is_that_of_the_galaxy_in_the_middle(scene, labels):
    brighter = labels.copy()
    brighter[:, 7] += 2
    one, other = (log_signal(scene, torch.from_numpy(each)) for each in (labels, brighter))
    assert one == other


def test_layouts_are_kept():
    assert group_layout(("sersic",)) is group_layout(("sersic",))


def test_images_add_up_to_the_scene(labels):
    profiles = ("sersic", "sersic", "point")
    psfs = collect_psfs([star()])
    images = group_images(labels[0], profiles, psfs, 96, device=CPU)
    transform = psf_transform(torch.from_numpy(star()).float(), 96)
    whole = scene_images(
        torch.from_numpy(labels).float(), transform, profiles=profiles, stamp_size=96
    )
    assert_allclose(images.sum(axis=0), whole[0], atol=1e-4)


def test_light_on_the_flux_is_the_bias_of_a_linear_fit():
    rng = np.random.default_rng(3)
    own, other = rng.uniform(size=(2, 8, 8))
    weight = rng.uniform(0.5, 2, size=(8, 8))
    fitted, *_ = np.linalg.lstsq(
        (own * weight).reshape(-1, 1), ((own + other) * weight).ravel(), rcond=None
    )
    error = 1 / np.linalg.norm(own * weight)
    assert_allclose(light_on_flux(np.array([own, other]), weight), (fitted - 1) / error)


def test_blend_fraction_counts_light_within_the_ellipse():
    images = np.ones((2, 41, 41))
    images[1] = 0
    along = 10 * np.cos(np.radians(30))
    y, x = (20 + round(10 * np.sin(np.radians(30))), 20 + round(along))
    images[1, y, x] = 30  # on the major axis, within it
    images[1, 40 - y, x] = 1000  # beside it, outside
    label = np.array(labels_of(r_eff=12, q=0.3, theta=30))
    n_inside = np.pi * 12**2 * 0.3
    assert_allclose(blend_fraction(images, label, 0.1), 30 / n_inside, rtol=0.05)


def test_single_pixels_are_sharper_than_stars():
    psfs = collect_psfs([star()])
    centers = np.array([[10.2, -7.4], [-12.5, 3.5], [20.0, 30.0]])
    table = np.array([3.0, *centers[0]])
    data = group_images(table, ("point",), psfs, 64, device=CPU)[0]
    data += np.random.default_rng(4).normal(size=data.shape)
    data[35, 19] += 100
    assert are_sharp(centers, data, np.ones_like(data), psfs, device=CPU).tolist() == [
        False,
        True,
        False,
    ]
