"""Networks in files."""

import numpy as np
import pytest
from safetensors.torch import save_file

from sersicnet import SersicNet
from sersicnet.io.weights import pretrained_path, read_weights, write_weights


def test_save_where_there_is_no_folder(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        trained.save(tmp_path / "nowhere" / "net.safetensors")


CNN = read_weights(pretrained_path("deeplegato-mag"))[1]["network_config"]
NSF = read_weights(pretrained_path("universal"))[1]["network_config"]
WRONG = [
    {"settings": None},
    {"settings": []},
    {"settings": {"color": "red"}},
    {"settings": {"stamp_size": 64}},
    {"parameters": None},
    {"parameters": 7},
    {"parameters": ["mass"]},
    {"parameters": ["mag", "n"]},
    {"network": "transformer"},
    {"network": ["cnn"]},
    {"network": "posterior"},
    {"network_config": None},
    {"network_config": [1, 2]},
    {"network_config": {}},
    {"network_config": CNN | {"hidden": 10**17}},
    {"network_config": CNN | {"hidden": -1}},
    {"network_config": CNN | {"hidden": "wide"}},
    {"network_config": CNN | {"hidden": 128}},
    {"network_config": CNN | {"channels": 10**17}},
    {"network_config": CNN | {"channels": [10**17]}},
    {"network_config": CNN | {"channels": []}},
    {"network_config": CNN | {"channels": [16] * 10000}},
    {"network_config": CNN | {"stamp_size": 10**17}},
    {"network_config": CNN | {"n_labels": 2}},
    {"network_config": CNN | {"extra": 1}},
    {"label_range": [1, 2, 3]},
    {"label_range": "wide"},
    {"label_range": {"low": 0}},
    {"history": [1]},
    {"history": None},
    {"record": None},
    {"record": "none"},
    {"record": {"images": [0.1, 0.2]}},
    {"record": {"images": {"side": 40}}},
    {"record": {"images": {"side": "large"}}},
]


@pytest.mark.parametrize("change", WRONG, ids=str)
def test_wrong_metadata_with_the_right_checksum(change, tmp_path):
    tensors, metadata = read_weights(pretrained_path("deeplegato-mag"))
    path = tmp_path / "wrong.safetensors"
    write_weights(path, tensors, metadata | change)
    with pytest.raises(
        ValueError, match=r"wrong.safetensors does not describe a trained SersicNet"
    ):
        SersicNet.load(path)


@pytest.mark.parametrize("change", [{"blocks": 10**17}, {"transforms": 10**9}, {"context": 10**17}])
def test_wrong_sizes_of_the_universal_network(change, tmp_path):
    tensors, metadata = read_weights(pretrained_path("universal"))
    path = tmp_path / "wrong.safetensors"
    write_weights(path, tensors, metadata | {"network_config": NSF | change})
    with pytest.raises(ValueError, match=r"wrong.safetensors does not describe .* more than the"):
        SersicNet.load(path)


@pytest.mark.parametrize("name", ["settings", "parameters", "network", "network_config", "record"])
def test_missing_metadata(name, tmp_path):
    tensors, metadata = read_weights(pretrained_path("deeplegato-mag"))
    metadata.pop(name)
    path = tmp_path / "wrong.safetensors"
    write_weights(path, tensors, metadata)
    with pytest.raises(ValueError, match=f"wrong.safetensors does not .* KeyError: '{name}'"):
        SersicNet.load(path)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_wrong_tensors(change, tmp_path):
    tensors, metadata = read_weights(pretrained_path("deeplegato-mag"))
    name = sorted(tensors)[0]
    if change == "missing":
        tensors.pop(name)
    elif change == "extra":
        tensors["more"] = tensors[name].clone()
    else:
        tensors[name] = tensors[name][None]
    path = tmp_path / "wrong.safetensors"
    write_weights(path, tensors, metadata)
    with pytest.raises(ValueError, match=r"wrong.safetensors does not describe .* RuntimeError"):
        SersicNet.load(path)


def test_deep_json(tmp_path):
    tensors, _ = read_weights(pretrained_path("deeplegato-mag"))
    path = tmp_path / "deep.safetensors"
    save_file(tensors, path, metadata={"sersicnet": 100_000 * "["})
    with pytest.raises(ValueError, match=r"deep.safetensors is not a readable safetensors file"):
        SersicNet.load(path)


def test_a_header_of_impossible_length(tmp_path):
    path = tmp_path / "long.safetensors"
    path.write_bytes(np.uint64(10**17).tobytes() + b"{}")
    with pytest.raises(ValueError, match=r"long.safetensors is not a readable safetensors file"):
        SersicNet.load(path)
