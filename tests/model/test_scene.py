"""The map from free parameters to labels."""

import pytest
import torch

from sersicnet.model.labels import LABELS, N_LABELS, angle, axis_ratio, length, split_labels
from sersicnet.model.layout import Layout
from sersicnet.model.prior import draw_labels
from sersicnet.model.scene import Scene
from sersicnet.model.unconstrained import from_unconstrained, to_unconstrained

ROUND = ("log_flux", "log_r_eff", "n", "turn", "dx", "dy")
LAYOUTS = {
    "all free": Layout(),
    "known n": Layout(free=tuple(name for name in LABELS if name != "n"), known=("n",)),
    "known q": Layout(free=ROUND, known=("q", "theta")),
    "known theta": Layout(free=(*ROUND[:3], "q", "dx", "dy"), known=("theta",)),
    "known shape": Layout(free=("log_flux",), known=("log_r_eff", "n", "q", "theta", "dx", "dy")),
}


def galaxies(n=50):
    return draw_labels(n, generator=torch.Generator().manual_seed(1)).double()


def known_numbers(layout, labels):
    columns = split_labels(labels)._asdict()
    columns["q"] = axis_ratio(length(columns["e1"], columns["e2"]))
    columns["theta"] = angle(columns["e1"], columns["e2"])
    return torch.stack([columns[name] for name in layout.known], dim=1)


def scene_of(name, labels):
    layout = LAYOUTS[name]
    if layout == Layout():
        return Scene.sersic(len(labels))
    return Scene.of(layout, known_numbers(layout, labels))


@pytest.mark.parametrize("name", LAYOUTS)
def test_labels_come_back(name):
    labels = galaxies()
    scene = scene_of(name, labels)
    torch.testing.assert_close(scene.labels(scene.values(labels)), labels, rtol=1e-5, atol=1e-5)


def test_seven_free_labels_are_those_of_the_network():
    values = torch.randn(20, N_LABELS, generator=torch.Generator().manual_seed(2))
    scene = Scene.sersic(20)
    assert torch.equal(scene.labels(values), from_unconstrained(values))
    assert torch.equal(scene.values(scene.labels(values)), to_unconstrained(scene.labels(values)))


@pytest.mark.parametrize("name", LAYOUTS)
def test_slopes_are_those_of_the_labels(name):
    scene = scene_of(name, galaxies(6))
    values = scene.values(galaxies(6)) + 0.1
    slopes = scene.slopes(values)
    assert slopes.shape == (6, N_LABELS, scene.layout.n_parameters)
    for column in range(scene.layout.n_parameters):
        step = torch.zeros(scene.layout.n_parameters, dtype=torch.float64)
        step[column] = 1e-5
        difference = (scene.labels(values + step) - scene.labels(values - step)) / 2e-5
        torch.testing.assert_close(slopes[:, :, column], difference, rtol=1e-5, atol=1e-6)


def test_what_is_known_does_not_depend_on_the_values():
    labels = galaxies(5)
    scene = scene_of("known n", labels)
    values = torch.randn(5, 30, 6, dtype=torch.float64)
    found = split_labels(scene.labels(values)).n
    assert torch.equal(found, split_labels(labels).n[:, None].expand(5, 30))


def test_one_galaxy_has_any_number_of_values():
    scene = scene_of("known q", galaxies(1))
    labels = scene.labels(torch.zeros(9, 6, dtype=torch.float64))
    assert labels.shape == (9, N_LABELS)


def test_rows_of_a_scene():
    labels = galaxies(6)
    scene = scene_of("known n", labels)
    rows = [4, 1]
    assert torch.equal(scene[rows].labels(scene.values(labels)[rows])[:, 2], labels[rows, 2])
    joined = Scene.concatenate([scene[[0]], scene[1:]])
    assert torch.equal(joined.known, scene.known)
    assert joined.layout == scene.layout
