"""What tests of commands share; not to be changed by a test."""

import pytest

from sersicnet.io.cutouts import write_cutout
from sersicnet.simulate_catalog.catalog import draw_catalog
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Two simulated cutouts as FITS files, the first with a published magnitude."""
    folder = tmp_path_factory.mktemp("cutouts")
    config = SimulationConfig.candels_f160w()
    cutouts = list(render_catalog(draw_catalog(2, config, seed=3), config, seed=3))
    cutouts[0].meta["REFMAG"] = 21.5
    for i, cutout in enumerate(cutouts):
        write_cutout(cutout, folder / f"galaxy{i}.fits")
    return [str(folder / f"galaxy{i}.fits") for i in range(2)]
