"""The table of some sources, in pixels of the image and in units."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from helpers.populations import draw_truth, measure

from sersicnet import Flags
from sersicnet.diagnostics import add_fluxes
from sersicnet.measure.source_tables import show_fluxes, source_table


@pytest.fixture
def part():
    """Rows of detection of three sources."""
    columns = {"kron_flux": [100.0, -1.0, 10.0], "kron_flux_err": [1.0, 1.0, 1.0]}
    columns |= {"half_light_radius": [2.0, 3.0, 4.0], "area": [30, 40, 50]}
    columns |= {"x": [10.0, 20.0, 30.0], "y": [11.0, 21.0, 31.0], "local_background": [0.0] * 3}
    columns |= {"x_offset": [0, 5, 9], "y_offset": [1, 2, 3], "shared": [False, True, False]}
    columns |= {name: [1, 2, 3] for name in ("row", "peak_x", "peak_y")}
    return QTable(columns | {"flags": [0, int(Flags.BLENDED), 0]})


@pytest.mark.parametrize("noise_known", [True, False])
def test_photometry_and_flags(part, noise_known, monkeypatch):
    monkeypatch.setattr("sersicnet.measure.source_tables.shift_centers", lambda *tables: None)
    results = measure(draw_truth(3))
    table = source_table(results, part, zeropoint=25.0, noise_known=noise_known, population=None)
    assert table["kron_mag"][0].value == pytest.approx(20.0)
    assert table["kron_mag_err"][2].value == pytest.approx(0.1086, abs=1e-3)
    assert np.isnan(table["kron_mag"][1].value)
    np.testing.assert_allclose(table["half_light_radius"].value, [0.2, 0.3, 0.4])
    estimated = table["flags"] & int(Flags.NOISE_ESTIMATED) != 0
    assert estimated.all() != noise_known
    assert table["flags"][1] & Flags.BLENDED
    assert list(table["row"]) == [1, 2, 3]
    assert table.meta == {}


def test_what_is_not_detected_has_a_flux_in_the_end(part, monkeypatch):
    monkeypatch.setattr("sersicnet.measure.source_tables.shift_centers", lambda *tables: None)
    results = measure(draw_truth(3))
    fluxes = {"flux": np.array([np.nan, -2.0, np.nan]), "flux_err": np.array([np.nan, 1.0, np.nan])}
    results = replace(results, columns=results.columns | fluxes)
    options = {"zeropoint": 25.0, "noise_known": True, "population": None}
    table = source_table(results, part, **options)
    assert np.isfinite(table["mag"]).all()  # neighbors need them
    assert "flux" not in table.colnames
    expected = add_fluxes(table)
    show_fluxes(table)
    for name in ("mag", "mag_err", "mag_lo", "mag_hi"):
        assert np.isnan(table[name]).tolist() == [False, True, False]
    assert np.isfinite(table["r_eff"]).all()
    assert (table["flux"][1], table["flux_err"][1]) == (-2 * u.nJy, 1 * u.nJy)
    for name in ("flux", "flux_err"):
        np.testing.assert_array_equal(table[name][[0, 2]], expected[name][[0, 2]])
