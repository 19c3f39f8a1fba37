"""Tests of the detection in another image than the one that is measured."""

import numpy as np
import pytest
from astropy.io import fits
from helpers.fields import make_field, render, star, truth_table

from sersicnet.cli.main import main
from sersicnet.io.cutouts import write_cutout
from sersicnet.io.tables import read_table
from sersicnet.measure import Options, measure_image
from sersicnet.measure.tiles import open_measurement

# A part of the image, which has some of its sources.
PART = (slice(0, 256), slice(0, 256))
FAINTER = 4.0
POSITIONS = ("x_centroid", "y_centroid", "area")


def part_of(image):
    return image[PART]


def measure(image, **options):
    return measure_image(image, psf=star(), **options)


@pytest.fixture(scope="module")
def deep():
    """The image of the detection."""
    return part_of(make_field(render(truth_table())))


@pytest.fixture(scope="module")
def faint():
    """The same galaxies, 40 times fainter: some cannot be detected."""
    return part_of(make_field(10 ** (-0.4 * FAINTER) * render(truth_table()), seed=5))


@pytest.fixture(scope="module")
def found(faint, deep):
    return measure(faint, detection_image=deep)


@pytest.fixture(scope="module")
def of_deep(deep):
    return measure(deep)


def test_sources_are_those_of_the_detection_image(found, of_deep, faint):
    assert len(found) == len(of_deep) > len(measure(faint))
    for name in POSITIONS:
        np.testing.assert_array_equal(found[name], of_deep[name])
    assert found.meta["DETIMAGE"] == "given"
    assert found.meta["KERNFWHM"] == of_deep.meta["KERNFWHM"]


def test_light_is_that_of_the_measured_image(found, of_deep):
    for name in ("kron_mag", "mag"):
        change = (found[name] - of_deep[name]).value - FAINTER
        error = found[f"{name}_err"].value
        known = error < 0.3
        assert known.sum() > 3
        assert np.abs(change[known] / error[known]).max() < 5


def test_an_image_that_detects_its_own_sources_stays_the_same(deep, of_deep):
    same = measure(deep, detection_image=deep)
    assert same.colnames == of_deep.colnames
    for name in same.colnames:
        np.testing.assert_array_equal(same[name], of_deep[name], err_msg=name)


def test_tiles_do_not_matter(faint, deep, found):
    tiles = measure(faint, detection_image=deep, tile_size=100)
    for name in (*POSITIONS, "kron_mag", "flags"):
        np.testing.assert_array_equal(tiles[name], found[name])
    np.testing.assert_allclose(tiles["mag"].value, found["mag"].value, atol=1e-3)


def test_options_of_the_detection_hold_in_its_image(faint, deep):
    changed = {"threshold": 3.0, "n_pixels": 9, "contrast": 0.1, "large_first": False}
    options = Options(psf=star(), detection_image=deep, kernel_fwhm=2.0, **changed)
    with open_measurement(faint, options, net=None) as measurement:
        own = measurement.detector.measurement.options
    assert own.kernel_fwhm == 2.0
    for name, value in changed.items():
        assert getattr(own, name) == value


def test_an_image_without_units_detects(faint, deep, found):
    """A sum of several bands has neither a zero point nor a PSF."""
    plain = measure(faint, detection_image=deep.data / deep.uncertainty.array)
    assert abs(len(plain) - len(found)) <= 2


def test_given_positions_have_the_neighbors_of_the_detection_image(faint, deep, found):
    given = found["x_centroid", "y_centroid"][:3]
    given.rename_columns(["x_centroid", "y_centroid"], ["x_0", "y_0"])
    rows = measure(faint, detection_image=deep, catalog=given)
    np.testing.assert_allclose(rows["x_centroid"], found["x_centroid"][:3])
    np.testing.assert_array_equal(rows["area"], found["area"][:3])


def test_other_pixels_raise(faint, deep):
    with pytest.raises(ValueError, match=r"detection_image=: it has shape .* the same pixels"):
        measure(faint, detection_image=deep[:200])
    moved = deep.copy()
    moved.wcs = deep.wcs.deepcopy()
    moved.wcs.wcs.crpix += 1
    with pytest.raises(ValueError, match=r"detection_image=: .* or their WCS differ"):
        measure(faint, detection_image=moved)


def test_an_image_without_a_usable_pixel_is_named(faint, deep):
    with pytest.raises(ValueError, match="detection_image=: image has no usable pixel"):
        measure(faint, detection_image=np.full(deep.shape, np.nan))


def test_a_missing_detection_image_is_named(faint):
    with pytest.raises(FileNotFoundError, match=r"detection_image=: .*nowhere\.fits"):
        measure(faint, detection_image="nowhere.fits")


def test_what_does_not_go_together_raises(faint, deep):
    with pytest.raises(ValueError, match="detection_image and segmentation are both given"):
        Options(detection_image="a.fits", segmentation="b.fits")
    with pytest.raises(ValueError, match="detection_image= is for images of one band"):
        measure({"g": faint, "r": faint}, detection_image=deep)


def test_command_line(faint, deep, found, tmp_path):
    write_cutout(faint, tmp_path / "faint.fits")
    write_cutout(deep, tmp_path / "deep.fits")
    fits.writeto(tmp_path / "star.fits", star())
    files = ["faint.fits", "--detection-image", "deep.fits", "--psf", "star.fits"]
    arguments = [str(tmp_path / word) if word.endswith("fits") else word for word in files]
    assert main(["measure", *arguments, "-o", str(tmp_path / "out.ecsv")]) == 0
    table = read_table(tmp_path / "out.ecsv")
    assert table.meta["DETIMAGE"] == "deep.fits"
    np.testing.assert_array_equal(table["area"], found["area"])
