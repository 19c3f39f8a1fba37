"""Inputs of the universal network: three zooms of the stamp, and sums over rings."""

from functools import cache
from itertools import pairwise

import torch
from torch import nn

from sersicnet.model.psf import PSF_SIZE

__all__ = ["GRID", "N_CHANNELS", "N_SUMS", "ZOOMS", "Features", "recenter"]

# Pixels on a side at each zoom: the middle of the stamp as it is, binned by 2, and by 4.
GRID = 32
ZOOMS = (1, 2, 4)
# Edges of the rings in pixels; the last ring holds the rest of the stamp.
_RINGS = (0, 0.8, 1.6, 2.6, 3.6, 5, 7, 10, 14, 20, 28, 40, 56, 200)
_PSF_RINGS = (0, 0.8, 1.6, 2.6, 3.6, 5, 7, 10, 14, 22, 100)
# Angular modes: cos and sin of m times the angle.
_MODES = (0, 1, 2, 4)
# Largest distance from the middle, in pixels, of a bright spot that is moved to the middle.
_REACH = 4
# Radii of the apertures of the first guess of the flux, in pixels.
_APERTURES = (3.6, 7, 14, 28)
# Number of images of each zoom.
N_CHANNELS = 9
_N_MODES = 2 * len(_MODES) - 1
# Number of sums over rings and of scalars.
N_SUMS = (len(_RINGS) - 1) * (_N_MODES + 3) + (len(_PSF_RINGS) - 1) * _N_MODES + 3 + len(ZOOMS)


class Features(nn.Module):
    """Features of stamps, weights and PSFs; nothing here is learned."""

    def __init__(self):
        super().__init__()
        self.register_buffer("rings", _ring_weights(128, _RINGS), persistent=False)
        self.register_buffer("psf_rings", _ring_weights(PSF_SIZE, _PSF_RINGS), persistent=False)
        radius, _ = _polar(128)
        apertures = torch.stack([(radius < edge).float() for edge in _APERTURES], dim=1)
        self.register_buffer("apertures", apertures, persistent=False)

    def forward(self, data, weight, psf):
        """Compute the features.

        Parameters
        ----------
        data, weight, psf : `~torch.Tensor`
            Stamps, weights and PSFs, as in `~sersicnet.networks.PosteriorNetwork.forward`.

        Returns
        -------
        zooms : (3 N, 9, 32, 32) `~torch.Tensor`
            Image at two stretches and relative to its peak, fraction of good pixels, relative
            noise, PSF at two stretches, and indicators of the zoom.
        sums : (N, N_SUMS) `~torch.Tensor`
            Means over rings and their angular modes, and scalars.
        guess : (N,) `~torch.Tensor`
            First guess of the flux.
        """
        good = (weight > 0).to(data.dtype)
        noise = good * -torch.log(weight.clamp(min=1e-3))
        guess = self._guess_flux(data, good)
        planes, shift = recenter(torch.stack([data * good, good, noise], dim=1))
        zooms, peaks = self._zooms(planes, psf)
        scalars = [guess.log()[:, None] / 5, torch.asinh(peaks) / 5, shift / 2]
        sums = self._ring_sums(planes, psf, guess)
        return zooms, torch.cat([sums, *scalars], dim=1), guess

    def _guess_flux(self, data, good):
        """Find the largest aperture sum after subtracting its noise; at least 3."""
        sums = (data * good).flatten(1) @ self.apertures
        noise = self.apertures.sum(dim=0).sqrt()
        return (sums - noise).amax(dim=1).clamp(min=3.0)

    def _zooms(self, stack, psf):
        """Make images at three zooms, (3 N, 9, 32, 32), and find their peaks, (N, 3)."""
        images = []
        peaks = []
        psf = nn.functional.pad(psf, (0, 1, 0, 1))[:, None]
        psf = psf / psf.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)
        for number, bins in enumerate(ZOOMS):
            if number:
                stack = nn.functional.avg_pool2d(stack, 2)
                psf = nn.functional.avg_pool2d(psf, 2)
            mean = _middle(stack)
            share = mean[:, 1:2]
            value = mean[:, 0:1] / share.clamp(min=0.05)
            middle = value[:, :, 12:20, 12:20]
            peak = nn.functional.avg_pool2d(middle, 3, 1).amax(dim=(2, 3), keepdim=True)
            peak = peak.clamp(min=1.0 / bins)
            level = torch.zeros_like(value).expand(-1, 2, -1, -1).clone()
            if number:
                level[:, number - 1] = 1
            shape = _middle(psf)
            channels = [
                torch.asinh(bins * value),
                torch.asinh(bins * value / 50),
                (value / peak).clamp(-1, 3),
                share,
                mean[:, 2:3] / share.clamp(min=0.05),
                shape,
                torch.log10(shape.clamp(min=0) + 1e-4) / 2 + 1,
                level,
            ]
            images.append(torch.cat(channels, dim=1))
            peaks.append(bins * peak[:, 0, 0, 0])
        return torch.stack(images, dim=1).flatten(0, 1), torch.stack(peaks, dim=1)

    def _ring_sums(self, planes, psf, guess):
        """Compute means over rings and their angular modes, of image, noise and PSF."""
        n_rings = len(_RINGS) - 1
        planes = planes.flatten(2)
        moments = (planes[:, 0] @ self.rings).view(len(planes), n_rings, -1)
        base = self.rings.view(len(self.rings), n_rings, -1)[:, :, 0]
        area = planes[:, 1] @ base
        noise_mean = (planes[:, 2] @ base) / area.clamp(min=1)
        mean = moments / area.clamp(min=1)[:, :, None]
        level = mean[:, :, 0]
        deviation = area.clamp(min=1).rsqrt()
        modes = mean[:, :, 1:] / (level.abs() + deviation)[:, :, None]
        psf_sums = (psf.flatten(1) @ self.psf_rings).view(len(psf), len(_PSF_RINGS) - 1, -1)
        psf_area = self.psf_rings.view(PSF_SIZE**2, -1, psf_sums.shape[2])[:, :, 0].sum(dim=0)
        psf_level = psf_sums[:, :, 0] / psf_area
        psf_modes = psf_sums[:, :, 1:] / (psf_sums[:, :, :1].abs() + 1e-4)
        parts = [
            torch.asinh(level / deviation) / 3,
            torch.asinh(1e3 * level / guess[:, None]),
            area / base.sum(dim=0),
            noise_mean,
            modes.flatten(1).clamp(-3, 3),
            torch.log10(psf_level.clamp(min=0) + 1e-6) + 3,
            psf_modes.flatten(1).clamp(-3, 3),
        ]
        return torch.cat(parts, dim=1)


def recenter(planes):
    """Move the brightest spot near the middle to the middle, by whole pixels.

    Parameters
    ----------
    planes : (N, 3, S, S) `~torch.Tensor`
        Image, good pixels and noise.

    Returns
    -------
    planes : (N, 3, S, S) `~torch.Tensor`
        The same after the shift, zero beyond the edges of the stamp.
    shift : (N, 2) `~torch.Tensor`
        Position of the spot before, in pixels from the middle: x and y.
    """
    size = planes.shape[-1]
    width = 2 * _REACH + 1
    # The middle of an even stamp is between pixels: the spot is sought among blocks of 4 x 4
    # around it, which reach a little further.
    edge = size // 2 - _REACH - 2
    box = planes[:, :1, edge : size - edge, edge : size - edge]
    spots = nn.functional.avg_pool2d(box, 4, 1)[:, 0]
    place = spots.flatten(1).argmax(dim=1)
    down = place // width
    right = place % width
    wide = nn.functional.pad(planes, (_REACH,) * 4)
    windows = wide.unfold(2, size, 1).unfold(3, size, 1)
    moved = windows[torch.arange(len(planes), device=planes.device), :, down, right]
    shift = torch.stack([right, down], dim=1) - _REACH
    return moved, shift.to(planes.dtype)


def _middle(images):
    """Cut out the middle 32 x 32 pixels, padded where there are fewer."""
    edge = (images.shape[-1] - GRID) // 2
    return nn.functional.pad(images, (-edge,) * 4)


def _polar(size):
    """Compute radius and angle of the pixels from the middle, (size squared,) each."""
    axis = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.hypot(x, y).flatten(), torch.atan2(y, x).flatten()


@cache
def _ring_weights(size, edges):
    """Make the matrix that sums pixels over rings, times angular modes: (pixels, rings x modes).

    Networks share it: it is half of what it takes to make one.
    """
    radius, angle = _polar(size)
    columns = []
    for inner, outer in pairwise(edges):
        ring = ((radius >= inner) & (radius < outer)).double()
        for mode in _MODES:
            columns.append(ring * torch.cos(mode * angle))
            if mode:
                columns.append(ring * torch.sin(mode * angle))
    return torch.stack(columns, dim=1).float()
