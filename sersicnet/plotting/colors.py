"""Three bands as red, green and blue; without matplotlib."""

import numpy as np
from astropy.visualization import ManualInterval, make_lupton_rgb

from sersicnet.plotting.pixels import noise_level, pixels_of, residual
from sersicnet.plotting.style import BAD_COLOR, RESIDUAL_LIMIT
from sersicnet.preprocessing.alignment import carried
from sersicnet.preprocessing.images import as_image
from sersicnet.preprocessing.pixels import celestial

__all__ = []

# Noise below which a pixel is black.
_DARK = -1.0
# Pixels by which the places of cutouts may differ: bands are often off by a part of a pixel.
_SAME = 0.5


def rgb_panels(cutouts, models=None, *, stretch=8.0, softening=6.0):
    """Draw image, model and residual in color.

    Parameters
    ----------
    cutouts : dict of `~astropy.nddata.NDData`
        Cutouts of the bands that are red, green and blue, on the same pixels.
    models : dict of (ny, nx) `~numpy.ndarray`, optional
        Model images of the same bands.
    stretch, softening : float, optional
        As in `plot_rgb`.

    Returns
    -------
    list of (ny, nx, 3) uint8 `~numpy.ndarray`
        One picture, or three with ``models``.

    Raises
    ------
    ValueError
        If ``stretch`` or ``softening`` is not positive.
    """
    for name, value in (("stretch", stretch), ("softening", softening)):
        if not value > 0:
            msg = f"{name}={value} must be positive"
            raise ValueError(msg)
    pixels = {band: pixels_of(cutout) for band, cutout in cutouts.items()}
    levels = {band: noise_level(cutout) or 1.0 for band, cutout in cutouts.items()}
    bad = ~np.isfinite(list(pixels.values())).all(axis=0)
    options = {"stretch": stretch, "Q": softening, "interval": ManualInterval(vmin=_DARK)}
    scaled = [np.nan_to_num(pixels[band] / levels[band]) for band in cutouts]
    shown = [_without(bad, make_lupton_rgb(*scaled, **options))]
    if models is None:
        return shown
    scaled = [models[band] / levels[band] for band in cutouts]
    shown.append(make_lupton_rgb(*scaled, **options))
    left = [residual(cutouts[band], models[band]) for band in cutouts]
    gray = 0.5 + np.stack(left, axis=2) / (2 * RESIDUAL_LIMIT)
    bad = ~np.isfinite(gray).all(axis=2)
    gray = np.rint(255 * np.clip(np.nan_to_num(gray), 0, 1)).astype(np.uint8)
    return [*shown, _without(bad, gray)]


def _without(bad, picture):
    """Make bad pixels of a picture gray."""
    picture[bad] = round(255 * float(BAD_COLOR))
    return picture


def of_three_bands(cutouts, bands, index):
    """Find the cutouts of one galaxy in three bands, of the same pixels.

    Parameters
    ----------
    cutouts, bands, index
        As in `~sersicnet.plotting.plot_rgb`.

    Returns
    -------
    dict of `~astropy.nddata.NDData`
        Those that are red, green and blue.

    Raises
    ------
    TypeError, ValueError
        As in `~sersicnet.plotting.plot_rgb`.
    """
    if not isinstance(cutouts, dict):
        msg = f"cutouts must be a dict with the cutouts of each band, not {type(cutouts).__name__}"
        raise TypeError(msg)
    names = list(cutouts)
    if bands is None and len(names) >= 3:
        bands = names[-1], names[len(names) // 2], names[0]
    if bands is None or len(set(bands)) != 3 or len(bands) != 3 or not set(bands) <= set(names):
        found = "cutouts of" if bands is None else f"bands={bands!r} out of"
        msg = f"{found} {', '.join(names) or 'no band'}: a picture in color needs three bands"
        raise ValueError(msg)
    chosen = {}
    for band in bands:
        cutout = cutouts[band]
        if isinstance(cutout, list | tuple):
            cutout = cutout[index]
        if cutout is None:
            msg = f"cutouts[{band!r}] has no cutout of galaxy {index}"
            raise ValueError(msg)
        chosen[band] = as_image(cutout, f"cutouts[{band!r}]")
    _check_pixels(chosen)
    return chosen


def _check_pixels(cutouts):
    """Raise ValueError unless cutouts have the same shape, and the same place on the sky."""
    first, *others = cutouts
    shape = cutouts[first].data.shape
    wcs = celestial(cutouts[first].wcs)
    needed = "a picture in color needs the same pixels in all bands, as nothing is resampled"
    x = np.array([0.0, shape[1] - 1.0, 0.0])
    y = np.array([0.0, 0.0, shape[0] - 1.0])
    for band in others:
        own = cutouts[band].data.shape
        if own != shape:
            msg = f"cutouts of {first} and {band} have shapes {shape} and {own}: {needed}"
            raise ValueError(msg)
        there = celestial(cutouts[band].wcs)
        if wcs is None or there is None:
            continue
        _, places = carried(wcs, there, x, y)
        away = np.abs(places - np.stack([x, y], axis=1)).max()
        if not away <= _SAME:
            msg = f"pixels of {first} and {band} are {away:.3g} pixels apart by WCS: {needed}"
            raise ValueError(msg)
