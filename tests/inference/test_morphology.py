"""Galaxies and their models measured without a profile, by ``predict(morphology=True)``."""

import astropy.units as u
import galsim
import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from sersicnet import SersicNet
from sersicnet.diagnostics.morphology_columns import MORPHOLOGY_COLUMNS

NAMES = [column.name for column in MORPHOLOGY_COLUMNS]
PSF = galsim.Moffat(3.5, fwhm=3)
SCALE = 0.2
OPTIONS = {"psf": PSF.drawImage(nx=41, ny=41, scale=1).array, "pixel_scale": SCALE, "zeropoint": 25}


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


def light(n=1.0, side=128, radius=6.0):
    profile = galsim.Convolve(galsim.Sersic(n, half_light_radius=radius, flux=2e4), PSF)
    return profile.drawImage(nx=side, ny=side, scale=1).array.astype(float)


def cutout(image, seed=1, mask=None):
    noise = np.random.default_rng(seed).normal(size=image.shape)
    sigma = StdDevUncertainty(np.ones(image.shape))
    return CCDData(image + noise, unit="adu", uncertainty=sigma, mask=mask)


@pytest.fixture(scope="module")
def cutouts():
    """A disk, one with a clump, one with a mask over the clump, a steep one, and an empty one."""
    clump = light()
    clump[64:70, 74:80] += 40
    mask = np.zeros(clump.shape, dtype=bool)
    mask[62:72, 72:82] = True
    hidden = cutout(clump, seed=3, mask=mask)
    empty = cutout(np.full((128, 128), np.nan))
    steep = cutout(light(n=4))
    return [cutout(light()), cutout(clump, seed=2), hidden, steep, empty]


@pytest.fixture(scope="module")
def table(net, cutouts):
    return net.predict(cutouts, morphology=True, **OPTIONS).to_table()


def test_columns_and_units(table):
    assert set(NAMES) <= set(table.colnames)
    for name in ("r_petro", "r20", "r50", "r80"):
        assert table[name].unit == u.arcsec
    assert np.isnan(
        [table[name][4].value if table[name].unit else table[name][4] for name in NAMES]
    ).all()


def test_the_rest_is_as_without(net, cutouts, table):
    plain = net.predict(cutouts[:1], **OPTIONS).to_table()
    assert not set(NAMES) & set(plain.colnames)
    for name in ("r_eff", "n", "chi2"):
        assert_allclose(plain[name][0], table[name][0], rtol=1e-5)


def test_a_disk_is_like_its_model(table):
    """Half of its light is within the radius that GalSim finds behind the PSF."""
    profile = galsim.Convolve(galsim.Sersic(1, half_light_radius=6.0), PSF)
    assert_allclose(table["r50"][0].value, SCALE * profile.calculateHLR(), rtol=0.03)
    for name in ("concentration", "gini", "m20"):
        assert_allclose(table[name][0], table[f"{name}_model"][0], rtol=0.05)
    assert abs(table["residual_fraction"][0]) < 0.02
    assert table["filled_fraction"][0] == 0


def test_a_clump_is_asymmetric_unless_it_is_masked(table):
    """The clump has 7 % of the light: twice that is the difference after half a turn."""
    assert table["asymmetry"][1] > table["asymmetry"][0] + 5 * table["asymmetry_err"][1]
    assert table["rms_asymmetry2"][1] > 5 * table["rms_asymmetry2_err"][1]
    assert table["residual_fraction"][1] > 0.03
    assert abs(table["rms_asymmetry2"][2]) < 5 * table["rms_asymmetry2_err"][2]
    assert 0 < table["filled_fraction"][2] < 0.1


def test_steep_profiles_are_concentrated(table):
    assert table["concentration"][3] > table["concentration"][0] + 0.3
    assert table["gini"][3] > table["gini"][0]


def test_a_fit_gives_the_same(net, cutouts, table):
    fitted = net.predict(cutouts[:1], refine="lm", morphology=True, **OPTIONS).to_table()
    for name in ("r50", "concentration", "gini"):
        assert_allclose(fitted[name][0], table[name][0], rtol=0.02)


def test_galaxies_larger_than_the_stamp(net):
    """Their stamps are binned, and sizes are in arcsec all the same."""
    large = cutout(20 * light(side=400, radius=36.0))
    found = net.predict([large], morphology=True, **OPTIONS).to_table()
    assert_allclose(found["r50"][0].value, 36 * SCALE, rtol=0.07)


def test_large_galaxies_in_correlated_noise(net):
    """Sums of pixels whose noise is correlated have more of it than the noise map says."""
    image = 10 * light(side=400, radius=36.0)
    noise = gaussian_filter(np.random.default_rng(1).normal(size=image.shape), 0.8, mode="wrap")
    sigma = StdDevUncertainty(np.ones(image.shape))
    large = CCDData(image + noise / noise.std(), unit="adu", uncertainty=sigma)
    found = net.predict([large], morphology=True, **OPTIONS).to_table()
    assert abs(found["asymmetry"][0]) < 0.02
    assert abs(found["rms_asymmetry2"][0]) < 5 * found["rms_asymmetry2_err"][0]


def test_too_much_of_the_light_is_missing(net):
    mask = np.zeros((128, 128), dtype=bool)
    mask[:, 66:] = True
    found = net.predict([cutout(light(), mask=mask)], morphology=True, **OPTIONS).to_table()
    assert found["filled_fraction"][0] > 0.25
    assert np.isnan(found["concentration"][0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"morphology": "yes"}, "morphology='yes' must be True or False"),
        ({"model": "sersic+exp"}, "morphology=True needs one Sersic profile"),
        ({"model": "auto"}, "morphology=True needs one Sersic profile"),
    ],
)
def test_bad_calls(net, cutouts, changes, message):
    with pytest.raises(ValueError, match=message):
        net.predict(cutouts[:1], **(OPTIONS | {"morphology": True} | changes))


def test_networks_without_a_psf(cutouts):
    net = SersicNet.from_pretrained("deeplegato")
    with pytest.raises(ValueError, match="morphology=True needs the posterior network"):
        net.predict(cutouts[:1], morphology=True, **OPTIONS)


def test_several_bands(net, cutouts):
    bands = {"g": cutouts[:1], "r": cutouts[:1]}
    with pytest.raises(ValueError, match="morphology=True is for one band"):
        net.predict(bands, morphology=True, **OPTIONS)
