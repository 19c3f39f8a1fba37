"""Tests of galaxies that are not detected: a flux without a prior, and no magnitude."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from helpers.refined import FEW

from sersicnet import Flags, Model, NormalPrior, Population, SersicResults
from sersicnet.inference.linear_fluxes import LEAST_SNR

SNR = (0, 0, 0, 40, 40)
SIDE = 48
WIDTH = 1.4
REFINES = (None, "lm", FEW)
MAGNITUDES = ("mag", "mag_err", "mag_lo", "mag_hi", "mu_mean", "mu_0")


def gaussian(width):
    axis = np.arange(SIDE) - (SIDE - 1) / 2
    image = np.exp(-(axis**2 + axis[:, None] ** 2) / (2 * width**2))
    return image / image.sum()


def cutouts_of(*snr, seed=7):
    """Galaxies of a S/N each, in nJy."""
    galaxy = gaussian(np.hypot(WIDTH, 2))
    flux = np.array(snr, dtype=float) / np.sqrt(np.square(galaxy).sum())
    images = np.random.default_rng(seed).normal(size=(len(snr), SIDE, SIDE))
    images += flux[:, None, None] * galaxy
    return NDData(images, unit="nJy", uncertainty=StdDevUncertainty(np.ones_like(images)))


def measure(net, cutouts, **options):
    given = {"psf": gaussian(WIDTH), "pixel_scale": 0.1} | options
    return net.predict(cutouts, **given)


@pytest.fixture(scope="module", params=REFINES)
def found(request, net):
    """Three of noise alone, and two galaxies."""
    return measure(net, cutouts_of(*SNR), refine=request.param)


def test_a_magnitude_of_noise_is_not_a_number(found):
    lost = found.not_detected
    assert lost[:3].any()
    assert not lost[3:].any()
    table = found.to_table(fluxes=True)
    assert (table["flags"][lost] & Flags.LOW_SNR > 0).all()
    for name in MAGNITUDES:
        values = np.array(table[name].value)
        np.testing.assert_array_equal(np.isnan(values), lost)
    for values in (found.median("mag"), found.error("mag"), *found.interval("mag")):
        np.testing.assert_array_equal(np.isnan(values), lost)
    for name in ("r_eff", "n", "q", "x_0"):
        assert np.isfinite(found.median(name)).all()


def test_fluxes_are_linear(found):
    table = found.to_table(fluxes=True)
    lost = found.not_detected
    snr = (table["flux"] / table["flux_err"]).value
    assert (snr[lost] < LEAST_SNR).all()
    assert (snr[~lost] > LEAST_SNR).all()
    assert np.isfinite(snr).all()


def test_dialects_have_the_same(found):
    lost = found.not_detected
    named = found.to_table(dialect="lsst")
    fluxes = found.to_table(columns=["flux", "flux_err"])
    for name, own in (("sersicFlux", "flux"), ("sersicFluxErr", "flux_err")):
        np.testing.assert_allclose(named[name].value[lost], fluxes[own].value[lost], rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(found.to_table(dialect="sextractor")["MAG_MODEL"]), lost)


def test_models_are_those_of_the_posterior(found, tmp_path):
    row = np.flatnonzero(found.not_detected)[0]
    cutout = cutouts_of(*SNR).data[row]
    image = found.model_image(row, cutout)
    assert np.isfinite(image).all()
    assert np.isfinite(found.residual(row, cutout)).all()
    assert np.isfinite(found.to_model(row).amplitude)
    assert "nan" not in found.to_galfit(tmp_path / "start.feedme", index=int(row)).read_text()


def test_samples_and_parts_of_results_stay(found):
    lost = found.not_detected
    assert np.isfinite(found.samples(20)["mag"]).all()
    np.testing.assert_array_equal(found[lost].not_detected, True)
    joined = SersicResults.concatenate([found[:2], found[2:]])
    np.testing.assert_array_equal(joined.not_detected, lost)


def test_negative_fluxes_are_negative(net):
    found = measure(net, cutouts_of(*[-6] * 4))
    table = found.to_table(fluxes=True)
    assert found.not_detected.all()
    assert (table["flux"] < 0).any()


def test_fluxes_without_a_sky_are_projections_on_the_model(net):
    """A sky that is known to be zero adds nothing."""
    cutouts = cutouts_of(*[0] * 4)
    found = measure(net, cutouts, refine="lm", sky="fixed")
    lost = np.flatnonzero(found.not_detected)
    assert len(lost)
    for row in lost:
        image = cutouts.data[row]
        model = found.model_image(row, image)
        flux = (image * model).sum() / np.square(model).sum()
        flux *= 10 ** (-0.4 * (found.quantiles[0, 1, row] - 31.4))
        error = found.columns["flux_err"][row]
        np.testing.assert_allclose(found.columns["flux"][row], flux, atol=0.05 * error)


def test_a_known_magnitude_is_kept(net):
    model = Model("sersic", fixed={"mag": 29.6})
    found = measure(net, cutouts_of(0, 0), model=model, refine="lm")
    measured = np.isfinite(found.median("r_eff"))
    assert measured.any()
    np.testing.assert_array_equal(found.median("mag")[measured], 29.6)


@pytest.mark.parametrize("refine", ["lm", FEW])
@pytest.mark.filterwarnings("ignore:.*could not be fitted with this model")
def test_a_magnitude_with_a_narrow_prior_is_that_of_the_posterior(net, refine):
    """A wide one is no knowledge: its posterior is a limit, as that of a fit at its bound."""
    errors = np.array([0.1, 0.1, 0.1, 3.0])
    model = Model("sersic", priors={"mag": NormalPrior(np.full(4, 28.4), errors)})
    found = measure(net, cutouts_of(0, 0, 0, 0), model=model, refine=refine)
    shown = np.isfinite(found.median("mag"))
    assert shown[:3].any()
    assert not shown[3]
    assert (np.abs(found.median("mag") - 28.4)[shown] < 0.4).all()
    assert (found.error("mag")[shown] < 0.15).all()
    assert (found.flags[shown] & int(Flags.LOW_SNR) > 0).all()
    assert not (found.flags[shown] & int(Flags.AT_BOUND)).any()
    flux = found.to_table(fluxes=True)["flux"].value
    expected = 10 ** (-0.4 * (found.median("mag") - 31.4))
    np.testing.assert_allclose(flux[shown], expected[shown], rtol=1e-3)


def test_magnitudes_of_parts_are_not_shown(found):
    numbers = np.arange(1.0, 1 + len(found))
    added = {"mag_bulge": numbers, "mag_bulge_err": numbers, "mag_tension": numbers, "sky": numbers}
    table = replace(found, columns=found.columns | added).to_table()
    for name in ("mag_bulge", "mag_bulge_err"):
        np.testing.assert_array_equal(np.isnan(table[name].value), found.not_detected)
    for name in ("mag_tension", "sky"):
        np.testing.assert_array_equal(table[name], numbers)


def test_a_population_has_them_as_well(net):
    found = measure(net, cutouts_of(*[0] * 3, *[40] * 3))
    known = Population.known(lambda mag, log_r_eff, n, q: 0.6 * np.log(10) * mag)
    again = known.reweight(found)
    np.testing.assert_array_equal(again.not_detected, found.not_detected)
    np.testing.assert_array_equal(np.isnan(again.median("mag")), found.not_detected)


def test_correlated_noise_hides_more(net):
    from scipy.ndimage import gaussian_filter

    plain = cutouts_of(*[5] * 6)
    noise = np.random.default_rng(3).normal(size=plain.data.shape)
    noise = np.array([gaussian_filter(image, 1.0) for image in noise])
    data = cutouts_of(*[5] * 6).data
    data = data - cutouts_of(*[0] * 6).data + noise / noise.std()
    images = NDData(data, unit="nJy", uncertainty=StdDevUncertainty(np.ones_like(data)))
    assert measure(net, images).not_detected.sum() > measure(net, plain).not_detected.sum()
