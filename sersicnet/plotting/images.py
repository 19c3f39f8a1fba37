"""Figures of cutouts, models and residuals."""

import matplotlib as mpl
import numpy as np
from astropy.nddata import NDData
from astropy.visualization import AsinhStretch, ImageNormalize

from sersicnet.diagnostics.columns import as_table
from sersicnet.diagnostics.scores import parameter_values
from sersicnet.plotting.axes import canvas, grid
from sersicnet.plotting.pixels import noise_level, pixels_of, residual
from sersicnet.plotting.style import (
    BAD_COLOR,
    IMAGE_COLORS,
    RESIDUAL_COLORS,
    RESIDUAL_LIMIT,
    asinh_limits,
)

__all__ = ["plot_mosaic", "plot_residuals"]

# How a parameter is written above an image.
_LABELS = {
    "mag": r"$m_\mathrm{{AB}}$ {:.2f}",
    "r_eff": r"$R_\mathrm{{e}}$ {:.2f}″",
    "n": "$n$ {:.1f}",
    "q": "$q$ {:.2f}",
}


def plot_mosaic(cutouts, *, labels=None, n_columns=8, figure=None, ax=None):
    """Plot galaxies side by side, each with its own asinh stretch.

    The stretch runs from the 2nd percentile of the pixels to their 99.8th, and is linear
    within the noise. Masked and bad pixels are gray.

    Parameters
    ----------
    cutouts : sequence of `~astropy.nddata.NDData` or 2-D array
        The images.
    labels : sequence of str or table, optional
        A text for each image. Of a table with columns of parameters, such as the truth,
        magnitude, half-light radius, Sérsic index and axis ratio are written.
    n_columns : int, optional
        Number of images in a row.
    figure : `~matplotlib.figure.Figure` or subfigure, optional
        Figure to draw on.
    ax : `~matplotlib.axes.Axes`, optional
        Axes of ``figure.subplots()`` that the images replace, instead of ``figure``.

    Returns
    -------
    list of `~matplotlib.axes.Axes`
        One per cutout.

    Raises
    ------
    ValueError
        If there are no cutouts, ``n_columns`` is not positive, the number of labels is not that
        of the cutouts, or ``ax`` does not have a place in a grid or comes with a ``figure``.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.plotting import plot_mosaic
    >>> images = np.random.default_rng(1).normal(size=(3, 16, 16))
    >>> axes = plot_mosaic(images, labels=["a", "b", "c"])
    >>> len(axes)
    3
    """
    cutouts = _as_list(cutouts, "cutouts")
    labels = _as_labels(labels, len(cutouts))
    if n_columns < 1:
        msg = f"n_columns={n_columns} must be 1 or more"
        raise ValueError(msg)
    n_columns = min(n_columns, len(cutouts))
    n_rows = -(-len(cutouts) // n_columns)
    n_lines = max((label.count("\n") + 1 for label in labels if label), default=0)
    size = (1.45 * n_columns, (1.45 + 0.17 * n_lines) * n_rows)
    figure = canvas(figure, ax, size, layout="constrained")
    axes = grid(figure, len(cutouts), n_rows, n_columns)
    for place, cutout, label in zip(axes, cutouts, labels, strict=True):
        _show_image(place, cutout, _image_norm(cutout))
        place.set_title(label, fontsize=8, pad=3)
    return axes


def plot_residuals(cutouts, models, *, labels=None, figure=None, ax=None):
    """Plot image, model and residual of each galaxy, one galaxy per row.

    Image and model have the same asinh stretch. The residual is (image - model) / noise,
    from -5 to 5 sigma; the noise is the cutout's uncertainty, or the
    robust scatter of the residual where there is none.

    Parameters
    ----------
    cutouts : sequence of `~astropy.nddata.NDData` or 2-D array
        The images.
    models : sequence of `~astropy.nddata.NDData` or 2-D array, or `~sersicnet.SersicResults`
        A model image for each cutout, in the unit of the cutout; of results, those that
        `~sersicnet.SersicResults.model_image` draws, with the PSFs and the fitted sky.
    labels, figure, ax
        Texts, and where to draw, as in `plot_mosaic`; the label is to the left of the row.

    Returns
    -------
    (N, 3) `~numpy.ndarray` of `~matplotlib.axes.Axes`
        Image, model and residual of each galaxy.

    Raises
    ------
    ValueError
        If there are no cutouts, the number of models or labels is not that of the cutouts, a
        model has another shape than its cutout, or ``ax`` is wrong as in `plot_mosaic`.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.plotting import plot_residuals
    >>> image = np.random.default_rng(1).normal(size=(16, 16))
    >>> axes = plot_residuals([image], [np.zeros((16, 16))])
    >>> axes.shape
    (1, 3)
    """
    cutouts = _as_list(cutouts, "cutouts")
    labels = _as_labels(labels, len(cutouts))
    if not hasattr(models, "model_image"):
        models = _as_list(models, "models")
    elif len(models) == len(cutouts):
        models = [models.model_image(i, cutout) for i, cutout in enumerate(cutouts)]
    shapes = [pixels_of(cutout).shape for cutout in cutouts]
    if len(models) != len(cutouts) or [pixels_of(model).shape for model in models] != shapes:
        msg = f"models ({len(models)}) must have the number and shapes of cutouts ({len(cutouts)})"
        raise ValueError(msg)
    figure = canvas(figure, ax, (6.6, 1.62 * len(cutouts) + 0.3), layout="constrained")
    axes = figure.subplots(len(cutouts), 3, squeeze=False)
    residual_norm = mpl.colors.Normalize(-RESIDUAL_LIMIT, RESIDUAL_LIMIT)
    for row, cutout, model, label in zip(axes, cutouts, models, labels, strict=True):
        norm = _image_norm(cutout)
        _show_image(row[0], cutout, norm)
        _show_image(row[1], model, norm)
        shown = _show_image(row[2], residual(cutout, model), residual_norm, colors=RESIDUAL_COLORS)
        row[0].set_ylabel(label, fontsize=8, rotation=0, ha="right", va="center")
    for place, title in zip(axes[0], ("image", "model", "residual"), strict=True):
        place.set_title(title, fontsize=10)
    bar = figure.colorbar(shown, ax=axes[:, 2], extend="both", aspect=30, pad=0.03)
    bar.set_label(r"(image $-$ model) / noise [$\sigma$]", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return axes


def _as_list(images, argument):
    """Make a list of one or more images."""
    if isinstance(images, NDData):
        return [images]
    if isinstance(images, np.ndarray) and images.ndim == 2:
        return [images]
    images = list(images)
    if not images:
        msg = f"{argument} must be one or more images, not an empty list"
        raise ValueError(msg)
    return images


def _as_labels(labels, n):
    """Make a list of one text for each of ``n`` images."""
    if labels is None:
        return [""] * n
    if hasattr(labels, "keys"):
        table = as_table(labels, "labels")
        names = [name for name in _LABELS if name in table.colnames]
        columns = [parameter_values(table, name) for name in names]
        labels = []
        for values in zip(*columns, strict=True):
            texts = [_LABELS[name].format(value) for name, value in zip(names, values, strict=True)]
            lines = ["  ".join(texts[:2]), "  ".join(texts[2:])]
            labels.append("\n".join(line for line in lines if line))
    else:
        labels = [str(label) for label in labels]
    if len(labels) != n:
        msg = f"labels ({len(labels)}) must be as many as the cutouts ({n})"
        raise ValueError(msg)
    return labels


def _image_norm(image):
    """Make an asinh stretch that is linear within the noise."""
    lower, upper, linear = asinh_limits(pixels_of(image), noise_level(image))
    return ImageNormalize(vmin=lower, vmax=upper, stretch=AsinhStretch(linear))


def _show_image(ax, image, norm, *, colors=IMAGE_COLORS):
    """Draw an image without ticks, its first row at the bottom and bad pixels gray."""
    shown = ax.imshow(
        np.ma.masked_invalid(pixels_of(image)),
        origin="lower",
        interpolation="nearest",
        norm=norm,
        cmap=mpl.colormaps[colors].with_extremes(bad=BAD_COLOR),
    )
    ax.set(xticks=[], yticks=[])
    return shown
