"""Forced photometry of the images of a survey."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from helpers.fields import SCALE, make_field, render, truth_table

from sersicnet.io.cutouts import write_cutout
from sersicnet.measure.image import measure_image
from sersicnet.survey.run import measure_survey

pytest.importorskip("dask.distributed")
pytest.importorskip("pyarrow")
pytest.importorskip("pandas")  # reads Parquet

SIDE = 200
OPTIONS = {"tile_size": 100, "fixed": "shape", "catalog_errors": True}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """An image and a catalog of its sources."""
    folder = tmp_path_factory.mktemp("images")
    truth = truth_table()
    inside = np.maximum(truth["x_0"], truth["y_0"]) < SIDE
    truth = {name: values[inside] for name, values in truth.items()}
    write_cutout(make_field(render(truth, (SIDE, SIDE))), folder / "image.fits")
    catalog = QTable({name: truth[name] for name in ("x_0", "y_0", "n", "q")})
    catalog["r_eff"] = truth["r_eff"] * SCALE * u.arcsec
    catalog["theta"] = truth["theta"] * u.deg
    catalog["n_err"] = 0.1
    catalog.write(folder / "catalog.ecsv")
    return folder / "image.fits", folder / "catalog.ecsv"


@pytest.mark.parametrize("tiles_per_task", [2, None])
def test_fluxes_are_those_of_the_image_alone(files, thread, tmp_path, tiles_per_task):
    image, catalog = files
    options = {"catalog": catalog, **OPTIONS}
    record = measure_survey(
        [image], output=tmp_path, client=thread, tiles_per_task=tiles_per_task, **options
    )
    assert record["error"][0] == ""
    found = QTable.read(tmp_path / record["part"][0])
    expected = measure_image(image, **options)
    for name in ("flux", "flux_err", "r_eff"):
        np.testing.assert_allclose(found[name].value, expected[name].value, rtol=1e-4)
    np.testing.assert_array_equal(found["flags"], expected["flags"])


def test_a_population_of_forced_photometry_raises(files, thread, tmp_path):
    image, catalog = files
    options = {"output": tmp_path, "client": thread, "population": "infer"}
    with pytest.raises(ValueError, match=r"population= is for sources .* fixed= of image"):
        measure_survey([image], catalog=catalog, fixed="shape", **options)


def test_names_of_what_is_fixed_are_the_same_as_the_word(files, thread, tmp_path):
    image, catalog = files
    names = ("r_eff", "n", "q", "theta", "x_0", "y_0")
    options = {"catalog": catalog, "tile_size": 100, "client": thread}
    record = measure_survey([image], output=tmp_path, fixed=names, **options)
    assert record["error"][0] == ""
    assert "flux" in QTable.read(tmp_path / record["part"][0]).colnames


def test_images_with_and_without_fixed_structure_raise(files, thread, tmp_path):
    """Their parts would have other columns."""
    image, catalog = files
    images = [{"image": image, "name": "forced", "catalog": catalog, "fixed": "shape"}]
    images.append({"image": image, "name": "free"})
    with pytest.raises(ValueError, match=r"1 of 2 with fixed=, the first of them 'forced'"):
        measure_survey(images, output=tmp_path, client=thread)
