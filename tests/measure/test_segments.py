"""Sources are what a segmentation image says."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from helpers.fields import ZEROPOINT, make_field, render
from helpers.measured import assert_same, value
from numpy.testing import assert_allclose, assert_array_equal
from photutils.segmentation import SegmentationImage

from sersicnet.flags import Flags
from sersicnet.measure.image import measure_image
from sersicnet.measure.injection import inject_galaxies

# numbers of the sources, which are in no order
NUMBERS = np.array([70_000, 3, 500])


@pytest.fixture(scope="module")
def image():
    truth = {"x_0": np.array([60.0, 75.0, 130.0]), "y_0": np.array([64.0, 70.0, 66.0])}
    truth |= {"flux": np.array([6e3, 4e3, 5e3]), "r_eff": np.array([2.0, 0.0, 3.0])}
    truth |= {"n": np.ones(3), "q": np.full(3, 0.7), "theta": np.zeros(3)}
    return make_field(render(truth, (140, 190)), mask=None)


@pytest.fixture(scope="module")
def detected(image, net, tmp_path_factory):
    """The catalog of what is detected, and its sources with other numbers."""
    path = tmp_path_factory.mktemp("segments") / "segments.fits"
    table = measure_image(image, net=net, segmentation_image=path)
    segments = np.append(0, NUMBERS)[fits.getdata(path)]
    return table, segments


def test_what_was_detected_is_measured_as_before(image, detected, net):
    table, segments = detected
    found = measure_image(image, net=net, segmentation=segments)
    order = np.argsort(NUMBERS)
    assert_array_equal(found["id"], NUMBERS[order])
    assert_allclose(value(found["x_centroid"]), value(table["x_centroid"][order]), atol=0.05)
    assert_allclose(value(found["mag"]), value(table["mag"][order]), atol=0.03)
    assert {"THRESH", "KERNFWHM", "NFALSE"} <= set(table.meta)
    assert not {"THRESH", "KERNFWHM", "NFALSE"} & set(found.meta)


@pytest.mark.parametrize("tile_size", [32, 64])
def test_tiles_do_not_matter(tile_size, image, detected, net):
    whole = measure_image(image, net=net, segmentation=detected[1])
    found = measure_image(image, net=net, segmentation=detected[1], tile_size=tile_size)
    assert_same(found, whole)


def test_forms(image, detected, net, tmp_path):
    """An image of photutils, and a file of floating-point numbers among others."""
    segments = detected[1]
    whole = measure_image(image, net=net, segmentation=segments)
    path = tmp_path / "segments.fits"
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(segments * 2, name="OTHER")]
    hdus += [fits.ImageHDU(segments.astype("f4"), name="SEG")]
    hdus[2].header["BUNIT"] = "nJy"  # SExtractor copies the header of the image
    fits.HDUList(hdus).writeto(path)
    for given in (SegmentationImage(segments), path, str(path)):
        assert_same(measure_image(image, net=net, segmentation=given), whole)


def test_only_what_has_a_number_is_a_source(image, detected, net):
    segments = np.where(detected[1] == 3, 0, detected[1])
    found = measure_image(image, net=net, segmentation=segments)
    assert_array_equal(found["id"], [500, 70_000])
    assert len(measure_image(image, net=net, segmentation=np.zeros_like(segments))) == 0


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (np.zeros((3, 4), int), r"segmentation= has shape \(3, 4\), the image \(140, 190\)"),
        (np.full((140, 190), -2), "segmentation= has -2 in a pixel: the number of its source"),
        (np.full((140, 190), 0.5), r"segmentation= has 0.5 in a pixel"),
        (np.full((140, 190), np.nan), r"segmentation= has nan in a pixel"),
    ],
)
def test_impossible_segments(segments, message, image, net):
    with pytest.raises(ValueError, match=message):
        measure_image(image, net=net, segmentation=segments)


def test_no_other_word_on_what_the_sources_are(image, detected, net, tmp_path):
    table, segments = detected
    with pytest.raises(ValueError, match="catalog and segmentation are both given"):
        measure_image(image, net=net, segmentation=segments, catalog=table)
    path = tmp_path / "again.fits"
    with pytest.raises(ValueError, match="segmentation_image= is what is detected"):
        measure_image(image, net=net, segmentation=segments, segmentation_image=path)
    with pytest.raises(ValueError, match="segmentation= says what the sources are, but injected"):
        inject_galaxies(image, "candels_f160w", net=net, segmentation=segments)


def test_a_pair_with_one_peak_is_separated(net):
    """As the page on questions says; both positions in a catalog do not separate it."""
    x = np.array([50.0, 54.0])
    y = np.array([50.0, 53.0])
    truth = {"x_0": x, "y_0": y, "flux": np.array([5e3, 5e3]), "r_eff": np.array([3.0, 2.5])}
    truth |= {
        "n": np.array([1.0, 1.5]),
        "q": np.array([0.7, 0.8]),
        "theta": np.array([20.0, -40.0]),
    }
    pair = make_field(render(truth, (101, 101)), mask=None)
    rows, columns = np.indices(pair.shape)
    distance = np.hypot(columns - x[:, None, None], rows - y[:, None, None])
    segments = np.where(distance.min(axis=0) < 12, distance.argmin(axis=0) + 1, 0)
    options = {"net": net, "refine": "lm"}
    table = measure_image(pair, segmentation=segments, **options)
    expected = ZEROPOINT - 2.5 * np.log10(truth["flux"])
    assert (np.abs(table["mag"].value - expected) < 5 * table["mag_err"].value).all()
    assert np.hypot(table["x_0"].value - x, table["y_0"].value - y).max() < 0.5
    both = measure_image(pair, catalog=Table({"x_0": x, "y_0": y}), **options)
    assert (both["flags"] & int(Flags.MISFIT) > 0).all()
    assert (both["flags"] & int(Flags.BLENDED) > 0).all()
