"""Posteriors over several models."""

from dataclasses import replace

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference import SampleDensity
from sersicnet.inference.chosen import SEVEN, ChoiceDensity, mixed_quantiles
from sersicnet.inference.shapes import quantiles_on_sky
from sersicnet.preprocessing import StampFrame


def make_choice(probability):
    """A galaxy of S/N 10, and a star of twice its light, under two models."""
    n = len(probability)
    rng = np.random.default_rng(1)
    galaxies = np.zeros((n, 300, 7))
    galaxies[:, :, 0] = 1 + 0.01 * rng.normal(size=(n, 300))
    galaxies[:, :, 2] = 2.0
    galaxies[:, :, 3] = 0.2
    stars = np.zeros((n, 300, 3))
    stars[:, :, 0] = 1.3
    single = SampleDensity(galaxies, best=galaxies[:, 0])
    point = SampleDensity(stars, best=stars[:, 0], parts=(("point", "point"),))
    probability = np.array(probability)
    best = np.nan_to_num(probability).argmax(axis=1)
    return ChoiceDensity(probability, best, {"sersic": single, "point": point})


def make_frame(n):
    return StampFrame(*np.array([[1.0], [25.0], [0.1], [1.0], [63.5], [63.5]]) * np.ones(n))


def test_models_are_drawn_by_probability():
    choice = make_choice([[0.25, 0.75], [1.0, 0.0], [np.nan, np.nan]])
    drawn = choice.draw(np.arange(3), 2000, 4)
    assert_allclose(np.isfinite(drawn["n"]).mean(axis=1), [0.25, 1, 1], atol=0.05)
    assert_array_equal(drawn["log_flux"] == 1.3, np.isnan(drawn["n"]))


def test_a_galaxy_has_its_own_draws():
    choice = make_choice([[0.5, 0.5]] * 3)
    options = {"frame": make_frame(3), "parameters": ("mag", "n"), "numbers": np.array([7, 8, 9])}
    whole = choice.samples(20, 1, **options)
    options |= {"frame": make_frame(1), "numbers": np.array([9])}
    one = choice[2:3].samples(20, 1, **options)
    assert_array_equal(one["model"][0], whole["model"][2])
    assert_array_equal(one["mag"][0], whole["mag"][2])


def test_quantiles_do_not_depend_on_the_place():
    choice = make_choice([[0.6, 0.4]] * 3)
    whole = mixed_quantiles(choice, make_frame(3), 0)
    one = mixed_quantiles(choice[2:3], make_frame(1), 0)
    assert_array_equal(one[:, :, 0], whole[:, :, 2])


def test_draws_follow_numbers():
    choice = make_choice([[0.5, 0.5]] * 3)
    whole = choice.draw([0, 1, 2], 20, 1, numbers=[7, 8, 9])
    one = choice.draw([2], 20, 1, numbers=[9])
    assert_array_equal(one["log_flux"][0], whole["log_flux"][2])


def test_quantiles_are_of_what_most_draws_have():
    choice = make_choice([[0.9, 0.1], [0.1, 0.9]])
    quantiles = mixed_quantiles(choice, make_frame(2), 0)
    assert_allclose(quantiles[0, 1], [22.5, 21.75], atol=0.02)
    assert_allclose(quantiles[2, :, 0], 2)
    assert np.isnan(quantiles[1:3, :, 1]).all()


def test_sizes_on_the_sky_are_of_models_that_have_one():
    choice = make_choice([[0.9, 0.1]])
    frame = make_frame(1)
    frame = replace(frame, stretch=np.diag([2.0, 0.5])[None])
    found = quantiles_on_sky(mixed_quantiles(choice, frame, 0), choice, frame, SEVEN)
    assert_allclose(found[SEVEN.index("r_eff"), 1], 0.1 * 2, rtol=0.02)


def test_the_winner_is_shown():
    choice = make_choice([[0.1, 0.9]])
    assert choice.winner.parts == (("point", "point"),)
    assert choice.parts == (("point", "point"),)
    assert_array_equal(choice.winner.best_labels()[0], [1.3, 0, 0])
