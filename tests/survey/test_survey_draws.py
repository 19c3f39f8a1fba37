"""Covariances and draws of the sources of a survey."""

import numpy as np
import pytest
from helpers.fields import make_field, render, truth_table
from helpers.measured import value
from numpy.testing import assert_allclose

from sersicnet.io import read_table
from sersicnet.io.cutouts import write_cutout
from sersicnet.survey import read_survey
from sersicnet.survey.run import measure_survey
from sersicnet.survey.tasks import make_tasks

pytest.importorskip("dask.distributed")
pytest.importorskip("pyarrow")
pytest.importorskip("pandas")  # reads Parquet

SIDE = 150
K = 20


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """An image with galaxies and one without."""
    folder = tmp_path_factory.mktemp("images")
    truth = truth_table()
    inside = np.maximum(truth["x_0"], truth["y_0"]) < SIDE
    truth = {name: values[inside] for name, values in truth.items()}
    write_cutout(make_field(render(truth, (SIDE, SIDE))), folder / "full.fits")
    write_cutout(make_field(np.zeros((SIDE, SIDE))), folder / "empty.fits")
    return [folder / "full.fits", {"image": folder / "empty.fits", "refine": "lm"}]


def measured(images, output, client, **options):
    options = {"covariance": True, "samples": K, "tile_size": 64} | options
    table = measure_survey(images, output=output, client=client, **options)
    assert (table["error"] == "").all()
    return [read_table(output / "samples" / f"{name}.parquet") for name in ("full", "empty")]


def test_files_of_draws(images, tmp_path, thread):
    full, empty = measured(images, tmp_path, thread)
    blocks, _ = measured(images, tmp_path / "blocks", thread, tiles_per_task=2)
    table = read_survey(tmp_path)
    assert table["covariance"].shape == (len(full), 28)
    assert list(full["id"]) == list(table["id"])
    assert set(full["image"]) == {"full"}
    assert full.colnames == empty.colnames == blocks.colnames
    assert {"sky", "r_eff_pix", "q_pix"} <= set(full.colnames)
    assert len(empty) == 0
    for name in full.colnames[2:]:
        assert empty[name].shape[1:] == full[name].shape[1:] == (K,)
        assert empty[name].unit == full[name].unit
        assert_allclose(value(blocks[name]), value(full[name]), rtol=1e-3, atol=1e-3)
    assert np.isnan(full["sky"]).all()
    assert_allclose(value(full["r_eff_pix"]), value(full["r_eff"]) / full.meta["PIXSCALE"])
    off = np.median(value(full["x_0"]), axis=1) - value(table["x_0"])
    assert (np.abs(off) < 2 * value(table["x_0_err"])).all()


def test_draws_that_were_lost_are_made_again(images, tmp_path, thread):
    full, _ = measured(images[:1] + images[1:], tmp_path, thread)
    path = tmp_path / "samples" / "full.parquet"
    path.unlink()
    with pytest.warns(match="full.parquet: not what was written"):
        again, _ = measured(images, tmp_path, thread)
    assert_allclose(value(again["mag"]), value(full["mag"]), rtol=1e-5)
    with pytest.raises(ValueError, match="samples=10, which was 20"):
        measured(images, tmp_path, thread, samples=10)


def test_all_images_have_the_same(images):
    one, other = (str(image["image"] if isinstance(image, dict) else image) for image in images)
    match = "images has 1 of 2 with covariance=, the first of them 'full'"
    with pytest.raises(ValueError, match=match):
        make_tasks([{"image": one, "covariance": True}, {"image": other}], {})
    with pytest.raises(
        ValueError, match="images has samples=5 and samples=6: one number is needed"
    ):
        make_tasks([{"image": one, "samples": 5}, {"image": other, "samples": 6}], {})
