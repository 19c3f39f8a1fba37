"""Networks by name, and random stamps for them."""

import numpy as np
import pytest
import torch

from sersicnet.networks.registry import NETWORKS

N = 6


# Those of posteriors have tests of their own.
REGRESSION = [name for name in NETWORKS if name not in ("posterior", "likelihood")]
networks = pytest.mark.parametrize("name", REGRESSION)


def make_stamps(n, size, *, seed=0):
    """Stamps of noise, each with some bad pixels."""
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.5, 1.5, (n, size, size))
    weight[rng.random(weight.shape) < 0.1] = 0
    data = np.where(weight > 0, 10 * rng.normal(size=weight.shape), 0)
    return data.astype("f4"), weight.astype("f4")


def to_tensors(*arrays):
    return [torch.from_numpy(array) for array in arrays]
