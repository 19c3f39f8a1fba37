"""The package as a whole: what importing it costs and what it offers."""

import importlib.metadata
import subprocess
import sys

import pytest

import sersicnet

HEAVY = ("torch", "lightning", "galsim", "photutils", "matplotlib", "sklearn", "astropy", "numpy")
HEAVY += ("scipy.stats",)


def loaded_after(statement):
    """Which of the ``HEAVY`` modules a new Python holds after ``statement``."""
    code = f"import sys; {statement}; print(*(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


def test_import_loads_nothing_heavy():
    assert loaded_after("import sersicnet") == set()


def test_measuring_needs_no_trainer():
    """It would more than double the time that each process takes to start.

    SciPy's statistics would add half a second.
    """
    imports = "import sersicnet.measure.image; from sersicnet import SersicNet"
    loaded = loaded_after(f"{imports}; SersicNet.from_pretrained()")
    assert "torch" in loaded
    assert "lightning" not in loaded
    assert "scipy.stats" not in loaded


@pytest.mark.parametrize("name", sersicnet.__all__)
def test_public_names(name):
    assert name in dir(sersicnet)
    assert getattr(sersicnet, name).__name__ == name


def test_unknown_name():
    with pytest.raises(AttributeError, match="'sersicnet' has no attribute 'nothing'"):
        _ = sersicnet.nothing


@pytest.fixture
def installed_version():
    """Version of the installed package; a source tree on the path has none."""
    try:
        return importlib.metadata.version("sersicnet")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("sersicnet is not installed")


def test_version(installed_version):
    assert sersicnet.__version__ != "0+unknown"
    assert sersicnet.__version__ == installed_version


@pytest.mark.usefixtures("installed_version")
def test_command_line_entry_point():
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="sersicnet")
    assert callable(script.load())


@pytest.mark.usefixtures("installed_version")
def test_plugin_of_astropy():
    (plugin,) = importlib.metadata.entry_points(group="astropy.modeling", name="SersicNetFitter")
    assert plugin.load().__name__ == "SersicNetFitter"
