"""What tests of training share; not to be changed by a test."""

import numpy as np
import pytest
from helpers.blobs import NAMES, blobs
from helpers.surveys import make_net, make_survey
from helpers.tiny_training import train

from sersicnet.training.data import TrainingData


@pytest.fixture(scope="session")
def sets():
    """A training and a validation set."""
    data = TrainingData(*blobs(48, 32), NAMES)
    return data.subset(np.arange(40)), data.subset(np.arange(40, 48))


@pytest.fixture(scope="session")
def survey():
    """Forty galaxies and their truth; not to be changed by a test."""
    return make_survey(40, seed=1)


@pytest.fixture(scope="session")
def universal():
    """The universal weights; not to be changed by a test."""
    return make_net()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """File of weights after two short epochs."""
    return train(tmp_path_factory.mktemp("trained"))
