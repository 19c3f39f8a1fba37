"""PSFs resampled: centered, binned, and as the network sees them."""

from dataclasses import replace

import numpy as np
import torch

from sersicnet.model.profile import fft_size, psf_transform
from sersicnet.model.psf import PSF_SIZE, PSFs, bin_psf, binned_oversampling
from sersicnet.model.psf_center import psf_offset, shifted_stamp

__all__ = ["binned_psfs", "centered_psfs", "fine_psfs", "network_psf", "network_psfs"]

# Distance of a PSF from the middle of its stamp, in pixels, that the network takes as an error:
# training had its PSFs within a few tenths of the middle.
_CENTERED = 0.25
# FWHM in its own pixels that a PSF needs to render galaxies with it.
_WELL_SAMPLED = 3.0
# Side of the stamps that the network sees.
_STAMP_SIZE = 128


def binned_psfs(psfs, bins):
    """Return the PSFs of images that are binned.

    Parameters
    ----------
    psfs : `~sersicnet.model.PSFs`
        PSFs of the images as they are.
    bins : int
        Pixels of the images on a side of a binned pixel; 1 does nothing.

    Returns
    -------
    `~sersicnet.model.PSFs`
    """
    if bins == 1:
        return psfs
    coarse = []
    for psf in psfs.stamps:
        # in pixels of the data, on a stamp of odd sides that holds all of it
        size = min(max(psf.shape) // psfs.oversampling, fft_size(_STAMP_SIZE) - 1)
        stamp, _ = network_psf(psf, psfs.oversampling, size=size - 1 + size % 2)
        coarse.append(bin_psf(stamp.double().numpy(), bins))
    return PSFs(coarse, psfs.which, psfs.log_light, binned_oversampling(bins))


def network_psfs(psfs):
    """Return PSFs as the network sees them, and how that changes its flux and center.

    Parameters
    ----------
    psfs : `~sersicnet.model.PSFs`
        PSFs of N cutouts.

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
    offsets = _offsets(psfs)
    stamps = []
    shares = []
    for stamp, offset in zip(psfs.stamps, offsets, strict=True):
        seen, share = network_psf(stamp, psfs.oversampling, offset=offset)
        stamps.append(seen)
        shares.append(share)
    # The network's fluxes are in units of the PSF stamp that it saw.
    log_share = np.append(np.log10(shares), 0.0)[psfs.which]
    return stamps, log_share + psfs.log_light, _per_cutout(offsets, psfs)


def centered_psfs(psfs):
    """Return the PSFs moved to the middle of their stamps.

    Parameters
    ----------
    psfs : `~sersicnet.model.PSFs`
        PSFs of N cutouts.

    Returns
    -------
    psfs : `~sersicnet.model.PSFs`
        Centered PSFs.
    offset : (N, 2) `~numpy.ndarray`
        Shift (x, y) of each, as in `network_psfs`.
    """
    offsets = _offsets(psfs)
    stamps = []
    for stamp, offset in zip(psfs.stamps, offsets, strict=True):
        stamps.append(shifted_stamp(stamp, -psfs.oversampling * offset))
    return replace(psfs, stamps=stamps), _per_cutout(offsets, psfs)


def _offsets(psfs):
    """Offset (x, y) of each of P stamps that is to be undone, (P, 2): zero where it is small."""
    offsets = np.zeros((len(psfs.stamps), 2))
    for number, stamp in enumerate(psfs.stamps):
        offset = psf_offset(stamp, psfs.oversampling)
        if np.hypot(*offset) > _CENTERED:
            offsets[number] = offset
    return offsets


def _per_cutout(offsets, psfs):
    """Offsets of the PSF of each cutout, (N, 2): zero without a PSF."""
    return np.append(offsets, [(0.0, 0.0)], axis=0)[psfs.which]


def _moved(transform, shape, step):
    """The transform of an image of this shape whose light is moved by ``step`` (x, y) pixels."""
    kx = 2 * np.pi * torch.fft.rfftfreq(shape[1], dtype=torch.float64)
    ky = 2 * np.pi * torch.fft.fftfreq(shape[0], dtype=torch.float64)
    angle = -(ky[:, None] * step[1] + kx * step[0])
    return transform * torch.polar(torch.ones_like(angle), angle)


def fine_psfs(psfs):
    """Return PSFs as rendering needs them: those with a FWHM below 3 pixels are finer, if given so.

    Parameters
    ----------
    psfs : `~sersicnet.model.PSFs`
        PSFs of N cutouts.

    Returns
    -------
    stamps : list of (K, K) `~torch.Tensor`
        One for each of ``psfs.stamps``, centered as in `network_psfs`, of the same light, in the
        middle of as many pixels for all.
    samplings : list of int
        Their pixels per pixel of the data on a side.
    """
    stamps = []
    samplings = []
    offsets = _offsets(psfs)
    for stamp, offset, fwhm in zip(psfs.stamps, offsets, psfs.fwhm(), strict=True):
        divisors = [s for s in range(1, psfs.oversampling + 1) if psfs.oversampling % s == 0]
        enough = [s for s in divisors if s * fwhm >= _WELL_SAMPLED]
        sampling = min(enough, default=psfs.oversampling)
        size = sampling * (PSF_SIZE - 1) + 1
        own = {"size": size, "offset": offset, "sampling": sampling}
        stamps.append(network_psf(stamp, psfs.oversampling, **own)[0])
        samplings.append(sampling)
    widest = max((len(stamp) for stamp in stamps), default=0)
    padded = []
    for stamp in stamps:
        padded.append(torch.nn.functional.pad(stamp, ((widest - len(stamp)) // 2,) * 4))
    return padded, samplings


def network_psf(psf, oversampling, *, size=PSF_SIZE, offset=(0.0, 0.0), sampling=1):
    """Return a PSF as the network sees it: at the scale of the data, on a small stamp.

    Negative pixels stay: without those of its noise, a PSF would have more light than it has.

    Parameters
    ----------
    psf : (K, L) `~numpy.ndarray`
        PSF stamp.
    oversampling : int
        PSF pixels per pixel of the data on a side.
    size : int
        Pixels on a side of the new stamp, an odd number.
    offset : (2,) array_like
        Point (x, y) that is moved to the middle, in pixels of the data from the middle.
    sampling : int
        Pixels of the new stamp per pixel of the data on a side, a divisor of ``oversampling``.

    Returns
    -------
    stamp : (size, size) `~torch.Tensor`
        PSF of unit sum.
    share : float
        Share of the light of ``psf`` that the new stamp holds.
    """
    transform = psf_transform(torch.from_numpy(psf), _STAMP_SIZE, oversampling=oversampling)
    shape = (len(transform), len(transform))
    if any(offset):
        transform = _moved(transform, shape, -oversampling * np.asarray(offset))
    image = torch.fft.irfft2(transform, s=shape)
    step = oversampling // sampling
    rows = step * torch.arange(-(size // 2), size // 2 + 1) % len(image)
    stamp = step**2 * image[rows][:, rows]
    share = stamp.sum()
    return (stamp / share).float(), float(share)
