"""Shares of scenes that are spoiled."""

import pytest
from helpers.scenes import blank_scenes
from numpy.testing import assert_allclose

from sersicnet.training.contaminants import Contaminants


def test_every_contaminant_can_be_switched_off():
    assert set(vars(Contaminants.none()).values()) == {0.0}
    assert min(vars(Contaminants.extended()).values()) > 0
    assert max(vars(Contaminants.extended()).values()) < 1


def test_what_the_shipped_weights_have_not_seen_is_off_by_default():
    """So a training or an adaptation goes on as it began."""
    off = {name for name, share in vars(Contaminants()).items() if share == 0}
    assert off == {
        "extreme_psf",
        "small_cutouts",
        "masked_middle",
        "drizzled_noise",
        "counts",
        "sky_prior",
        "structure",
    }
    for name, share in vars(Contaminants.extended()).items():
        assert name in off or share == getattr(Contaminants(), name)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_share_of_scenes(share):
    corner = blank_scenes(256, padding=share).weight[:, 0, 0]
    assert_allclose((corner == 0).float().mean(), share, atol=0.1)
