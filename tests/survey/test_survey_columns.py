"""All parts of a survey have the same columns, whichever image comes first."""

import itertools

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from helpers.fields import SCALE, make_field, render, truth_table
from helpers.sky import make_oblong
from numpy.testing import assert_allclose

from sersicnet.inference import ImportanceSampling, LevenbergMarquardt
from sersicnet.io.cutouts import write_cutout
from sersicnet.survey import read_survey
from sersicnet.survey.columns import complete_columns
from sersicnet.survey.run import measure_survey

parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("pandas")  # reads Parquet
pytest.importorskip("dask.distributed")

SIDE = 150
ADDED = ["ra", "dec", "pa", "r_eff_pix", "q_pix"]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """The same galaxies in an image with a WCS, without one, and with pixels that are not square.

    The second one is in another unit, whose zero point its magnitudes come from.
    """
    folder = tmp_path_factory.mktemp("kinds")
    truth = truth_table()
    inside = np.maximum(truth["x_0"], truth["y_0"]) < SIDE
    image = render({name: values[inside] for name, values in truth.items()}, (SIDE, SIDE))
    square = make_field(image)
    plain = make_field(image, wcs=None, unit="electron", meta={"MAGZP": 26.0, "PIXSCALE": SCALE})
    oblong = make_field(image, wcs=make_oblong())
    files = {"square": square, "plain": plain, "oblong": oblong}
    for name, field in files.items():
        write_cutout(field, folder / f"{name}.fits")
    return folder


@pytest.fixture(scope="module")
def orders(kinds, thread, tmp_path_factory):
    """Folders of surveys in which each of the images is the first one."""
    folders = {}
    for order in (("plain", "square", "oblong"), ("square", "oblong", "plain")):
        folder = tmp_path_factory.mktemp("survey")
        images = []
        for number, kind in enumerate(order):
            images.append({"image": kinds / f"{kind}.fits", "name": f"{number}-{kind}"})
        table = measure_survey(images, output=folder, client=thread)
        assert list(table["error"]) == [""] * 3
        folders[order] = folder
    return folders


def test_parts_have_one_schema(orders):
    schemas = []
    for folder in orders.values():
        for path in sorted((folder / "parts").iterdir()):
            schemas.append(parquet.read_schema(path))
    assert set(ADDED) <= set(schemas[0].names)
    for one, other in itertools.pairwise(schemas):
        assert one.equals(other)


def test_one_dataset_has_all_columns(orders):
    """Readers of Parquet take the columns of the part that sorts first."""
    for order, folder in orders.items():
        dataset = parquet.read_table(folder / "parts")
        known = np.isfinite(dataset.column("ra").to_numpy())
        names = np.array(dataset.column("image").to_pylist())
        for number, kind in enumerate(order):
            assert (known[names == f"{number}-{kind}"] == (kind != "plain")).all()


def test_the_catalog_has_all_columns(orders):
    """In any order: NaN with the right unit, ellipses in pixels, one unit of the sky."""
    for order, folder in orders.items():
        table = read_survey(folder)
        assert set(ADDED) <= set(table.colnames)
        parts = {kind: table[table["image"] == f"{i}-{kind}"] for i, kind in enumerate(order)}
        assert min(map(len, parts.values())) > 1
        for name in ("ra", "dec", "pa"):
            assert table[name].unit == u.deg
            assert np.isnan(parts["plain"][name]).all()
            assert np.isfinite(parts["square"][name]).all()
            assert np.isfinite(parts["oblong"][name]).all()
        for kind in ("plain", "square"):
            part = parts[kind]
            assert_allclose(
                part["r_eff_pix"].to_value(u.pix), part["r_eff"].value / SCALE, rtol=1e-6
            )
            assert_allclose(part["q_pix"], part["q"])
        assert np.abs(parts["oblong"]["q_pix"] - parts["oblong"]["q"]).max() > 0.01
        sky = [np.median(parts[kind]["local_background"]) for kind in ("plain", "square")]
        ratio = 10 ** (-0.4 * (26.0 - 25.0))  # the same numbers, of other units
        assert_allclose(sky[0].to_value(u.nJy), ratio * sky[1].to_value(u.nJy), rtol=1e-3)
        assert table["ra"].info.description.startswith("right ascension")


def test_columns_of_all_refinements():
    """One image is fitted, another is not."""
    part = {"r_eff": [0.3] * u.arcsec, "q": [0.5], "theta": [10.0] * u.deg, "flags": [0]}
    part["local_background"] = [1.0] * u.adu
    table = QTable(part, meta={"PIXSCALE": 0.1})
    refinements = (None, "lm", ImportanceSampling())
    found = complete_columns(table, refinements)
    assert table.colnames == list(part)
    assert found["sky"].unit == u.adu
    assert np.isnan(found["log_evidence"]).all()
    columns = [column.name for column in LevenbergMarquardt().columns]
    assert set(columns) <= set(found.colnames)
    assert complete_columns(found, refinements).colnames == found.colnames
