"""Numbers of surveys, as surveycodex lists them."""

import json

import galsim
import numpy as np
import pytest
import surveycodex

from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.surveys import airy_fwhm

BANDS = [
    (name, band)
    for name in surveycodex.available_surveys
    for band in surveycodex.get_survey(name).available_filters
]


@pytest.mark.parametrize(("name", "band"), BANDS)
def test_every_survey_makes_a_config(name, band):
    config = SimulationConfig.from_survey(name, band)
    survey = surveycodex.get_survey(name)
    observed = survey.get_filter(band)
    assert config.name == f"{name}_{band}"
    assert config.pixel_scale == survey.pixel_scale.value
    assert config.zeropoint == observed.zeropoint.value
    assert config.gain == observed.full_exposure_time.value
    # electrons a second of the sky in a pixel, then their shot noise (surveycodex rounds counts)
    rate = 10 ** (-0.4 * (observed.sky_brightness.value - config.zeropoint)) * config.pixel_scale**2
    assert config.sky_noise == pytest.approx(np.sqrt(rate / config.gain), rel=2e-3)
    # the faintest galaxies reach a S/N of 10 in a circle of the PSF's FWHM in radius
    radius = observed.psf_fwhm.value / config.pixel_scale
    flux = 10 ** (-0.4 * (config.priors["mag"].upper - config.zeropoint))
    assert flux / (config.sky_noise * np.sqrt(np.pi * radius**2)) == pytest.approx(10, rel=0.01)
    ground = config.psf.family == "kolmogorov"
    assert ground == (name in ("SDSS", "PanSTARRS", "LSST", "CFHTLS", "HSC", "DES"))
    assert not ground or config.psf.fwhm == observed.psf_fwhm.value
    assert SimulationConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("name", "band", "tolerance"),
    [
        ("Euclid_VIS", "IE", 0.05),
        ("Euclid_NISP", "YE", 0.1),  # far from diffraction limited: widths do not add in square
        ("Roman_WFI", "F158", 0.01),
        ("COSMOS", "f814w", 0.03),
    ],
)
def test_psf_from_space_has_the_listed_width(name, band, tolerance):
    psf = SimulationConfig.from_survey(name, band).psf
    width = psf.fwhm / airy_fwhm(psf.obscuration)
    airy = galsim.Airy(width, obscuration=psf.obscuration)
    drawn = galsim.Convolve(airy, galsim.Gaussian(sigma=psf.jitter)).calculateFWHM()
    listed = surveycodex.get_survey(name).get_filter(band).psf_fwhm.value
    assert drawn == pytest.approx(listed, rel=tolerance)


def test_band_of_a_survey_with_one_band_is_not_needed():
    assert SimulationConfig.from_survey("Euclid_VIS") == SimulationConfig.from_survey(
        "Euclid_VIS", "IE"
    )


def test_unknown_surveys_and_bands_are_named():
    with pytest.raises(ValueError, match=r"name='SKA' is not a survey of surveycodex: .*LSST"):
        SimulationConfig.from_survey("SKA")
    with pytest.raises(ValueError, match=r"band='J' must be one of u, g, r, i, z, y for LSST"):
        SimulationConfig.from_survey("LSST", "J")
    with pytest.raises(ValueError, match=r"band=None must be one of u, g, r, i, z, y for LSST"):
        SimulationConfig.from_survey("LSST")


@pytest.mark.parametrize("obscuration", [0.0, 0.1, 0.33, 0.6, 0.9])
def test_airy_fwhm_is_galsims(obscuration):
    airy = galsim.Airy(1.0, obscuration=obscuration)
    half = airy.xValue(airy_fwhm(obscuration) / 2, 0) / airy.xValue(0, 0)
    assert half == pytest.approx(0.5, rel=1e-3)  # GalSim interpolates a table
    if obscuration == 0:
        assert airy_fwhm(0) == pytest.approx(airy.fwhm)
