"""Means in elliptical annuli."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sersicnet.preprocessing.annuli import Annuli

ELLIPSE = (30.0, 31.0), 0.6, 0.5


def radius(shape=(61, 64)):
    y, x = np.indices(shape) - np.array(ELLIPSE[0])[::-1, None, None]
    along = x * np.cos(0.5) + y * np.sin(0.5)
    across = y * np.cos(0.5) - x * np.sin(0.5)
    return np.hypot(along, across / 0.6)


def test_means_along_the_major_axis():
    good = np.ones((61, 64), dtype=bool)
    annuli = Annuli(ELLIPSE, good)
    assert_allclose(annuli.mean(radius())[3:], annuli.radius[3:], rtol=0.02)
    assert_allclose([weight.sum() for weight in annuli.weights], 1)
    snr = np.random.default_rng(1).normal(size=good.shape)
    expected = [np.sqrt((weight**2).sum()) for weight in annuli.weights]
    assert_allclose(annuli.error(np.ones(good.shape), snr), expected, rtol=0.3)


def test_annuli_without_pixels():
    with pytest.raises(ValueError, match="no annulus around the galaxy has half of its pixels"):
        Annuli(ELLIPSE, np.zeros((61, 64), dtype=bool))
    inner = Annuli(ELLIPSE, radius() > 5)
    assert inner.radius.min() > 4
