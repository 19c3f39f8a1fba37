"""Joint fits of galaxies that different bands show."""

from types import SimpleNamespace

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference.band_joint import Joint
from sersicnet.inference.band_seen import Asked
from sersicnet.model.band_scene import BandScene
from sersicnet.model.layout import SERSIC

N_PARAMETERS = 6 + 2 + 2


def scene_of_two():
    matrices = torch.eye(2).double().expand(1, 2, 2, 2)
    places = torch.zeros(1, 2, 2).double()
    return BandScene.of_bands(["g", "i"], matrices, places, torch.ones(1).double())


def fit_of_two():
    root = np.random.default_rng(1).normal(scale=0.05, size=(1, N_PARAMETERS, N_PARAMETERS))
    fit = {"mean": np.full((1, N_PARAMETERS), 0.1), "covariance": root @ np.swapaxes(root, 1, 2)}
    fit |= {"held": np.zeros((1, N_PARAMETERS), dtype=bool), "converged": np.array([True])}
    fit["held"][0, 7] = True  # the flux in i
    for name in ("sky", "sky_err", "free_sky", "free_sky_err", "central_sky", "central_sky_err"):
        fit[name] = np.array([[1.0, 2.0]])
    fit["closer"] = np.array([[True, False]])
    for name in ("sky_slope", "sky_shift"):
        fit[name] = np.random.default_rng(2).normal(size=(1, 2, N_PARAMETERS))
    for name in ("chi2", "cost", "n_pixels", "n_iter"):
        fit[name] = np.ones(1)
    return SimpleNamespace(**fit)


def joint_of(fit):
    """Fits of two galaxies, the second in two of three bands."""
    asked = Asked(["g", "r", "i"], band_shift=0.05, prior=True, device="cpu")
    joint = Joint(asked, dict.fromkeys("gri"), np.zeros(2, dtype=int), SERSIC, chromatic=False)
    joint.add(np.array([1]), ["g", "i"], scene_of_two(), fit)
    return joint


def test_one_band_has_its_share_of_the_joint_covariance():
    fit = fit_of_two()
    fields = joint_of(fit).fields["i"]
    own = [7, 0, 1, 2, 3, 4, 5, 8, 9]  # its flux, the structure and its shift
    assert_allclose(fields["covariance"][1], fit.covariance[0][np.ix_(own, own)])
    assert_allclose(fields["sky_slope"][1], fit.sky_slope[0, 1, own])
    assert_array_equal(fields["held"][1], [True] + 8 * [False])
    assert fields["sky"][1] == 2.0


def test_parameters_of_missing_bands_are_nan():
    joint = joint_of(fit_of_two())
    assert np.isnan(joint.mean[0]).all()
    missing = [joint.names[column] for column in np.flatnonzero(np.isnan(joint.mean[1]))]
    assert missing == ["log_flux.r", "shift_x.r", "shift_y.r"]
    assert not joint.fields["g"]["held"][1, 0]
    assert not joint.fields["r"]["converged"][1]
    assert np.isfinite(joint.fields["g"]["mean"][1]).all()
