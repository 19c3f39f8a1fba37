"""The files for clusters in ``docs/deploy``: their configuration is built, without a cluster."""

import importlib.util
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

FOLDER = Path(__file__).parents[2] / "docs" / "deploy"
if not FOLDER.is_dir():
    pytest.skip("the documentation is not beside the tests", allow_module_level=True)


def shown(name, *arguments):
    """What a script says that it would start."""
    command = [sys.executable, FOLDER / name, *arguments, "--show"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return done.stdout


def constants(name):
    """The constants of a script, which imports nothing of a cluster."""
    return runpy.run_path(str(FOLDER / name))


def test_the_job_of_workers_of_slurm():
    pytest.importorskip("dask_jobqueue")
    settings = constants("slurm.py")["SETTINGS"]
    script = shown("slurm.py", "--images", "images", "--output", "out")
    assert script.startswith("#!/usr/bin/env bash")
    for directive in ("-p regular", "--cpus-per-task=32", "-t 04:00:00", "--exclusive=user"):
        assert f"#SBATCH {directive}\n" in script
    command = script.strip().splitlines()[-1]
    assert f"--nworkers {settings['processes']} " in command
    assert "--nthreads 1 " in command
    assert "export OMP_NUM_THREADS=1" in script
    # workers end before their jobs do
    hours = int(settings["walltime"].split(":")[0])
    minutes = [int(text.removesuffix("m")) for text in settings["worker_extra_args"][1::2]]
    assert sum(minutes) < 60 * hours


def test_the_job_of_the_scheduler():
    """It is a shell script, and runs the other file with options that this has."""
    path = FOLDER / "slurm.sh"
    subprocess.run(["bash", "-n", path], check=True)
    options = re.findall(r"(--[a-z]+) ", path.read_text().splitlines()[-1])
    source = (FOLDER / "slurm.py").read_text()
    assert options == ["--images", "--output", "--jobs"]
    assert all(f'"{option}"' in source for option in options)


def test_the_cluster_of_kubernetes():
    if importlib.util.find_spec("dask_kubernetes") is None:  # its import warns
        pytest.skip("dask_kubernetes is not installed")
    known = constants("on_kubernetes.py")
    spec = json.loads(shown("on_kubernetes.py", "--workers", "7"))
    assert spec["kind"] == "DaskCluster"
    worker = spec["spec"]["worker"]
    assert worker["replicas"] == 7
    (container,) = worker["spec"]["containers"]
    assert container["image"] == known["IMAGE"]
    assert "--nthreads 1 --memory-limit 2Gi" in " ".join(container["args"])
    assert {"name": "OMP_NUM_THREADS", "value": "1"} in container["env"]
    (mount,) = container["volumeMounts"]
    (volume,) = worker["spec"]["volumes"]
    assert mount == {"name": volume["name"], "mountPath": known["MOUNT"]}
    assert volume["persistentVolumeClaim"]["claimName"] == known["CLAIM"]


def test_the_job_of_kubernetes_fits_its_script():
    known = constants("on_kubernetes.py")
    documents = list(yaml.safe_load_all((FOLDER / "on_kubernetes.yaml").read_text()))
    account, role, binding, job = documents
    assert binding["subjects"][0]["name"] == account["metadata"]["name"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == account["metadata"]["name"]
    (container,) = pod["containers"]
    assert container["image"] == known["IMAGE"]
    assert container["volumeMounts"] == [{"name": "survey", "mountPath": known["MOUNT"]}]
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == known["CLAIM"]
    copied = re.findall(r"^COPY \S+ (\S+)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    assert container["command"][1] in copied
