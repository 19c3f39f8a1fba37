"""Light that is detected and not in a catalog."""

from types import SimpleNamespace

import numpy as np
import pytest

from sersicnet.measure.uncataloged import UncatalogedLight


@pytest.fixture
def light():
    """An island of two sources, of which the catalog has one, and an island without any."""
    labels = np.zeros((40, 60), dtype=int)
    labels[10:15, 10:15] = 1
    labels[10:15, 15:20] = 2
    labels[25:28, 40:43] = 3
    labels[30:33, 5:8] = 4
    sources = SimpleNamespace(labels=labels, window=SimpleNamespace(origin=(100, 200)))
    centers = np.array([[212.0, 112.0], [206.0, 131.0], [500.0, 500.0]])
    return UncatalogedLight.of(sources, centers)


def hidden(light, x, y):
    return light.hidden(np.array([x, y]), (0, 0), light.labels.shape)


def test_islands_without_a_source_of_the_catalog_are_hidden_and_widened(light):
    found = hidden(light, 206.0, 131.0)
    assert found[25:28, 40:43].all()
    assert found[24, 41]
    assert not found[22, 41]
    assert not found[30:33, 5:8].any()


def test_of_other_islands_no_part_is_hidden(light):
    assert not hidden(light, 206.0, 131.0)[10:15, 10:20].any()


def test_of_the_own_island_parts_without_a_source_are(light):
    found = hidden(light, 212.0, 112.0)
    assert found[10:15, 15:20].all()
    assert not found[10:15, 10:15].any()


def test_cutouts_are_parts_of_the_window(light):
    found = light.hidden(np.array([206.0, 131.0]), (20, 30), (12, 70))
    assert found.shape == (12, 70)
    assert found[5:8, 10:13].all()
    assert not found[:, 40:].any()
