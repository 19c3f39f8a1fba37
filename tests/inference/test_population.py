"""The population of a catalog."""

import logging
import pickle
import re
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
import torch
from helpers.populations import draw_truth, frame_of, measure

from sersicnet import Population, SersicNet
from sersicnet.io.weights import write_weights

FOUR = ("mag", "r_eff", "n", "q")


def together(*parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@pytest.fixture(scope="module")
def population():
    """That of disks; not to be changed by a test."""
    return Population.infer(measure(draw_truth(400, seed=1), seed=1))


def test_noise_is_taken_out(population):
    """Scatter and slope of the relation of size and magnitude, and the scatter of the index."""
    sample = population.sample(20_000)
    mag = sample["mag"].value
    log_r_eff = np.log10(sample["r_eff"].to_value(u.arcsec))
    slope, middle = np.polyfit(mag - 18, log_r_eff, 1)
    assert slope == pytest.approx(-0.15, abs=0.03)
    assert np.std(log_r_eff - middle - slope * (mag - 18)) == pytest.approx(0.08, abs=0.025)
    assert np.std(np.log(sample["n"])) == pytest.approx(0.15, abs=0.07)
    estimates = measure(draw_truth(400, seed=1), seed=1)
    assert np.std(np.log(estimates.median("n"))) > 0.3  # what noise makes of it


def test_disks_and_spheroids_are_two_modes():
    truth = together(draw_truth(200, seed=1), draw_truth(200, seed=2, mode="spheroids"))
    population = Population.infer(measure(truth, seed=4))
    assert population.record["n_components"] >= 2
    n = np.array(population.sample(20_000)["n"])
    counts = np.histogram(n, [0.6, 1.4, 1.8, 2.4, 3.2, 4.4])[0] / [0.8, 0.4, 0.6, 0.8, 1.2]
    assert counts[2] < 0.3 * counts[0]
    assert counts[2] < 0.5 * counts[4]
    assert np.mean(n < 2) == pytest.approx(0.5, abs=0.1)


def test_what_it_is(population, caplog):
    assert population.record["n_galaxies"] == 400
    assert population.record["n_components"] == 1
    assert "n" not in population.record["universal"]
    assert population.record["n_degrees"] == population.mixture.n_degrees(400)
    assert repr(population).startswith("<Population: inferred from 400 galaxies, ")
    with caplog.at_level(logging.INFO, logger="sersicnet"):
        Population.infer(measure(draw_truth(30)))
    assert re.search(r"inferred from 30 galaxies, \d\d degrees of freedom", caplog.text)


def test_density_is_that_of_its_sample(population):
    """The mean of 1 over the density, within a box, is its volume."""
    sample = population.sample(200_000, seed=1)
    values = [np.array(sample[name], float) for name in FOUR]
    values[1] = np.log10(values[1])
    box = [(17.5, 18.5), (-0.4, -0.2), (0.8, 1.2), (0.4, 0.6)]
    inside = np.ones(len(sample), bool)
    for column, (low, high) in zip(values, box, strict=True):
        inside &= (column > low) & (column < high)
    density = np.exp(population.log_density(*[column[inside] for column in values]))
    volume = np.prod([high - low for low, high in box])
    assert (1 / density).sum() / len(sample) == pytest.approx(volume, rel=0.1)


def test_log_density_broadcasts(population):
    assert population.log_density(18, np.full((2, 1), -0.3), np.ones(3), 0.5).shape == (2, 3)


def test_seeds_repeat(population):
    results = measure(draw_truth(400, seed=1), seed=1)
    again = Population.infer(results)
    np.testing.assert_array_equal(again.mixture.mixture.means, population.mixture.mixture.means)
    one, two = population.sample(5, seed=3), population.sample(5, seed=3)
    assert all((one[name] == two[name]).all() for name in FOUR)


def test_frames_do_not_matter():
    """Images of other pixel scales, zero points and depths, together: one population."""
    truths = [draw_truth(100, seed=seed) for seed in (1, 2)]
    other = frame_of(100, scale=0.05, zeropoint=27.0, noise=3.0)
    parts = [measure(truths[0], seed=1), measure(truths[1], seed=2, frame=other)]
    one = Population.infer(parts)
    same = Population.infer(measure(together(*truths), seed=1))
    for name in FOUR:
        first, second = (np.array(each.sample(5000)[name], float) for each in (one, same))
        assert np.median(first) == pytest.approx(np.median(second), abs=0.35 * second.std())


def test_reweighted_catalog_is_better(population):
    truth = draw_truth(400, seed=1)
    results = measure(truth, seed=1)
    found = population.reweight(results)
    truth["r_eff"] = 10 ** truth["log_r_eff"]
    for name in FOUR[1:]:
        before = np.std(results.median(name) - truth[name])
        assert np.std(found.median(name) - truth[name]) < 0.9 * before
    assert found.meta["POPULATN"] == population.about


def test_more_galaxies_than_fit_at_a_time(monkeypatch):
    monkeypatch.setattr("sersicnet.inference.population_evidence._TOGETHER", 100)
    monkeypatch.setattr("sersicnet.inference.population_evidence._DRAWS", 3200)
    population = Population.infer(measure(draw_truth(500, seed=1), seed=1))
    assert population.record["n_galaxies"] == 500
    assert np.std(np.log(population.sample(5000)["n"])) == pytest.approx(0.15, abs=0.1)


def test_too_few_galaxies_raise():
    with pytest.raises(ValueError, match=r"results have 3 usable galaxies of 3 .* needs 20"):
        Population.infer(measure(draw_truth(3)))
    with pytest.raises(ValueError, match=r"results have 0 usable galaxies of 0"):
        Population.infer([])


def test_nan_alone_raises():
    results = measure(draw_truth(30))
    lost = replace(results, quantiles=np.full_like(results.quantiles, np.nan))
    with pytest.raises(ValueError, match=r"results have 0 usable galaxies of 30"):
        Population.infer(lost)


def test_results_with_another_prior_raise():
    results = measure(draw_truth(30))
    results.meta["PRIOR"] = "adapted"
    with pytest.raises(ValueError, match=r"cannot be divided out"):
        Population.infer([measure(draw_truth(30)), results])
    with pytest.raises(ValueError, match=r"cannot be divided out"):
        Population.known(lambda *values: np.zeros_like(values[0])).reweight(results)


def test_reweighted_results_raise(population):
    """The population would count twice."""
    found = population.reweight(measure(draw_truth(30)))
    with pytest.raises(ValueError, match=r"results have a population as prior \(inferred from 400"):
        population.reweight(found)
    with pytest.raises(ValueError, match=r"pass those that it was applied to"):
        Population.infer([measure(draw_truth(30)), found])


def test_tables_raise():
    with pytest.raises(TypeError, match=r"results=QTable must be SersicResults"):
        Population.infer(measure(draw_truth(30)).to_table())


def test_no_function_raises():
    with pytest.raises(TypeError, match=r"log_density=3 must be a function"):
        Population.known(3)


def test_a_known_population_has_no_sample_and_no_file(tmp_path):
    known = Population.known(lambda *values: np.zeros_like(values[0]))
    with pytest.raises(ValueError, match=r"cannot draw from a population that is known"):
        known.sample(3)
    with pytest.raises(ValueError, match=r"cannot save a population that is known"):
        known.save(tmp_path / "population.safetensors")


def test_sample_of_nothing_raises(population):
    with pytest.raises(ValueError, match=r"n=0 must be a positive integer"):
        population.sample(0)


def test_files_and_pickles_return_it(population, tmp_path):
    path = tmp_path / "population.safetensors"
    population.save(path)
    for other in (Population.load(path), pickle.loads(pickle.dumps(population))):
        assert other.record == population.record
        assert other.log_density(18, -0.3, 1, 0.5) == population.log_density(18, -0.3, 1, 0.5)


def test_damaged_files_raise(population, tmp_path):
    path = tmp_path / "population.safetensors"
    with pytest.raises(FileNotFoundError, match=r"population.safetensors"):
        Population.load(path)
    population.save(path)
    content = path.read_bytes()
    for damaged in (content[:-40], content[:100], b"", content[:-8] + 8 * b"\1"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"population.safetensors"):
            Population.load(path)


@pytest.mark.parametrize(
    ("name", "values", "match"),
    [
        ("weights", [0.5], r"not positive"),
        ("weights", [-1.0], r"not positive"),
        ("means", [[np.nan, 0, 0, 0]], r"means is not finite, of shape \(1, 4\)"),
        ("covariances", [np.eye(3)], r"covariances is not finite, of shape \(1, 4, 4\)"),
        ("covariances", [-np.eye(4)], r"not positive"),
        ("weights", [], r"weights is not finite"),
        ("log_factors", [1.0], r"log_factors is not finite, of shape \(4, 24\)"),
        ("log_factors", np.full((4, 24), np.inf), r"log_factors is not finite"),
    ],
)
def test_files_of_something_else_raise(tmp_path, name, values, match):
    path = tmp_path / "population.safetensors"
    arrays = {"weights": [1.0], "means": np.zeros((1, 4)), "covariances": [np.eye(4)]}
    arrays["log_factors"] = np.zeros((4, 24))
    arrays[name] = values
    tensors = {key: torch.from_numpy(np.array(value, float)) for key, value in arrays.items()}
    write_weights(path, tensors, {"population": {"n_galaxies": 30}})
    with pytest.raises(ValueError, match=match):
        Population.load(path)


def test_weights_of_a_network_are_no_population(tmp_path):
    path = tmp_path / "net.safetensors"
    SersicNet.from_pretrained("deeplegato-mag").save(path)
    with pytest.raises(ValueError, match=r"net.safetensors does not hold a Population"):
        Population.load(path)
