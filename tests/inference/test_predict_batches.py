"""Galaxies do not know of each other: results do not depend on batches and order."""

import weakref

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from helpers.cutouts import SCALE, UNITS, ZEROPOINT
from helpers.predicted import ROUNDING, assert_same, difference, of_rows, stack_of
from helpers.rendered import NOISE, add_noise, make_cutout, star
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks.memory import bytes_per_cutout
from sersicnet.flags import Flags
from sersicnet.preprocessing import batches


def test_one_by_one_and_backwards(net, cutouts, expected):
    for i in (0, 5):
        assert_same(net.predict(cutouts[i]), of_rows(expected, [i]))
    assert_same(net.predict(cutouts[::-1]), of_rows(expected, [5, 4, 3, 2, 1, 0]))


@pytest.mark.parametrize("batch_size", [1, 4, 1000])
def test_any_batch_size(batch_size, net, cutouts, expected):
    assert_same(net.predict(cutouts, batch_size=batch_size), expected)


def test_many_cutouts(net, cutouts, expected, monkeypatch):
    """Large batches give what smaller ones give, and number galaxies through."""
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 64)
    rows = np.random.default_rng(3).integers(0, 6, 67)
    many = net.predict([cutouts[row] for row in rows], n_samples=8)
    few = net.predict(cutouts, n_samples=8)
    assert_same(many, of_rows(few, rows))
    assert many.to_table()["id"].tolist() == list(range(67))
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 4)
    parts = net.predict(cutouts, n_samples=8)
    assert_same(parts, few)
    for name, values in parts.samples(5).items():  # by number of the galaxy
        assert_allclose(values, few.samples(5)[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("refine", [None, "lm"])
def test_stamps_do_not_outlive_their_batch(refine, net, cutouts, monkeypatch):
    """Memory is that of one batch of stamps, however many cutouts there are."""
    monkeypatch.setattr(batches, "SIZE", 2)
    build = batches.build_stamps
    made = []
    alive = []

    def build_and_count(*arguments, **options):
        if options["bins"] == 1:  # else of galaxies of this batch
            alive.append(sum(array() is not None for array in made))
        stamps = build(*arguments, **options)
        made.append(weakref.ref(stamps.data.base))
        return stamps

    monkeypatch.setattr(batches, "build_stamps", build_and_count)
    results = net.predict(cutouts * 3, refine=refine, n_samples=8)
    assert len(made) >= 9
    assert max(alive) == 0
    assert len(results) == 18


@pytest.mark.parametrize(("refine", "most"), [(None, 1500), ("lm", 2500), ("importance", 20_000)])
def test_bytes_of_results(refine, most, net, images):
    """Arrays, tensors and lists of 20,000 galaxies: 30 MB, 50 MB (lm), or 400 MB (importance).

    The cutouts come one by one, and each has a copy of the PSF: results keep one.
    """
    given = (make_cutout(images[2], psf=star()) for _ in range(5))
    results = net.predict(given, refine=refine, n_samples=8)
    assert bytes_per_cutout(results) < most
    assert len({id(psf) for psf in results.inputs.psfs}) == 1


def test_errors_name_the_cutout_of_any_batch(net, cutouts, monkeypatch):
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 2)
    wrong = [*cutouts, NDData(cutouts[0].data)]
    with pytest.raises(ValueError, match=r"cutouts\[6\] has no unit and no zero point"):
        net.predict(wrong)
    with pytest.raises(TypeError, match=r"cutouts\[5\] is of type str"):
        net.predict([*cutouts[:5], "galaxy.fits"])
    with pytest.raises(ValueError, match=r"zeropoint has shape \(5,\): one value, or one for each"):
        net.predict(cutouts, zeropoint=[25] * 5)


def test_arguments_of_each_cutout_in_any_batch(net, images, expected, monkeypatch):
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 4)
    zeropoint = ZEROPOINT + np.arange(6)
    bare = [make_cutout(image, meta={}, psf=None) for image in images]
    scale = SCALE * np.arange(1, 7) * u.arcsec
    results = net.predict(bare, zeropoint=zeropoint, pixel_scale=scale, psf=[star()] * 6)
    assert_allclose(
        difference(results, expected, "mag", lambda m: m + np.arange(6)), 0, atol=ROUNDING
    )
    assert_allclose(results.median("r_eff"), expected.median("r_eff") * np.arange(1, 7), rtol=1e-4)


def test_all_kinds_of_input(net, images, cutouts, expected, monkeypatch):
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 4)
    for given in (iter(cutouts), tuple(cutouts), (cutout for cutout in cutouts)):
        assert_same(net.predict(given), expected)
    assert_same(net.predict(stack_of(images), **UNITS), expected)
    each = stack_of(images, psf=np.stack([star()] * 6))
    assert_same(net.predict(each, **UNITS), expected)


def test_stack_with_mask(net, images, monkeypatch):
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 4)
    mask = np.zeros(images.shape, bool)
    for i in range(6):
        mask[i, 30 + 5 * i : 60, :20] = True
    apart = [make_cutout(image, mask=bad) for image, bad in zip(images, mask, strict=True)]
    expected = net.predict(apart)
    assert_same(net.predict(stack_of(images, mask=mask), **UNITS), expected)
    bad = np.where(mask, np.nan, images)
    results = net.predict(stack_of(bad), **UNITS)
    assert_same(results, expected, flags=False)
    unlike = results.flags ^ expected.flags
    assert_array_equal(unlike & ~int(Flags.BAD_PIXELS), 0)
    noise = StdDevUncertainty(np.full(images.shape, NOISE))
    one = NDData(images, mask=mask[2], uncertainty=noise, psf=star())  # one mask for all
    assert_same(of_rows(net.predict(one, **UNITS), [2]), of_rows(expected, [2]))


def test_bad_galaxies_leave_the_others_alone(net, cutouts, expected, images):
    bad = [
        make_cutout(np.full((128, 128), np.nan)),
        make_cutout(images[0], noise=0.0),
        make_cutout(np.full((128, 128), 1e300)),
        make_cutout([[1.0]]),
        make_cutout(add_noise(np.zeros((3, 500)))),
    ]
    results = net.predict([*bad, *cutouts])
    assert_same(of_rows(results, [5, 6, 7, 8, 9, 10]), expected)
    assert results.flags[:5].all()
    assert results.flags[0] & Flags.NO_DATA
    assert results.flags[1] & Flags.NO_NOISE
    assert np.isnan(results.quantiles[:, :, :2]).all()
    assert np.isnan(results.samples(3)["q"][:2]).all()
    assert np.isnan(results.covariance(n=10)[:2]).all()
    lost = results.flags & int(Flags.PREDICTION_FAILED) != 0
    assert_array_equal(np.isfinite(results.quantiles).all(axis=(0, 1))[2:], ~lost[2:])


def test_nothing_but_bad_galaxies(net):
    results = net.predict([make_cutout(np.full((64, 64), np.nan))] * 2)
    assert np.isnan(results.to_table()["mag"].value).all()
    assert np.isnan(results.samples(3)["theta"]).all()
