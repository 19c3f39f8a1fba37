"""The parent population of a flux-limited sample, from injected galaxies."""

import numpy as np
import pytest
from astropy.table import QTable
from helpers.populations import draw_truth, measure

from sersicnet import Flags, Population
from sersicnet.inference.population_density import Mixture, to_unbounded
from sersicnet.inference.population_selection import (
    Selection,
    read_selection,
    warn_of_selection,
)

FOUR = ("mag", "r_eff", "n", "q")


def is_detected(results, *, seed):
    """Whether a catalog has galaxies, by their measured magnitudes and sizes."""
    faint = results.median("mag") - 18.2 + 1.2 * (np.log10(results.median("r_eff")) + 0.3)
    chance = np.random.default_rng([seed, 3]).random(len(results))
    return chance < 0.95 / (1 + np.exp(faint / 0.15))


def inject(n, *, seed=0, width=1.0):
    """Galaxies all over the coordinates, and what was detected of them."""
    rng = np.random.default_rng([seed, 4])
    limits = {"mag": (15.5, 20.5), "log_r_eff": (-1.2, 0.6), "n": (0.4, 6.0), "q": (0.06, 0.99)}
    values = {}
    for name, (low, high) in limits.items():
        if name == "n":
            high = low + width * (high - low)
        values[name] = rng.uniform(low, high, n)
    detected = is_detected(measure(values, seed=50 + seed), seed=50 + seed)
    table = QTable({f"true_{name}": values[name] for name in ("mag", "n", "q")})
    table["true_r_eff"] = 10 ** values["log_r_eff"]
    table["detected"] = detected
    return table


def numbers(population):
    """Mean magnitude, and slope and middle of the relation of size and magnitude."""
    sample = population.sample(20_000)
    mag = np.array(sample["mag"], float) - 18
    return np.array([mag.mean(), *np.polyfit(mag, np.log10(sample["r_eff"].value), 1)])


@pytest.fixture(scope="module")
def detected():
    """A catalog with its faint galaxies missing."""
    results = measure(draw_truth(500, seed=2), seed=2)
    return results[np.flatnonzero(is_detected(results, seed=2))]


def test_the_parent_population_is_recovered(detected):
    """Not only that of the detected, whose faint galaxies are missing, the large ones first."""
    plain = Population.infer(detected)
    parent = Population.infer(detected, selection=inject(6000))
    truth = np.array([0.0, -0.15, -0.3])
    away = np.array([0.16, 0.045, 0.035])  # three errors of 300 galaxies
    assert (np.abs(numbers(parent) - truth) < away).all()
    assert numbers(plain)[0] < -0.35
    share = parent.record["selection"]["detected"]
    assert share == pytest.approx(len(detected) / 500 / 0.95, abs=0.1)
    assert f"{share:.0%} of it was detected" in parent.about


def test_probability_is_that_of_the_injections():
    """In bins of the truth, up to the share that is lost everywhere."""
    table = inject(6000, seed=1)
    selection = read_selection(table, left_out=0)
    chance = np.exp(selection.log_probability(selection.points))
    for low in np.arange(16, 20, 0.5):
        inside = np.abs(table["true_mag"] - low) < 0.25
        found = np.mean(table["detected"][inside])
        assert 0.95 * chance[inside].mean() == pytest.approx(found, abs=0.05)


def test_share_of_a_population():
    """By the places of its components as by its samples."""
    selection = read_selection(inject(2000), left_out=0)
    middle = to_unbounded(np.array([18.5, -0.3, 1.0, 0.5]))
    mixture = Mixture(np.ones(1), middle[None], np.diag([0.6, 0.02, 0.1, 0.3])[None])
    _, shares, chance = selection.detected(mixture)
    drawn = mixture.sample(20_000, np.random.default_rng(1))
    expected = np.exp(selection.log_probability(drawn)).mean()
    assert shares @ chance == pytest.approx(expected, abs=0.01)


def test_all_detected_changes_nothing(detected):
    table = inject(500)
    table["detected"] = True
    found = Population.infer(detected[:100], selection=table)
    plain = Population.infer(detected[:100])
    np.testing.assert_allclose(numbers(found), numbers(plain), atol=0.02)


def test_rows_are_detected_where_a_catalog_would_have_them():
    """Not those with other flags, nor without a measurement; none on a source counts."""
    table = inject(50)
    table["detected"] = True
    table["mag"] = np.where(np.arange(50) < 10, np.nan, 20.0)
    table["flags"] = np.where(np.arange(50) >= 40, int(Flags.MISFIT), int(Flags.BLENDED))
    table["on_source"] = np.arange(50) % 2 == 1
    selection = read_selection(table, left_out=int(Flags.MISFIT))
    assert len(selection.points) == 25
    assert selection.selected.sum() == 15


def test_galaxies_that_a_catalog_takes_for_stars_are_missing_in_it():
    """Its stars do not count in the population: those of the injections are not detected."""
    table = inject(50)
    table["detected"] = True
    table["prob_star"] = np.where(
        np.arange(50) < 10, 0.7, np.where(np.arange(50) < 20, 0.2, np.nan)
    )
    assert read_selection(table, left_out=0, star=0.5).selected.sum() == 40
    assert read_selection(table, left_out=0).selected.all()


def test_few_injections_warn(detected):
    with pytest.warns(UserWarning, match=r"300 injections count as \d+, fewer than four for each"):
        Population.infer(detected[:100], selection=inject(300))


def test_numbers_that_would_be_rounded_to_zero():
    described = {"n_injections": 300, "n_effective": 0.052, "covered": 0.0042}
    with pytest.warns(UserWarning, match=r"^selection: ") as found:
        warn_of_selection(described, 100, stacklevel=1)
    texts = [str(each.message) for each in found]
    assert texts[0].startswith("selection: 300 injections count as 0.052, fewer than four")
    assert texts[1].startswith("selection: injections cover 0.42 % of the inferred population")


def test_narrow_injections_warn(detected):
    """They may also be few for what they are to say."""
    with pytest.warns(UserWarning, match=r"^selection: ") as found:
        Population.infer(detected[:100], selection=inject(3000, width=0.08))
    assert any("of the inferred population: what is missing" in str(each.message) for each in found)


def test_other_tables_raise(detected):
    table = inject(50)
    with pytest.raises(TypeError, match=r"selection must be a table"):
        Population.infer(detected, selection=3)
    with pytest.raises(ValueError, match=r"selection has no column 'true_q'"):
        Population.infer(detected, selection=table["true_mag", "true_r_eff", "true_n", "detected"])
    table["true_n"][3] = np.nan
    with pytest.raises(ValueError, match=r"1 of 50 injections without a finite mag"):
        Population.infer(detected, selection=table)
    table = inject(50)
    table["detected"] = False
    with pytest.raises(ValueError, match=r"no injection that was detected .* among 50"):
        Population.infer(detected, selection=table)


def test_files_keep_the_selection(detected, tmp_path):
    with pytest.warns(UserWarning, match=r"fewer than four"):
        population = Population.infer(detected[:60], selection=inject(200))
    population.save(tmp_path / "population.safetensors")
    assert Population.load(tmp_path / "population.safetensors").about == population.about


def test_a_selection_without_shape():
    """Injections of one index: the probability does not depend on it."""
    points = np.zeros((200, 4))
    points[:, 0] = np.linspace(17, 20, 200)
    selection = Selection(points, points[:, 0] < 18.5)
    chance = np.exp(selection.log_probability(points[[0, -1]]))
    assert chance[0] > 0.9
    assert chance[1] < 0.1
