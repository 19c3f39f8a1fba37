"""Broken exponential disks."""

import pytest
from helpers.profiles import PLACE, SIDE, check_derivatives, check_image, drawn, transform

from benchmarks.profiles import labels_of
from sersicnet.model.profile import sersic_images


@pytest.mark.parametrize("shapes", [(2.5, -0.4, 10.0), (1.0, 0.5, 10.0), (4.0, -0.9, 50.0)])
def test_image(shapes):
    check_image("broken_exponential", shapes)


def test_derivatives():
    check_derivatives("broken_exponential", (1.0, 0.5, 10.0))


def test_without_a_break_it_is_an_exponential_disk():
    found = drawn("broken_exponential", (2.0, 0.0, 10.0))[0]
    labels = labels_of((1.0,), 0.0, *PLACE)
    expected = sersic_images(labels, transform(), stamp_size=SIDE)[0]
    assert (found - expected).abs().sum() < 3e-4
