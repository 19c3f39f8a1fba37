"""A flow of what is left after a first one, which only some galaxies go through."""

import torch
import zuko
from torch import nn
from torch.distributions import Transform, constraints

__all__ = ["TwoFlows"]


class TwoFlows(nn.Module):
    """The flow of galaxies in two steps, of which the first may be left out.

    Parameters
    ----------
    first, second : `~zuko.flows.Flow`
        Flows with contexts of the same length C.

    Notes
    -----
    The context has 2 C + 1 numbers: those of the second flow, those of the first, and 1 where the
    first is left out, else 0.
    """

    def __init__(self, first, second):
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, context):
        """Return the distributions for contexts, a `~zuko.distributions.NormalizingFlow`."""
        second, first, left_out = context.tensor_split((context.shape[-1] // 2, -1), dim=-1)
        rows = (left_out[:, 0] < 0.5).nonzero()[:, 0]
        after = self.second(second)
        if not len(rows):
            return after
        part = _Part(self.first(first[rows]).transform, rows)
        transform = zuko.transforms.ComposedTransform(part, after.transform)
        return zuko.distributions.NormalizingFlow(transform, after.base)


class _Part(Transform):
    """A transform of some rows of (..., N, D); the others stay as they are."""

    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def __init__(self, transform, rows):
        super().__init__()
        self.transform = transform
        self.rows = rows

    def _call(self, x):
        return x.index_copy(-2, self.rows, self.transform(x[..., self.rows, :]))

    def _inverse(self, y):
        return y.index_copy(-2, self.rows, self.transform.inv(y[..., self.rows, :]))

    def log_abs_det_jacobian(self, x, y):
        """Return the logarithms of the changes of volume, (..., N)."""
        return self.call_and_ladj(x)[1]

    def call_and_ladj(self, x):
        """Return the transformed values, and the logarithms of the changes of volume."""
        found, volume = self.transform.call_and_ladj(x[..., self.rows, :])
        none = torch.zeros_like(x[..., 0])
        return x.index_copy(-2, self.rows, found), none.index_copy(-1, self.rows, volume)
