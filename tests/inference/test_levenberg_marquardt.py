"""Derivatives, likelihood and Levenberg-Marquardt fit of one galaxy a stamp."""

import numpy as np
import pytest
import torch
from helpers.small import SIZE, noisy, small_galaxies

from sersicnet.inference.levenberg_marquardt import levenberg_marquardt
from sersicnet.model.labels import DX, ELLIPTICITY, LABELS, SERSIC_N, angle, length
from sersicnet.model.layout import Layout
from sersicnet.model.scene import Scene
from sersicnet.model.unconstrained import from_unconstrained, to_unconstrained


@pytest.mark.parametrize("oversampling", [1, 2])
def test_fit_finds_the_truth_with_the_errors_that_it_quotes(oversampling):
    truth = small_galaxies(64, log_flux=3.5, n=1.5)
    likelihood = noisy(truth, oversampling=oversampling)
    start = truth + 0.05 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(4))
    fit = levenberg_marquardt(likelihood, start, prior=False)
    assert fit["converged"].float().mean() > 0.95
    good = fit["converged"] & ~fit["held"].any(dim=1)
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
    assert held["held"].sum() < free["held"].sum()
    assert held["mean"][:, 1:].abs().mean() < free["mean"][:, 1:].abs().mean()
    labels = from_unconstrained(held["mean"])
    assert torch.isfinite(labels).all()


@pytest.mark.parametrize("prior", [True, False])
def test_errors_of_faint_galaxies(prior):
    """Errors of the ellipticity are no smaller than its scatter (S/N of about 20)."""
    truth = small_galaxies(96, log_flux=2.6, log_r_eff=0.5, n=1.0, e1=0.2, e2=-0.1)
    fit = levenberg_marquardt(noisy(truth), truth, prior=prior)
    good = fit["converged"] & ~fit["held"].any(dim=1)
    assert good.float().mean() > 0.8
    width = torch.diagonal(fit["covariance"], dim1=1, dim2=2).sqrt()
    pull = ((fit["mean"] - to_unconstrained(truth)) / width)[good][:, ELLIPTICITY]
    assert 0.8 < pull.square().mean().sqrt() < 1.3


def test_a_thin_disk_is_at_the_bound_of_its_ellipticity():
    truth = small_galaxies(24, log_flux=4.0, log_r_eff=0.8, e1=0.9, e2=0.0)
    fit = levenberg_marquardt(noisy(truth), truth, prior=False)
    length = fit["mean"][:, ELLIPTICITY].norm(dim=1)
    assert (length < 4.0 + 1e-4).all()
    assert fit["held"][:, 3].any()
    assert torch.equal(fit["held"][:, 3], fit["held"][:, 4])
    assert fit["held"][length > 3.999, 3].all()


def test_a_label_at_its_bound_is_taken_as_known():
    """The covariance is the inverse of the information without that label."""
    truth = small_galaxies(12, log_flux=3.5, log_r_eff=0.4, n=1.5, e1=0.2, e2=0.1, dx=3.5, dy=0.3)
    likelihood = noisy(truth)
    start = truth.clone()
    start[:, DX] = 2.9
    fit = levenberg_marquardt(likelihood, start, prior=False)
    labels = from_unconstrained(fit["mean"])
    slopes = torch.func.vmap(torch.func.jacrev(from_unconstrained))(fit["mean"])
    information = likelihood.normal_equations(labels).curvature
    information = (slopes.transpose(1, 2) @ information @ slopes).double().numpy()
    free = [column for column in range(7) if column != DX]
    assert fit["held"][:, DX].all()
    assert not fit["held"][:, free].any()
    for row, covariance in enumerate(fit["covariance"].numpy()):
        expected = np.linalg.inv(information[row][np.ix_(free, free)])
        error = np.sqrt(np.diag(expected))
        scale = error * error[:, None]
        assert (covariance[DX] == 0).all()
        assert (covariance[:, DX] == 0).all()
        np.testing.assert_allclose(
            covariance[np.ix_(free, free)] / scale, expected / scale, atol=0.01
        )


def test_a_bound_that_is_reached_is_left_again():
    """What starts at a bound and belongs inside gets there."""
    truth = small_galaxies(8, log_flux=4.0, n=2.0, dx=0.5)
    start = truth.clone()
    start[:, 2], start[:, 5] = 6.19, 2.99
    fit = levenberg_marquardt(noisy(truth), start, prior=False)
    labels = from_unconstrained(fit["mean"])[fit["converged"]]
    assert fit["converged"].float().mean() > 0.7
    assert ((labels[:, DX] - 0.5).abs() < 0.2).all()
    assert labels[:, SERSIC_N].median() < 3


def scene_with(truth, names):
    """The scene of galaxies of which some labels are known."""
    layout = Layout(tuple(name for name in LABELS if name not in names), names)
    columns = [LABELS.index(name) for name in names]
    return Scene.of(layout, truth[:, columns])


@pytest.mark.parametrize("names", [("n",), ("log_r_eff", "n"), ("dx", "dy")])
def test_fit_with_known_labels(names):
    """They stay, and errors of the others are those of the information without them."""
    truth = small_galaxies(12, log_flux=3.5, log_r_eff=0.4, n=1.5, e1=0.2, e2=0.1)
    likelihood = noisy(truth)
    scene = scene_with(truth, names)
    fit = levenberg_marquardt(likelihood, truth + 0.03, scene=scene, prior=False)
    labels = scene.labels(fit["mean"])
    columns = [LABELS.index(name) for name in names]
    assert fit["converged"].all()
    assert torch.equal(labels[:, columns], truth[:, columns])
    free = [column for column in range(7) if column not in columns]
    slopes = Scene.sersic(12).slopes(to_unconstrained(labels))
    information = likelihood.normal_equations(labels).curvature
    information = (slopes.transpose(1, 2) @ information @ slopes).double().numpy()
    for row, covariance in enumerate(fit["covariance"].numpy()):
        expected = np.linalg.inv(information[row][np.ix_(free, free)])
        scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        np.testing.assert_allclose(covariance / scale, expected / scale, atol=0.01)


def test_a_known_axis_ratio_leaves_the_angle():
    truth = small_galaxies(12, log_flux=3.5, log_r_eff=0.6, n=1.0, e1=0.25, e2=0.0)
    layout = Layout(("log_flux", "log_r_eff", "n", "turn", "dx", "dy"), ("q", "theta"))
    scene = Scene.of(layout, torch.tensor([[0.6, 0.3]] * 12))
    fit = levenberg_marquardt(noisy(truth), truth, scene=scene, prior=False)
    found = scene.labels(fit["mean"])
    torch.testing.assert_close(length(found[:, 3], found[:, 4]), torch.full((12,), 0.25))
    theta = angle(found[:, 3], found[:, 4])
    width = fit["covariance"][:, 3, 3].sqrt() * torch.pi / 4  # slope of the turn in the middle
    assert fit["converged"].all()
    assert (theta.abs() < 5 * width).all()
    assert (width < 0.2).all()
