"""Ranges of the images of a training set."""

import numpy as np
from astropy.nddata import NDData
from helpers.rendered import star
from numpy.testing import assert_allclose

from sersicnet.model.psf import collect_psfs
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.ranges import image_ranges, is_outside, join_ranges


def test_ranges_of_images():
    shapes = [(50, 40), (70, 60), (30, 90)]
    cutouts = [NDData(np.random.default_rng(1).normal(size=shape)) for shape in shapes]
    stamps = prepare(cutouts, stamp_size=48, pixel_scale=[0.1, 0.3, 0.2], zeropoint=25)
    psfs = collect_psfs([star(3.0), None, star(4.0)])
    ranges = image_ranges(stamps, psfs)
    assert ranges["pixel_scale"] == [0.1, 0.3]
    assert ranges["side"] == [30, 48]
    assert_allclose(ranges["psf_fwhm"], psfs.fwhm())
    assert set(image_ranges(stamps[[1]], psfs[[1]])) == {"pixel_scale", "side"}


def test_ranges_of_nothing():
    assert join_ranges([]) == {}


def test_ranges_are_joined():
    parts = [{"side": [40, 60]}, {"side": [50, 70], "psf_fwhm": [2, 3]}, {}]
    assert join_ranges(parts) == {"side": [40, 70], "psf_fwhm": [2, 3]}


def test_values_at_the_limits_and_nan_are_inside():
    values = np.array([0.94, 0.95, 2.0, 2.1, 2.2, np.nan])
    found = is_outside(values, [1, 2], tolerance=0.05)
    assert found.tolist() == [True, False, False, False, True, False]
    assert not is_outside(values, None).any()
