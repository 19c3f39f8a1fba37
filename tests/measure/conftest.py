"""A survey image and what is measured in it; not to be changed by a test."""

import pytest
from helpers.fields import (
    make_field,
    render,
    truth_table,
)

from sersicnet import SersicNet
from sersicnet.measure.image import measure_image


@pytest.fixture(scope="session")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="session")
def truth():
    return truth_table()


@pytest.fixture(scope="session")
def field(truth):
    return make_field(render(truth))


@pytest.fixture(scope="session")
def table(field, net):
    """What is measured in one piece."""
    return measure_image(field, net=net)
