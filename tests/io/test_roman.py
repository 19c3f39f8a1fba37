"""Images of Roman."""

import sys

import numpy as np
import pytest
from helpers import archives
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.io import read_cutout
from sersicnet.io.roman import is_asdf
from sersicnet.measure.field import open_field
from sersicnet.preprocessing.zeropoints import find_zeropoint

SCALE = 0.11
FACTOR = 0.7


def roman_file(path, *, is_mosaic=False, **photometry):
    """An exposure in DN/s, or a mosaic in MJy/sr."""
    asdf = pytest.importorskip("asdf")
    value = archives.surface_zeropoint(SCALE)
    factor = 1.0 if is_mosaic else FACTOR
    photometry = {"conversion_megajanskys": FACTOR, "pixel_area": archives.area(SCALE)} | photometry
    meta = {"instrument": {"detector": "WFI01", "optical_element": "F158"}, "wcs": None}
    tree = {"meta": meta | {"photometry": photometry}}
    tree |= {"data": archives.image(value) / np.float32(factor)}
    tree |= {"err": archives.noise(value) / np.float32(factor)}
    if is_mosaic:
        tree["weight"] = np.ones(archives.SHAPE, np.float32)
        tree["weight"][5, 7] = 0
    else:
        tree["dq"] = archives.bits(np.uint32, (1, 5, 7), (4, 46, 50))
    asdf.AsdfFile({"roman": tree}).write_to(path)
    return path


@pytest.mark.parametrize("is_mosaic", [False, True])
def test_magnitude_noise_and_mask(tmp_path, is_mosaic):
    path = roman_file(tmp_path / "r0000101_wfi01_f158_cal.asdf", is_mosaic=is_mosaic)
    cutout = read_cutout(path)
    zeropoint = find_zeropoint(cutout, None, "cutout").value
    assert_allclose(zeropoint, archives.surface_zeropoint(SCALE), atol=1e-6)
    assert_allclose(cutout.data, archives.image(zeropoint), rtol=1e-5)
    assert_allclose(cutout.uncertainty.array, archives.noise(zeropoint), rtol=1e-5)
    assert np.argwhere(cutout.mask).tolist() == [[5, 7]]
    with open_field(path) as field:
        assert_allclose(field.units(None, None), [SCALE, zeropoint])
        assert_array_equal(field.data[:, :], cutout.data)
        assert field.name == path.name


@pytest.mark.parametrize("missing", [None, -999999.0])
def test_an_exposure_without_its_calibration(tmp_path, missing):
    path = roman_file(tmp_path / "cal.asdf", conversion_megajanskys=missing)
    cutout = read_cutout(path)
    with pytest.raises(ValueError, match="has the unit DN / s and no zero point"):
        find_zeropoint(cutout, None, "cutout")


def test_files_that_are_no_images_of_roman(tmp_path):
    asdf = pytest.importorskip("asdf")
    asdf.AsdfFile({"other": 1}).write_to(tmp_path / "other.asdf")
    with pytest.raises(ValueError, match=r"other\.asdf has no image of Roman"):
        read_cutout(tmp_path / "other.asdf")
    (tmp_path / "empty.asdf").write_bytes(b"")
    with pytest.raises(OSError, match=r"empty\.asdf is not a complete ASDF file"):
        read_cutout(tmp_path / "empty.asdf")
    with pytest.raises(FileNotFoundError, match=r"none\.asdf' does not exist"):
        read_cutout(tmp_path / "none.asdf")


def test_without_asdf(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "asdf", None)
    assert is_asdf("cal.ASDF")
    with pytest.raises(ImportError, match="needs asdf and gwcs: pip install asdf gwcs"):
        read_cutout(tmp_path / "cal.asdf")


@pytest.mark.parametrize(
    ("path", "hdu"), [("cal.asdf[2]", None), ("cal.asdf", 2), ("cal.asdf", "SCI")]
)
def test_there_is_no_hdu_to_choose(path, hdu):
    with pytest.raises(ValueError, match=r"cal\.asdf\[.*: an ASDF file of Roman has one image"):
        read_cutout(path, hdu=hdu)
