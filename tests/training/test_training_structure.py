"""Structured galaxies, and the single Sersic profiles that are their labels."""

import math

import pytest
import torch
from helpers.scenes import make_scenes
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference.levenberg_marquardt import levenberg_marquardt
from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF, N_LABELS
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.prior import draw_labels
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.training.structure import (
    SIZES,
    best_labels,
    draw_structure,
    may_have_structure,
    structured_images,
)

SIZE = 64
M = 24


@pytest.fixture(scope="module")
def galaxies():
    """Labels of main parts, structure, transform of the PSF, and images."""
    generator = torch.Generator().manual_seed(5)
    labels = draw_labels(200, generator=generator)
    labels = labels[labels[:, LOG_R_EFF].sub(math.log10(4)).abs() < 0.2][:M]
    labels[:, LOG_FLUX] = 0
    smooth, blobs = draw_structure(labels, generator)
    axis = torch.arange(41.0) - 20
    psf = torch.exp(-0.5 * (axis**2 + axis[:, None] ** 2) / 1.5**2)
    transform = psf_transform(psf / psf.sum(), SIZE)
    images = structured_images(smooth, blobs, transform, stamp_size=SIZE, oversampling=1)
    return labels, smooth, blobs, transform, images


def test_the_flux_of_all_parts_is_one(galaxies):
    _, smooth, blobs, _, images = galaxies
    total = 10 ** smooth[:, :, LOG_FLUX]
    assert_allclose(total.sum(dim=0) + blobs[0].sum(dim=1), 1, atol=1e-4)
    assert (images.sum(dim=(1, 2)) < 1.02).all()
    assert images.sum(dim=(1, 2)).median() > 0.9


def test_blobs_are_gaussians_where_they_should_be(galaxies):
    _, smooth, blobs, _, _ = galaxies
    dark = smooth[:, :1].clone()
    dark[:, :, LOG_FLUX] = -9
    one = torch.zeros_like(blobs[:, :1])
    one[:, 0, 0] = torch.tensor([1.0, 3.0, -2.0, 2.0])
    unit = torch.ones(SIZE + 64, (SIZE + 64) // 2 + 1, dtype=torch.complex64)
    for sampling in (1, 2):
        fine = torch.ones(sampling * 128, sampling * 64 + 1, dtype=torch.complex64)
        transform = unit if sampling == 1 else fine
        image = structured_images(dark, one, transform, stamp_size=SIZE, oversampling=sampling)[
            0
        ].double()
        axis = torch.arange(SIZE) - (SIZE - 1) / 2
        assert_allclose(image.sum(), 1, rtol=1e-3)
        assert_allclose((image.sum(dim=0) * axis).sum(), 3, atol=1e-3)
        assert_allclose((image.sum(dim=1) * axis).sum(), -2, atol=1e-3)
        assert_allclose((image.sum(dim=0) * (axis - 3) ** 2).sum(), 4, rtol=1e-2)


def test_labels_are_those_of_a_fit(galaxies):
    """With the weights of a scene: a mask, and noise that is not even."""
    labels, _, _, transform, images = galaxies
    scale = 1e4
    weight = torch.ones_like(images)
    weight[:, 30:34] = 0
    weight[:, :, 34:] = 0.7
    bright = labels.clone()
    bright[:, LOG_FLUX] = math.log10(scale)
    options = {"oversampling": 1, "n_steps": 20}
    found, usable = best_labels(scale * images, bright, transform, weight, **options)
    assert usable.float().mean() > 0.6
    sky = torch.zeros(len(labels), dtype=torch.float64)
    likelihood = StampLikelihood(scale * images, weight, transform, sky_err=sky)
    fit = levenberg_marquardt(likelihood, bright, prior=False)
    rows = usable & fit["converged"]
    chi2 = likelihood.chi2(found)
    assert rows.float().mean() > 0.5
    assert_allclose(chi2[rows], fit["chi2"][rows], rtol=2e-3, atol=0.1)
    before = likelihood.chi2(bright)
    assert (chi2 < before)[usable].all()


def test_labels_of_a_sersic_profile_are_its_own(galaxies):
    labels, _, _, transform, _ = galaxies
    images = sersic_images(labels, transform, stamp_size=SIZE)
    start = labels + 0.03
    found, usable = best_labels(images, start, transform, oversampling=1, n_steps=20)
    assert usable.float().mean() > 0.5
    assert_allclose(found[usable, LOG_FLUX], 0, atol=0.03)
    assert_allclose(found[usable, LOG_R_EFF], labels[usable, LOG_R_EFF], atol=0.05)


def test_scenes_have_structure_where_it_can_be_seen():
    maker = make_scenes(structure=0.3, n_galaxies=64)
    plain = make_scenes(n_galaxies=64)
    assert 0.1 < maker.structured.float().mean() < 0.45
    assert may_have_structure(plain.labels)[maker.structured].all()
    assert_array_equal(maker.labels[~maker.structured], plain.labels[~maker.structured])
    assert_array_equal(maker.galaxies[~maker.structured], plain.galaxies[~maker.structured])
    r_eff = 10 ** plain.labels[maker.structured, LOG_R_EFF]
    assert (r_eff > SIZES[0]).all()
    assert (r_eff < SIZES[1]).all()


def test_a_structured_galaxy_has_the_light_of_its_label():
    maker = make_scenes(structure=0.3, n_galaxies=64)
    rows = maker.structured.nonzero()[:, 0]
    scenes = maker.observe(rows)
    assert scenes.labels.shape == (len(rows), N_LABELS)
    flux = 10 ** (scenes.labels[:, LOG_FLUX])
    inside = scenes.data.sum(dim=(1, 2))
    bright = flux > 3e4
    assert_allclose(inside[bright] / flux[bright], 1, atol=0.35)


def test_a_scene_without_a_label_is_another_one(monkeypatch):
    maker = make_scenes(structure=0.3, n_galaxies=64)
    rows = torch.arange(64)
    monkeypatch.setattr(type(maker), "_refit", lambda self, rows, *_: rows != 5)
    scenes = maker.observe(rows)
    same = (scenes.labels[:, LOG_R_EFF] == scenes.labels[5, LOG_R_EFF]).sum()
    assert int(same) == 2
