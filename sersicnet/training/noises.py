"""Noise of drizzled images and of photon counts, for scenes."""

import torch

__all__ = ["drizzle_power", "drizzled", "photon_counts", "smoothed"]

# Periods of the transform of a drop on each side that are summed: those further out have 1e-4.
_PERIODS = 6


def drizzle_power(drop, size):
    """Return the power of the noise along one axis of drizzled images.

    It is the transform of `sersicnet.preprocessing.drizzle_correlation`, whose ``pixfrac`` over
    ``scale_ratio`` is the drop.

    Parameters
    ----------
    drop : (N,) `~torch.Tensor`
        Side of a drop in output pixels.
    size : int
        Pixels on a side of the images.

    Returns
    -------
    (N, size) `~torch.Tensor`
        By wave number, with a mean of 1.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.training.noises import drizzle_power
    >>> drizzle_power(torch.tensor([1.6]), 64)[0, 0] > 2
    tensor(True)
    """
    frequency = torch.fft.fftfreq(size, device=drop.device)[:, None]
    wave = frequency + torch.arange(-_PERIODS, _PERIODS + 1, device=drop.device)
    overlap = torch.sinc(drop[:, None, None] * wave) * torch.sinc(wave)
    power = overlap.square().sum(dim=2)
    return power / power.mean(dim=1, keepdim=True)


def drizzled(noise, drop):
    """Correlate white noise as drizzling does, without changing its rms.

    Parameters
    ----------
    noise : (N, S, S) `~torch.Tensor`
        White noise.
    drop : (N,) `~torch.Tensor`
        Side of a drop in output pixels.

    Returns
    -------
    (N, S, S) `~torch.Tensor`
    """
    size = noise.shape[-1]
    filters = drizzle_power(drop, size).sqrt()
    half = filters[:, : size // 2 + 1]
    spectrum = torch.fft.rfft2(noise) * filters[:, :, None] * half[:, None]
    return torch.fft.irfft2(spectrum, s=(size, size))


def photon_counts(scene, electrons, generator):
    """Draw images of photon counts, less their mean sky, in units of its noise.

    Parameters
    ----------
    scene : (N, S, S) `~torch.Tensor`
        Noise-free images in units of the noise of the sky.
    electrons : (N, 1, 1) `~torch.Tensor`
        Counts per unit; the sky has the square of that in each pixel.
    generator : `~torch.Generator`
        Source of randomness.

    Returns
    -------
    (N, S, S) `~torch.Tensor`
    """
    sky = electrons**2
    mean = sky + electrons * scene.clamp(min=0)
    return (torch.poisson(mean, generator=generator) - sky) / electrons


def smoothed(noise, sigma):
    """White noise smoothed by a Gaussian and brought back to unit rms."""
    steps = torch.arange(-2, 3, device=noise.device)
    kernel = torch.exp(-0.5 * (steps / sigma[:, None]) ** 2)
    kernel = kernel / kernel.square().sum(dim=1, keepdim=True).sqrt()
    for axis in (1, 2):
        noise = sum(
            kernel[:, place, None, None] * noise.roll(int(step), axis)
            for place, step in enumerate(steps)
        )
    return noise
