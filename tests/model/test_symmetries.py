"""Images and labels that are turned and mirrored together."""

import numpy as np
import pytest
import torch
from helpers.blobs import NAMES, blobs, generator, measure, to_tensors
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.model import labels as lb
from sersicnet.model.symmetries import (
    ORIENTATIONS,
    inverse_orientation,
    orient_images,
    orient_labels,
    random_symmetry,
)

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("size", [32, 33])
def test_moved_labels_describe_the_moved_image(size):
    data, weight, labels = to_tensors(*blobs(64, size))
    assert_allclose(measure(data), labels, atol=2e-4)
    moved, _, moved_labels = random_symmetry(data, weight, labels, NAMES, generator())
    assert_allclose(measure(moved), moved_labels, atol=2e-4)
    changed = (moved != data).flatten(1).any(1)
    assert 0.6 < changed.float().mean() < 1  # 7 of 8 symmetries change something


def test_all_eight_symmetries_occur_and_weights_move_along():
    data = torch.arange(9.0).reshape(1, 3, 3).repeat(200, 1, 1)
    labels = torch.zeros(200, 1)
    moved, weight, _ = random_symmetry(data, 2 * data, labels, ("n",), generator())
    assert_array_equal(weight, 2 * moved)
    kinds, counts = np.unique(moved.flatten(1), axis=0, return_counts=True)
    assert len(kinds) == 8
    assert counts.min() > 10


@pytest.mark.parametrize("names", [("dx",), ("dy",), ("e1", "e2", "dx"), ("e1", "e2"), ("n", "q")])
def test_symmetries_with_some_labels(names):
    data, weight, labels = to_tensors(*blobs(64, 32))
    columns = [NAMES.index(name) for name in names if name in NAMES]
    labels = labels[:, columns] if columns else labels[:, :2]
    moved, _, moved_labels = random_symmetry(data, weight, labels, names, generator())
    if columns:
        assert_allclose(measure(moved)[:, columns], moved_labels, atol=2e-4)
        assert (moved_labels != labels).any()
    else:
        assert_array_equal(moved_labels, labels)
        assert (moved != data).any()


def test_symmetries_follow_from_the_generator():
    stamps = to_tensors(*blobs(8, 16))
    first, same, other = (random_symmetry(*stamps, NAMES, generator(seed)) for seed in (1, 1, 2))
    assert_array_equal(first[0], same[0])
    assert (first[0] != other[0]).any()


def some_labels(*shape):
    return np.random.default_rng(1).uniform(-1, 1, (*shape, lb.N_LABELS))


def drawn(labels, size=33):
    """A picture that depends on the ellipse and on the center."""
    columns = lb.split_labels(labels[:, None, None])
    axis = torch.arange(size, dtype=labels.dtype) - (size - 1) / 2
    x = axis - columns.dx
    y = axis[:, None] - columns.dy
    stretch = columns.e1 * (x**2 - y**2) + 2 * columns.e2 * x * y
    return torch.exp(-(x**2 + y**2 - stretch) / 40)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_labels_move_as_images_do(orientation):
    labels = torch.from_numpy(some_labels(6))
    moved = orient_labels(labels, orientation)
    assert_allclose(drawn(moved), orient_images(drawn(labels), orientation), rtol=1e-12)
    assert_array_equal(orient_labels(labels.numpy(), orientation), moved)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation_and_back(orientation):
    inverse = inverse_orientation(orientation)
    labels = some_labels(2, 3)
    before = labels.copy()
    moved = orient_labels(labels, orientation)
    assert_array_equal(labels, before)
    assert_array_equal(orient_labels(moved, inverse), labels)
    images = torch.arange(18.0).view(2, 3, 3)
    assert_array_equal(orient_images(orient_images(images, orientation), inverse), images)


def test_orientations_differ():
    """All eight give another image, and other labels."""
    image = torch.arange(9.0).view(3, 3)
    seen = {tuple(orient_images(image, each).flatten().tolist()) for each in ORIENTATIONS}
    assert len(seen) == 8
    moved = {tuple(orient_labels(some_labels(), each)) for each in ORIENTATIONS}
    assert len(moved) == 8


def test_orientation_of_some_labels():
    names = ("dy", "n", "e1", "dx", "e2")
    labels = some_labels(4)[:, [lb.DY, lb.SERSIC_N, lb.E1, lb.DX, lb.E2]]
    for orientation in ORIENTATIONS:
        moved = orient_labels(some_labels(4), orientation)
        expected = moved[:, [lb.DY, lb.SERSIC_N, lb.E1, lb.DX, lb.E2]]
        assert_array_equal(orient_labels(labels, orientation, names=names), expected)
    assert_array_equal(orient_labels(labels[:, 1:2], 7, names=("n",)), labels[:, 1:2])
