"""Derivatives of many numbers by one: forward-mode differentiation by torch."""

import warnings
from functools import lru_cache

import torch

__all__ = ["slope_by"]


def slope_by(function, values, column):
    """Return the derivative of a function of numbers (N, K) by one column of them.

    Parameters
    ----------
    function : callable
        Function of (N, K) `~torch.Tensor`, which returns one tensor or several.
    values : (N, K) `~torch.Tensor`
        Where the derivative is wanted.
    column : int
        The column.

    Returns
    -------
    `~torch.Tensor` or tuple of these
        Of the shape of what the function returns.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model.profiles.slopes import slope_by
    >>> slope_by(lambda values: values.prod(dim=1), torch.tensor([[2.0, 3.0]]), 0)
    tensor([3.])
    """
    _begin()
    tangent = torch.zeros_like(values)
    tangent[:, column] = 1
    _, slopes = torch.func.jvp(function, (values,), (tangent,))
    return slopes


@lru_cache
def _begin():
    """Take a first derivative, at which some versions of torch warn of code of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.func.jvp(torch.exp, (torch.zeros(1),), (torch.ones(1),))
