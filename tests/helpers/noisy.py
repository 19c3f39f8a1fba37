"""Cutouts of random numbers, sources in noise, and strategies for their shapes."""

import numpy as np
from astropy.modeling.models import Sersic2D
from astropy.nddata import CCDData, InverseVariance, StdDevUncertainty, VarianceUncertainty
from hypothesis import settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from helpers import sky

SCALE, ZEROPOINT = 0.06, 25.9
KNOWN = {"pixel_scale": SCALE, "zeropoint": ZEROPOINT}
KINDS = {StdDevUncertainty: 1, VarianceUncertainty: 2, InverseVariance: -2}
lengths = st.integers(1, 20)
shapes = st.tuples(lengths, lengths)
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=40)


def make_wcs(*, scale=SCALE, angle=0.4):
    return sky.make_wcs(scale=scale, angle=angle, crval=(150.0, 2.2), crpix=(7.25, 5.5))


def random_cutout(*, shape=(12, 13), seed=0, bad=True, cls=CCDData, **changes):
    rng = np.random.default_rng(seed)
    data = rng.normal(3, 2, shape)
    if bad:
        data[rng.random(shape) < 0.1] = np.nan
    arguments = {
        "unit": "adu",
        "uncertainty": StdDevUncertainty(rng.uniform(0.5, 2, shape)),
        "mask": rng.random(shape) < 0.1 if bad else None,
        "meta": {"MAGZP": ZEROPOINT, "PIXSCALE": SCALE},
        "psf": np.ones((3, 3)) / 9,
    }
    return cls(data, **(arguments | changes))


def make_image(*sources, shape=(80, 80), seed=1):
    """Sources (x_0, y_0, flux, r_eff, n, q, theta) in noise of standard deviation 1."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.random.default_rng(seed).normal(size=shape)
    for x_0, y_0, flux, r_eff, n, q, theta in sources:
        model = Sersic2D(1, r_eff, n, x_0, y_0, 1 - q, np.radians(theta))(x, y)
        image += flux * model / model.sum()
    return image


def assert_same_stamps(first, second, *, rtol=0):
    for name in ("data", "weight", "flags", "shapes"):
        assert_allclose(getattr(first, name), getattr(second, name), rtol=rtol, err_msg=name)
    for name in first.frame.__dataclass_fields__:
        values = getattr(first.frame, name), getattr(second.frame, name)
        assert_allclose(*values, rtol=rtol, err_msg=name)


GALAXY = (41.3, 36.8, 2000, 4, 1.5, 0.5, 30)
NEIGHBOR = (66, 60, 9000, 3, 1, 0.8, 0)
