"""Errors from sources that are too faint to be found."""

import numpy as np
import pytest
import torch

from sersicnet.inference.levenberg_marquardt import fit_stamps
from sersicnet.model import hidden
from sersicnet.model.groups import members_layout
from sersicnet.model.hidden import HiddenLight, hidden_covariance
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.profiles import point
from sersicnet.model.psf import collect_psfs
from sersicnet.model.render import psf_transforms
from sersicnet.model.scene import Scene
from sersicnet.model.stamp_groups import NoiseFilters, likelihoods
from sersicnet.model.whitening import whitening_filters

SIZE = 64
TRUTH = np.array([[3.3, 0.7, 1.5, 0.2, 0.1, 0.3, -0.2]])


def gaussian(sigma=1.5):
    y, x = np.mgrid[-10:11, -10:11]
    star = np.exp(-0.5 * (x**2 + y**2) / sigma**2)
    return star / star.sum()


def filters(correlated):
    """White noise, or that of smoothed pixels with a mask of some of them."""
    small = np.zeros((1, SIZE, SIZE), dtype=bool)
    if not correlated:
        return None, small
    small[0, 30:32, 36] = True
    row = np.array([0.2, 1.0, 0.2])
    covariance = torch.from_numpy(row[:, None] * row)[None]
    return NoiseFilters(whitening_filters(covariance).float().numpy(), small), small


def light(density, *, faintest=0.0, slope=0.8):
    return HiddenLight(*np.array([[density], [slope], [faintest]]))


def made(correlated, sky_err=0.05):
    """Likelihood of a galaxy at its truth, with its stamps and options of a fit."""
    noise, small = filters(correlated)
    psfs = collect_psfs([gaussian()])
    weight = np.where(small, 0.0, 1.0).astype("f4")
    weight[0, :, 40:] *= 0.8
    transform = psf_transforms(psfs, psfs.which, SIZE)
    plain = StampLikelihood(torch.zeros(1, SIZE, SIZE), torch.ones(1, SIZE, SIZE), transform)
    image = plain.model(torch.from_numpy(TRUTH).float()).numpy()
    options = {"sky_err": np.array([sky_err]), "noise": noise}
    return image, weight, psfs, transform, options


def test_a_faint_source_moves_a_fit_as_predicted(monkeypatch):
    """The product of what is shown with the covariance is the change of the parameters."""
    image, weight, psfs, transform, options = made(correlated=False)
    before = fit_stamps(TRUTH, image, weight, psfs, prior=False, **options)
    found = {}
    monkeypatch.setattr(hidden, "_added", lambda *shown: found.setdefault("shown", shown)[3])
    fit_stamps(TRUTH, image, weight, psfs, prior=False, hidden=light(1.0), **options)
    of_labels, _, slopes, covariance, *_ = found["shown"]
    moves = (covariance @ slopes.T @ of_labels).reshape(7, SIZE, SIZE)
    for y, x in ((31, 38), (36, 29), (20, 45)):
        place = torch.tensor([[0.3, x - (SIZE - 1) / 2, y - (SIZE - 1) / 2]])
        star = point.images(place, transform, stamp_size=SIZE).numpy()
        after = fit_stamps(TRUTH, image + star, weight, psfs, prior=False, **options)
        moved = after.mean - before.mean
        error = np.sqrt(np.diagonal(covariance))
        np.testing.assert_allclose(moved[0] / error, 10**0.3 * moves[:, y, x] / error, atol=0.03)


@pytest.mark.parametrize("correlated", [False, True])
def test_derivatives_give_the_gradient(correlated):
    image, weight, psfs, _, options = made(correlated)
    data = image + np.random.default_rng(2).normal(size=image.shape).astype("f4")
    (_, likelihood), *_ = likelihoods(TRUTH, data, weight, psfs, chunk=1, **options)
    labels = torch.from_numpy(TRUTH).float()
    equations = likelihood.normal_equations(labels)
    residual = (likelihood.data - likelihood.model(labels)) * likelihood.weight
    outside = likelihood.outside[0, 2] * likelihood.normal_equations(labels).sky_response
    found = (likelihood.derivatives(labels) * residual[:, None]).sum(dim=(2, 3))
    found = found - outside / likelihood.sky_precision
    scale = equations.curvature.diagonal(dim1=1, dim2=2).sqrt()
    torch.testing.assert_close(
        (found / scale).float(), (equations.gradient / scale).float(), atol=2e-3, rtol=1e-3
    )


@pytest.mark.parametrize("correlated", [False, True])
def test_more_sources_add_more(correlated):
    """Nothing where there are none, or all are in the noise already."""
    image, weight, psfs, _, options = made(correlated)
    fits = {}
    for name, own in (
        ("none", light(0.0)),
        ("few", light(1e-3)),
        ("many", light(1e-2)),
        ("in noise", light(1e-2, faintest=1e6)),
    ):
        fits[name] = fit_stamps(TRUTH, image, weight, psfs, hidden=own, **options)
    plain = fit_stamps(TRUTH, image, weight, psfs, **options)
    for fit in fits.values():
        np.testing.assert_array_equal(fit.covariance, plain.covariance)
        np.testing.assert_array_equal(fit.mean, plain.mean)
    assert not fits["none"].hidden.any()
    assert not fits["in noise"].hidden.any()
    few, many = (np.diagonal(fits[name].hidden[0]) for name in ("few", "many"))
    assert (few > 0).all()
    assert (many > 2 * few).all()
    both = plain.covariance[0] + fits["many"].hidden[0]
    assert np.linalg.eigvalsh(fits["many"].hidden[0]).min() > -1e-9
    np.testing.assert_array_equal(fits["many"].with_hidden().covariance[0], both)
    assert plain.with_hidden() is plain


def test_empty_places_of_a_group_change_nothing():
    image, weight, psfs, _, options = made(correlated=False)
    found = []
    for n_places in (1, 2):
        used = torch.zeros(1, 7 * n_places)
        used[:, :7] = 1
        layout = members_layout(("sersic",) * n_places)
        known = torch.zeros(1, 2 * n_places).double()
        options["scene"] = Scene.of(layout, known, used=used.double())
        options["kinds"] = np.array([["sersic", ""]])[:, :n_places]
        options["members"] = psfs[np.zeros(n_places, dtype=int)]
        labels = np.concatenate([TRUTH, [[-9.0, 0.0, 1.0, 0.1, 0.0, 0.0, 0.0]]], axis=1)
        labels = labels[:, : 7 * n_places]
        fit = fit_stamps(labels, image, weight, psfs, hidden=light(1e-2), **options)
        found.append(fit.hidden[0])
    one, two = found
    assert (np.diagonal(one) > 0).all()
    np.testing.assert_allclose(two[:7, :7], one, rtol=1e-3)
    assert not two[7:].any()


def test_widths_hold_68_percent():
    """Sources at random places, whose sum has wide wings, beside the noise of the fit."""
    image, weight, psfs, _, options = made(correlated=False)
    (_, likelihood), *_ = likelihoods(TRUTH, image, weight, psfs, chunk=1, **options)
    scene = Scene.sersic(1)
    labels = torch.from_numpy(TRUTH).float()
    slopes = scene.slopes(scene.values(labels).double())
    curvature = likelihood.normal_equations(labels).curvature.double()
    covariance = torch.linalg.inv(slopes.transpose(1, 2) @ curvature @ slopes)
    own = light(0.03, faintest=5.0)
    added = hidden_covariance(likelihood, labels, slopes, covariance, own)[0].numpy()
    _, of_labels, of_itself = hidden._shown(likelihood, labels)
    covariance = covariance[0].numpy()
    of_values = slopes[0].numpy().T @ of_labels
    moves = covariance @ of_values
    left = of_itself - (of_values * moves).sum(axis=0)
    limit = hidden._FOUND * np.sqrt(of_itself) / left
    rng = np.random.default_rng(4)
    pulls = rng.multivariate_normal(np.zeros(7), covariance, 3000)
    for pull in pulls:
        n = rng.poisson(0.03 * 5.0**-0.8 * moves.shape[1])
        flux = 5.0 * rng.uniform(size=n) ** (-1 / 0.8)
        place = rng.integers(moves.shape[1], size=n)
        seen = flux < limit[place]
        pull += moves[:, place[seen]] @ flux[seen]
    low, high = np.percentile(pulls, [15.87, 84.13], axis=0)
    errors = np.sqrt(np.diagonal(covariance + added))
    assert (errors > 1.1 * np.sqrt(np.diagonal(covariance)))[:3].all()
    np.testing.assert_allclose(errors / ((high - low) / 2), 1, atol=0.12)
