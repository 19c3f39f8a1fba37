"""Galaxies that are injected: surveys, tables and objects that draw them."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from helpers import populations
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Population
from sersicnet.measure.injection_truth import check_sizes, draw_truth, open_galaxies
from sersicnet.parameters import Prior
from sersicnet.simulate_catalog import SimulationConfig


def galaxies(number=5, **columns):
    known = {"mag": 22.0, "r_eff": 0.5, "n": 1.5, "q": 0.6}
    table = {name: np.full(number, value) for name, value in known.items()}
    return QTable(table | columns)


def test_a_survey_is_drawn_from_its_priors():
    source, name = open_galaxies("candels_f160w", magnitudes=(24, 27))
    truth = draw_truth(source, 500, seed=1)
    assert name == "candels_f160w"
    assert truth["mag"].unit == u.ABmag
    assert (truth["mag"].value > 24).all()
    assert (truth["mag"].value < 27).all()
    assert np.median(truth["r_eff"].value) == pytest.approx(np.sqrt(0.1 * 1.5), rel=0.2)
    assert_allclose(np.exp(-truth["log_density"]), 3 * np.log10(15) * 5.5 * 0.8)


def test_the_density_integrates_to_one():
    """A uniform distribution of the radius is not one of its logarithm."""
    priors = {"r_eff": Prior(0.1, 1.5), "n": Prior(0.5, 4, log=True)}
    config = SimulationConfig.candels_f160w().replace(priors=priors)
    truth = draw_truth(config, 40_000, seed=1)
    # the mean of 1 / density over draws is the volume that they fill
    volume = 6 * np.log10(15) * 3.5 * 0.8
    assert_allclose(np.mean(np.exp(-truth["log_density"])), volume, rtol=0.05)


def test_a_single_value_has_no_density():
    config = SimulationConfig.candels_f160w().replace(priors={"n": Prior(1, 1)})
    assert np.isnan(draw_truth(config, 3, seed=1)["log_density"]).all()


def test_draws_are_seeded():
    config = SimulationConfig.candels_f160w()
    first, same, other = (draw_truth(config, 3, seed=seed)["mag"] for seed in (1, 1, 2))
    assert_array_equal(first, same)
    assert (first != other).all()


def test_a_table_as_it_is_or_drawn_from():
    table = galaxies(x_0=np.arange(5.0), y_0=np.zeros(5), theta=[100, 0, 0, 0, 0] * u.deg)
    whole = draw_truth(table, None, seed=1)
    assert_array_equal(whole["x_0"].value, np.arange(5))
    assert whole["theta"][0] == -80 * u.deg
    assert np.isnan(whole["log_density"]).all()
    some = draw_truth(table, 3, seed=1)
    assert len(set(some["x_0"].value)) == 3
    assert len(draw_truth(table, 20, seed=1)) == 20


def test_columns_have_units():
    table = galaxies(r_eff=np.full(5, 500.0) * u.mas, mag=np.full(5, 22.0) * u.ABmag)
    assert_allclose(draw_truth(table, None, seed=1)["r_eff"].to_value("arcsec"), 0.5)


def test_angles_are_random_where_they_are_not_known():
    theta = draw_truth(galaxies(200), None, seed=1)["theta"].value
    assert np.ptp(theta) > 150


class Sampler:
    """A population as an object."""

    def sample(self, n, *, seed):
        return galaxies(n, mag=20 + np.random.default_rng(seed).random(n))

    def log_density(self, mag, log_r_eff, n, q):
        return -mag + log_r_eff + n + q


def test_an_object_that_draws():
    source, name = open_galaxies(Sampler())
    truth = draw_truth(source, 7, seed=3)
    assert (len(truth), name) == (7, "Sampler")
    expected = -truth["mag"].value + np.log10(0.5) + 1.5 + 0.6
    assert_allclose(truth["log_density"], expected)
    assert len(draw_truth(source, None, seed=3)) == 1000


def test_a_population_and_its_file(tmp_path):
    """Galaxies and their density are those of the population."""
    population = Population.infer(populations.measure(populations.draw_truth(60, seed=1), seed=1))
    population.save(tmp_path / "population.safetensors")
    source, _ = open_galaxies(tmp_path / "population.safetensors")
    truth = draw_truth(source, 50, seed=1)
    drawn = population.sample(50, seed=1)
    assert_allclose(truth["mag"].value, drawn["mag"].value)
    log_r_eff = np.log10(drawn["r_eff"].value)
    expected = population.log_density(drawn["mag"].value, log_r_eff, drawn["n"], drawn["q"])
    assert_allclose(truth["log_density"], expected)


def test_a_sampler_without_a_seed():
    class Plain:
        def sample(self, n):
            return {name: galaxies(n)[name] for name in ("mag", "r_eff", "n", "q")}

    assert np.isnan(draw_truth(Plain(), 2, seed=1)["log_density"]).all()


def test_a_sampler_must_draw_as_many_as_asked():
    class Lazy:
        def sample(self, n):
            return galaxies(n - 1)

    with pytest.raises(ValueError, match=r"galaxies.sample\(5\) returned 4 galaxies"):
        draw_truth(Lazy(), 5, seed=1)


def test_a_file(tmp_path):
    galaxies().write(tmp_path / "galaxies.ecsv")
    source, name = open_galaxies(tmp_path / "galaxies.ecsv")
    assert len(source) == 5
    assert name.endswith("galaxies.ecsv")


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_the_number_of_galaxies_is_positive(n):
    with pytest.raises(ValueError, match=f"n_galaxies={n} must be a positive integer"):
        draw_truth(galaxies(), n, seed=1)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"mag": [22, np.nan, np.inf, 22, 22]}, "2 of 5 values of mag are not finite"),
        ({"r_eff": [0.5, 0, 0.5, 0.5, 0.5]}, "r_eff=0 must be positive"),
        ({"n": [1, 1, 1, 9, 9.0]}, r"n=9 must be from 0.3 to 6.2 \(2 of 5 are not\)"),
        ({"q": [1.2, 1, 1, 1, 1]}, "q=1.2 must be from 0.01 to 1"),
        ({"x_0": [np.nan] * 5, "y_0": [1.0] * 5}, "5 of 5 values of x_0 are not finite"),
        ({"mag": [22, 22, 22, 22, -90]}, "mag=-90 must be from -40 to 100"),
    ],
)
def test_impossible_galaxies(columns, message):
    with pytest.raises(ValueError, match=f"galaxies: {message}"):
        draw_truth(galaxies(**columns), None, seed=1)


def test_columns_are_needed():
    table = galaxies()["mag", "r_eff"]
    with pytest.raises(ValueError, match="galaxies has no column n, q, only mag, r_eff"):
        draw_truth(table, None, seed=1)
    with pytest.raises(ValueError, match="galaxies has no rows"):
        draw_truth(galaxies(0), None, seed=1)
    with pytest.raises(ValueError, match="galaxies has no column mag, r_eff, n, q, only nothing"):
        draw_truth({}, None, seed=1)
    with pytest.raises(ValueError, match="only one of the columns x_0 and y_0"):
        draw_truth(galaxies(x_0=np.ones(5)), None, seed=1)
    with pytest.raises(u.UnitConversionError, match="galaxies: the column 'r_eff'"):
        draw_truth(galaxies(r_eff=np.ones(5) * u.mag), None, seed=1)
    with pytest.raises(ValueError, match="must be of numbers"):
        draw_truth(galaxies(n=["one"] * 5), None, seed=1)


def test_what_are_no_galaxies():
    with pytest.raises(TypeError, match="galaxies must be a table or a dict of columns, not int"):
        open_galaxies(5)
    with pytest.raises(FileNotFoundError, match=r"galaxies='absent.ecsv' does not exist"):
        open_galaxies("absent.ecsv")
    with pytest.raises(ValueError, match=r"galaxies='nonsense' is not a survey .* candels_f160w"):
        open_galaxies("nonsense")


@pytest.mark.parametrize("magnitudes", [(25, 20), (20, np.nan), 3.0])
def test_magnitudes_are_a_range(magnitudes):
    with pytest.raises(ValueError, match=r"magnitudes=.* must be two increasing numbers"):
        open_galaxies("candels_f160w", magnitudes=magnitudes)


def test_magnitudes_are_those_of_a_survey():
    with pytest.raises(ValueError, match="only a simulated survey takes them, not QTable"):
        open_galaxies(galaxies(), magnitudes=(20, 25))


def test_galaxies_fit_into_the_image():
    truth = draw_truth(galaxies(), None, seed=1)
    check_sizes(truth, (200, 100), 0.1)
    with pytest.raises(ValueError, match=r"r_eff=0.5 arcsec is too large for an image of 9 x 200"):
        check_sizes(truth, (200, 9), 0.1)
