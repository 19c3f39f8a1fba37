"""What is logged about a prediction."""

import logging

import numpy as np
import pytest
from astropy.nddata import CCDData, NDData

from sersicnet import SersicNet


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


def cutouts():
    """A galaxy in pixels of two sizes, and one that has no data."""
    y, x = np.mgrid[-32:32, -32:32] + 0.5
    galaxy = 100 * np.exp(-np.hypot(x, y) / 4) + np.random.default_rng(1).normal(size=x.shape)
    star = np.exp(-(x**2 + y**2) / 5)[16:-16, 16:-16]
    found = []
    for scale, data in ((0.1, galaxy), (0.2, galaxy), (0.2, np.nan * galaxy)):
        meta = {"PIXSCALE": scale, "MAGZP": 25.0}
        found.append(CCDData(data, unit="adu", meta=meta, psf=star))
    return found


def test_units_noise_psf_and_results(net, caplog):
    caplog.set_level(logging.INFO, "sersicnet")
    net.predict(cutouts())
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "3 cutouts: adu, zero point 25.0000 (MAGZP), 0.1 to 0.2 arcsec per pixel" in text
    assert "noise: estimated from the border of " in text
    assert "PSF: 1 different, FWHM " in text
    assert "3 rows, 1 without a result; flags: NO_DATA 1, " in text


def test_options_of_a_fit_without_one(net, caplog):
    caplog.set_level(logging.INFO, "sersicnet")
    options = {"sky_err": 0.1, "noise_correlation": None}
    net.predict(cutouts()[:1], **options)
    for name in options:
        assert f"{name}= is not used without refine=" in caplog.text
    assert "sky= " not in caplog.text
    caplog.clear()
    net.predict(cutouts()[:1], refine="lm", sky="free")
    net.predict(cutouts()[:1])
    assert "not used" not in caplog.text


def test_a_stack_is_one_input(net, caplog):
    caplog.set_level(logging.INFO, "sersicnet")
    first = cutouts()[0]
    net.predict(np.stack([first.data] * 2), psf=first.psf, pixel_scale=0.1, zeropoint=25)
    assert "2 cutouts: no unit, zero point 25.0000" in caplog.text


def test_words_for_units(net, caplog):
    caplog.set_level(logging.INFO, "sersicnet")
    data = cutouts()[0].data
    psf = cutouts()[0].psf
    net.predict([CCDData(data, unit="", meta={"PIXSCALE": 0.1, "MAGZP": 25.0}, psf=psf)])
    assert "1 cutout: no unit, zero point 25.0000 (MAGZP)" in caplog.text
    net.predict([CCDData(data, unit="MJy / sr", meta={"PIXSCALE": 0.1}, psf=psf)])
    assert "(the unit MJy / sr and the area of a pixel), 0.1 arcsec per pixel" in caplog.text


def test_the_mask_and_its_bits(net, caplog):
    caplog.set_level(logging.INFO, "sersicnet")
    galaxy = cutouts()[0]
    mask = np.zeros(galaxy.shape, int)  # CCDData makes booleans of it
    cutout = NDData(galaxy.data, unit="adu", mask=mask, meta=galaxy.meta, psf=galaxy.psf)
    meta = dict(cutout.meta)
    results = net.predict([cutout])
    assert "mask: mask, all bits are bad (unknown product) (first cutout)" in caplog.text
    assert results.meta["MASKFROM"] == "mask, all bits are bad (unknown product)"
    cutout.meta["TELESCOP"] = "JWST"
    assert net.predict([cutout]).meta["MASKFROM"] == "mask, bad are DO_NOT_USE (JWST)"
    cutout.mask = cutout.mask > 0
    assert "MASKFROM" not in net.predict([cutout]).meta
    assert dict(cutout.meta) == meta | {"TELESCOP": "JWST"}


def test_nothing_is_logged_without_being_asked(net, caplog):
    net.predict(cutouts()[:1])
    assert not caplog.records
