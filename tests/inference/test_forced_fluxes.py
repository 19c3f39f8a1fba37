"""Tests of fluxes of sources whose positions and profiles are known."""

import numpy as np
import pytest
from helpers.forced_scenes import ASSUMED, SIDE, SKY_ERR, batch_of, images_of, scene_of

from sersicnet.flags import Flags
from sersicnet.inference.forced_fluxes import fit_fluxes
from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF


@pytest.fixture(scope="module")
def scene():
    return scene_of((0.3, -0.2), (5.0, 3.0), (-20.0, 14.0))


@pytest.fixture(scope="module")
def data(scene):
    fluxes = np.array([-40.0, 700.0, 90.0])
    images = np.tensordot(fluxes, images_of(scene), 1)
    return images + np.random.default_rng(1).normal(size=images.shape)


def test_fluxes_are_those_of_linear_least_squares(scene, data):
    found, _ = fit_fluxes(batch_of(data[None]), [scene], assumptions=ASSUMED)
    columns = [*images_of(scene).reshape(3, -1), np.ones(SIDE**2)]
    design = np.transpose(columns)
    precision = design.T @ design + np.diag([0, 0, 0, SKY_ERR**-2])
    covariance = np.linalg.inv(precision)
    expected = covariance @ (design.T @ data.ravel())
    assert found.flux[0] == pytest.approx(expected[0], abs=0.02 * covariance[0, 0] ** 0.5)
    assert found.flux_err[0] == pytest.approx(covariance[0, 0] ** 0.5, rel=1e-3)
    assert found.sky[0] == pytest.approx(expected[3], abs=1e-3)
    left = data.ravel() - design @ expected
    chi2 = (left**2).sum() + (expected[3] / SKY_ERR) ** 2
    assert found.chi2[0] == pytest.approx(chi2, abs=0.1)
    assert found.n_pixels[0] == SIDE**2
    assert found.alone_err[0] < found.flux_err[0]
    assert found.added[0] > 0


@pytest.mark.parametrize("log_flux", [-3.0, 1.0, 4.0])
def test_where_the_solution_starts_does_not_matter(scene, data, log_flux):
    first, _ = fit_fluxes(batch_of(data[None]), [scene], assumptions=ASSUMED)
    started = scene.copy()
    started[:, LOG_FLUX] = log_flux
    second, _ = fit_fluxes(batch_of(data[None]), [started], assumptions=ASSUMED)
    assert second.flux[0] == pytest.approx(first.flux[0], abs=0.02 * first.flux_err[0])


@pytest.mark.parametrize("log_flux", [0.0, 49.0])
def test_a_bright_galaxy_has_its_flux_and_chi2_from_any_start(scene, log_flux):
    """A catalog without magnitudes starts 15 mag off, one that has -99 for unknown ones 110."""
    bright = scene[:1].copy()
    bright[:, LOG_FLUX] = 6.0
    image = 1e6 * images_of(bright)[0] + np.random.default_rng(2).normal(size=(SIDE, SIDE))
    first, _ = fit_fluxes(batch_of(image[None]), [bright], assumptions=ASSUMED)
    bright[:, LOG_FLUX] = log_flux
    second, _ = fit_fluxes(batch_of(image[None]), [bright], assumptions=ASSUMED)
    assert second.flux[0] == pytest.approx(first.flux[0], abs=0.1 * first.flux_err[0])
    assert second.chi2[0] == pytest.approx(first.chi2[0], abs=1.0)
    assert second.chi2[0] < 1.3 * SIDE**2


def test_slopes_are_what_another_size_changes(scene, data):
    found, _ = fit_fluxes(batch_of(data[None]), [scene[[1, 0, 2]]], assumptions=ASSUMED)
    step = 0.01
    changed = scene[[1, 0, 2]]
    changed[0, LOG_R_EFF] += step
    other, _ = fit_fluxes(batch_of(data[None]), [changed], assumptions=ASSUMED)
    slope = (other.flux[0] - found.flux[0]) / step
    assert found.shape_slopes[0, LOG_R_EFF] == pytest.approx(slope, rel=0.1)


def test_scenes_of_other_sizes_do_not_change_each_other(scene, data):
    alone = [fit_fluxes(batch_of(data[None]), [scene[:n]], assumptions=ASSUMED)[0] for n in (1, 3)]
    both = batch_of(np.stack([data, data]))
    together, _ = fit_fluxes(both, [scene[:1], scene], assumptions=ASSUMED)
    for number, one in enumerate(alone):
        assert together.flux[number] == pytest.approx(one.flux[0], rel=1e-4)


def test_a_cutout_without_pixels_has_no_flux(scene, data):
    mask = np.zeros((2, SIDE, SIDE), dtype=bool)
    mask[1] = True
    batch = batch_of(np.stack([data, data]), mask=mask)
    assert batch.stamps.flags[1] & Flags.NO_DATA
    found, _ = fit_fluxes(batch, [scene, scene], assumptions=ASSUMED)
    assert np.isfinite(found.flux[0])
    assert np.isnan(found.flux[1])


def test_a_source_without_light_in_the_cutout_changes_nothing(scene, data):
    found, _ = fit_fluxes(batch_of(data[None]), [scene], assumptions=ASSUMED)
    far = np.concatenate([scene, scene_of((80.0, 90.0))])
    same, _ = fit_fluxes(batch_of(data[None]), [far], assumptions=ASSUMED)
    assert same.flux[0] == pytest.approx(found.flux[0], rel=1e-4)
