"""Whether the other of two parts may be the larger one."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.rendered import draw_parts, labels_of, star

from sersicnet import Exponential, Flags, King, Model, PointSource, Sersic, SersicNet
from sersicnet.inference import refine
from sersicnet.inference.exchanged import may_be_exchanged
from sersicnet.inference.part_layouts import part_layout
from sersicnet.model.labels import PROFILE_LABELS
from sersicnet.model.scene import Scene

PLACE = {"log_flux": 3.0, "e1": 0.1, "e2": 0.0, "dx": 0.0, "dy": 0.0}
SHAPE = {"n": 1.5, "log_tidal": 1.0, "alpha": 2.0}


def scene_of(**components):
    layout = part_layout(Model(components).combination)
    return Scene.of(layout, torch.zeros(1, len(layout.known), dtype=torch.float64))


def values_of(scene, *radii):
    """Parameters of parts of these radii."""
    labels = []
    for profile, radius in zip(scene.layout.profiles, radii, strict=True):
        known = PLACE | SHAPE | {"log_r_eff": np.log10(radius)}
        labels += [known[name] for name in PROFILE_LABELS[profile]]
    return scene.values(torch.tensor([labels], dtype=torch.float64)).numpy()[0]


def fit_of(scene, best, others, costs, *, converged=True):
    mean = values_of(scene, *best)
    ends = [mean, *(values_of(scene, *radii) for radii in others)]
    modes = SimpleNamespace(mean=np.stack(ends)[None], cost=np.array([[10.0, *costs]]))
    known = {"mean": mean[None], "cost": np.array([10.0]), "modes": modes}
    return SimpleNamespace(converged=np.array([converged]), **known)


@pytest.mark.parametrize(
    ("others", "costs", "converged", "expected"),
    [
        ([(7, 3)], [12.0], True, True),
        ([(3.2, 6)], [10.1], True, False),
        ([(7, 3)], [20.0], True, False),
        ([(3.2, 6), (7, 3)], [10.1, 11.0], True, True),
        ([(7, 3)], [12.0], False, False),
        ([(7, 3)], [np.nan], True, False),
    ],
)
def test_a_likely_fit_with_the_other_part_outside(others, costs, converged, expected):
    scene = scene_of(cluster=King(), host=Sersic())
    fit = fit_of(scene, (3, 7), others, costs, converged=converged)
    assert may_be_exchanged(fit, scene).tolist() == [expected]


def test_sizes_that_are_nearly_equal_are_not_two_roles():
    scene = scene_of(cluster=King(), host=Sersic())
    assert not may_be_exchanged(fit_of(scene, (5, 5.3), [(5.3, 5)], [10.0]), scene)


def test_a_point_source_has_no_size_and_the_order_of_bulge_and_disk_is_known():
    scene = scene_of(nucleus=PointSource(), host=Sersic())
    assert not may_be_exchanged(SimpleNamespace(converged=np.ones(1), modes=()), scene)
    layout = scene_of(bulge=Sersic(), disk=Exponential()).layout
    assert "log_ratio" in layout.free


@pytest.mark.parametrize("kind", ["lm", "importance"])
def test_rows_have_the_flag(kind, monkeypatch):
    monkeypatch.setattr(refine, "may_be_exchanged", lambda fit, scene: np.ones(1, dtype=bool))
    net = SersicNet.from_pretrained()
    cutout = draw_parts(labels_of(), ("sersic",), size=48)
    results = net.predict([cutout], psf=star(), refine=kind)
    assert results.flags[0] & int(Flags.EXCHANGED)
