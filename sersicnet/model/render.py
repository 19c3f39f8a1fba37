"""Images of many galaxies, each behind its own PSF."""

import numpy as np
import torch

from sersicnet.model.parts import scene_images
from sersicnet.model.profile import fft_size, psf_transform

__all__ = ["n_together", "psf_transforms", "render_image", "render_models"]

# Galaxies rendered together: few stay in a processor's cache, many share the cost of each call.
_CHUNKS = {"cpu": 32, "cuda": 256}
# Bytes that images and derivatives made together may take.
_MEMORY = {"cpu": 2**28, "cuda": 2**32}
# Numbers of 4 bytes held for each point of the transform: about those of seven derivatives and
# of what they are made of.
_NUMBERS = 40


@torch.no_grad()
def render_models(labels, rows, psfs, size, *, device, profiles=("sersic",)):
    """Render models of galaxies, a few at a time.

    Parameters
    ----------
    labels : (N, K) `~numpy.ndarray`
        Labels, by default seven in the order of `~sersicnet.model.LABELS`, with the flux in units
        of ``psfs.stamps``.
    rows : (R,) int `~numpy.ndarray`
        Galaxies to render, which have finite labels and a PSF.
    psfs : `~sersicnet.model.PSFs`
        PSFs of all N galaxies.
    size : int
        Pixels on a side of the images.
    device : `~torch.device`
        Device that renders.
    profiles : tuple of str, optional
        Profiles of the parts of a galaxy, by default one Sersic profile.

    Yields
    ------
    rows : (M,) int `~numpy.ndarray`
        Some of ``rows``, in another order.
    labels : (M, K) `~torch.Tensor`
        Labels of these galaxies.
    models : (M, size, size) `~torch.Tensor`
        Images of these galaxies.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sersicnet.model import collect_psfs, render_models
    >>> psfs = collect_psfs([[[0, 1, 0], [1, 4, 1], [0, 1, 0]]] * 2)
    >>> labels = np.array([[2.0, 0.3, 1.0, 0.1, 0.0, 0.0, 0.0]] * 2)
    >>> for rows, _, models in render_models(
    ...     labels, np.array([1]), psfs, 64, device=torch.device("cpu")
    ... ):
    ...     print(rows, models.shape)
    [1] torch.Size([1, 64, 64])
    """
    rows = rows[np.argsort(psfs.which[rows], kind="stable")]
    step = n_together(_CHUNKS[device.type], size, psfs.oversampling, device)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        chosen = torch.from_numpy(labels[part]).float().to(device)
        transforms = psf_transforms(psfs, psfs.which[part], size, device)
        options = {"stamp_size": size, "oversampling": psfs.oversampling, "profiles": profiles}
        models = scene_images(chosen, transforms, **options)
        yield part, chosen, models


def render_image(labels, psfs, shape, *, profiles=("sersic",)):
    """Render one galaxy on an image of any shape.

    Parameters
    ----------
    labels : (K,) `~numpy.ndarray`
        Labels of the galaxy, as in `render_models`. The center is counted from
        the middle of the smallest square that begins with the image's first pixel and holds it.
    psfs : `~sersicnet.model.PSFs`
        The galaxy's PSF.
    shape : (int, int)
        Numbers of rows and columns.
    profiles : tuple of str, optional
        Profiles of its parts.

    Returns
    -------
    (ny, nx) float64 `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model import collect_psfs, render_image
    >>> labels = np.array([2.0, 0.3, 1.0, 0.1, 0.0, 0.0, 0.0])
    >>> psfs = collect_psfs([[[0, 1, 0], [1, 4, 1], [0, 1, 0]]])
    >>> image = render_image(labels, psfs, (41, 33))
    >>> np.unravel_index(image.argmax(), image.shape)
    (np.int64(20), np.int64(20))
    """
    cpu = torch.device("cpu")
    found = render_models(
        labels[None], np.array([0]), psfs, max(shape), device=cpu, profiles=profiles
    )
    (_, _, images) = next(iter(found))
    return images[0, : shape[0], : shape[1]].double().numpy()


def n_together(most, stamp_size, oversampling, device):
    """Return the number of galaxies to render at a time.

    Parameters
    ----------
    most : int
        Largest number.
    stamp_size : int
        Pixels on a side of the images.
    oversampling : int
        PSF pixels per image pixel on a side.
    device : str or `~torch.device`
        Device that renders.

    Returns
    -------
    int
        ``most``, or fewer where the memory of the device does not allow it.
    """
    kind = torch.device(device).type
    points = (oversampling * fft_size(stamp_size)) ** 2
    return int(min(most, max(1, _MEMORY[kind] // (4 * _NUMBERS * points))))


def psf_transforms(psfs, which, stamp_size, device="cpu"):
    """Return the transforms of the PSFs of galaxies.

    Parameters
    ----------
    psfs : `~sersicnet.model.PSFs`
        PSFs, of which these galaxies use some.
    which : (N,) int `~numpy.ndarray`
        Number of each galaxy's PSF.
    stamp_size : int
        Pixels on a side of the images to be made.
    device : str or `~torch.device`
        Device of the transforms.

    Returns
    -------
    (F, F / 2 + 1) or (N, F, F / 2 + 1) complex `~torch.Tensor`
        One transform where all galaxies have the same PSF, else one for each, from
        `~sersicnet.model.psf_transform`.
    """
    numbers, places = np.unique(which, return_inverse=True)
    transforms = []
    for number in numbers:
        stamp = torch.from_numpy(psfs.stamps[number]).float().to(device)
        transforms.append(psf_transform(stamp, stamp_size, oversampling=psfs.oversampling))
    if len(transforms) == 1:
        return transforms[0]
    return torch.stack(transforms)[torch.from_numpy(places).to(device)]
