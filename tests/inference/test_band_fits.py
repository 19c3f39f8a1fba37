"""Joint fits of several bands."""

from types import SimpleNamespace

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference.band_fits import _in_band, _Joint, _least_fluxes
from sersicnet.model.band_scene import BandScene
from sersicnet.model.labels import N_LABELS
from sersicnet.model.prior import log_snr

N_PARAMETERS = 6 + 2 + 2


def scene_of_two():
    matrices = torch.stack([torch.eye(2), torch.tensor([[0.0, -0.5], [0.5, 0.0]])])[None].double()
    places = torch.tensor([[[0.0, 0.0], [1.0, 2.0]]]).double()
    return BandScene.of_bands("gr", matrices, places, torch.tensor([0.2]).double())


def fit_of_two():
    root = np.random.default_rng(1).normal(scale=0.05, size=(1, N_PARAMETERS, N_PARAMETERS))
    fit = {"mean": np.full((1, N_PARAMETERS), 0.1), "covariance": root @ np.swapaxes(root, 1, 2)}
    fit |= {"held": np.zeros((1, N_PARAMETERS), dtype=bool), "converged": np.array([True])}
    fit["held"][0, 7] = True  # the flux in r
    for name in ("sky", "sky_err", "free_sky", "free_sky_err", "central_sky", "central_sky_err"):
        fit[name] = np.array([[1.0, 2.0]])
    fit["closer"] = np.array([[True, False]])
    for name in ("sky_slope", "sky_shift"):
        fit[name] = np.random.default_rng(2).normal(size=(1, 2, N_PARAMETERS))
    for name in ("chi2", "cost", "n_pixels", "n_iter"):
        fit[name] = np.ones(1)
    return SimpleNamespace(**fit)


def test_one_band_has_its_share_of_the_joint_covariance():
    scene, fit = scene_of_two(), fit_of_two()
    values = torch.from_numpy(fit.mean)
    labels = scene.labels(values)[:, N_LABELS:]
    slopes = scene.slopes(values)[:, N_LABELS:]
    image = {name: getattr(fit, name)[:, 1] for name in ("sky_slope", "sky_shift")}
    found = _in_band(labels, slopes, fit.covariance, image)
    # along x in r is along minus y in g, in pixels twice as large; logits of 6 pixels
    dy = np.zeros(N_PARAMETERS)
    free = scene.layout.free
    dy[free.index("dy")] = float(scene.slopes(values)[0, 6, free.index("dy")])
    dy[free.index("shift_y.r")] = 1.0
    expected = 0.25 * dy @ fit.covariance[0] @ dy / 1.5**2
    assert_allclose(found["covariance"][0, 5, 5], expected, rtol=1e-6)
    assert_allclose(found["mean"][0, 5:], 0, atol=1e-9)
    assert_allclose(found["mean"][0, 2], fit.mean[0, 1])
    assert found["sky_slope"].shape == found["sky_shift"].shape == (1, N_LABELS)


def test_parameters_of_missing_bands_are_nan():
    joint = _Joint(2, 3)
    joint.add(np.array([1]), np.array([0, 2]), scene_of_two_named(), fit_of_two())
    assert np.isnan(joint.mean[0]).all()
    assert_array_equal(np.flatnonzero(np.isnan(joint.mean[1])), [7, 11, 12, 15, 16])
    assert joint.fields[2]["held"][1, 0]
    assert not joint.fields[0]["held"][1, 0]
    assert joint.fields[2]["sky"][1] == 2.0
    assert not joint.fields[1]["converged"][1]


def scene_of_two_named():
    """The same, with the numbers of bands as their names."""
    matrices = torch.eye(2).double().expand(1, 2, 2, 2)
    return BandScene.of_bands("02", matrices, torch.zeros(1, 2, 2).double(), torch.ones(1).double())


def test_least_fluxes_have_a_signal_to_noise_of_one():
    labels = torch.tensor([[3.0, 0.5, 1.0, 0.1, 0.0, 0.0, 0.0] * 2]).double()
    least = _least_fluxes(labels)
    lowered = labels.unflatten(1, (2, N_LABELS)).clone()
    lowered[..., 0] = least
    assert_allclose(10 ** log_snr(lowered), 1.0)
