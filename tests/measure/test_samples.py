"""The sources from which a population is inferred."""

import numpy as np
import pytest
from helpers.fields import make_field, render, truth_table
from helpers.measured import value
from numpy.testing import assert_allclose

from sersicnet.diagnostics.schema import POPULATION_COLUMNS
from sersicnet.measure import Options, measure_image
from sersicnet.measure.samples import sample_image, squares_of
from sersicnet.measure.tiles import Measurement, open_measurement


@pytest.fixture(scope="module")
def field():
    """Galaxies alone: stars have no part in a population."""
    return make_field(render(truth_table() | {"r_eff": np.full(23, 3.0)}))


@pytest.fixture(scope="module")
def table(field, net):
    return measure_image(field, net=net)


@pytest.fixture
def small_squares(monkeypatch):
    monkeypatch.setattr("sersicnet.measure.samples._SIDE", 150)


@pytest.fixture
def counted(monkeypatch):
    """Numbers of the sources that the network sees, call by call."""
    numbers = []
    method = Measurement.predict

    def predict(measurement, cutouts, part):
        numbers.append(len(cutouts))
        return method(measurement, cutouts, part)

    monkeypatch.setattr(Measurement, "predict", predict)
    return numbers


@pytest.fixture
def measured(field, net, small_squares):
    """The image, its sky, and the sources of its first squares."""

    def sample(*, enough):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sersicnet.measure.samples._ENOUGH", enough)
            with open_measurement(field, Options(), net=net) as measurement:
                sky = measurement.map_sky()
                return measurement, sample_image(measurement, sky)

    return sample


def test_the_population_does_not_depend_on_the_tiles(field, net, table, counted, small_squares):
    """And no source is measured twice."""
    found = measure_image(field, net=net, population="infer")
    assert sum(counted) == len(found)
    tiled = measure_image(field, net=net, population="infer", tile_size=130)
    assert sum(counted) == 2 * len(found)
    assert tiled.meta["POPULATN"] == found.meta["POPULATN"]
    for column in POPULATION_COLUMNS:
        assert_allclose(value(tiled[column.name]), value(found[column.name]), rtol=0.01, atol=0.01)
    for name in table.colnames:
        if table[name].dtype.kind == "f":
            assert_allclose(value(found[name]), value(table[name]), rtol=1e-4, atol=1e-4)


def test_enough_sources(measured):
    """No more squares than are needed, and all of them where there are few sources."""
    measurement, few = measured(enough=8)
    assert 8 <= sum(map(len, few.results)) < 16
    _, everything = measured(enough=10_000)
    assert sum(map(len, everything.results)) > 20
    assert len(squares_of(measurement)) == 9


def test_squares_are_in_random_order(measured):
    measurement, _ = measured(enough=1)
    first = squares_of(measurement)
    assert first == squares_of(measurement)
    corners = [(rows.start, columns.start) for rows, columns in first]
    assert corners != sorted(corners)


def test_sources_are_known_by_their_place(measured):
    _, sample = measured(enough=8)
    results, part = sample.parts[0]
    found, others = sample.take(part)
    assert len(others) == 0
    (again, rows), *none = found
    assert none == []
    np.testing.assert_array_equal(again.median("mag"), results.median("mag"))
    np.testing.assert_array_equal(rows["peak_x"], part["peak_x"])
    moved = part.copy()
    moved["peak_x"] += 1000
    found, others = sample.take(moved)
    assert found == []
    assert len(others) == len(part)


def test_results_have_the_flags_of_detection(measured):
    _, sample = measured(enough=10_000)
    for results, (measured_results, part) in zip(sample.results, sample.parts, strict=True):
        expected = measured_results.flags | np.asarray(part["flags"])
        np.testing.assert_array_equal(results.flags, expected)
