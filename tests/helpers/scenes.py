"""Makers of scenes with chosen contaminants only."""

from dataclasses import replace

import torch

from sersicnet.training.contaminants import Contaminants
from sersicnet.training.scenes import SceneMaker

# Galaxies of a maker.
N = 128


def make_scenes(seed=3, *, n_galaxies=N, **shares):
    """A maker whose scenes have these contaminants only, after its galaxies are rendered."""
    contaminants = replace(Contaminants.none(), **shares)
    maker = SceneMaker(seed, contaminants=contaminants, n_galaxies=n_galaxies)
    maker.render()
    return maker


def blank_scenes(n, **shares):
    """Scenes of galaxies of no light."""
    maker = make_scenes(n_galaxies=64, **shares)
    maker.galaxies.zero_()
    return maker.observe(torch.arange(n) % 64)
