"""Labels: the seven numbers that describe a galaxy in a stamp."""

import torch

__all__ = ["LABELS"]

LABELS = ("log_flux", "log_r_eff", "n", "e1", "e2", "dx", "dy")


def _length(x, y):
    """As `torch.hypot`, whose gradient is NaN at the origin."""
    return torch.sqrt(x**2 + y**2 + 1e-18)
