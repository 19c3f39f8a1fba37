"""Flags that follow from what the network says: each has its cause."""

import warnings

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from helpers.cutouts import UNITS
from helpers.predicted import LARGE, assert_same, large
from helpers.rendered import add_noise, labels_of, make_cutout, render, star

from sersicnet.flags import Flags
from sersicnet.inference.flags import warn_if_unresolved


def flags_of(net, image, **changes):
    return Flags(int(net.predict(make_cutout(image, **changes)).flags[0]))


def test_misfit_of_a_blend(net):
    """Two equal galaxies 6 pixels apart, of which the best model leaves a quarter."""
    table = [labels_of(snr=1000, r_eff=1.5, q=0.8, n=1, theta=0, dx=dx) for dx in (-3, 3)]
    assert flags_of(net, add_noise(render(table, star()).sum(axis=0))) & Flags.MISFIT


def test_misfit_of_a_ring(net):
    """As from reflected light, around a galaxy; the best model leaves a third."""
    y, x = np.indices((128, 128)) - 63.5
    ring = 40 * np.exp(-0.5 * ((np.hypot(x, y) - 10) / 1.5) ** 2)
    image = add_noise(render([labels_of(snr=800, r_eff=3, n=1)], star())[0] + ring)
    assert flags_of(net, image) & Flags.MISFIT


def test_no_misfit_of_a_galaxy(net):
    table = [
        labels_of(snr=snr, r_eff=r_eff, n=n)
        for snr, r_eff, n in ((10, 3, 1), (50, 5, 2), (200, 2, 1), (100, 10, 1), (500, 6, 3))
    ]
    results = net.predict(add_noise(render(table, star())), psf=star(), **UNITS)
    assert not (results.flags & int(Flags.MISFIT)).any()


def test_star_is_unresolved(net):
    for seed in range(3):
        point = 100 / np.sqrt((star(shape=(128, 128)) ** 2).sum()) * star(shape=(128, 128))
        assert flags_of(net, add_noise(point, seed)) & Flags.UNRESOLVED
    assert not flags_of(net, add_noise(render([labels_of(snr=100)], star())[0])) & Flags.UNRESOLVED


def test_empty_sky(net):
    for seed in range(3):
        assert flags_of(net, add_noise(np.zeros((128, 128)), seed)) & Flags.LOW_SNR


def test_larger_than_the_cutout(net):
    image, _ = large((40, 40), **(LARGE | {"r_eff": 25.0, "dx": 0.0, "dy": 0.0}), snr=400)
    assert flags_of(net, image) & Flags.EXCEEDS_CUTOUT


def test_smaller_than_the_cutouts_of_the_training(net):
    """The network is too faint there; a fit is right, and has no flag."""
    image = add_noise(render([labels_of(r_eff=2, n=1)], star(), size=128))[0]
    small = image[48:80, 39:89]
    assert flags_of(net, small) == Flags.SMALL_CUTOUT
    assert not net.predict(make_cutout(small), refine="lm").flags[0]
    assert not flags_of(net, image[44:84, 44:84])


def test_psf_wider_than_those_of_the_training(net):
    wide = star(11.0, (101, 101))
    image = add_noise(render([labels_of(snr=300, r_eff=8, n=1)], wide)[0])
    assert flags_of(net, image, psf=wide) & Flags.BEYOND_TRAINING
    found = net.predict(make_cutout(image, psf=wide), refine="lm")
    assert not found.flags[0] & Flags.BEYOND_TRAINING


def test_thinner_than_the_prior(net):
    """A disk whose axis ratio is below the smallest of the training."""
    galaxy = labels_of(snr=200, r_eff=25, n=1, q=0.02, theta=25)
    image = add_noise(render([galaxy], star(2.5)))[0]
    assert flags_of(net, image, psf=star(2.5)) & Flags.OUT_OF_RANGE
    usual = labels_of(snr=200, r_eff=12, n=1, q=0.15, theta=25)
    image = add_noise(render([usual], star(2.5)))[0]
    assert not flags_of(net, image, psf=star(2.5))


@pytest.mark.parametrize("distance", [4, 6, 9])
def test_off_the_middle(distance, net):
    """The network looks for the center within three pixels of the middle."""
    image = add_noise(render([labels_of(snr=100, r_eff=3)], star()))[0]
    moved = np.roll(image, (distance // 2, -distance), (0, 1))
    assert flags_of(net, moved) & Flags.OFF_CENTER
    assert not flags_of(net, np.roll(image, (1, -1), (0, 1)))


def test_noise_that_is_not_given(net, images, expected):
    results = net.predict([make_cutout(image, uncertainty=None) for image in images])
    assert_same(results, expected, atol=1.5, flags=False)
    assert ((results.flags & int(Flags.NOISE_ESTIMATED)) != 0).all()


def unresolved(n, n_unresolved, n_unlike):
    """Flags of galaxies of which some are unresolved, and some of these not like the PSF."""
    flags = np.zeros(n, dtype=int)
    flags[:n_unresolved] = Flags.UNRESOLVED
    flags[:n_unlike] |= int(Flags.MISFIT)
    return flags


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((5, 4, 0), "4 of 5 sources are UNRESOLVED: unless they are stars, the PSF is wider"),
        ((25, 7, 3), "3 of 25 sources are UNRESOLVED and MISFIT: as it seems, the PSF is wider"),
    ],
)
def test_a_psf_that_is_wider_than_that_of_the_image(numbers, text):
    with pytest.warns(AstropyUserWarning, match=f"{text}.*needs psf_oversampling=") as caught:
        warn_if_unresolved(unresolved(*numbers), stacklevel=1)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("numbers", [(4, 4, 4), (25, 18, 2), (40, 20, 3), (25, 0, 0)])
def test_psfs_without_a_doubt(numbers):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_unresolved(unresolved(*numbers), stacklevel=1)
        saturated = unresolved(25, 7, 7) | int(Flags.SATURATED)
        warn_if_unresolved(saturated, stacklevel=1)
