"""Cutouts written to FITS come back as they were; survey files become cutouts."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import (
    CCDData,
    NDData,
    StdDevUncertainty,
)
from helpers.fits_files import KINDS, assert_same, make_cutout, make_wcs, write_extensions
from hypothesis import given, settings
from hypothesis import strategies as st

from sersicnet.io.cutouts import read_cutout, read_cutouts, write_cutout, write_cutouts

# --- many cutouts -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", ["adu", "nJy", "electron / s", u.Unit(3.6307805477e-6 * u.Jy), ""])
def test_round_trip(path, kind, unit):
    cutouts = [make_cutout(seed=seed, kind=kind, unit=unit) for seed in range(3)]
    write_cutouts(cutouts, path)
    for before, after in zip(cutouts, read_cutouts(path), strict=True):
        assert_same(before, after)


def test_round_trip_of_different_sizes_and_missing_parts(path):
    cutouts = [
        make_cutout(shape=(1, 1)),
        make_cutout(shape=(40, 3), mask=None),
        make_cutout(shape=(7, 7), uncertainty=None, psf=None),
        make_cutout(shape=(8, 8), wcs=None, meta={}),
        CCDData(np.zeros((2, 2)), unit="adu"),
    ]
    write_cutouts(cutouts, path)
    for before, after in zip(cutouts, read_cutouts(path), strict=True):
        assert_same(before, after)


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "<i2", ">i2", "u2", "i4", "u4", "i8", "u8", "<f4", ">f4", "<f8", ">f8"]
)
def test_round_trip_of_every_dtype(path, dtype):
    info = np.iinfo(dtype) if dtype[-2] in "iu" else np.finfo(dtype)
    data = np.array([[info.min, 0, 1, info.max]], dtype=dtype)
    write_cutout(CCDData(data, unit="adu"), path)
    after = read_cutout(path).data
    assert after.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(after, data)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 3), min_size=0, max_size=6))
def test_order_is_kept(tmp_path_factory, seeds):
    path = tmp_path_factory.mktemp("order") / "cutouts.fits"
    cutouts = [make_cutout(shape=(seed + 1, 2), seed=seed) for seed in seeds]
    write_cutouts(cutouts, path)
    after = read_cutouts(path)
    assert [cutout.meta["SEED"] for cutout in after] == seeds
    assert [cutout.shape for cutout in after] == [cutout.shape for cutout in cutouts]


def test_shared_psf_is_stored_once(path):
    psf = np.ones((31, 31))
    cutouts = [make_cutout(seed=seed, psf=psf.copy()) for seed in range(3)]
    cutouts.append(make_cutout(psf=psf.astype("f4")))
    write_cutouts(cutouts, path)
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus].count("PSFIMAGE") == 2
    after = read_cutouts(path)
    assert after[0].psf is after[2].psf
    assert after[3].psf.dtype == np.float32


def test_nddata_scalars_and_float16(path):
    half = np.array([[1.5, 2.5]], dtype=np.float16)
    write_cutouts([NDData(half, uncertainty=StdDevUncertainty(0.1), mask=False)], path)
    (after,) = read_cutouts(path)
    assert after.unit == u.dimensionless_unscaled
    np.testing.assert_array_equal(after.data, half)
    np.testing.assert_array_equal(after.uncertainty.array, [[0.1, 0.1]])
    np.testing.assert_array_equal(after.mask, [[False, False]])


def test_one_cutout_can_be_read_by_ccddata(path):
    before = make_cutout()
    write_cutouts([before], path)
    assert_same(before, read_cutout(path))
    after = CCDData.read(path)
    np.testing.assert_array_equal(after.data, before.data)
    np.testing.assert_array_equal(after.mask, before.mask)
    np.testing.assert_array_equal(after.psf, before.psf)
    np.testing.assert_array_equal(after.uncertainty.array, before.uncertainty.array)
    assert after.unit == before.unit


def test_generator_is_written_one_by_one(path):
    written = (make_cutout(seed=seed) for seed in range(4))
    write_cutouts(written, path)
    assert [cutout.meta["SEED"] for cutout in read_cutouts(path)] == [0, 1, 2, 3]


def test_existing_file_is_kept_unless_overwritten(path):
    write_cutout(make_cutout(seed=1), path)
    with pytest.raises(FileExistsError, match=r"cutouts.fits exists: pass overwrite=True"):
        write_cutout(make_cutout(seed=2), path)
    assert read_cutout(path).meta["SEED"] == 1
    write_cutout(make_cutout(seed=2), path, overwrite=True)
    assert read_cutout(path).meta["SEED"] == 2


def test_failure_leaves_what_was_there(path):
    write_cutout(make_cutout(seed=1), path)

    def cutouts():
        yield make_cutout(seed=2)
        msg = "the simulator stopped"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="stopped"):
        write_cutouts(cutouts(), path, overwrite=True)
    assert read_cutout(path).meta["SEED"] == 1
    assert list(path.parent.iterdir()) == [path]


class OtherUncertainty(StdDevUncertainty):
    """A kind that no reader knows."""


def with_table_distortion():
    wcs = make_wcs()
    from astropy.wcs import DistortionLookupTable

    wcs.cpdis1 = DistortionLookupTable(np.zeros((2, 2), "f4"), (1, 1), (1, 1), (1, 1))
    return wcs


@pytest.mark.parametrize(
    ("cutout", "error", "match"),
    [
        (np.zeros((2, 2)), TypeError, r"cutouts\[1\].*a ndarray and must be an NDData"),
        (NDData(np.zeros(3)), ValueError, r"cutouts\[1\].*data has shape \(3,\)"),
        (NDData(np.zeros((1, 2, 3))), ValueError, r"data has shape \(1, 2, 3\)"),
        (NDData(np.zeros((0, 3))), ValueError, r"data has shape \(0, 3\)"),
        (NDData(np.zeros((2, 2), complex)), ValueError, "complex128, not 2-D of real numbers"),
        (NDData(np.zeros((2, 2), np.longdouble)), ValueError, "FITS holds up to 64 bits"),
        (NDData(np.zeros((2, 2)), psf=np.zeros(3)), ValueError, r"psf has shape \(3,\)"),
        (make_cutout(kind=OtherUncertainty), ValueError, "uncertainty is a OtherUncertainty"),
        (make_cutout(unit=u.def_unit("furlong")), ValueError, "unit furlong has no name"),
        (make_cutout(wcs=with_table_distortion()), ValueError, "without distortion tables"),
    ],
)
def test_what_cannot_be_written_is_named(path, cutout, error, match):
    with pytest.raises(error, match=match):
        write_cutouts([make_cutout(), cutout], path)
    assert not list(path.parent.iterdir())


# --- one cutout -------------------------------------------------------------------------------


def test_many_are_not_one(path):
    write_cutouts([make_cutout(), make_cutout()], path)
    with pytest.raises(ValueError, match=r"holds 2 cutouts, not one: read it with read_cutouts"):
        read_cutout(path)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_file_of_ccddata(path, kind):
    before = make_cutout(kind=kind)
    before.write(path)
    before.meta["BUNIT"] = "adu"
    for after in (read_cutout(path), *read_cutouts(path)):
        assert after.meta.pop("MASKFROM").startswith("MASK, all bits")
        assert_same(before, after, atol=1e-11)  # CCDData.write rounds the WCS to 14 digits


# --- files that are wrong ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extensions", "match"),
    [
        ({}, r"cutouts.fits has no 2-D image: it must be in one of SCI, DATA"),
        ({"ERR": np.ones((2, 2))}, "has no 2-D image"),
        ({"SCI": np.ones(5)}, r"SCI must be one 2-D image, and has shapes \(5,\)"),
        ({"SCI": np.ones((2, 3, 4))}, "SCI has 2 planes of 3 x 4 pixels: choose one"),
        ({"SCI": np.ones((2, 3)), "ERR": np.ones((3, 2))}, r"ERR has shape \(3, 2\)"),
        ({"SCI": np.ones((2, 3)), "DQ": np.ones((1, 1))}, r"DQ has shape \(1, 1\)"),
        ({"SCI": np.ones((2, 3)), "PSF": np.ones((2, 1, 1))}, "PSF must be one 2-D image"),
        (
            {"SCI": (np.ones((2, 2)), {"CTYPE1": "RA---TAN"})},
            r"its WCS cannot be read: Unmatched celestial axes\.$",
        ),
    ],
)
def test_files_that_are_no_cutout(path, extensions, match):
    write_extensions(path, extensions)
    with pytest.raises(ValueError, match=match):
        read_cutout(path)


# --- real galaxies ----------------------------------------------------------------------------


def test_real_galaxies(real_galaxies, path):
    files = sorted(real_galaxies.glob("*.fits"))
    cutouts = [read_cutout(file) for file in files]
    for file, cutout in zip(files, cutouts, strict=True):
        with fits.open(file) as hdus:
            np.testing.assert_array_equal(cutout.data, hdus["SCI"].data)
            np.testing.assert_array_equal(cutout.uncertainty.array, hdus["ERR"].data)
            np.testing.assert_array_equal(cutout.psf, hdus["PSF"].data)
            np.testing.assert_array_equal(cutout.mask, hdus["MASK"].data == 1)
            for card in ("OBJECT", "PIXSCALE", "MAGZP", "BUNIT"):
                assert cutout.meta[card] == hdus[0].header[card]
    assert {str(cutout.unit) for cutout in cutouts} == {"adu", "ct", "ct / s", "nmgy"}
    write_cutouts(cutouts, path)
    for before, after in zip(cutouts, read_cutouts(path), strict=True):
        assert_same(before, after)
