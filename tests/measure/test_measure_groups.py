"""Columns of groups in a catalog."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from helpers.rendered import star
from numpy.testing import assert_array_equal

from sersicnet import Flags
from sersicnet.measure.groups import add_groups
from sersicnet.measure.places import place_codes
from sersicnet.measure.psf import field_psf


def catalog(**changes):
    """Two galaxies that share light, the second the brighter, and one alone."""
    columns = {"id": [7, 3, 5], "mag": [20, 19.5, 20] * u.ABmag, "n": [1.0, 1.5, 2.0]}
    columns |= {"r_eff_pix": [3.0, 3.0, 4.0], "q_pix": [0.7, 0.7, 0.7]}
    columns |= {"theta": [0, 10, 20] * u.deg, "x_0": [20, 30, 200] * u.pix}
    columns |= {"y_0": [50, 50, 50] * u.pix, "noise_level": [1.0, 1.0, 1.0]}
    columns |= {"peak_y": [50, 50, 50], "peak_x": [20, 30, 200], "flags": [1, 0, 0]}
    return QTable(columns | changes)


def grouped(**changes):
    table = catalog(**changes)
    units = {"pixel_scale": 0.1, "zeropoint": 25.0}
    add_groups(table, field_psf(star()), shape=(100, 250), **units)
    return table


def test_groups_are_named_for_their_brightest_source():
    table = grouped()
    assert_array_equal(table["group_id"], [3, 3, 5])
    assert_array_equal(table["group_size"], [2, 2, 1])
    assert table["blend_fraction"][0] > table["blend_fraction"][1] > 0.01


def test_fractions_of_fits_stay():
    fits = {"group_size": [2, 1, 1], "blend_fraction": [0.5, 0.0, 0.0]}
    table = grouped(fitted_with=[0, 0, 0], **fits)
    assert table["blend_fraction"][0] == 0.5
    assert table["blend_fraction"][1] == grouped()["blend_fraction"][1]


@pytest.mark.parametrize(("distance", "blended"), [(5, True), (60, False)])
def test_what_others_light_matters_to_is_blended(distance, blended):
    table = grouped(x_0=[20, 20 + distance, 200] * u.pix, peak_x=[20, 20 + distance, 200])
    assert (table["blend_fraction"][0] > 0.05) == blended
    assert_array_equal((table["flags"] & int(Flags.BLENDED)) != 0, [blended, blended, False])
    assert table["flags"][0] & 1


def test_the_noise_decides_what_matters():
    table = grouped(noise_level=np.full(3, 1e6))
    assert_array_equal(table["group_size"], [1, 1, 1])


def test_what_was_fitted_together_is_a_group():
    (lead,) = place_codes(QTable({"peak_y": [50], "peak_x": [20]}))
    fits = {"group_size": [1, 1, 2], "blend_fraction": [0.0, 0.0, 0.0]}
    table = grouped(fitted_with=[0, 0, lead], **fits)
    assert_array_equal(table["group_size"], [3, 3, 3])


def test_rows_in_one_pixel_count_once():
    """Two rows of a catalog for the second galaxy, and one that was not measured."""
    rows = catalog()[[1, 0, 1, 2, 2]]
    rows["id"] = [4, 7, 3, 5, 6]
    rows["n"][4] = np.nan
    add_groups(rows, field_psf(star()), shape=(100, 250), pixel_scale=0.1, zeropoint=25.0)
    assert_array_equal(rows["group_id"], [4, 4, 4, 5, 6])
    assert_array_equal(rows["group_size"], [2, 2, 2, 1, 1])
    expected = grouped()["blend_fraction"][[1, 0, 1, 2]]
    assert_array_equal(rows["blend_fraction"], np.append(expected, np.nan))


def test_ids_that_are_not_unique_name_no_group():
    with pytest.warns(AstropyUserWarning, match="catalog= has 1 row whose id is that of another"):
        table = grouped(id=[3, 3, 5])
    assert_array_equal(table["group_id"], [2, 2, 3])
