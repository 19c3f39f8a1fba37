"""What a fit says of the sky: its dependence on the galaxy, and whether it is flat."""

import numpy as np
import pytest
import torch
from helpers.small import SIZE, noisy, small_galaxies

from sersicnet.inference.levenberg_marquardt import levenberg_marquardt
from sersicnet.inference.skies import central_sky


@pytest.mark.parametrize("sky_err", [0.0, 0.03, np.inf])
def test_what_the_sky_does_to_a_fit(sky_err):
    """As two fits differ, with and without a sky; a sky of which nothing is known does nothing."""
    truth = small_galaxies(8, log_flux=3.5, n=1.5)
    likelihood = noisy(truth)
    likelihood.sky_err = torch.full((8,), sky_err, dtype=torch.float64)
    fit = levenberg_marquardt(likelihood, truth, prior=False)
    likelihood.data = likelihood.data + 0.02
    moved = levenberg_marquardt(likelihood, truth, prior=False)["mean"] - fit["mean"]
    width = torch.diagonal(fit["covariance"], dim1=1, dim2=2).sqrt()
    difference = (moved - 0.02 * fit["sky_shift"]) / width
    assert difference.abs().max() < 0.06
    if sky_err < 1:
        assert (0.02 * fit["sky_shift"] / width).abs().max() > 0.15


def curved(n, **terms):
    """Skies that are sums of terms of 1, x, y and r2 (of x and y up to 1), (n, SIZE, SIZE)."""
    axis = torch.linspace(-1, 1, SIZE)
    x = axis.expand(SIZE, -1)
    shapes = {"one": torch.ones_like(x), "x": x, "y": x.T, "r2": x**2 + x.T**2}
    return sum(value * shapes[name] for name, value in terms.items()).expand(n, -1, -1)


def central(sky):
    """The sky at the galaxy and its error, of bright galaxies that are known."""
    truth = small_galaxies(40, log_flux=3.0, log_r_eff=0.3, n=1.0)
    likelihood = noisy(truth, sky=sky)
    model = likelihood.model(truth)
    return central_sky(likelihood, model * likelihood.weight, likelihood.data - model)


def test_the_sky_at_a_galaxy_follows_from_a_curved_one():
    found, err = central(curved(40, one=-0.6, x=0.3, y=-0.2, r2=0.9))
    pulls = (found + 0.6) / err
    assert abs(pulls.mean()) < 4 / np.sqrt(40)
    assert 0.6 < pulls.std() < 1.4
    assert err.max() < 0.1


def test_a_cutout_without_empty_pixels_shows_no_sky():
    truth = small_galaxies(2, log_flux=6.0, log_r_eff=1.3, n=4.0)
    likelihood = noisy(truth)
    found, err = central_sky(likelihood, likelihood.model(truth), torch.zeros_like(likelihood.data))
    assert torch.isinf(err).all()
    assert (found == 0).all()
