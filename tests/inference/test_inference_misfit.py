"""Residuals of galaxies on the pixels of the user: columns and flags of ``predict``."""

import copy

import galsim
import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty
from helpers.refined import KINDS
from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from numpy.testing import assert_allclose

from sersicnet.flags import Flags
from sersicnet.inference.flags import misfit_flags
from sersicnet.model.misfit import Misfit

BOTH = int(Flags.MISFIT | Flags.HIGH_CHI2)


def flagged(results, flag):
    return (results.flags & int(flag)) != 0


def test_chi2_is_that_of_noise_within_the_galaxy(net, four, refined):
    for found in (net.predict(four), refined["lm"], refined["importance"]):
        chi2 = found.columns["chi2"]
        n_pixels = found.columns["n_pixels"]
        # eight numbers are fitted
        assert (np.abs(chi2 - n_pixels + 8) < 5 * np.sqrt(2 * n_pixels)).all()
        assert (n_pixels > 20).all()
        assert (n_pixels < 1500).all()
        assert not (found.flags & BOTH).any()


def test_galaxies_without_a_model(net, four):
    blank = make_cutout(np.full((64, 64), np.nan))
    found = net.predict([four[0], blank])
    assert np.isfinite(found.columns["chi2"]).tolist() == [True, False]
    assert found.columns["n_pixels"][1] == 0
    assert not found.flags[1] & BOTH


def test_a_noise_map_that_is_too_small(net, four):
    """Noise that is said to be three quarters of what it is makes chi2 1.8 a pixel."""
    bold = [copy.deepcopy(cutout) for cutout in four]
    for cutout in bold:
        cutout.uncertainty = StdDevUncertainty(0.75 * cutout.uncertainty.array)
    for refine in KINDS.values():
        found = net.predict(bold, refine=refine)
        assert flagged(found, Flags.HIGH_CHI2).all()
        assert not flagged(found, Flags.MISFIT).any()
    plain = net.predict(bold)
    assert not flagged(plain, Flags.HIGH_CHI2).any()  # its errors do not follow from the map
    ratio = plain.columns["chi2"] / plain.columns["n_pixels"]
    assert_allclose(np.median(ratio), 1.78, atol=0.3)


@pytest.fixture(scope="module")
def nucleus():
    """A galaxy with a star of a seventh of its flux in the middle, and its noise."""
    galaxy = labels_of(snr=600, r_eff=6, q=0.6, n=2)
    point = labels_of(snr=600, r_eff=0.01, q=1, n=0.5)
    point[0] = galaxy[0] - 0.8
    return add_noise(render([galaxy, point], star()).sum(axis=0))


@pytest.mark.parametrize("refine", [None, "lm"])
def test_a_nucleus_in_cutouts_of_any_size(net, nucleus, refine):
    """Sky around the galaxy dilutes nothing."""
    cutouts = []
    for side in (50, 64, 90, 128):
        edge = (128 - side) // 2
        cutouts.append(make_cutout(nucleus[edge : 128 - edge, edge : 128 - edge]))
    found = net.predict(cutouts, refine=refine)
    # the fit explains part of the nucleus by a large index where there is little sky
    expected = Flags.MISFIT if refine is None else Flags.HIGH_CHI2
    assert flagged(found, expected).all()
    assert flagged(found, Flags.MISFIT)[1:].all()


def test_a_bright_galaxy_with_a_faint_ring(net):
    """The ring has two percent of the light."""
    y, x = np.indices((128, 128)) - 63.5
    galaxy = render([labels_of(snr=2000, r_eff=6, n=1, q=0.9)], star())[0]
    ring = np.exp(-0.5 * ((np.hypot(x, y) - 9) / 1.5) ** 2)
    image = galaxy + 0.02 * galaxy.sum() * ring / ring.sum()
    plain, odd = net.predict([make_cutout(add_noise(part)) for part in (galaxy, image)]).flags
    assert not plain & int(Flags.MISFIT)
    assert odd & int(Flags.MISFIT)


@pytest.mark.parametrize("refine", [None, "lm"])
def test_disks_that_end_at_two_half_light_radii(net, refine):
    """One Sersic profile of half the index fits them nearly as well."""
    profile = galsim.Moffat(3.5, fwhm=3.0).shear(g1=0.08, g2=-0.04)
    cutouts = []
    for end in (0, 2, 2.5):
        disk = galsim.Exponential(half_light_radius=7)
        if end:
            disk = galsim.Sersic(1, half_light_radius=7, trunc=7 * end)
        image = galsim.ImageD(128, 128, scale=1)
        galsim.Convolve(disk, profile).withFlux(8000).drawImage(image)
        cutouts.append(make_cutout(add_noise(image.array)))
    found = net.predict(cutouts, refine=refine)
    assert flagged(found, Flags.MISFIT).tolist() == [False, True, True]
    assert (found.median("n")[1] + 10 * found.error("n")[1]) < 1


def test_noise_of_drizzled_images(net):
    """Neighbors have half of it in common, and chi2 is that of the noise map."""
    table = [
        labels_of(snr=snr, r_eff=r, n=n) for snr, r, n in ((30, 4, 1), (150, 8, 2), (500, 3, 1))
    ]
    images = render(table * 4, star())
    white = np.random.default_rng(1).normal(size=images.shape)
    noise = (white + np.roll(white, 1, 1)) / np.sqrt(2)
    noise = (noise + np.roll(noise, 1, 2)) / np.sqrt(2)
    found = net.predict(images + NOISE * noise, psf=star(), pixel_scale=0.1, zeropoint=25.0)
    assert not flagged(found, Flags.MISFIT).any()


def test_binned_galaxies_are_judged_on_the_pixels_of_the_image(net):
    """A ripple of four pixels is nothing in bins of three."""
    galaxy = render([labels_of(snr=1500, r_eff=24, q=0.8, n=1)], star(), size=256)[0]
    y, x = np.indices(galaxy.shape)
    ripple = 1 + 0.3 * np.cos(np.pi * x / 3) * np.cos(np.pi * y / 3)
    found = net.predict([make_cutout(add_noise(image)) for image in (galaxy, galaxy * ripple)])
    assert flagged(found, Flags.BINNED).all()
    assert flagged(found, Flags.MISFIT).tolist() == [False, True]
    assert (found.columns["n_pixels"] > 2000).all()


def numbers(**changes):
    """Residuals of one galaxy that are noise, and changes."""
    values = {
        "chi2": 292.0,
        "n_pixels": 300,
        "expected_chi2": 292.0,
        "chi2_significance": 0.0,
        "structure": 0.0,
        "significance": 0.0,
        "signal": 1e6,
        "neighbors": 0.0,
        "edge": 0.0,
        "edge_significance": 0.0,
        "amplitude": np.nan,
        "amplitude_err": np.nan,
    }
    return Misfit(**{name: np.array([value]) for name, value in (values | changes).items()})


@pytest.mark.parametrize(
    ("changes", "error", "expected"),
    [
        ({}, 0.01, 0),
        ({"structure": 900.0, "significance": 9.0}, 0.01, Flags.MISFIT),  # 3 % of the galaxy
        ({"structure": 900.0, "significance": 9.0}, 0.04, 0),  # less than the error of its flux
        ({"structure": 4900.0, "significance": 9.0}, 0.2, Flags.MISFIT),  # 7 % of the galaxy
        ({"structure": 900.0, "significance": 9.0}, np.nan, Flags.MISFIT),  # an error of a bound
        ({"structure": 4900.0, "significance": 3.0}, 0.01, 0),
        ({"structure": -4900.0, "significance": -9.0}, 0.01, Flags.MISFIT),  # a cosmic ray
        ({"structure": -4900.0, "significance": -6.0}, 0.01, 0),
        ({"edge": 0.03, "edge_significance": 9.0}, 0.01, Flags.MISFIT),  # light that ends
        ({"edge": 0.03, "edge_significance": 9.0}, 0.04, 0),  # less than the error of the flux
        ({"edge": 0.03, "edge_significance": 3.0}, 0.01, 0),
        ({"edge": -0.03, "edge_significance": -9.0}, 0.01, 0),  # light of others
        ({"chi2": 500.0, "chi2_significance": 9.0}, 0.01, Flags.HIGH_CHI2),
        ({"chi2": 400.0, "chi2_significance": 5.0}, 0.01, 0),  # the errors are nearly right
        ({"chi2": 500.0, "chi2_significance": 3.0}, 0.01, 0),
    ],
)
def test_what_is_flagged(changes, error, expected):
    quantiles = np.zeros((7, 3, 1))
    quantiles[0, :, 0] = 20 + 1.0857 * error * np.array([-1, 0, 1])
    assert misfit_flags(numbers(**changes), quantiles, np.array([True])) == [expected]
    plain = misfit_flags(numbers(**changes), quantiles, np.array([False]))
    assert plain == [expected & ~Flags.HIGH_CHI2]


def test_flags_need_a_reason():
    """Numbers that are not known set none."""
    unknown = np.full((7, 3, 3), np.nan)
    assert misfit_flags(Misfit.unknown(3), unknown, np.ones(3, dtype=bool)).tolist() == [0, 0, 0]
