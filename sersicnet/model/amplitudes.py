"""Fluxes of faint galaxies as factors of their models: linear, so that they may be negative."""

import numpy as np
import torch

__all__ = ["fit_amplitudes"]

# S/N of a model, in white noise, above which the galaxy is seen. Correlated noise makes errors up
# to 5 times larger, and models of empty images have a S/N of 2 to 5.
_BRIGHT = 30.0


def fit_amplitudes(signal, residual, weight, sky):
    """Fit factors of models, together with the sky.

    Parameters
    ----------
    signal, residual : (N, S, S) `~torch.Tensor`
        Model images, and the data less the models, in units of the noise map.
    weight : (N, S, S) `~torch.Tensor`
        Image of a sky of 1, in units of the noise map; 0 in bad pixels.
    sky : (N,) `~torch.Tensor`
        Standard deviation of the prior of the sky, whose mean is 0; 0 where there is no sky, and
        infinite where nothing is known of it.

    Returns
    -------
    amplitude, error : (N,) `~numpy.ndarray`
        The factor, 1 where the model has the flux of the image, and its error in white noise; NaN
        where the model is bright. Where no pixel shows the model, they are 0 and infinite.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model.amplitudes import fit_amplitudes
    >>> model = torch.zeros(1, 9, 9)
    >>> model[:, 4, 4] = 4
    >>> image = -2 * model + 0.1
    >>> sky = torch.tensor([torch.inf])
    >>> fit_amplitudes(model, image - model, torch.ones_like(image), sky)[0].round(3)
    array([-2.], dtype=float32)
    """
    found = np.full((2, len(signal)), np.nan, dtype=np.float32)
    power = signal.square().sum(dim=(1, 2))
    hidden = (power == 0).cpu().numpy()
    found[:, hidden] = [[0.0], [np.inf]]
    rows = ((power > 0) & (power < _BRIGHT**2)).nonzero()[:, 0]
    if not len(rows):
        return found
    signal = signal[rows]
    residual = residual[rows]
    weight = weight[rows]
    power = power[rows]
    known = sky[rows].square().reciprocal()  # infinite without a sky, 0 where nothing is known
    shared = (signal * weight).sum(dim=(1, 2))
    of_sky = weight.square().sum(dim=(1, 2))
    precision = of_sky + known
    level = (weight * residual).sum(dim=(1, 2)) / precision
    own = (signal * residual).sum(dim=(1, 2))
    free = power - shared.square() / precision
    change = (own - shared * level) / free
    found[:, rows.cpu().numpy()] = torch.stack([1 + change, free.rsqrt()]).cpu().numpy()
    return found
