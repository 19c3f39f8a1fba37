"""Fluxes of galaxies that one band, or all exposures together, do not show."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags, Model
from sersicnet.inference.band_batches import _keep_unseen
from sersicnet.inference.linear_fluxes import LEAST_SNR

SIDE = 40
WIDTH = 1.4
N = 20
ENDS = ("", "_err", "_lo", "_hi")


def gaussian(width):
    axis = np.arange(SIDE) - (SIDE - 1) / 2
    image = np.exp(-(axis**2 + axis[:, None] ** 2) / (2 * width**2))
    return image / image.sum()


def cutouts(snr, seed, n=N):
    """Galaxies of one S/N in nJy, and their flux."""
    galaxy = gaussian(np.hypot(WIDTH, 2))
    flux = snr / np.sqrt(np.square(galaxy).sum())
    images = np.random.default_rng(seed).normal(size=(n, SIDE, SIDE))
    images += np.resize(flux, (n, 1, 1)) * galaxy
    return NDData(images, unit="nJy", uncertainty=StdDevUncertainty(np.ones_like(images))), flux


def measure(net, images, **options):
    given = {"psf": gaussian(WIDTH), "pixel_scale": 0.1} | options
    return net.predict(images, **given)


@pytest.fixture(scope="module", params=[0, 2])
def faint(request, net):
    """Galaxies that are bright in one band and hardly there in another."""
    bright, _ = cutouts(60, seed=1)
    dark, flux = cutouts(request.param, seed=2)
    return measure(net, {"g": bright, "r": dark}), flux


def test_fluxes_of_a_band_have_little_bias(faint):
    """Of what it does not show: place and shape are those of the other band."""
    results, truth = faint
    table = results.to_table(fluxes=True)
    unseen = results.band("r").not_detected
    assert unseen.any()
    flux, error = (table[name].value for name in ("flux_r", "flux_r_err"))
    pulls = (flux - truth)[unseen] / error[unseen]
    if truth == 0:
        assert unseen.mean() > 0.8
        assert abs(pulls.mean()) < 0.9
        assert 0.5 < pulls.std() < 1.6
    assert (flux[unseen] < LEAST_SNR * error[unseen]).all()
    assert np.isfinite(flux).all()


def test_magnitudes_and_colors_are_of_what_is_detected(faint):
    results, _ = faint
    table = results.to_table()
    unseen = results.band("r").not_detected
    for end in ENDS:
        assert_array_equal(np.isnan(table[f"mag_r{end}"]), unseen)
        assert np.isfinite(table[f"mag_g{end}"]).all()
        assert np.isfinite(table[f"mag{end}"]).all()
    assert_array_equal(np.isnan(table["color_g_r"]), unseen)
    assert_array_equal(np.isnan(results.color("r", "g")[1]), unseen)
    assert_array_equal(np.isnan(results.band("r").median("mag")), unseen)
    assert (table["flags_r"][unseen] & int(Flags.LOW_SNR) > 0).all()
    again = results[unseen]
    assert again.band("r").not_detected.all()
    assert not again.not_detected.any()


def test_a_reference_that_does_not_show_a_galaxy(net):
    dark, _ = cutouts(0, seed=3, n=4)
    bright, _ = cutouts(60, seed=4, n=4)
    results = measure(net, {"g": dark, "r": bright})
    table = results.to_table(fluxes=True)
    unseen = results.not_detected
    assert unseen.any()
    assert_array_equal(unseen, results.band("g").not_detected)
    for name in ("mag", "mag_g"):
        assert_array_equal(np.isnan(table[name]), unseen)
    assert np.isfinite(table["mag_r"]).all()
    assert_array_equal(table["flux"][unseen], table["flux_g"][unseen])
    assert_array_equal(np.isnan(results.median("mag")), unseen)


def test_parts_have_no_magnitude_in_a_band_that_shows_nothing(net):
    bright, _ = cutouts(80, seed=5, n=3)
    dark, _ = cutouts(0, seed=6, n=3)
    images = {"g": bright, "r": dark}
    results = measure(net, images, model=Model("point+sersic"))
    table = results.to_table(fluxes=True)
    unseen = results.band("r").not_detected
    assert unseen.any()
    for name in ("mag_point_r", "mag_host_r", "flux_host_r"):
        assert_array_equal(np.isnan(table[name])[unseen], True)
    assert np.isfinite(table["flux_r"][unseen]).all()


@pytest.mark.filterwarnings("ignore:.*could not be fitted in several bands")
def test_exposures_show_a_galaxy_together(net):
    """Two of a S/N of 5 each, beside two of nothing: one flux, and one judgement."""
    images = {f"e{seed}": cutouts(np.array([5, 5, 0, 0]), seed, n=4)[0] for seed in (7, 8, 9)}
    results = measure(net, images, exposures=True)
    table = results.to_table(fluxes=True)
    unseen = results.not_detected
    assert not unseen[:2].any()
    assert unseen[2:].any()
    for band in images:
        assert_array_equal(np.isnan(table[f"mag_{band}"]), unseen)
        assert_array_equal(table[f"flux_{band}"][unseen], table["flux"][unseen])


def test_exposures_are_weighted():
    found = {}
    for band, flux, error in (("e1", 2.5, 1.0), ("e2", 5.0, 2.0), ("e3", np.nan, np.nan)):
        columns = {"flux": np.array([flux, flux / 2]), "flux_err": np.full(2, error)}
        stamps = SimpleNamespace(with_flags=np.array)
        found[band] = stamps, None, np.ones((7, 3, 2)), columns
    expected = [(2.5 + 5 / 4) / 1.25, (2.5 + 5 / 4) / 2.5]
    error = 1.25**-0.5
    _keep_unseen(found, exposures=True)
    for flags, *_, columns in found.values():
        assert_array_equal(flags, [0, int(Flags.LOW_SNR)])
        assert_allclose(columns["flux"], [np.nan, expected[1]])
        assert_allclose(columns["flux_err"], [np.nan, error])
    assert expected[0] > LEAST_SNR * error > expected[1]
