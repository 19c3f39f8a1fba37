"""Edge-on disks."""

import pytest
from helpers.profiles import check_derivatives, check_image


@pytest.mark.parametrize("shapes", [(2.0,), (1.0,), (0.15,)])
def test_image(shapes):
    check_image("edge_on", shapes)


def test_derivatives():
    check_derivatives("edge_on", (1.0,))
