"""Groups: a galaxy in the middle of a stamp and its neighbors, as one scene."""

from functools import lru_cache

import numpy as np
import torch

from sersicnet.model.insets import own_labels
from sersicnet.model.labels import (
    CENTER,
    LABELS,
    N_LABELS,
    PROFILE_LABELS,
    axis_ratio,
    length,
    part_slices,
)
from sersicnet.model.layout import Layout
from sersicnet.model.parts import scene_images
from sersicnet.model.profiles import PROFILES
from sersicnet.model.render import psf_transforms
from sersicnet.model.scene import Scene

__all__ = [
    "UNRESOLVED",
    "are_sharp",
    "blend_fraction",
    "flux_change",
    "group_images",
    "group_layout",
    "group_scene",
    "light_on_flux",
    "member_images",
    "members_layout",
]

# Half-light radius of members that are fitted as point sources, in units of the PSF's FWHM.
UNRESOLVED = 0.25

# As that of `~sersicnet.model.parts`.
_NEGLIGIBLE = 1e-9
# Excess of a source's brightest pixel over that of a star, as a share and in units of the noise,
# from which on it is no source behind this PSF but a cosmic ray or a hot pixel.
_SHARPER = 1.2
_SIGNIFICANT = 5.0


@lru_cache
def group_layout(profiles):
    """Return the layout of a Sersic galaxy and its neighbors, all of which is free.

    Parameters
    ----------
    profiles : tuple of str
        Profiles of the neighbors.

    Returns
    -------
    Layout
        Its first parameters are the labels of the galaxy in the middle.

    Examples
    --------
    >>> from sersicnet.model.groups import group_layout
    >>> group_layout(("point",)).free[-3:]
    ('log_flux.neighbor1', 'dx.neighbor1', 'dy.neighbor1')
    """
    free = list(LABELS)
    known = []
    parts = [("galaxy", "sersic")]
    for number, profile in enumerate(profiles, 1):
        name = f"neighbor{number}"
        for kind in PROFILE_LABELS[profile]:
            free.append(f"{kind}.{name}")
        known += [f"at_dx.{name}", f"at_dy.{name}"]
        parts.append((name, profile))
    return Layout(tuple(free), tuple(known), parts=tuple(parts))


@lru_cache
def members_layout(profiles):
    """Return the layout of sources none of which is in the middle.

    Parameters
    ----------
    profiles : tuple of str
        Profiles of the sources.

    Returns
    -------
    Layout
        Its known numbers are the centers that those of the sources are counted from.

    Examples
    --------
    >>> from sersicnet.model.groups import members_layout
    >>> layout = members_layout(("sersic", "point"))
    >>> layout.n_parameters, layout.known[-1]
    (10, 'at_dy.member1')
    """
    free = []
    known = []
    parts = []
    for number, profile in enumerate(profiles):
        name = f"member{number}"
        for kind in PROFILE_LABELS[profile]:
            free.append(f"{kind}.{name}")
        known += [f"at_dx.{name}", f"at_dy.{name}"]
        parts.append((name, profile))
    return Layout(tuple(free), tuple(known), parts=tuple(parts))


def group_scene(labels, profiles):
    """Return the scene of groups: centers of neighbors are counted from where they start.

    Parameters
    ----------
    labels : (N, K) `~numpy.ndarray`
        Labels that fits start from, those of the galaxy in the middle first.
    profiles : tuple of str
        Profiles of the neighbors.

    Returns
    -------
    Scene
    """
    known = []
    for place in part_slices(("sersic", *profiles))[1:]:
        # the center is the end of the labels of each profile
        known.append(labels[:, place.stop - 2 : place.stop])
    return Scene.of(group_layout(profiles), torch.from_numpy(np.concatenate(known, axis=1)))


@torch.no_grad()
def group_images(labels, profiles, psfs, size, *, device):
    """Render each part of one group.

    Parameters
    ----------
    labels : (K,) `~numpy.ndarray`
        Labels of all parts.
    profiles : tuple of str
        Profiles of all parts.
    psfs : `~sersicnet.model.PSFs`
        The PSF of the group.
    size : int
        Pixels on a side of the stamp.
    device : `~torch.device`
        Device that renders.

    Returns
    -------
    (G, size, size) `~numpy.ndarray`
    """
    transform = psf_transforms(psfs, psfs.which, size, device)
    options = {"stamp_size": size, "oversampling": psfs.oversampling}
    labels = torch.from_numpy(labels).float().to(device)[None]
    images = []
    for profile, place in zip(profiles, part_slices(profiles), strict=True):
        images.append(scene_images(labels[:, place], transform, profiles=(profile,), **options))
    return torch.cat(images).cpu().numpy()


@torch.no_grad()
def member_images(labels, profiles, psfs, size, *, device):
    """Render the members of one group, those of like profiles at a time.

    Parameters
    ----------
    labels : (G, 7) `~numpy.ndarray`
        Labels of the members, of which a point source needs three.
    profiles : sequence of str
        Their profiles.
    psfs : `~sersicnet.model.PSFs`
        Their PSFs.
    size : int
        Pixels on a side of the stamp.
    device : `~torch.device`
        Device that renders.

    Returns
    -------
    (G, size, size) `~numpy.ndarray`
    """
    found = np.zeros((len(labels), size, size), dtype=np.float32)
    for profile in set(profiles):
        rows = np.flatnonzero(np.array(profiles) == profile)
        transform = psf_transforms(psfs, psfs.which[rows], size, device)
        options = {"stamp_size": size, "oversampling": psfs.oversampling}
        own = torch.from_numpy(labels[rows][:, own_labels(profile)]).float().to(device)
        images = PROFILES[profile].images(own, transform, negligible=_NEGLIGIBLE, **options)
        found[rows] = images.cpu().numpy()
    return found


def flux_change(images, weight):
    """Return by what share of it the flux of a source changes if the others are not known.

    The flux is that of a fit with the right shape.

    Parameters
    ----------
    images : (G, S, S) `~numpy.ndarray`
        Images of the source and of the others.
    weight : (S, S) `~numpy.ndarray`
        One over the noise.

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.groups import flux_change
    >>> images = np.array([np.full((2, 2), 5.0), np.eye(2)])
    >>> round(float(flux_change(images, np.ones((2, 2)))), 3)
    0.1
    """
    own = images[0] * weight
    return (images[1:] * weight * own).sum() / max((own**2).sum(), 1e-20)


def light_on_flux(images, weight):
    """Return by how many errors of its flux each neighbor changes the galaxy in the middle.

    The flux is that of a fit with the right shape which does not know of the neighbor.

    Parameters
    ----------
    images : (G, S, S) `~numpy.ndarray`
        Images of the galaxy in the middle and of its neighbors.
    weight : (S, S) `~numpy.ndarray`
        One over the noise.

    Returns
    -------
    (G - 1,) `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.groups import light_on_flux
    >>> images = np.array([np.full((2, 2), 5.0), np.eye(2)])
    >>> light_on_flux(images, np.ones((2, 2)))
    array([1.])
    """
    own = images[0] * weight
    norm = np.sqrt((own**2).sum())
    return (images[1:] * weight * own).sum(axis=(1, 2)) / max(norm, 1e-20)


def blend_fraction(images, labels, fwhm):
    """Return the light of neighbors over that of the galaxy, within its half-light ellipse.

    Parameters
    ----------
    images : (G, S, S) `~numpy.ndarray`
        Images of the galaxy in the middle and of its neighbors.
    labels : (K,) `~numpy.ndarray`
        Labels of the galaxy, and of others after it.
    fwhm : float
        FWHM of the PSF in pixels, half of which is added to the axes in quadrature.

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.groups import blend_fraction
    >>> images = np.array([np.ones((9, 9)), np.full((9, 9), 0.25)])
    >>> float(blend_fraction(images, np.array([2.0, 0.5, 1.0, 0.1, 0.0, 0.0, 0.0]), 2.0))
    0.25
    """
    inside = _ellipse(labels[:N_LABELS], fwhm, images.shape[-1])
    own = images[0][inside].sum()
    return images[1:, inside].sum() / max(own, 1e-20)


def _ellipse(labels, fwhm, size):
    """The pixels within the half-light ellipse behind the PSF, at least the one in its center."""
    _, log_r_eff, _, e1, e2, _, _ = labels
    center = (size - 1) / 2 + labels[CENTER]
    x = np.arange(size) - center[0]
    y = np.arange(size)[:, None] - center[1]
    angle = np.arctan2(e2, e1) / 2
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    major2 = 10 ** (2 * log_r_eff) + (fwhm / 2) ** 2
    minor2 = (10**log_r_eff * axis_ratio(length(e1, e2))) ** 2 + (fwhm / 2) ** 2
    return along**2 / major2 + across**2 / minor2 <= 1


def are_sharp(centers, data, weight, psf, *, device):
    """Return which sources are sharper than a star, such as cosmic rays.

    The brightest pixel is compared with the sum of the 3 x 3 pixels around it.

    Parameters
    ----------
    centers : (M, 2) `~numpy.ndarray`
        Positions (dx, dy) from the middle of the stamp.
    data, weight : (S, S) `~numpy.ndarray`
        The stamp.
    psf : `~sersicnet.model.PSFs`
        Its PSF.
    device : `~torch.device`
        Device that renders.

    Returns
    -------
    (M,) bool `~numpy.ndarray`
    """
    star = group_images(np.array([0.0, 0.5, 0.5]), ("point",), psf, 32, device=device)[0]
    share = star[16, 16] / star[15:18, 15:18].sum()
    middle = (data.shape[-1] - 1) / 2
    found = np.zeros(len(centers), dtype=bool)
    for number, (dx, dy) in enumerate(centers):
        x = round(middle + dx)
        y = round(middle + dy)
        near = data[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
        if not near.size:
            continue
        top, left = np.unravel_index(np.argmax(near), near.shape)
        y = max(y - 2, 0) + top
        x = max(x - 2, 0) + left
        whole = data[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].sum()
        excess = (data[y, x] - _SHARPER * share * whole) * weight[y, x]
        found[number] = excess > _SIGNIFICANT * np.sqrt(1 + 9 * (_SHARPER * share) ** 2)
    return found
