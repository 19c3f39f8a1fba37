"""Four galaxies, and the ways to refine their posteriors."""

import pytest

from helpers.rendered import labels_of
from sersicnet.inference.refine import ImportanceSampling, LevenbergMarquardt
from sersicnet.parameters import PARAMETERS

SEVEN = tuple(PARAMETERS)
TABLE = [
    labels_of(snr=100),
    labels_of(snr=300, r_eff=8, n=3, q=0.4, theta=-50, dx=1.2, dy=-0.7),
    labels_of(snr=25, r_eff=3, n=1, q=0.7, theta=80, dx=-0.5, dy=0.4),
    labels_of(snr=1000, r_eff=3, n=3.5, q=0.7, theta=-85, dy=2),
]
FEW = ImportanceSampling(ess=60, max_samples=600, min_ess=20, n_kept=100)
KINDS = {"lm": LevenbergMarquardt(), "importance": FEW}
kinds = pytest.mark.parametrize("kind", KINDS)
