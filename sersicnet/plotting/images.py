"""Cutouts as pictures: pixels, noise, stretch and text, for `sersicnet.plotting`."""

import matplotlib as mpl
import numpy as np
from astropy.nddata import NDData
from astropy.stats import mad_std
from astropy.visualization import AsinhStretch, ImageNormalize

from sersicnet.diagnostics.columns import as_table
from sersicnet.diagnostics.scores import parameter_values
from sersicnet.plotting.style import asinh_limits
from sersicnet.preprocessing.noise import has_noise, noise_map

# How the mosaic writes a parameter.
_LABELS = {
    "mag": "$m$ {:.2f}",
    "r_eff": r"$R_\mathrm{{e}}$ {:.2f}″",
    "n": "$n$ {:.1f}",
    "q": "$q$ {:.2f}",
}
BAD_COLOR = "0.6"


def as_list(images, argument):
    """Images as a list, one or more."""
    single = isinstance(images, NDData) or (isinstance(images, np.ndarray) and images.ndim == 2)
    images = [images] if single else list(images)
    if not images:
        msg = f"{argument} must be one or more images, not an empty list"
        raise ValueError(msg)
    return images


def as_labels(labels, n):
    """One text for each image."""
    if labels is None:
        return [""] * n
    if hasattr(labels, "keys"):
        labels = _truth_labels(as_table(labels, "labels"))
    else:
        labels = [str(label) for label in labels]
    if len(labels) != n:
        msg = f"labels ({len(labels)}) must be as many as the cutouts ({n})"
        raise ValueError(msg)
    return labels


def _truth_labels(table):
    """The parameters of each galaxy in two lines."""
    names = [name for name in _LABELS if name in table.colnames]
    columns = [parameter_values(table, name) for name in names]
    labels = []
    for values in zip(*columns, strict=True):
        texts = [_LABELS[name].format(value) for name, value in zip(names, values, strict=True)]
        labels.append("\n".join("  ".join(texts[i : i + 2]) for i in range(0, len(texts), 2)))
    return labels


def pixels_of(image):
    """Pixels as floats, NaN where they are masked."""
    mask = getattr(image, "mask", None)
    data = np.array(getattr(image, "data", image) if isinstance(image, NDData) else image, float)
    if data.ndim != 2:
        msg = f"an image has shape {data.shape} and must be 2-D"
        raise ValueError(msg)
    return data if mask is None else np.where(mask, np.nan, data)


def _noise_map(image):
    """Standard deviation of each pixel, or None where there is no uncertainty to take it from."""
    return noise_map(image) if isinstance(image, NDData) and has_noise(image) else None


def _noise_level(pixels, noise):
    """One number: the median of the noise map, else the robust scatter of the pixels."""
    if noise is not None:
        noise = noise[np.isfinite(noise) & (noise > 0)]
        if noise.size:
            return np.median(noise)
    pixels = pixels[np.isfinite(pixels)]
    return mad_std(pixels) if pixels.size else 0


def image_norm(image):
    """An asinh stretch that is linear within the noise."""
    pixels = pixels_of(image)
    noise = _noise_level(pixels, _noise_map(image))
    lower, upper, linear = asinh_limits(pixels, noise)
    return ImageNormalize(vmin=lower, vmax=upper, stretch=AsinhStretch(linear))


def residual(image, model):
    """(image - model) / noise, NaN where it is not defined."""
    difference, noise = pixels_of(image) - pixels_of(model), _noise_map(image)
    if noise is None:
        noise = _noise_level(difference, None)
    with np.errstate(all="ignore"):
        return np.where(noise > 0, difference / noise, np.nan)


def show_image(ax, image, norm, *, colors="magma"):
    """An image without ticks, north as it comes and bad pixels gray."""
    shown = ax.imshow(
        np.ma.masked_invalid(pixels_of(image)),
        origin="lower",
        interpolation="nearest",
        norm=norm,
        cmap=mpl.colormaps[colors].with_extremes(bad=BAD_COLOR),
    )
    ax.set(xticks=[], yticks=[])
    return shown
