"""The universal prior as a density of the free parameters of a scene.

The prior is a product of densities of size, index, ellipticity and center, and of the S/N. Numbers
that are known leave the product: what is left is the normalized density of the others. A normal
prior of a quantity takes the place of its factor.
"""

import math
from functools import lru_cache

import torch

from sersicnet.model.band_layout import LEAST_SNR, BandLayout
from sersicnet.model.labels import ellipticity, length, stack_labels
from sersicnet.model.layout import kind_of
from sersicnet.model.prior import LOG_RATIO_PRIOR, Q_LIMITS, ROUND, SNR_LIMITS, log_snr
from sersicnet.model.unconstrained import (
    LIMITS,
    from_logit,
    from_plane,
    log_disk_volume,
    log_logit_volume,
)

__all__ = ["log_density", "log_signal"]


def log_density(scene, values, labels=None):
    """Return the logarithm of the prior density of free parameters.

    Parameters
    ----------
    scene : `~sersicnet.model.Scene`
        Parameters of N galaxies, or of one.
    values : (N, P) `~torch.Tensor`
        Unconstrained parameters; any number of them for one galaxy.
    labels : (N, K) `~torch.Tensor`, optional
        Their labels, if they are there already.

    Returns
    -------
    (N,) `~torch.Tensor`
        Minus infinity where the S/N is outside of the prior.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import log_prior, log_volume
    >>> from sersicnet.model.scene import Scene
    >>> from sersicnet.model.scene_prior import log_density
    >>> values = torch.tensor([[3.0, 0.2, 0.3, 0.1, 0.0, 0.5, -0.5]], dtype=torch.float64)
    >>> scene = Scene.sersic(1)
    >>> expected = log_prior(scene.labels(values)) + log_volume(values)
    >>> torch.allclose(log_density(scene, values), expected)
    True
    """
    layout = scene.layout
    if labels is None:
        labels = scene.labels(values)
    density = log_logit_volume(values[:, layout.logits]).sum(dim=1)
    for column in layout.columns("q"):
        size = ellipticity(from_logit("q", values[:, column]))
        density = density + _log_thinning(size) - _log_mean_thinning()
    for disk in layout.disks:
        plane = values[:, disk].unbind(1)
        size = length(*from_plane(*plane))
        density = density + _log_thinning(size) - _log_disk(size) + log_disk_volume(*plane)
    for column in layout.columns("log_ratio"):
        density = density + _log_size_ratio(from_logit("log_ratio", values[:, column]))
    if layout.priors:
        density = density + _log_normals(scene, values)
    if isinstance(layout, BandLayout):
        return density + _log_signals(scene, labels)
    if not layout.limits_signal:
        return density
    lowest, highest = (math.log10(limit) for limit in SNR_LIMITS)
    signal = log_signal(scene, labels)
    inside = (signal > lowest) & (signal < highest)
    return torch.where(inside, density - math.log(highest - lowest), -torch.inf)


def _log_signals(scene, labels):
    """Logarithm of the density of the S/N of a galaxy in each of several bands.

    A galaxy that one band shows may not be seen in others: the least S/N is that of fits. Of
    exposures with one flux, it is the density in one of them: that of the others are their ties.
    The deepest of them shows whether there is a galaxy.
    """
    lowest, highest = math.log10(LEAST_SNR), math.log10(SNR_LIMITS[1])
    n_bands = len(scene.layout.bands)
    signal = log_signal(scene.base, labels.unflatten(1, (n_bands, -1)))
    inside = (signal < highest).all(dim=1)
    if scene.layout.tied:
        n_free = 1
        inside &= signal.amax(dim=1) > lowest
    else:
        n_free = n_bands
        inside &= (signal > lowest).all(dim=1)
    total = torch.full_like(signal[:, 0], -n_free * math.log(highest - lowest))
    return torch.where(inside, total, -torch.inf)


def _log_size_ratio(log_ratio):
    """Logarithm of the density of the ratio of two sizes, over that of a uniform one.

    It is normalized between its limits: a bulge is not larger than its disk.
    """
    mean, err = LOG_RATIO_PRIOR
    limits = torch.tensor(LIMITS["log_ratio"], dtype=log_ratio.dtype, device=log_ratio.device)
    low, high = (limits - mean) / err
    normal = -0.5 * ((log_ratio - mean) / err) ** 2 - math.log(math.sqrt(2 * math.pi) * err)
    return normal - _log_mass(low, high) + torch.log(limits[1] - limits[0])


def log_signal(scene, labels):
    """Return the decimal logarithm of the S/N of all light within the half-light ellipse.

    Of several parts, it is the ellipse of the last one; that of a point source is the PSF. Of a
    group, it is the galaxy in the middle.

    Parameters
    ----------
    scene : `~sersicnet.model.Scene`
        Parameters of N galaxies.
    labels : (..., K) `~torch.Tensor`
        Labels of all parts.

    Returns
    -------
    (...) `~torch.Tensor`
    """
    if scene.layout.profiles == ("sersic",):
        return log_snr(labels)
    numbers = range(len(scene.layout.parts))
    if scene.layout.is_group:
        numbers = numbers[:1]
    parts = [scene.part(labels, number) for number in numbers]
    flux = torch.stack([10 ** part["log_flux"] for part in parts]).sum(dim=0)
    last = parts[-1]
    point = torch.zeros_like(flux)
    whole = {
        "log_flux": torch.log10(flux),
        "log_r_eff": last.get("log_r_eff", point - torch.inf),
        "n": point,
        "e1": last.get("e1", point),
        "e2": last.get("e2", point),
        "dx": point,
        "dy": point,
    }
    return log_snr(stack_labels(whole))


def _log_normals(scene, values):
    """Logarithm of the normal priors, over the universal densities that they replace."""
    found = scene.quantities(values)
    mean, err, low, high = scene.normals.to(values.dtype).expand(*found.shape, 4).unbind(-1)
    density = -0.5 * ((found - mean) / err) ** 2 - torch.log(math.sqrt(2 * math.pi) * err)
    density = density - _log_mass((low - mean) / err, (high - mean) / err)
    density = torch.where((found >= low) & (found <= high), density, -torch.inf)
    for number, name in enumerate(scene.layout.priors):
        density[:, number] -= _log_universal(kind_of(name), found[:, number])
    if torch.isinf(err).any():
        density = torch.where(torch.isinf(err), _log_limited(scene, found, low, high), density)
    return density.sum(dim=1)


def _log_limited(scene, found, low, high):
    """Logarithm of the universal prior within limits, over that without them."""
    total = torch.zeros_like(found)
    for number, name in enumerate(scene.layout.priors):
        total[:, number] -= _log_share(kind_of(name), low[:, number], high[:, number])
    return torch.where((found >= low) & (found <= high), total, -torch.inf)


def _log_share(name, low, high):
    """Logarithm of the share of the universal prior of a quantity between two values."""
    match name:
        case "r_eff":
            width = math.log(10) * (LIMITS["log_r_eff"][1] - LIMITS["log_r_eff"][0])
            return torch.log(torch.log(high / low) / width)
        case "n":
            width = LIMITS["n"][1] - LIMITS["n"][0]
            return torch.log((high.sqrt() - low.sqrt()) / width)
        case "q":
            steps = torch.linspace(0, 1, 501, dtype=low.dtype, device=low.device)
            q = low[:, None] + (high - low)[:, None] * steps
            kept = torch.exp(_log_thinning(ellipticity(q).clamp(min=1e-12)))
            share = torch.trapezoid(kept, q) / (Q_LIMITS[1] - Q_LIMITS[0])
            return torch.log(share) - _log_mean_thinning()
        case _ if name in LIMITS:
            return torch.log((high - low) / (LIMITS[name][1] - LIMITS[name][0]))
        case _:  # fluxes have no other prior
            return torch.zeros_like(low)


def _log_mass(low, high):
    """Logarithm of the share of a standard normal distribution between two numbers."""
    flipped = low > 0  # the lower tail has more digits
    below = torch.where(flipped, -high, low)
    above = torch.where(flipped, -low, high)
    top = torch.special.log_ndtr(above)
    return top + torch.log1p(-torch.exp(torch.special.log_ndtr(below) - top))


def _log_universal(name, quantity):
    """Logarithm of the universal density of a quantity; that of a flux is left out as a whole."""
    match name:
        case "log_flux":
            return torch.zeros_like(quantity)
        case "r_eff":
            widths = math.log(10) * (LIMITS["log_r_eff"][1] - LIMITS["log_r_eff"][0])
            return -torch.log(quantity) - math.log(widths)
        case "n":
            return -0.5 * torch.log(quantity) - math.log(2 * (LIMITS["n"][1] - LIMITS["n"][0]))
        case "q":
            uniform = math.log(Q_LIMITS[1] - Q_LIMITS[0])
            return _log_thinning(ellipticity(quantity)) - _log_mean_thinning() - uniform
        case _ if name in LIMITS:
            low, high = LIMITS[name]
            return torch.full_like(quantity, -math.log(high - low))
        case _:  # of bands, which have no other prior
            return torch.zeros_like(quantity)


def _log_thinning(size):
    """Logarithm of the share of galaxies of an ellipticity that the prior has, of uniform ``q``."""
    return torch.log(size) - 0.5 * torch.log(size**2 + ROUND**2)


def _log_disk(size):
    """Logarithm of what turns a density of q, thinned, into one of (e1, e2)."""
    polar = math.log(math.pi) + torch.log(size) + 2 * torch.log1p(size)
    return polar + _log_mean_thinning() + math.log(Q_LIMITS[1] - Q_LIMITS[0])


@lru_cache
def _log_mean_thinning():
    """Logarithm of the mean of the thinning over uniform ``q``."""
    q = torch.linspace(*Q_LIMITS, 20_001, dtype=torch.float64)
    kept = torch.exp(_log_thinning(ellipticity(q).clamp(min=1e-12)))
    return math.log(float(torch.trapezoid(kept, q)) / (Q_LIMITS[1] - Q_LIMITS[0]))
