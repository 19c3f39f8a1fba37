"""Networks in files."""

import numpy as np
import pytest
from helpers.rendered import labels_of, make_cutout, render, star
from numpy.testing import assert_array_equal
from safetensors.torch import save_file

from sersicnet import SersicNet
from sersicnet.io.weights import pretrained_path, read_weights, write_weights
from sersicnet.model.prior import prior_record
from sersicnet.networks.registry import build_network


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


# --- the second generation --------------------------------------------------------------------


def make_likelihood(path, **changes):
    """A file of an untrained network of the second generation."""
    _, metadata = read_weights(pretrained_path("universal"))
    network = build_network("likelihood", channels=(8, 16), hidden=16, context=8, flow_hidden=16)
    metadata["settings"]["network"] = "likelihood"
    metadata |= {"network": "likelihood", "network_config": network.config}
    metadata.pop("format")
    write_weights(path, network.state_dict(), metadata | {"prior": prior_record()} | changes)
    return path


def test_round_trip_with_a_prior(tmp_path):
    net = SersicNet.load(make_likelihood(tmp_path / "one.safetensors"))
    net.save(tmp_path / "two.safetensors")
    tensors, metadata = read_weights(tmp_path / "two.safetensors")
    assert metadata["format"] == "sersicnet-2"
    assert metadata["prior"] == prior_record()
    for name, tensor in read_weights(tmp_path / "one.safetensors")[0].items():
        assert_array_equal(tensors[name], tensor)
    assert read_weights(pretrained_path("universal"))[1]["format"] == "sersicnet-1"


def test_another_prior(tmp_path):
    wider = prior_record() | {"offset": [-6.0, 6.0]}
    path = make_likelihood(tmp_path / "wide.safetensors", prior=wider)
    with pytest.raises(ValueError, match=r"prior: offset is \[-6.0, 6.0\], but \[-3.0, 3.0\]"):
        SersicNet.load(path)


def test_it_cannot_be_fitted_to_cutouts(tmp_path):
    net = SersicNet.load(make_likelihood(tmp_path / "one.safetensors"))
    with pytest.raises(ValueError, match="cannot be fitted to cutouts yet"):
        net.fit([], {}, warm_start=True)


def test_it_predicts(tmp_path):
    """Also by importance sampling, and in all orientations."""
    net = SersicNet.load(make_likelihood(tmp_path / "one.safetensors"))
    image = render([labels_of(r_eff=4)], star(3.0), size=64)[0]
    noise = np.random.default_rng(1).normal(size=image.shape)
    cutout = make_cutout(image + noise, noise=np.ones(image.shape))
    results = net.predict([cutout], psf=star(3.0), augment=True, progress_bar=False)
    assert np.isfinite(results.to_table()["mag"]).all()
    assert results.meta["PRIOR"] == "universal"
    again = net.predict(
        [cutout], psf=star(3.0), refine="importance", n_samples=16, progress_bar=False
    )
    assert np.isfinite(again.to_table()["mag"]).all()
    assert results.samples(5)["mag"].shape == (1, 5)
