"""PSFs resampled: centered, shifted, and as binned images show them."""

from dataclasses import replace

import numpy as np
import torch

from sersicnet.model.profile import fft_size, psf_transform
from sersicnet.model.psf import BINNED_OVERSAMPLING, PSF_SIZE, PSFs, bin_psf

__all__ = ["binned_psfs", "centered_psfs", "network_psf", "network_psfs", "psf_offset"]

# Pixels that a PSF may be off the middle of its stamp, which the network takes as an error.
_CENTERED = 0.25


def binned_psfs(psfs, bins):
    """The `~sersicnet.model.PSFs` of images that are binned by so many pixels (1: the same)."""
    if bins == 1:
        return psfs
    coarse = [bin_psf(_at_data_scale(psf, psfs.oversampling), bins) for psf in psfs.stamps]
    return PSFs(coarse, psfs.which, psfs.log_light, BINNED_OVERSAMPLING)


def _at_data_scale(psf, oversampling):
    """A PSF in pixels of the data, on a stamp of odd sides that holds all of it."""
    size = min(max(psf.shape) // oversampling, fft_size(128) - 1)
    stamp, _ = network_psf(psf, oversampling, size=size - 1 + size % 2)
    return stamp.double().numpy()


def network_psfs(psfs):
    """Return PSFs as the network sees them, and how that changes its flux and center.

    Parameters
    ----------
    psfs : `~sersicnet.model.PSFs`
        Of N cutouts.

    Returns
    -------
    stamps : list of (63, 63) `~torch.Tensor`
        One for each of ``psfs.stamps``.
    log_light : (N,) `~numpy.ndarray`
        Decimal logarithm of the share of the light that these stamps hold, as in
        `~sersicnet.model.PSFs`: subtract it from the network's ``log_flux``.
    offset : (N, 2) `~numpy.ndarray`
        Shift (x, y) of each PSF to the middle of its stamp, in pixels of the data: subtract it
        from the network's ``dx`` and ``dy``.
    """
    moved, offset = _with_offsets(psfs)
    resampled = [network_psf(stamp, psfs.oversampling, offset=off) for stamp, off in moved]
    # The network's fluxes are in units of the PSF stamp that it saw.
    log_share = np.append(np.log10([share for _, share in resampled]), 0.0)[psfs.which]
    return [stamp for stamp, _ in resampled], log_share + psfs.log_light, offset


def centered_psfs(psfs):
    """Return the PSFs centered as in `network_psfs`, and its ``offset``."""
    moved, offset = _with_offsets(psfs)
    stamps = [_shifted(stamp, -psfs.oversampling * off) for stamp, off in moved]
    return replace(psfs, stamps=stamps), offset


def _with_offsets(psfs):
    """Return pairs of a stamp and its offset, and the offset of each cutout, (N, 2).

    Training had its PSFs within a few tenths of the middle: others are moved there, and the
    posterior back.
    """
    found = [psf_offset(stamp, psfs.oversampling) for stamp in psfs.stamps]
    # the last is for cutouts without a PSF
    used = [*(part if np.hypot(*part) > _CENTERED else (0, 0) for part in found), (0, 0)]
    offsets = np.array(used, dtype=float)
    return list(zip(psfs.stamps, offsets[:-1], strict=True)), offsets[psfs.which]


def _shifted(stamp, step):
    """A stamp whose light is moved by ``step`` (x, y) of its pixels; what leaves it is lost."""
    if not any(step):
        return stamp
    pad = [(0, 2 * int(np.ceil(abs(part)))) for part in step[::-1]]
    wide = torch.from_numpy(np.pad(stamp, pad))
    moved = torch.fft.irfft2(_moved(torch.fft.rfft2(wide), wide.shape, step), s=wide.shape)
    moved = moved.numpy()[: stamp.shape[0], : stamp.shape[1]]
    return moved / moved.sum()


def _moved(transform, shape, step):
    """The transform of an image of this shape whose light is moved by ``step`` (x, y) pixels."""
    kx = 2 * np.pi * torch.fft.rfftfreq(shape[1], dtype=torch.float64)
    ky = 2 * np.pi * torch.fft.fftfreq(shape[0], dtype=torch.float64)
    angle = -(ky[:, None] * step[1] + kx * step[0])
    return transform * torch.polar(torch.ones_like(angle), angle)


def network_psf(psf, oversampling, *, size=PSF_SIZE, offset=(0.0, 0.0)):
    """A PSF as the network sees it, (size, size), and the share of the light that this holds.

    Negative pixels stay: without those of its noise, a PSF would have more light than it has.
    What is at ``offset`` (x, y, in pixels of the data) from the middle is moved to it.
    """
    transform = psf_transform(torch.from_numpy(psf), 128, oversampling=oversampling)
    shape = (len(transform),) * 2
    if any(offset):
        transform = _moved(transform, shape, -oversampling * np.asarray(offset))
    image = torch.fft.irfft2(transform, s=shape)
    rows = oversampling * torch.arange(-(size // 2), size // 2 + 1) % len(image)
    stamp = oversampling**2 * image[rows][:, rows]
    share = stamp.sum()
    return (stamp / share).float(), float(share)


def psf_offset(psf, oversampling):
    """How far a star is from the middle of its stamp, (x, y) in pixels of the data.

    The centroid under a Gaussian window that follows it, as wide as the star: its wings and
    its noise hardly count.
    """
    y, x = (np.arange(n) - (n - 1) / 2 for n in psf.shape)
    width2 = 1 / (4 * np.pi * np.sum(psf**2))
    at_x = at_y = 0.0
    for _ in range(20):
        window = psf * np.exp(-0.5 * ((x - at_x) ** 2 + (y[:, None] - at_y) ** 2) / width2)
        total = window.sum()
        # twice: the window pulls back half of what it is off
        step_x = 2 * ((window * x).sum() / total - at_x)
        step_y = 2 * ((window * y[:, None]).sum() / total - at_y)
        at_x, at_y = at_x + step_x, at_y + step_y
        if max(abs(step_x), abs(step_y)) < 1e-4 * oversampling:
            break
    offset = np.array([at_x, at_y]) / oversampling
    return offset if np.isfinite(offset).all() and np.abs(offset).max() < 8 else np.zeros(2)
