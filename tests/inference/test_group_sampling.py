"""Importance sampling of groups, together and member by member."""

import numpy as np
import pytest
from helpers.fields import NOISE, make_field, render
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags, SersicNet
from sersicnet.inference import ImportanceSampling, group_sampling, turns
from sersicnet.measure.image import measure_image
from sersicnet.measure.tiles import Measurement

# Two galaxies that touch, and a star beside them.
TRUTH = {"x_0": [60.0, 68.0, 51.0], "y_0": [60.0, 61.0, 57.0], "flux": [9e3, 7e3, 4e3]}
TRUTH |= {"r_eff": [3.0, 2.5, 0.0], "n": [1.0] * 3, "q": [0.8] * 3, "theta": [0.0] * 3}
FEW = ImportanceSampling(ess=200, min_ess=50, max_samples=800, n_kept=200)


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="module")
def field():
    image = render({name: np.array(values) for name, values in TRUTH.items()}, (130, 130))
    field = make_field(image, mask=None)
    field.data = image + NOISE * np.random.default_rng(8).normal(size=image.shape)
    return field


def measured(field, net, refine):
    """The catalog in the order of x, and the results of the members."""
    seen = []
    predict = Measurement.predict

    def watched(self, cutouts, part, **options):
        seen.append(predict(self, cutouts, part, **options))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Measurement, "predict", watched)
        table = measure_image(field, net=net, background_box=None, refine=refine)
    return table[np.argsort(table["x_0"].value)], seen[-1]


@pytest.fixture(scope="module")
def fitted(field, net):
    return measured(field, net, "lm")[0]


@pytest.fixture(scope="module")
def together(field, net):
    return measured(field, net, FEW)


@pytest.fixture(scope="module")
def apart(field, net):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_sampling, "LARGEST_SAMPLED", 0)
        return measured(field, net, FEW)[0]


def test_a_small_group_is_sampled_together(together, fitted):
    table, _ = together
    assert (table["group_size"] == 3).all()
    assert_array_equal(table["ess"], table["ess"][0])
    assert table["ess"][0] > FEW.min_ess
    assert not (table["flags"] & int(Flags.LOW_ESS | Flags.NOT_REFINED)).any()
    moved = (table["mag"] - fitted["mag"]) / fitted["mag_err"]
    assert_allclose(moved.value, 0, atol=0.5)
    assert_allclose(table["mag_err"] / fitted["mag_err"], 1, atol=0.35)


def test_members_sampled_by_themselves_agree(together, apart):
    table, _ = together
    assert len(set(apart["ess"])) == len(apart)
    assert (apart["ess"] > FEW.min_ess).all()
    for name in ("mag", "r_eff", "n"):
        error = table[f"{name}_err"]
        assert_allclose((apart[name] - table[name]) / error, 0, atol=0.5, err_msg=name)
        assert_allclose(apart[f"{name}_err"] / error, 1, atol=0.35, err_msg=name)


def test_draws_of_members_are_shared(together):
    """What one galaxy has too much, the other has too little."""
    _, results = together
    flux = 10 ** (-0.4 * results.samples(FEW.n_kept)["mag"])
    galaxies = flux[np.argsort(results.median("x_0"))[1:]]
    assert np.corrcoef(galaxies)[0, 1] < -0.15
    assert galaxies.sum(axis=0).std() < np.sqrt(galaxies.var(axis=1).sum())


def test_members_of_which_too_few_draws_count_are_flagged(field, net):
    """The fit stays where hardly any counts."""
    refine = ImportanceSampling(ess=8, min_ess=8, max_samples=8, n_kept=10)
    table, _ = measured(field, net, refine)
    assert (table["flags"] & int(Flags.LOW_ESS)).all()
    assert (table["ess"] < 8).all()
    assert np.isfinite(table["mag"]).all()


def test_a_group_that_is_fitted_again_is_sampled_once(field, net, monkeypatch):
    """Turns of a large group start from other models in the last sweep."""
    monkeypatch.setattr(turns, "MOST", 2)
    drawn = []
    draw = group_sampling.GroupSampler.draw

    def watched(self, *arguments):
        drawn.append((self.number, tuple(self.wanted)))
        return draw(self, *arguments)

    monkeypatch.setattr(group_sampling.GroupSampler, "draw", watched)
    table, _ = measured(field, net, FEW)
    assert len(drawn) == len(set(drawn)) > 1
    assert (table["group_size"] == 3).all()
    assert (table["n_samples"] > 0).all()
