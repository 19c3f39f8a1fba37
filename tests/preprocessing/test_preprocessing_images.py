"""What users pass as cutouts becomes images; what is none raises an error that names it."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, Cutout2D, NDData, StdDevUncertainty
from astropy.utils.masked import Masked
from helpers.noisy import KNOWN, assert_same_stamps, make_wcs, random_cutout
from numpy.testing import assert_array_equal

from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.images import check_cutouts

SHAPE = (30, 24)


def make_data(shape=SHAPE):
    return np.random.default_rng(1).normal(10, 2, shape)


def test_arrays_in_a_list():
    data = make_data()
    expected = prepare([NDData(data)], **KNOWN)
    for given in ([data], (data.astype(">f8"),), iter([data]), [data[None]], data):
        assert_same_stamps(prepare(given, **KNOWN), expected)
    two = prepare([data, make_data((21, 20))], **KNOWN)
    assert two.shapes.tolist() == [[30, 24], [21, 20]]


def test_masked_arrays_and_quantities():
    data = make_data()
    bad = data > 12
    expected = prepare([NDData(data, mask=bad, unit="nJy")], pixel_scale=0.1)
    for given in (Masked(data * u.nJy, mask=bad), NDData(Masked(data * u.nJy, mask=bad))):
        assert_same_stamps(prepare([given], pixel_scale=0.1), expected)
    plain = prepare([NDData(data, mask=bad)], **KNOWN)
    assert_same_stamps(prepare([np.ma.array(data, mask=bad)], **KNOWN), plain)
    assert_same_stamps(
        prepare([data << u.nJy], pixel_scale=0.1), prepare(NDData(data << u.nJy), pixel_scale=0.1)
    )


@pytest.mark.parametrize("fill", [np.nan, 0.0, -99.0])
def test_cutout2d(fill):
    """What lies outside of the image is masked, whatever it is filled with."""
    image = make_data((60, 60))
    cutout = Cutout2D(image, (3, 20), 31, mode="partial", fill_value=fill)
    (found,) = check_cutouts([cutout])
    assert_array_equal(found.data, cutout.data)
    outside = np.zeros((31, 31), bool)
    outside[:, :12] = True
    assert_array_equal(found.mask, outside)
    bad = NDData(np.where(outside, 0, cutout.data), mask=outside)
    assert_same_stamps(prepare(cutout, **KNOWN), prepare(bad, **KNOWN))


def test_cutout2d_has_its_wcs():
    wcs = make_wcs(scale=0.2)
    cutout = Cutout2D(make_data((60, 60)), (20, 20), 31, wcs=wcs)
    stamps = prepare([cutout], zeropoint=25)
    assert stamps.frame.pixel_scale[0] == pytest.approx(0.2)


def test_cutout2d_of_masked_data():
    image = np.ma.masked_greater(make_data((60, 60)), 12)
    cutout = Cutout2D(image, (30, 30), 31)
    (found,) = check_cutouts(cutout)
    assert_array_equal(found.mask, cutout.data.mask)


def test_cubes_of_one_plane():
    data = make_data((1, *SHAPE))
    noise = StdDevUncertainty(np.abs(data) + 1)
    cube = CCDData(data, unit="nJy", mask=data > 12, uncertainty=noise, meta={"OBJECT": "x"})
    cube.psf = np.ones((1, 3, 3))
    (found,) = check_cutouts([cube])
    assert_array_equal(found.data, data[0])
    assert_array_equal(found.mask, data[0] > 12)
    assert_array_equal(found.uncertainty.array, noise.array[0])
    assert found.psf.shape == (3, 3)
    assert isinstance(found, CCDData)
    assert found.meta["OBJECT"] == "x"
    assert_same_stamps(prepare([cube], pixel_scale=0.1), prepare(cube, pixel_scale=0.1))


@pytest.mark.parametrize("empty", [[], (), iter([])])
def test_an_empty_list(empty):
    with pytest.raises(ValueError, match="cutouts is empty: at least one cutout is needed"):
        prepare(empty)


@pytest.mark.parametrize("shape", [(0, 5, 5), (3, 0, 5)])
def test_an_empty_stack(shape):
    with pytest.raises(ValueError, match="it holds no pixels"):
        prepare(np.ones(shape), **KNOWN)


@pytest.mark.parametrize("wrong", [None, 3, "galaxy.fits", {"data": 1}])
def test_what_is_no_cutout(wrong):
    with pytest.raises(TypeError, match="cutouts must be an NDData, a list of them"):
        prepare(wrong)


@pytest.mark.parametrize("wrong", [None, [[1.0, 2.0]], "galaxy.fits"])
def test_a_list_with_what_is_no_cutout(wrong):
    name = type(wrong).__name__
    with pytest.raises(TypeError, match=rf"cutouts\[1\] is of type {name}: an image is needed"):
        prepare([random_cutout(), wrong])


@pytest.mark.parametrize("shape", [(5,), (2, 5, 5), (2, 2, 5, 5), (0, 5), ()])
def test_cutouts_that_are_not_images(shape):
    with pytest.raises(ValueError, match=r"cutouts\[1\] has shape .*: a 2-D image with pixels"):
        prepare([random_cutout(), NDData(np.ones(shape))])


@pytest.mark.parametrize("shape", [(5,), (2, 2, 5, 5)])
def test_arrays_that_are_no_stacks(shape):
    with pytest.raises(ValueError, match=r"cutouts\[0\] has shape .*: a 2-D image with pixels"):
        prepare(np.ones(shape), **KNOWN)


@pytest.mark.parametrize("dtype", [bool, complex, "U3", object])
def test_data_that_are_not_real_numbers(dtype):
    data = np.zeros((2, 5, 5), dtype=dtype)
    with pytest.raises(TypeError, match=r"cutouts has data of type .*: real numbers"):
        prepare(data, **KNOWN)
    if dtype is not object:  # astropy refuses that itself
        with pytest.raises(TypeError, match=r"cutouts\[0\] has data of type .*: real numbers"):
            prepare([NDData(data[0])], **KNOWN)
        with pytest.raises(TypeError, match=r"cutouts has data of type .*: real numbers"):
            prepare(NDData(data), **KNOWN)
