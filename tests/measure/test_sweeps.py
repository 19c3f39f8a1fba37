"""Sweeps over an image: which joint fits take the place of others."""

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack

from sersicnet import Flags
from sersicnet.measure.sweeps import replace_rows, source_keys


def test_keys_are_integers():
    table = QTable({name: np.array([1, 2]) for name in ("row", "peak_y", "peak_x")})
    assert source_keys(table) == [(1, 1, 1), (2, 2, 2)]


FIT = ("row", "peak_y", "peak_x", "mag_err", "r_eff", "r_eff_err", "n", "n_err", "flags")


def sources(mag, flags=0, group_size=2):
    columns = {name: [1, 2] for name in ("row", "peak_y", "peak_x")}
    columns |= {"mag": mag * u.ABmag, "mag_err": [0.1, 0.1] * u.mag}
    columns |= {"r_eff": [1, 1] * u.arcsec, "r_eff_err": [0.1, 0.1] * u.arcsec}
    columns |= {"n": [1.0, 1.0], "n_err": [0.1, 0.1]}
    return QTable(columns | {"flags": [flags, flags], "group_size": [group_size, group_size]})


def test_joint_fits_that_move_again_have_not_converged():
    """The first of them has another fit before, with its neighbors masked."""
    moving = int(Flags.GROUP_NOT_CONVERGED)
    table = sources([20.0, 20.0], group_size=1)
    replace_rows(table, sources([21.0, 20.0]))
    assert table["flags"].tolist() == [0, 0]
    replace_rows(table, sources([21.2, 20.05]))
    assert table["flags"].tolist() == [moving, 0]


def test_a_joint_fit_that_failed_keeps_its_flag():
    moving = int(Flags.GROUP_NOT_CONVERGED)
    table = sources([20.0, 20.0], flags=moving)
    replace_rows(table, sources([20.0, 20.0])[:1])
    assert table["flags"].tolist() == [0, moving]


def test_companions_are_rows_of_their_own():
    """They are where their fit is, and one that was not fitted is left out."""
    table = sources([20.0, 21.0])
    for name in ("x_0", "y_0", "x_centroid", "y_centroid", "area"):
        table[name] = [5.0, 6.0] * u.pix
    measured = sources([23.0, np.nan], flags=int(Flags.COMPANION), group_size=3)
    for name in ("peak_y", "peak_x"):
        measured[name] = [7, 8]
    for name in ("x_0", "y_0"):
        measured[name] = [7.3, 8.1] * u.pix
    table = replace_rows(table, measured)
    assert table["mag"].value.tolist() == [20.0, 21.0, 23.0]
    assert table["x_centroid"].value.tolist() == [5.0, 6.0, 7.3]
    assert np.isnan(table["area"].value).tolist() == [False, False, True]


def test_a_companion_that_two_galaxies_find_is_one_row():
    """That of the smaller error; peaks may differ by a pixel."""
    table = sources([20.0, 21.0])
    for name in ("x_0", "y_0", "x_centroid", "y_centroid"):
        table[name] = [5.0, 6.0] * u.pix
    measured = sources([23.0, 23.1], flags=int(Flags.COMPANION), group_size=3)
    measured["mag_err"] = [0.2, 0.1] * u.mag
    measured["row"] = 0
    for name in ("peak_y", "peak_x"):
        measured[name] = [40, 41]
        measured[f"{name[-1]}_0"] = [40.3, 40.4] * u.pix
    measured = vstack([measured, measured[:1]])
    table = replace_rows(table, measured)
    assert table["mag"].value.tolist() == [20.0, 21.0, 23.1]


def test_a_fit_with_more_sources_may_move():
    table = sources([20.0, 20.0], group_size=2)
    replace_rows(table, sources([21.0, 20.0], group_size=3))
    assert table["flags"].tolist() == [0, 0]


def test_of_a_group_that_failed_only_the_flag_is_taken():
    moving = int(Flags.GROUP_NOT_CONVERGED)
    table = sources([20.0, 21.0], group_size=1)
    replace_rows(table, sources([np.nan, 21.5], flags=moving)[["mag", "group_size", *FIT]])
    assert table["mag"].value.tolist() == [20.0, 21.5]
    assert table["flags"].tolist() == [moving, moving]
