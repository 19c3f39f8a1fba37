"""Survey images in memory and in files, and their noise."""

import os

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, InverseVariance, NDData, StdDevUncertainty
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from helpers.fields import (
    NOISE,
    SCALE,
    ZEROPOINT,
    make_field,
    star,
)
from helpers.measured import assert_same, has, nearest, one_star, value
from numpy.testing import assert_allclose

from sersicnet.flags import Flags
from sersicnet.io.cutouts import write_cutout
from sersicnet.measure.field import open_field
from sersicnet.measure.image import measure_image


def test_a_file_gives_what_its_cutout_gives(table, field, net, tmp_path):
    write_cutout(field, tmp_path / "field.fits")
    output = tmp_path / "field.ecsv"
    found = measure_image(tmp_path / "field.fits", psf=None, net=net, output=output, tile_size=150)
    assert_same(found, table)
    assert_same(QTable.read(output), found, rounding=1e-9)


def test_compressed_and_scaled_files(field, net, tmp_path):
    """What is read piece by piece is what is read at once."""
    counts = np.round(10 * field.data).astype(np.uint16)
    image = fits.CompImageHDU(counts, header=fits.Header({"BUNIT": "adu"}))
    header = fits.Header({"MAGZP": ZEROPOINT, "PIXSCALE": SCALE})
    path = tmp_path / "field.fits"
    fits.HDUList([fits.PrimaryHDU(header=header), image]).writeto(path)
    weights = np.where(field.mask, 0.0, (10 * NOISE) ** -2)
    fits.writeto(tmp_path / "weight.fits", weights.astype(">f4"))
    fits.writeto(tmp_path / "rms.fits", np.full(counts.shape, 10 * NOISE))
    fits.writeto(tmp_path / "mask.fits", field.mask.astype(np.uint8))
    rounded = make_field(np.zeros(counts.shape), wcs=None, uncertainty=None)
    rounded.data, rounded.meta["PIXSCALE"] = counts, SCALE
    rounded.uncertainty = StdDevUncertainty(np.full(counts.shape, 10 * NOISE))
    expected = measure_image(rounded, psf=star(), net=net)
    options = {"psf": star(), "net": net, "tile_size": 200}
    files = {"rms": tmp_path / "rms.fits", "mask": str(tmp_path / "mask.fits")}
    assert_same(measure_image(path, **options, **files), expected)
    found = measure_image(path, **options, weight_map=tmp_path / "weight.fits")
    for name in ("mag", "r_eff"):  # to the precision of the weights
        assert_allclose(value(found[name]), value(expected[name]), rtol=3e-3)
    assert has(found, Flags.BAD_PIXELS).any()  # no weight is no masked pixel


def test_noise_is_what_the_user_says(table, field, net):
    """Standard deviations, inverse variances with and without units: all the same."""
    sigma = np.full(field.shape, NOISE)
    bare = make_field(np.zeros(field.shape), uncertainty=None)
    bare.data = field.data
    for noise in (
        {"rms": sigma},
        {"rms": sigma / 2 * (2 * u.adu)},
        {"weight_map": sigma**-2},
        {"weight_map": sigma**-2 / u.adu**2},
    ):
        assert_same(measure_image(bare, psf=None, net=net, **noise), table)
    bare.uncertainty = InverseVariance(sigma**-2)
    assert_same(measure_image(bare, psf=None, net=net), table)


def test_noise_that_nobody_says_is_measured_and_flagged(table, field, net):
    bare = make_field(np.zeros(field.shape), uncertainty=None)
    bare.data = field.data
    found = measure_image(bare, psf=None, net=net)
    assert has(found, Flags.NOISE_ESTIMATED).all()
    rows, distance = nearest(found, {"x_0": value(table["x_0"]), "y_0": value(table["y_0"])})
    assert (distance < 1).all()
    pull = (value(found["mag"])[rows] - value(table["mag"])) / value(table["mag_err"])
    assert (np.abs(pull) < 1.5).all()


def test_an_image_that_lacks_what_is_needed(field, net):
    plain = make_field(np.zeros(field.shape), wcs=None, meta={}, psf=None)
    plain.data = field.data
    known = {"zeropoint": 25, "pixel_scale": 0.1, "net": net}
    with pytest.raises(ValueError, match="image has the unit adu and no zero point"):
        measure_image(plain, psf=star(), net=net, pixel_scale=0.1)
    with pytest.raises(ValueError, match="image has no pixel scale"):
        measure_image(plain, psf=star(), net=net, zeropoint=25)
    with pytest.raises(ValueError, match="psf=None and the image has none"):
        measure_image(plain, **known)
    with pytest.raises(ValueError, match="the image no celestial WCS"):
        measure_image(plain, psf=star(), catalog=Table({"ra": [1.0], "dec": [1.0]}), **known)


def test_files_without_an_image(tmp_path, field, net):
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "empty.fits")
    with pytest.raises(ValueError, match="has no 2-D image"):
        measure_image(tmp_path / "empty.fits", psf=star(), net=net)
    with pytest.raises(ValueError, match=r"mask='.*empty.fits' has no 2-D image"):
        measure_image(field, psf=star(), net=net, mask=tmp_path / "empty.fits")
    (tmp_path / "cut.fits").write_bytes(b"SIMPLE  = nonsense")
    with pytest.raises(OSError, match=r"cut.fits is not a complete FITS file"):
        measure_image(field, psf=star(), net=net, rms=tmp_path / "cut.fits")


DQ = np.array([[0, 4, 1], [5, 2, 0]])


@pytest.mark.parametrize("name", ["image", "rms", "weight_map", "mask"])
def test_files_that_become_shorter_while_they_are_read(name, tmp_path):
    """They are no memory maps, which would end the process."""
    files = {}
    for key in {"image", "mask", "rms", name} - ({"rms"} if name == "weight_map" else set()):
        files[key] = tmp_path / f"{key}.fits"
        fits.writeto(files[key], np.ones((300, 300)))
    image = files.pop("image")
    plane = {"image": "data", "mask": "mask"}.get(name, "noise")
    with open_field(image, **files) as field:
        getattr(field, plane)[:10, :10]
        os.truncate(tmp_path / f"{name}.fits", 8000)
        message = rf"{name}\.fits is not a complete FITS file: the pixels of PRIMARY cannot be read"
        with pytest.raises(OSError, match=message):
            getattr(field, plane)[200:300, 200:300]


def test_mask_bits_of_an_image_in_memory():
    cards = {"TELESCOP": "JWST"}
    image = NDData(np.ones(DQ.shape), mask=DQ, meta=cards)
    whole = (slice(0, 2), slice(0, 3))
    with open_field(image) as opened:
        assert (opened.mask[whole] == (DQ & 1 > 0)).all()
    with open_field(image, mask_bits="JUMP_DET") as opened:
        assert (opened.mask[whole] == (DQ & 4 > 0)).all()
    with open_field(NDData(np.ones(DQ.shape), meta=cards), mask=DQ) as opened:
        assert (opened.mask[whole] == (DQ & 1 > 0)).all()
    with open_field(np.ones(DQ.shape), mask=DQ) as opened:
        assert (opened.mask[whole] == (DQ > 0)).all()
    nan = np.where(DQ > 2, np.nan, 0.0)
    with open_field(np.ones(DQ.shape), mask=nan) as opened:
        assert (opened.mask[whole] == (DQ > 2)).all()


@pytest.mark.parametrize("telescope", ["image", "mask"])
def test_mask_bits_of_a_mask_in_a_file(tmp_path, telescope):
    cards = fits.Header({"TELESCOP": "HST"})
    headers = {"image": None, "mask": None} | {telescope: cards}
    fits.writeto(tmp_path / "image.fits", np.ones(DQ.shape), headers["image"])
    fits.writeto(tmp_path / "mask.fits", 64 * DQ.astype(np.int16), headers["mask"])
    with open_field(tmp_path / "image.fits", mask=tmp_path / "mask.fits") as opened:
        mask = opened.mask[0:2, 0:3]
    assert (mask == (DQ & 6 > 0)).all()  # 64 is a warm pixel, 128 and 256 are bad


def test_bits_without_a_mask_of_integers():
    with (
        pytest.warns(AstropyUserWarning, match="mask_bits=4 is ignored"),
        open_field(NDData(np.ones(DQ.shape), mask=DQ > 0), mask_bits=4),
    ):
        pass
    with (
        pytest.warns(AstropyUserWarning, match="mask_bits=4 is ignored"),
        open_field(np.ones(DQ.shape), mask=DQ > 0, mask_bits=4),
    ):
        pass


def test_corrected_jumps_on_bright_cores_lose_no_galaxy(net, tmp_path):
    """JUMP_DET is no reason to mask a core, DO_NOT_USE is one."""
    field = one_star(70.0, 70.0, mask=None)
    rng = np.random.default_rng(1)
    dq = np.where(rng.random(field.shape) < 0.08, 4, 0).astype(np.uint32)
    dq[64:77, 64:77] |= 4
    dq[rng.random(field.shape) < 0.002] |= 1
    header = fits.Header({"MAGZP": ZEROPOINT, "PIXSCALE": SCALE})
    hdus = [fits.PrimaryHDU(header=fits.Header({"TELESCOP": "JWST"}))]
    hdus.append(fits.ImageHDU(field.data, header, name="SCI"))
    hdus.append(fits.ImageHDU(np.full(field.shape, NOISE), name="ERR"))
    hdus.append(fits.ImageHDU(dq, name="DQ"))
    path = tmp_path / "jwst.fits"
    fits.HDUList(hdus).writeto(path)
    known = {"psf": star(), "net": net}
    expected = measure_image(path, mask=dq & 1 > 0, **known)
    assert len(expected) == 1
    assert_same(measure_image(path, **known), expected)
    assert_same(measure_image(path, mask_bits="DO_NOT_USE", **known), expected)


def test_a_cube_of_one_plane_in_memory():
    """An image with its mask, noise and WCS, as in predict."""
    image = CCDData(np.arange(20.0).reshape(1, 4, 5), unit="adu", mask=np.zeros((1, 4, 5), bool))
    image.wcs = WCS(naxis=3)
    image.wcs.wcs.ctype = "RA---TAN", "DEC--TAN", "FREQ"
    for given in (image, image.data):
        with open_field(given, rms=np.ones((1, 4, 5))) as field:
            np.testing.assert_array_equal(field.data[:, :], image.data[0])
            assert field.noise[:, :].shape == (4, 5)
    with open_field(image) as field:
        assert field.wcs.naxis == 2
        assert field.mask[:, :].shape == (4, 5)
    planes = np.ones((2, 4, 5))
    with pytest.raises(ValueError, match=r"\(2, 4, 5\): one 2-D image"), open_field(planes):
        pass
