"""Draws of sources of a group: the same index is the same draw of all members."""

import numpy as np
import pytest
from helpers.fields import NOISE, make_field, render
from numpy.testing import assert_allclose

from sersicnet import SersicNet
from sersicnet.inference import members
from sersicnet.measure.image import measure_image
from sersicnet.measure.tiles import Measurement

OPTIONS = {"refine": "lm", "background_box": None}
# Two galaxies that touch, and a galaxy with a star on it.
PAIR = {"x_0": [60.0, 68.0], "y_0": [60.0, 61.0], "flux": [9e3, 7e3], "r_eff": [3.0, 2.5]}
PAIR |= {"n": [1.0, 1.0], "q": [0.8, 0.8], "theta": [0.0, 0.0]}
STAR = PAIR | {"r_eff": [3.0, 0.0], "flux": [9e3, 4e3]}


def measured(truth, monkeypatch):
    """Results of the members of a group, and the joint fit."""
    image = render({name: np.array(values) for name, values in truth.items()}, (130, 130))
    field = make_field(image, mask=None)
    field.data = image + NOISE * np.random.default_rng(8).normal(size=image.shape)
    net = SersicNet.from_pretrained().set_params(device="cpu")
    seen = []
    fits = []
    predict = Measurement.predict
    fit_stamps = members.fit_stamps

    def watched(self, cutouts, part, **options):
        seen.append(predict(self, cutouts, part, **options))
        return seen[-1]

    def kept(*arguments, **options):
        fits.append(fit_stamps(*arguments, **options))
        return fits[-1]

    with monkeypatch.context() as patch:
        patch.setattr(Measurement, "predict", watched)
        patch.setattr(members, "fit_stamps", kept)
        measure_image(field, net=net, **OPTIONS)
    return seen[-1], fits[-1]


@pytest.fixture(scope="module")
def pair():
    with pytest.MonkeyPatch.context() as patch:
        return measured(PAIR, patch)


@pytest.fixture(scope="module")
def with_star():
    with pytest.MonkeyPatch.context() as patch:
        return measured(STAR, patch)


def fluxes(results, n=4000):
    return 10 ** (-0.4 * (results.samples(n)["mag"] - 25))


def test_the_flux_of_a_pair_is_better_known_than_its_parts(pair):
    """What one has too much, the other has too little, in each draw."""
    results, fit = pair
    flux = fluxes(results)
    apart = np.sqrt(flux.var(axis=1).sum())
    scatter = flux.sum(axis=0).std()
    assert scatter < 0.85 * apart
    slope = np.zeros(fit.mean.shape[1])
    slope[[0, 7]] = np.log(10) * 10 ** (-0.4 * (results.median("mag") - 25))
    expected = np.sqrt(slope @ fit.covariance[0] @ slope)
    assert_allclose(scatter, expected, rtol=0.06)


def test_errors_of_members_are_those_of_their_rows(pair, with_star):
    for results, _ in (pair, with_star):
        drawn = results.samples(4000)
        for name in ("mag", "x_0"):
            low, high = np.quantile(drawn[name], [0.16, 0.84], axis=1)
            assert_allclose((high - low) / 2, results.error(name), rtol=0.1)


def test_a_star_shares_the_draws_of_its_group(with_star):
    results, fit = with_star
    own = fit.covariance[0][np.ix_([0, 7], [0, 7])]
    expected = own[0, 1] / np.sqrt(own[0, 0] * own[1, 1])
    assert_allclose(np.corrcoef(np.log(fluxes(results)))[0, 1], expected, atol=0.06)


def test_a_member_has_the_same_draws_alone(pair):
    results, _ = pair
    whole = results.samples(20, seed=3)
    for name, values in results[1:].samples(20, seed=3).items():
        assert_allclose(values, whole[name][1:], rtol=1e-9, atol=1e-9, err_msg=name)


def test_members_have_the_same_sky(pair):
    results, _ = pair
    one, other = results.samples(50)["sky"]
    assert one.std() > 0
    assert_allclose(one, other, rtol=1e-5, atol=1e-7)
