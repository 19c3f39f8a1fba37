"""Galaxies that are too large for the stamp: by how much to bin them, and their PSFs."""

import numpy as np
import torch

from sersicnet.flags import Flags
from sersicnet.posterior import PSF_SIZE
from sersicnet.profile import fft_size, psf_transform
from sersicnet.psf import BINNED_OVERSAMPLING, PSFs, bin_psf

__all__ = ["bin_galaxies", "needed_bins", "network_psf", "psf_offset"]

# Galaxies with a larger half-light radius in pixels of the stamp are binned: 4 such
# radii from the middle are then in the stamp.
_TOO_LARGE = 16.0


def needed_bins(r_eff, stamps):
    """Numbers of pixels to bin by: 3, 9, 15, 21, ..., no more than needed.

    Parameters
    ----------
    r_eff : (N,) `~numpy.ndarray`
        Half-light radii in arcsec, as the present stamps gave them.
    stamps : `~sersicnet.preprocessing.Stamps`
        The present stamps.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        Those of the stamps where the galaxy fits, or its cutout has no more to show.
    """
    present = stamps.frame.bins.astype(int)
    radius = np.nan_to_num(r_eff / stamps.frame.pixel_scale)
    wanted = 2 * np.ceil((radius / _TOO_LARGE / BINNED_OVERSAMPLING - 1) / 2).astype(int) + 1
    # the cutout fills at least half of the stamp
    most = stamps.shapes.min(axis=1) // (stamps.data.shape[-1] // 2) // BINNED_OVERSAMPLING
    bins = BINNED_OVERSAMPLING * np.minimum(wanted, most - 1 + most % 2)
    return np.where((radius > _TOO_LARGE * present) & (bins > present), bins, present)


def bin_galaxies(batch, rows, bins, stamps, psfs):
    """Coarser stamps of some galaxies, which replace the present ones.

    Parameters
    ----------
    batch : `~sersicnet.batches.Batch`
        What the stamps were prepared from.
    rows : (R,) int `~numpy.ndarray`
        The galaxies.
    bins : int
        From `needed_bins`.
    stamps : `~sersicnet.preprocessing.Stamps`
        Changed in place.
    psfs : `~sersicnet.psf.PSFs`
        Of all galaxies.

    Returns
    -------
    `~sersicnet.preprocessing.Stamps`, `~sersicnet.psf.PSFs`
        Of these galaxies.
    """
    binned = batch.prepare(stamps.data.shape[-1], rows=rows, bins=bins)
    fine = psfs[rows]
    binned.flags[:] |= fine.flags() | int(Flags.BINNED)
    for name in ("data", "weight", "flags"):
        getattr(stamps, name)[rows] = getattr(binned, name)
    for name in stamps.frame.__dataclass_fields__:
        getattr(stamps.frame, name)[rows] = getattr(binned.frame, name)
    coarse = [bin_psf(_at_data_scale(psf, fine.oversampling), bins) for psf in fine.stamps]
    return binned, PSFs(coarse, fine.which, fine.log_light, BINNED_OVERSAMPLING)


def _at_data_scale(psf, oversampling):
    """A PSF in pixels of the data, on a stamp of odd sides that holds all of it."""
    size = min(max(psf.shape) // oversampling, fft_size(128) - 1)
    stamp, _ = network_psf(psf, oversampling, size=size - 1 + size % 2)
    return stamp.double().numpy()


def network_psf(psf, oversampling, *, size=PSF_SIZE, offset=(0.0, 0.0)):
    """A PSF as the network sees it, (size, size), and the share of the light that this holds.

    Negative pixels stay: without those of its noise, a PSF would have more light than it has.
    What is at ``offset`` (x, y, in pixels of the data) from the middle is moved to it.
    """
    transform = psf_transform(torch.from_numpy(psf), 128, oversampling=oversampling)
    if any(offset):
        transform = _moved(transform, *(-oversampling * part for part in offset))
    image = torch.fft.irfft2(transform, s=(len(transform),) * 2)
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


def _moved(transform, x, y):
    """The transform of a PSF that is moved by so many of its own pixels."""
    size = len(transform)
    kx = 2 * np.pi * torch.fft.rfftfreq(size, dtype=torch.float64)
    ky = 2 * np.pi * torch.fft.fftfreq(size, dtype=torch.float64)
    return transform * torch.polar(torch.ones(1, dtype=torch.float64), -(ky[:, None] * y + kx * x))
