"""Columns of catalogs of several bands."""

from types import SimpleNamespace

import astropy.units as u

from sersicnet import Model
from sersicnet.measure.band_columns import columns_of_bands


def test_units_are_those_of_the_images():
    bands = {}
    for band, unit in (("g", u.adu), ("r", u.nJy)):
        measurement = SimpleNamespace(field=SimpleNamespace(unit=unit))
        bands[band] = SimpleNamespace(measurement=measurement)
    columns = {column.name: column for column in columns_of_bands(bands, Model())}
    assert columns["sky_g"].unit == u.adu
    assert columns["local_background_r"].unit == u.nJy
    assert {"x_shift_r_err", "color_g_r", "color_g_r_err"} <= set(columns)
    assert not {"x_shift_g", "y_shift_g_err"} & set(columns)
