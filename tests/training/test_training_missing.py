"""Small cutouts, and masks over the middle."""

import torch
from helpers.scenes import N, blank_scenes, make_scenes

from sersicnet.model.labels import LOG_R_EFF
from sersicnet.training.missing import masked_middles


def test_small_cutouts():
    """Of 16 to 40 pixels, unless the half-light diameter is larger; not square."""
    maker = make_scenes(small_cutouts=1.0)
    scenes = maker.observe(torch.arange(N))
    height = (scenes.weight > 0).any(dim=2).sum(dim=1)
    width = (scenes.weight > 0).any(dim=1).sum(dim=1)
    diameter = 2 * 10 ** scenes.labels[:, LOG_R_EFF]
    largest = torch.maximum(torch.full_like(diameter, 40.0), diameter + 2)
    for side in (height, width):
        assert (side >= 16).all()
        assert (side + 1 >= diameter).all()
        assert (side <= largest).all()
    assert (height != width).float().mean() > 0.5


def test_masks_are_near_the_middle():
    scenes = blank_scenes(64, masked_middle=1.0)
    masked = scenes.weight == 0
    assert masked.any(dim=(1, 2)).all()
    assert masked[:, 56:72, 56:72].any(dim=(1, 2)).all()
    assert not masked[:, :40].any()
    assert masked.sum(dim=(1, 2)).max() <= 200


def test_disks_and_bars():
    draws = torch.full((5, 2), 0.5)
    draws[0] = 0  # in the middle
    draws[3] = torch.tensor([0.0, 1.0])
    bar, disk = masked_middles(draws, 32)
    assert int(disk.any(dim=0).sum()) == int(disk.any(dim=1).sum()) == 4
    assert {int(bar.any(dim=0).sum()), int(bar.any(dim=1).sum())} == {4, 24}
