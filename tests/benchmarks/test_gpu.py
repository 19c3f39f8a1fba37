"""The command for a GPU, on the CPU and without what a bare machine lacks."""

import json
import os
import subprocess
import sys

import pytest
import torch
from helpers.bare import WITHOUT
from helpers.places import ROOT

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
