"""Tests of the names, the places and the conversions of labels, and of the orientations."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.model import labels as lb
from sersicnet.model.unconstrained import from_unconstrained

KINDS = {"numpy": np.asarray, "torch": torch.as_tensor}
axis_ratios = st.floats(0.05, 1.0)
angles = st.floats(-np.pi / 2 + 1e-6, np.pi / 2 - 1e-6)
pytestmark = pytest.mark.filterwarnings("error")


def some_labels(*shape):
    return np.random.default_rng(1).uniform(-1, 1, (*shape, lb.N_LABELS))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,)])
def test_columns_by_name(shape, kind):
    """The columns are those that the places say, and make the labels again."""
    labels = KINDS[kind](some_labels(*shape))
    columns = lb.split_labels(labels)
    assert columns._fields == lb.LABELS
    assert_array_equal(columns.log_flux, labels[..., lb.LOG_FLUX])
    assert_array_equal(columns.log_r_eff, labels[..., lb.LOG_R_EFF])
    assert_array_equal(columns.n, labels[..., lb.SERSIC_N])
    assert_array_equal(columns.e1, labels[..., lb.E1])
    assert_array_equal(columns.e2, labels[..., lb.E2])
    assert_array_equal(columns.dx, labels[..., lb.DX])
    assert_array_equal(columns.dy, labels[..., lb.DY])
    assert_array_equal(np.stack([columns.e1, columns.e2], -1), labels[..., lb.ELLIPTICITY])
    assert_array_equal(np.stack([columns.dx, columns.dy], -1), labels[..., lb.CENTER])
    again = lb.stack_labels(columns._asdict() | {"q": None})
    assert type(again) is type(labels)
    assert_array_equal(again, labels)


def test_some_columns():
    columns = lb.split_labels(some_labels(4))._asdict()
    some = lb.stack_labels(columns, names=("dy", "n"), axis=0)
    assert_array_equal(some, [columns["dy"], columns["n"]])


def test_wrong_number_of_columns():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'dy'"):
        lb.split_labels(np.zeros((3, 6)))


@given(q=axis_ratios, theta=angles)
def test_shape_and_back(q, theta):
    for convert in KINDS.values():
        e1, e2 = lb.components(convert(np.float64(q)), convert(np.float64(theta)))
        size = lb.length(e1, e2)
        assert_allclose(size, lb.ellipticity(q), rtol=0, atol=2e-9)
        assert_allclose(lb.axis_ratio(lb.ellipticity(q)), q, rtol=1e-12)
        if q < 0.99:
            assert_allclose(lb.angle(e1, e2), theta, atol=1e-9)


def test_length_has_a_gradient_everywhere():
    """At the origin it is zero, as for the labels of a round galaxy; that of hypot is NaN."""
    x = torch.tensor([0.0, 3.0], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0.0, 4.0], dtype=torch.float64)
    (slope,) = torch.autograd.grad(lb.length(x, y).sum(), x)
    assert_allclose(slope, [0.0, 0.6])
    slopes = torch.func.jacrev(from_unconstrained)(torch.zeros(lb.N_LABELS))
    assert torch.isfinite(slopes).all()
