"""Companions of bright galaxies that detection does not separate."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.fields import NOISE, ZEROPOINT, make_field, render
from scipy import ndimage

from sersicnet import Flags, SersicNet
from sersicnet.inference import members
from sersicnet.measure.companions import Companions, _are_parts, _Search
from sersicnet.measure.image import measure_image
from sersicnet.measure.matched import MatchedFilter
from sersicnet.preprocessing.stamps import CheckedCutout
from sersicnet.preprocessing.surroundings import Group, Member

OPTIONS = {"refine": "lm", "background_box": None}
# A galaxy and a companion of a tenth of its light, 6 pixels away.
TRUTH = {"x_0": [60.3, 65.4], "y_0": [60.1, 63.3], "flux": [4e4, 4e3], "r_eff": [4.5, 1.0]}
TRUTH |= {"n": [1.2, 1.0], "q": [0.7, 0.9], "theta": [30.0, 0.0]}
MAG = ZEROPOINT - 2.5 * np.log10(TRUTH["flux"])


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


def noisy(image, seed=8):
    field = make_field(image, mask=None)
    field.data = image + NOISE * np.random.default_rng(seed).normal(size=image.shape)
    return field


@pytest.fixture(scope="module")
def field():
    return noisy(render({name: np.array(values) for name, values in TRUTH.items()}, (124, 130)))


@pytest.fixture(scope="module")
def table(field, net):
    return measure_image(field, net=net, **OPTIONS)


def pulls(table):
    difference = table["mag"].value - MAG[: len(table)]
    return difference / table["mag_err"].value


def is_companion(table):
    return np.asarray(table["flags"]) & int(Flags.COMPANION) != 0


def test_the_search_is_an_option(field, net):
    """Without it, the magnitude is wrong."""
    alone = measure_image(field, net=net, companions=False, **OPTIONS)
    assert len(alone) == 1
    assert abs(pulls(alone)[0]) > 20
    assert int(alone["flags"][0]) & int(Flags.MISFIT)


def test_a_companion_of_two_galaxies_is_one():
    labels = np.arange(21.0).reshape(3, 7)
    both = Companions(labels, np.array([[10, 10], [12, 11], [10, 14]]))
    found = both.distinct(MatchedFilter(4.0))
    np.testing.assert_array_equal(found.labels, labels[[0, 2]])


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([(3.0, 6.0, 2.0), (3.1, -6.4, -1.8)], True),  # the ends of a bar
        ([(3.0, 6.0, 2.0), (3.5, -6.4, -1.8)], False),
        ([(3.0, 6.0, 2.0), (3.1, -3.0, -1.0)], False),
        ([(3.0, 6.0, 2.0), (3.0, 0.0, 9.0), (2.8, -6.0, -2.0)], True),
        ([(3.0, 1.0, 2.0)], True),  # at the center
        ([(3.0, 3.0, 2.0)], False),
    ],
)
def test_parts_of_the_galaxy_are_no_companions(others, expected):
    labels = np.zeros((1 + len(others), 7))
    labels[:, 5:] = 50.0
    labels[1:, 0] = [flux for flux, _, _ in others]
    labels[1:, 5:] += [offset for _, *offset in others]
    assert _are_parts(labels, 3.0) == expected


def test_each_round_begins_where_the_one_before_has_ended():
    pixels = CheckedCutout(np.zeros((9, 9)), np.ones((9, 9)), np.zeros((9, 9), bool))
    group = Group(pixels, np.zeros((1, 7)), np.zeros((1, 2)), trial=True)
    search = object.__new__(_Search)
    search.cutouts = [CheckedCutout(*[pixels.data] * 3, member=Member(group, 0, (0, 0)))]
    search._first = np.array([100, 200])  # y, x
    search._start_at(np.array([[3.0, 0.5, 1.2, 0.1, 0.2, 204.5, 103.5]]))
    found = search.cutouts[0].member.group
    np.testing.assert_array_equal(found.labels, [[3.0, 0.5, 1.2, 0.1, 0.2, 4.5, 3.5]])
    assert found.trial
    assert not group.labels.any()


def test_a_search_fits_once_and_roughly(field, net, monkeypatch):
    """The galaxy and its companion are fitted twice after that, as all groups."""
    fit_stamps = members.fit_stamps
    brightness = []

    def fit(*args, faintest=None, **options):
        brightness.append(faintest)
        if faintest is not None:
            assert options["hidden"] is None
            options["faintest"] = faintest
        return fit_stamps(*args, **options)

    monkeypatch.setattr(members, "fit_stamps", fit)
    measure_image(field, net=net, **OPTIONS)
    assert brightness == [members._ROUGHLY, members._ROUGHLY, None]


def test_a_companion_is_a_row_and_the_magnitude_is_right(table):
    assert is_companion(table).tolist() == [False, True]
    assert np.abs(pulls(table)).max() < 4
    assert not (table["flags"] & int(Flags.MISFIT | Flags.GROUP_NOT_CONVERGED)).any()
    assert table["group_size"].tolist() == [2, 2]
    assert table["group_id"].tolist() == [0, 0]
    for axis in "xy":
        np.testing.assert_allclose(table[f"{axis}_0"].value, TRUTH[f"{axis}_0"], atol=0.3)
    assert np.isnan(table["kron_mag"][1])
    assert table["x_centroid"][1] == table["x_0"][1]


@pytest.mark.parametrize("tile_size", [62, 70])
def test_the_result_does_not_depend_on_tiles(field, net, table, tile_size):
    """The first tile ends between the two."""
    tiled = measure_image(field, net=net, tile_size=tile_size, **OPTIONS)
    for name in ("mag", "mag_err", "n", "flags", "group_id"):
        np.testing.assert_array_equal(tiled[name], table[name])


def test_a_catalog_has_the_rows_of_the_user(field, net, table):
    """The companion is fitted with the galaxy all the same."""
    catalog = Table({"x_0": TRUTH["x_0"][:1], "y_0": TRUTH["y_0"][:1]})
    found = measure_image(field, net=net, catalog=catalog, **OPTIONS)
    assert len(found) == 1
    assert not is_companion(found).any()
    assert abs(pulls(found)[0]) < 4
    np.testing.assert_allclose(found["mag_err"][0].value, table["mag_err"][0].value, rtol=0.2)


def spiral(shape=(128, 128), *, r_eff=11.0, amplitude=0.5, arms=2):
    """A disk with arms, behind a Gaussian PSF."""
    y, x = np.indices(shape)
    dx, dy = x - 63.8, (y - 64.1) / 0.8
    radius = np.hypot(dx, dy) / r_eff
    phase = arms * (np.arctan2(dy, dx) - np.log(radius + 0.05) / np.tan(np.radians(20)))
    light = np.exp(-1.678 * radius) * (1 + amplitude * np.cos(phase))
    return ndimage.gaussian_filter(4e4 * light / light.sum(), 1.3)


def test_a_spiral_stays_one_galaxy(net):
    field = noisy(spiral())
    psf = np.zeros((41, 41))
    psf[20, 20] = 1
    field.psf = ndimage.gaussian_filter(psf, 1.3)
    table = measure_image(field, net=net, **OPTIONS)
    assert len(table) == 1
    assert int(table["flags"][0]) & int(Flags.MISFIT)
