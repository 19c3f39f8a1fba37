"""Isophotes by photutils."""

import numpy as np
from numpy.testing import assert_allclose

from sersicnet.preprocessing.isophotes import fit_isophotes

Y, X = np.mgrid[:31, :31] - 15
ELLIPSE = ((15.0, 15.0), 0.7, 0.4)


def test_masked_pixels_do_not_count():
    angle = 0.4
    along = X * np.cos(angle) + Y * np.sin(angle)
    across = Y * np.cos(angle) - X * np.sin(angle)
    image = 100 * np.exp(-np.hypot(along, across / 0.7) / 4)
    image[18:20, 22:24] = np.nan
    radius, mean, error = fit_isophotes(image, ELLIPSE, 5.0)
    some = (radius > 3) & (radius < 10)
    assert some.sum() > 3
    assert_allclose(mean[some], 100 * np.exp(-radius[some] / 4), rtol=0.05)
    assert (error >= 0).all()


def test_noise_has_no_isophotes():
    noise = np.random.default_rng(1).normal(size=(31, 31))
    assert fit_isophotes(noise, ELLIPSE, 5.0) is None


def test_nothing_but_bad_pixels():
    assert fit_isophotes(np.full((31, 31), np.nan), ELLIPSE, 5.0) is None
