"""Images of many galaxies, each behind its own PSF."""

import numpy as np
import torch

from sersicnet.model.profile import fft_size, psf_transform, sersic_images

# Rendered together: few stay in a processor's cache, many share what each call costs.
_CHUNKS = {"cpu": 32, "cuda": 256}
# Bytes that images and derivatives made together may take, and numbers of 4 bytes held for each
# point of the transform: about those of seven derivatives and what they are made of.
_MEMORY, _NUMBERS = {"cpu": 2**28, "cuda": 2**32}, 40


@torch.no_grad()
def render_models(labels, rows, psfs, size, *, device):
    """Models of some galaxies, a few at a time.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        As in `~sersicnet.model.LABELS`, with the flux in units of ``psfs.stamps``.
    rows : (R,) int `~numpy.ndarray`
        Those to render: with finite labels and a PSF.
    psfs : `~sersicnet.model.PSFs`
        Of all N.
    size : int
        Pixels on a side of the images.
    device : `~torch.device`
        Where to render.

    Yields
    ------
    rows : (M,) int `~numpy.ndarray`
        Some of ``rows``, in another order.
    labels : (M, 7) `~torch.Tensor`
        Theirs.
    models : (M, size, size) `~torch.Tensor`
        The images.
    """
    rows = rows[np.argsort(psfs.which[rows], kind="stable")]
    step = n_together(_CHUNKS[device.type], size, psfs.oversampling, device)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        chosen = torch.from_numpy(labels[part]).float().to(device)
        transforms = psf_transforms(psfs, psfs.which[part], size, device)
        options = {"stamp_size": size, "oversampling": psfs.oversampling}
        yield part, chosen, sersic_images(chosen, transforms, **options)


def n_together(most, stamp_size, oversampling, device):
    """Galaxies to render at a time: ``most``, or what memory allows where that is less."""
    kind = torch.device(device).type
    points = (oversampling * fft_size(stamp_size)) ** 2
    return int(min(most, max(1, _MEMORY[kind] // (4 * _NUMBERS * points))))


def psf_transforms(psfs, which, stamp_size, device="cpu"):
    """Transforms of the PSFs of some galaxies, or the one of all of them.

    Parameters
    ----------
    psfs : `~sersicnet.model.PSFs`
        That they are among.
    which : (N,) int `~numpy.ndarray`
        Number of each galaxy's PSF.
    stamp_size, device
        Of the images to be made.

    Returns
    -------
    (F, F / 2 + 1) or (N, F, F / 2 + 1) complex `~torch.Tensor`
        As of `~sersicnet.model.psf_transform`.
    """
    numbers, places = np.unique(which, return_inverse=True)
    stamps = (torch.from_numpy(psfs.stamps[number]).float().to(device) for number in numbers)
    found = [psf_transform(stamp, stamp_size, oversampling=psfs.oversampling) for stamp in stamps]
    return found[0] if len(found) == 1 else torch.stack(found)[torch.from_numpy(places).to(device)]
