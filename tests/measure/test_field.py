"""Survey images in memory and in files, and their noise."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import InverseVariance, StdDevUncertainty
from astropy.table import QTable, Table
from helpers.fields import (
    NOISE,
    SCALE,
    ZEROPOINT,
    make_field,
    star,
)
from helpers.measured import assert_same, has, nearest, value
from numpy.testing import assert_allclose

from sersicnet.flags import Flags
from sersicnet.io.cutouts import write_cutout
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
    with pytest.raises(ValueError, match="psf=None and no cutout has one"):
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
