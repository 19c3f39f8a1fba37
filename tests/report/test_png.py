"""Images as data URLs."""

import base64
from io import BytesIO

import numpy as np
from numpy.testing import assert_array_equal
from PIL import Image

from sersicnet.report.png import png_url


def opened(url):
    head, _, text = url.partition(",")
    assert head == "data:image/png;base64"
    return Image.open(BytesIO(base64.b64decode(text)))


def test_shades_of_gray():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert_array_equal(np.asarray(opened(png_url(pixels))), pixels)


def test_colors_of_a_palette():
    pixels = np.array([[0, 1], [1, 0]], dtype=np.uint8)
    picture = opened(png_url(pixels, palette=[255, 0, 0, 0, 0, 255])).convert("RGB")
    assert_array_equal(np.asarray(picture)[0], [[255, 0, 0], [0, 0, 255]])
