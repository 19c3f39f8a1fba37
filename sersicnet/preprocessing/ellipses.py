"""Ellipses in pixels and on the sky, where pixels are not square.

An ellipse is given by its semi-major axis, its axis ratio and the angle of its major axis in
pixels. A matrix ``stretch`` of determinant 1 or -1, times the pixel scale (square root of the area
of a pixel), turns steps in pixels into arcsec along east and north: the local Jacobian of the WCS.
"""

import numpy as np

from sersicnet.parameters import wrap_theta

__all__ = ["elongation", "in_pixels", "major_axis", "stretched", "unstretched"]

# Pixels are square if no side is longer on the sky than another by more than this.
TOLERANCE = 1e-4


def elongation(stretch):
    """Return the longest arcsec of a step by one pixel over the shortest, 1 of square pixels.

    Parameters
    ----------
    stretch : (..., 2, 2) `~numpy.ndarray`
        The matrix that turns pixels into the sky.

    Returns
    -------
    (...) `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.ellipses import elongation
    >>> print(elongation(np.diag([1.25, 0.8])))
    1.5625
    """
    half = (stretch**2).sum(axis=(-2, -1)) / 2
    return half + np.sqrt(np.maximum(half**2 - 1, 0))


def stretched(r_eff, q, theta, stretch):
    """Return half-light radius and axis ratio on the sky of an ellipse in pixels.

    Parameters
    ----------
    r_eff, q, theta : float or `~numpy.ndarray`
        Semi-major axis, axis ratio and angle of the major axis in degrees, in pixels.
    stretch : (..., 2, 2) `~numpy.ndarray`
        The matrix that turns pixels into the sky.

    Returns
    -------
    r_eff, q : float or `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.ellipses import stretched
    >>> r_eff, q = stretched(10.0, 0.5, 0.0, np.diag([1.25, 0.8]))
    >>> print(r_eff, q)
    12.5 0.32
    """
    along, across = ((step**2).sum(axis=-1) for step in _steps(theta, stretch))
    trace = along + across * q**2
    square = (trace + np.sqrt(np.maximum(trace**2 - 4 * q**2, 0))) / 2
    return r_eff * np.sqrt(square), q / square


def unstretched(r_eff, q, theta, stretch):
    """Return half-light radius and axis ratio in pixels of an ellipse on the sky.

    If two ellipses in pixels of this angle look alike on the sky, both nearly round, the flatter
    one is returned; if none does, the one that comes closest.

    Parameters
    ----------
    r_eff, q : float or `~numpy.ndarray`
        Semi-major axis and axis ratio on the sky.
    theta : float or `~numpy.ndarray`
        Angle of the major axis in pixels, in degrees.
    stretch : (..., 2, 2) `~numpy.ndarray`
        The matrix that turns pixels into the sky.

    Returns
    -------
    r_eff, q : float or `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.ellipses import unstretched
    >>> r_eff, q = unstretched(12.5, 0.32, 0.0, np.diag([1.25, 0.8]))
    >>> print(f"{r_eff:.3f} {q:.3f}")
    10.000 0.500
    """
    along, across = ((step**2).sum(axis=-1) for step in _steps(theta, stretch))
    trace = q + 1 / q
    root = np.sqrt(np.maximum(trace**2 - 4 * along * across, 0))
    in_pixels = np.minimum(2 * along / (trace + root), 1)
    return r_eff * np.sqrt(q / in_pixels), in_pixels


def in_pixels(r_eff, q, pa, stretch):
    """Return the ellipse in pixels of an ellipse on the sky, whose angle is known there.

    Parameters
    ----------
    r_eff, q : (N,) `~numpy.ndarray`
        Semi-major axis and axis ratio on the sky.
    pa : (N,) `~numpy.ndarray`
        Position angle of the major axis in degrees, north through east.
    stretch : (N, 2, 2) `~numpy.ndarray`
        The matrix that turns pixels into the sky.

    Returns
    -------
    r_eff, q, theta : (N,) `~numpy.ndarray`
        Semi-major axis in the unit of that on the sky, times the pixel scale; axis ratio; angle of
        the major axis in degrees, counter-clockwise from +x.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.ellipses import in_pixels
    >>> one = np.ones(1)
    >>> found = in_pixels(12.5 * one, 0.32 * one, 90 * one, np.diag([-1.25, 0.8])[None])
    >>> print(*(f"{value[0]:.2f}" for value in found))
    10.00 0.50 0.00
    """
    angle = np.radians(pa)
    along = np.stack([np.sin(angle), np.cos(angle)], axis=-1)  # east and north
    across = np.stack([np.cos(angle), -np.sin(angle)], axis=-1)
    axes = np.stack([along * r_eff[:, None], across * (r_eff * q)[:, None]], axis=-1)
    axes = np.linalg.solve(stretch, axes)
    values, vectors = np.linalg.eigh(axes @ np.swapaxes(axes, 1, 2))
    minor, major = np.sqrt(np.maximum(values, 0)).T
    theta = wrap_theta(np.degrees(np.arctan2(vectors[:, 1, 1], vectors[:, 0, 1])))
    return major, minor / major, theta


def major_axis(q, theta, stretch):
    """Return the angle in pixels of the line that is the major axis of the ellipse on the sky.

    Parameters
    ----------
    q, theta : float or `~numpy.ndarray`
        Axis ratio and angle of the major axis in degrees, in pixels.
    stretch : (..., 2, 2) `~numpy.ndarray`
        The matrix that turns pixels into the sky.

    Returns
    -------
    float or `~numpy.ndarray`
        Degrees, counter-clockwise from +x.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.ellipses import major_axis
    >>> print(major_axis(0.5, 0.0, np.diag([1.25, 0.8])))
    0.0
    """
    along, across = _steps(theta, stretch)
    covariance = along[..., 0] * along[..., 1] + q**2 * across[..., 0] * across[..., 1]
    difference = along[..., 0] ** 2 - along[..., 1] ** 2
    difference = difference + q**2 * (across[..., 0] ** 2 - across[..., 1] ** 2)
    angle = np.arctan2(2 * covariance, difference) / 2  # of the major axis, from east to north
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    x, y = np.moveaxis(np.linalg.solve(stretch, direction[..., None])[..., 0], -1, 0)
    return np.degrees(np.arctan2(y, x))


def _steps(theta, stretch):
    """Steps on the sky, (..., 2), that belong to 1 pixel along and across the major axis."""
    cos = np.cos(np.radians(theta))[..., None]
    sin = np.sin(np.radians(theta))[..., None]
    x = stretch[..., 0]
    y = stretch[..., 1]
    return x * cos + y * sin, y * cos - x * sin
