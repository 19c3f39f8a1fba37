"""Joint fits of several bands."""

from types import SimpleNamespace

import torch
from numpy.testing import assert_allclose

from sersicnet.inference.band_alike import _least_fluxes
from sersicnet.model.labels import N_LABELS
from sersicnet.model.prior import log_snr


def test_least_fluxes_have_a_signal_to_noise_of_one():
    labels = torch.tensor([[3.0, 0.5, 1.0, 0.1, 0.0, 0.0, 0.0] * 2]).double()
    untied = SimpleNamespace(layout=SimpleNamespace(tied=()))
    least = _least_fluxes(labels, untied)
    lowered = labels.unflatten(1, (2, N_LABELS)).clone()
    lowered[..., 0] = least
    assert_allclose(10 ** log_snr(lowered), 1.0)
