"""What a network says: draws of each galaxy alone, quantiles, and copies that stay as they are."""

import copy
import pickle

import numpy as np
import pytest
from helpers.flows import N, make_flow
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

from sersicnet._rows import read_only
from sersicnet.model.labels import LABELS
from sersicnet.networks.densities import (
    LEVELS,
    NormalDensity,
    parameter_samples,
    summarize,
)
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.frame import StampFrame

SEVEN = tuple(PARAMETERS)


def make_frame(n=N):
    ones = np.ones(n)
    return StampFrame(2 * ones, 25 * ones, 0.1 * ones, ones, 31.5 * ones, 31.5 * ones)


def make_normal(n=N):
    rng = np.random.default_rng(3)
    names = (*LABELS[:3], "q", *LABELS[3:])
    mean = rng.normal(size=(n, 8)) * 0.1 + [3, 0.5, 2, 0.5, 0.3, 0.2, 0, 0]
    return NormalDensity(names, mean, rng.uniform(0.01, 0.02, (n, 8)))


kinds = pytest.mark.parametrize("make", [make_normal, make_flow])


def arrays_of(answer):
    return {name: getattr(answer, name) for name in answer.row_fields()}


# Both kinds


@kinds
def test_each_galaxy_has_its_own_draws(make):
    answer = make()
    draws = answer.draw(np.arange(N), 6, 1)
    assert all(values.shape == (N, 6) for values in draws.values())
    for rows in ([3], np.array([4, 0])):
        part = answer.draw(rows, 6, 1)
        for name, values in draws.items():
            assert_allclose(part[name], values[rows], rtol=1e-5, atol=1e-6)
    other = answer.draw(np.arange(N), 6, 2)
    assert all((other[name] != values).all() for name, values in draws.items())


@kinds
def test_draws_of_a_galaxy_without_an_answer(make):
    answer = make()
    answer.mean[2] = np.nan
    draws = answer.draw(np.arange(N), 4, 0)
    expected = make().draw(np.arange(N), 4, 0)
    for name, values in draws.items():
        assert np.isnan(values).all(axis=1).tolist() == [False, False, True, False, False]
        good = np.isfinite(values)
        assert_allclose(values[good], expected[name][good], rtol=1e-5, atol=1e-6)
    assert np.isnan(answer.draw([2], 4, 0)["n"]).all()


@kinds
def test_one_after_the_other(make):
    answer = make()
    joined = answer.concatenate([answer, make(2)])
    for name, array in arrays_of(answer).items():
        assert_array_equal(getattr(joined, name)[:N], array)
        assert len(getattr(joined, name)) == N + 2


@kinds
def test_frozen(make):
    answer = make()
    frozen = answer.frozen()
    for name, array in arrays_of(frozen).items():
        assert_array_equal(array, getattr(answer, name))
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    answer.mean[:] = 0
    assert (frozen.mean != 0).all()


@kinds
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_copies_draw_the_same(make, duplicate):
    answer = make()
    draws, again = (a.draw(np.arange(N), 4, 0) for a in (answer, duplicate(answer)))
    for name, values in draws.items():
        assert_array_equal(again[name], values)


def test_read_only_is_a_copy():
    array = np.arange(3)
    fixed = read_only(array)
    array[0] = 7
    assert fixed.tolist() == [0, 1, 2]


# Normal distributions


def test_normal_quantiles():
    answer, frame = make_normal(), make_frame()
    quantiles = answer.quantiles(frame, SEVEN)
    assert quantiles.shape == (7, 3, N)
    names, level = answer.names, norm.ppf(0.84)
    n, flux = names.index("n"), names.index("log_flux")
    offsets = np.array([-level, 0, level])[:, None]
    assert_allclose(quantiles[SEVEN.index("n")], answer.mean[:, n] + offsets * answer.scale[:, n])
    log_flux = answer.mean[:, flux] - offsets * answer.scale[:, flux]  # fainter is larger
    assert_allclose(quantiles[SEVEN.index("mag")], 25 - 2.5 * (log_flux + np.log10(2)))
    assert (np.diff(quantiles, axis=1) > 0).all()


def test_normal_quantiles_of_a_subset_and_without_an_answer():
    answer, frame = make_normal(), make_frame()
    answer.mean[1], answer.scale[1] = np.nan, np.nan
    quantiles = answer.quantiles(frame, ("theta", "n"))
    assert_array_equal(quantiles, answer.quantiles(frame, SEVEN)[[4, 2]])
    assert np.isnan(quantiles).all(axis=(0, 1)).tolist() == [False, True, False, False, False]


def test_normal_without_bounds():
    """Labels that nothing is known of give no overflow."""
    answer = make_normal()
    answer.scale[:] = 1e3
    assert np.isinf(answer.quantiles(make_frame(), ("r_eff",))[0, 2]).all()


# Quantiles of samples


def test_quantiles_of_samples():
    samples = np.random.default_rng(1).normal(size=(4, 400)) * [[1], [2], [3], [4]]
    (quantiles,) = summarize({"x_0": samples}, ("x_0",))
    assert_allclose(quantiles, np.quantile(samples, LEVELS, axis=1), rtol=0.02, atol=0.01)


def test_quantiles_of_even_points():
    """Few points of a normal distribution, evenly spread, give its quantiles without bias."""
    points = norm.ppf((np.arange(64) + 0.5) / 64)[None]
    ((low,), (median,), (high,)) = summarize({"n": points}, ("n",))[0]
    assert_allclose([low, median, high], norm.ppf(LEVELS), atol=0.005)


@pytest.mark.parametrize("width", [1.0, 15.0])
@pytest.mark.parametrize("center", [0.0, 40.0, -90.0, 89.0, -89.5])
def test_quantiles_of_angles(center, width):
    """Those of angles spread around any direction, counted through the ends."""
    spread = width * np.random.default_rng(1).normal(size=(1, 1001))
    wrapped = (center + spread + 90) % 180 - 90
    ((low,), (median,), (high,)) = summarize({"theta": wrapped}, ("theta",))[0]
    assert -90 <= median < 90
    expected = center + np.quantile(spread, LEVELS, method="hazen")
    assert abs((median - expected[1] + 90) % 180 - 90) < 1e-9
    assert_allclose([low - median, high - median], expected[[0, 2]] - expected[1], atol=1e-9)


def test_angles_of_which_nothing_is_known():
    theta = np.random.default_rng(1).uniform(-90, 90, (3, 4000))
    low, _, high = summarize({"theta": theta}, ("theta",))[0]
    assert_allclose(high - low, 0.68 * 180, rtol=0.05)


def test_quantiles_without_an_answer():
    values = {"mag": np.ones((3, 8)), "theta": np.ones((3, 8))}
    for array in values.values():
        array[1] = np.nan
    quantiles = summarize(values, ("theta", "mag"))
    assert np.isnan(quantiles).all(axis=(0, 1)).tolist() == [False, True, False]


def test_samples_stay_within_what_is_possible():
    labels = {"n": np.array([[0.1, 3, 9]]), "q": np.array([[0.001, 0.5, 1.2]])}
    values = parameter_samples(labels, make_frame(1), ("n", "q"))
    assert values["n"].tolist() == [[0.3, 3, 6.2]]
    assert values["q"].tolist() == [[0.01, 0.5, 1]]
