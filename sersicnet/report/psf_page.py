"""A page about a PSF that was made from the stars of an image."""

from html import escape
from pathlib import Path

import numpy as np
from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Div, HoverTool, Range1d, Span
from bokeh.resources import INLINE
from bokeh.transform import linear_cmap

from sersicnet._words import counted
from sersicnet.io.files import atomic_path, check_folder
from sersicnet.plotting.style import BLUE
from sersicnet.report.figures import grid, make_figure
from sersicnet.report.pictures import panels_url

__all__ = ["write_psf_page"]

# Stars with pictures, the brightest ones, and height of a picture.
_N_PICTURES = 40
_HEIGHT = 96
_PALETTE = "Viridis256"
_NOTE = (
    "Star, PSF and residual of the {n} brightest: one color of the residuals is a third of the "
    "noise of a pixel wide, gray pixels are masked. The light of a star is that within 2 pixels, "
    "over that of the PSF, minus 1."
)


def write_psf_page(path, stars, *, shape, width, words, title="Point spread function"):
    """Write a page of the stars of an image, the PSF, residuals, and FWHM over the image.

    Parameters
    ----------
    path : path
        The HTML file, which is replaced if it exists.
    stars : dict
        Arrays, one entry per star: ``x`` and ``y`` (pixels), ``snr``, ``fwhm`` (pixels), ``light``,
        ``light_err``, ``chi2``, and (N, K, K) ``data`` and ``model`` in units of the noise, NaN
        where pixels are bad.
    shape : (int, int)
        Shape of the image.
    width : 2-D `~numpy.ndarray`
        FWHM of the PSF in pixels on a grid over the image.
    words : str
        What was found, in words.
    title : str, optional
        Title of the page.

    Returns
    -------
    `~pathlib.Path`

    Raises
    ------
    OSError
        If it cannot be written.

    Examples
    --------
    >>> from sersicnet.report import write_psf_page
    >>> write_psf_page("psf.html", stars, shape=image.shape, width=fwhm, words="")  # doctest: +SKIP
    """
    path = Path(path)
    check_folder(path)
    columns = {name: values for name, values in stars.items() if np.ndim(values) == 1}
    source = ColumnDataSource(columns)
    figures = [
        [_map(source, shape, width, columns["fwhm"]), _width(shape, width)],
        [_along_snr(source, "light", "light within 2 pixels over that of the PSF, minus 1", 0.0)],
        [_along_snr(source, "chi2", "chi2 per degree of freedom", 1.0)],
    ]
    head = f"<h1 style='font-size:22px;margin:0'>{escape(title)}</h1><p>{escape(words)}</p>"
    brightest = np.argsort(-np.asarray(stars["snr"]))[:_N_PICTURES]
    note = _NOTE.format(n=counted(len(brightest), "star").removesuffix(" stars"))
    pictures = [_picture(stars, row) for row in brightest]
    parts = [Div(text=head), grid(figures), Div(text=note), Div(text="".join(pictures))]
    for part in parts:
        part.sizing_mode = "stretch_width"
    document = Document()
    document.add_root(column(*parts, sizing_mode="stretch_width"))
    html = file_html(document, INLINE, title)
    with atomic_path(path) as partial:
        partial.write_text(html, encoding="utf-8")
    return path


def _picture(stars, row):
    """Star, model and residual with a line of text, as HTML."""
    data = stars["data"][row]
    weight = np.isfinite(data).astype(float)
    url = panels_url(np.nan_to_num(data), weight, stars["model"][row])
    text = (
        f"({stars['x'][row]:.0f}, {stars['y'][row]:.0f}) S/N {stars['snr'][row]:.0f}, light "
        f"{100 * stars['light'][row]:+.1f} %, chi2 {stars['chi2'][row]:.2f}"
    )
    image = f"<img src='{url}' height='{_HEIGHT}' style='image-rendering:pixelated'>"
    style = "display:inline-block;margin:4px;font-size:11px"
    return f"<figure style='{style}'>{image}<figcaption>{text}</figcaption></figure>"


def _colors(width, fwhm=()):
    """The lowest and the highest FWHM, at least 2 % apart."""
    values = np.append(np.ravel(width), fwhm)
    low, high = np.percentile(values, [2, 98])
    margin = max(0.01 * np.median(values) - 0.5 * (high - low), 0.0)
    return low - margin, high + margin


def _map(source, shape, width, fwhm):
    """Draw the stars where they are, with their FWHM as colors."""
    options = {"match_aspect": True, "height": 420, "title": "FWHM of the stars (pixels)"}
    plot = make_figure(x_label="x (pixel)", y_label="y (pixel)", **options)
    plot.x_range = Range1d(0, shape[1])
    plot.y_range = Range1d(0, shape[0])
    low, high = _colors(width, fwhm)
    color = linear_cmap("fwhm", _PALETTE, low, high)
    points = plot.scatter("x", "y", source=source, size=10, color=color, line_color="black")
    plot.add_layout(points.construct_color_bar(width=8), "right")
    tips = [("FWHM", "@fwhm{0.00}"), ("S/N", "@snr{0}"), ("light", "@light{0.000}")]
    plot.add_tools(HoverTool(renderers=[points], tooltips=tips))
    return plot


def _width(shape, width):
    """Draw the FWHM of the PSF over the image."""
    options = {"match_aspect": True, "height": 420, "title": "FWHM of the PSF (pixels)"}
    plot = make_figure(x_label="x (pixel)", y_label="y (pixel)", **options)
    low, high = _colors(width)
    mapper = linear_cmap("value", _PALETTE, low, high)["transform"]
    image = plot.image([width], x=0, y=0, dw=shape[1], dh=shape[0], color_mapper=mapper)
    plot.add_layout(image.construct_color_bar(width=8), "right")
    return plot


def _along_snr(source, name, label, expected):
    """Draw a property of the stars against their S/N."""
    plot = make_figure(x_label="S/N", y_label=label, x_axis_type="log")
    plot.scatter("snr", name, source=source, size=6, color=BLUE)
    plot.add_layout(Span(location=expected, dimension="width", line_color="#444444"))
    return plot
