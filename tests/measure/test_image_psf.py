"""Which PSF an image has, and what is checked and moved of it."""

import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fields import make_field, star
from helpers.fits_files import write_extensions
from numpy.testing import assert_allclose

from sersicnet.measure.field import open_field
from sersicnet.measure.image import measure_image
from sersicnet.measure.image_psf import centered_psf, open_psf
from sersicnet.measure.options import Options
from sersicnet.measure.psf import FieldPSF, field_psf


def opened(psf, **options):
    """The PSF of an image of pixels of 0.1 arcsec."""
    with open_field(np.zeros((100, 100))) as field:
        return open_psf(field, Options(psf=psf, **options), 0.1, stacklevel=1)


def test_a_psf_that_is_off_somewhere_is_moved_everywhere():
    def at(x, y):
        return 0.9 * np.roll(star(), int(x > 50), axis=1)

    psf, checks = centered_psf(FieldPSF(at), (100, 100), normalize=False)
    assert sum(check.is_off_center for check in checks) == 3
    for place in ((0, 0), (99, 0)):
        assert_allclose(psf.at(*place), 0.9 * star(), atol=1e-3 * star().max())
    same, _ = centered_psf(FieldPSF(at), (100, 100), normalize=False, recenter=False)
    assert same.at is at


def test_a_centered_psf_stays_as_it_is():
    given = field_psf(star())
    assert centered_psf(given, (100, 100))[0] is given


def test_a_constant_level_warns():
    level = 1e-3 * star().max()
    with pytest.warns(AstropyUserWarning, match=r"psf: a constant level of 0\.1 % of the peak"):
        opened(star() + level)


@pytest.mark.parametrize("psf", [np.ones((21, 21)), lambda x, y: np.ones((21, 21))])
def test_what_is_no_star(psf):
    with pytest.raises(ValueError, match="psf is flat: its border is at 100 % of its peak"):
        measure_image(make_field(np.zeros((40, 40)), mask=None), psf=psf)


def test_a_share_of_more_than_all_the_light():
    with pytest.raises(ValueError, match=r"psf has the sum 4, which normalize_psf=False"):
        opened(4 * star(), normalize_psf=False)


@pytest.mark.parametrize("where", ["file", "CCDData", "image", "image in a file"])
def test_an_oversampled_psf_whose_header_says_so(where, tmp_path):
    """A psf of half the pixels of its image."""
    cards = {"PIXELSCL": 0.05, "OVERSAMP": 4}
    fine = star(oversampling=2)
    psf = CCDData(fine, unit="", meta=cards)
    image = CCDData(np.zeros((100, 100)), unit="adu", meta={"PIXSCALE": 0.1})
    if where == "file":
        psf = write_extensions(tmp_path / "psf.fits", {"PSF": (fine, cards)})
    if where == "image":
        image.psf = fine
        image.meta["PSFSCALE"] = 0.05
        psf = None
    if where == "image in a file":
        parts = {"SCI": (image.data, {"PIXSCALE": 0.1}), "PSF": (fine, cards)}
        image = write_extensions(tmp_path / "image.fits", parts)
        psf = None
    with open_field(image) as field:
        found = open_psf(field, Options(psf=psf), 0.1, stacklevel=1)
        assert found.oversampling == 2
        assert_allclose(found.at(3, 4), fine)
        with pytest.warns(
            AstropyUserWarning, match="psf: psf_oversampling=1 is used, but PIXELSCL"
        ):
            assert open_psf(field, Options(psf=psf, psf_oversampling=1), 0.1, stacklevel=1)
        with pytest.raises(ValueError, match="which is no whole number"):
            open_psf(field, Options(psf=psf), 0.08, stacklevel=1)


def test_what_is_kept_of_a_psf_that_is_moved():
    """Where it comes from, and the pixels of its image."""
    at = field_psf(np.roll(star(), 1, axis=1)).at
    psf = FieldPSF(at, source="stars", pixel_scale=0.1)
    moved, checks = centered_psf(psf, (100, 100))
    assert checks[0].is_off_center
    assert moved.source == "stars"
    assert moved.pixel_scale == 0.1
