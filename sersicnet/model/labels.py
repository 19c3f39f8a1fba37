"""Labels: the numbers that describe a galaxy in a stamp, their places and their conversions.

A network, a fit and a rendered image all describe a galaxy by the seven numbers of `LABELS`, which
are the last axis of every array of labels. Their places have names here, and nothing else counts
columns.

============== ==========================================================================
label          meaning
============== ==========================================================================
``log_flux``   Decimal logarithm of the flux, in units of the noise level of the stamp.
``log_r_eff``  Decimal logarithm of the half-light radius along the major axis, in pixels.
``n``          Sersic index.
``e1, e2``     Components of the ellipticity (1 - q) / (1 + q) along cos and sin of twice the
               angle of the major axis, which is counter-clockwise from +x.
``dx, dy``     Center, in pixels from the middle of the stamp.
============== ==========================================================================

All functions take numpy arrays and torch tensors alike. The module imports neither astropy nor
torch.
"""

from typing import NamedTuple

import numpy as np

from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = [
    "CENTER",
    "DX",
    "DY",
    "E1",
    "E2",
    "ELLIPTICITY",
    "LABELS",
    "LOG_FLUX",
    "LOG_R_EFF",
    "N_LABELS",
    "PROFILE_LABELS",
    "SERSIC_N",
    "Labels",
    "angle",
    "axis_ratio",
    "components",
    "ellipticity",
    "length",
    "part_slices",
    "shifted",
    "split_labels",
    "stack_labels",
]


class Labels(NamedTuple):
    """The columns of an array of labels, by their names.

    Attributes
    ----------
    log_flux, log_r_eff, n, e1, e2, dx, dy : array
        One column each, in the order of `LABELS`.
    """

    log_flux: np.ndarray
    log_r_eff: np.ndarray
    n: np.ndarray
    e1: np.ndarray
    e2: np.ndarray
    dx: np.ndarray
    dy: np.ndarray


LABELS = Labels._fields
N_LABELS = len(LABELS)

LOG_FLUX = LABELS.index("log_flux")
LOG_R_EFF = LABELS.index("log_r_eff")
SERSIC_N = LABELS.index("n")
E1 = LABELS.index("e1")
E2 = LABELS.index("e2")
DX = LABELS.index("dx")
DY = LABELS.index("dy")

# Labels of each profile: galaxies, point sources, and galaxies of which the index is known.
PROFILE_LABELS = {"sersic": LABELS, "point": ("log_flux", "dx", "dy"), "known index": LABELS}
for _name, _known in PROFILE_SHAPES.items():
    PROFILE_LABELS[_name] = ("log_flux", "log_r_eff", *_known.names, "e1", "e2", "dx", "dy")

ELLIPTICITY = slice(E1, E2 + 1)
CENTER = slice(DX, DY + 1)

# Softens the length of a vector of zeros, whose gradient would be NaN.
_TINY = 1e-18


def split_labels(labels):
    """Return the columns of an array of labels.

    Parameters
    ----------
    labels : (..., 7) `~numpy.ndarray` or `~torch.Tensor`
        Labels, in the order of `LABELS`.

    Returns
    -------
    Labels
        Views of shape (...), by name.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.labels import split_labels
    >>> columns = split_labels(np.array([[2.0, 0.5, 4.0, 0.1, 0.0, 0.2, -0.3]]))
    >>> columns.n
    array([4.])
    """
    if _is_tensor(labels):
        return Labels(*labels.unbind(-1))
    return Labels(*np.moveaxis(labels, -1, 0))


def stack_labels(columns, *, names=LABELS, axis=-1):
    """Join columns into an array of labels, the inverse of `split_labels`.

    Parameters
    ----------
    columns : dict of (...) `~numpy.ndarray` or `~torch.Tensor`
        Values by the names of labels; other keys do not matter.
    names : tuple of str
        Names of the columns to join, in this order.
    axis : int
        Axis of the labels in the result.

    Returns
    -------
    (..., L) `~numpy.ndarray` or `~torch.Tensor`
        Labels, (..., 7) by default.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.labels import LABELS, stack_labels
    >>> stack_labels({name: np.zeros(3) for name in LABELS}).shape
    (3, 7)
    """
    ordered = [columns[name] for name in names]
    if _is_tensor(ordered[0]):
        import torch

        return torch.stack(ordered, dim=axis)
    return np.stack(ordered, axis=axis)


def part_slices(profiles):
    """Return the places of the labels of each part.

    Parameters
    ----------
    profiles : tuple of str
        Profiles of the parts, out of ``PROFILE_LABELS``.

    Returns
    -------
    list of slice

    Examples
    --------
    >>> from sersicnet.model.labels import part_slices
    >>> part_slices(("point", "sersic"))
    [slice(0, 3, None), slice(3, 10, None)]
    """
    slices = []
    start = 0
    for name in profiles:
        end = start + len(PROFILE_LABELS[name])
        slices.append(slice(start, end))
        start = end
    return slices


def shifted(labels, profiles, *, log_flux, center):
    """Return labels with another flux and center.

    Parameters
    ----------
    labels : (..., K) `~numpy.ndarray`
        Labels of all parts.
    profiles : tuple of str
        Profiles of the parts.
    log_flux : (...) array_like
        What is added to the logarithms of fluxes.
    center : (..., 2) array_like
        What is added to centers.

    Returns
    -------
    (..., K) `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.labels import shifted
    >>> shifted(np.zeros((1, 3)), ("point",), log_flux=1.0, center=[2.0, 3.0])
    array([[1., 2., 3.]])
    """
    moved = labels.copy()
    for name, place in zip(profiles, part_slices(profiles), strict=True):
        first = place.start
        names = PROFILE_LABELS[name]
        moved[..., first + names.index("log_flux")] += log_flux
        start = first + names.index("dx")
        moved[..., start : start + 2] += center
    return moved


def ellipticity(q):
    """Return the ellipticity (1 - q) / (1 + q) of an axis ratio.

    Parameters
    ----------
    q : float, `~numpy.ndarray` or `~torch.Tensor`
        Axis ratio b/a.

    Returns
    -------
    float, `~numpy.ndarray` or `~torch.Tensor`

    Examples
    --------
    >>> from sersicnet.model.labels import ellipticity
    >>> ellipticity(0.5)
    0.3333333333333333
    """
    return (1 - q) / (1 + q)


def axis_ratio(size):
    """Return the axis ratio b/a of an ellipticity, the inverse of `ellipticity`.

    Parameters
    ----------
    size : float, `~numpy.ndarray` or `~torch.Tensor`
        Ellipticity (1 - q) / (1 + q), the length of (e1, e2).

    Returns
    -------
    float, `~numpy.ndarray` or `~torch.Tensor`

    Examples
    --------
    >>> from sersicnet.model.labels import axis_ratio
    >>> axis_ratio(0.25)
    0.6
    """
    return (1 - size) / (1 + size)


def components(q, theta):
    """Return the components (e1, e2) of the ellipticity.

    Parameters
    ----------
    q : float, `~numpy.ndarray` or `~torch.Tensor`
        Axis ratio b/a.
    theta : float, `~numpy.ndarray` or `~torch.Tensor`
        Angle of the major axis, counter-clockwise from +x, in radians.

    Returns
    -------
    e1, e2 : float, `~numpy.ndarray` or `~torch.Tensor`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.labels import components
    >>> np.round(components(0.5, np.pi / 2), 3)
    array([-0.333,  0.   ])
    """
    size = ellipticity(q)
    if _is_tensor(theta):
        return size * (2 * theta).cos(), size * (2 * theta).sin()
    return size * np.cos(2 * theta), size * np.sin(2 * theta)


def length(x, y):
    """Return the length of vectors, such as (e1, e2); its gradient is zero at the origin.

    The gradient of `torch.hypot` is NaN there: the length of tensors is softened by 1e-9.

    Parameters
    ----------
    x, y : float, `~numpy.ndarray` or `~torch.Tensor`
        Components of the vectors.

    Returns
    -------
    float, `~numpy.ndarray` or `~torch.Tensor`

    Examples
    --------
    >>> from sersicnet.model.labels import length
    >>> float(length(0.3, 0.4))
    0.5
    """
    if _is_tensor(x):
        return (x**2 + y**2 + _TINY).sqrt()
    return np.hypot(x, y)


def angle(e1, e2):
    """Return the angle of the major axis, counter-clockwise from +x.

    Parameters
    ----------
    e1, e2 : float, `~numpy.ndarray` or `~torch.Tensor`
        Components of the ellipticity.

    Returns
    -------
    float, `~numpy.ndarray` or `~torch.Tensor`
        Radians, from -pi / 2 to pi / 2.

    Examples
    --------
    >>> from sersicnet.model.labels import angle
    >>> float(angle(0.3, 0.0))
    0.0
    """
    if _is_tensor(e1):
        return 0.5 * e2.atan2(e1)
    return 0.5 * np.arctan2(e2, e1)


def _is_tensor(values):
    """Whether values are a torch tensor; this does not import torch."""
    return hasattr(values, "unbind")
