"""Fits of the model to stamps: optimum, sky, errors and flags."""

import numpy as np
import pytest
import torch
from helpers.refined import SEVEN, TABLE
from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.flags import Flags
from sersicnet.inference.fits import median_labels
from sersicnet.inference.refine import LevenbergMarquardt
from sersicnet.model.labels import N_LABELS
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.profile import psf_transform
from sersicnet.model.psf import collect_psfs
from sersicnet.preprocessing import prepare


def test_columns_of_the_fit(refined):
    table = refined["lm"].to_table()
    assert (np.asarray(table["n_iter"]) >= 2).all()
    assert table.colnames[-1] == "flags"


@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_the_sky_that_was_fitted_is_told(net, refined, scale):
    """In the unit of the image, for each of its pixels, also where the galaxy was binned."""
    sky = 0.3 * NOISE
    large = labels_of(snr=2000, r_eff=40, n=1)
    images = [render([TABLE[0]], star())[0], render([large], star(), size=256)[0]]
    images = [scale * (add_noise(image) + sky) for image in images]
    cutouts = [make_cutout(image, noise=scale * NOISE) for image in images]
    found = net.predict(cutouts, refine="lm", sky="free")
    assert [bool(flag & int(Flags.BINNED)) for flag in found.flags] == [False, True]
    assert_allclose(found.columns["sky"] / scale, sky, atol=0.1 * NOISE)
    assert abs(refined["lm"].columns["sky"]).max() < 0.1 * NOISE


def test_the_optimum_is_one(net, four):
    """No step away from the fit along any parameter makes chi2 smaller."""
    found = net.predict(four, refine=LevenbergMarquardt(prior=False), sky="free")
    stamps = prepare(four)
    psfs = collect_psfs([cutout.psf for cutout in four])
    labels = torch.from_numpy(median_labels(found.quantiles, stamps, psfs))
    transform = psf_transform(torch.from_numpy(star()), 128)
    data, weight = (torch.tensor(part).double() for part in (stamps.data, stamps.weight))
    likelihood = StampLikelihood(data, weight, transform)
    curvature = likelihood.normal_equations(labels).curvature
    best, width = likelihood.chi2(labels), torch.diagonal(curvature, dim1=1, dim2=2).rsqrt()
    for column in range(N_LABELS):
        for sign in (-1, 1):
            moved = labels.clone()
            moved[:, column] += sign * width[:, column]
            assert (likelihood.chi2(moved) > best + 0.5).all()


def test_a_bound_is_told_and_has_no_error(net):
    """Maximum likelihood puts the index of some galaxies at its limit."""
    table = [labels_of(snr=40, r_eff=4, n=6.2 if i % 2 else 0.3) for i in range(12)]
    galaxies = [make_cutout(image) for image in add_noise(render(table, star()))]
    plain = net.predict(galaxies)
    found = net.predict(galaxies, refine=LevenbergMarquardt(prior=False))
    told = (found.flags & int(Flags.AT_BOUND)) != 0
    assert 2 < told.sum() < 12
    assert_array_equal(told, np.isnan([found.error(name) for name in SEVEN]).any(axis=0))
    at_limit = np.minimum(np.abs(found.median("n") - 0.3), np.abs(found.median("n") - 6.2)) < 0.01
    assert np.isnan(found.error("n")[at_limit]).all()
    assert np.isfinite([found.median(name) for name in SEVEN]).all()
    assert not ((found.flags & int(Flags.NOT_REFINED)) != 0)[told].any()
    for name in ("mag", "r_eff"):  # the others cover what the network says
        apart = np.abs(found.median(name) - plain.median(name))[told & ~at_limit]
        assert (apart <= 1.01 * found.error(name)[told & ~at_limit]).all()


def test_a_fit_of_a_neighbors_halo_is_not_taken(net):
    """A faint galaxy in the light of a bright one: the network's answer stays, or is covered."""
    faint = render([labels_of(snr=30, r_eff=2, n=1)], star())[0]
    bright = np.roll(render([labels_of(snr=5000, r_eff=15, n=3)], star())[0], 30, axis=1)
    bright[:, :30] = 0
    cutout = make_cutout(add_noise(faint + bright))
    network = net.predict(cutout)
    found = net.predict(cutout, refine="lm")
    apart = np.abs(found.median("mag") - network.median("mag"))
    assert apart[0] <= 5 * np.hypot(network.error("mag"), found.error("mag"))[0]
    assert found.flags[0] & (Flags.NOT_REFINED | Flags.AT_BOUND)
    assert found.flags[0] & Flags.HIGH_CHI2 == 0 or not found.flags[0] & Flags.NOT_REFINED


def test_what_is_not_refined_has_the_chi2_and_sky_of_what_it_shows(net, four, monkeypatch):
    """Those of the model at the network's medians."""
    plain = net.predict(four)
    monkeypatch.setattr("sersicnet.inference.levenberg_marquardt.MAX_ITERATIONS", 0)
    found = net.predict(four, refine="lm", sky="free")
    assert (found.flags & int(Flags.NOT_REFINED) != 0).all()
    assert_array_equal(found.quantiles, plain.quantiles)
    stamps = prepare(four)
    psfs = collect_psfs([cutout.psf for cutout in four])
    labels = torch.from_numpy(median_labels(plain.quantiles, stamps, psfs))
    transform = psf_transform(torch.from_numpy(star()), 128)
    data, weight = (torch.tensor(part).double() for part in (stamps.data, stamps.weight))
    sky, _, _ = StampLikelihood(data, weight, transform).compare(labels)
    for name in ("chi2", "n_pixels"):
        assert_allclose(found.columns[name], plain.columns[name], rtol=1e-3)
    assert_allclose(found.columns["sky"], NOISE * sky, atol=1e-3)
