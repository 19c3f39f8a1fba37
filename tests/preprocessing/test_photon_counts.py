"""Cutouts in counts, made ready for stamps."""

import numpy as np
import pytest
from astropy.nddata import NDData
from numpy.testing import assert_allclose

from sersicnet import Flags
from sersicnet.preprocessing.photon_counts import check_counts, count_cutouts


@pytest.fixture
def images():
    return np.random.default_rng(1).poisson(0.2, (3, 40, 44)).astype("f4")


def test_the_sky_is_subtracted_and_is_the_variance(images):
    for cutouts in (NDData(images), [NDData(image) for image in images]):
        found = count_cutouts(cutouts)
        assert len(found) == 3
        for cutout, image in zip(found, images, strict=True):
            sky = cutout.noise[0, 0] ** 2
            assert_allclose(sky, 0.2, rtol=0.3)
            assert_allclose(cutout.data + sky, image, atol=1e-12)
            assert cutout.flags == 0
    assert images.min() == 0  # the user's


def test_a_cutout_whose_border_is_masked(images):
    mask = np.ones((40, 44), dtype=bool)
    mask[15:25, 15:25] = False
    (found,) = count_cutouts([NDData(images[0], mask=mask)])
    assert_allclose(found.noise[0, 0] ** 2, images[0][~mask].mean() + 0.005, rtol=1e-6)


def test_without_a_good_pixel(images):
    (found,) = count_cutouts([NDData(np.full_like(images[0], np.nan))])
    assert found.flags == 0  # NO_DATA says it
    assert np.isnan(found.data).all()


def test_rounding_is_no_fault(images):
    (found,) = count_cutouts([NDData(images[0] * 1000 * np.float32(1 + 1e-6))])
    assert found.flags == 0


def test_not_counts_without_a_warning(images):
    (found,) = count_cutouts([NDData(images[0] - 1)], warns=False)
    assert found.flags == int(Flags.NOT_COUNTS)


def test_a_gain_is_an_error(images):
    check_counts(NDData(images), None)
    check_counts(NDData(images), [None] * len(images))
    with pytest.raises(ValueError, match="gain= is not used"):
        check_counts(NDData(images), 2.0)
    with pytest.raises(ValueError, match="gain= is not used"):
        check_counts(NDData(images), [None, 2.0])


def test_large_numbers_are_not_all_integers(images):
    (found,) = count_cutouts([NDData(1e6 + images[0].astype(float))])
    assert found.flags == 0
    (found,) = count_cutouts([NDData(1.01 * (1e6 + images[0].astype(float)) + 0.4)], warns=False)
    assert found.flags == int(Flags.NOT_COUNTS)
