"""What `SersicNet.fit` refuses before it trains."""

import numpy as np
import pytest
from helpers.surveys import SEVEN, SILENT, make_net

from sersicnet import SersicNet
from sersicnet.model.labels import LABELS, N_LABELS
from sersicnet.training.data import TrainingData


def test_not_from_scratch(survey):
    message = "trained on scenes of its own, by `sersicnet train universal`.*warm_start=True"
    with pytest.raises(ValueError, match=message):
        make_net().fit(*survey)


def test_nothing_to_begin_with(survey):
    with pytest.raises(RuntimeError, match="no trained network: call fit, or use from_pretrained"):
        SersicNet(network="posterior", parameters=SEVEN).fit(*survey, warm_start=True)


@pytest.mark.parametrize("name", SEVEN)
def test_all_seven_are_needed(name, survey):
    cutouts, truth = survey
    truth = {key: column for key, column in truth.items() if key != name}
    with pytest.raises(ValueError, match=f"the truth has no column '{name}', which is needed for"):
        make_net().fit(cutouts, truth, **SILENT)


def test_prepared_training_data(survey):
    data = TrainingData(*np.zeros((2, 4, 128, 128)), np.zeros((4, N_LABELS)), LABELS)
    with pytest.raises(TypeError, match="a TrainingData, which has no PSFs"):
        make_net().fit(data, survey[1], **SILENT)


def test_noise_drawn_anew(survey):
    with pytest.raises(ValueError, match="noise_kernel is for network='cnn'"):
        make_net().fit(*survey, noise_kernel=[[1]], **SILENT)


def test_validation_that_is_no_pair(survey):
    with pytest.raises(TypeError, match="validation must be a tuple"):
        make_net().fit(*survey, validation=survey[0][0], **SILENT)
