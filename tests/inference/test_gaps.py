"""BAD_PIXELS is about pixels with light of the galaxy, and fills are pixels without data."""

import numpy as np
import pytest
from astropy.nddata import InverseVariance, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from helpers.predicted import TABLE
from helpers.rendered import NOISE, make_cutout, render, star
from numpy.testing import assert_allclose

from sersicnet import Flags
from sersicnet.inference.gaps import MATTERS, hidden_light
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.batches import open_cutouts

LIGHT = render(TABLE, star())


def weights(*, zero):
    """Inverse variances, 0 in some pixels."""
    return InverseVariance(np.where(zero, 0, NOISE**-2))


def single(y, x):
    zero = np.zeros((128, 128), bool)
    zero[y, x] = True
    return zero


def flagged(results, flag):
    return (results.flags & int(flag) > 0).tolist()


def test_a_weight_of_zero_far_from_the_galaxy_is_no_flag(net, images, expected):
    cutouts = [make_cutout(image, uncertainty=weights(zero=single(5, 9))) for image in images]
    results = net.predict(cutouts)
    assert not any(flagged(results, Flags.BAD_PIXELS))
    assert_allclose(results.median("mag"), expected.median("mag"), atol=0.05)


def test_pixels_that_hide_light_are_a_flag(net, images):
    """A block that has more than a percent of the light, and one that has less."""
    wide = np.zeros((128, 128), bool)
    wide[58:62, 50:80] = True
    share = (LIGHT * wide).sum(axis=(1, 2)) / LIGHT.sum(axis=(1, 2))
    assert share.min() > 2 * MATTERS
    cutouts = [make_cutout(image, uncertainty=weights(zero=wide)) for image in images]
    assert all(flagged(net.predict(cutouts), Flags.BAD_PIXELS))
    known = [make_cutout(image, mask=wide) for image in images]
    assert not any(flagged(net.predict(known), Flags.BAD_PIXELS))


def test_hidden_light_is_the_light_in_bad_pixels(net, images):
    zero = np.zeros((128, 128), bool)
    zero[:, 66:70] = True
    cutouts = [make_cutout(image, uncertainty=weights(zero=zero)) for image in images]
    (batch,) = open_cutouts(cutouts, stamp_size=128)
    quantiles = net.predict(cutouts).quantiles
    share = hidden_light(np.asarray(quantiles), batch.stamps, batch.psfs)
    truth = (LIGHT * zero).sum(axis=(1, 2)) / LIGHT.sum(axis=(1, 2))
    assert_allclose(share, truth, rtol=0.2)
    assert_allclose(prepare(cutouts).gaps, np.broadcast_to(zero, images.shape))


@pytest.mark.parametrize("fill", [0.0, -99.0])
def test_a_third_of_a_cutout_that_is_filled(net, images, fill):
    gap = np.zeros((128, 128), bool)
    gap[:, 86:] = True
    expected = net.predict([make_cutout(image, mask=gap) for image in images])
    results = net.predict([make_cutout(np.where(gap, fill, image)) for image in images])
    for name in ("mag", "r_eff", "n", "q"):
        assert_allclose(results.median(name), expected.median(name), rtol=1e-6)


def test_few_counts_with_the_square_root_of_the_data(net):
    """Measured as with the true map, which the map as it is made 4 errors too faint."""
    rng = np.random.default_rng(100)
    flux = np.array([1500.0, 3000.0, 6000.0])
    truth = LIGHT[:3] / LIGHT[:3].sum(axis=(1, 2), keepdims=True) * flux[:, None, None] + 2
    counts = rng.poisson(truth).astype(float)
    expected = predict_counts(net, counts, np.sqrt(truth))
    results = predict_counts(net, counts, np.sqrt(np.maximum(counts, 1)))
    assert all(flagged(results, Flags.NOISE_FROM_DATA))
    assert not any(flagged(expected, Flags.NOISE_FROM_DATA))
    difference = results.median("mag") - expected.median("mag")
    assert np.abs(difference / expected.error("mag")).max() < 0.7


def predict_counts(net, counts, sigma):
    cutouts = []
    for image, noise in zip(counts, sigma, strict=True):
        cutouts.append(make_cutout(image - 2, uncertainty=StdDevUncertainty(noise)))
    return net.predict(cutouts, refine="lm")


def test_noise_maps_of_another_kind_are_doubted(net, images):
    variances = [make_cutout(image, noise=NOISE**-4) for image in images[:2]]
    with pytest.warns(AstropyUserWarning, match="uncertainty of 2 of 2 cutouts says") as caught:
        net.predict(variances)
    assert caught[0].filename == __file__
