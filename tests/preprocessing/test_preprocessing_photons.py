"""The noise of photons: added to maps that lack it, never twice, and as good as the true map."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, NDData, StdDevUncertainty
from helpers.cutouts import UNITS
from helpers.rendered import labels_of, render, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags, SersicNet
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.batches import open_cutouts
from sersicnet.preprocessing.photons import (
    ADDED,
    IN_MAP,
    NONE,
    UNKNOWN,
    PhotonSums,
    add_photons,
    find_gain,
    source_photons,
)

GAIN = 10.0  # electrons per unit; the noise of the sky is 1
SIDE = 64


def galaxies(n=8, *, seed=1, **changes):
    """Galaxies with the noise of sky and photons: image and true noise map."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        row = {"snr": 10 ** rng.uniform(2, 3), "r_eff": rng.uniform(2, 5), "n": rng.uniform(0.8, 4)}
        rows.append(labels_of(**(row | changes), q=rng.uniform(0.3, 0.9)))
    images = np.clip(render(rows, star(), size=SIDE), 0, None)
    photons = rng.poisson(images * GAIN) / GAIN
    return photons + rng.normal(size=images.shape), np.sqrt(1 + images / GAIN)


def stamps_of(data, noise, **options):
    stack = NDData(data, uncertainty=StdDevUncertainty(np.broadcast_to(noise, data.shape).copy()))
    return prepare(stack, stamp_size=SIDE, **UNITS, **options)


def test_variance_of_photons():
    """The mean of 5 x 5 pixels, without bad ones, and nothing where the light is negative."""
    rng = np.random.default_rng(1)
    data = rng.normal(3.0, 10.0, (20, 30))
    good = rng.random(data.shape) > 0.2
    found = source_photons(data, good, 4.0)
    for y, x in ((0, 0), (7, 11), (19, 29)):
        part = tuple(slice(max(middle - 2, 0), middle + 3) for middle in (y, x))
        assert found[y, x] == pytest.approx(max(data[part][good[part]].mean(), 0) / 4)
    assert_array_equal(source_photons(-np.ones((9, 9)), np.ones((9, 9), bool), 1.0), 0)


def test_a_bright_pixel_does_not_reach_further():
    """As running sums do, which keep the rounding of the largest number."""
    data = np.ones((40, 40))
    data[5, 5] = 1e20
    found = source_photons(data, np.ones(data.shape, bool), 1.0)
    assert_allclose(found[20:, 20:], 25 / 25, atol=1e-9)


def test_the_noise_is_that_of_the_true_map():
    data, noise = galaxies()
    found = stamps_of(data, 1.0, gain=GAIN)
    expected = stamps_of(data, noise)
    assert_array_equal(found.photons, ADDED)
    assert_array_equal(expected.photons, UNKNOWN)
    ratio = (found.frame.noise_level[:, None, None] / found.weight)[:, 24:40, 24:40]
    assert_allclose(np.median(ratio / noise[:, 24:40, 24:40], axis=(1, 2)), 1, atol=0.04)


@pytest.mark.parametrize("factor", [1.0, 2.5, 0.4])
def test_never_twice(factor):
    """Maps that rise where galaxies are bright stay, also where the gain is not exactly right."""
    data, noise = galaxies(20)
    found = stamps_of(data, noise, gain=factor * GAIN)
    assert_array_equal(found.photons, IN_MAP)
    assert_array_equal(found.weight, stamps_of(data, noise).weight)


def test_pixels_that_were_hardly_observed_do_not_hide_photons():
    """Their noise is far larger than what photons explain."""
    data, noise = galaxies(20, snr=300.0)
    noise[np.random.default_rng(2).random(noise.shape) < 0.01] = 1e4
    assert_array_equal(stamps_of(data, noise, gain=GAIN).photons, IN_MAP)


@pytest.mark.parametrize("kind", ["slope", "noisy", "deeper in the middle"])
def test_maps_that_change_for_other_reasons(kind):
    """A map of depth is not one of photons."""
    data, _ = galaxies(20, snr=300.0)
    y, x = np.indices((SIDE, SIDE)) - SIDE / 2
    match kind:
        case "slope":
            noise = 1 + 0.005 * x
        case "noisy":
            noise = 1 + 0.05 * np.random.default_rng(1).normal(size=data.shape)
        case _:
            noise = 1 - 0.2 * np.exp(-np.hypot(x, y) / 10)
    assert_array_equal(stamps_of(data, noise, gain=GAIN).photons, ADDED)


def test_noise_that_follows_the_data_has_all_photons():
    data, _ = galaxies(4)
    level = 5.0
    counts = np.random.default_rng(1).poisson(np.clip(data, 0, None) + level)
    found = stamps_of(counts - level, np.sqrt(np.maximum(counts, 1)), gain=1.0)
    assert_array_equal(found.flags & int(Flags.NOISE_FROM_DATA) > 0, True)
    assert_array_equal(found.photons, IN_MAP)


def test_estimated_noise_is_that_of_the_sky():
    """An image without a noise map: the border has no photons of the galaxy."""
    data, noise = galaxies(4)
    found = prepare(data, stamp_size=SIDE, gain=GAIN, **UNITS)
    assert_array_equal(found.photons, ADDED)
    ratio = found.frame.noise_level[:, None, None] / found.weight[:, 30:34, 30:34]
    assert_allclose(ratio.mean(axis=(1, 2)) / noise[:, 30:34, 30:34].mean(axis=(1, 2)), 1, atol=0.2)


def test_infinite_gains_and_unknown_ones_change_nothing():
    data, _ = galaxies(3)
    plain = stamps_of(data, 1.0)
    other = stamps_of(data, 1.0, gain=np.inf)
    assert_array_equal(plain.weight, other.weight)
    assert_array_equal(plain.photons, UNKNOWN)
    assert_array_equal(other.photons, NONE)


def test_a_faint_galaxy_shows_nothing():
    noise = np.random.default_rng(1).normal(size=(40, 40))
    sums = PhotonSums.over(noise, np.ones((40, 40)), np.ones((40, 40), bool), GAIN)
    assert not sums.in_map
    assert not (sums + sums).in_map
    none = np.zeros((40, 40), bool)
    assert not PhotonSums.over(noise, np.ones((40, 40)), none, GAIN).in_map


def test_rows_do_not_depend_on_each_other():
    data, noise = galaxies(4)
    noise[1] = 1
    good = np.ones(data.shape, bool)
    gains = np.array([GAIN, GAIN, np.nan, 2 * GAIN])
    _, done = add_photons(data, noise, good, gains, np.zeros(4, bool))
    assert_array_equal(done, [IN_MAP, ADDED, UNKNOWN, IN_MAP])


def test_a_gain_that_contradicts_the_header():
    """The gain of the detector is not that of an image per second."""
    data, _ = galaxies(1)
    meta = {"GAIN": 2.5, "EXPTIME": 100.0, "PIXSCALE": 0.1, "MAGZP": 25.0}
    noise = StdDevUncertainty(np.ones_like(data[0]))
    image = CCDData(data[0], unit="adu / s", uncertainty=noise, meta=meta)
    message = r"cutouts\[0\]: gain=2.5 electrons per unit .*, but 250 by GAIN and EXPTIME"
    with pytest.warns(UserWarning, match=message):
        prepare([image], gain=2.5)
    assert prepare([image]).gain == 250
    assert prepare([image], gain=260.0).gain == 260
    assert find_gain(image, np.array([np.inf]), "image")[1] is None


@pytest.mark.parametrize("gain", [0, -2.0, np.nan, [1.0, -1.0, 2.0]])
def test_impossible_gains(gain):
    message = r"gain=.* must be a positive number of electrons per unit of the image"
    with pytest.raises(ValueError, match=message):
        prepare(np.ones((3, 20, 20)), gain=gain, **UNITS)


def test_gains_with_units():
    image = np.ones((1, 20, 20))
    assert prepare(image, gain=2.5 * u.electron / u.adu, **UNITS).gain == 2.5
    assert prepare(image, gain=900 * u.s, **UNITS).gain == 900  # electrons, of electrons per second
    with pytest.raises(u.UnitConversionError, match=r"gain=<Quantity 2.5 m>: electrons per unit"):
        prepare(image, gain=2.5 * u.m, **UNITS)


@pytest.mark.parametrize(
    ("unit", "gain"), [("adu / s", 2.5 * u.electron / u.adu), ("adu", 9 * u.s)]
)
def test_gains_of_other_units_than_the_data(unit, gain):
    """The exposure time would be missing, or too much."""
    image = CCDData(np.ones((20, 20)), unit=unit)
    with pytest.raises(u.UnitConversionError, match=r"gain=.* and data in .* exposure time"):
        prepare([image], gain=gain, **UNITS)
    with pytest.raises(u.UnitConversionError, match=r"gain=.* and data in .* exposure time"):
        open_cutouts([image], stamp_size=20, gain=gain, **UNITS)


def test_cutouts_that_are_prepared_again_warn_once():
    """Large galaxies and binned ones are."""
    meta = {"GAIN": 2.5, "PIXSCALE": 0.1, "MAGZP": 25.0}
    image = CCDData(
        np.ones((40, 40)), unit="adu", uncertainty=StdDevUncertainty(np.ones((40, 40))), meta=meta
    )
    with pytest.warns(UserWarning, match=r"but 2.5 by GAIN"):
        (batch,) = open_cutouts([image], stamp_size=20, gain=100)
    for bins in (1, 2):
        assert batch.prepare(np.array([0]), bins=bins, stamp_size=20).gain == 100
    with pytest.raises(TypeError, match=r"gain='high' must be a number"):
        prepare(image, gain="high", **UNITS)
    for name in ("gain", "zeropoint", "pixel_scale"):
        with pytest.raises(TypeError, match=f"{name}=True must be a number"):
            prepare(image, **(UNITS | {name: True}))
    with pytest.raises(ValueError, match=r"gain has shape \(2,\): one value, or one for each of 1"):
        prepare(image, gain=[1.0, 2.0], **UNITS)


def test_fits_are_those_with_the_true_map():
    """Against the true map: values within a part of the error, and no bias of magnitudes."""
    data, noise = galaxies(24, seed=3)
    net = SersicNet.from_pretrained()
    found = {}
    for name, sigma, gain in (("true", noise, None), ("gain", 1.0, GAIN), ("sky", 1.0, None)):
        stack = NDData(
            data, uncertainty=StdDevUncertainty(np.broadcast_to(sigma, data.shape).copy())
        )
        options = {"psf": star(), "refine": "lm", "noise_correlation": None, "gain": gain}
        found[name] = net.predict(stack, **options, **UNITS)
    true = found["true"].quantiles[:4]
    error = (true[:, 2] - true[:, 0]) / 2
    moved = (found["gain"].quantiles[:4, 1] - true[:, 1]) / error
    assert abs(np.nanmedian(moved[0])) < 0.1
    assert np.nanmedian(np.abs(moved)) < 0.2
    quoted = (found["gain"].quantiles[:4, 2] - found["gain"].quantiles[:4, 0]) / 2
    alone = (found["sky"].quantiles[:4, 2] - found["sky"].quantiles[:4, 0]) / 2
    assert_allclose(np.nanmedian(quoted / error, axis=1), 1, atol=0.1)
    assert np.all(np.nanmedian(alone / error, axis=1) < 0.85)
    assert found["gain"].meta["PHOTONS"] == "added to the noise map"
    assert found["gain"].meta["GAIN"] == GAIN
    assert found["true"].meta["PHOTONS"] == "gain not known"
    assert "GAIN" not in found["true"].meta
