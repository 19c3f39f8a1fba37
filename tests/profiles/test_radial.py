"""What profiles with elliptical isophotes have in common."""

import numpy as np
import torch
from helpers.profiles import SIDE, check_image, drawn, transform
from numpy.testing import assert_allclose

from benchmarks.profiles import labels_of
from sersicnet.model.profile import psf_transform
from sersicnet.model.profiles import moffat


def test_faint_wings_leave_the_stamp_and_do_not_come_back():
    # half of the light is within 12 pixels, and 5 % are beyond the stamp
    check_image("moffat", (1.6,), place=(12.0, 0.8, 0.3, (0.0, 0.0)), tolerance=1e-3)


def test_each_galaxy_has_its_own_shape():
    labels = torch.cat([labels_of((beta,), 0.0, 4.0, 0.6, 0.5, (0, 0)) for beta in (2.0, 5.0)])
    both = moffat.images(labels, transform(), stamp_size=SIDE)
    for number, beta in enumerate((2.0, 5.0)):
        assert_allclose(
            both[number], drawn("moffat", (beta,), (4.0, 0.6, 0.5, (0, 0)))[0], atol=1e-12
        )


def test_oversampled_psf():
    fine = np.exp(
        -0.5 * (np.linspace(-10, 10, 61)[:, None] ** 2 + np.linspace(-10, 10, 61) ** 2) / 1.5**2
    )

    stamp = torch.from_numpy(fine / fine.sum())
    labels = labels_of((2.5,), 0.0, 4.0, 0.6, 0.5, (0.3, -0.2))
    options = {"stamp_size": SIDE, "oversampling": 3}
    found = moffat.images(labels, psf_transform(stamp, SIDE, oversampling=3), **options)
    assert (found - drawn("moffat", (2.5,))).abs().sum() < 1e-4


def test_brightness_is_that_of_unit_flux():
    beta = torch.tensor([[2.5]], dtype=torch.float64)
    radius = torch.linspace(0, 60, 60_001, dtype=torch.float64)
    light = moffat.PROFILE.brightness(radius[None] ** 2, beta)[0]
    inside = torch.trapezoid(2 * torch.pi * radius * light, radius)
    assert_allclose(inside, 1, atol=2e-3)
    within = radius < 1
    half = torch.trapezoid((2 * torch.pi * radius * light)[within], radius[within])
    assert_allclose(half, 0.5, atol=1e-3)


def test_gain_of_a_filter_multiplies_what_is_subtracted():
    labels = labels_of((1.6,), 0.0, 12.0, 0.8, 0.3, (0, 0))
    plain, twice = (
        moffat.images(labels, transform(), stamp_size=SIDE, gain=torch.tensor([gain]).double())
        for gain in (1.0, 2.0)
    )
    assert (plain - twice).min() > 0
