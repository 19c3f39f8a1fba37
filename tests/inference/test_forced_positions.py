"""Tests of positions that are fitted with the fluxes of sources of known shapes."""

import numpy as np
import pytest
from helpers.forced_scenes import ASSUMED, SIDE, SKY_ERR, batch_of, images_of, scene_of
from scipy.optimize import least_squares

from sersicnet.inference.forced_fluxes import fit_fluxes
from sersicnet.model.labels import CENTER


@pytest.fixture(scope="module")
def scene():
    return scene_of((0.3, -0.2), (5.0, 3.0), (-20.0, 14.0))


@pytest.fixture(scope="module")
def data(scene):
    fluxes = np.array([-40.0, 700.0, 90.0])
    images = np.tensordot(fluxes, images_of(scene), 1)
    return images + np.random.default_rng(1).normal(size=images.shape)


def test_free_positions_are_those_of_least_squares(scene, data):
    """Fluxes and positions of three sources, one of them negative, as SciPy finds them."""
    width = 0.4
    start = scene.copy()
    start[:, CENTER] += [[0.3, -0.2], [-0.1, 0.2], [0.2, 0.1]]
    places = start[:, CENTER].copy()

    def residuals(values):
        moved = start.copy()
        moved[:, CENTER] = values[3:9].reshape(3, 2)
        model = np.tensordot(values[:3], images_of(moved), 1) + values[9]
        away = (moved[:, CENTER] - places).ravel() / width
        return np.concatenate([(data - model).ravel(), away, values[9:] / SKY_ERR])

    first = np.concatenate([[-40.0, 700.0, 90.0], places.ravel(), [0.0]])
    fit = least_squares(residuals, first, x_scale=np.maximum(np.abs(first), 0.1), diff_step=1e-4)
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)
    widths = [np.full((3, 2), width)]
    for own in range(3):
        order = [own, *(number for number in range(3) if number != own)]
        given = {"assumptions": ASSUMED, "widths": widths}
        found, _ = fit_fluxes(batch_of(data[None]), [start[order]], **given)
        error = covariance[own, own] ** 0.5
        assert found.flux[0] == pytest.approx(fit.x[own], abs=0.05 * error)
        assert found.flux_err[0] == pytest.approx(error, rel=0.02)
        place = slice(3 + 2 * own, 5 + 2 * own)
        expected = fit.x[place] - places[own]
        np.testing.assert_allclose(found.shift[0], expected, atol=0.02)
        of_place = np.diagonal(covariance)[place] ** 0.5
        np.testing.assert_allclose(found.shift_err[0], of_place, rtol=0.05)
        assert (found.shape_slopes[0, CENTER] == 0).all()


def test_a_source_that_is_not_there_stays_where_the_prior_has_it(scene):
    """Its flux is that of a known position, and its position has the error of the prior."""
    batch = batch_of(np.zeros((1, SIDE, SIDE)))
    widths = [np.full((1, 2), 0.3)]
    found, _ = fit_fluxes(batch, [scene[:1]], assumptions=ASSUMED, widths=widths)
    known, _ = fit_fluxes(batch, [scene[:1]], assumptions=ASSUMED)
    assert found.flux[0] == pytest.approx(0, abs=1e-3 * found.flux_err[0])
    assert found.flux_err[0] == pytest.approx(known.flux_err[0], rel=1e-3)
    np.testing.assert_allclose(found.shift[0], 0, atol=1e-3)
    np.testing.assert_allclose(found.shift_err[0], 0.3, rtol=1e-3)


def test_a_source_without_pixels_has_no_error_of_its_position(scene, data):
    mask = np.zeros((2, SIDE, SIDE), dtype=bool)
    mask[1] = True
    batch = batch_of(np.stack([data] * 2), mask=mask)
    widths = [np.full((3, 2), 0.1)] * 2
    found, _ = fit_fluxes(batch, [scene] * 2, assumptions=ASSUMED, widths=widths)
    np.testing.assert_array_equal(np.isnan(found.flux), [False, True])
    np.testing.assert_array_equal(np.isnan(found.shift_err), [[False] * 2, [True] * 2])
