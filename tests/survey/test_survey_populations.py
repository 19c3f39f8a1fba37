"""The population of a survey, which is inferred first and used for all images."""

import json
from functools import partial

import numpy as np
import pytest
from helpers.fields import make_field, render, truth_table
from helpers.measured import value
from helpers.populations import draw_truth
from helpers.populations import measure as measure_toy
from numpy.testing import assert_allclose

from sersicnet import Population, SersicNet
from sersicnet.diagnostics.schema import POPULATION_COLUMNS
from sersicnet.io.cutouts import write_cutout
from sersicnet.io.tables import read_table
from sersicnet.measure import measure_image
from sersicnet.survey.populations import _infer, _rounds, sample_task
from sersicnet.survey.records import checksum
from sersicnet.survey.run import measure_survey
from sersicnet.survey.tasks import make_tasks

pytest.importorskip("dask.distributed")
pytest.importorskip("pyarrow")
pytest.importorskip("pandas")  # reads Parquet

ADDED = {column.name for column in POPULATION_COLUMNS}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for seed, name in enumerate("ab"):
        write_cutout(make_field(render(truth_table(seed)), seed=seed), folder / f"{name}.fits")
    return [folder / "a.fits", folder / "b.fits"]


@pytest.fixture(scope="module")
def run(images, thread, tmp_path_factory):
    """Folder of a survey; its first image was measured in blocks."""
    output = tmp_path_factory.mktemp("survey") / "output"
    rows = [{"image": images[0], "tile_size": 200}, {"image": images[1]}]
    measure_survey(rows, output=output, client=thread, population="infer", tiles_per_task=2)
    return output


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The file of another population."""
    path = tmp_path_factory.mktemp("toy") / "toy.safetensors"
    Population.infer(measure_toy(draw_truth(30))).save(path)
    return path


def test_one_population_for_all_images(run, images):
    """That of the file in the folder; what was measured is not overwritten."""
    population = Population.load(run / "population.safetensors")
    assert population.record["n_galaxies"] >= 20
    net = SersicNet.from_pretrained().set_params(device="cpu")
    for image in images:
        found = read_table(run / "parts" / f"{image.stem}.parquet")
        expected = measure_image(image, net=net, population=population)
        assert set(found.colnames) >= ADDED
        assert found.meta["POPULATN"] == population.about
        for name in (*ADDED, "mag", "n"):
            assert_allclose(value(found[name]), value(expected[name]), rtol=0.01, atol=0.01)
        assert not np.array_equal(value(found["n"]), value(found["n_population"]))


def test_its_checksum_is_in_the_manifest(run):
    sha256 = checksum(run / "population.safetensors")
    lines = (run / "manifest.jsonl").read_text().splitlines()
    assert {json.loads(line)["options"]["population"] for line in lines} == {sha256}


def test_a_later_call_uses_it(run, images, thread, monkeypatch):
    """It is not inferred again, for images that are missing."""
    before = checksum(run / "population.safetensors")
    (run / "parts" / "b.parquet").unlink()
    monkeypatch.delattr("sersicnet.survey.populations._infer")
    rows = [{"image": images[0], "tile_size": 200}, {"image": images[1]}]
    again = partial(measure_survey, rows, output=run, client=thread, tiles_per_task=2)
    table = again(population="infer")
    assert (table["error"] == "").all()
    assert checksum(run / "population.safetensors") == before
    again(population=run / "population.safetensors")


def test_other_populations_raise(run, images, toy, thread):
    measure = partial(measure_survey, output=run, client=thread)
    with pytest.raises(ValueError, match=r"is not the one that images in output=.* another folder"):
        measure([images[1]], population=toy)
    with pytest.raises(ValueError, match=r"population='the default', which was"):
        measure([images[1]])
    known = Population.known(lambda *values: np.zeros_like(values[0]))
    with pytest.raises(ValueError, match=r"known by a function, which cannot be kept"):
        measure([images[1]], population=known)


def test_a_changed_file_raises(run, images, toy, thread):
    path = run / "population.safetensors"
    content = path.read_bytes()
    path.write_bytes(toy.read_bytes())
    try:
        with pytest.raises(ValueError, match=r"is not the population that images of this survey"):
            measure_survey([images[1]], output=run, client=thread, population="infer")
    finally:
        path.write_bytes(content)


def test_few_galaxies_raise(images, thread, tmp_path):
    measure = partial(measure_survey, output=tmp_path, client=thread, population="infer")
    with pytest.raises(ValueError, match=r"results have 0 usable galaxies of 0"):
        measure([images[0]], threshold=1e6)
    broken = tmp_path / "broken.fits"
    broken.write_bytes(images[0].read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"no image could be sampled: .*broken.fits"):
        measure([broken], psf=images[0], retries=0)


def test_images_that_cannot_be_sampled_do_not_end_a_survey(tmp_path):
    """Also if they are all of a round; their own measurement reports their errors."""
    path = tmp_path / "image.fits"
    path.write_text("")
    tasks = make_tasks([{"image": path, "name": f"{number}"} for number in range(65)], {})
    rng = np.random.default_rng(1)
    part = {"points": rng.normal(size=(100, 64, 4)), "log_weights": np.zeros((100, 64))}
    rounds = []

    def run(function, chosen):
        rounds.append(len(chosen))
        if len(chosen) == 1 or len(rounds) == 1:
            return [], OSError("broken")
        return [{"n_sources": 100, **part}], OSError("broken")

    assert _infer(tasks, run).record["n_galaxies"] == 100 * (len(rounds) - 2)
    assert rounds[-1] == 1


def test_a_population_of_a_file(images, toy, tmp_path, measured, thread):
    """It is copied into the folder, and no sample is measured."""
    output = tmp_path / "output"
    text = tmp_path / "text.fits"
    text.write_text("good")
    measure_survey([text], output=output, client=thread, population=toy)
    assert checksum(output / "population.safetensors") == checksum(toy)
    assert measured[0]["population"] == output / "population.safetensors"


def test_rounds_are_shares_of_the_squares(tmp_path):
    """Five percent first, then more; of many images, some."""
    path = tmp_path / "image.fits"
    path.write_text("")
    tasks = make_tasks([{"image": path, "name": f"{number}"} for number in range(200)], {})
    rounds = list(_rounds(tasks, 0))
    chosen, shares, most = rounds[0]
    assert (len(chosen), most) == (64, 6)
    assert shares[1] - shares[0] == pytest.approx(0.05 * 200 / 64)
    names = [task.name for tasks, (low, high), _ in rounds for task in tasks if high == 1]
    assert sorted(names) == sorted(task.name for task in tasks)
    first = [tasks for tasks, _, _ in _rounds(tasks[:3], 0)]
    assert all(len(part) == 3 for part in first)
    assert next(shares for _, shares, _ in _rounds(tasks[:1], 0)) == (0, 0.05)


def test_samples_of_an_image_add_up(images, monkeypatch):
    """Two shares are the whole."""
    from sersicnet.io.weights import weights_path

    monkeypatch.setattr("sersicnet.measure.samples._SIDE", 200)
    task = make_tasks(images[:1], {})[0]
    weights = weights_path("universal").absolute()
    parts = []
    for shares in ((0.0, 0.3), (0.3, 1.0), (0.0, 1.0)):
        parts.append(sample_task(task, weights, shares=shares, most=None))
    assert parts[0]["n_sources"] + parts[1]["n_sources"] == parts[2]["n_sources"]
    joined = np.concatenate([parts[0]["points"], parts[1]["points"]])
    assert_allclose(joined, parts[2]["points"], atol=0.01)
