"""Training of the universal network: runs that go on, several processes, and bare machines."""

import json
import subprocess
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers.scripts import run_script
from helpers.tiny_training import NETWORK, TINY, make_module, train
from helpers.weights import assert_same_weights
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import SersicNet, __version__
from sersicnet.io.weights import read_weights
from sersicnet.model.labels import LABELS
from sersicnet.networks.registry import build_network
from sersicnet.training import universal
from sersicnet.training.contaminants import Contaminants
from sersicnet.training.modules import VALIDATION_SEED, UniversalModule
from sersicnet.training.scenes import SceneMaker
from sersicnet.training.validation import STRATA, validate_by_snr

# --- scenes as they come ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 7, 8])
def test_no_scene_is_both_of_training_and_validation(seed, monkeypatch):
    seeds = []
    monkeypatch.setattr(
        SceneMaker, "batches", lambda self, _: seeds.append(self.generator.initial_seed()) or []
    )
    module = make_module(seed=seed)
    monkeypatch.setattr(UniversalModule, "current_epoch", 0)
    for loader in (module.train_dataloader(), module.val_dataloader()):
        list(loader)
    seeds.append(SceneMaker(VALIDATION_SEED + 1).generator.initial_seed())
    assert len(set(seeds)) == 3


# --- what a run leaves ------------------------------------------------------------------------


def test_weights_load(trained):
    net = SersicNet.load(trained)
    assert net.network == "posterior"
    assert net.parameters_ == ("mag", "r_eff", "n", "q", "theta", "x_0", "y_0")
    assert net.network_.config == build_network("posterior", **NETWORK).config
    assert read_weights(trained)[1]["labels"] == list(LABELS)


def test_loss_falls(trained):
    """Of the same scenes: of those that it trains on, each is another one."""
    history = SersicNet.load(trained).history_
    assert history["epoch"] == [0, 1]
    assert history["val_loss"][1] < history["val_loss"][0]
    untrained = validate_by_snr(build_network("posterior", **NETWORK), seed=8, n_scenes=64)
    after = SersicNet.load(trained).record_["validation"]
    assert sum(row["n"] * row["loss"] for row in after) < sum(
        row["n"] * row["loss"] for row in untrained
    )


def test_record(trained):
    record = SersicNet.load(trained).record_
    assert record["n_train"] == 256
    assert 0 <= record["training_seconds"] < 300
    assert record["device"].startswith("CPU")
    assert (record["seed"], record["n_devices"], record["init"]) == (1, 1, None)
    assert (record["batch_size"], record["learning_rate"]) == (32, 3e-3)
    assert (record["precision"], record["survey"]) == ("32-true", "any")
    assert (record["sersicnet"], record["torch"]) == (__version__, torch.__version__)
    assert record["contaminants"] == vars(Contaminants())
    assert len(record["commit"]) in (0, 40)


def test_validation_by_stratum(trained):
    rows = SersicNet.load(trained).record_["validation"]
    assert [row["snr"] for row in rows] == [list(pair) for pair in pairwise(STRATA)]
    assert 0 < sum(row["n"] for row in rows) <= 64
    for row in rows:
        assert np.isfinite(row["loss"]) == (row["n"] > 0)
        for name in LABELS:
            assert row["n"] == 0 or row[f"rms_{name}"] > 0
            assert row["n"] == 0 or 0 <= row[f"coverage_{name}"] <= 1


def test_validation_does_not_depend_on_chance(trained):
    network = SersicNet.load(trained).network_
    first, same, other = (validate_by_snr(network, seed=s, n_scenes=64) for s in (1, 1, 2))
    assert str(first) == str(same) != str(other)  # NaN of an empty stratum equals itself


def test_validation_of_a_network_that_knows_the_answer():
    """Half a label off is an error of a half; narrow posteriors there cover nothing."""

    class Oracle(torch.nn.Linear):
        needs_fine = False

        def forward(self, data, weight, psf):
            return Answer()

    class Answer:
        def log_prob_unconstrained(self, values):
            self.values = values
            return torch.full((len(values),), -1.5)

        def transport(self, normal):
            values = self.values.expand(normal.shape).clone()
            values[..., 0] += 0.5 + 0.01 * normal[..., 0]
            return values

    rows = validate_by_snr(Oracle(1, 1), seed=1, n_scenes=128)
    assert sum(row["n"] for row in rows) > 120
    for row in rows:
        assert row["loss"] == 1.5
        assert_allclose(row["rms_log_flux"], 0.5, atol=0.01)
        assert row["coverage_log_flux"] == 0
        assert row["rms_log_r_eff"] < 1e-4


# --- runs that go on --------------------------------------------------------------------------


def test_an_interrupted_run_goes_on_to_the_same_weights(trained, tmp_path, monkeypatch):
    step = UniversalModule.training_step

    def fail(self, batch, index):
        if self.current_epoch == 1 and index == 2:
            msg = "power cut"
            raise RuntimeError(msg)
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(UniversalModule, "training_step", fail)
        with pytest.raises(RuntimeError, match="power cut"):
            train(tmp_path)
    half = read_weights(tmp_path / "universal.safetensors")[1]["record"]
    assert half["n_train"] == 128
    assert "validation" not in half
    epochs = set()

    def count(self, batch, index):
        epochs.add(self.current_epoch)
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(UniversalModule, "training_step", count)
        tensors, metadata = read_weights(train(tmp_path))
    assert epochs == {1}
    expected, whole = read_weights(trained)
    assert_same_weights(tensors, expected)
    assert metadata["history"] == whole["history"]
    for name in ("n_train", "validation"):
        assert str(metadata["record"][name]) == str(whole["record"][name])


def test_a_finished_run_is_not_repeated(trained, tmp_path):
    (tmp_path / "last.ckpt").write_bytes((trained.parent / "last.ckpt").read_bytes())
    again, record = read_weights(train(tmp_path))
    assert_same_weights(again, read_weights(trained)[0])
    assert record["record"]["n_train"] == 256


def test_seed(trained, tmp_path):
    """The same seed gives the same weights: the interrupted run has shown it."""
    other = read_weights(train(tmp_path, seed=2, n_scenes=64))[0]
    assert (other["gather.weight"] != read_weights(trained)[0]["gather.weight"]).any()


def test_init_goes_on_from_weights_and_adds_up(trained, tmp_path):
    path = train(tmp_path, init=str(trained), n_scenes=64, learning_rate=1e-12, network=None)
    tensors, metadata = read_weights(path)
    expected, before = read_weights(trained)
    for name, tensor in tensors.items():
        assert_allclose(tensor, expected[name], atol=1e-9)
    assert metadata["record"]["n_train"] == 256 + 64
    assert metadata["record"]["init"]["n_train"] == before["record"]["n_train"]
    assert metadata["network_config"] == before["network_config"]


def test_init_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="name='imagenet' must be one of the shipped weights"):
        train(tmp_path, init="imagenet")


def test_without_contaminants(tmp_path):
    path = train(tmp_path, contaminants=Contaminants.none(), n_scenes=32)
    record = SersicNet.load(path).record_
    assert set(record["contaminants"].values()) == {0}
    assert record["n_train"] == 32


# --- a single step ----------------------------------------------------------------------------


def test_a_batch_that_breaks_does_not_break_the_training(tmp_path, monkeypatch):
    step = UniversalModule.training_step
    monkeypatch.setattr(
        UniversalModule,
        "training_step",
        lambda self, batch, index: step(self, batch, index) * (torch.nan if index == 1 else 1),
    )
    tensors, metadata = read_weights(train(tmp_path, n_scenes=128))
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    assert np.isfinite(metadata["history"]["val_loss"]).all()


# --- the commit -------------------------------------------------------------------------------


def test_commit_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert universal._commit() == ""


def test_commit_of_an_installed_package(tmp_path, monkeypatch):
    """The repository around a virtual environment is somebody else's."""
    folder = tmp_path / "venv" / "sersicnet" / "training"
    folder.mkdir(parents=True)
    monkeypatch.setattr(universal, "__file__", str(folder / "universal.py"))
    assert universal._commit() == ""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    try:
        subprocess.run([*git, "init", "-q"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    assert universal._commit() == ""
    folder = tmp_path / "sersicnet" / "training"
    folder.mkdir(parents=True)
    monkeypatch.setattr(universal, "__file__", str(folder / "universal.py"))
    assert len(universal._commit()) == 40


# --- processes --------------------------------------------------------------------------------


BLOCKED = ("astropy", "galsim", "matplotlib", "photutils", "scipy", "skimage", "surveycodex")
# As where they are not installed: neither modules nor versions.
BLOCK = f"""
import sys
from importlib.metadata import Distribution, PackageNotFoundError

found = Distribution.from_name

def from_name(name):
    if name.lower() in {BLOCKED}:
        raise PackageNotFoundError(name)
    return found(name)

Distribution.from_name = from_name
sys.modules.update(dict.fromkeys({BLOCKED}))
"""
TRAIN = """
import sys
from sersicnet.cli.main import main

if __name__ == "__main__":
    status = main(sys.argv[1:])
    loaded = {name.partition(".")[0] for name, module in sys.modules.items() if module}
    print("loaded:", *sorted(loaded & {"astropy", "galsim", "scipy", "zuko", "lightning"}))
    sys.exit(status)
"""


def test_training_needs_torch_numpy_zuko_lightning_and_safetensors_only(tmp_path):
    """From the command line, in this process and in that which makes the scenes."""
    arguments = [
        "train",
        "universal",
        "--galaxies",
        "64",
        "--device",
        "cpu",
        "-o",
        tmp_path / "out",
    ]
    answer = run_script(tmp_path, TRAIN, *arguments, before=BLOCK)
    assert answer.stdout.splitlines()[-1] == "loaded: lightning zuko"
    assert answer.stderr == ""
    assert f"wrote {tmp_path / 'out' / 'universal' / 'universal.safetensors'}" in answer.stdout
    net = SersicNet.load(tmp_path / "out" / "universal" / "universal.safetensors")
    assert net.record_["n_train"] == 64
    assert net.network_.config == build_network("posterior").config


DDP = """
import json
import sys
import torch
from sersicnet.training.universal import UniversalModule, train_universal

labels = {"training": [], "validation": []}

def keep(name):
    step = getattr(UniversalModule, name + "_step")
    def keep_step(self, batch, index):
        labels[name].append(batch[3])
        return step(self, batch, index)
    setattr(UniversalModule, name + "_step", keep_step)

def end(self):
    weights = self.network.state_dict()
    loss = self.trainer.callback_metrics["val_loss"]
    torch.save([labels, weights, loss], f"{sys.argv[1]}/{self.global_rank}.pt")

keep("training")
keep("validation")
UniversalModule.on_fit_end = end

if __name__ == "__main__":
    options = json.loads(sys.argv[2])
    path = train_universal(sys.argv[1], n_devices=2, strategy="ddp", **options)
    print("path", path)
"""


def test_two_processes_train_one_network(tmp_path):
    answer = run_script(tmp_path, DDP, tmp_path, json.dumps(TINY | {"n_scenes": 128}))
    assert sorted(answer.stdout.split("\n")[-3:-1]) == sorted(
        ["path None", f"path {tmp_path / 'universal.safetensors'}"]
    )
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    for one, other in zip(first[0]["training"], second[0]["training"], strict=True):
        assert (one != other).all(dim=1).all()
    for one, other in zip(first[0]["validation"], second[0]["validation"], strict=True):
        assert_array_equal(one, other)
    assert first[2] == second[2]
    assert_same_weights(first[1], second[1])
    tensors, metadata = read_weights(tmp_path / "universal.safetensors")
    assert_same_weights(tensors, first[1])
    assert len(first[0]["training"]) == 2
    assert metadata["record"]["n_train"] == 128
    assert metadata["record"]["n_devices"] == 2
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["universal.safetensors"]
