"""What all tests share."""

import os
import sys
from pathlib import Path

import astropy.modeling  # noqa: F401 -- loads the plugin sersicnet._fitter, which cannot be first
import hypothesis
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")  # no test opens a window
# The stamps of tests are too small to be shared among threads, which then wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes depends on what else the machine does. On a CI machine the
# examples are always the same: a failure belongs to the change that was tested.
hypothesis.settings.register_profile(
    "sersicnet", deadline=None, derandomize="CI" in os.environ, print_blob=True
)
hypothesis.settings.load_profile("sersicnet")

# Files of fixtures have no doctests, and Python could import only one of their name.
collect_ignore_glob = ["*conftest.py"]

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
# The benchmarks are no part of the package. At the end of the path: sersicnet stays the
# installed one.
sys.path.append(str(ROOT))


@pytest.fixture(scope="session")
def shared():
    """Folder beside the repository with data that are not part of it."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared (real galaxies, benchmark) is not beside the repository")
    return SHARED


@pytest.fixture(scope="session")
def real_galaxies(shared):
    """Folder of the real galaxies: FITS files and ``catalog.ecsv``."""
    folder = shared / "real"
    if not (folder / "catalog.ecsv").is_file():
        pytest.skip("../shared/real/catalog.ecsv is not there: no real galaxies to test with")
    return folder


@pytest.fixture(scope="session")
def galaxies():
    """Sixty small galaxies (``helpers/toys.py``) and their truth; not to be changed by a test."""
    from helpers.toys import make_galaxies

    return make_galaxies(60)


@pytest.fixture(scope="session")
def trained(galaxies):
    """A network for all seven parameters, trained for a second; not to be changed by a test."""
    from sersicnet import SersicNet
    from sersicnet.parameters import PARAMETERS

    net = SersicNet(
        parameters=tuple(PARAMETERS), stamp_size=32, max_epochs=15, batch_size=16, device="cpu"
    )
    return net.fit(*galaxies, progress_bar=False)
