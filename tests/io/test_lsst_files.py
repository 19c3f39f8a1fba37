"""The archives of tables in exposures of the LSST stack."""

import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from helpers.archives import archive_index, photo_calib
from numpy.testing import assert_allclose

from sersicnet.io.lsst_files import calibration_cards, stored_rows

ROWS = [(3, 1, 0, 0, 1, "PhotoCalib", ""), (7, 1, 0, 1, 1, "PhotoCalib", "")]


def exposure(mean, *, card="PHOTOCALIB_ID", number=7, **kind):
    """An exposure whose calibration is the second row of its table."""
    primary = fits.PrimaryHDU()
    primary.header[f"HIERARCH {card}"] = number
    return fits.HDUList([primary, archive_index(ROWS), photo_calib(mean, **kind)])


@pytest.mark.parametrize("card", ["PHOTOCALIB_ID", "ARCHIVE_ID_PHOTOCALIB"])
def test_the_calibration_of_the_exposure_and_not_of_others(card):
    hdus = exposure(57.54, card=card)
    name, rows = stored_rows(hdus, "PHOTOCALIB")
    assert name == "PhotoCalib"
    assert [len(part) for part in rows] == [1]
    cards = calibration_cards(hdus, "coadd.fits")
    assert_allclose(cards["FLUXMAG0"], 10 ** (0.4 * 31.4) / 57.54)


@pytest.mark.parametrize("number", [0, 5])
def test_no_such_object(number):
    hdus = exposure(57.54, number=number)
    assert stored_rows(hdus, "PHOTOCALIB") == ("", [])
    assert calibration_cards(hdus, "coadd.fits") == {}
    assert stored_rows(hdus, "PSF") == ("", [])
    assert stored_rows(hdus[:1], "PHOTOCALIB") == ("", [])


@pytest.mark.parametrize("mean", [0.0, -1.0, float("nan")])
def test_a_calibration_that_is_none(mean):
    assert calibration_cards(exposure(mean), "coadd.fits") == {}


def test_a_calibration_that_changes_over_the_image():
    hdus = exposure(1.0, constant=False)
    with pytest.warns(AstropyUserWarning, match=r"v\.fits: its zero point changes .* of 31.400"):
        calibration_cards(hdus, "v.fits")
