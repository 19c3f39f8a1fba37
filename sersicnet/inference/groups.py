"""Groups of sources that share light, by friends-of-friends on a table.

What a source has of the light of another is predicted from their Sersic profiles alone, widened by
the PSF: the mean surface brightness of the other over the light of the source. The light that it
adds within the noise-equivalent area of the source is the change of a flux that is fitted without
it.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from scipy.special import gammaln

from sersicnet.model.labels import CENTER, E1, E2, axis_ratio, length, split_labels

__all__ = ["LEAST_LIGHT", "Groups", "find_groups", "predicted_light"]

# Errors of its flux by which a friend of a source changes it.
LEAST_LIGHT = 0.25

# Largest distance of sources that share light, in pixels.
_REACH = 128.0
# Noise-equivalent area of a galaxy over the square of its half-light radius: 9.1 of a Gaussian, 8.9
# of an exponential profile. That of the PSF over the square of its FWHM.
_AREA = 9.0
_PSF_AREA = 2.27
# Index of a profile that is all PSF.
_PSF_N = 1.0
# Points of a source at which the light of another is computed: on these ellipses, in units of the
# half-light ellipse, of which two are within it, and at this number of angles.
_RINGS = (0.35, 0.8, 1.3, 2.4)
_N_INSIDE = 2
_N_ANGLES = 6
# Pairs of sources at a time.
_CHUNK = 100_000
# Light and share of it, as `predicted_light` returns them, that need not be computed: most sources
# of a crowded image that are within the largest distance are too far away for more.
_NO_LIGHT = 0.01
_NO_SHARE = 1e-5
# Least light that is kept.
_LEAST_KEPT = 0.02


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of N sources.

    Attributes
    ----------
    brightest : (N,) int `~numpy.ndarray`
        Row of the brightest source of the group of each.
    size : (N,) int `~numpy.ndarray`
        Number of sources of this group.
    blend_fraction : (N,) `~numpy.ndarray`
        Light of all others within the half-light ellipse of a source, over its own.
    light : (N, N) `~scipy.sparse.csr_array`
        Change of the flux of a source (row) by another (column) that a fit does not know of, in
        units of its error; 0 where it is below 0.02.
    """

    brightest: np.ndarray
    size: np.ndarray
    blend_fraction: np.ndarray
    light: csr_array


def find_groups(labels, fwhm, *, links=None):
    """Find the groups of the sources of an image.

    Two sources are friends if one changes the flux of the other by a quarter of its error.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Labels as in `~sersicnet.model.LABELS`, with fluxes in units of the noise of a pixel at the
        source, and centers in pixels of the image.
    fwhm : float
        FWHM of the PSF in pixels.
    links : (L, 2) int array_like, optional
        Rows of sources that are friends as well, whatever their light.

    Returns
    -------
    Groups
        A source with NaN is alone.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.groups import find_groups
    >>> labels = np.array([[2.5, 0.5, 1.0, 0.1, 0.0, x, 20.0] for x in (20.0, 32.0, 300.0)])
    >>> labels[1, 0] = 3.0
    >>> groups = find_groups(labels, 3.0)
    >>> groups.brightest.tolist(), groups.size.tolist()
    ([1, 1, 2], [2, 2, 1])
    """
    n = len(labels)
    known = np.flatnonzero(np.isfinite(labels).all(axis=1))
    fraction = np.full(n, np.nan)
    fraction[known] = 0.0
    found = [(np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros(0))]
    for one, other in _pairs(labels[known][:, CENTER]):
        near = _may_share(labels[known[one]], labels[known[other]], fwhm)
        one = known[one[near]]
        other = known[other[near]]
        light, share = predicted_light(labels[one], labels[other], fwhm)
        np.add.at(fraction, one, share)
        kept = light > _LEAST_KEPT
        found.append((one[kept], other[kept], light[kept]))
    one, other, light = (np.concatenate(parts) for parts in zip(*found, strict=True))
    shared = csr_array((light, (one, other)), shape=(n, n))
    friends = [np.stack([one, other], axis=1)[light > LEAST_LIGHT]]
    if links is not None:
        friends.append(np.reshape(links, (-1, 2)))
    rows, columns = np.concatenate(friends).T
    graph = csr_array((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    _, group = connected_components(graph, directed=False)
    order = np.lexsort((-np.nan_to_num(labels[:, 0], nan=-np.inf), group))
    _, first, size = np.unique(group[order], return_index=True, return_counts=True)
    return Groups(order[first][group], size[group], fraction, shared)


def _pairs(centers):
    """Yield numbers of sources and of others near them, each pair in both orders, in parts."""
    if len(centers) < 2:
        return
    tree = cKDTree(centers)
    counts = tree.query_ball_point(centers, _REACH, return_length=True)
    parts = np.cumsum(counts) // _CHUNK
    for number in np.unique(parts):
        rows = np.flatnonzero(parts == number)
        near = tree.query_ball_point(centers[rows], _REACH)
        one = np.repeat(rows, counts[rows])
        other = np.concatenate(near).astype(int)
        apart = one != other
        yield one[apart], other[apart]


def predicted_light(labels, others, fwhm):
    """Predict the light of other sources in some sources.

    Parameters
    ----------
    labels, others : (M, 7) `~numpy.ndarray`
        Labels of M sources and of another for each, as in `find_groups`.
    fwhm : float
        FWHM of the PSF in pixels.

    Returns
    -------
    light : (M,) `~numpy.ndarray`
        Change of the flux of each source, fitted without the other, in units of its error.
    share : (M,) `~numpy.ndarray`
        Light of the other within its half-light ellipse, over its own.
    """
    own = split_labels(labels)
    size2 = 10 ** (2 * own.log_r_eff)
    q = axis_ratio(length(own.e1, own.e2))
    psf2 = (fwhm / 2) ** 2
    major = np.sqrt(size2 + psf2)
    minor = np.sqrt(q**2 * size2 + psf2)
    away = labels[:, CENTER] - others[:, CENTER]
    turn = np.arctan2(own.e2, own.e1) / 2
    rings = []
    for ring in _RINGS:
        total = np.zeros(len(labels))
        for angle in 2 * np.pi * np.arange(_N_ANGLES) / _N_ANGLES:
            along = ring * major * np.cos(angle)
            across = ring * minor * np.sin(angle)
            dx = along * np.cos(turn) - across * np.sin(turn)
            dy = along * np.sin(turn) + across * np.cos(turn)
            total += _brightness(others, away + np.stack([dx, dy], axis=1), psf2)
        rings.append(total / _N_ANGLES)
    light = np.mean(rings, axis=0) * np.sqrt(_AREA * q * size2 + _PSF_AREA * fwhm**2)
    inside = np.mean(rings[:_N_INSIDE], axis=0) * np.pi * major * minor
    return light, inside / (0.5 * 10**own.log_flux)


def _may_share(labels, others, fwhm):
    """Return whether sources may have light of others, (M,) bool, from an upper limit of it.

    The other one is as bright all over as at the nearest point, along its major axis.
    """
    own = split_labels(labels)
    psf2 = (fwhm / 2) ** 2
    major = np.sqrt(10 ** (2 * own.log_r_eff) + psf2)
    distance = np.hypot(*(labels[:, CENTER] - others[:, CENTER]).T)
    nearest = np.maximum(distance - _RINGS[-1] * major, 0)
    turn = np.arctan2(others[:, E2], others[:, E1]) / 2
    away = nearest[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    most = _brightness(others, away, psf2)
    share = 2 * np.pi * most * major**2 / 10**own.log_flux
    light = most * np.sqrt(1.01 * _AREA) * major
    return ~((light <= _NO_LIGHT) & (share <= _NO_SHARE))  # also where the PSF is not known


def _brightness(labels, away, smooth2):
    """Surface brightness of sources at some distances (dx, dy), with a squared radius added."""
    columns = split_labels(labels)
    size2 = 10 ** (2 * columns.log_r_eff)
    q = axis_ratio(length(columns.e1, columns.e2))
    angle = np.arctan2(columns.e2, columns.e1) / 2
    along = away[:, 0] * np.cos(angle) + away[:, 1] * np.sin(angle)
    across = away[:, 1] * np.cos(angle) - away[:, 0] * np.sin(angle)
    major2 = size2 + smooth2
    minor2 = q**2 * size2 + smooth2
    radius = np.sqrt(along**2 / major2 + across**2 / minor2)
    n = (columns.n * size2 + _PSF_N * smooth2) / major2
    b = 2 * n - 1 / 3 + 0.01 / n  # Ciotti & Bertin 1999
    log_norm = 2 * n * np.log(b) - np.log(2 * np.pi * n) - gammaln(2 * n)
    profile = np.exp(log_norm - b * radius ** (1 / n))
    return 10**columns.log_flux * profile / np.sqrt(major2 * minor2)
