"""FITS files like those of surveys, cutouts, and the comparison of two."""

from functools import partial

import numpy as np
from astropy.io import fits
from astropy.nddata import (
    CCDData,
    InverseVariance,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)

from helpers import sky

SHAPE = (6, 9)
KINDS = (StdDevUncertainty, VarianceUncertainty, InverseVariance, UnknownUncertainty)


make_wcs = partial(
    sky.make_wcs,
    scale=0.06,
    angle=-30.0,
    crval=(150.123456789012345, 2.3456789012345678),
    crpix=(4.123456789012345, 3.3),
)


def make_cutout(*, shape=SHAPE, seed=0, kind=StdDevUncertainty, unit="adu", **kwargs):
    rng = np.random.default_rng(seed)
    data = rng.normal(size=shape)
    data[0, 0] = np.nan
    arguments = {
        "uncertainty": kind(rng.uniform(1, 2, shape)),
        "mask": rng.random(shape) < 0.3,
        "psf": rng.random((5, 5)),
        "wcs": make_wcs(),
        "meta": {"MAGZP": 25.946, "PIXSCALE": 0.06, "OBJECT": "galaxy", "SEED": seed},
    }
    return CCDData(data, unit=unit, **{**arguments, **kwargs})


def assert_same(first, second, *, atol=0):
    for one, other in ((first.data, second.data), (first.psf, second.psf)):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype.newbyteorder("=") == other.dtype
            np.testing.assert_array_equal(one, other)
    assert first.unit == second.unit
    assert (first.mask is None) == (second.mask is None)
    if first.mask is not None:
        assert second.mask.dtype == bool
        np.testing.assert_array_equal(first.mask, second.mask)
    assert type(first.uncertainty) is type(second.uncertainty)
    if first.uncertainty is not None:
        np.testing.assert_array_equal(first.uncertainty.array, second.uncertainty.array)
        assert first.uncertainty.unit == second.uncertainty.unit
    assert {key.upper(): value for key, value in first.meta.items()} == dict(second.meta)
    assert_same_wcs(first.wcs, second.wcs, atol=atol)


def assert_same_wcs(first, second, *, atol=0):
    assert (first is None) == (second is None)
    if first is not None:
        x, y = np.array([0.0, 3.0, 100.0]), np.array([0.0, 70.0, 100.0])
        for one, other in zip(
            first.pixel_to_world_values(x, y), second.pixel_to_world_values(x, y), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=0, atol=atol)


def write_extensions(path, extensions, **primary):
    """A file like those of surveys: extensions are name -> data or (data, cards)."""
    hdus = [fits.PrimaryHDU(header=fits.Header(primary))]
    for name, content in extensions.items():
        data, cards = content if isinstance(content, tuple) else (content, {})
        hdus.append(fits.ImageHDU(data, fits.Header(cards), name=name))
    fits.HDUList(hdus).writeto(path)
    return path
