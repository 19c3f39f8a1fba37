"""What a PSF says of its pixels, and which oversampling follows."""

import logging

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, NDData
from helpers.sky import make_wcs

from sersicnet.io.psf_sampling import (
    PSFSampling,
    find_oversampling,
    header_sampling,
    header_wcs,
    own_psf,
    psf_cards,
    sampling_of,
    split_psf,
)

STAMP = np.ones((3, 3))
# Headers of STPSF for NIRCam: the fine pixels, and those of the detector.
FINE = {"PIXELSCL": 0.0157, "OVERSAMP": 4, "DET_SAMP": 4}
DETECTOR = {"PIXELSCL": 0.063, "OVERSAMP": 1, "DET_SAMP": 4, "CALCSAMP": 4}


def wcs_of(scale):
    return make_wcs(scale=scale, angle=0.3, crval=(150.0, 2.0), crpix=(2.0, 2.0))


@pytest.mark.parametrize(
    ("header", "scale", "oversampling"),
    [
        (FINE, 0.0157, 4),
        (DETECTOR, 0.063, 1),
        ({"PIXSCALE": "0.03"}, 0.03, None),
        ({"GS_SCALE": 0.1}, 0.1, None),
        ({"CDELT1": -0.25, "CDELT2": 2**-13}, 3600 / 2**13, None),
        ({"SAMP": 3}, None, 3),
        ({"DET_SAMP": 2}, None, 2),
        ({"PIXELSCL": 0.03, "OVERSAMP": 2.5}, 0.03, 2.5),
        ({"OVERSAMP": 3, "PIXSCALE": -1}, None, 3),
    ],
)
def test_cards(header, scale, oversampling):
    for found in (sampling_of(NDData(STAMP, meta=header)), header_sampling(fits.Header(header))):
        assert (found.pixel_scale, found.oversampling) == (scale, oversampling)


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"PIXSCALE": 3600.0},
        {"OVERSAMP": 99},
        {"PIXSCALE": "?"},
        {"GS_SCALE": 1.0},  # of an image whose scale GalSim does not know
        {"CDELT1": 1.0, "CDELT2": 1.0},
        {"CTYPE1": "LINEAR", "CDELT2": 1e-4},
    ],
)
def test_nothing_is_said(header):
    assert sampling_of(NDData(STAMP, meta=header)) is None
    assert sampling_of(STAMP) is None
    assert psf_cards(header_sampling(fits.Header(header))) == {}


def test_a_wcs():
    found = sampling_of(CCDData(STAMP, unit="", wcs=wcs_of(0.02), meta={"PIXSCALE": 0.5}))
    assert found.pixel_scale == pytest.approx(0.02)
    header = wcs_of(0.02).to_header()
    assert header_sampling(header).pixel_scale == pytest.approx(0.02)
    assert header_wcs(fits.Header({"CTYPE1": "RA---TAN"})) is None  # cannot be read
    assert header_wcs(fits.Header({"CDELT1": 1.0})) is None


def test_cutouts_keep_what_their_psf_says():
    meta = psf_cards(header_sampling(fits.Header(FINE)))
    cutout = CCDData(STAMP, unit="nJy", psf=STAMP, meta=meta)
    assert sampling_of(own_psf(cutout)).pixel_scale == 0.0157
    assert sampling_of(own_psf(cutout)).oversampling == 4
    assert own_psf(CCDData(STAMP, unit="nJy", psf=STAMP)) is STAMP
    assert own_psf(CCDData(STAMP, unit="nJy", meta={"PSFSCALE": 1.0})) is None
    psf = NDData(STAMP, meta=FINE)
    assert own_psf(NDData(STAMP, psf=psf)) is psf


def test_arrays_in_the_place_of_nddata():
    masked = NDData(STAMP, mask=np.eye(3, dtype=bool))
    psf, samplings = split_psf([NDData(STAMP, meta=FINE), STAMP, masked, None])
    assert [each is None for each in samplings] == [False, True, True, True]
    assert isinstance(psf[0], np.ndarray)
    assert np.ma.is_masked(psf[2])
    assert split_psf(STAMP) == (STAMP, [])
    assert split_psf(NDData(STAMP, mask=False))[0].tolist() == STAMP.tolist()


@pytest.mark.parametrize(
    ("sampling", "given", "image", "right"),
    [
        (None, None, 0.03, 1),
        (None, 3, 0.03, 3),
        (PSFSampling(0.015, None, "PIXELSCL"), None, 0.03, 2),
        (PSFSampling(0.0157, 4, "PIXELSCL"), None, 0.063, 4),
        (PSFSampling(0.0157, 4, "PIXELSCL"), 4, 0.063, 4),
        (PSFSampling(0.063, 1, "PIXELSCL"), None, 0.063, 1),
        # the detector has other pixels than the mosaic
        (PSFSampling(0.0155, 4, "PIXELSCL"), None, 0.031, 2),
        (PSFSampling(0.0155, 4, "PIXELSCL"), None, None, 4),
        (PSFSampling(None, 4, "OVERSAMP"), None, 0.031, 4),
        # rounded
        (PSFSampling(0.0157, None, "PIXELSCL"), None, 0.031, 2),
    ],
)
def test_the_oversampling(sampling, given, image, right, caplog):
    with caplog.at_level(logging.INFO, "sersicnet"):
        assert find_oversampling(sampling, given, image) == (right, None)
    logged = f"psf: psf_oversampling={right}, because "
    assert (logged in caplog.text) == (given is None and right > 1)


@pytest.mark.parametrize(
    ("sampling", "given", "doubt"),
    [
        (
            PSFSampling(0.015, None, "PIXELSCL"),
            1,
            "psf_oversampling=1 is used, but PIXELSCL says pixels of 0.015 arcsec, the image has "
            "0.03: 2 of them on a side",
        ),
        (PSFSampling(0.03, None, "its WCS"), 2, "psf_oversampling=2 is used, but its WCS says"),
        (PSFSampling(None, 4, "OVERSAMP"), 2, "but the PSF says that it is oversampled by 4"),
        (PSFSampling(0.04, None, "PIXSCALE"), 1, "of 0.04 arcsec, the image has 0.03: 0.75 of"),
    ],
)
def test_a_contradiction_that_the_user_decides(sampling, given, doubt):
    oversampling, found = find_oversampling(sampling, given, 0.03)
    assert oversampling == given
    assert doubt in found


@pytest.mark.parametrize("scale", [0.031 / 1.5, 0.05, 1.0, 0.0005])
def test_no_whole_number_of_pixels(scale):
    message = r"psf: PIXSCALE says pixels of .* which is no whole number: .* pass psf_oversampling="
    with pytest.raises(ValueError, match=message):
        find_oversampling(PSFSampling(scale, None, "PIXSCALE"), None, 0.031)


def test_no_whole_oversampling():
    message = "psf: the PSF says that it is oversampled by 2.5, which is no whole number"
    with pytest.raises(ValueError, match=message):
        find_oversampling(sampling_of(NDData(STAMP, meta={"OVERSAMP": 2.5})), None, 0.03)


def test_a_psf_of_stpsf_without_the_response_of_the_pixel():
    sampling = sampling_of(NDData(STAMP, meta=FINE | {"EXTNAME": "OVERDIST"}))
    assert "do not have the response" in find_oversampling(sampling, None, 0.063)[1]
    sampling = sampling_of(NDData(STAMP, meta=DETECTOR | {"EXTNAME": "DET_DIST"}))
    assert find_oversampling(sampling, None, 0.063) == (1, None)
