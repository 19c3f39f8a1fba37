"""Six galaxies and what the universal network measures; not to be changed by a test."""

import pytest
from helpers import refined as helped
from helpers.predicted import TABLE
from helpers.rendered import add_noise, make_cutout, render, star

from sersicnet import SersicNet


@pytest.fixture(scope="session")
def net():
    """The universal weights; not to be changed by a test."""
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="session")
def images():
    """Six noisy galaxies; not to be changed by a test."""
    return add_noise(render(TABLE, star()))


@pytest.fixture(scope="session")
def cutouts(images):
    return [make_cutout(image) for image in images]


@pytest.fixture(scope="session")
def expected(net, cutouts):
    """Their results."""
    return net.predict(cutouts)


@pytest.fixture(scope="session")
def four():
    """Four galaxies that are refined."""
    return [make_cutout(image) for image in add_noise(render(helped.TABLE, star()))]


@pytest.fixture(scope="session")
def refined(net, four):
    """Their results for each kind of refinement; not to be changed by a test."""
    return {kind: net.predict(four, refine=refine) for kind, refine in helped.KINDS.items()}
