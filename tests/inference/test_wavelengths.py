"""Wavelengths of bands, and galaxies whose structure changes with them."""

import astropy.units as u
import numpy as np
import pytest
from helpers.banded import TRUTH, draw_band
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Model
from sersicnet.inference.wavelengths import log_wavelengths, without_wavelengths

WAVELENGTH = {"g": 0.48, "r": 620 * u.nm, "z": 0.9}
SLOPES = {"r_eff_slope": -0.5, "n_slope": 2.0}


def test_units():
    found = log_wavelengths({"v": 300 * u.THz, "h": 1.0}, ["h", "v"])
    assert_allclose(10**found, [1.0, 0.99931], rtol=1e-4)


@pytest.mark.parametrize(
    ("wavelength", "error", "words"),
    [
        (None, TypeError, "wavelength=None must be a dict with the wavelength of each band"),
        (0.5, TypeError, "wavelength=0.5 must be a dict"),
        ({"g": 0.5}, ValueError, "wavelength has no band 'r'"),
        ({"g": 0.5, "r": 0.6, "i": 0.7}, ValueError, "wavelength has a band 'i', but there are"),
        ({"g": -0.5, "r": 0.6}, ValueError, "of the band 'g' is -0.5: one positive number"),
        ({"g": [0.5, 0.6], "r": 0.6}, ValueError, "of the band 'g' is .*: one positive number"),
        ({"g": "blue", "r": 0.6}, TypeError, "of the band 'g' is 'blue': a number of micron"),
        ({"g": 0.5 * u.s, "r": 0.6}, u.UnitConversionError, "band 'g' is 0.5 s: a length"),
        (
            {"g": 4800, "r": 6200},
            ValueError,
            "'g' is 4800: numbers are micron and between 0.01 and",
        ),
        ({"g": 0.48, "r": 620.0}, ValueError, "'r' is 620.0: .* need a unit, such as 620 "),
        ({"g": 0.5, "r": 500 * u.nm}, ValueError, "wavelength is 0.5 micron in all bands"),
    ],
)
def test_impossible_wavelengths(wavelength, error, words):
    with pytest.raises(error, match=words):
        log_wavelengths(wavelength, ["g", "r"])


def test_lengths_with_a_unit_may_be_long():
    found = log_wavelengths({"g": 0.5, "r": 21 * u.cm}, ["g", "r"])
    assert_allclose(10**found, [0.5, 210000], rtol=1e-12)


@pytest.mark.parametrize("name", ["gain", "zeropoint", "noise_correlation"])
def test_values_of_bands_without_bands(name):
    with pytest.raises(ValueError, match=rf"{name} has values of bands \(g, 2\): cutouts must be"):
        without_wavelengths({name: {"g": 1, 2: 1}}, Model("sersic"))


def test_psfs_of_bands_without_bands():
    with pytest.raises(TypeError, match=r"psf=.*'g'.* 2-D array of numbers: .* a dict of cutouts"):
        without_wavelengths({"psf": {"g": np.ones((3, 3))}}, Model("sersic"))


@pytest.fixture(scope="module")
def cutouts():
    """Two galaxies that are smaller and steeper in red; the second is seen in one band only."""
    found = {}
    waves = log_wavelengths(WAVELENGTH, list(WAVELENGTH))
    for number, band in enumerate(WAVELENGTH):
        away = waves[number] - waves[0]
        found[band] = []
        for row in range(2):
            shape = {
                "r_eff": TRUTH["r_eff"] * 10 ** (SLOPES["r_eff_slope"] * away),
                "n": TRUTH["n"] + SLOPES["n_slope"] * away,
            }
            found[band].append(draw_band(16.5, seed=10 * row + number, shape=shape))
    found["r"][1] = found["z"][1] = None
    return found


@pytest.fixture(scope="module")
def results(net, cutouts):
    model = Model("sersic", chromatic=True)
    return net.predict(cutouts, model=model, wavelength=WAVELENGTH)


def test_slopes_come_back(results):
    table = results.to_table()
    for name, truth in (SLOPES | {"r_eff": TRUTH["r_eff"], "n": TRUTH["n"]}).items():
        value = float(getattr(table[name][0], "value", table[name][0]))
        error = float(getattr(table[f"{name}_err"][0], "value", table[f"{name}_err"][0]))
        assert abs(value - truth) < 4.5 * error, name
        assert error < 0.5, name
    assert table["r_eff_slope"].info.description


def test_each_band_has_its_structure(results):
    away = np.log10(WAVELENGTH["z"] / WAVELENGTH["g"])
    found = results.band("z").median("n")[0] - results.median("n")[0]
    assert_allclose(found, away * results.to_table()["n_slope"][0], atol=0.02)
    ratio = np.log10(results.band("z").median("r_eff")[0] / results.median("r_eff")[0])
    assert_allclose(ratio, away * results.to_table()["r_eff_slope"][0], atol=0.005)


def test_one_band_shows_no_slope(results):
    table = results.to_table()
    for name in SLOPES:
        assert np.isnan(table[name][1])
        assert np.isnan(table[f"{name}_err"][1])
    assert np.isfinite(table["n"][1])


def test_samples_have_slopes(results):
    drawn = results.samples(500, seed=2)["n_slope"]
    table = results.to_table()
    assert_allclose(drawn[0].std(), table["n_slope_err"][0], rtol=0.2)
    assert np.isnan(drawn[1]).all()


def test_meta_says_so(results, net, cutouts):
    assert results.meta["MODEL"] == "sersic (chromatic)"
    plain = net.predict({band: images[1:] for band, images in cutouts.items()})
    assert "n_slope" not in plain.to_table().colnames
    assert "n_slope" not in plain.samples(2)
    assert "MODEL" not in plain.meta
    assert_array_equal(plain.posterior.is_chromatic, False)


def test_calls_that_make_no_sense(net, cutouts):
    model = Model("sersic", chromatic=True)
    with pytest.raises(TypeError, match="wavelength=None must be a dict"):
        net.predict(cutouts, model=model)
    with pytest.raises(ValueError, match=r"chromatic=True.* is for several bands"):
        net.predict(cutouts["g"], model=model)
    with pytest.raises(ValueError, match=r"wavelength=.* is for several bands"):
        net.predict(cutouts["g"], wavelength=WAVELENGTH)
    with pytest.raises(ValueError, match="wavelength has no band 'z'"):
        net.predict(cutouts, model=model, wavelength={"g": 0.5, "r": 0.6})
    with pytest.raises(ValueError, match=r"chromatic=True: .* must be one Sersic profile"):
        Model("sersic+exp", chromatic=True)
    with pytest.raises(ValueError, match=r"chromatic=True: .* must be one Sersic profile"):
        Model("sersic", fixed={"n": 4}, chromatic=True)
    with pytest.raises((TypeError, ValueError), match="chromatic=1"):
        Model("sersic", chromatic=1)
