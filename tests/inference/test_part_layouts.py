"""Layouts of galaxies of two parts, of which something is known or tied."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers.populations import frame_of

from sersicnet import Exponential, Model, NormalPrior, Sersic
from sersicnet.inference.composites import Composite
from sersicnet.inference.part_layouts import part_layout
from sersicnet.model.labels import axis_ratio, shifted
from sersicnet.parameters import PARAMETERS

PARTS = {"bulge": Sersic(), "disk": Exponential()}


def layout_of(model):
    fixed, priors = model.known(np.arange(1))
    return part_layout(model.combination, tuple(fixed), tuple(priors), model.tied)


@pytest.mark.parametrize(
    ("options", "free", "gone"),
    [
        ({"fixed": {"mag_bulge": 20}}, {"share"}, {"log_flux"}),
        ({"fixed": {"bulge_to_total": 0.3}}, {"log_flux"}, {"share"}),
        ({"fixed": {"mag": 20}}, {"share"}, {"log_flux"}),
        ({"priors": {"mag_disk": NormalPrior(20, 1)}}, {"log_flux.disk", "share"}, {"log_flux"}),
        ({"fixed": {"r_eff_disk": 0.3}}, {"log_ratio"}, {"log_r_eff.disk"}),
        ({"fixed": {"r_eff_bulge": 0.3}}, {"log_r_eff.disk"}, {"log_ratio", "log_r_eff.bulge"}),
        ({"fixed": {"q_bulge": 0.3}}, {"turn.bulge", "e1.disk"}, {"q.bulge", "e1.bulge"}),
        ({"fixed": {"theta_disk": 3}}, {"q.disk", "e1.bulge"}, {"turn.disk", "e1.disk"}),
        ({"tied": {"theta": PARTS}}, {"q.bulge", "q.disk", "turn"}, {"turn.disk", "e1.bulge"}),
        ({"tied": {"q": PARTS}}, {"q", "turn.bulge", "turn.disk"}, {"q.disk", "e1.bulge"}),
        ({"tied": {"q": PARTS, "theta": PARTS}}, {"e1", "e2"}, {"q", "e1.disk"}),
        ({"tied": {"r_eff": PARTS}}, {"log_r_eff"}, {"log_ratio", "log_r_eff.disk"}),
        ({"tied": {"mag": PARTS}}, {"log_flux"}, {"share"}),
        ({"tied": {"x_0": PARTS}}, {"dx"}, set()),
    ],
)
def test_parameters_that_are_free(options, free, gone):
    layout = layout_of(Model("sersic+exp", **options))
    assert free <= set(layout.free)
    assert not gone & set(layout.free)


@pytest.mark.parametrize(
    "names", [("r_eff",), ("n",), ("q",), ("theta",), ("q", "theta"), ("mag",)]
)
def test_tied_labels_are_equal(names):
    """For any values of the free parameters, which come back from the labels."""
    tied = dict.fromkeys(names, ("one", "two"))
    composite = Composite.of(Model({"one": Sersic(), "two": Sersic()}, tied=tied), np.arange(9))
    start = np.tile([3.0, 0.5, 2.0, 0.2, 0.1, 0.0, 0.0], (9, 1))
    scene, _ = composite.scene(start, frame_of(9), np.zeros(9), np.zeros((9, 2)))
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(9, scene.layout.n_parameters, dtype=torch.float64, generator=generator)
    labels = scene.labels(values)
    one, two = scene.part(labels, 0), scene.part(labels, 1)
    size = [torch.hypot(each["e1"], each["e2"]) for each in (one, two)]
    turn = [torch.atan2(each["e2"], each["e1"]) for each in (one, two)]
    found = {
        "r_eff": (one["log_r_eff"], two["log_r_eff"]),
        "n": (one["n"], two["n"]),
        "q": size,
        "theta": turn,
        "mag": (one["log_flux"], two["log_flux"]),
    }
    for name, (first, second) in found.items():
        same = torch.allclose(first, second, rtol=1e-9)
        assert same == (name in names), name
    torch.testing.assert_close(scene.labels(scene.values(labels)), labels)


def test_fixed_values_are_those_of_tables_in_stamps_of_any_kind():
    """With zero points, noise, bins, light of the PSF and its place that differ."""
    fixed = {"mag_bulge": [22.0, 20.0], "r_eff_disk": [0.5, 2.0], "theta_bulge": [-80.0, 85.0]}
    fixed |= {"q_bulge": [0.3, 0.9], "x_0": [62.0, 66.0]}
    composite = Composite.of(Model("sersic+exp", fixed=fixed), np.arange(2))
    frame = frame_of(2, zeropoint=np.array([25.0, 30]), noise=np.array([0.1, 30]), scale=0.2)
    frame = dataclasses.replace(frame, bins=np.array([1, 3]))
    log_light, offset = np.array([0.05, -0.1]), np.array([[0.3, 0.1], [-0.2, 0.4]])
    start = np.tile([3.0, 0.5, 2.0, 0.2, 0.1, 0.0, 0.0], (2, 1))
    scene, usable = composite.scene(start, frame, log_light, offset)
    assert usable.all()
    labels = scene.labels(torch.full((2, scene.layout.n_parameters), 0.3, dtype=torch.float64))
    labels = shifted(labels.numpy(), ("sersic", "sersic"), log_flux=-log_light, center=-offset)
    for number, part in enumerate(("bulge", "disk")):
        own = scene.part(torch.from_numpy(labels), number)
        own = {name: values.numpy() for name, values in own.items()}
        own["q"] = axis_ratio(np.hypot(own["e1"], own["e2"]))
        found = frame.from_labels(own, tuple(PARAMETERS))
        for name, values in found.items():
            expected = fixed.get(f"{name}_{part}", fixed.get(name))
            if expected is not None:
                np.testing.assert_allclose(values, expected, rtol=1e-9)


def test_two_sersic_profiles_are_ordered_where_nothing_tells_them_apart():
    assert "log_ratio" in layout_of(Model({"b": Sersic(), "a": Sersic()})).free
    for one, other in (({"n": 4}, {}), ({}, {"r_eff": 3})):
        layout = layout_of(Model({"b": Sersic(**one), "a": Sersic(**other)}))
        assert "log_ratio" not in layout.free
        assert [part for part, _ in layout.parts] == ["a", "b"]
