"""The network's posteriors of a batch."""

import numpy as np
import pytest
import torch
from helpers.cutouts import UNITS
from helpers.rendered import star
from numpy.testing import assert_array_equal

from sersicnet.flags import Flags
from sersicnet.inference.posteriors import predict_posterior
from sersicnet.preprocessing.batches import open_cutouts


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_answer_of_the_flow_that_is_not_finite(value, net, images):
    """A row of NaN, and a flag, where the network fails on one galaxy."""

    class Broken(torch.nn.Module):
        flow = net.network_.flow
        whiten = net.network_.whiten
        context_size = net.network_.context_size
        needs_fine = net.network_.needs_fine

        def forward(self, *arrays):
            posterior = net.network_(*arrays)
            posterior.mean[1, 3] = value
            return posterior

    (batch,) = open_cutouts(images, stamp_size=128, psf=star(), **UNITS)
    points = np.random.default_rng(1).normal(size=(8, 7))
    options = {"flow": Broken.flow, "points": points, "ways": (0,), "batch_size": 64}
    stamps, answer, quantiles = predict_posterior(Broken(), batch, **options)
    failed = (stamps.flags & int(Flags.PREDICTION_FAILED)) != 0
    assert failed.tolist() == [False, True, False, False, False, False]
    assert_array_equal(np.isnan(quantiles).all(axis=(0, 1)), failed)
    assert_array_equal(np.isnan(answer.mean).all(axis=(1, 2)), failed)
