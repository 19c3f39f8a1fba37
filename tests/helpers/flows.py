"""A posterior of a flow."""

import numpy as np

from sersicnet.model.labels import LOG_FLUX, N_LABELS
from sersicnet.networks.flow_density import FlowDensity
from sersicnet.networks.registry import build_network

N = 5


def make_flow(n=N):
    """Posteriors of an untrained flow that depend on the galaxy."""
    flow = build_network("posterior", seed=4).flow
    rng = np.random.default_rng(5)
    context = rng.normal(size=(n, 1, 96)).astype("f4")
    mean = (rng.normal(size=(n, 1, N_LABELS)) + 3 * np.eye(N_LABELS)[LOG_FLUX]).astype("f4")
    factor = np.tril(rng.normal(size=(n, 1, N_LABELS, N_LABELS)), -1) + 5 * np.eye(N_LABELS)
    offset = rng.normal(size=(n, 2))
    return FlowDensity(flow, context, mean, factor.astype("f4"), np.linspace(0, -0.1, n), offset)
