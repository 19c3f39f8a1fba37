"""What a fit says of the sky: its dependence on the galaxy, and whether it is flat."""

import torch

__all__ = ["central_sky", "sky_terms"]

# The galaxy is not where its model is below this many standard deviations of the noise.
_EMPTY = 0.1
# Fewest pixels without the galaxy that show whether the sky is flat.
_ENOUGH = 300


def sky_terms(likelihood, state, covariance):
    """Return the fields of `~sersicnet.inference.Fit` on how sky and galaxy depend on each other.

    With the labels integrated over, pixels alone leave the sky the information ``alone``.

    Parameters
    ----------
    likelihood : `~sersicnet.model.StampLikelihood`
        Likelihood of N stamps.
    state : dict of `~torch.Tensor`
        Terms of the last step: ``sky_total``, and ``sky_response`` by the unconstrained labels.
    covariance : (N, 7, 7) `~torch.Tensor`
        Covariance of these labels.

    Returns
    -------
    dict of `~torch.Tensor`
    """
    precision = likelihood.sky_precision
    response = state["sky_response"].double()
    explained = (response[:, None] @ covariance @ response[:, :, None])[:, 0, 0]
    # with the sky as free as the labels, instead of projected out
    explained = explained / (1 + explained / precision)
    alone = (likelihood.sky_information - explained).clamp(min=1e-12)
    sky = state["sky_total"].double() / precision
    followed = likelihood.sky_information * likelihood.sky_err.to(torch.float64) ** 2
    shift = (covariance @ response[:, :, None])[:, :, 0] / (1 + followed)[:, None]
    return {
        "sky_slope": -response / precision[:, None],
        "sky_err": precision.rsqrt(),
        "free_sky": (state["sky_total"] - explained * sky) / alone,
        "free_sky_err": alone.rsqrt(),
        "sky_shift": shift,
    }


def central_sky(likelihood, signal, residual):
    """Return the sky at the middle of stamps from a curved one in the pixels without the galaxy.

    A sky that was subtracted too deeply around a galaxy is not flat. A fit with a flat sky then
    finds too small a galaxy, and its residuals within the galaxy show nothing.

    Parameters
    ----------
    likelihood : `~sersicnet.model.StampLikelihood`
        Likelihood of N stamps.
    signal, residual : (N, S, S) `~torch.Tensor`
        Galaxies and residuals, from its method ``compare``.

    Returns
    -------
    sky, err : (N,) float64 `~torch.Tensor`
        In units of the data, less the fitted sky. The error is infinite where fewer than 300 pixels
        are empty.
    """
    empty = (likelihood.weight > 0) & (signal.abs() < _EMPTY)
    axis = torch.linspace(-1, 1, residual.shape[-1], device=residual.device)
    x = axis.expand(len(axis), -1)
    shapes = torch.stack([torch.ones_like(x), x, x.T, x**2 + x.T**2])
    column = torch.where(empty, likelihood.sky_column, 0.0)
    columns = (shapes * column[:, None]).flatten(2).double()
    products = columns @ columns.transpose(1, 2)
    products = products + 1e-6 * torch.eye(4, dtype=products.dtype, device=products.device)
    covariance = torch.linalg.inv(products)
    wanted = (columns @ residual.flatten(1).double()[:, :, None])[:, :, 0]
    sky = (covariance[:, 0] * wanted).sum(dim=1)
    enough = empty.sum(dim=(1, 2)) >= _ENOUGH
    err = torch.where(enough, covariance[:, 0, 0].sqrt(), torch.inf)
    return torch.where(enough, sky, 0.0), err
