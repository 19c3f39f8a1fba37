"""Labels drawn from the prior, and labels in the middle of it."""

import math

import torch

from sersicnet.model.labels import (
    LOG_FLUX,
    stack_labels,
)
from sersicnet.model.prior import draw_labels, log_snr


def draws(n, seed=1, dtype=torch.float64):
    return draw_labels(n, generator=torch.Generator().manual_seed(seed)).to(dtype)


def middle(rows, **changes):
    """The same galaxy in the middle of the prior, in some rows, but for some labels; S/N of 200."""
    values = {
        "log_flux": 0.0,
        "log_r_eff": 0.5,
        "n": 1.0,
        "e1": 0.1,
        "e2": 0.2,
        "dx": 0.0,
        "dy": 0.0,
    } | changes
    labels = stack_labels(
        {name: torch.as_tensor(value).double().expand(rows) for name, value in values.items()}
    )
    labels[:, LOG_FLUX] = math.log10(200) - log_snr(labels)
    return labels
