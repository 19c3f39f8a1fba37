"""Fluxes of several parts at their best for given shapes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.small import SIZE, moffat
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference.best_fluxes import distinct_starts, has_best_fluxes, with_best_fluxes
from sersicnet.inference.composites import LAYOUTS
from sersicnet.inference.evaluations import evaluate
from sersicnet.inference.levenberg_marquardt import levenberg_marquardt
from sersicnet.model.groups import members_layout
from sersicnet.model.layout import SERSIC, Layout
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.parts import scene_images
from sersicnet.model.pixel_laws import LawLikelihood
from sersicnet.model.profile import psf_transform
from sersicnet.model.scene import Scene

# Bulges and disks of one center: log_flux, log_r_eff, n, e1, e2, dx, dy.
BULGE = (2.6, 0.3, 3.0, 0.05, 0.02, 0.2, -0.1)
DISK = (3.0, 0.8, 1.0, 0.2, -0.1, 0.2, -0.1)
ROWS = torch.arange(3)
KINDS = ("sersic+exp", "group")


def scene_of(kind, n=3):
    """The scene of a bulge and a disk, or of two members of a group, of n galaxies."""
    layout = LAYOUTS[kind] if kind in LAYOUTS else members_layout(("sersic", "sersic"))
    numbers = {"n_disk": 1.0, "n.disk": 1.0}
    known = [numbers.get(name, 0.0) for name in layout.known]
    return Scene.of(layout, torch.tensor([known] * n).float())


def likelihood_of(scene, labels, sky_err=0.1):
    transform = psf_transform(moffat(), SIZE)
    image = scene_images(labels, transform, stamp_size=SIZE, profiles=scene.layout.drawn)
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(3))
    data = image + noise + 0.05
    sky_err = torch.full((len(data),), sky_err, dtype=torch.float64)
    options = {"sky_err": sky_err, "profiles": scene.layout.drawn}
    return StampLikelihood(data, torch.ones_like(data), transform, **options)


@pytest.fixture(params=KINDS)
def away(request):
    """A scene, its likelihood, and parameters of which the fluxes are wrong."""
    scene = scene_of(request.param)
    truth = torch.tensor([BULGE + DISK] * len(scene))
    likelihood = likelihood_of(scene, truth)
    start = truth.clone()
    start[:, 0] += torch.tensor([0.3, -0.5, 0.0])
    start[:, 7] += torch.tensor([-0.1, 0.2, 0.4])
    start[:, 1] += 0.05
    return scene, likelihood, scene.values(start)


def test_terms_are_those_of_images_with_the_new_fluxes(away):
    scene, likelihood, values = away
    before = likelihood.normal_equations(scene.labels(values))
    moved, terms = with_best_fluxes(scene, values, before, prior=False)
    drawn = likelihood.normal_equations(scene.labels(moved))
    assert_allclose(terms.chi2, drawn.chi2, atol=0.02)
    width = torch.diagonal(drawn.curvature, dim1=1, dim2=2).sqrt()
    assert_allclose(terms.gradient / width, drawn.gradient / width, atol=0.02)
    unit = width[:, :, None] * width[:, None]
    assert_allclose(terms.curvature / unit, drawn.curvature / unit, atol=1e-4)
    assert_allclose(terms.sky_total, drawn.sky_total, atol=0.05)
    assert_allclose(terms.sky_response, drawn.sky_response, rtol=1e-3, atol=0.05)


def test_no_other_fluxes_fit_better_and_shapes_stay(away):
    scene, likelihood, values = away
    before = likelihood.normal_equations(scene.labels(values))
    moved, terms = with_best_fluxes(scene, values, before, prior=False)
    assert (before.chi2 - terms.chi2 > 10).all()
    changes = scene.labels(moved) - scene.labels(values)
    fluxes = torch.tensor([0, 7])
    changes[:, fluxes] = 0
    assert_allclose(changes, 0, atol=1e-5)
    width = torch.diagonal(terms.curvature, dim1=1, dim2=2)[:, fluxes].sqrt()
    assert_allclose(terms.gradient[:, fluxes] / width, 0, atol=0.02)
    again, _ = with_best_fluxes(scene, moved, terms, prior=False)
    assert_allclose(again, moved, atol=1e-4)


def test_the_fluxes_of_a_group_with_an_empty_place_are_at_their_best():
    """Groups have the places of the largest one: no pixel shows what is in an empty one."""
    scene = scene_of("group")
    truth = torch.tensor([BULGE + DISK] * len(scene))
    likelihood = likelihood_of(scene, truth)
    labels = truth.clone()
    labels[:, 0] += 0.3
    before = likelihood.normal_equations(labels)
    before.gradient[:, 7:] = 0
    before.curvature[:, 7:] = 0
    before.curvature[:, :, 7:] = 0
    before.sky_response[:, 7:] = 0
    moved, terms = with_best_fluxes(scene, scene.values(labels), before, prior=True)
    assert (terms.chi2 < before.chi2 - 10).all()
    assert_array_equal(moved[:, 7:], scene.values(labels)[:, 7:])


def test_the_cost_never_rises_nor_leaves_the_bounds():
    """The prior may be against the flux of a part that the image does not hold."""
    scene = scene_of("sersic+exp")
    labels = torch.tensor([BULGE + DISK] * 3)
    labels[:, 0] = torch.tensor([-3.0, 0.0, 1.0])
    likelihood = likelihood_of(scene, labels)
    values = scene.values(torch.tensor([BULGE + DISK] * 3))
    equations = likelihood.normal_equations(scene.labels(values))
    found = evaluate(likelihood, ROWS, scene, values, True)
    column = scene.layout.free.index("share")
    assert (found["mean"][:, column].abs() <= 7).all()
    assert (found["chi2"] <= equations.chi2).all()


@pytest.mark.parametrize("name", ["log_flux", "share"])
def test_fluxes_with_normal_priors_stay(name):
    """What is best for the image alone is not where such a prior is narrow."""
    scene = scene_of("sersic+exp")
    truth = torch.tensor([BULGE + DISK] * 3)
    likelihood = likelihood_of(scene, truth)
    narrow = torch.tensor([[[0.6, 0.01, -torch.inf, torch.inf]]] * 3)
    known = replace(scene.layout, priors=(name,))
    own = Scene.of(known, scene.known, narrow)
    start = truth.clone()
    start[:, 0] += 0.4
    values = own.values(start)
    assert_array_equal(evaluate(likelihood, ROWS, own, values, True)["mean"], values)


def test_a_narrow_prior_of_the_share_is_where_fits_end():
    scene = scene_of("sersic+exp")
    truth = torch.tensor([BULGE + DISK] * 3)
    narrow = torch.tensor([[[0.6, 1e-4, 0.0, 1.0]]] * 3)
    own = Scene.of(replace(scene.layout, priors=("share",)), scene.known, narrow)
    found = levenberg_marquardt(likelihood_of(scene, truth), truth, scene=own)
    assert found["converged"].all()
    assert_allclose(own.quantities(found["mean"]), 0.6, atol=0.02)


def test_fits_from_other_shares_are_the_same(away):
    scene, likelihood, values = away
    labels = scene.labels(values)
    other = labels.clone()
    other[:, 0] -= 0.4
    other[:, 7] += 0.3
    one, two = (levenberg_marquardt(likelihood, each, scene=scene) for each in (labels, other))
    assert one["converged"].all()
    assert_allclose(one["cost"], two["cost"], atol=0.02)
    assert (two["n_iter"] - one["n_iter"]).abs().max() <= 3


def test_only_normal_likelihoods_with_fluxes_of_all_parts():
    scene = scene_of("sersic+exp")
    likelihood = likelihood_of(scene, torch.tensor([BULGE + DISK] * 3))
    assert has_best_fluxes(likelihood, scene.layout)
    assert not has_best_fluxes(likelihood, SERSIC)
    shown = {name: getattr(likelihood, name) for name in ("data", "weight", "transform")}
    counts = LawLikelihood(**shown, law="student", subtracted=torch.zeros(3))
    assert not has_best_fluxes(counts, scene.layout)
    free = tuple(name for name in scene.layout.free if name != "share")
    known = Layout(free, (*scene.layout.known, "share"), parts=scene.layout.parts)
    assert not has_best_fluxes(likelihood, known)


def test_starts_that_differ_in_fluxes_only_are_one():
    starts = np.array([[BULGE + DISK] * 2] * 4)
    starts[:3, :, 0] += np.array([-0.5, 0.0, 0.5])[:, None]
    starts[3, :, 1] += 0.2
    shapes, other = distinct_starts([*starts], LAYOUTS["sersic+exp"])
    assert_array_equal(shapes, starts[1])
    assert_array_equal(other, starts[3])
    assert len(distinct_starts([*starts[2:]], LAYOUTS["sersic+exp"])) == 2
