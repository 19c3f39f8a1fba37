"""Fitted `Sersic2D` models from posteriors: grids, bounds and covariances."""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference.sersic2d import Grid, fit_on_grid

Y, X = np.mgrid[:128, :128]


@pytest.fixture(scope="module")
def results(net, cutouts):
    """Results of one galaxy."""
    return net.predict(cutouts[:1])


@pytest.mark.parametrize(("x", "y", "step"), [(0, 0, 1), (1000, -31, 0.06)])
def test_medians_are_in_coordinates_of_the_grid(x, y, step, results):
    grid = Grid(x + step * X, y + step * Y, X.shape)
    fitted, info = fit_on_grid(Sersic2D(), results, grid)
    expected = results.to_model(0)
    assert_allclose(fitted.x_0, x + step * expected.x_0, rtol=1e-9)
    assert_allclose(fitted.y_0, y + step * expected.y_0, rtol=1e-9)
    assert_allclose(fitted.r_eff, step * expected.r_eff, rtol=1e-9)
    for name in ("amplitude", "n", "ellip", "theta"):
        assert_allclose(getattr(fitted, name), getattr(expected, name), rtol=1e-9)
    assert info["share"] == 1
    assert_array_equal(fitted.cov_matrix.cov_matrix, info["param_cov"])
    assert (np.linalg.eigvalsh(info["param_cov"]) > 0).all()


def test_bounds_cut_the_posterior(results):
    """Half of it is above the median."""
    grid = Grid(X, Y, X.shape)
    free, _ = fit_on_grid(Sersic2D(), results, grid)
    bounded, info = fit_on_grid(Sersic2D(bounds={"n": (free.n.value, None)}), results, grid)
    assert_allclose(info["share"], 0.5, atol=0.1)
    assert bounded.n > free.n
    assert bounded.stds["n"] < free.stds["n"]


@pytest.mark.parametrize("lower", [-np.inf, -4.0, 0.0, 7.0])
def test_angles_are_moved_by_half_turns(lower):
    model = Sersic2D(theta=0.5)
    theta = Grid(X, Y, X.shape).parameters(model, {"theta": (lower, np.inf)})["theta"]
    assert_allclose(np.cos(2 * theta), np.cos(1.0))
    assert_allclose(np.sin(2 * theta), np.sin(1.0))
    assert theta >= lower


@pytest.mark.parametrize(("x", "y"), [(X**1.01, Y), (X, 2 * Y), (-X, Y), (0 * X, 0 * Y)])
def test_coordinates_that_are_no_grid(x, y):
    with pytest.raises(ValueError, match="x and y must be a regular grid of square pixels"):
        Grid(x, y, X.shape)
