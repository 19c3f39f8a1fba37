"""Core-Sersic profiles."""

import pytest
import torch
from helpers.profiles import PLACE, SIDE, check_derivatives, check_image, drawn, transform

from benchmarks.profiles import labels_of
from sersicnet.model.profile import sersic_b, sersic_images


@pytest.mark.parametrize(
    "shapes", [(4.0, -1.5, 0.1, 5.0), (2.0, -0.5, 0.3, 2.0), (3.0, -0.7, 0.9, 50.0)]
)
def test_image(shapes):
    check_image("core_sersic", shapes)


def test_derivatives():
    check_derivatives("core_sersic", (2.0, -0.5, 0.3, 2.0))


def test_without_a_core_it_is_a_sersic_profile():
    # the slope of a Sersic profile at a small break radius is that of the core
    n, log_core = 2.0, -2.5
    b = float(sersic_b(torch.tensor(n)))
    gamma = b / n * 10 ** (log_core / n)
    found = drawn("core_sersic", (n, log_core, gamma, 100.0))[0]
    labels = labels_of((n,), 0.0, *PLACE)
    expected = sersic_images(labels, transform(), stamp_size=SIDE)[0]
    assert (found - expected).abs().sum() < 2e-3
