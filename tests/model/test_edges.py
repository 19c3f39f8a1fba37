"""Is the end of a galaxy's light found, and only that?"""

import numpy as np
import pytest
import torch
from helpers.rendered import labels_of, render, star
from scipy.ndimage import gaussian_filter

from sersicnet.model.edges import find_edges
from sersicnet.model.misfit import measure_misfit
from sersicnet.model.psf import collect_psfs

SIZE = 128
N = 12


@pytest.fixture(scope="module")
def labels():
    """Twelve disks of three sizes at two S/N."""
    rows = [labels_of(snr=snr, r_eff=r, n=1, q=0.7) for snr in (300, 600) for r in (4, 7, 12)]
    return np.array(rows * 2)


@pytest.fixture(scope="module")
def images(labels):
    return render(labels, star())


def judge(images, labels, *, noise=None, weight=None):
    if noise is None:
        noise = np.random.default_rng(1).normal(size=images.shape)
    if weight is None:
        weight = np.ones(images.shape)
    data = ((images + noise) * weight).astype(np.float32)
    psfs = collect_psfs([star()] * len(labels))
    return measure_misfit(labels, data, weight.astype(np.float32), psfs)


def radii(labels):
    """Distances from the middle along the ellipses of the disks, in half-light radii."""
    axis = np.arange(SIZE) - (SIZE - 1) / 2
    cos, sin = np.cos(np.radians(30)), np.sin(np.radians(30))
    along = cos * axis + sin * axis[:, None]
    across = (cos * axis[:, None] - sin * axis) / 0.7
    return np.hypot(along, across) / 10 ** labels[:, 1, None, None]


def ended(images, labels, edge):
    """The same disks that end at a radius."""
    return np.where(radii(labels) < edge, images, 0)


def test_noise_alone(images, labels):
    """The largest of four numbers that are alike is above zero by one, at most by some."""
    found = judge(images, labels)
    assert np.abs(found.edge_significance).max() < 4.5
    assert abs(found.edge_significance.mean()) < 2


@pytest.mark.parametrize(("edge", "least"), [(1.8, 7), (2.3, 7), (2.8, 1)])
def test_light_that_ends(edge, least, images, labels):
    found = judge(ended(images, labels, edge), labels)
    assert (found.edge_significance > least).all()
    assert found.edge_significance.mean() > 5
    assert (found.edge > 0.005).all()
    assert (found.edge < 0.2).all()


def test_light_that_goes_on(images, labels):
    """A tenth more light in the outskirts."""
    halo = 1.1 * images - 0.1 * ended(images, labels, 2.0)
    assert (judge(halo, labels).edge_significance < 5).all()


def test_a_neighbor_in_the_outskirts(images, labels):
    others = labels.copy()
    others[:, 0] -= 1.0
    others[:, 1] = 0.2
    others[:, 5] += 3.2 * 10 ** labels[:, 1]
    found = judge(images + render(others, star()), labels)
    assert (found.edge_significance < 5).all()


def test_small_errors_and_photons_are_no_end(images, labels):
    rng = np.random.default_rng(2)
    errors = np.array([0.004, 0.008, 0.02, 0.008, 0.008, 0.04, 0.04])
    moved = labels + rng.uniform(-1, 1, labels.shape) * errors
    photons = rng.poisson(images.clip(0) * 10) / 10 + rng.normal(size=images.shape) - images
    assert (judge(images, moved).edge_significance < 5).all()
    assert (judge(images, labels, noise=photons).edge_significance < 5).all()
    assert (judge(images + 0.1, labels).edge_significance < 5).all()  # of the sky


def test_noise_of_drizzled_images(images, labels):
    noise = np.random.default_rng(3).normal(size=images.shape)
    noise = gaussian_filter(noise, (0, 0.7, 0.7), mode="wrap")
    found = judge(images, labels, noise=noise / noise.std())
    assert (found.edge_significance < 5).all()


def test_masked_pixels(images, labels):
    weight = np.ones(images.shape)
    weight[:, :, 70:] = 0
    assert (judge(images, labels, weight=weight).edge_significance < 4.5).all()
    found = judge(ended(images, labels, 2.2), labels, weight=weight)
    assert (found.edge_significance > 5).all()


def test_the_psf_hides_the_end_of_small_galaxies():
    labels = np.array([labels_of(snr=500, r_eff=r, n=1) for r in (1.0, 4.0)])
    found = judge(render(labels, star()), labels)
    assert np.isnan(found.edge_significance).tolist() == [True, False]
    assert np.isnan(found.edge).tolist() == [True, False]


def test_too_few_pixels_say_nothing():
    images = torch.ones(1, 4, 4)
    good = torch.zeros(1, 4, 4, dtype=bool)
    edge, significance = find_edges(
        images,
        images,
        radius=images,
        blur=torch.full((1,), 0.1),
        good=good,
        ellipse=good,
        derivatives=torch.ones(1, 8, 4, 4),
        noise=(torch.ones(1), torch.zeros(1, 5, 5)),
    )
    assert edge.isnan().all()
    assert significance.isnan().all()
