"""Catalogs with the population of their sources as prior, in further columns."""

import numpy as np
import pytest
from helpers.fields import make_field, render, star, truth_table
from helpers.measured import value
from helpers.populations import draw_truth, measure

from sersicnet import Population, SersicNet
from sersicnet.diagnostics.fluxes import with_fluxes
from sersicnet.diagnostics.schema import POPULATION_COLUMNS
from sersicnet.measure import measure_image
from sersicnet.measure.columns import blank_table, catalog_columns

GALAXY = {"x_0": 40.0, "y_0": 45.0, "flux": 5e3, "r_eff": 3.0, "n": 1.0, "q": 0.8, "theta": 0.0}


def disks(mag, log_r_eff, n, q):
    return -0.5 * ((n - 1) / 0.02) ** 2


@pytest.fixture(scope="module")
def field():
    """Galaxies alone: stars have no part in a population."""
    return make_field(render(truth_table() | {"r_eff": np.full(23, 3.0)}))


@pytest.fixture(scope="module")
def table(field, net):
    return measure_image(field, net=net)


@pytest.fixture(scope="module")
def image():
    """One galaxy, without noise."""
    return render({name: np.array([number]) for name, number in GALAXY.items()}, (90, 90))


def test_inferred_population(field, net, table):
    """What was measured stays, and there is a second answer beside it."""
    found = measure_image(field, net=net, population="infer")
    for name in table.colnames:
        np.testing.assert_array_equal(value(found[name]), value(table[name]))
    added = {column.name for column in POPULATION_COLUMNS}
    added |= {"flux_population", "flux_population_err"}
    assert set(found.colnames) - set(table.colnames) == added
    assert found.meta["POPULATN"].startswith("inferred from ")
    measured = np.isfinite(value(found["mag"]))
    assert measured.sum() > 20
    assert (value(found["ess_population"])[measured] > 0).all()
    assert np.isfinite(value(found["n_population"])[measured]).all()
    assert not np.array_equal(value(found["n_population"]), value(found["n"]))
    assert found["mag_population_err"].unit == found["mag_err"].unit
    assert "population" in found["q_population_lo"].info.description


def test_known_population_and_tiles(image, net):
    """The draws of a source are its own, whatever the tiles."""
    options = {"net": net, "psf": star(), "population": Population.known(disks)}
    field = make_field(image, mask=None)
    found = measure_image(field, **options)
    tiled = measure_image(field, tile_size=50, **options)
    assert found.meta["POPULATN"] == "known"
    galaxy = np.argmin(np.abs(value(found["x_0"]) - GALAXY["x_0"]))
    assert value(found["n_population"])[galaxy] == pytest.approx(1, abs=0.05)
    assert value(found["n_population_err"])[galaxy] < 0.03
    for column in POPULATION_COLUMNS:
        one, two = value(found[column.name]), value(tiled[column.name])
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


def test_columns_follow_from_the_call(image, net, tmp_path):
    """With a file, and without a source."""
    field = make_field(image, mask=None)
    path = tmp_path / "population.safetensors"
    Population.infer(measure(draw_truth(30))).save(path)
    nothing = measure_image(field, net=net, psf=star(), population=path, threshold=1e6)
    columns = catalog_columns(
        net.parameters_, judged=True, grouped=True, population=True, unit=field.unit, celestial=True
    )
    expected = blank_table(with_fluxes(columns), 0)
    assert nothing.colnames == expected.colnames
    for name in expected.colnames:
        assert nothing[name].dtype == expected[name].dtype
        assert str(nothing[name].unit) == str(expected[name].unit)


def test_impossible_populations_raise(image, net, tmp_path):
    field = make_field(image, mask=None)
    options = {"net": net, "psf": star()}
    with pytest.raises(TypeError, match=r"population=3 must be None, 'infer', a path or a Pop"):
        measure_image(field, population=3, **options)
    for wrong in ("infre", tmp_path / "no.safetensors", tmp_path):
        text = "must be None, 'infer', a Population, or the file of one: there is no such file"
        with pytest.raises(FileNotFoundError, match=f"population='{wrong}' {text}"):
            measure_image(field, population=wrong, **options)
    other = SersicNet.from_pretrained("deeplegato")
    with pytest.raises(ValueError, match=r"population= needs the posterior network"):
        measure_image(field, net=other, psf=star(), population="infer")


def test_too_few_sources_raise(image, net):
    with pytest.raises(ValueError, match=r"usable galaxies of .* needs 20"):
        measure_image(make_field(image, mask=None), net=net, psf=star(), population="infer")
