"""Maps of the galaxies of an image: in its pixels, as ellipses, and on the sky."""

import numpy as np
from bokeh.models import HoverTool

from sersicnet.report.figures import make_figure, scatter
from sersicnet.report.png import png_url

__all__ = ["field_map", "shades_of", "sky_map"]

_HEIGHT = 640
# Signal in units of the noise of a pixel from which on the image behind the ellipses is black.
_BRIGHTEST = 300.0


def field_map(source, view, *, image=None, n_pixels=None):
    """Draw the galaxies of an image as ellipses, colored by their flags.

    Parameters
    ----------
    source : `~bokeh.models.ColumnDataSource`
        All galaxies, with the columns of `~sersicnet.report.ellipses.map_columns`.
    view : `~bokeh.models.CDSView`
        Selection of the galaxies that are shown.
    image : 2-D `~numpy.ndarray`, optional
        Small image of the field behind them, in units of its noise.
    n_pixels : (int, int), optional
        Rows and columns of the whole image.

    Returns
    -------
    figure
        A click on an ellipse opens the galaxy.
    """
    options = {"match_aspect": True, "height": _HEIGHT}
    plot = make_figure(x_label="x (pixel)", y_label="y (pixel)", **options)
    plot.grid.grid_line_color = None
    if image is not None:
        # a file, which a browser reads faster than an array, and only when the map is seen
        plot.image_url(
            [png_url(shades_of(image)[::-1])],
            x=-0.5,
            y=-0.5,
            w=n_pixels[1],
            h=n_pixels[0],
            anchor="bottom_left",
            level="underlay",
        )
    ellipses = plot.ellipse(
        x="_x",
        y="_y",
        width="_width",
        height="_height",
        angle="_angle",
        source=source,
        view=view,
        line_color="_color",
        line_width=1.5,
        fill_color="_color",
        fill_alpha=0.05,
    )
    ellipses.nonselection_glyph = None
    ellipses.selection_glyph = ellipses.glyph.clone(line_width=4, line_color="black")
    plot.add_tools(HoverTool(renderers=[ellipses], tooltips=[("", "@id"), ("flags", "@flags")]))
    return plot


def sky_map(source, view):
    """Draw the positions on the sky, east to the left."""
    plot = scatter(source, view, "ra", "dec", height=_HEIGHT)
    low = plot.x_range.start
    plot.x_range.start = plot.x_range.end
    plot.x_range.end = low
    return plot


def shades_of(image):
    """Convert an image to shades of gray for the background of a map.

    Parameters
    ----------
    image : 2-D array_like
        The image, its sky subtracted, in units of the noise of a pixel.

    Returns
    -------
    uint8 `~numpy.ndarray`
        Bright is dark.
    """
    shades = np.arcsinh(np.clip(np.nan_to_num(image), 0, _BRIGHTEST)) / np.arcsinh(_BRIGHTEST)
    return np.rint(255 * (1 - shades)).astype(np.uint8)
