"""Catalogs that are doubtful as a whole."""

import warnings

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from helpers.measured import nearest, one_galaxy, value

from sersicnet.measure.image import measure_image

THERE = {"x_0": np.array([75.0]), "y_0": np.array([75.0])}


def test_boxes_of_the_sky_that_are_smaller_than_galaxies(net):
    """They take a tenth of the light, and more, with a warning; larger ones are right without."""
    field = one_galaxy(75.0, 75.0, r_eff=8.0, mask=None)
    with pytest.warns(
        AstropyUserWarning,
        match="background_box=20: .* of 1 source are up to [678] pixels",
    ) as caught:
        small = measure_image(field, net=net, background_box=20)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        large = measure_image(field, net=net, background_box=75)
    magnitudes = []
    for table in (small, large):
        (row,), _ = nearest(table, THERE)
        magnitudes.append(value(table["mag"])[row])
    assert magnitudes[0] > magnitudes[1] + 0.03
