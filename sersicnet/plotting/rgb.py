"""Pictures in color, of three bands."""

import numpy as np
from astropy.visualization import ManualInterval, make_lupton_rgb
from matplotlib.colors import to_rgb

from sersicnet.plotting.axes import canvas, grid
from sersicnet.plotting.images import noise_level, pixels_of, residual
from sersicnet.plotting.style import BAD_COLOR, RESIDUAL_LIMIT
from sersicnet.preprocessing.alignment import carried
from sersicnet.preprocessing.images import as_image
from sersicnet.preprocessing.pixels import celestial

__all__ = ["plot_rgb"]

# Noise below which a pixel is black.
_DARK = -1.0
# Pixels by which the places of cutouts may differ: bands are often off by a part of a pixel.
_SAME = 0.5


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
    chosen = _chosen(cutouts, bands, index)
    shown = rgb_panels(chosen, _models(models, chosen, index), stretch=stretch, softening=softening)
    figure = canvas(figure, ax, (2.9 * len(shown), 3.1), layout="constrained")
    axes = grid(figure, len(shown), 1, len(shown))
    titles = [", ".join(chosen), "model", "residual"]
    for place, title, picture in zip(axes, titles, shown, strict=False):
        place.imshow(picture, origin="lower", interpolation="nearest")
        place.set(xticks=[], yticks=[])
        place.set_title(title, fontsize=10)
    return axes


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
    picture[bad] = np.rint(255 * np.array(to_rgb(BAD_COLOR)))
    return picture


def _chosen(cutouts, bands, index):
    """Return the cutouts of three bands, whose pixels are the same."""
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
