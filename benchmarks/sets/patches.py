"""Empty patches of real images: noise that no simulation has made."""

from functools import cache

import numpy as np
from astropy.io import fits

from sersicnet.preprocessing.correlation import empty_pixels

__all__ = ["draw_patches", "find_patches"]

# Least share of the pixels of a patch that show no source. The others are masked.
_LEAST_EMPTY = 0.9
# Pixels between the places that are tried.
_STEP = 4


def draw_patches(folder, patterns, n, side, rng):
    """Draw patches in random orientations, each about as often as the others.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Folder of cutouts with the extensions ``SCI``, ``ERR`` and ``MASK``.
    patterns : tuple of str
        Patterns of the names of their files.
    n, side : int
        Number of patches, and pixels on a side.
    rng : `~numpy.random.Generator`
        Generator of the draws.

    Returns
    -------
    (n, side, side) `~numpy.ndarray`
        Pixels over their noise; NaN where there is a source or a bad pixel.

    Raises
    ------
    FileNotFoundError
        If the folder has no such file with an empty patch.
    """
    patches = find_patches(folder, patterns, side)
    if not patches:
        msg = f"{folder} has no file {' or '.join(patterns)} with {side} x {side} empty pixels"
        raise FileNotFoundError(msg)
    numbers = rng.permutation(np.arange(n) % len(patches))
    images = []
    for number in numbers:
        image = np.rot90(patches[number], rng.integers(4))
        if rng.integers(2):
            image = image.T
        images.append(image)
    return np.array(images)


@cache
def find_patches(folder, patterns, side):
    """Find patches that do not overlap, as in `draw_patches`.

    Parameters
    ----------
    folder, patterns, side
        As for `draw_patches`.

    Returns
    -------
    list of (side, side) `~numpy.ndarray`
    """
    paths = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    return [patch for path in paths for patch in _patches_of(path, side)]


def _patches_of(path, side):
    """The patches of one file, without their local sky.

    This is the median of the empty pixels in a window of twice their side, as wings of galaxies
    and errors of the sky that was subtracted are no noise.
    """
    with fits.open(path) as hdus:
        data, noise, mask = (np.asarray(hdus[name].data) for name in ("SCI", "ERR", "MASK"))
    good = (mask == 0) & np.isfinite(data) & (noise > 0)
    snr = np.divide(data, noise, out=np.zeros(data.shape), where=good)
    _, empty = empty_pixels(snr, good)
    free = np.ones(data.shape, dtype=bool)
    patches = []
    for y in range(0, data.shape[0] - side + 1, _STEP):
        for x in range(0, data.shape[1] - side + 1, _STEP):
            window = slice(y, y + side), slice(x, x + side)
            if free[window].all() and empty[window].mean() > _LEAST_EMPTY:
                free[window] = False
                wide = tuple(slice(max(p.start - side // 2, 0), p.stop + side // 2) for p in window)
                sky = np.median(snr[wide][empty[wide]])
                patches.append(np.where(empty[window], snr[window] - sky, np.nan))
    return patches
