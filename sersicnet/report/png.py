"""Images as PNG files within the text of the page."""

import base64
from io import BytesIO

from PIL import Image

__all__ = ["png_url"]


def png_url(pixels, *, palette=None, n_colors=None):
    """Write an image as the data URL of a PNG file.

    Parameters
    ----------
    pixels : 2-D uint8 `~numpy.ndarray`
        Shades of gray, or places in the palette; the first row is the upper one. An array of
        (ny, nx, 3) has red, green and blue.
    palette : list of int, optional
        Red, green and blue of each color.
    n_colors : int, optional
        Number of colors that are left of those of the pixels.

    Returns
    -------
    str
    """
    picture = Image.fromarray(pixels)
    if palette is not None:
        picture.putpalette(palette)
    if n_colors is not None:
        picture = picture.quantize(n_colors)
    file = BytesIO()
    picture.save(file, "png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
