"""Predictions of networks that were trained for one survey."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.cutouts import UNITS

from sersicnet.flags import Flags
from sersicnet.inference.one_survey import predict_normal
from sersicnet.networks.cnn import RegressionCNN
from sersicnet.parameters import label_names
from sersicnet.preprocessing import prepare


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("column", [2, 6])
def test_answer_of_a_regression_that_is_not_finite(value, column, images, monkeypatch):
    """The same for networks of one survey: a mean or a width."""
    numbers = np.random.default_rng(1).uniform(0.1, 1, (6, 8))
    numbers[1, column] = value
    answers = lambda *_, **__: (numbers[:, :4].copy(), numbers[:, 4:].copy())  # noqa: E731
    monkeypatch.setattr("sersicnet.inference.one_survey.predict_labels", answers)
    four = ("mag", "r_eff", "n", "q")
    stamps = replace(prepare(images, **UNITS), flags=np.zeros(6, dtype=int))
    answer, quantiles, flags = predict_normal(RegressionCNN(4), four, stamps, batch_size=64)
    assert flags.tolist() == [0, Flags.PREDICTION_FAILED, 0, 0, 0, 0]
    assert answer.names == label_names(four)
    lost = [False, True, False, False, False, False]
    assert np.isnan(quantiles).all(axis=(0, 1)).tolist() == lost
    assert np.isnan(answer.mean).all(axis=1).tolist() == np.isnan(answer.scale).all(axis=1).tolist()
