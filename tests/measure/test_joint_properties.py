"""Properties of groups of sources: tiles do not matter, nor do sources of one pixel to others."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.fields import NOISE, ZEROPOINT, make_field, render
from helpers.measured import value
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from sersicnet.flags import Flags
from sersicnet.measure.image import measure_image

OPTIONS = {"refine": "lm", "background_box": None}
SHAPE = (150, 150)
# A pair across the border of the first two tiles, and a galaxy that is alone.
TRUTH = {"x_0": [60.3, 71.2, 115.0], "y_0": [100.1, 103.4, 40.0], "flux": [9e3, 5e3, 7e3]}
TRUTH |= {"r_eff": [3.5, 2.5, 3.0], "n": [1.2, 1.0, 1.0], "q": [0.7, 0.9, 0.8]}
TRUTH |= {"theta": [30.0, 0.0, 10.0]}


def draw_field(rows=slice(None)):
    truth = {name: np.array(values)[rows] for name, values in TRUTH.items()}
    image = render(truth, SHAPE)
    field = make_field(image, mask=None)
    field.data = image + NOISE * np.random.default_rng(8).normal(size=SHAPE)
    return field


def test_a_group_across_a_border_of_tiles_is_what_it_is_inside_of_one(net):
    field = draw_field()
    inside = measure_image(field, net=net, tile_size=150, **OPTIONS)
    across = measure_image(field, net=net, tile_size=66, **OPTIONS)
    assert sorted(inside["group_size"]) == [1, 2, 2]
    for name in ("id", "group_id", "group_size", "flags"):
        assert_array_equal(across[name], inside[name])
    for name in ("mag", "mag_err", "r_eff", "n", "q", "theta", "x_0", "blend_fraction"):
        assert_allclose(value(across[name]), value(inside[name]), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore:4 of 5 sources are UNRESOLVED")
def test_a_group_of_sources_of_one_pixel_each(net):
    """Each of them has a flag that says that it was not measured, and the galaxy stays as it is."""
    segments = np.zeros(SHAPE, dtype=int)
    segments[34:47, 108:123] = 9
    field = draw_field([2])
    alone = measure_image(field, net=net, segmentation=segments, **OPTIONS)
    for number, (y, x) in enumerate(((110, 20), (110, 21), (111, 20), (111, 21)), start=1):
        segments[y, x] = number
        field.data[y, x] += 300 * NOISE
    table = measure_image(field, net=net, segmentation=segments, **OPTIONS)
    doubts = int(Flags.CENTER_MASKED | Flags.NOT_REFINED | Flags.NO_DATA | Flags.LOW_SNR)
    assert (table["flags"][:4] & doubts != 0).all()
    for name in ("mag", "r_eff", "n", "q"):
        away = value(table[name])[4] - value(alone[name])[0]
        assert np.abs(away) < 0.1 * value(alone[f"{name}_err"])[0]


def test_errors_of_pairs_in_correlated_noise(net):
    """They are what they are quoted to be: nine pairs, three FWHM of the PSF apart."""
    rng = np.random.default_rng(5)
    middle = 40.0 + 80.0 * np.indices((3, 3)).reshape(2, -1)
    angle = rng.uniform(0, 2 * np.pi, 9)
    away = 4.5 * np.array([np.cos(angle), np.sin(angle)])
    x, y = np.concatenate([middle - away, middle + away], axis=1)
    truth = {"x_0": x, "y_0": y, "flux": 10 ** rng.uniform(3.6, 4.0, 18)}
    truth |= {"r_eff": rng.uniform(2.0, 3.5, 18), "n": rng.uniform(0.8, 2.0, 18)}
    truth |= {"q": rng.uniform(0.5, 1.0, 18), "theta": rng.uniform(-90, 90, 18)}
    image = render(truth, (240, 240))
    noise = gaussian_filter(rng.normal(size=(260, 260)), 0.7)[10:-10, 10:-10]
    field = make_field(image, mask=None)
    field.data = image + NOISE * noise / noise.std()
    table = measure_image(field, net=net, refine="lm", background_box=None)
    pulls = []
    for x_0, y_0, flux in zip(x, y, truth["flux"], strict=True):
        distance = np.hypot(value(table["x_0"]) - x_0, value(table["y_0"]) - y_0)
        row = table[np.argmin(distance)]
        assert distance.min() < 1.5
        assert row["group_size"] == 2
        pulls.append((value(row["mag"]) - ZEROPOINT + 2.5 * np.log10(flux)) / value(row["mag_err"]))
    assert 0.5 < np.std(pulls) < 1.6
    assert abs(np.mean(pulls)) < 1


def test_the_bright_one_of_a_pair_puts_the_other_not_off_the_middle(net):
    """Rows of a catalog whose joint fits are right do not have the flag of its light."""
    truth = {name: np.array(values)[:2] for name, values in TRUTH.items()}
    truth["flux"][1] = 2.5e3
    image = render(truth, SHAPE)
    field = make_field(image, mask=None)
    field.data = image + NOISE * np.random.default_rng(9).normal(size=SHAPE)
    catalog = Table({name: truth[name] for name in ("x_0", "y_0")})
    table = measure_image(field, net=net, catalog=catalog, **OPTIONS)
    assert_array_equal(table["group_size"], 2)
    expected = ZEROPOINT - 2.5 * np.log10(truth["flux"])
    assert (abs(value(table["mag"]) - expected) < 5 * value(table["mag_err"])).all()
    assert not (table["flags"] & int(Flags.OFF_CENTER)).any()
