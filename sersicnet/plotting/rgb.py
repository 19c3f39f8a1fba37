"""Pictures in color, of three bands."""

import numpy as np

from sersicnet.plotting.axes import canvas, grid
from sersicnet.plotting.colors import of_three_bands, rgb_panels
from sersicnet.plotting.pixels import pixels_of

__all__ = ["plot_rgb"]


def plot_rgb(
    cutouts, models=None, *, bands=None, index=0, stretch=8.0, softening=6.0, figure=None, ax=None
):
    """Plot a galaxy in color, from its cutouts in three bands.

    Each band is divided by its noise (the median of the noise map, or the robust scatter of the
    pixels), so that no band is mostly noise: hues differ from those of a picture in units of flux.
    With models, these follow with the same scale, and the residuals, (image - model) / noise of
    each band from -5 to 5 sigma, gray where the model is right. Pixels that are bad in one
    of the bands are gray.

    Parameters
    ----------
    cutouts : dict
        Cutout of each band, `~astropy.nddata.NDData` or 2-D array, or a list of cutouts as in
        `~sersicnet.SersicNet.predict`. Nothing is resampled: the three must have the same pixels.
    models : dict or `~sersicnet.inference.band_results.BandResults`, optional
        Model image in each band, with its sky; or the results, which draw them.
    bands : (str, str, str), optional
        Bands that are red, green and blue, by default the last, the middle and the first of
        ``cutouts``: give bands in the order of their wavelength.
    index : int, optional
        Row of the galaxy in lists of cutouts, and in the results.
    stretch, softening : float, optional
        The linear stretch, in units of the noise, and ``Q`` of
        `~astropy.visualization.make_lupton_rgb`.
    figure : `~matplotlib.figure.Figure` or subfigure, optional
        Figure to draw on.
    ax : `~matplotlib.axes.Axes`, optional
        Axes of ``figure.subplots()`` that the pictures replace, instead of ``figure``.

    Returns
    -------
    list of `~matplotlib.axes.Axes`
        Image; with ``models`` also model and residual.

    Raises
    ------
    ValueError
        If there are not three bands, one has no cutout or no model, or their pixels differ; or if
        ``stretch`` or ``softening`` is not positive.
    TypeError
        If ``cutouts`` is not a dict.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.plotting import plot_rgb
    >>> images = np.random.default_rng(1).normal(size=(3, 16, 16))
    >>> axes = plot_rgb(dict(zip("gri", images)))
    >>> axes[0].get_title()
    'i, r, g'
    """
    chosen = of_three_bands(cutouts, bands, index)
    shown = rgb_panels(chosen, _models(models, chosen, index), stretch=stretch, softening=softening)
    figure = canvas(figure, ax, (2.9 * len(shown), 3.1), layout="constrained")
    axes = grid(figure, len(shown), 1, len(shown))
    titles = [", ".join(chosen), "model", "residual"]
    for place, title, picture in zip(axes, titles, shown, strict=False):
        place.imshow(picture, origin="lower", interpolation="nearest")
        place.set(xticks=[], yticks=[])
        place.set_title(title, fontsize=10)
    return axes


def _models(models, cutouts, index):
    """Return model images of bands, which results draw."""
    if models is None:
        return None
    if hasattr(models, "model_image"):
        return {
            band: models.model_image(index, cutout, band=band) for band, cutout in cutouts.items()
        }
    found = {}
    for band, cutout in cutouts.items():
        shape = cutout.data.shape
        model = models.get(band)
        if model is None or np.shape(model) != shape:
            came = "is missing" if model is None else f"has shape {np.shape(model)}"
            msg = f"models[{band!r}] {came}: an image of shape {shape} is needed"
            raise ValueError(msg)
        found[band] = pixels_of(model)
    return found
