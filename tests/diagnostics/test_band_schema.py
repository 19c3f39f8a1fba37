"""Columns of several bands."""

import astropy.units as u

from sersicnet.diagnostics.band_schema import band_columns, color_columns


def test_columns_of_a_band_have_its_name():
    plain = [column.name for column in band_columns(["r"])]
    parts = [column.name for column in band_columns(["r"], [("bulge", "sersic")])]
    assert {"mag_r", "x_shift_r_err", "chi2_r", "flags_r"} <= set(plain)
    assert set(parts) - set(plain) >= {"mag_bulge_r", "bulge_to_total_r_err"}


def test_colors_are_of_neighboring_bands():
    columns = color_columns(["g", "r", "i"])
    names = [column.name for column in columns]
    assert names == ["color_g_r", "color_g_r_err", "color_r_i", "color_r_i_err"]
    assert {column.unit for column in columns} == {u.mag}
