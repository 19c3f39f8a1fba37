"""Small PNG files of figures that show noise."""

from io import BytesIO

from PIL import Image

from sersicnet.io import atomic_path


def save_small_png(figure, path, *, dpi=100, colors=128):
    """Write a figure to a PNG file with few colors.

    Noise does not compress: 128 or 256 colors make the file four times smaller.

    Parameters
    ----------
    figure : `~matplotlib.figure.Figure`
        Figure to write.
    path : `~pathlib.Path`
        File to write.
    dpi : int
        Dots per inch.
    colors : int
        Number of colors, at most 256.
    """
    buffer = BytesIO()
    figure.savefig(buffer, dpi=dpi)
    image = Image.open(buffer).convert("RGB")
    image = image.quantize(colors, Image.Quantize.MAXCOVERAGE)
    with atomic_path(path) as partial:
        image.save(partial, optimize=True)
