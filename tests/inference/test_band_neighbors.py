"""Neighbors of galaxies in several bands, before they are fitted."""

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference.band_neighbors import BandGroup, least_flux
from sersicnet.model.prior import log_snr

LABELS = np.array([[3.0, 0.5, 1.0, 0.1, 0.0, 4.0, -2.0], [2.0, -0.9, 2.0, 0.0, 0.2, 1.0, 9.0]])


def test_least_fluxes_have_a_signal_to_noise_of_one():
    lowered = LABELS.copy()
    lowered[:, 0] = least_flux(LABELS)
    assert_allclose(10 ** log_snr(torch.from_numpy(lowered)), 1)
    point = LABELS.copy()
    point[:, 1] = -np.inf
    assert (least_flux(point) < lowered[:, 0]).all()


def test_parts_have_the_labels_of_their_profiles():
    group = BandGroup(0, LABELS, np.zeros((2, 2)), ("sersic", "point"), np.zeros((2, 2), int))
    assert_array_equal(group.parts(), [*LABELS[0], 2.0, 1.0, 9.0])
