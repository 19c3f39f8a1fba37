"""Correlations of noise that are given, as arrays, files and drizzle parameters."""

from pathlib import Path

import galsim
import numpy as np
import pytest
from astropy.io import fits
from helpers.correlated import gaussian_correlation
from numpy.testing import assert_allclose

from sersicnet.preprocessing import drizzle_correlation
from sersicnet.preprocessing.known_correlation import (
    check_scale,
    correlation_scale,
    read_correlation,
)

GOOD = gaussian_correlation(0.7, reach=4)


def test_a_covariance_is_scaled():
    assert_allclose(read_correlation(3 * GOOD), GOOD)
    assert_allclose(read_correlation(GOOD.tolist()), GOOD)


def test_a_file(tmp_path):
    fits.writeto(tmp_path / "noise.fits", GOOD)
    assert_allclose(read_correlation(tmp_path / "noise.fits"), GOOD)
    with pytest.raises(FileNotFoundError, match="noise_correlation"):
        read_correlation(tmp_path / "missing.fits")
    fits.writeto(tmp_path / "even.fits", GOOD[:-1, :-1])
    with pytest.raises(ValueError, match=r"noise_correlation of .*even.fits has shape \(8, 8\)"):
        read_correlation(str(tmp_path / "even.fits"))


def test_the_file_of_galsim():
    path = Path(galsim.meta_data.share_dir) / "acs_I_unrot_sci_20_cf.fits"
    found = read_correlation(path)
    assert found.shape == (81, 81)
    assert 0.46 < found[40, 41] < 0.49


def changed(change):
    values = GOOD.copy()
    change(values)
    return values


def put(place, value):
    return changed(lambda values: values.__setitem__(place, value))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (GOOD[:, :-2], r"has shape \(9, 7\): it must be square"),
        (np.ones(3), r"has shape \(3,\): it must be square"),
        (np.ones((4, 4)), r"has shape \(4, 4\): K must be odd"),
        (put((0, 0), np.nan), "has values that are not finite"),
        (put((4, 5), 2.0), "must be positive and largest in the middle"),
        (-GOOD, "must be positive and largest in the middle"),
        (np.zeros((3, 3)), "must be positive and largest in the middle"),
        (put((4, 5), 0.1), "must be symmetric: the same at opposite distances"),
        (np.array([[0, 0, 0], [0.9, 1, 0.9], [0, 0, 0]]), "must be positive definite: its power"),
        (np.ones((301, 301)), r"has shape \(301, 301\): it is larger than a stamp"),
    ],
)
def test_what_is_no_correlation(values, message):
    with pytest.raises(ValueError, match=f"noise_correlation {message}"):
        read_correlation(values)


@pytest.mark.parametrize("values", [[["a"]], {"x": 1}, [[1, 2], [3]]])
def test_what_is_no_array(values):
    with pytest.raises(TypeError, match="must be 'measure', None, an array or a path, not"):
        read_correlation(values)


@pytest.mark.parametrize(
    ("word", "meant"), [("none", "None, not a word"), ("None", "None"), ("measured", "'measure'")]
)
def test_words_that_are_no_file(word, meant):
    with pytest.raises(ValueError, match=f"noise_correlation='{word}' must be {meant}"):
        read_correlation(word)


def test_drizzled_noise():
    """As that of drops that are shared among output pixels, for random dithers."""
    pixfrac, scale = 0.8, 0.5
    rng = np.random.default_rng(1)
    size, steps = 24, 400
    sums = np.zeros(3)
    for _ in range(steps):
        drops = (np.arange(14) - 1 + rng.uniform()) / scale
        edges = np.arange(size)
        low = np.maximum(drops[:, None] - pixfrac / 2 / scale, edges - 0.5)
        high = np.minimum(drops[:, None] + pixfrac / 2 / scale, edges + 0.5)
        shares = np.maximum(high - low, 0)
        covariance = shares.T @ shares
        middle = slice(8, 16)
        for distance in range(3):
            sums[distance] += np.diagonal(covariance, distance)[middle].mean()
    found = drizzle_correlation(pixfrac, scale)
    half = len(found) // 2
    assert_allclose(found[half, half : half + 3], sums / sums[0], atol=0.02)
    assert_allclose(found, found.T)


def test_drops_as_small_as_points_share_nothing():
    assert_allclose(drizzle_correlation(0.02, 1.0).sum(), 1, atol=0.1)


@pytest.mark.parametrize(
    ("pixfrac", "scale_ratio", "error", "message"),
    [
        (1.2, 0.5, ValueError, "pixfrac=1.2 must be at most 1"),
        (0, 0.5, ValueError, "pixfrac=0 must be 0.01 to 100"),
        (0.8, -1, ValueError, "scale_ratio=-1 must be 0.01 to 100"),
        (0.8, np.nan, ValueError, "scale_ratio=nan must be 0.01 to 100"),
        ("a", 0.5, TypeError, "pixfrac='a' must be a number"),
    ],
)
def test_impossible_drizzles(pixfrac, scale_ratio, error, message):
    with pytest.raises(error, match=message):
        drizzle_correlation(pixfrac, scale_ratio)


@pytest.mark.parametrize(
    ("cards", "scale"),
    [
        ({"PIXSCALE": 0.06}, 0.06),
        ({"GS_SCALE": 0.06}, 0.06),
        ({"CDELT1": -0.06 / 3600, "CDELT2": 0.06 / 3600}, 0.06),
        ({"GS_SCALE": 1.0}, None),  # of an image whose scale GalSim does not know
        ({}, None),
    ],
)
def test_the_pixels_of_a_file(cards, scale, tmp_path):
    path = tmp_path / "noise.fits"
    fits.writeto(path, GOOD, fits.Header(cards))
    assert correlation_scale(path)[0] == pytest.approx(scale)
    check_scale(path, 0.06)
    check_scale(path, np.array([0.0601, 0.0605]))
    if scale is None:
        check_scale(path, 0.03)
        return
    message = r"noise_correlation of .*noise.fits is of pixels of 0.06 arcsec .*image are of 0.03"
    with pytest.raises(ValueError, match=message):
        check_scale(path, np.array([0.06, 0.03]))


def test_arrays_say_nothing_of_their_pixels():
    check_scale(GOOD, 0.03)
    check_scale("measure", 0.03)
    check_scale(None, 0.03)


def test_the_file_of_galsim_is_of_cosmos():
    path = Path(galsim.meta_data.share_dir) / "acs_I_unrot_sci_20_cf.fits"
    check_scale(path, 0.03)
    with pytest.raises(ValueError, match=r"pixels of 0.03 arcsec \(GalSim's COSMOS noise\)"):
        check_scale(path, 0.05)
