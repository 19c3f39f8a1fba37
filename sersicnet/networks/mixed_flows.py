"""A mixture of two flows, the second of which is of whitened values."""

import torch
from torch import nn
from torch.nn.functional import logsigmoid

__all__ = ["MixedFlows", "context_length", "pack"]

# Draw number s is of the first flow where the fractional part of s times this is below its weight:
# an even sequence, so that shares of draws are those of the weights.
_EVEN = 0.6180339887498949
# The sequence begins at the fractional part of this times the normal numbers of the first draw:
# uniform, so that each draw has the density, also where there are few.
_BEGIN = 1000.0


def context_length(length, dimension):
    """Length of the contexts of `MixedFlows` for flows of contexts of some length.

    Examples
    --------
    >>> from sersicnet.networks.mixed_flows import context_length
    >>> context_length(96, 7)
    249
    """
    return 2 * length + 1 + dimension + dimension**2


def pack(second, first, gate, shift, matrix):
    """Join what `MixedFlows` needs in one tensor.

    Parameters
    ----------
    second, first : (N, C) `~torch.Tensor`
        Contexts of both flows.
    gate : (N,) `~torch.Tensor`
        Logit of the weight of the first.
    shift : (N, D) `~torch.Tensor`
    matrix : (N, D, D) `~torch.Tensor`
        Values of the second flow, times the matrix and plus the shift, are those of the first.

    Returns
    -------
    (N, `context_length`) `~torch.Tensor`
    """
    return torch.cat([second, first, gate[:, None], shift, matrix.flatten(1)], dim=1)


class MixedFlows(nn.Module):
    """A mixture of two normalizing flows of the same values, in different units.

    Parameters
    ----------
    first, second : `~zuko.flows.Flow`
        Flows of D values with contexts of the same length.
    dimension : int
        Number of values D.
    """

    def __init__(self, first, second, dimension):
        super().__init__()
        self.first = first
        self.second = second
        self.dimension = dimension

    def forward(self, context):
        """Return the distributions for contexts as `pack` makes them, a `Mixed`."""
        d = self.dimension
        length = (context.shape[-1] - context_length(0, d)) // 2
        second, first, gate, shift, matrix = context.split([length, length, 1, d, d * d], dim=-1)
        matrix = matrix.unflatten(-1, (d, d))
        return Mixed(self, second, first, gate[..., 0], shift, matrix)


class Mixed:
    """Mixtures of two distributions, which is also its own transform to standard normal values."""

    def __init__(self, flows, second, first, gate, shift, matrix):
        self.flows = flows
        self.second = second
        self.first = first
        self.gate = gate
        self.shift = shift
        self.matrix = matrix

    @property
    def transform(self):
        """What has ``inv``, as the transform of a `~zuko.distributions.NormalizingFlow`."""
        return self

    def log_prob(self, values):
        """Logarithms of the density, (..., N) for (..., N, D)."""
        moved = (self.matrix @ values[..., None])[..., 0] + self.shift
        volume = torch.linalg.slogdet(self.matrix)[1]
        one = self.flows.first(self.first).log_prob(moved) + volume
        two = self.flows.second(self.second).log_prob(values)
        return torch.logaddexp(logsigmoid(self.gate) + one, logsigmoid(-self.gate) + two)

    def inv(self, normal):
        """Values of standard normal numbers, both (S, N, D), each from one of the flows."""
        number = torch.arange(len(normal), device=normal.device, dtype=torch.float64)
        begin = _BEGIN * normal[:1].double().sum(dim=-1)
        of_first = (number[:, None] * _EVEN + begin) % 1 < torch.sigmoid(self.gate.double())
        found = torch.empty_like(normal)
        draws, rows = of_first.nonzero(as_tuple=True)
        moved = self.flows.first(self.first[rows]).transform.inv(normal[draws, rows])
        inverse = torch.linalg.inv(self.matrix)[rows]
        found[draws, rows] = (inverse @ (moved - self.shift[rows])[:, :, None])[:, :, 0]
        draws, rows = (~of_first).nonzero(as_tuple=True)
        found[draws, rows] = self.flows.second(self.second[rows]).transform.inv(normal[draws, rows])
        return found
