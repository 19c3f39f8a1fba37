"""Images of several bands as they are opened."""

from contextlib import ExitStack

import numpy as np
import pytest
from helpers.fields import make_field, star

from sersicnet.measure.band_images import open_bands


def test_each_band_has_its_own_options(net):
    known = {"mask": None, "wcs": None, "psf": star()}
    images = {band: make_field(np.zeros((90, 90)), **known) for band in "gr"}
    options = {"zeropoint": {"g": 25.0, "r": 26.0}, "pixel_scale": 0.1, "background_box": 45}
    with ExitStack() as stack:
        bands = open_bands(stack, images, options, net=net, one_grid=True)
        assert bands["r"].measurement.zeropoint == 26.0
        assert bands["g"].measurement.options.refine == "lm"
        assert np.isfinite(bands["g"].sky.level_in((slice(0, 90), slice(0, 90)))).all()
    with ExitStack() as stack, pytest.raises(ValueError, match="band 'r': threshold=-1 must"):
        open_bands(stack, {"r": images["r"]}, {"threshold": -1}, net=net, one_grid=True)
