"""Image, model and residual of each galaxy as one small PNG."""

import numpy as np
import torch
from astropy.nddata import NDData, block_reduce
from astropy.visualization import AsinhStretch
from bokeh.palettes import Magma256, RdBu11, interp_palette
from PIL import ImageColor

from sersicnet.model.labels import LOG_R_EFF, part_slices, shifted, stack_labels
from sersicnet.model.render import render_models
from sersicnet.parameters import PARAMETERS
from sersicnet.plotting.style import RESIDUAL_LIMIT, asinh_limits
from sersicnet.preprocessing.batches import open_cutouts
from sersicnet.preprocessing.inputs import warn_of_width
from sersicnet.preprocessing.sources import measure_shape
from sersicnet.report.parts import part_labels
from sersicnet.report.png import png_url
from sersicnet.report.profiles import profile_url

SEVEN = tuple(PARAMETERS)
# Pixels on a side of the cutout that are shown of small galaxies, up to a half-light radius in
# pixels, and of larger ones, whose pixels are averaged in blocks of 2 x 2.
_SMALL_SIDE = 64
_SMALL_RADIUS = 10.0
_SIDE = 128
# Colors of images, of residuals (an odd number: zero is white) and of masked pixels. Few colors
# make small files: an image uses every third, since its noise hides the steps, and its model all.
_IMAGE_COLORS = interp_palette(Magma256, 64)
_IMAGE_STEP = 3
_RESIDUAL_COLORS = interp_palette(RdBu11, 15)
_BAD_COLOR = "#999999"
_PALETTE = [
    channel
    for color in (*_IMAGE_COLORS, *_RESIDUAL_COLORS, _BAD_COLOR)
    for channel in ImageColor.getrgb(color)
]
_BAD = len(_IMAGE_COLORS) + len(_RESIDUAL_COLORS)
# Stands for a cutout that there is not.
_EMPTY = NDData(np.full((2, 2), np.nan), unit="nJy", meta={"PIXSCALE": 1.0})


def galaxy_pictures(
    values, cutouts, *, psf, psf_options, units, parts=(), sky=None, inputs=None, meta=None
):
    """Draw image, model and residual of each galaxy side by side.

    Parameters
    ----------
    values : dict of (N,) `~numpy.ndarray`
        Measured parameters, in the units of `~sersicnet.parameters.PARAMETERS`; with ``r_eff_pix``
        and ``q_pix``, if they are known.
    cutouts : sequence of `~astropy.nddata.NDData` or None, or 3-D NDData or array
        Cutouts in which the galaxies were measured; None where there is no cutout.
    psf, units
        PSFs and units of the cutouts, as in `~sersicnet.inference.predict.predict`.
    psf_options : dict
        Options of `~sersicnet.model.collect_psfs`.
    parts : tuple of (str, str), optional
        Name and profile of each part of the galaxies, of which ``values`` has the columns.
    sky : (N,) `~numpy.ndarray`, optional
        Sky that was fitted with each galaxy, in the unit of its cutout; by default 0.
    inputs : `~sersicnet.preprocessing.inputs.Inputs`, optional
        What is known of the cutouts that were measured, and their PSFs.
    meta : dict, optional
        The ``meta`` of the catalog, which knows the width of the PSF.

    Returns
    -------
    list of str
        PNG files as data URLs, at most 192 x 64 pixels; empty for a cutout without good pixels. Of
        galaxies of several parts with a second URL behind a blank, an SVG file of their profile.

    Raises
    ------
    TypeError, ValueError
        For the same reasons as in `~sersicnet.SersicNet.predict`, and if there are not N
        cutouts, or one is not the one that was measured.
    """
    n_galaxies = len(next(iter(values.values())))
    if isinstance(cutouts, list | tuple):
        cutouts = [_EMPTY if cutout is None else cutout for cutout in cutouts]
    if psf is None and inputs is not None and any(stamp is not None for stamp in inputs.psfs):
        psf = list(inputs.psfs)
    batches = open_cutouts(cutouts, stamp_size=_SIDE, psf=psf, psf_options=psf_options, **units)
    if len(batches) != n_galaxies:
        msg = f"cutouts ({len(batches)}) must be as many as the rows of the catalog ({n_galaxies})"
        raise ValueError(msg)
    if meta is not None:
        warn_of_width(meta, batches.psfs, batches.psf_options, stacklevel=3)
    if inputs is not None:
        _check_measured(inputs, batches.cutouts)
    if sky is None:
        sky = np.zeros(n_galaxies)
    pictures = []
    for batch in batches:
        measured = {name: column[batch.rows] for name, column in values.items()}
        pictures += _batch_pictures(measured, batch, sky[batch.rows], parts)
    return pictures


def _check_measured(inputs, cutouts):
    """Raise ValueError unless cutouts with pixels are those that were measured."""
    if isinstance(cutouts, NDData):
        cutouts = list(cutouts.data)
    for row, cutout in enumerate(cutouts):
        if cutout is not _EMPTY and not inputs.hold(row, cutout):
            msg = f"cutouts[{row}] is not the one that was measured: its pixels differ"
            raise ValueError(msg)


def _batch_pictures(values, batch, sky, parts):
    """Return the pictures of the galaxies of a batch."""
    stamps = batch.stamps
    sky = sky / stamps.frame.noise_level
    psfs = batch.psfs
    profiles = ("sersic",)
    if parts:
        profiles = tuple(profile for _, profile in parts)
        labels, size = part_labels(values, parts, stamps.frame)
    else:
        values = stamps.frame.in_pixels(_complete(values, batch.cutouts))
        with np.errstate(divide="ignore"):  # a size is 0 where a point source has half of the light
            labels = stack_labels(stamps.frame.to_labels(values, SEVEN))
        size = labels[:, LOG_R_EFF]
    labels = shifted(labels, profiles, log_flux=psfs.log_light, center=0.0)
    known = np.isfinite(labels).all(axis=1) & (psfs.which >= 0)
    sides = np.where(10**size > _SMALL_RADIUS, _SIDE, _SMALL_SIDE)
    pictures = [""] * len(batch)
    for side in (_SMALL_SIDE, _SIDE):
        rows = np.flatnonzero(sides == side)
        inner = slice((_SIDE - side) // 2, (_SIDE + side) // 2)
        models = {}
        usable = np.flatnonzero(known & (sides == side))
        options = {"device": torch.device("cpu"), "profiles": profiles}
        for part, _, images in render_models(labels, usable, psfs, side, **options):
            images = images.numpy() + sky[part, None, None]
            models.update(zip(part, images, strict=True))
        for row in rows:
            data = stamps.data[row, inner, inner]
            weight = stamps.weight[row, inner, inner]
            if weight.any():
                shown = min(side, max(stamps.shapes[row]) // 2 * 2)
                panels = _panels(data, weight, models.get(row), shown, bins=side // _SMALL_SIDE)
                pictures[row] = png_url(np.hstack(panels), palette=_PALETTE)
    if len(parts) > 1:
        pictures = _with_profiles(pictures, values, batch, labels, sky, parts)
    return pictures


def _with_profiles(pictures, values, batch, labels, sky, parts):
    """Return pictures with profiles of galaxies of several parts behind them."""
    stamps = batch.stamps
    images = [{} for _ in pictures]
    usable = np.flatnonzero(np.isfinite(labels).all(axis=1) & (batch.psfs.which >= 0))
    profiles = tuple(profile for _, profile in parts)
    cpu = torch.device("cpu")
    for (name, profile), place in zip(parts, part_slices(profiles), strict=True):
        own = labels[:, place]
        options = {"device": cpu, "profiles": (profile,)}
        for rows, _, drawn in render_models(own, usable, batch.psfs, _SIDE, **options):
            for row, image in zip(rows, drawn.numpy(), strict=True):
                images[row][name] = image
    shape = stamps.frame.in_pixels(values)
    found = list(pictures)
    for row in usable:
        if not pictures[row]:
            continue
        frame = stamps.frame[[row]]
        weight = stamps.weight[row]
        data = np.where(weight > 0, stamps.data[row] - sky[row], np.nan)
        residual = (data - sum(images[row].values())) * weight
        middle = (_SIDE - 1) / 2
        x = middle + (values["x_0"][row] - frame.x_middle[0]) / frame.bins[0]
        y = middle + (values["y_0"][row] - frame.y_middle[0]) / frame.bins[0]
        ellipse = (x, y), shape["q"][row], np.radians(values["theta"][row])
        if not np.isfinite(ellipse[1:]).all():
            ellipse = (x, y), 1.0, 0.0
        zeropoint = frame.zeropoint[0] - 2.5 * np.log10(frame.noise_level[0])
        units = zeropoint, frame.pixel_scale[0] * frame.bins[0]
        url = profile_url(data, residual, images[row], ellipse, units)
        found[row] = f"{pictures[row]} {url}".rstrip()
    return found


def _complete(values, cutouts):
    """Add angle and center, where they were not measured, from moments of the images."""
    absent = {"theta", "x_0", "y_0"} - set(values)
    if not absent:
        return values
    n_galaxies = len(next(iter(values.values())))
    if not isinstance(cutouts, list):
        cutouts = cutouts.data
    shapes = [measure_shape(cutout) for cutout in cutouts]
    found = {name: np.array([shape[name] for shape in shapes]) for name in absent}
    unknown = {name: np.full(n_galaxies, np.nan) for name in SEVEN}
    return unknown | values | found


def _panels(data, weight, model, shown, *, bins):
    """Convert image, model and residual to places in the palette."""
    data = np.where(weight > 0, data, np.nan)
    if model is None:
        model = np.full_like(data, np.nan)
    residual = np.where(weight > 0, (data - model) * weight, np.nan)
    edge = (len(data) - shown) // 2
    middle = slice(edge, len(data) - edge)
    images = []
    for image in (data, model, residual):
        # the mean of a block is NaN where one of its pixels is
        images.append(block_reduce(image[middle, middle], bins, func=np.mean))
    lower, upper, linear = asinh_limits(images[0], 1.0)
    stretch = AsinhStretch(linear)
    shades = [stretch((image - lower) / (upper - lower), clip=True) for image in images[:2]]
    # the mean of k x k pixels has a k-th of their noise
    shades.append((bins * images[2] / RESIDUAL_LIMIT + 1) / 2)
    last = len(_IMAGE_COLORS) - 1
    first = len(_IMAGE_COLORS)
    places = [
        _places(shades[0], 0, last, step=_IMAGE_STEP),
        _places(shades[1], 0, last),
        _places(shades[2], first, first + len(_RESIDUAL_COLORS) - 1),
    ]
    return [image[::-1] for image in places]  # PNG begins at the top


def panels_url(data, weight, model):
    """Draw an image in units of its noise, its model and the residual side by side.

    Parameters
    ----------
    data, model : (K, K) `~numpy.ndarray`
        Image and model.
    weight : (K, K) `~numpy.ndarray`
        0 where pixels are bad, else 1.

    Returns
    -------
    str
        A PNG file as a data URL.
    """
    panels = _panels(data, weight, model, len(data), bins=1)
    return png_url(np.hstack(panels), palette=_PALETTE)


def _places(shades, first, last, *, step=1):
    """Convert numbers from 0 to 1 to places in the palette, from ``first`` to ``last``."""
    steps = np.rint(np.clip(np.nan_to_num(shades), 0, 1) * (last - first) / step)
    return np.where(np.isfinite(shades), first + step * steps, _BAD).astype(np.uint8)
