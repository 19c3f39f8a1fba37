"""Many images on a Dask cluster: processes that die, files that are broken, runs that go on."""

import asyncio
import os
import shutil
import signal
import sys
import time
from concurrent.futures import Future
from threading import Event, Thread

import numpy as np
import pytest
from astropy.table import QTable
from helpers.clusters import QUIET
from helpers.fields import make_field, render, truth_table
from helpers.scripts import end_command
from helpers.surveyed import names
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import SersicNet
from sersicnet.io.cutouts import write_cutout
from sersicnet.measure.image import measure_image
from sersicnet.survey import run as survey_run
from sersicnet.survey.columns import complete_columns
from sersicnet.survey.run import measure_survey, read_manifest

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("dask.distributed")
pytest.importorskip("pyarrow")
pytest.importorskip("pandas")  # reads Parquet

SIDE = 200
NAMES = ("a", "b", "c", "empty")
# Seconds after which something hangs: far longer than anything here takes.
PATIENCE = 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three images with galaxies, and one with noise only."""
    folder = tmp_path_factory.mktemp("images")
    for seed, name in enumerate(NAMES):
        truth = truth_table(seed)
        inside = (np.maximum(truth["x_0"], truth["y_0"]) < SIDE) & (name != "empty")
        truth = {column: values[inside] for column, values in truth.items()}
        write_cutout(make_field(render(truth, (SIDE, SIDE)), seed=seed), folder / f"{name}.fits")
    return folder


@pytest.fixture(scope="module")
def images(folder):
    return [folder / f"{name}.fits" for name in NAMES]


@pytest.fixture(scope="module")
def serial(images):
    """The same without a cluster."""
    net = SersicNet.from_pretrained().set_params(device="cpu")
    return {image.stem: measure_image(image, psf=None, net=net) for image in images}


@pytest.fixture(scope="module")
def client():
    """Two processes of one thread."""
    options = {"n_workers": 2, "threads_per_worker": 1, "silence_logs": 50, **QUIET}
    with (
        distributed.LocalCluster(processes=True, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def broken(images, tmp_path_factory):
    """Half of a file."""
    path = tmp_path_factory.mktemp("broken") / "broken.fits"
    path.write_bytes(images[0].read_bytes()[:200_000])
    return path


@pytest.fixture(scope="module")
def run(client, images, broken, tmp_path_factory):
    """Output and table of a run with a broken file among the images."""
    output = tmp_path_factory.mktemp("run") / "output"
    table = measure_survey([broken, *images], output=output, client=client, retries=1)
    return output, table


def assert_serial(output, serial):
    """The parts together are what one image after the other gives."""
    assert {path.stem for path in (output / "parts").iterdir()} == set(serial)
    for name, expected in serial.items():
        found = QTable.read(output / "parts" / f"{name}.parquet")
        expected = complete_columns(expected)
        assert found.colnames == ["image", *expected.colnames]
        assert (found["image"] == name).all()
        assert dict(found.meta) == expected.meta | {"IMAGE": f"{name}.fits"}
        for column in expected.colnames:
            assert found[column].unit == expected[column].unit
            values = (np.asarray(table[column]) for table in (found, expected))
            assert_allclose(*values, rtol=1e-4, atol=1e-4, err_msg=f"{name} {column}")
        assert_array_equal(found["flags"], expected["flags"])


def read_text(path):
    """The text of a file, empty where there is none yet."""
    if not path.exists():
        return ""
    return path.read_text()


def put_in_place(image, path):
    """A copy of a file in the place of another one or of a pipe."""
    copy = path.with_suffix(".copy")
    copy.write_bytes(image.read_bytes())
    copy.replace(path)


def in_background(function):
    """The future result of a function, for which Python's end does not wait."""
    future = Future()

    def call():
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=call, daemon=True).start()
    return future


def wait_until(attempt):
    """What ``attempt`` returns when it returns something."""
    for _ in range(PATIENCE * 20):
        found = attempt()
        if found is not None:
            return found
        time.sleep(0.05)
    return pytest.fail(f"nothing happened within {PATIENCE} s")


def open_for_reader(path):
    """The end of a pipe to write to, when somebody reads at the other."""

    def attempt():
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return None

    return wait_until(attempt)


# With processes

with_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")


def test_the_parts_are_what_one_image_after_the_other_gives(run, serial):
    output, table = run
    assert_serial(output, serial)
    assert sum(len(each) for each in serial.values()) > 10
    assert list(table["name"]) == ["broken", *NAMES]
    assert list(table["n_sources"]) == [0, *(len(serial[name]) for name in NAMES)]


def test_a_broken_file_is_reported(run, broken):
    output, table = run
    assert "broken.fits" in table["error"][0]
    assert (table["image"][0], table["part"][0]) == (str(broken), "")
    assert list(table["error"][1:]) == [""] * len(NAMES)
    assert (table["seconds"][1:] > 0).all()
    recorded = read_manifest(output)
    recorded = recorded[[list(recorded["name"]).index(name) for name in table["name"]]]
    assert (recorded.as_array() == table.as_array())[1:].all()


def test_parts_are_one_dataset(run):
    """All have the same columns of the same kind, also that of an image without sources."""
    from pyarrow import parquet

    output, table = run
    schemas = [parquet.read_schema(path) for path in (output / "parts").iterdir()]
    assert all(schema.equals(schemas[0]) for schema in schemas)
    assert parquet.read_table(output / "parts").num_rows == table["n_sources"].sum()


@pytest.mark.usefixtures("run")
def test_each_worker_loads_the_weights_once(client):
    def misses():
        return survey_run.load_network.cache_info().misses

    counts = client.run(misses).values()
    assert max(counts) == 1


def test_only_what_is_missing_is_measured(run, client, images, broken, folder, serial, tmp_path):
    """Parts that are gone, images that failed, and nothing else."""
    output = shutil.copytree(run[0], tmp_path / "output")  # other tests see what the run has left
    before = {path: path.stat().st_mtime_ns for path in (output / "parts").iterdir()}
    (output / "parts" / "c.parquet").unlink()
    whole = broken.read_bytes()
    try:
        broken.write_bytes(images[0].read_bytes())
        table = measure_survey([broken, *images], output=output, client=client)
    finally:
        broken.write_bytes(whole)
    assert list(table["error"]) == [""] * 5
    after = {path: path.stat().st_mtime_ns for path in (output / "parts").iterdir()}
    changed = {path.stem for path in after if after[path] != before.get(path)}
    assert changed == {"c", "broken"}
    assert_serial(output, serial | {"broken": serial["a"]})


def kill_reader(client, name):
    """Kill the process that measures an image, and return its number."""
    reading = [at for at, keys in client.processing().items() if name in {key[1] for key in keys}]
    (pid,) = client.run(os.getpid, workers=reading).values()
    os.kill(pid, signal.SIGKILL)
    return pid


@with_pipes
def test_a_worker_dies(client, images, serial, tmp_path):
    """Another one does what it did."""
    pipe, output = tmp_path / "b.fits", tmp_path / "output"
    os.mkfifo(pipe)  # who reads it, waits
    given = [images[0], pipe, *images[2:]]
    running = in_background(lambda: measure_survey(given, output=output, client=client))
    end = open_for_reader(pipe)
    put_in_place(images[1], pipe)
    pid = kill_reader(client, "b")
    table = running.result(timeout=PATIENCE)
    os.close(end)
    assert list(table["error"]) == [""] * len(NAMES)
    assert pid not in client.run(os.getpid).values()
    assert_serial(output, serial)


@with_pipes
def test_an_image_that_workers_die_of_is_given_up(client, tmp_path):
    """After as many deaths as Dask allows, here one."""
    pipe, scheduler = tmp_path / "b.fits", client.cluster.scheduler
    os.mkfifo(pipe)
    before, scheduler.allowed_failures = scheduler.allowed_failures, 0
    try:
        options = {"output": tmp_path / "output", "client": client}
        running = in_background(lambda: measure_survey([pipe], **options))
        end = open_for_reader(pipe)
        kill_reader(client, "b")
        table = running.result(timeout=PATIENCE)
    finally:
        scheduler.allowed_failures = before
    os.close(end)
    assert table["error"][0].startswith("KilledWorker: ")


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no groups of processes")
@pytest.mark.parametrize(
    ("number", "whole_group", "status", "word"),
    [(signal.SIGTERM, False, 143, "terminated"), (signal.SIGINT, True, 130, "interrupted")],
)
def test_a_survey_ends(number, whole_group, status, word, images, tmp_path):
    """In one line, with all of its processes; the next run goes on."""
    output = tmp_path / "output"
    waits = tmp_path / "waits.fits"
    os.mkfifo(waits)  # an image that is never there
    ended = end_command(
        ["survey", images[-1], waits, "-j", "1", "--quiet", "-o", output],
        number,
        ready=lambda: "empty" in read_text(output / "manifest.jsonl"),
        whole_group=whole_group,
    )
    assert ended == (status, "", f"sersicnet: {word}\n")
    assert [path.name for path in (output / "parts").iterdir()] == ["empty.parquet"]
    assert list(read_manifest(output)["name"]) == ["empty"]


def test_a_cluster_of_ours(broken, tmp_path, capfd):
    """It prints nothing of an image that cannot be read, and strangers cannot use it; it is lean.

    The error is in the table. Other users of the machine reach the port of the cluster: whoever
    can connect can run code.
    """
    with survey_run._connected(None, 1) as client:
        table = measure_survey([broken], output=tmp_path / "output", client=client, retries=1)
        assert "broken.fits" in table["error"][0]
        assert capfd.readouterr() == ("", "")
        address = client.scheduler.address
        assert client.submit(sum, [1, 2]).result(timeout=PATIENCE) == 3
        profiled = client.run(dask.config.get, "distributed.worker.profile.enabled")
        assert list(profiled.values()) == [False]
        assert address.startswith("tls://")
        strangers = [
            (address, None),
            (address.replace("tls", "tcp"), None),
            (address, distributed.Security.temporary()),
        ]
        for place, security in strangers:
            options = {}
            if security is not None:
                options = security.get_connection_args("client")
            with pytest.raises((OSError, TypeError, ValueError)):
                asyncio.run(talk(place, options))


async def talk(address, options):
    """Ask a scheduler who it is."""
    comm = await distributed.comm.connect(address, timeout=5, **options)
    await comm.write({"op": "identity", "reply": True})
    await asyncio.wait_for(comm.read(), timeout=5)


def test_a_cluster_of_ours_has_no_status_page(images, tmp_path, monkeypatch):
    """It would take a port, and show what is measured to all who can reach the machine."""
    seen = {}

    def begin(**options):
        seen.update(options)
        msg = "seen enough"
        raise RuntimeError(msg)

    monkeypatch.setattr(distributed, "LocalCluster", begin)
    with pytest.raises(RuntimeError, match="seen enough"):
        measure_survey(images, output=tmp_path / "output")
    assert seen["scheduler_kwargs"]["dashboard"] is False
    assert seen["dashboard_address"].startswith("127.0.0.1:")


# Without a network: what is done, and what is not done again


def test_what_failed_is_tried_again_a_few_times(measure, measured, three):
    three[1].write_text("bad")
    table = measure(three, retries=2)
    assert list(table["error"]) == ["", "OSError: it is bad", ""]
    assert sorted(names(measured)) == ["a", "b", "b", "b", "c"]
    measured.clear()
    assert list(measure(three, retries=0)["error"]) == list(table["error"])
    assert names(measured) == ["b"]
    three[1].write_text("good")
    assert list(measure(three)["n_sources"]) == [2, 2, 2]


def test_an_image_that_needs_too_much_memory(measure, measured, three):
    """The others are measured."""
    three[1].write_text("large")
    table = measure(three, retries=0)
    assert list(table["error"] == "") == [True, False, True]
    assert "b.fits needs more memory than there is" in table["error"][1]


def test_a_cluster_that_is_gone(thread, measure, measured, three, monkeypatch):
    """What was recorded is kept, nothing is taken for an image that cannot be measured."""
    started, go_on = Event(), Event()

    def measure_slowly(image, **_):
        started.set()
        go_on.wait(PATIENCE)
        return QTable({"id": [0]})

    monkeypatch.setattr(survey_run, "measure_catalog", measure_slowly)
    running = in_background(lambda: measure(three[:1]))
    assert started.wait(PATIENCE)
    (key,) = next(iter(thread.processing().values()))
    thread.cancel([distributed.Future(key, thread)], force=True)
    go_on.set()
    with pytest.raises(RuntimeError, match="the cluster dropped 'a'"):
        running.result(timeout=PATIENCE)


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        ("a.fits", {}, TypeError, "images='a.fits' must be a list or a table"),
        ([], {}, ValueError, "images is empty"),
        (["x/a.fits", "y/a.fits.gz"], {}, ValueError, "images has 2 with the name 'a'"),
        ([{"name": "a"}], {}, ValueError, "images has a row with name: 'image', the path"),
        (
            [{"image": "a.fits", "name": "x/y"}],
            {},
            ValueError,
            "name='x/y' must be a file name without slashes",
        ),
        (
            [{"image": "a.fits"}, {"image": "b.fits", "threshold": -1}],
            {},
            ValueError,
            "images has 'b' with an option that cannot be: threshold=-1",
        ),
        (["_a.fits"], {}, ValueError, "name='_a' must be a file name"),
        ([np.zeros((2, 2))], {}, TypeError, "image must be the path of a file .* not ndarray"),
        (["a.fits"], {"psf": np.ones((3, 3))}, TypeError, "psf must be the path of a file"),
        (["a.fits"], {"psf": "absent.fits"}, FileNotFoundError, "psf='.*absent.fits' does not"),
        (["a.fits"], {"treshold": 2}, ValueError, "'treshold' is not an option of measure_image"),
        (["a.fits"], {"zeropoint": [1, 2]}, TypeError, r"zeropoint=\[1, 2\] must be one number"),
        (["a.fits"], {"client": "tcp://a:1"}, TypeError, "client must be a .*Client, not str"),
        (["a.fits"], {"n_workers": 0}, ValueError, "n_workers=0 must be a positive integer"),
        (["a.fits"], {"retries": -1}, ValueError, "retries=-1 must be a non-negative integer"),
        (["a.fits"], {"weights": "x"}, ValueError, "name='x' must be one of the shipped"),
        (["a.fits"], {"weights": "x.safetensors"}, FileNotFoundError, "weights=.* cannot be read"),
    ],
)
def test_bad_calls(images, options, error, message, tmp_path):
    with pytest.raises(error, match=message):
        measure_survey(images, output=tmp_path / "output", **options)
    assert not (tmp_path / "output").exists()


def test_a_client_has_its_workers(thread, tmp_path):
    with pytest.raises(ValueError, match="n_workers=2 cannot be given with client"):
        measure_survey(["a.fits"], output=tmp_path, client=thread, n_workers=2)


def test_what_is_read_is_not_overwritten(tmp_path):
    """A catalog may be a part of an older survey, in whose folder images are measured again."""
    part = tmp_path / "parts" / "a.parquet"
    part.parent.mkdir()
    part.write_bytes(b"catalog")
    (tmp_path / "a.fits").write_bytes(b"pixels")
    images = [tmp_path / "a.fits"]
    with pytest.raises(ValueError, match=r"output=.* would overwrite catalog=.*a.parquet'"):
        measure_survey(images, output=tmp_path, catalog=part)
    with pytest.raises(NotADirectoryError, match=r"output=.*a.fits' is a file, and a folder"):
        measure_survey(images, output=tmp_path / "a.fits")
    (tmp_path / "samples").write_bytes(b"mine")
    with pytest.raises(NotADirectoryError, match=r"samples' is a file, and a folder"):
        measure_survey(images, output=tmp_path)
    assert part.read_bytes() == b"catalog"


def test_nothing_was_measured(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no manifest.jsonl: nothing was measured"):
        read_manifest(tmp_path)


def test_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setattr("sersicnet.survey.run.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs pyarrow .* pip install 'sersicnet\[survey\]'"):
        measure_survey(["a.fits"], output=tmp_path)


def test_without_dask(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(ImportError, match=r"needs Dask: pip install 'sersicnet\[survey\]'"):
        measure_survey(["a.fits"], output=tmp_path)


def test_without_cryptography(tmp_path, monkeypatch):
    absent = {"cryptography": None}
    monkeypatch.setattr("sersicnet.survey.run.find_spec", lambda name: absent.get(name, name))
    with pytest.raises(ImportError, match=r"needs cryptography: pip install 'sersicnet\[survey\]'"):
        measure_survey(["a.fits"], output=tmp_path)
