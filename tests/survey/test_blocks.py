"""One image as many tasks of a survey: what comes out, and runs that go on within it."""

import json
import os
import signal
from contextlib import contextmanager
from functools import partial, wraps

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table
from helpers.fields import SIDE, make_field, render, truth_table
from helpers.scripts import end_command
from helpers.starry import starry_image, starry_truth
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import SersicNet
from sersicnet.io.cutouts import write_cutout
from sersicnet.io.weights import weights_path
from sersicnet.measure.image import measure_image
from sersicnet.survey import blocks as _survey_blocks
from sersicnet.survey.blocks import Blocks, count_blocks
from sersicnet.survey.columns import complete_columns
from sersicnet.survey.run import measure_survey, read_manifest
from sersicnet.survey.tasks import make_tasks

distributed = pytest.importorskip("dask.distributed")
parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("pandas")  # reads Parquet

# 9 tiles and 36 boxes of sky; blocks of 2 tiles, the last of one.
OPTIONS = {"tile_size": 100, "background_box": 50}
TILES, ALL = 2, [0, 1, 2, 3, 4]
# 4 tiles and 2 blocks in each sweep: more tiles overlap more, and each sweep measures them again.
IN_BLOCKS = {"tile_size": 150, "background_box": 50}
# The command cannot say all of them.
AS_COMMAND = {"tile_size": 100, "background_box": 128}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A large image, of which sky and noise are not known, and one of a single tile."""
    folder, image = tmp_path_factory.mktemp("images"), render(truth_table())[20:320, :300]
    write_cutout(make_field(image, uncertainty=None), folder / "large.fits")
    small = make_field(image[:100, :100], uncertainty=None, mask=None)
    write_cutout(small, folder / "small.fits")
    return folder


@pytest.fixture(scope="module")
def images(folder):
    return [folder / "large.fits", folder / "small.fits"]


@pytest.fixture(scope="module")
def serial(images):
    net = SersicNet.from_pretrained().set_params(device="cpu")
    return {image.stem: measure_image(image, psf=None, net=net, **OPTIONS) for image in images}


@pytest.fixture
def output(tmp_path):
    return tmp_path / "output"


@pytest.fixture
def measure(thread, output):
    """`measure_survey` in blocks, into a folder of this test."""
    return partial(measure_survey, output=output, client=thread, tiles_per_task=TILES, **OPTIONS)


@pytest.fixture
def numbers(monkeypatch):
    """Those of the blocks that were measured."""
    numbers, method = [], Blocks.measure_block

    @wraps(method)
    def measure_block(blocks, number, sky, done):
        method(blocks, number, sky, done)
        numbers.append(number)

    monkeypatch.setattr(Blocks, "measure_block", measure_block)
    return numbers


@pytest.fixture
def fail_at(numbers, monkeypatch):
    """A context in which the block of some number cannot be measured."""
    method = Blocks.measure_block

    @contextmanager
    def fail(bad):
        @wraps(method)
        def measure_block(blocks, number, sky, done):
            if number == bad:
                msg = "no space left"
                raise OSError(msg)
            method(blocks, number, sky, done)

        with monkeypatch.context() as patch:
            patch.setattr(Blocks, "measure_block", measure_block)
            yield

    return fail


def assert_serial(output, serial, refinements=()):
    """The parts are what `measure_image` gives, and nothing else is left."""
    assert {path.name for path in output.iterdir()} == {"parts", "manifest.jsonl"}
    assert {path.stem for path in (output / "parts").iterdir()} == set(serial)
    for name, expected in serial.items():
        found = QTable.read(output / "parts" / f"{name}.parquet")
        expected = complete_columns(expected, refinements)
        assert found.colnames == ["image", *expected.colnames]
        assert (found["image"] == name).all()
        assert found.meta == expected.meta
        for column in expected.colnames:
            assert found[column].unit == expected[column].unit
            assert found[column].dtype == expected[column].dtype
            values = (np.asarray(table[column]) for table in (found, expected))
            assert_allclose(*values, rtol=1e-5, atol=1e-5, err_msg=f"{name} {column}")
        for column in ("id", "flags"):
            assert_array_equal(found[column], expected[column])


def test_warnings_of_images_in_blocks(measure, tmp_path, caplog):
    """Of the noise, of one task; of all rows together, as `measure_image` gives them."""
    stars = {name: values[:4] for name, values in truth_table().items()}
    stars = {name: np.tile(values, 2) for name, values in stars.items()} | {"r_eff": np.zeros(8)}
    stars["x_0"][4:] = SIDE - stars["x_0"][4:]
    field = make_field(render(stars))
    field.uncertainty.array *= 5
    write_cutout(field, tmp_path / "stars.fits")
    (text,) = measure([tmp_path / "stars.fits"], tile_size=150)["warnings"]
    assert "times the scatter of the sky" in text
    assert "sources are UNRESOLVED" in text
    assert "stars: " in caplog.text
    assert "sources are UNRESOLVED" in caplog.text


def test_blocks_together_are_the_image(measure, images, numbers, output, serial, capsys):
    table = measure(images, progress_bar=True)
    assert sorted(numbers) == ALL
    assert len(serial["large"]) > 9
    assert_serial(output, serial)
    assert list(table["error"]) == ["", ""]
    assert list(table["warnings"]) == ["", ""]
    assert list(table["n_sources"]) == [len(serial["large"]), len(serial["small"])]
    assert (table["seconds"] > 0).all()
    schemas = [parquet.read_schema(output / table["part"][row]) for row in (0, 1)]
    assert schemas[0].equals(schemas[1])
    assert "8/8" in capsys.readouterr().err  # two images, five blocks, and their union
    numbers.clear()
    measure(images, tiles_per_task=None)  # what was measured is not measured again
    measure(images, tiles_per_task=3)
    assert not numbers
    assert len((output / "manifest.jsonl").read_text().splitlines()) == 2


def test_a_psf_is_made_once_for_all_blocks(measure, folder, output, tmp_path):
    """And what the stars say of it is that of the whole image."""
    path = tmp_path / "stars.fits"
    write_cutout(starry_image(starry_truth(12, 4)), path)
    measure([path], tile_size=150)
    net = SersicNet.from_pretrained().set_params(device="cpu")
    serial = measure_image(path, net=net, **(OPTIONS | {"tile_size": 150}))
    assert serial.meta["PSFFROM"] == "stars"
    assert_serial(output, {"stars": serial})


def test_a_catalog_is_measured_in_blocks(measure, images, folder, numbers, output, serial):
    """Rows keep their order, those that are nowhere included."""
    known = serial["large"]
    where = Table({name: known[name].value for name in ("x_0", "y_0")})
    where.insert_row(0, [-50, 20])
    where["id"] = np.arange(len(where))[::-1]
    where.write(folder / "where.ecsv", overwrite=True)
    expected = measure_image(images[0], psf=None, catalog=where, **OPTIONS)
    measure(images[:1], catalog=folder / "where.ecsv")
    assert sorted(numbers) == ALL
    assert_serial(output, {"large": expected})


def test_neighbors_are_taken_off_across_blocks(measure, images, numbers, output, serial, fail_at):
    """Also in a sweep that goes on: models of neighbors are those of the whole sweep before."""
    expected = measure_image(images[0], psf=None, refine="lm", **IN_BLOCKS)
    change = (expected["mag"] - serial["large"]["mag"]).value
    assert np.nanmax(np.abs(change)) > 0.005
    with fail_at(3):  # of the second sweep
        table = measure(images[:1], refine="lm", retries=0, **IN_BLOCKS)
    assert list(table["error"]) == ["OSError: no space left"]
    assert sorted(numbers) == [0, 1, 2]
    numbers.clear()
    measure(images[:1], refine="lm", **IN_BLOCKS)
    assert sorted(numbers) == [3, 4, 5]
    assert_serial(output, {"large": expected}, ["lm"])


def test_parts_are_fitted_in_blocks(measure, images, output):
    """After the sweeps of one profile: their models are those of the whole image."""
    options = OPTIONS | {"tile_size": 60, "model": "point"}
    expected = measure_image(images[1], psf=None, **options)
    measure(images[1:], **options)
    assert_serial(output, {"small": expected})


def test_a_block_cannot_be_measured(measure, images, numbers, output, serial, fail_at):
    """The error is one of the image; the next run measures this block only."""
    with fail_at(1):
        table = measure(images, retries=0)
    assert sorted(numbers) == [0, 2, 3, 4]
    assert list(table["error"]) == ["OSError: no space left", ""]
    assert list(table["n_sources"]) == [0, len(serial["small"])]
    assert len(read_manifest(output)) == 2
    numbers.clear()
    table = measure(images)
    assert numbers == [1]
    assert_serial(output, serial)
    assert table["seconds"][0] > 0


@pytest.mark.parametrize("change", ["n_blocks", "files", "weights", "options"])
def test_blocks_are_of_one_way_to_measure(change, images, output):
    """Blocks of a changed image, or of one measured with other options, are in other folders."""

    def folder(n_blocks=5, files=(1, 2), weights_id="universal", **options):
        (task,) = make_tasks(images[:1], OPTIONS | options)
        described = {"image": list(files)}, output, weights_path("universal"), weights_id
        return Blocks(task, n_blocks, 1, *described).folder

    changes = {
        "n_blocks": {"n_blocks": 4},
        "files": {"files": (1, 3)},
        "weights": {"weights_id": "others"},
        "options": {"threshold": 3.0},
    }
    assert folder(**changes[change]) != folder()
    assert folder(threshold=4.5) == folder()  # which is the default


def test_a_damaged_block_is_named(images, output):
    """Its image cannot be completed; without it, it is measured again."""
    (task,) = make_tasks(images[:1], OPTIONS)
    blocks = Blocks(task, 2, 1, {"image": [1, 2]}, output, weights_path("universal"), "universal")
    blocks.folder.mkdir(parents=True)
    (blocks.folder / "0.parquet").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"0\.parquet cannot be read as a table"):
        blocks.unite([])


def test_a_broken_file_is_reported_once(measure, images, output, tmp_path, serial):
    broken = tmp_path / "broken.fits"
    broken.write_bytes(images[0].read_bytes()[:-200_000])
    table = measure([broken, images[1]])
    assert "broken.fits" in table["error"][0]
    assert table["error"][1] == ""
    assert_serial(output, {"small": serial["small"]})
    lines = (output / "manifest.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["name"] for line in lines) == ["broken", "small"]


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no groups of processes")
def test_a_run_is_killed_and_resumed(measure, images, numbers, output):
    """In an image: what was measured stays as it is, and the worker does not outlive the run."""

    def written():
        return {int(path.stem) for path in output.glob("blocks/large/*/[0-9]*.parquet")}

    command = ["survey", *images[::-1], "-o", output, "--jobs", "1"]
    command += ["--tile-size", "100", "--tiles-per-task", "1"]
    ended = end_command(
        command, signal.SIGKILL, ready=lambda: len(written()) >= 2, whole_group=False
    )
    assert ended[0] == -signal.SIGKILL
    done = written()
    assert 2 <= len(done) < 9
    before = {path: path.stat().st_mtime_ns for path in output.glob("parts/*")}
    assert [path.stem for path in before] == ["small"]
    measure(images, tiles_per_task=1, **AS_COMMAND)
    assert set(numbers) == set(range(9)) - done
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert_serial(
        output, {image.stem: measure_image(image, psf=None, **AS_COMMAND) for image in images}
    )


# Which images are taken apart


@pytest.mark.parametrize(("tiles", "n_blocks"), [(8, 2), (9, 1), (1, 9), (100, 1), (None, 1)])
def test_images_of_more_tiles_are_taken_apart(tiles, n_blocks, images):
    (task,) = make_tasks(images[:1], OPTIONS)
    size = images[0].stat().st_size
    assert count_blocks(task, size, weights_path("universal"), tiles) == (n_blocks, 1)


def test_by_default_very_large_images_are(images, monkeypatch):
    (task,) = make_tasks(images[:1], OPTIONS)
    known = images[0].stat().st_size, weights_path("universal")
    monkeypatch.setattr(_survey_blocks, "_MAX_TILES", 8)
    monkeypatch.setattr(_survey_blocks, "_TILES_PER_BLOCK", 4)
    assert count_blocks(task, *known, None) == (3, 1)


def test_files_that_are_small_or_gzipped_are_not_opened(folder):
    paths = [folder / "absent.fits", folder / "zipped.fits.gz"]
    plain, zipped = make_tasks(paths, OPTIONS)
    assert count_blocks(plain, 5_000, None, 1) == (1, 1)  # 10,000 pixels at most, which is a tile
    assert count_blocks(zipped, 10**9, None, 1) == (1, 1)
    with pytest.raises(FileNotFoundError, match="absent"):
        count_blocks(plain, 5_001, weights_path("universal"), 1)


def test_tiles_per_task_is_a_number(output):
    with pytest.raises(ValueError, match="tiles_per_task=0 must be a positive integer"):
        measure_survey(["a.fits"], output=output, tiles_per_task=0)


def test_an_image_without_a_usable_pixel(measure, images, tmp_path):
    fits.writeto(tmp_path / "mask.fits", np.ones((300, 300), np.uint8))
    table = measure(images[:1], mask=tmp_path / "mask.fits", retries=0)
    assert table["error"][0] == (
        "ValueError: image has no usable pixel: all that are finite are masked"
    )
