"""Large galaxies are binned and measured in the user's pixels and units."""

import numpy as np
import pytest
from helpers.cutouts import SCALE, UNITS
from helpers.predicted import LARGE, assert_same, large, of_rows, stack_of
from helpers.rendered import NOISE, make_cutout, star
from numpy.testing import assert_allclose

from sersicnet.flags import Flags


@pytest.mark.parametrize("shape", [(400, 400), (401, 437)])
def test_large_galaxy(shape, net):
    """Binned, and measured in the user's pixels and units."""
    image, truth = large(shape, **LARGE)
    results = net.predict(make_cutout(image))
    assert results.flags[0] & Flags.BINNED
    assert results.frame.bins[0] == 3
    assert results.shapes.tolist() == [list(shape)]
    for name, value in truth.items():
        pull = (results.median(name)[0] - value) / results.error(name)[0]
        assert abs(pull) < 5, name
    assert abs(results.median("r_eff")[0] / truth["r_eff"] - 1) < 0.3
    model = results.to_model(0)
    assert model.r_eff == results.median("r_eff")[0] / SCALE
    assert_allclose(model.x_0, results.median("x_0")[0])


def test_larger_galaxy_is_binned_again(net):
    """Of what is far larger than the stamp, the first guess is too small."""
    image, truth = large((900, 900), **(LARGE | {"r_eff": 90.0}))
    results = net.predict(make_cutout(image))
    assert results.frame.bins[0] == 7
    assert abs(results.median("r_eff")[0] / truth["r_eff"] - 1) < 0.3


def test_radii_of_binned_galaxies_are_right(net):
    """Behind binned PSFs that are sharper than those of the training."""
    shapes = [(50.0, 1.0, 0.5), (58.0, 2.5, 0.8), (66.0, 0.8, 0.6), (74.0, 3.5, 0.7)]
    drawn = []
    for r_eff, n, q in shapes:
        labels = {"r_eff": r_eff, "n": n, "q": q, "theta": 20.0, "dx": 1.3, "dy": -0.4}
        drawn.append(large((450, 450), seed=int(r_eff), snr=200, **labels))
    cutouts = [make_cutout(image) for image, _ in drawn]
    truth = np.array([values["r_eff"] for _, values in drawn])
    network = net.predict(cutouts)
    assert network.frame.bins.tolist() == [5, 5, 5, 5]
    assert abs(np.median(network.median("r_eff") / truth) - 1) < 0.04
    assert np.abs((network.median("r_eff") - truth) / network.error("r_eff")).max() < 3.5
    fitted = net.predict(cutouts[:2], refine="lm")
    pulls = (fitted.median("r_eff") - truth[:2]) / fitted.error("r_eff")
    assert np.abs(pulls).max() < 4
    assert (fitted.error("r_eff") < 0.05 * truth[:2]).all()


def test_large_and_small_in_one_batch(net, cutouts, expected, monkeypatch):
    """With noise, mask, PSF and units of each, in whatever order and batch."""
    image, _ = large((400, 400), **LARGE)
    other, _ = large((390, 390), seed=2, **(LARGE | {"theta": -70.0, "r_eff": 30.0}))
    noise = NOISE * np.linspace(0.9, 1.1, 400) * np.ones((400, 1))
    mask = np.zeros((400, 400), bool)
    mask[:, 40:90] = True
    bigs = [
        make_cutout(
            image, noise=noise, mask=mask, psf=star(4.0), meta={"MAGZP": 26, "PIXSCALE": 0.2}
        ),
        make_cutout(other),
    ]
    alone = [net.predict(big) for big in bigs]
    assert all(results.flags[0] & Flags.BINNED for results in alone)
    for size in (512, 3):
        monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", size)
        results = net.predict([cutouts[0], bigs[0], *cutouts[1:], bigs[1]])
        assert_same(of_rows(results, [0, 2, 3, 4, 5, 6]), expected)
        assert_same(of_rows(results, [1]), alone[0])
        assert_same(of_rows(results, [7]), alone[1])
        assert_allclose(results.samples(3)["mag"][7], net_samples(alone[1], 7), rtol=1e-4)
    units = {"zeropoint": [25.0, 26.0], "pixel_scale": [SCALE, 0.2]}
    bare = [make_cutout(image, meta={}), make_cutout(image, meta={})]
    moved = net.predict(bare, **units)
    assert_allclose(np.diff(moved.median("mag")), 1, rtol=1e-6)
    assert_allclose(moved.median("r_eff")[1] / moved.median("r_eff")[0], 2, rtol=1e-6)


def net_samples(results, row):
    """Magnitudes that a galaxy has as that number of a longer list."""
    draws = results.posterior.concatenate([results.posterior] * (row + 1)).draw([row], 3, 0)
    frame = results.frame
    return (frame.zeropoint - 2.5 * (draws["log_flux"] + np.log10(frame.noise_level)))[0]


def test_stack_of_large_galaxies(net, monkeypatch):
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 2)
    images = np.stack([large((400, 400), seed=seed, **LARGE)[0] for seed in range(3)])
    results = net.predict(stack_of(images), **UNITS)
    assert_same(results, net.predict([make_cutout(image) for image in images]))
    assert results.frame.bins.tolist() == [3, 3, 3]


def test_large_galaxy_in_a_small_cutout_is_not_binned(net):
    """There is nothing more to see."""
    image, _ = large((128, 128), **LARGE)
    results = net.predict(make_cutout(image))
    assert results.frame.bins[0] == 1
    assert not results.flags[0] & Flags.BINNED


def test_bad_pixels_of_a_binned_galaxy(net):
    image, _ = large((400, 400), **LARGE)
    plain = net.predict(make_cutout(image))
    image[150:250:7, 150:250:5] = np.nan
    results = net.predict(make_cutout(image))
    assert results.flags[0] == plain.flags[0] | Flags.BAD_PIXELS
    assert_same(results, plain, atol=1.0, flags=False)


def test_oversampled_psf_of_a_large_galaxy(net):
    image, _ = large((400, 400), **LARGE)
    fine = star(shape=(123, 123), oversampling=3)
    plain = net.predict(make_cutout(image))
    assert_same(net.predict(make_cutout(image), psf=fine, psf_oversampling=3), plain, atol=0.1)
