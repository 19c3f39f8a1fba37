"""What profiles have in common whose transform is a formula."""

import torch
from helpers.profiles import SIDE, drawn, transform

from benchmarks.profiles import labels_of
from sersicnet.model.profiles import gaussian


def test_flux():
    assert abs(float(drawn("gaussian", ()).sum()) - 1) < 1e-6


def test_copies_do_not_shine_into_the_stamp():
    labels = labels_of((), 0.0, 30.0, 0.9, 0.3, (0, 0))
    image = gaussian.images(labels, transform(), stamp_size=SIDE)[0]
    middle = image[SIDE // 2, SIDE // 2]
    # the corner, where the nearest copies are brightest, is as a Gaussian has it
    x = torch.tensor((SIDE - 1) / 2)
    width2 = 30.0**2 / (2 * torch.log(torch.tensor(2.0))) + 1.5**2
    corner = torch.exp(-0.5 * 2 * x**2 / width2)
    assert abs(float(image[0, 0] / middle) - float(corner)) < 0.08


def test_gain_of_a_filter_multiplies_what_is_subtracted():
    labels = labels_of((), 0.0, 30.0, 0.9, 0.3, (0, 0))
    plain, twice = (
        gaussian.images(labels, transform(), stamp_size=SIDE, gain=torch.tensor([gain]).double())
        for gain in (1.0, 2.0)
    )
    assert (plain - twice).min() >= 0
    assert (plain - twice).max() > 0
