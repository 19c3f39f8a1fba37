"""What `field_psf` makes of the PSFs that users have, and that each source gets its own."""

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.modeling.models import Gaussian2D
from astropy.nddata import CCDData, NDData
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from galsim.des import DES_PSFEx
from helpers.fields import SPACING, make_field, profile, render, star, truth_table
from helpers.fits_files import write_extensions
from numpy.testing import assert_allclose, assert_array_equal
from photutils.psf import CircularGaussianPRF, GriddedPSFModel, ImagePSF

from sersicnet.measure.field import open_field
from sersicnet.measure.image import measure_image
from sersicnet.measure.image_psf import open_psf
from sersicnet.measure.options import Options
from sersicnet.measure.psf import FieldPSF, field_psf


def opened(psf, **options):
    """The PSF of an image of pixels of 0.1 arcsec."""
    with open_field(np.zeros((100, 100))) as field:
        return open_psf(field, Options(psf=psf, **options), 0.1, stacklevel=1)


def test_a_stamp_is_the_same_everywhere():
    found = field_psf(star(oversampling=3), oversampling=3)
    assert found.oversampling == 3
    assert found.at(0, 0) is found.at(100, 200)
    assert_array_equal(found.at(5, 6), star(oversampling=3))
    assert field_psf(found) is found


def test_a_file_with_a_stamp(tmp_path):
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(star())]).writeto(tmp_path / "star.fits")
    assert_array_equal(field_psf(tmp_path / "star.fits").at(1, 2), star())


def test_a_function_of_the_place():
    found = field_psf(lambda x, y: star() * (x + 2 * y), oversampling=1)
    assert_allclose(found.at(3.0, 4.0), 11 * star())


@pytest.mark.parametrize("oversampling", [1, 2])
def test_image_psf(oversampling):
    """Its own pixels; the sum of a stamp is the light it holds."""
    data = star(oversampling=oversampling)
    found = field_psf(ImagePSF(oversampling**2 * data, oversampling=oversampling))
    assert found.oversampling == oversampling
    assert_allclose(found.at(7, 8), data, atol=1e-12)
    assert found.at(7, 8) is found.at(9, 1)


def test_image_psf_that_is_off_the_middle():
    """Its origin is the middle of the stamp."""
    middle = (star().shape[0] - 1) // 2
    moved = ImagePSF(np.roll(star(), (2, -3), axis=(0, 1)), origin=(middle - 3, middle + 2))
    assert_allclose(field_psf(moved).at(0, 0)[5:-5, 5:-5], star()[5:-5, 5:-5], atol=1e-12)


def gridded(widths, side):
    """Four PSFs at the corners of an image."""
    places = [(0, 0), (side, 0), (0, side), (side, side)]
    stack = np.array([4 * star(width, oversampling=2) for width in widths])
    return GriddedPSFModel(NDData(stack, meta={"grid_xypos": places, "oversampling": 2}))


def test_gridded_psf_is_interpolated_between_its_places():
    model = gridded((2.5, 3.0, 3.5, 4.0), 100)
    found = field_psf(model)
    assert found.oversampling == 2
    inner = (slice(1, -1), slice(1, -1))  # rounding puts pixels of the border outside
    assert_allclose(found.at(0, 0)[inner], star(2.5, oversampling=2)[inner], atol=1e-7)
    assert_allclose(found.at(100, 100)[inner], star(4.0, oversampling=2)[inner], atol=1e-7)
    mean = np.mean([star(width, oversampling=2) for width in (2.5, 3.0, 3.5, 4.0)], axis=0)
    assert_allclose(found.at(50, 50)[inner], mean[inner], atol=1e-7)


def write_psfex(path, stamps, sampling):
    """A file as PSFEx makes it: a constant, and what is added per 100 pixels along x and y."""
    cards = {"POLNAXIS": 2, "POLGRP1": 1, "POLNAME1": "X_IMAGE", "POLZERO1": 1.0, "POLSCAL1": 100.0}
    cards |= {"POLGRP2": 1, "POLNAME2": "Y_IMAGE", "POLZERO2": 1.0, "POLSCAL2": 100.0}
    cards |= {"POLNGRP": 1, "POLDEG1": 1, "PSF_SAMP": sampling, "PSFNAXIS": 3}
    n, n_y, n_x = stamps.shape
    cards |= {"PSFAXIS1": n_x, "PSFAXIS2": n_y, "PSFAXIS3": n}
    column = fits.Column("PSF_MASK", f"{stamps.size}E", dim=f"({n_x},{n_y},{n})", array=[stamps])
    table = fits.BinTableHDU.from_columns([column], header=fits.Header(cards), name="PSF_DATA")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)


def test_psfex_of_degree_0(tmp_path):
    """PSFEx writes no polynomial where the PSF is the same everywhere."""
    stamp = profile(3.0).drawImage(nx=41, ny=41, scale=1.0, method="no_pixel").array
    column = fits.Column("PSF_MASK", "1681E", dim="(41,41,1)", array=[stamp[None]])
    cards = {"POLNAXIS": 0, "PSF_SAMP": 1.0, "PSFNAXIS": 3}
    cards |= {"PSFAXIS1": 41, "PSFAXIS2": 41, "PSFAXIS3": 1}
    table = fits.BinTableHDU.from_columns([column], header=fits.Header(cards), name="PSF_DATA")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "same.psf")
    found = field_psf(tmp_path / "same.psf")
    assert found.oversampling == 1
    assert_allclose(found.at(10, 20)[19, 19], stamp[20, 20], rtol=0.01)
    assert_array_equal(found.at(10, 20), found.at(300, 40))


def test_psfex(tmp_path):
    """A sampling of 0.45 pixels becomes an oversampling of 3, to what GalSim's Lanczos can do."""
    narrow, wide = (
        profile(width).drawImage(nx=81, ny=81, scale=0.45, method="no_pixel").array
        for width in (3.0, 4.0)
    )
    write_psfex(tmp_path / "field.psf", np.array([narrow, wide - narrow, 0 * wide]), 0.45)
    for psf in (tmp_path / "field.psf", DES_PSFEx(str(tmp_path / "field.psf"))):
        found = field_psf(psf)
        assert found.oversampling == 3
        for x, expected in ((0, 3.0), (100, 4.0)):
            stamp = found.at(x, 50.0)
            drawn = galsim.ImageD(*stamp.shape[::-1], scale=1 / 3)
            profile(expected).drawImage(drawn, method="no_pixel")
            assert_allclose(stamp, drawn.array, atol=4e-3 * drawn.array.max())


@pytest.mark.parametrize(
    ("psf", "error", "message"),
    [
        ({}, TypeError, "psf must be a stamp, a model of photutils, .* a function, not dict"),
        (np.zeros((5, 5)), ValueError, "psf has the sum 0"),
        (np.zeros(5), ValueError, "a 2-D stamp is needed"),
        (Gaussian2D(), TypeError, "psf is a Gaussian2D: of models, one of photutils"),
        (ImagePSF(np.ones((9, 9)), oversampling=(2, 3)), ValueError, "oversampled by 2 in y, 3"),
        (ImagePSF(np.ones((9, 9)), oversampling=20), ValueError, "psf_oversampling=20 must be"),
        ("absent.psf", FileNotFoundError, "absent.psf"),
    ],
)
def test_what_is_no_psf(psf, error, message):
    with pytest.raises(error, match=message):
        field_psf(psf)


def test_oversampling_must_be_a_whole_number():
    with pytest.raises(ValueError, match=r"psf_oversampling=1\.5 must be an integer"):
        field_psf(star(), oversampling=1.5)


def test_a_file_without_a_psf(tmp_path):
    Table({"x": [1.0]}).write(tmp_path / "table.fits")
    with pytest.raises(ValueError, match="has no 2-D image"):
        field_psf(tmp_path / "table.fits")


def test_a_file_with_several_images(tmp_path):
    """Models of JWST come oversampled and not, in one file; PSF stands beside images."""
    stamps = {"OVERSAMP": star(), "DET_SAMP": 2 * star()}
    path = write_extensions(tmp_path / "models.fits", stamps)
    message = r"psf=.*models.fits' has 2 images: choose one, as '.*\[OVERSAMP\]'"
    with pytest.raises(ValueError, match=message):
        field_psf(path)
    stamp = field_psf(f"{path}[DET_SAMP]").at(0, 0)
    np.testing.assert_allclose(stamp, stamps["DET_SAMP"])
    path = write_extensions(tmp_path / "galaxy.fits", {"SCI": np.ones((50, 50)), "PSF": star()})
    np.testing.assert_allclose(field_psf(path).at(0, 0), star())


def test_each_source_is_measured_with_the_psf_of_its_place():
    """Stars in an image whose PSF changes by a third: unresolved with it, resolved with one."""
    n = 5
    y, x = SPACING * (0.5 + np.indices((n, n)).reshape(2, -1))
    truth = {"x_0": x, "y_0": y, "flux": np.full(n**2, 2e4), "r_eff": np.zeros(n**2)}
    side = n * SPACING
    field = make_field(render(truth, (side, side), fwhm=lambda x, y: 3 + x / side), mask=None)
    model = gridded((3.0, 4.0, 3.0, 4.0), side)
    seen = []

    def spy(x, y):
        seen.append((x, y))
        return field_psf(model).at(x, y)

    with pytest.warns(AstropyUserWarning, match="of 25 sources are UNRESOLVED: unless they are"):
        right = measure_image(field, psf=FieldPSF(spy, 2))
    with (
        pytest.warns(AstropyUserWarning, match="sources are UNRESOLVED"),  # but those on the right
        pytest.warns(AstropyUserWarning, match="psf does not fit the stars"),
    ):
        wrong = measure_image(field, psf=star(3.0))
    first = 9  # places where it is checked
    assert_allclose(np.sort(np.array(seen)[first : first + n**2, 0]), np.sort(x), atol=0.5)
    last = right["x_centroid"].value > 0.8 * side
    assert (right["r_eff"].value[last] < 0.06).all()
    assert (wrong["r_eff"].value[last] > 0.08).all()
    magnitude = 25 - 2.5 * np.log10(2e4)
    assert np.abs(right["mag"].value - magnitude).max() < 0.05


def test_a_psf_off_the_middle_of_its_stamp_moves_nothing():
    """The galaxies of a small image stay where they are, unless the PSF is meant so."""
    y, x = SPACING * (0.5 + np.indices((2, 2)).reshape(2, -1))
    shape = {"r_eff": np.full(4, 3.0), "n": np.ones(4), "q": np.full(4, 0.6), "theta": 40.0 * y}
    field = make_field(render({"x_0": x, "y_0": y, "flux": np.full(4, 9e3)} | shape, (114, 114)))
    moved = np.roll(star(), (1, -2), axis=(0, 1))
    expected = measure_image(field, psf=star())
    message = r"psf: the star is 2\.24 pixels of the data off .*; it was moved there"
    with pytest.warns(AstropyUserWarning, match=message):
        found = measure_image(field, psf=lambda x, y: moved)
    left = measure_image(field, psf=moved, recenter_psf=False)
    for name, shift in (("x_0", 2), ("y_0", -1)):
        assert_allclose(found[name].value, expected[name].value, atol=0.02)
        assert_allclose(left[name].value - expected[name].value, shift, atol=0.02)


def test_a_model_has_its_own_oversampling():
    fine = ImagePSF(4 * star(oversampling=2), oversampling=2)
    assert field_psf(fine, oversampling=2).oversampling == 2
    with pytest.raises(ValueError, match="psf_oversampling=3, but psf is a model with one of 2"):
        field_psf(fine, oversampling=3)


def test_models_without_pixels():
    found = field_psf(CircularGaussianPRF(fwhm=2.5))
    assert found.oversampling == 3
    assert found.at(1, 2) is found.at(3, 4)


@pytest.mark.filterwarnings("ignore:.* sources are UNRESOLVED and MISFIT")  # it is too wide
def test_the_psf_of_the_image_is_the_default():
    field = make_field(render(truth_table()), psf=star(5.0))
    own, given = (measure_image(field, psf=psf) for psf in (None, star(5.0)))
    assert_allclose(own["r_eff"].value, given["r_eff"].value, rtol=1e-5)


def test_no_psf():
    assert opened(None) is None


def test_a_psf_of_psfex_has_its_own_oversampling():
    class Reader:
        getPSFArray = None
        basis = np.ones((1, 25, 25))

        def getSampleScale(self):
            return 0.5

    assert field_psf(Reader()).oversampling == 2
    with pytest.raises(ValueError, match="psf_oversampling=3, but psf is a PSF of PSFEx with one"):
        field_psf(Reader(), oversampling=3)


def test_field_psf_warns_of_a_contradiction():
    psf = CCDData(star(), unit="", meta={"PIXELSCL": 0.1})
    with pytest.warns(AstropyUserWarning, match="psf_oversampling=2 is used, but PIXELSCL"):
        assert field_psf(psf, oversampling=2, pixel_scale=0.1).oversampling == 2
    assert field_psf(psf).oversampling == 1
