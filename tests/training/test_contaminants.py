"""Shares of scenes that are spoiled."""

from dataclasses import replace

import pytest
import torch
from numpy.testing import assert_allclose

from sersicnet.training.contaminants import Contaminants
from sersicnet.training.scenes import SceneMaker

SIZE, N = 128, 128


def make(seed=3, *, n_galaxies=N, **shares):
    """A maker whose scenes have these contaminants only, after its galaxies are rendered."""
    contaminants = replace(Contaminants.none(), **shares)
    maker = SceneMaker(seed, contaminants=contaminants, n_galaxies=n_galaxies)
    maker.render()
    return maker


def blank(n, **shares):
    """Scenes of galaxies of no light."""
    maker = make(n_galaxies=64, **shares)
    maker.galaxies.zero_()
    return maker.observe(torch.arange(n) % 64)


def test_every_contaminant_can_be_switched_off():
    assert set(vars(Contaminants.none()).values()) == {0.0}
    assert 0 < min(vars(Contaminants()).values()) <= max(vars(Contaminants()).values()) < 1


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_share_of_scenes(share):
    corner = blank(256, padding=share).weight[:, 0, 0]
    assert_allclose((corner == 0).float().mean(), share, atol=0.1)
