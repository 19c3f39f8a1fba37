"""Containers with one row per galaxy: some rows, several parts as one, read-only copies."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from sersicnet._rows import Rows, chosen_rows, own_normal


@dataclass(frozen=True, eq=False)
class Inner(Rows):
    values: object


@dataclass(frozen=True, eq=False)
class Outer(Rows):
    shared = ("label",)

    array: np.ndarray
    tensor: torch.Tensor
    items: list
    columns: dict
    inner: Inner
    label: str


def make(n, label="a"):
    array = np.arange(2.0 * n).reshape(n, 2)
    columns = {"x": np.arange(n)}
    items = [str(number) for number in range(n)]
    return Outer(array, torch.arange(n), items, columns, Inner(np.arange(n)), label)


@pytest.mark.parametrize(
    "rows", [slice(1, 3), [2, 0], np.array([True, False, False, True]), slice(4, None)]
)
def test_some_rows(rows):
    whole = make(4)
    part = whole[rows]
    numbers = np.arange(4)[rows]
    assert len(part) == len(numbers)
    assert_array_equal(part.array, whole.array[rows])
    for found in (part.tensor.numpy(), part.columns["x"], part.inner.values):
        assert_array_equal(found, numbers)
    assert part.items == [str(number) for number in numbers]
    assert part.label == "a"


def test_parts_as_one():
    whole = make(5)
    joined = Outer.concatenate([whole[:2], whole[2:2], whole[2:]])
    assert_array_equal(joined.array, whole.array)
    assert_array_equal(joined.tensor, whole.tensor)
    assert_array_equal(joined.columns["x"], whole.columns["x"])
    assert_array_equal(joined.inner.values, whole.inner.values)
    assert joined.items == whole.items
    assert joined.label == "a"


def test_rows_of_another_in_the_place_of_some():
    whole = make(5)
    changed = whole.with_rows(np.array([3, 0]), whole[[1, 2]])
    numbers = [2, 1, 2, 1, 4]
    assert_array_equal(changed.array, whole.array[numbers])
    for found in (changed.tensor.numpy(), changed.columns["x"], changed.inner.values):
        assert_array_equal(found, numbers)
    assert changed.items == [str(number) for number in numbers]
    assert whole.items == [str(number) for number in range(5)]
    assert_array_equal(whole.inner.values, range(5))


def test_read_only_copies():
    whole = Inner({"x": np.arange(3), "y": [1, 2, 3]})
    frozen = whole.frozen()
    with pytest.raises(ValueError, match="read-only"):
        frozen.values["x"][0] = 5
    whole.values["x"][0] = 5
    assert frozen.values["x"][0] == 0
    assert frozen.values["y"] == (1, 2, 3)


def test_random_numbers_belong_to_the_row():
    both = own_normal([3, 8], (4,), 1)
    assert both.shape == (2, 4)
    assert_array_equal(own_normal([8], (4,), 1), both[1:])
    assert (own_normal([8], (4,), 2) != both[1:]).all()


def test_rows_in_the_reverse_order_index_tensors():
    rows = chosen_rows(slice(None, None, -1), 3)
    assert torch.arange(3)[rows].tolist() == [2, 1, 0]
