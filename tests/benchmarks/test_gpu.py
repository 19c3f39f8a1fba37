"""The command for a GPU, on the CPU and without what a bare machine lacks."""

import json
import os
import subprocess
import sys

import pytest
import torch
from helpers.bare import WITHOUT
from helpers.places import ROOT

from benchmarks import gpu
from benchmarks.gpu import LIMITS, check
from sersicnet.io.weights import read_weights, weights_path
from sersicnet.training.contaminants import Contaminants

RUN = """
from benchmarks.gpu import main

main(sys.argv[1:])
"""
KEPT = {"device": "another", "checks": []}


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    output = tmp_path_factory.mktemp("gpu")
    (output / "gpu_checks.json").write_text(json.dumps(KEPT))
    options = ["--device", "cpu", "-n", 1, "--batch-size", 4, "--scenes", 8]
    options += ["--precision", "bf16-mixed"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-c", WITHOUT + RUN, str(output), *map(str, options)]
    subprocess.run(command, check=True, env=environment, timeout=300)
    return output


def test_what_it_writes(output):
    rates = json.loads((output / "gpu_rates.json").read_text())["rates"]
    assert set(rates) == {"images", "images with derivatives", "network", "lm", "importance"}
    assert min(rates.values()) > 0
    _, metadata = read_weights(output / "training" / "universal.safetensors")
    _, before = read_weights(weights_path("universal"))
    assert metadata["record"]["n_train"] == before["record"]["n_train"] + 8
    assert metadata["record"]["precision"] == "bf16-mixed"
    assert metadata["network"] == "likelihood"
    assert metadata["record"]["contaminants"] == vars(Contaminants.extended())


def test_what_is_there_is_not_done_again(output):
    assert json.loads((output / "gpu_checks.json").read_text()) == KEPT


def test_a_device_is_compared_with_the_cpu():
    found = check(torch.device("cpu"), "universal", 1)
    assert [row["name"] for row in found["checks"]] == list(LIMITS)
    assert all(row["difference"] == 0 and row["holds"] for row in found["checks"])


@pytest.mark.parametrize("kind", ["posterior", "likelihood"])
def test_the_training_takes_the_time_that_is_left(tmp_path, monkeypatch, kind):
    """Also where scenes are shown again, which is ten times as fast here."""
    clock = [0.0]
    seen = set()

    def train(folder, *, n_scenes, epoch_scenes, **_):
        clock[0] += 4 + n_scenes / 1000
        if folder in seen:  # of two epochs, the first is done
            clock[0] -= n_scenes / 1000 - epoch_scenes / 10_000
        seen.add(folder)

    monkeypatch.setattr(gpu, "train_universal", train)
    monkeypatch.setattr(gpu.time, "monotonic", lambda: clock[0])
    options = gpu._parser().parse_args([str(tmp_path), "--batch-size", "1000", "--kind", kind])
    plan = gpu.plan_training(options, torch.device("cpu"), 1000.0)
    left = 0.8 * (1000 - clock[0])
    if kind == "posterior":
        assert plan["n_scenes"] == pytest.approx(1000 * left)
        assert "n_kept" not in plan
    else:
        n_again = 10_000 * (left - plan["n_kept"] / 1000)
        assert plan["n_scenes"] == pytest.approx(plan["n_kept"] + n_again)
        assert plan["epoch_scenes"] <= plan["n_kept"] // 4
    assert not list(tmp_path.iterdir())
