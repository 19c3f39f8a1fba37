"""Surveys, and catalogs and images of single galaxies in them."""

from sersicnet.parameters import PARAMETERS
from sersicnet.simulate_catalog.config import SimulationConfig

CANDELS = SimulationConfig.candels_f160w()
COSMOS = SimulationConfig.cosmos_f814w()
NAMES = ("id", *PARAMETERS, "size", "psf_fwhm", "psf_jitter")
