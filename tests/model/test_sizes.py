"""Sides of stamps that hold galaxies."""

import numpy as np

from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF
from sersicnet.model.sizes import stamp_sizes


def test_stamps_grow_with_the_galaxy_and_with_its_light():
    labels = np.tile([4.0, 0.3, 1.0, 0.0, 0.0, 0.0, 0.0], (4, 1))
    labels[:, LOG_R_EFF] = [0.0, 0.5, 1.0, 1.5]
    sizes = stamp_sizes(labels, np.full(4, 3.0))
    assert (np.diff(sizes) >= 0).all()
    assert sizes[0] < sizes[-1] == 128
    labels[:, LOG_FLUX] = 6.0
    assert (stamp_sizes(labels, np.full(4, 3.0)) >= sizes).all()
