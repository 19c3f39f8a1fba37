"""Image, model and residual of each galaxy as one small PNG, for `sersicnet.report`."""

import base64
from io import BytesIO

import numpy as np
import torch
from astropy.nddata import NDData
from astropy.visualization import AsinhStretch
from bokeh.palettes import Magma256, RdBu11, interp_palette
from PIL import Image, ImageColor

from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF, stack_labels
from sersicnet.model.render import render_models
from sersicnet.parameters import PARAMETERS
from sersicnet.plotting.style import asinh_limits
from sersicnet.preprocessing.batches import open_cutouts, rows_of
from sersicnet.preprocessing.sources import measure_shape

SEVEN = tuple(PARAMETERS)
# Pixels of the cutout on a side that are shown of galaxies up to the radius, in pixels, and of
# larger ones, whose pixels are then averaged in blocks of 2 x 2.
_SMALL_SIDE, _SMALL_RADIUS, _SIDE = 64, 10.0, 128
# Where the residual's colors end, in sigma.
RESIDUAL_LIMIT = 5
# Colors of images, of residuals (an odd number: zero is white) and of masked pixels. Few make
# small files: an image uses each third, as its noise hides the steps, and its model all.
_IMAGE_COLORS, _IMAGE_STEP = interp_palette(Magma256, 64), 3
_RESIDUAL_COLORS = interp_palette(RdBu11, 15)
_BAD_COLOR = "#999999"
_PALETTE = [
    channel
    for color in (*_IMAGE_COLORS, *_RESIDUAL_COLORS, _BAD_COLOR)
    for channel in ImageColor.getrgb(color)
]
_BAD = len(_IMAGE_COLORS) + len(_RESIDUAL_COLORS)


def galaxy_pictures(values, cutouts, *, psf, psf_options, units):
    """Image, model and residual of each galaxy side by side.

    Parameters
    ----------
    values : dict of (N,) `~numpy.ndarray`
        Measured parameters, in the units of `~sersicnet.parameters.PARAMETERS`.
    cutouts : sequence of `~astropy.nddata.NDData` or None, or 3-D NDData or array
        What they were measured in; None where there is no cutout.
    psf, units
        As in `~sersicnet.inference.predict.predict`.
    psf_options : dict
        Of `~sersicnet.model.collect_psfs`.

    Returns
    -------
    list of str
        PNG files as data URLs, at most 192 x 64 pixels; empty without a usable pixel.

    Raises
    ------
    TypeError, ValueError
        As `~sersicnet.SersicNet.predict`, and if there are not N cutouts.
    """
    n_galaxies = len(next(iter(values.values())))
    if isinstance(cutouts, list | tuple):
        cutouts = [_no_cutout() if cutout is None else cutout for cutout in cutouts]
    batches = open_cutouts(cutouts, stamp_size=_SIDE, psf=psf, psf_options=psf_options, **units)
    if len(batches) != n_galaxies:
        msg = f"cutouts ({len(batches)}) must be as many as the rows of the catalog ({n_galaxies})"
        raise ValueError(msg)
    pictures = []
    for batch in batches:
        measured = {name: column[batch.rows] for name, column in values.items()}
        pictures += _batch_pictures(measured, batch)
    return pictures


def _no_cutout():
    """A cutout without any pixel to show."""
    return NDData(np.full((2, 2), np.nan), unit="nJy", meta={"PIXSCALE": 1.0})


def _batch_pictures(values, batch):
    stamps = batch.stamps
    psfs = batch.psfs
    labels = _labels(_complete(values, batch.cutouts), stamps.frame)
    labels[:, LOG_FLUX] += psfs.log_light
    known = np.isfinite(labels).all(axis=1) & (psfs.which >= 0)
    sides = np.where(10 ** labels[:, LOG_R_EFF] > _SMALL_RADIUS, _SIDE, _SMALL_SIDE)
    pictures = [""] * len(batch)
    for side in (_SMALL_SIDE, _SIDE):
        rows = np.flatnonzero(sides == side)
        inner = slice((_SIDE - side) // 2, (_SIDE + side) // 2)
        models = _models(labels, np.flatnonzero(known & (sides == side)), psfs, side)
        for row in rows:
            data, weight = (array[row, inner, inner] for array in (stamps.data, stamps.weight))
            if weight.any():
                shown = min(side, max(stamps.shapes[row]) // 2 * 2)
                panels = _panels(data, weight, models.get(row), shown, bins=side // _SMALL_SIDE)
                pictures[row] = _data_url(np.hstack(panels))
    return pictures


def _complete(values, cutouts):
    """With angle and center, where they were not measured, from moments of the images."""
    absent = {"theta", "x_0", "y_0"} - set(values)
    if not absent:
        return values
    n_galaxies = len(next(iter(values.values())))
    chosen = rows_of(cutouts, slice(None)) if isinstance(cutouts, list) else cutouts.data
    shapes = [measure_shape(cutout) for cutout in chosen]
    found = {name: np.array([shape[name] for shape in shapes]) for name in absent}
    unknown = {name: np.full(n_galaxies, np.nan) for name in SEVEN}
    return unknown | values | found


def _labels(values, frame):
    """Labels of the universal network, (N, 7)."""
    return stack_labels(frame.to_labels(values, SEVEN))


def _models(labels, rows, psfs, side):
    """Model images by row."""
    chunks = render_models(labels, rows, psfs, side, device=torch.device("cpu"))
    return {
        row: image
        for part, _, images in chunks
        for row, image in zip(part, images.numpy(), strict=True)
    }


def _panels(data, weight, model, shown, *, bins):
    """Image, model and residual as places in the palette."""
    data = np.where(weight > 0, data, np.nan)
    model = np.full_like(data, np.nan) if model is None else model
    residual = np.where(weight > 0, (data - model) * weight, np.nan)
    images = [_middle_blocks(image, shown, bins) for image in (data, model, residual)]
    lower, upper, linear = asinh_limits(images[0], 1.0)
    stretch = AsinhStretch(linear)
    shades = [stretch((image - lower) / (upper - lower), clip=True) for image in images[:2]]
    # the mean of k x k pixels has a k-th of their noise
    shades.append((bins * images[2] / RESIDUAL_LIMIT + 1) / 2)
    last, first = len(_IMAGE_COLORS) - 1, len(_IMAGE_COLORS)
    places = [
        _places(shades[0], 0, last, step=_IMAGE_STEP),
        _places(shades[1], 0, last),
        _places(shades[2], first, first + len(_RESIDUAL_COLORS) - 1),
    ]
    return [image[::-1] for image in places]  # PNG begins at the top


def _middle_blocks(image, side, bins):
    """The middle of an image, averaged over blocks; NaN where one of their pixels is."""
    edge = (len(image) - side) // 2
    image = image[edge : len(image) - edge, edge : len(image) - edge]
    blocks = side // bins
    image = image[: blocks * bins, : blocks * bins]
    return image.reshape(blocks, bins, blocks, bins).mean(axis=(1, 3))


def _places(shades, first, last, *, step=1):
    """Numbers from 0 to 1 as places in the palette, from ``first`` to ``last``."""
    steps = np.rint(np.clip(np.nan_to_num(shades), 0, 1) * (last - first) / step)
    return np.where(np.isfinite(shades), first + step * steps, _BAD).astype(np.uint8)


def _data_url(places):
    picture = Image.fromarray(places)
    picture.putpalette(_PALETTE)
    file = BytesIO()
    picture.save(file, "png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
