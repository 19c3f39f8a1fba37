"""Shares of scenes that are spoiled."""

import pytest
from helpers.scenes import blank_scenes
from numpy.testing import assert_allclose

from sersicnet.training.contaminants import Contaminants


def test_every_contaminant_can_be_switched_off():
    assert set(vars(Contaminants.none()).values()) == {0.0}
    assert 0 < min(vars(Contaminants()).values()) <= max(vars(Contaminants()).values()) < 1


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_share_of_scenes(share):
    corner = blank_scenes(256, padding=share).weight[:, 0, 0]
    assert_allclose((corner == 0).float().mean(), share, atol=0.1)
