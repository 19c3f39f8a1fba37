"""Three bands as red, green and blue."""

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from helpers.drawn import flat

from sersicnet.plotting.colors import rgb_panels

BANDS = ("i", "r", "g")
GRAY = [153, 153, 153]


def test_brighter_pixels_are_not_darker():
    values = np.linspace(-3, 300, 400)[None, :]
    noise = StdDevUncertainty(np.ones(values.shape))
    image = CCDData(values, unit="adu", uncertainty=noise)
    (picture,) = rgb_panels(dict.fromkeys("a", image) | {"b": image, "c": image})
    shades = picture[0, :, 0].astype(int)
    assert (np.diff(shades) >= 0).all()
    assert shades[0] == 0
    assert shades[-1] == 255


def test_a_band_that_is_brighter_gives_its_color():
    (picture,) = rgb_panels({"i": flat(30), "r": flat(10), "g": flat(3)})
    red, green, blue = picture[0, 0].astype(int)
    assert red > green > blue


def test_bands_are_in_units_of_their_noise():
    one = rgb_panels({"i": flat(9), "r": flat(8), "g": flat(7)})[0]
    other = rgb_panels({"i": flat(9, noise=50), "r": flat(8, noise=0.01), "g": flat(7)})[0]
    np.testing.assert_array_equal(one, other)


def test_residuals_are_gray_where_the_model_is_right():
    cutouts = {"i": flat(10), "r": flat(10), "g": flat(10)}
    models = {"i": np.full((4, 5), 10.0), "r": np.full((4, 5), 8.0), "g": np.full((4, 5), 99.0)}
    residual = rgb_panels(cutouts, models)[2]
    np.testing.assert_array_equal(residual[0, 0], [128, 178, 0])


def test_bad_pixels_are_gray():
    mask = np.zeros((4, 5), dtype=bool)
    mask[1, 2] = True
    cutouts = {"i": flat(10, mask=mask), "r": flat(10), "g": flat(10)}
    cutouts["g"].data[0, 0] = np.nan
    image, model, residual = rgb_panels(cutouts, dict.fromkeys(BANDS, np.zeros((4, 5))))
    for picture in (image, residual):
        assert picture[1, 2].tolist() == picture[0, 0].tolist() == GRAY
    assert model[1, 2].tolist() != GRAY


def test_a_band_without_good_pixels():
    cutouts = {"i": flat(np.nan), "r": flat(10), "g": flat(10)}
    assert (rgb_panels(cutouts)[0] == GRAY).all()
