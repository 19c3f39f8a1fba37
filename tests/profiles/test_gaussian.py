"""Gaussian galaxies."""

import pytest
from helpers.profiles import check_derivatives, check_image


@pytest.mark.parametrize("shapes", [()])
def test_image(shapes):
    check_image("gaussian", shapes)


def test_derivatives():
    check_derivatives("gaussian", ())
