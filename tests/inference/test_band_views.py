"""What joint fits say of one band."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sersicnet import decode_flags
from sersicnet.inference.band_views import BandFit
from sersicnet.inference.fit import Fit, unfitted
from sersicnet.model.band_layout import names_of_bands, view_of_band
from sersicnet.model.layout import SERSIC
from sersicnet.model.scene import Scene
from sersicnet.preprocessing.frame import StampFrame

VIEW, COLUMNS = view_of_band(SERSIC, names_of_bands(SERSIC, "gr", shifted="gr"), "r")
# Pixels of half the size, without a turn.
WAY = [2.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0]


@pytest.fixture
def fitted():
    """Two galaxies, of which the second has no fit."""
    fields = unfitted(2, len(COLUMNS))
    fields["mean"][:] = [3.0, 0.1, 0.2, 0.3, 0.1, 0.0, 0.0, 0.0, 0.0]
    fields["covariance"][:] = np.diag(9 * [0.02**2])
    fields["converged"][0] = True
    for name in ("sky", "sky_err", "free_sky", "free_sky_err", "central_sky", "central_sky_err"):
        fields[name][:] = 0.01
    for name in ("sky_slope", "sky_shift"):
        fields[name][:] = 0.0
    scene = Scene.of(VIEW, torch.tensor([WAY, WAY], dtype=torch.float64))
    return BandFit(np.zeros((2, 7)), scene, Fit(**fields), np.zeros(2), np.zeros((2, 2)), [])


@pytest.fixture
def seen():
    one = np.ones(2)
    frame = StampFrame(one, 25 * one, 0.1 * one, one, 31.5 * one, 31.5 * one)
    pixels = SimpleNamespace(expected_sky=0.03 * one)
    return SimpleNamespace(stamps=SimpleNamespace(frame=frame), pixels=pixels)


def test_a_galaxy_without_a_fit_keeps_the_start_or_nothing(fitted, seen):
    shown = np.array([True, True])
    density, quantiles, columns, flags = fitted.refined(seen, shown, prior=True, keeps_start=True)
    assert decode_flags(flags[1]) == ["NOT_REFINED"]
    assert_allclose(quantiles[:, :, 1], quantiles[:, :, 0])
    assert_allclose(quantiles[0, 1], 25 - 2.5 * 3.0)
    single = Scene.sersic(1).labels(torch.from_numpy(fitted.fit.mean[:1, :7]))
    assert_allclose(density.best_labels()[0, 1], float(single[0, 1]) + np.log10(2))
    assert {"sky", "n_iter"} <= set(columns)
    *_, flags = fitted.refined(seen, shown, prior=True, keeps_start=False)
    assert decode_flags(flags[1]) == ["PREDICTION_FAILED", "NOT_REFINED"]


def test_what_is_held_has_no_error(fitted, seen):
    held = fitted.fit.held.copy()
    held[0, 0] = True
    fitted = replace(fitted, fit=replace(fitted.fit, held=held))
    _, quantiles, _, flags = fitted.refined(seen, np.ones(2, bool), prior=True, keeps_start=True)
    assert np.isnan(quantiles[0, 0, 0])
    assert np.isfinite(quantiles[1, :, 0]).all()
    assert decode_flags(flags[0]) == ["AT_BOUND"]
