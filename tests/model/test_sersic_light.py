"""The light of Sersic profiles is that of astropy's."""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from numpy.testing import assert_allclose
from scipy.special import gammaincinv

from sersicnet.model.sersic_light import HALF_LIGHT, sersic_area


def test_half_light_radius_of_a_disk():
    assert_allclose(HALF_LIGHT, gammaincinv(2, 0.5))


@pytest.mark.parametrize("n", [0.5, 1.0, 2.0])
def test_total_light(n):
    y, x = np.mgrid[-80:80, -80:80] + 0.5
    image = Sersic2D(amplitude=3, r_eff=6, n=n, ellip=0.3)(x, y)
    assert_allclose(3 * sersic_area(6, n, 0.7), image.sum(), rtol=0.01)
