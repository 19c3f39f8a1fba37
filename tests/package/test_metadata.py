"""Files that describe the package to other services agree with ``pyproject.toml``."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml  # a dependency of astropy

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "tox.ini").is_file())


@pytest.fixture(scope="module")
def project():
    """The table ``project`` of ``pyproject.toml``."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def codemeta():
    """``codemeta.json``."""
    return json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def citation():
    """``CITATION.cff``."""
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_codemeta_agrees_with_the_project(project, codemeta):
    assert codemeta["name"] == project["name"]
    assert codemeta["description"] == project["description"]
    assert codemeta["keywords"] == project["keywords"]
    assert codemeta["softwareRequirements"] == project["dependencies"]
    assert codemeta["runtimePlatform"] == f"Python {project['requires-python']}"
    assert codemeta["license"] == f"https://spdx.org/licenses/{project['license']}"
    assert f"Operating System :: {codemeta['operatingSystem']}" in project["classifiers"]
    assert [author["name"] for author in codemeta["author"]] == [
        author["name"] for author in project["authors"]
    ]


def test_codemeta_agrees_with_the_citation(codemeta, citation):
    assert [author["name"] for author in codemeta["author"]] == [
        author["name"] for author in citation["authors"]
    ]
    assert codemeta["license"].endswith(f"/{citation['license']}")
    assert codemeta.get("version") == citation.get("version")
    (paper,) = citation["references"]
    assert codemeta["referencePublication"]["@id"] == f"https://doi.org/{paper['doi']}"
    assert codemeta["referencePublication"]["name"] == paper["title"]


def test_badges_agree_with_the_project(project):
    text = (ROOT / "README.rst").read_text(encoding="utf-8")
    (badge,) = re.findall(r"badge/python-(\S+?)-blue", text)
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert badge.split("%20%7C%20") == versions
    assert f"badge/license-{project['license'].replace('-', '--')}-" in text


def test_pre_commit_has_the_ruff_of_continuous_integration():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    (repository,) = yaml.safe_load(text)["repos"]
    pins = (ROOT / "constraints" / "ci.txt").read_text(encoding="utf-8")
    assert f"ruff=={repository['rev'].removeprefix('v')}\n" in pins
    assert [hook["id"] for hook in repository["hooks"]] == ["ruff-check", "ruff-format"]
