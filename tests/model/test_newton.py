"""Gauss-Newton steps in unconstrained values."""

import torch
from numpy.testing import assert_allclose

from sersicnet.model.labels import ELLIPTICITY, LOG_FLUX, LOG_R_EFF
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.newton import best_sersic, label_slopes, newton_step
from sersicnet.model.prior import draw_labels
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.unconstrained import from_unconstrained, to_unconstrained

SIZE = 48


def make_likelihood(n=8):
    generator = torch.Generator().manual_seed(2)
    labels = draw_labels(n, generator=generator)
    labels[:, LOG_R_EFF] = torch.linspace(0.3, 0.8, n)
    labels[:, LOG_FLUX] = 4.0
    labels[:, ELLIPTICITY] *= 0.6  # inside the prior also after changes
    axis = torch.arange(31.0) - 15
    psf = torch.exp(-0.5 * (axis**2 + axis[:, None] ** 2) / 1.4**2)
    transform = psf_transform(psf / psf.sum(), SIZE)
    images = sersic_images(labels, transform, stamp_size=SIZE)
    sky = torch.zeros(n, dtype=torch.float64)
    return labels, StampLikelihood(images, torch.ones_like(images), transform, sky_err=sky)


def test_slopes_are_the_derivatives():
    values = to_unconstrained(make_likelihood()[0]).double()
    expected = torch.func.vmap(torch.func.jacrev(from_unconstrained))(values)
    assert_allclose(label_slopes(values), expected, atol=1e-6)


def test_step_to_the_optimum_of_a_parabola():
    matrix = torch.tensor([[[4.0, 1.0], [1.0, 9.0]]])
    away = torch.tensor([[0.3, -0.2]])
    gradient = (matrix @ away[:, :, None])[:, :, 0]
    assert_allclose(newton_step(gradient, matrix), away, rtol=1e-5)
    shorter = newton_step(gradient, matrix, damping=10.0)
    assert (shorter.abs() < away.abs()).all()


def test_steps_are_not_long_and_a_singular_matrix_is_no_fault():
    step = newton_step(torch.ones(1, 2), torch.diag(torch.tensor([1e-3, 0.0]))[None])
    assert_allclose(step.abs().amax(), 1)


def test_best_profile_of_a_profile_is_itself():
    labels, likelihood = make_likelihood()
    found, converged = best_sersic(likelihood, labels + 0.04, n_steps=15)
    assert converged.all()
    assert likelihood.chi2(found).max() < 0.5
    assert_allclose(found[:, LOG_FLUX], labels[:, LOG_FLUX], atol=0.01)


def test_too_few_steps_do_not_converge_but_do_no_harm():
    labels, likelihood = make_likelihood()
    start = labels + 0.1
    found, converged = best_sersic(likelihood, start, n_steps=1)
    assert not converged.any()
    assert (likelihood.chi2(found) <= likelihood.chi2(start)).all()
