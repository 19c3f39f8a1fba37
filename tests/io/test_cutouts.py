"""Cutouts written to FITS come back as they were; survey files become cutouts."""

import gzip
import warnings
from functools import partial

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import (
    CCDData,
    InverseVariance,
    NDData,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from helpers import sky
from hypothesis import given, settings
from hypothesis import strategies as st

from sersicnet.io.cutouts import read_cutout, read_cutouts, write_cutout, write_cutouts

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


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cutouts.fits"


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


@pytest.mark.parametrize("linear", ["PC", "CD"])
def test_wcs_is_kept_to_the_last_digits(path, linear):
    header_with_old_cards = fits.Header({"CD1_1": 1.0, "CRVAL1": 7.0, "OBJECT": "x"})
    before = make_cutout(wcs=make_wcs(linear=linear), meta=header_with_old_cards)
    write_cutout(before, path)
    after = read_cutout(path)
    assert_same_wcs(before.wcs, after.wcs)
    assert list(after.meta) == ["OBJECT"]


def test_linear_wcs_and_sip_are_kept(path):
    linear = WCS(naxis=2)
    linear.wcs.cdelt = 0.06, 0.06
    sip = fits.Header.fromstring(make_wcs().to_header_string())
    sip.update(CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", A_ORDER=2, B_ORDER=2, A_2_0=1e-5)
    sip["B_0_2"] = 2e-5
    cutouts = [make_cutout(wcs=linear), make_cutout(wcs=WCS(sip))]
    write_cutouts(cutouts, path)
    for before, after in zip(cutouts, read_cutouts(path), strict=True):
        assert_same_wcs(before.wcs, after.wcs)


def test_meta_as_header_keeps_comments_and_order(path):
    header = fits.Header()
    header["MAGZP"] = (25.946, "AB magnitude of one count")
    header["BUNIT"] = ("counts/s", "as in the survey")
    header["HIERARCH a long keyword"] = 3
    header["LONG"] = "x" * 200
    header["FLAG"] = True
    header["NOTHING"] = None
    header["HISTORY"] = "one"
    header["HISTORY"] = "two"
    write_cutout(make_cutout(meta=header), path)
    assert read_cutout(path).meta.tostring() == header.tostring()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_of_meta_are_kept_to_the_last_digit(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("floats") / "cutouts.fits"
    meta = fits.Header([("NOTED", value, "with a comment " * 3), ("HIERARCH a.b", value)])
    cutouts = [make_cutout(meta={"VALUE": value, "long key": value}), make_cutout(meta=meta)]
    write_cutouts(cutouts, path)
    for cutout in read_cutouts(path):
        assert list(cutout.meta.values()) == [value, value]


def test_survey_cards_that_break_the_standard_are_mended(path):
    header = fits.Header([fits.Card.fromstring("WEIRD   = 1.2.3 / no number"), ("MAGZP", 25.9)])
    for _ in range(2):
        write_cutout(make_cutout(meta=header), path, overwrite=True)
        header = read_cutout(path).meta
    assert header["MAGZP"] == 25.9
    assert "1.2.3" in header["WEIRD"]


def test_meta_that_fits_cannot_hold_is_named(path):
    meta = {"GOOD": np.float32(0.5), "BAD": [1, 2], "NAN": np.nan, 3: 4}
    with pytest.warns(AstropyUserWarning, match=r"left out: BAD, NAN, 3"):
        write_cutout(make_cutout(meta=meta), path)
    assert dict(read_cutout(path).meta) == {"GOOD": 0.5}


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


class OtherWCS:
    """Not a FITS WCS."""


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
        assert_same(before, after, atol=1e-11)  # CCDData.write rounds the WCS to 14 digits


@pytest.mark.parametrize("image", ["SCI", "DATA", "IMAGE", "sci", "anything"])
@pytest.mark.parametrize(
    ("noise", "kind"),
    [
        ("ERR", StdDevUncertainty),
        ("ERROR", StdDevUncertainty),
        ("RMS", StdDevUncertainty),
        ("SIGMA", StdDevUncertainty),
        ("UNCERT", StdDevUncertainty),
        ("VAR", VarianceUncertainty),
        ("VARIANCE", VarianceUncertainty),
        ("IVAR", InverseVariance),
        ("INVVAR", InverseVariance),
    ],
)
def test_names_of_extensions(path, image, noise, kind):
    data, error, psf = np.arange(6.0).reshape(2, 3), np.full((2, 3), 4.0), np.ones((3, 3))
    mask = np.array([[0, 1, 0], [0, 0, 8]], dtype=np.int32)
    for name, psf_name in (("MASK", "PSF"), ("DQ", "PSFIMAGE")):
        extensions = {psf_name: psf, noise: error, name: mask, image: data}
        path.unlink(missing_ok=True)
        cutout = read_cutout(write_extensions(path, extensions, BUNIT="nJy"))
        np.testing.assert_array_equal(cutout.data, data)
        assert cutout.data.dtype.isnative
        assert type(cutout.uncertainty) is kind
        np.testing.assert_array_equal(cutout.uncertainty.array, error)
        np.testing.assert_array_equal(cutout.mask, mask > 0)
        np.testing.assert_array_equal(cutout.psf, psf)
        assert cutout.unit == u.nJy


def test_headers_are_merged_and_the_image_wins(path):
    extensions = {"SCI": (np.ones((2, 2)), {"FILTER": "r", "EXPTIME": 1.0})}
    cutout = read_cutout(write_extensions(path, extensions, FILTER="none", MAGZP=22.5))
    assert dict(cutout.meta) == {"FILTER": "r", "EXPTIME": 1.0, "MAGZP": 22.5}
    assert cutout.wcs is None


def test_image_in_the_primary_hdu(path):
    fits.PrimaryHDU(np.ones((2, 2)), fits.Header({"MAGZP": 22.5})).writeto(path)
    cutout = read_cutout(path)
    assert cutout.shape == (2, 2)
    assert dict(cutout.meta) == {"MAGZP": 22.5}
    assert cutout.uncertainty is cutout.mask is cutout.psf is None


def test_compressed_files(path):
    data = np.arange(64 * 64, dtype=np.int32).reshape(64, 64)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data)]).writeto(path)
    np.testing.assert_array_equal(read_cutout(path).data, data)
    zipped = path.with_suffix(".fits.gz")
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_cutout(zipped).data, data)
    zipped.write_bytes(zipped.read_bytes()[:500])
    with pytest.raises(OSError, match=r"cutouts.fits.gz is not a complete FITS file"):
        read_cutout(zipped)


@pytest.mark.parametrize(
    ("string", "unit"),
    [
        ("counts/s", u.adu),
        ("ADU (counts)", u.adu),
        ("nanomaggies", u.adu),
        ("FLUXMAG0=27 units", u.adu),
        ("", u.adu),
        ("ADU", u.adu),
        (None, u.adu),
        ("erg/s/cm2/Angstrom", u.Unit("erg s-1 cm-2 AA-1")),
        ("uJy", u.uJy),
    ],
)
def test_units(path, string, unit):
    write_extensions(path, {"SCI": np.ones((2, 2)), "ERR": np.ones((2, 2))}, BUNIT=string)
    cutout = read_cutout(path)
    assert cutout.unit == unit
    assert cutout.uncertainty.unit == unit
    assert cutout.meta["BUNIT"] == string
    write_cutout(cutout, path, overwrite=True)
    assert_same(cutout, read_cutout(path))


def test_unit_of_the_uncertainty(path):
    image = (np.ones((2, 2)), {"BUNIT": "nJy"})
    write_extensions(path, {"SCI": image, "ERR": (np.ones((2, 2)), {"BUNIT": "uJy"})})
    assert read_cutout(path).uncertainty.unit == u.uJy
    path.unlink()
    write_extensions(path, {"SCI": image, "VAR": image})  # repeats the unit without its square
    assert read_cutout(path).uncertainty.unit == u.nJy**2
    path.unlink()
    write_extensions(path, {"SCI": image, "ERR": (np.ones((2, 2)), {"BUNIT": "s"})})
    with pytest.raises(ValueError, match="the unit of ERR does not fit that of the image"):
        read_cutout(path)


def test_planes_of_lsst_masks_that_mark_sources_are_not_bad(path):
    mask = np.array([[0, 1, 2, 32, 33, 64]], dtype=np.int32)
    cards = {"MP_BAD": 0, "MP_DETECTED": 5, "MP_DETECTED_NEGATIVE": 6}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        write_extensions(path, {"IMAGE": np.ones((1, 6)), "MASK": (mask, cards)})
    expected = [[False, True, True, False, True, False]]
    np.testing.assert_array_equal(read_cutout(path).mask, expected)


def test_celestial_wcs_is_read_and_others_are_not(path):
    header = make_wcs().to_header()
    header["RADECSYS"] = "FK5"  # what astropy fixes with a warning
    del header["RADESYS"]
    write_extensions(path, {"SCI": (np.ones((2, 2)), header)})
    assert_same_wcs(read_cutout(path).wcs, make_wcs(), atol=1e-11)
    path.unlink()
    write_extensions(path, {"SCI": (np.ones((2, 2)), {"CDELT1": 2.0, "CTYPE1": "LINEAR"})})
    cutout = read_cutout(path)
    assert cutout.wcs is None
    assert cutout.meta["CDELT1"] == 2.0


# --- files that are wrong ---------------------------------------------------------------------


@pytest.mark.parametrize("read", [read_cutout, read_cutouts])
def test_files_that_are_not_fits(path, read):
    with pytest.raises(FileNotFoundError, match=r"cutouts\.fits"):
        read(path)
    for content in (b"", b"no FITS at all" * 1000):
        path.write_bytes(content)
        with pytest.raises(OSError, match=r"cutouts\.fits is not a complete FITS file"):
            read(path)


def test_truncated_file_is_refused_wherever_it_ends(path):
    write_cutouts([make_cutout(shape=(40, 40)), make_cutout(shape=(9, 9))], path)
    content = path.read_bytes()
    for length in {*range(0, len(content), 1440), len(content) - 1}:
        path.write_bytes(content[:length])
        with pytest.raises(OSError, match=r"cutouts\.fits is not a complete FITS file"):
            read_cutouts(path)


@pytest.mark.parametrize(
    ("extensions", "match"),
    [
        ({}, r"cutouts.fits has no 2-D image: it must be in one of SCI, DATA"),
        ({"ERR": np.ones((2, 2))}, "has no 2-D image"),
        ({"SCI": np.ones(5)}, r"SCI must be one 2-D image, and has shapes \(5,\)"),
        ({"SCI": np.ones((2, 3, 4))}, r"has shapes \(2, 3, 4\)"),
        ({"SCI": np.ones((2, 3)), "ERR": np.ones((3, 2))}, r"ERR has shape \(3, 2\)"),
        ({"SCI": np.ones((2, 3)), "DQ": np.ones((1, 1))}, r"DQ has shape \(1, 1\)"),
        ({"SCI": np.ones((2, 3)), "PSF": np.ones((2, 1, 1))}, "PSF must be one 2-D image"),
        ({"SCI": (np.ones((2, 2)), {"CTYPE1": "RA---TAN"})}, "its WCS cannot be read"),
    ],
)
def test_files_that_are_no_cutout(path, extensions, match):
    write_extensions(path, extensions)
    with pytest.raises(ValueError, match=match):
        read_cutout(path)


def test_two_images_of_one_name(path):
    images = [fits.ImageHDU(np.ones((2, 2)), name="SCI", ver=i) for i in (1, 2)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path)
    with pytest.raises(ValueError, match=r"SCI must be one 2-D .* \(2, 2\), \(2, 2\)"):
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
        assert cutout.unit == u.adu
    write_cutouts(cutouts, path)
    for before, after in zip(cutouts, read_cutouts(path), strict=True):
        assert_same(before, after)
