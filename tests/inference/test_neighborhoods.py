"""Cutouts of several sources: what the network sees of them."""

from functools import partial

import numpy as np
import pytest
from helpers.blended import FAR, NEIGHBOR, blend
from helpers.rendered import labels_of, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Model
from sersicnet.inference.neighborhoods import Neighborhoods, check_neighbors
from sersicnet.inference.posteriors import predict_posterior
from sersicnet.inference.refine import ImportanceSampling
from sersicnet.preprocessing.batches import open_cutouts


@pytest.fixture(scope="module")
def around():
    """A galaxy that is alone, and one with two neighbors."""
    cutouts = [blend(), blend(NEIGHBOR, FAR)]
    (batch,) = open_cutouts(cutouts, stamp_size=128, psf=star())
    return Neighborhoods.of(batch)


def test_only_cutouts_with_neighbors_change(around):
    assert list(around.found) == [1]
    assert_array_equal(around.masked.stamps.weight[0], around.opened.stamps.weight[0])
    lost = (around.opened.stamps.weight[1] > 0) & (around.masked.stamps.weight[1] == 0)
    assert lost[66, 74]


def test_stamps_with_neighbors_have_the_units_of_those_without(around):
    stamps = around.masked.stamps
    opened = around.opened_stamps(np.array([1]), stamps)
    both = stamps.weight[1] > 0
    assert_allclose(opened.data[0][both], stamps.data[1][both], rtol=1e-6)
    assert_array_equal(opened.frame.noise_level, stamps.frame.noise_level[1:])
    assert (opened.weight[0] > 0).all()


def test_the_network_measures_neighbors_in_their_place(around, net):
    points = np.random.default_rng(1).normal(size=(32, 7))
    options = {"flow": net.network_.flow, "points": points, "ways": (0,), "batch_size": 64}
    evaluate = partial(predict_posterior, net.network_, **options)
    found = around.measured_neighbors([1], around.masked.stamps, evaluate)
    assert found[1].shape == (2, 8)
    for labels, truth in zip(found[1], (NEIGHBOR, FAR), strict=True):
        expected = labels_of(**truth)
        assert_allclose(labels[[0, 1]], expected[:2], atol=0.15)
        assert_allclose(labels[5:7], expected[5:7], atol=0.6)


def test_hidden_pixels_are_those_of_what_is_not_shown(around):
    hidden = around.hidden(1, [0], 128)
    assert hidden[104, 18]
    assert not hidden[66, 74]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("both", None, Model()), "neighbors='both' must be 'mask' or 'fit'"),
        (("fit", ImportanceSampling(), Model()), "needs refine='lm'"),
        (("fit", None, Model("point")), "needs model='sersic'"),
    ],
)
def test_arguments_that_do_not_fit_together(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_neighbors(*arguments)
