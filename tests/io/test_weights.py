"""Weights on disk: what comes back, what is refused, and those that are shipped."""

import json
import pickle
import struct

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.torch import save_file

from sersicnet import SersicNet
from sersicnet.cli.recipes import RECIPES
from sersicnet.diagnostics.comparison import compare
from sersicnet.io.weights import list_pretrained, pretrained_path, read_weights, write_weights
from sersicnet.parameters import PARAMETERS
from sersicnet.simulate_catalog.catalog import draw_catalog
from sersicnet.simulate_catalog.render import render_catalog

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(7)}
METADATA = {"settings": {"seed": 0, "rate": 0.1}, "parameters": ["mag"], "history": [0.1, 1e-30]}


@pytest.fixture
def weights(tmp_path):
    """A small file of weights."""
    path = tmp_path / "net.safetensors"
    write_weights(path, TENSORS, METADATA)
    return path


def split(path):
    """The length of the header, the header and the tensors of a safetensors file, as bytes."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return content[:8], content[8 : 8 + length], content[8 + length :]


def test_what_is_written_comes_back(weights):
    tensors, metadata = read_weights(weights)
    assert metadata == {"format": "sersicnet-1", **METADATA}
    assert set(tensors) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert_array_equal(tensors[name], tensor)


def test_any_memory_layout(tmp_path):
    tensor = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    write_weights(tmp_path / "net", {"a": tensor, "t": tensor[0, 0].T}, METADATA)
    tensors, _ = read_weights(tmp_path / "net")
    assert_array_equal(tensors["a"], tensor)
    assert_array_equal(tensors["t"], tensor[0, 0].T)


def test_nothing_is_pickled(weights):
    """A JSON header, then the numbers of the tensors, and no more."""
    _, header, content = split(weights)
    header = json.loads(header)
    metadata = header.pop("__metadata__")
    assert json.loads(metadata["sersicnet"])["parameters"] == ["mag"]
    assert sum(np.diff(entry["data_offsets"])[0] for entry in header.values()) == len(content)
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(weights.read_bytes())


def test_writing_replaces_the_file_and_leaves_no_other(weights):
    write_weights(weights, TENSORS, METADATA | {"history": []})
    assert read_weights(weights)[1]["history"] == []
    assert list(weights.parent.iterdir()) == [weights]


def test_others_may_read_it(weights):
    """As any file; the wheel keeps the permissions."""
    (weights.parent / "any").touch()
    assert weights.stat().st_mode == (weights.parent / "any").stat().st_mode


def test_failed_write_keeps_the_old_file(weights):
    with pytest.raises(TypeError, match=r"the metadata hold .* object is not JSON serializable"):
        write_weights(weights, TENSORS, {"history": object()})
    assert read_weights(weights)[1]["history"] == METADATA["history"]
    assert list(weights.parent.iterdir()) == [weights]


def test_half_a_write_keeps_the_old_file(weights, monkeypatch):
    before = weights.read_bytes()

    def write_half(path, content):
        path.write_text("half")
        msg = "the disk is full"
        raise OSError(msg)

    monkeypatch.setattr(type(weights), "write_bytes", write_half)
    with pytest.raises(OSError, match="the disk is full"):
        write_weights(weights, TENSORS, METADATA)
    assert weights.read_bytes() == before
    assert list(weights.parent.iterdir()) == [weights]


def reads(path):
    """The metadata, or the message of the refusal."""
    try:
        return read_weights(path)[1]
    except ValueError as error:
        return str(error)


def test_every_single_damaged_byte_is_noticed(weights):
    content, sound = weights.read_bytes(), reads(weights)
    bad = weights.with_name("damaged.safetensors")
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0x04
        bad.write_bytes(damaged)
        assert "damaged.safetensors" in reads(bad)
    assert sound == reads(weights)


@pytest.mark.parametrize("part", ["tensors", "metadata"])
def test_corrupted(weights, part):
    length, header, content = split(weights)
    if part == "tensors":
        content = content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]
    else:
        header = header.replace(b"mag", b"mog")
    weights.write_bytes(length + header + content)
    with pytest.raises(ValueError, match=r"net.safetensors is corrupted: the checksum does not"):
        read_weights(weights)


@pytest.mark.parametrize("length", [0, 4, 60, -1])
def test_truncated(weights, length):
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"net.safetensors is not a readable safetensors file"):
        read_weights(weights)


@pytest.mark.parametrize("content", [b"", b"no weights at all", pickle.dumps([1]), b"\xff" * 99])
def test_not_safetensors(tmp_path, content):
    path = tmp_path / "other.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other.safetensors is not a readable safetensors file"):
        read_weights(path)


@pytest.mark.parametrize(
    "metadata", [None, {}, {"format": "pt"}, {"sersicnet": "{}"}, {"sersicnet": "[1]"}]
)
def test_foreign_safetensors(tmp_path, metadata):
    path = tmp_path / "foreign.safetensors"
    save_file(TENSORS, path, metadata=metadata)
    with pytest.raises(ValueError, match=r"foreign.safetensors was not written by SersicNet.save"):
        read_weights(path)


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no weights file .*nothing.safetensors"):
        SersicNet.load(tmp_path / "nothing.safetensors")
    with pytest.raises(FileNotFoundError, match="there is no weights file"):
        SersicNet.load(tmp_path)


# Shipped weights


shipped = pytest.mark.parametrize("name", RECIPES)


def test_list_of_shipped_weights():
    table = SersicNet.list_pretrained()
    assert table.colnames == list_pretrained().colnames
    assert set(RECIPES) <= set(table["name"])
    for row in table:
        net = SersicNet.from_pretrained(row["name"])
        assert ", ".join(net.parameters) == row["parameters"]
        assert net.network == row["network"]
        assert row["n_trained"] > 0


def test_list_without_any(tmp_path, monkeypatch):
    monkeypatch.setattr("sersicnet.io.weights._FOLDER", tmp_path)
    assert len(list_pretrained()) == 0
    with pytest.raises(ValueError, match=r"name='universal' must be .*: there are none"):
        pretrained_path("universal")


@pytest.mark.parametrize(
    "name", ["../weights/universal", "./universal", "universal.safetensors", ""]
)
def test_a_name_is_not_a_path(name):
    with pytest.raises(ValueError, match=r"name='.*' must be one of the shipped weights: cosmos"):
        SersicNet.from_pretrained(name)


def test_unknown_name():
    with pytest.raises(ValueError, match=r"name='imfit' must be one of the shipped .*deeplegato"):
        SersicNet.from_pretrained("imfit")


@shipped
def test_shipped_file(name):
    path, recipe = pretrained_path(name), RECIPES[name]
    assert path.stat().st_size <= 16e6
    with safe_open(path, "np") as file:
        assert "sersicnet" in file.metadata()
    net = SersicNet.from_pretrained(name)
    assert net.parameters == net.parameters_ == recipe.parameters
    assert net.record_["description"] == recipe.description
    assert net.record_["simulation"] == json.loads(json.dumps(recipe.survey().to_dict()))
    assert net.record_["n_galaxies"] == recipe.n_galaxies
    assert set(net.record_["test_r2"]) == set(recipe.parameters)
    assert len(net.history_["val_loss"]) == len(net.history_["epoch"])


def test_shipped_weights_measure_what_they_were_made_for():
    """Bright, well resolved galaxies of another seed; bounds are several times the usual error.

    Weights for CANDELS are in ``test_shipped_weights``.
    """
    name = "cosmos"
    config = RECIPES[name].survey()
    catalog = draw_catalog(400, config, seed=77)
    bright = np.sort(catalog["mag"])[60]
    large = catalog["r_eff"] > np.median(catalog["r_eff"])
    catalog = catalog[(catalog["mag"] < bright) & large][:16]
    net = SersicNet.from_pretrained(name)
    results = net.predict(render_catalog(catalog, config, seed=77))
    bounds = {"mag": 0.1, "r_eff": 0.1, "n": 0.6, "q": 0.1, "theta": 15, "x_0": 0.3, "y_0": 0.3}
    for parameter in net.parameters:
        comparison = compare(results, catalog, parameter)
        assert comparison.n == len(catalog)
        assert np.median(np.abs(comparison.error)) < bounds[parameter], parameter
    errors = {name: results.error(name) for name in net.parameters}
    assert all((error > 0).all() for error in errors.values())
    assert set(errors) <= set(PARAMETERS)
