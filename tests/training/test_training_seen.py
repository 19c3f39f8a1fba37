"""Training of the second generation, with scenes that are seen once."""

import errno
from pathlib import Path

import pytest
from helpers.tiny_training import train
from numpy.testing import assert_array_equal
from safetensors.torch import load, load_file

from sersicnet import SersicNet
from sersicnet.io.weights import read_weights
from sersicnet.training.contaminants import Contaminants


@pytest.fixture(scope="module")
def second(trained, tmp_path_factory):
    """File of weights of the second generation, which began with those of the first."""
    options = {"kind": "likelihood", "init": trained, "network": {"second_hidden": 16}}
    options |= {"n_scenes": 128, "epoch_scenes": 64, "contaminants": Contaminants.none()}
    return train(tmp_path_factory.mktemp("second"), **options)


def test_second_generation_begins_with_the_first(trained, second):
    tensors, metadata = read_weights(second)
    for name, tensor in read_weights(trained)[0].items():
        assert_array_equal(tensors[name.replace("flow.", "flow.first.", 1)], tensor)
    assert metadata["format"] == "sersicnet-2"
    assert metadata["record"]["n_train"] == 256 + 128
    assert metadata["record"]["frozen"] is True
    assert metadata["record"]["init"]["n_train"] == 256
    net = SersicNet.load(second)
    assert net.network == "likelihood"
    assert (net.network_.second_whiten.weight != 0).any()


def test_second_generation_goes_on_from_itself(second, tmp_path):
    options = {"kind": "likelihood", "init": second, "frozen": False, "seed": 2}
    options |= {"n_scenes": 32, "contaminants": Contaminants.none(), "network": {}}
    again = train(tmp_path, **options)
    before = read_weights(second)[0]
    tensors, metadata = read_weights(again)
    assert metadata["record"]["frozen"] is False
    for name in ("encoder.0.weight", "second_whiten.weight", "whiten.weight"):
        assert (tensors[name] != before[name]).any()


def test_second_generation_resumes(trained, tmp_path):
    """A run of one epoch, and of one more, has seen the scenes of both."""
    options = {"kind": "likelihood", "init": trained, "epoch_scenes": 32, "n_validation": 32}
    options |= {"n_kept": 64}
    options |= {"contaminants": Contaminants.none(), "network": {"second_hidden": 16}}
    for n_scenes in (32, 64):
        path = train(tmp_path, n_scenes=n_scenes, **options)
    _, metadata = read_weights(path)
    assert metadata["history"]["epoch"] == [0, 1]
    assert metadata["record"]["n_train"] == 256 + 64


def test_scenes_of_the_second_generation_are_seen_once(trained, tmp_path):
    """They are shown again, also by a run that goes on; what is damaged is seen again."""
    options = {"kind": "likelihood", "init": trained, "epoch_scenes": 32, "n_validation": 32}
    options |= {"contaminants": Contaminants.none(), "network": {"second_hidden": 16}}
    options |= {"n_kept": 64}
    train(tmp_path, n_scenes=96, **options)
    files = sorted(tmp_path.glob("seen_*.safetensors"))
    parts = ("0000", "0001", "validation")
    assert [file.name for file in files] == [f"seen_0_{part}.safetensors" for part in parts]
    before = [file.read_bytes() for file in files]
    files[1].write_bytes(before[1][:1000])
    files[0].write_bytes(before[1])  # of other scenes
    train(tmp_path, n_scenes=160, **options)
    for file, content in zip(files, before, strict=True):
        assert_array_equal(load_file(file)["images"], load(content)["images"])


def test_scenes_that_cannot_be_kept(trained, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    options = {"kind": "likelihood", "init": trained, "network": {"second_hidden": 16}}
    options |= {"n_scenes": 32, "n_validation": 32, "contaminants": Contaminants.none()}
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"seen_0_.*safetensors cannot be written: No space left"):
        train(tmp_path, **options)


def test_networks_that_do_not_fit(second, tmp_path):
    with pytest.raises(ValueError, match="kind='third' must be 'posterior' or 'likelihood'"):
        train(tmp_path, kind="third")
    with pytest.raises(ValueError, match=r"a network 'likelihood', from which kind='posterior'"):
        train(tmp_path, init=second)
