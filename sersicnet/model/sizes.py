"""How much of a stamp a galaxy covers."""

import numpy as np

from sersicnet.model.labels import (
    CENTER,
    PROFILE_LABELS,
    axis_ratio,
    length,
    part_slices,
    split_labels,
    stack_labels,
)
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = [
    "FAINTEST",
    "holding_sizes",
    "part_stamp_sizes",
    "scene_stamp_sizes",
    "stamp_sizes",
    "visible_radius",
]

# Sides of the stamps that galaxies are fitted on.
_SIZES = (32, 48, 64, 96, 128, 192, 256)
# A stamp reaches to where the galaxy is this many sigma per pixel, and this many FWHM further.
FAINTEST = 0.03
_WIDTHS = 3.0


def stamp_sizes(labels, fwhm, faintest=FAINTEST):
    """Return the side of the stamp that holds the visible part of each galaxy.

    The pixels outside of it still constrain the sky.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Labels, in the order of `~sersicnet.model.LABELS`.
    fwhm : (N,) `~numpy.ndarray`
        FWHM of the PSF, in pixels.
    faintest : float, optional
        Least surface brightness that is visible, in the unit of the flux per pixel.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        One of 32, 48, 64, 96, 128, 192 and 256.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model import stamp_sizes
    >>> stamp_sizes(np.array([[2.0, 0.5, 1.0, 0.1, 0.0, 0.0, 0.0]]), np.array([3.0]))
    array([48])
    """
    off_middle = np.abs(labels[:, CENTER]).max(axis=1)
    reach = visible_radius(labels, faintest)
    needed = 2 * (reach + _WIDTHS * fwhm + off_middle)
    return np.asarray(_SIZES)[np.searchsorted(_SIZES[:-1], np.nan_to_num(needed, nan=128.0))]


def holding_sizes(weight):
    """Return the side of the smallest central stamp that holds all good pixels of each image.

    Parameters
    ----------
    weight : (N, S, S) `~numpy.ndarray`
        Weights, 0 where a pixel is bad.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        One of 32, 48, 64, 96 and 128.
    """
    good = weight > 0
    columns = good.any(axis=1) | good.any(axis=2)
    from_middle = np.abs(np.arange(weight.shape[1]) - (weight.shape[1] - 1) / 2)
    needed = 2 * (columns * (from_middle + 0.5)).max(axis=1)
    return np.asarray(_SIZES)[np.searchsorted(_SIZES[:-1], needed)]


def scene_stamp_sizes(labels, fwhm, profiles):
    """Return the side of the stamp that holds the visible part of all parts of each galaxy.

    A point source is taken as a round galaxy with the half-light radius of the PSF, which behind
    this PSF is larger.

    Parameters
    ----------
    labels : (N, K) `~numpy.ndarray`
        Labels of all parts.
    fwhm : (N,) `~numpy.ndarray`
        FWHM of the PSF, in pixels.
    profiles : tuple of str
        Profiles of the parts.

    Returns
    -------
    (N,) int `~numpy.ndarray`
    """
    sizes = []
    for name, place in zip(profiles, part_slices(profiles), strict=True):
        own = labels[:, place]
        sizes.append(stamp_sizes(_as_galaxies(own, fwhm, name), fwhm))
    return np.max(sizes, axis=0)


def part_stamp_sizes(labels, fwhm, profiles, faintest=FAINTEST):
    """Return the sides of the stamps that hold the visible part of each part, around its center.

    Parameters
    ----------
    labels, fwhm, profiles
        As in `scene_stamp_sizes`.
    faintest : float, optional
        As in `stamp_sizes`.

    Returns
    -------
    (N, G) int `~numpy.ndarray`
    """
    sizes = []
    for name, place in zip(profiles, part_slices(profiles), strict=True):
        own = labels[:, place].copy()
        own[:, -2:] = 0.5  # a center may be between pixels
        sizes.append(stamp_sizes(_as_galaxies(own, fwhm, name), fwhm, faintest))
    return np.stack(sizes, axis=1)


def _as_galaxies(labels, fwhm, profile):
    """Labels of Sersic profiles, (N, 7), in the place of others and of point sources."""
    if profile not in ("point", *PROFILE_SHAPES):
        return labels
    columns = dict(zip(PROFILE_LABELS[profile], labels.T, strict=True))
    none = np.zeros(len(labels))
    if profile == "point":
        columns |= {"log_r_eff": np.log10(fwhm / 2), "n": none + 2.0, "e1": none, "e2": none}
    else:
        columns["n"] = none + PROFILE_SHAPES[profile].stand_in
    return stack_labels(columns)


def visible_radius(labels, faintest):
    """Return the radius at which galaxies have a given surface brightness, without the PSF.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Labels, in the order of `~sersicnet.model.LABELS`.
    faintest : float
        Surface brightness, in the unit of the flux per pixel.

    Returns
    -------
    (N,) `~numpy.ndarray`
        Radius along the major axis, in pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model import visible_radius
    >>> visible_radius(np.array([[2.0, 0.5, 1.0, 0.1, 0.0, 0.0, 0.0]]), 0.03).round(1)
    array([9.8])
    """
    log_flux, log_r_eff, n, e1, e2, _, _ = split_labels(labels)
    r_eff = 10**log_r_eff
    q = axis_ratio(length(e1, e2))
    b = 2 * n - 1 / 3 + 0.01 / n  # Ciotti & Bertin 1999
    # Brightness at r_eff for a flux spread as for n = 1 to 4: within a few tenths.
    brightness = 10**log_flux / (2 * np.pi * r_eff**2 * q * 1.9)
    return r_eff * np.maximum(1 + np.log(brightness / faintest) / b, 0.5) ** n
