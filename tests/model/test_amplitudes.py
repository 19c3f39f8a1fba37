"""Tests of fluxes as factors of models."""

import numpy as np
import pytest
import torch

from sersicnet.model.amplitudes import fit_amplitudes

N = 2000
SIDE = 16


@pytest.fixture(scope="module")
def model():
    axis = torch.arange(SIDE) - (SIDE - 1) / 2
    image = torch.exp(-(axis**2 + axis[:, None] ** 2) / 8)
    return (3 * image).expand(N, -1, -1)


@pytest.fixture(scope="module")
def noise():
    return torch.randn(N, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def prior(width):
    return torch.full((N,), width)


@pytest.mark.parametrize("factor", [-0.5, 0.0, 1.0])
@pytest.mark.parametrize(("sky", "width"), [(0.0, 0.0), (0.0, 0.1), (0.3, np.inf)])
def test_factors_have_the_quoted_errors(factor, sky, width, model, noise):
    weight = torch.full_like(noise, 0.8)
    weight[:, 3:6, 3:6] = 0
    level = torch.full((N, 1, 1), sky)
    if 0 < width < np.inf:
        level = level + width * torch.randn(N, 1, 1, generator=torch.Generator().manual_seed(2))
    image = factor * model + level + noise / 0.8
    signal = model * weight
    found, error = fit_amplitudes(signal, (image - model) * weight, weight, prior(width))
    pull = (found - factor) / error
    assert abs(pull.mean()) < 4 / np.sqrt(N)
    assert pull.std() == pytest.approx(1, abs=0.06)


def test_a_sky_that_is_not_known_costs(model, noise):
    errors = []
    for width in (0.0, 0.1, np.inf):
        options = model, noise, torch.ones_like(noise), prior(width)
        errors.append(fit_amplitudes(*options)[1][0])
    assert errors == sorted(set(errors))


def test_bright_models_have_none(model, noise):
    found = fit_amplitudes(100 * model, noise, torch.ones_like(noise), prior(0.0))
    assert np.isnan(found).all()


def test_nothing_is_known_of_a_model_that_no_pixel_shows(model, noise):
    found, error = fit_amplitudes(0 * model, noise, torch.ones_like(noise), prior(0.0))
    assert (found == 0).all()
    assert np.isinf(error).all()
