"""Draws from posteriors, and the prior that they are divided by."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.populations import draw_truth, frame_of, measure, sampled
from scipy.stats import kstest

from sersicnet import Flags, SersicNet
from sersicnet.inference.population_draws import check_posteriors, draw_galaxies, n_available
from sersicnet.model.prior import draw_labels, log_snr

SHEAR = np.array([[1.2, 0.3], [0.0, 1 / 1.2]])


@pytest.mark.parametrize("stretch", [None, SHEAR], ids=["square", "oblong"])
def test_galaxies_of_the_universal_prior_are_flat_without_it(stretch):
    """On the sky, whatever the shape of pixels: within limits, nothing is left of the prior."""
    labels = draw_labels(200_000, generator=torch.Generator().manual_seed(1)).double()
    signal = log_snr(labels).numpy()
    results = sampled(labels.numpy()[None], frame_of(1, stretch=stretch))
    draws = draw_galaxies(results, np.array([0]), 200_000, 0)
    mag, log_r_eff, n, q = np.moveaxis(draws.values[0], -1, 0)
    order = np.argsort(draws.labels["log_flux"][0])
    assert len(order) == len(signal)
    box = (log_r_eff > -1.2) & (log_r_eff < 0.2) & (n > 0.5) & (n < 5.5) & (q > 0.2) & (q < 0.9)
    weights = np.exp(-draws.log_prior[0, box])
    kept = np.random.default_rng(1).random(box.sum()) < weights / weights.max()
    limits = {"log_r_eff": (-1.2, 1.4), "n": (0.5, 5.0), "q": (0.2, 0.7)}
    for values, (low, width) in zip((log_r_eff, n, q), limits.values(), strict=True):
        uniform = values[box][kept][:3000]
        assert len(uniform) > 1000
        assert kstest(uniform, "uniform", args=(low, width)).pvalue > 1e-4
    assert np.isfinite(mag).all()


def test_fits_without_the_prior_are_likelihoods():
    """Divided by nothing but what turns their coordinates into those of the population."""
    results = measure(draw_truth(3), error=0.01)
    draws = draw_galaxies(results, np.arange(3), 200, 0)
    values = draws.values
    assert values.shape == (3, 200, 4)
    # of such small errors, the change of the density is that of the coordinates alone
    np.testing.assert_allclose(values.mean(axis=1)[:, 0], results.median("mag"), atol=0.01)
    assert np.ptp(draws.log_prior, axis=1).max() < 0.3


def test_kept_draws_are_all_that_there_are():
    labels = draw_labels(40, generator=torch.Generator().manual_seed(1)).double().numpy()
    results = sampled(labels.reshape(2, 20, 7), frame_of(2))
    assert n_available(results) == 20
    assert n_available(measure(draw_truth(2))) is None
    draws = draw_galaxies(results, np.arange(2), 20, 0)
    assert np.sort(draws.labels["n"], axis=1) == pytest.approx(
        np.sort(labels.reshape(2, 20, 7)[:, :, 2], axis=1)
    )


def test_galaxies_at_a_bound_take_the_network(refined):
    results = refined["lm"]
    flags = np.array(results.flags)
    flags[1] |= Flags.AT_BOUND
    bound = replace(results, flags=flags)
    rows = np.arange(4)
    fitted = draw_galaxies(results, rows, 50, 0)
    found = draw_galaxies(bound, rows, 50, 0)
    network = results.posterior.network.draw([1], 50, 0, numbers=[1])
    np.testing.assert_array_equal(found.labels["n"][1], network["n"][0])
    np.testing.assert_array_equal(found.labels["n"][[0, 2, 3]], fitted.labels["n"][[0, 2, 3]])
    assert np.isfinite(found.log_prior).all()


def test_what_is_no_posterior_raises(net, cutouts):
    table = net.predict(cutouts[:1]).to_table()
    with pytest.raises(TypeError, match=r"results=QTable must be SersicResults"):
        check_posteriors(table)


def test_other_parameters_raise(cutouts):
    results = SersicNet.from_pretrained("deeplegato-mag").predict(cutouts[:1])
    with pytest.raises(ValueError, match=r"results have no r_eff, n, q"):
        check_posteriors(results)


def test_other_priors_raise(cutouts, net):
    other = SersicNet.from_pretrained("deeplegato").predict(cutouts[:1])
    with pytest.raises(ValueError, match=r"cannot be divided out: measure with the weights"):
        check_posteriors(other)
    results = net.predict(cutouts[:1])
    check_posteriors(results)
    results.meta["PRIOR"] = "adapted"
    with pytest.raises(ValueError, match=r"cannot be divided out"):
        check_posteriors(results)
