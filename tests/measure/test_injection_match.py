"""Which injected galaxies count as detected."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_array_equal

from sersicnet.measure.injection_match import injection_table, match_injections
from sersicnet.parameters import PARAMETERS


def sources(*rows):
    """A catalog of (x, mag)."""
    x, mag = np.reshape(rows, (-1, 2)).T.astype(float)
    table = QTable({"id": np.arange(len(x)), "x_centroid": x, "y_centroid": np.zeros(len(x))})
    table["mag"] = mag * u.ABmag
    table["kron_mag"] = (mag + 0.1) * u.ABmag
    table["flags"] = 3
    return table


def truth(*rows):
    x, mag = np.transpose(rows).astype(float)
    return QTable({"x_0": x * u.pix, "y_0": np.zeros(len(x)) * u.pix, "mag": mag * u.ABmag})


def test_the_nearest_source_within_the_radius():
    found = match_injections(
        truth((10, 22), (50, 23), (90, 24)),
        sources((12.5, 22), (10.5, 22), (54, 23), (90, 24)),
        sources((300, 18)),
        radius=3,
    )
    assert_array_equal(found["row"], [1, -1, 3])
    assert_array_equal(found["distance"].value, [0.5, np.nan, 0])
    assert_array_equal(found["source_distance"].value, [290, 250, 210])
    assert not found["on_source"].any()


def test_a_brighter_source_of_the_image_is_not_the_galaxy():
    """Beside a brighter source it is lost, beside a fainter one it is detected."""
    before = sources((11, 20), (51, 25))
    found = match_injections(
        truth((10, 22), (50, 22)), sources((11, 19.9), (50.1, 21.9)), before, radius=3
    )
    assert_array_equal(found["row"], [-1, 1])
    assert_array_equal(found["on_source"], [True, True])
    assert_array_equal(found["source_mag"].value, [20, 25])


def test_a_source_beside_the_match_counts_as_well():
    """The galaxy is 4 pixels from the source, and what was found is in between."""
    found = match_injections(truth((10, 24)), sources((12, 20)), sources((14, 20)), radius=3)
    assert_array_equal(found["row"], [-1])
    assert_array_equal(found["on_source"], [True])


def test_a_source_without_a_magnitude_may_be_brighter():
    before = sources((10, np.nan))
    before["kron_mag"] = np.nan * u.ABmag
    found = match_injections(truth((10, 18)), sources((10, 18)), before, radius=3)
    assert_array_equal(found["row"], [-1])
    assert np.isnan(found["source_mag"]).all()
    assert found["on_source"].all()


@pytest.mark.parametrize("n_before", [0, 1])
def test_empty_catalogs(n_before):
    found = match_injections(truth((10, 22)), sources(), sources((300, 20))[:n_before], radius=3)
    assert_array_equal(found["row"], [-1])
    assert_array_equal(np.isnan(found["source_distance"].value), [n_before == 0])


def test_rows_that_were_not_detected_are_empty():
    galaxies = truth((10, 22), (50, 23))
    galaxies["id"] = [4, 5]
    galaxies["round"] = 2
    galaxies["log_density"] = -3.0
    for name in PARAMETERS:
        if name not in galaxies.colnames:
            galaxies[name] = np.ones(2)
    for catalog in (sources((50, 23.1)), sources()):
        catalog["group_id"] = catalog["id"]  # of a catalog that is not kept
        matches = match_injections(galaxies, catalog, sources(), radius=3)
        table = injection_table(galaxies, matches, catalog)
        assert_array_equal(table["id"], [4, 5])
        assert "group_id" not in table.colnames
        assert_array_equal(table["detected"], [False, len(catalog) == 1])
        assert np.isnan(table["mag"][0])
        assert_array_equal(table["flags"], [0, 3 * len(catalog)])
        assert table["mag"].unit == u.ABmag
