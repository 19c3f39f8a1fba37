"""Weights without an uncertainty become inverse variances by the scatter of the image."""

import logging

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, InverseVariance

from sersicnet.io.cutouts import read_cutout
from sersicnet.io.relative_weights import scale_weights
from sersicnet.measure.field import open_field

SHAPE = (90, 80)


def write(path, weights, data, *names):
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI")]
    hdus += [fits.ImageHDU(weights, name=name) for name in names]
    fits.HDUList(hdus).writeto(path)


@pytest.mark.parametrize("name", ["WHT", "WEIGHT"])
@pytest.mark.parametrize("noise", [1e-9, 1.0, 300.0])
def test_weights_are_scaled_to_the_border(path, name, noise, caplog):
    rng = np.random.default_rng(100)
    weights = np.full(SHAPE, 1200.0)
    weights[:, :40] = 300
    weights[:3] = 0
    data = noise * rng.normal(size=SHAPE) * np.sqrt(1200 / np.maximum(weights, 1))
    data[30:60, 30:60] += 1000 * noise
    write(path, weights, data, name)
    with caplog.at_level(logging.INFO, "sersicnet"):
        cutout = read_cutout(path)
    assert isinstance(cutout.uncertainty, InverseVariance)
    factor = noise**-2 / 1200
    np.testing.assert_allclose(cutout.uncertainty.array, weights * factor, rtol=0.4)
    assert cutout.meta["WHTSCALE"] == pytest.approx(factor, rel=0.4)
    assert "relative weights" in caplog.text


def test_an_uncertainty_is_better_than_weights(path):
    write(path, np.ones(SHAPE), np.ones(SHAPE), "WHT", "ERR")
    assert "WHTSCALE" not in read_cutout(path).meta


def test_weights_of_an_image_without_noise_are_not_used(caplog):
    cutout = CCDData(np.ones(SHAPE), unit="nJy", uncertainty=InverseVariance(np.ones(SHAPE)))
    scale_weights(cutout, "cutout")
    assert cutout.uncertainty is None
    assert "cutout: no noise to scale its weights to" in caplog.text


def test_masked_pixels_do_not_count():
    data = np.random.default_rng(1).normal(size=SHAPE)
    mask = np.zeros(SHAPE, bool)
    mask[:, -5:] = True
    data[mask] = 1e6
    weights = InverseVariance(np.full(SHAPE, 4.0))
    cutout = CCDData(data, unit="nJy", uncertainty=weights, mask=mask)
    scale_weights(cutout, "cutout")
    np.testing.assert_allclose(cutout.uncertainty.array, 1, rtol=0.3)


@pytest.mark.parametrize(
    ("name", "planes"), [("WHT", ()), ("CON", ()), ("CON", (3,)), ("CTX", (3,))]
)
def test_where_nothing_was_observed_is_masked(path, name, planes):
    """Zeros of WHT, and of all planes of the numbers of images, beside an uncertainty."""
    coverage = np.zeros((*planes, *SHAPE), np.int32)
    coverage[..., 5:, :] = 1
    coverage[..., 50, 60] = 0
    if planes:
        coverage[1:, 7] = 0  # one plane is enough
    data = np.random.default_rng(1).normal(size=SHAPE)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI")]
    hdus += [fits.ImageHDU(np.ones(SHAPE), name="ERR"), fits.ImageHDU(coverage, name=name)]
    fits.HDUList(hdus).writeto(path)
    expected = np.zeros(SHAPE, bool)
    expected[:5] = expected[50, 60] = True
    np.testing.assert_array_equal(read_cutout(path).mask, expected)
    with open_field(path) as field:
        np.testing.assert_array_equal(field.mask[3:60, 10:70], expected[3:60, 10:70])
