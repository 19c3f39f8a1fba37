"""Colors and names, and the stretch of images."""

import numpy as np
import pytest
from astropy.nddata import CCDData, InverseVariance
from helpers.drawn import make_cutout

pytest.importorskip("matplotlib")

from sersicnet.plotting import (
    plot_mosaic,
)


def test_stretch_shows_noise_and_galaxy():
    (ax,) = plot_mosaic([make_cutout(shape=(60, 60))])
    norm = ax.images[0].norm
    assert norm.vmin == pytest.approx(-2, abs=0.5)
    assert norm.vmax > 20
    assert norm(2.0) - norm(0.0) > 5 * (norm(22.0) - norm(20.0))


def test_stretch_does_not_depend_on_unit_or_sky():
    cutout = make_cutout()
    other = CCDData(cutout.data * 1e-20 + 3e-18, unit="adu")
    other.uncertainty = InverseVariance(np.full(cutout.shape, 1e40))
    first, second = plot_mosaic([cutout, other])
    pixels = np.array([0.0, 1.0, 30.0])
    np.testing.assert_allclose(
        first.images[0].norm(pixels), second.images[0].norm(pixels * 1e-20 + 3e-18), atol=1e-6
    )
