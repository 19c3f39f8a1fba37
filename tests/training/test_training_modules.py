"""The Lightning module of the universal network: gradients and learning rates."""

import numpy as np
import pytest
import torch
from helpers.tiny_training import make_module
from helpers.weights import assert_same_weights
from numpy.testing import assert_allclose

from sersicnet.training.streams import SceneStream


def one_step(module, optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    module.configure_gradient_clipping(optimizer, gradient_clip_val=5.0)
    optimizer.step()


@pytest.fixture
def module_batch_optimizer():
    module = make_module()
    (batch,) = SceneStream((1,), batch_size=32, n_batches=1, n_galaxies=64)
    optimizer = torch.optim.AdamW(module.network.parameters(), lr=1e-3, weight_decay=0.1)
    one_step(module, optimizer, module._loss(batch).mean())  # gives the optimizer momentum
    return module, batch, optimizer


@pytest.mark.parametrize("factor", [torch.nan, torch.inf])
def test_a_step_without_finite_gradients_changes_nothing(module_batch_optimizer, factor):
    module, batch, optimizer = module_batch_optimizer
    before = {name: tensor.clone() for name, tensor in module.network.state_dict().items()}
    one_step(module, optimizer, factor * module._loss(batch).mean())
    assert_same_weights(module.network.state_dict(), before)
    one_step(module, optimizer, module._loss(batch).mean())
    changed = module.network.state_dict()
    assert all(tensor.isfinite().all() for tensor in changed.values())
    assert any((changed[name] != tensor).any() for name, tensor in before.items())


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_gradients_are_clipped(module_batch_optimizer, scale):
    module, batch, optimizer = module_batch_optimizer
    optimizer.zero_grad()
    (scale * module._loss(batch).mean()).backward()
    gradients = [parameter.grad.clone() for parameter in module.network.parameters()]
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    module.configure_gradient_clipping(optimizer, gradient_clip_val=5.0)
    factor = min(1, 5 / float(norm))
    for parameter, gradient in zip(module.network.parameters(), gradients, strict=True):
        assert_allclose(parameter.grad, factor * gradient, rtol=1e-4, atol=1e-9)


def test_learning_rate_rises_and_falls():
    module = make_module(n_batches=50)
    module.trainer = type("Trainer", (), {"max_epochs": 2})()
    options = module.configure_optimizers()
    optimizer, schedule = options["optimizer"], options["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(101):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert options["lr_scheduler"]["interval"] == "step"
    assert np.argmax(rates) == 5
    assert_allclose(max(rates), 1e-3, rtol=0.02)
    assert_allclose(rates[50], 5e-4, rtol=0.01)
    assert rates[100] < 1e-9
