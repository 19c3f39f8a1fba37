"""Joint fits of galaxies and their neighbors."""

import numpy as np
import pytest
from helpers.blended import FAR, MAG, NEIGHBOR, blend
from helpers.rendered import star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags, SersicNet
from sersicnet.inference.joint_fits import _apart
from sersicnet.preprocessing import mask_neighbors

TRUTH = {"mag": MAG, "r_eff": 0.3, "n": 1.2, "q": 0.7}


@pytest.fixture(scope="module")
def cutouts():
    """A galaxy that is alone, with one neighbor, and with one nearby and one far away."""
    return [blend(), blend(NEIGHBOR), blend(NEIGHBOR, FAR, seed=6)]


@pytest.fixture(scope="module")
def joint(net, cutouts):
    return net.predict(cutouts, neighbors="fit")


@pytest.fixture(scope="module")
def masked(net, cutouts):
    """The same with masked neighbors."""
    return net.predict([mask_neighbors(cutout) for cutout in cutouts], refine="lm")


def test_parameters_of_a_blend_within_their_errors(joint):
    for name, value in TRUTH.items():
        pulls = (joint.median(name)[1:] - value) / joint.error(name)[1:]
        assert np.abs(pulls).max() < 5, name
    assert (joint.error("mag")[1:] < 3 * joint.error("mag")[0]).all()


def test_with_its_neighbor_masked_a_galaxy_is_off(masked):
    """So that the test above tests something."""
    assert (np.abs(masked.median("mag")[1:] - MAG) > 5 * masked.error("mag")[1:]).all()


def test_columns_and_flags(joint):
    table = joint.to_table()
    assert table["group_size"].tolist() == [1, 2, 2]
    assert table["blend_fraction"][0] == 0
    assert (table["blend_fraction"][1:] > 0.02).all()
    assert_array_equal(table["flags"] & int(Flags.BLENDED) > 0, [False, True, True])
    bad = Flags.GROUP_NOT_CONVERGED | Flags.MISFIT | Flags.NOT_REFINED | Flags.OFF_CENTER
    assert not (table["flags"] & int(bad)).any()
    assert joint.meta["NEIGHBOR"] == "fit"
    assert joint.meta["REFINE"] == "lm (neighbors need a fit)"


def test_a_galaxy_that_is_alone_is_what_it_is_without_the_option(joint, masked):
    """To the bit."""
    alone = masked.to_table()[:1]
    table = joint.to_table()[:1]
    for name in alone.colnames:
        assert_array_equal(alone[name], table[name], err_msg=name)


def test_a_galaxy_is_measured_as_without_the_others(joint, net, cutouts):
    alone = net.predict(cutouts[1:2], neighbors="fit")
    assert_allclose(alone.quantiles[:, :, 0], joint.quantiles[:, :, 1], rtol=1e-3)


def test_samples_have_the_errors_of_the_table(joint):
    samples = joint.samples(2000, seed=1)
    assert_allclose(samples["mag"].std(axis=1), joint.error("mag"), rtol=0.2)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param({"dx": 62.0, "dy": 2.0}, id="border"),
        pytest.param("half", id="half masked"),
        pytest.param("nan", id="NaN"),
        pytest.param("spots", id="one pixel each"),
    ],
)
def test_neighbors_that_are_hard_to_fit(spoil, net):
    """The galaxy is still right, or its flags say that something is wrong."""
    if isinstance(spoil, dict):
        cutout = blend(NEIGHBOR | spoil)
    elif spoil == "spots":
        cutout = blend(spots=[(70, 75), (71, 78), (58, 72)])
    else:
        cutout = blend(NEIGHBOR)
        if spoil == "half":
            cutout.mask = np.zeros(cutout.shape, dtype=bool)
            cutout.mask[:, 75:] = True
        else:
            cutout.data[64:69, 72:78] = np.nan
    results = net.predict([cutout], neighbors="fit")
    pull = (results.median("mag")[0] - MAG) / results.error("mag")[0]
    doubts = Flags.MISFIT | Flags.GROUP_NOT_CONVERGED | Flags.NOT_REFINED | Flags.HIGH_CHI2
    assert np.isfinite(pull)
    assert abs(pull) < 5 or results.flags[0] & int(doubts)


def test_detections_at_one_place_are_one_source():
    neighbors = np.zeros((3, 8))
    neighbors[:, 5] = [0.4, 9.0, 9.3]
    assert _apart(np.zeros(7), neighbors, 1.5).tolist() == [False, True, False]


def test_networks_of_one_survey_cannot(cutouts):
    net = SersicNet.from_pretrained("deeplegato")
    with pytest.raises(ValueError, match="neighbors='fit' needs the posterior network"):
        net.predict(cutouts[:1], psf=star(), neighbors="fit")
