"""Files as archives write them: magnitude, noise, mask and PSF (helpers/archives)."""

import bz2
import inspect
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from helpers import archives
from numpy.testing import assert_allclose

from sersicnet.io import read_cutout, read_psf
from sersicnet.measure import field_psf
from sersicnet.measure.field import open_field
from sersicnet.measure.psf import find_psf
from sersicnet.preprocessing.zeropoints import find_zeropoint

ALL = (slice(None), slice(None))
# Name of the file's maker, where the file has the noise, and the pixels that are bad in its mask.
FILES = {
    "jwst_i2d": ("exact", [(5, 7)]),
    "jwst_cal": ("exact", [(5, 7), (8, 8)]),
    "hst_drc": ("scaled", [(5, 7)]),
    "hst_drz": ("scaled", [(5, 7)]),
    "hst_flc": ("exact", [(5, 7), (8, 8)]),
    "hst_flt": ("exact", [(5, 7), (8, 8)]),
    "hsc_calexp": ("exact", [(5, 7), (8, 8)]),
    "hsc_deepcoadd": ("exact", [(5, 7)]),
    "lsst_deepcoadd": ("exact", [(5, 7)]),
    "lsst_visit": ("exact", [(5, 7), (8, 8)]),
    "cell_coadd": ("exact", [(5, 7)]),
    "decam": ("exact", [(5, 7), (8, 8)]),
    "legacy": ("exact", [(5, 7), (8, 8)]),
    "kids": ("exact", [(5, 7), (8, 8)]),
    "sdss_frame": (None, []),
    "ztf": (None, [(5, 7)]),
    "euclid_mer": ("exact", [(5, 7), (8, 8)]),
    "euclid_mer_nisp": ("exact", [(5, 7), (8, 8)]),
    "euclid_vis": ("exact", [(5, 7), (8, 8)]),
    "euclid_nisp": ("exact", [(5, 7), (8, 8)]),
}


@pytest.fixture
def make(tmp_path):
    """A function that writes the files of an archive, and returns the arguments that read them."""

    def made(name, **options):
        maker = getattr(archives, name)
        if "folder" in inspect.signature(maker).parameters:
            return maker(tmp_path, **options)
        return {"image": maker(tmp_path / f"{name}.fits", **options)}

    return made


def magnitude(data, zeropoint, good):
    """The magnitude of the galaxy, from its light above the sky."""
    light = archives.light()
    sky = np.median(data[good & (light < 1e-5)])
    flux = np.sum(((data - sky) * light)[good]) / np.sum((light**2)[good])
    return zeropoint - 2.5 * np.log10(flux)


def quiet(name):
    """The warnings that a file deserves are tested by themselves."""
    if name in ("hst_flc", "hst_flt"):
        warnings.filterwarnings("ignore", ".*(has 2 images|is not drizzled)", AstropyUserWarning)


@pytest.mark.parametrize("name", FILES)
def test_a_cutout_of_an_archive(name, make):
    with warnings.catch_warnings():
        quiet(name)
        cutout = read_cutout(make(name)["image"])
        zeropoint = find_zeropoint(cutout, None, "cutout").value
    good = np.ones(cutout.shape, bool) if cutout.mask is None else ~cutout.mask
    assert_allclose(magnitude(cutout.data, zeropoint, good), archives.MAGNITUDE, atol=0.005)
    assert cutout.wcs.has_celestial


@pytest.mark.parametrize("name", FILES)
def test_an_image_of_an_archive(name, make):
    noise, bad = FILES[name]
    with warnings.catch_warnings():
        quiet(name)
        with open_field(**make(name)) as field:
            _, zeropoint = field.units(None, None)
            data = field.data[ALL].astype(float)
            mask = np.zeros(data.shape, bool) if field.mask is None else field.mask[ALL]
            sigma = None if field.noise is None else np.median(field.noise[ALL])
    assert_allclose(magnitude(data, zeropoint, ~mask), archives.MAGNITUDE, atol=0.005)
    assert np.argwhere(mask).tolist() == [list(place) for place in bad]
    if noise == "exact":
        assert_allclose(sigma / archives.flux(zeropoint), archives.NOISE, rtol=1e-3)
    else:  # weights are scaled to the scatter of the sky, later
        assert field.noise_name == ("WHT" if noise else "the scatter of the sky")


def with_unit(path, name, unit):
    """Change the unit of an extension."""
    with fits.open(path) as hdus:
        hdus[name].header["BUNIT"] = unit
        other = path.with_name("other.fits")
        hdus.writeto(other)
    return other


def test_counts_of_an_exposure_instead_of_a_second(make):
    """The unit says what the zero point is of."""
    path = with_unit(make("hst_drc")["image"], "SCI", "ELECTRONS")
    found = find_zeropoint(read_cutout(path), None, "cutout").value
    assert_allclose(found, archives.HST_ZEROPOINT + 2.5 * np.log10(2028.0))


@pytest.mark.parametrize(
    ("name", "extension", "unit", "match"),
    [
        ("jwst_i2d", "SCI", "DN/s", "the unit of ERR does not fit that of the image"),
        ("jwst_i2d", "SCI", "flux", "BUNIT 'flux' is not a unit such as"),
        ("sdss_frame", 0, "DN", "has the unit DN and no zero point"),
        ("lsst_visit", "VARIANCE", "adu**2", "the unit of VARIANCE does not fit that"),
    ],
)
def test_wrong_units(name, extension, unit, match, make):
    path = with_unit(make(name)["image"], extension, unit)
    with pytest.raises(ValueError, match=match):
        find_zeropoint(read_cutout(path), None, "cutout")


def test_the_second_chip_of_an_exposure_of_hst_has_its_own_distortion(make):
    path = make("hst_flc")["image"]
    first, second = (read_cutout(path, hdu=("SCI", version)) for version in (1, 2))
    assert second.wcs.cpdis1 is not None
    # half as many pixels from the pole as the difference of their reference points says
    assert_allclose(second.wcs.wcs.crval - first.wcs.wcs.crval, [0.05, 0.0], atol=1e-9)


def test_pixels_of_hst_that_are_not_drizzled_have_another_area(make):
    cutout = read_cutout(make("hst_flc")["image"], hdu=("SCI", 1))
    with pytest.warns(AstropyUserWarning, match="is not drizzled: its zero point holds after"):
        find_zeropoint(cutout, None, "cutout")


def test_sip_coefficients_that_a_drizzled_image_inherits_do_not_count(make, caplog):
    path = make("hst_drc")["image"]
    with caplog.at_level("INFO", "sersicnet"):
        cutout = read_cutout(path)
    assert cutout.wcs.sip is None
    assert "its SIP coefficients are not used, as CTYPE does not end with -SIP" in caplog.text


def test_a_frame_of_sdss_that_is_compressed(make, tmp_path):
    path = make("sdss_frame")["image"]
    packed = tmp_path / "frame.fits.bz2"
    packed.write_bytes(bz2.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_cutout(packed).data, read_cutout(path).data)


def test_a_zero_point_of_lsst_that_changes_over_the_image(make):
    path = make("lsst_deepcoadd", constant=False)["image"]
    with pytest.warns(AstropyUserWarning, match=r"changes over the image \(PhotoCalib\), .* 27.0"):
        cutout = read_cutout(path)
    assert_allclose(find_zeropoint(cutout, None, "cutout").value, 27.0, atol=1e-3)


def test_the_psf_of_an_exposure_of_hsc(make):
    path = make("hsc_calexp", tables=archives.psfex_tables())["image"]
    star = archives.star()[1:-1, 1:-1]
    with open_field(path) as field:
        psf = field_psf(field.psf)
        here, there = psf.at(0, 0), psf.at(100, 0)
    assert psf.oversampling == 1
    assert_allclose(here, star, atol=1e-3 * star.max())
    moved = star + np.gradient(archives.star(), axis=1)[1:-1, 1:-1]
    assert_allclose(there, moved, atol=1e-3 * star.max())
    middle = read_cutout(path).psf
    assert_allclose(middle, (here + there) / 2, atol=1e-3 * star.max())


def test_the_psf_of_the_cells_of_a_coadd(make):
    path = make("cell_coadd")["image"]
    star = archives.star()
    with open_field(path) as field:
        psf = field_psf(field.psf)
        assert_allclose(psf.at(10, 10), star)
        assert_allclose(psf.at(10, 90), star.T)
        assert_allclose(psf.at(90, 90), star)  # of the cell below, as this one has none
    assert_allclose(read_cutout(path).psf, star)


def test_the_psfs_of_a_tile_of_euclid(tmp_path):
    star = archives.star()
    path = archives.mer_grid(tmp_path, [(5, 10), (90, 80)], [star, np.roll(star, 1, axis=1)])
    with open_field(**archives.euclid_mer(tmp_path)) as field:
        psf, _ = find_psf(path, None, 0.1, wcs=field.wcs)
    assert_allclose(psf.at(20, 10), star, rtol=1e-6)
    assert_allclose(psf.at(70, 90), np.roll(star, 1, axis=1), rtol=1e-6)
    tile = field_psf(path)  # in pixels of the whole tile
    assert_allclose(tile.at(9080, 4080), np.roll(star, 1, axis=1), rtol=1e-6)
    with pytest.raises(ValueError, match="PSFs of many places of an image: measure_image takes"):
        read_psf(path)
    with fits.open(path) as hdus:
        fits.HDUList(hdus[:-1]).writeto(tmp_path / "grid.fits")
    with pytest.raises(ValueError, match=r"grid\.fits' has no table of the places of its PSFs"):
        field_psf(tmp_path / "grid.fits")


def test_a_coadd_of_cells_of_another_version_has_no_psf(make):
    path = make("cell_coadd")["image"]
    with fits.open(path) as hdus:
        fits.HDUList(hdus[:-1]).writeto(path.with_name("other.fits"))
    assert read_cutout(path.with_name("other.fits")).psf is None
