"""Galaxies near each other."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.fields import NOISE, SCALE, ZEROPOINT, make_field, render
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import SersicNet
from sersicnet.flags import Flags
from sersicnet.measure.image import measure_image

SIDE = 260
OPTIONS = {"refine": "lm", "background_box": None}
SEVEN = ("mag", "r_eff", "n", "q", "theta", "x_0", "y_0")
# Two that touch, a third whose wings they are in, and one that is alone.
PLACES = [(80.3, 90.1), (91.0, 92.4), (88.2, 117.7), (190.2, 200.4)]


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="module")
def truth():
    x, y = np.transpose(PLACES)
    columns = {"x_0": x, "y_0": y, "flux": [9e3, 7e3, 1.2e4, 8e3], "r_eff": [3.0, 2.5, 4.0, 3.5]}
    columns |= {"n": [1.0, 2.0, 1.5, 1.0], "q": [0.7, 0.8, 0.6, 0.5], "theta": [30.0, -50, 0, 70]}
    return {name: np.array(values) for name, values in columns.items()}


def make_image(truth):
    """Without a sky."""
    image = render(truth, (SIDE, SIDE))
    field = make_field(image, mask=None)
    field.data = image + NOISE * np.random.default_rng(5).normal(size=image.shape)
    return field


@pytest.fixture(scope="module")
def field(truth):
    return make_image(truth)


@pytest.fixture(scope="module")
def masked(field, net):
    """By the network, with neighbors masked."""
    return measure_image(field, net=net, background_box=None)


@pytest.fixture(scope="module")
def joint(field, net):
    """Fitted together with their neighbors, as by default."""
    return measure_image(field, net=net, **OPTIONS)


def pulls(table, truth):
    """Errors in units of the quoted ones, (5, N), of the sources in the order of the truth."""
    x, y = table["x_0"].value, table["y_0"].value
    rows = np.hypot(x - truth["x_0"][:, None], y - truth["y_0"][:, None]).argmin(axis=1)
    assert sorted(rows) == list(range(len(x)))
    known = {"mag": ZEROPOINT - 2.5 * np.log10(truth["flux"]), "r_eff": SCALE * truth["r_eff"]}
    known |= {name: truth[name] for name in ("n", "x_0", "y_0")}
    return np.array(
        [
            (np.asarray(table[name].value if name != "n" else table[name])[rows] - true)
            / np.asarray(getattr(table[f"{name}_err"], "value", table[f"{name}_err"]))[rows]
            for name, true in known.items()
        ]
    )


def test_joint_fits_are_right_within_their_errors(joint, truth):
    found = pulls(joint, truth)
    assert np.abs(found).max() < 4
    assert np.sqrt(np.mean(found**2)) < 1.5
    near = joint["x_0"].value < 150
    touching = joint["group_size"] > 1
    assert touching[near].sum() >= 2
    assert len(set(joint["group_id"][touching])) == 1
    assert (joint["blend_fraction"][touching] > 0.003).all()
    assert (joint["group_id"] == joint["id"])[~near].all()
    assert (joint["group_size"][~near] == 1).all()
    moving = Flags.GROUP_NOT_CONVERGED | Flags.NOT_REFINED | Flags.MISFIT
    assert not (joint["flags"] & int(moving)).any()


def test_groups_settle(net):
    """Where each is in the wings of all others, too."""
    angle = 2 * np.pi * np.arange(6) / 6
    x, y = (np.append(0, 13 * part) + 130.2 for part in (np.cos(angle), np.sin(angle)))
    truth = {"x_0": x, "y_0": y, "flux": 1e4 * (1 + 0.1 * np.arange(len(x)))}
    truth |= {"theta": np.linspace(-80, 80, len(x))}
    truth |= {
        name: np.full(len(x), value) for name, value in (("r_eff", 3.0), ("n", 1.5), ("q", 0.7))
    }
    field = make_image(truth)
    table = measure_image(field, net=net, **OPTIONS)
    together = pulls(table, truth)
    assert np.sqrt(np.mean(together**2)) < 1.6
    assert np.abs(together).max() < 5
    assert (table["group_size"] == 7).all()
    assert not (table["flags"] & int(Flags.GROUP_NOT_CONVERGED)).any()


def test_what_touches_is_still_told(masked, joint):
    blended = (masked["flags"] & int(Flags.BLENDED)) != 0
    assert blended.sum() >= 2
    assert (joint["flags"][blended] & int(Flags.BLENDED)).all()


def test_tiles_do_not_matter(field, net, joint):
    """Not even where they part two that touch."""
    table = measure_image(field, net=net, tile_size=87, **OPTIONS)
    assert_array_equal(table["id"], joint["id"])
    assert_array_equal(table["group_size"], joint["group_size"])
    for name in ("mag", "r_eff", "x_0", "y_0"):
        difference = table[name].value - joint[name].value
        assert_allclose(difference / joint[f"{name}_err"].value, 0, atol=0.05, err_msg=name)


def test_positions_of_a_catalog(field, net, truth):
    """Each row is one source, whatever is detected at its place."""
    catalog = Table({"x_0": truth["x_0"], "y_0": truth["y_0"], "id": [7, 5, 9, 1]})
    table = measure_image(field, net=net, catalog=catalog, **OPTIONS)
    assert_array_equal(table["id"], catalog["id"])
    assert np.abs(pulls(table, truth)).max() < 4


def test_rows_at_one_source_are_no_neighbors(field, net, truth, joint):
    """Each has all the light of it, as if the other row were not there."""
    twin = {name: np.append(truth[name][3] + (0, 1), 10.0) for name in ("x_0", "y_0")}
    table = measure_image(field, net=net, catalog=Table(twin), **OPTIONS)
    (alone,) = joint["mag"].value[joint["x_0"].value > 150]
    assert_allclose(table["mag"].value[:2], alone, atol=0.02)


def test_single_bad_pixels_of_the_noise_map(field, net, joint):
    noise = np.array(field.uncertainty.array)
    noise[60, 60] = noise[100, 110] = np.nan
    noise[100, 86] = noise[88, 70] = 0
    noise[80, 90] = noise[195, 180] = np.inf
    table = measure_image(field, net=net, rms=noise, **OPTIONS)
    difference = table["mag"].value - joint["mag"].value
    assert_allclose(difference / joint["mag_err"].value, 0, atol=0.5)
