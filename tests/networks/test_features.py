"""What the network is given besides the images."""

import pytest
import torch
from helpers.stamps import SIZE, N, gaussian_psf, make_network, make_stamps
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.networks.features import recenter


@torch.no_grad()
def test_first_guess_of_the_flux():
    """Of a bright galaxy, right to a tenth: it is taken off the label."""
    network, (data, weight, _) = make_network(), make_stamps(snr=0.0)
    star = 1e5 * torch.nn.functional.pad(gaussian_psf(N, 3.0), (32, 33, 32, 33))
    guess = network.features._guess_flux((data + star) * (weight > 0), (weight > 0).float())
    assert_allclose(guess, 1e5 * 0.95, rtol=0.05)
    assert_allclose(network.features._guess_flux(-data.abs(), (weight > 0).float()), 3)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, -2), (-4, 4)])
def test_the_brightest_spot_is_moved_to_the_middle(dx, dy):
    planes = torch.zeros(2, 3, SIZE, SIZE)
    planes[:, :2, 62 + dy : 66 + dy, 62 + dx : 66 + dx] = 5
    planes[:, 0, 10, 10] = 100  # too far away to be meant
    moved, shift = recenter(planes)
    assert_array_equal(shift, [[dx, dy]] * 2)
    assert (moved[:, :2, 62:66, 62:66] == 5).all()
    assert moved[:, 0, 10 - dy, 10 - dx].min() == 100
