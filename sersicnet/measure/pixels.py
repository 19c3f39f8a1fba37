"""Size and shape of the pixels of a survey image, wherever a source is."""

import numpy as np

from sersicnet.preprocessing.ellipses import elongation
from sersicnet.preprocessing.pixels import find_pixels, local_pixels
from sersicnet.preprocessing.units import per_cutout

__all__ = ["has_one_pixel_scale", "pixels_at"]

# Places along x and y at which the pixels of an image are compared, and the relative difference
# up to which they are alike.
_N_PLACES = 5
_ONE_SCALE = 1e-3


def pixels_at(field, x, y, pixel_scale):
    """Find size and shape of pixels.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    x, y : (N,) `~numpy.ndarray`
        Positions in 0-based pixels.
    pixel_scale : float, `~astropy.units.Quantity` or None
        Given arcsec per pixel; None for those of the image, wherever the positions are.

    Returns
    -------
    pixel_scale : (N,) `~numpy.ndarray`
        Arcsec per pixel.
    stretch : (N, 2, 2) `~numpy.ndarray`
        As in `~sersicnet.preprocessing.StampFrame`.
    """
    scale, stretch = local_pixels(field.wcs, x, y)
    if pixel_scale is not None:
        scale[:] = per_cutout(pixel_scale, 1, "pixel_scale")
    elif not np.isfinite(scale).all():
        scale[~np.isfinite(scale)] = find_pixels(field, None, "image")[0]
    return scale, stretch


def has_one_pixel_scale(field, pixel_scale):
    """Decide whether one scale describes all pixels of an image, in all directions.

    Parameters
    ----------
    field, pixel_scale
        As for `pixels_at`.

    Returns
    -------
    bool

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.field import open_field
    >>> from sersicnet.measure.pixels import has_one_pixel_scale
    >>> with open_field(np.zeros((50, 60))) as field:
    ...     has_one_pixel_scale(field, 0.1)
    True
    """
    ny, nx = field.data.shape
    y, x = np.meshgrid(np.linspace(0, ny - 1, _N_PLACES), np.linspace(0, nx - 1, _N_PLACES))
    scale, stretch = pixels_at(field, x.ravel(), y.ravel(), pixel_scale)
    longest = np.max(scale * np.sqrt(elongation(stretch)))
    shortest = np.min(scale / np.sqrt(elongation(stretch)))
    return bool(longest < (1 + _ONE_SCALE) * shortest)
