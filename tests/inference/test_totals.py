"""Totals of galaxies of several parts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import gamma, gammaincinv

from sersicnet.inference.totals import joined_labels
from sersicnet.model.labels import LABELS, angle, axis_ratio, length, stack_labels

TWO = (("bulge", "sersic"), ("disk", "sersic"))
NUCLEUS = (("point", "point"), ("host", "sersic"))


def galaxies(n=20, seed=1):
    rng = np.random.default_rng(seed)
    columns = {
        "log_flux": rng.uniform(2, 3, n),
        "log_r_eff": rng.uniform(0, 1, n),
        "n": rng.uniform(0.5, 4, n),
        "e1": rng.uniform(-0.4, 0.4, n),
        "e2": rng.uniform(-0.4, 0.4, n),
        "dx": rng.uniform(-1, 1, n),
        "dy": rng.uniform(-1, 1, n),
    }
    return stack_labels(columns)[:, None]


def brightness(labels, x, y):
    """A Sersic profile of these labels at positions from its center."""
    log_flux, log_r_eff, n, e1, e2, _, _ = labels
    q = axis_ratio(length(e1, e2))
    theta = angle(e1, e2)
    r_eff = 10**log_r_eff
    along = x * np.cos(theta) + y * np.sin(theta)
    across = (y * np.cos(theta) - x * np.sin(theta)) / q
    b = gammaincinv(2 * n, 0.5)
    norm = 2 * np.pi * n * r_eff**2 * q * b ** (-2 * n) * gamma(2 * n)
    return 10**log_flux / norm * np.exp(-b * (np.hypot(along, across) / r_eff) ** (1 / n))


def test_the_totals_of_one_profile_are_its_labels():
    labels = galaxies()
    found = joined_labels(labels, (("galaxy", "sersic"),))
    for number, name in enumerate(LABELS):
        if name != "n":
            assert_allclose(found[name], labels[..., number], atol=1e-4)
    assert np.isnan(found["n"]).all()


def test_galaxies_are_joined_a_few_at_a_time(monkeypatch):
    labels = np.concatenate([galaxies(), galaxies(seed=2)], axis=2)
    whole = joined_labels(labels, TWO)
    monkeypatch.setattr("sersicnet.inference.totals._MOST", 7)
    found = joined_labels(labels, TWO)
    assert set(found) == set(whole)
    for name, values in whole.items():
        np.testing.assert_array_equal(found[name], values)


def test_two_equal_parts_are_one():
    labels = galaxies()
    found = joined_labels(np.concatenate([labels, labels], axis=2), TWO)
    assert_allclose(found["log_flux"], labels[..., 0] + np.log10(2))
    assert_allclose(found["log_r_eff"], labels[..., 1], atol=1e-4)
    assert_allclose(found["share"], 0.5)
    assert_allclose(found["log_flux.bulge"], labels[..., 0])


def test_half_of_the_light_is_within_the_ellipse():
    """On a grid, of two parts with other shapes."""
    bulge = np.array([2.3, 0.3, 1.5, 0.1, 0.05, 0, 0])
    disk = np.array([2.6, 0.9, 1.0, 0.35, -0.2, 0, 0])
    found = joined_labels(np.concatenate([bulge, disk])[None, None], TWO)
    e1, e2 = found["e1"][0, 0], found["e2"][0, 0]
    axis = np.arange(-80, 80, 0.05) + 0.025
    x, y = np.meshgrid(axis, axis)
    light = brightness(bulge, x, y) + brightness(disk, x, y)
    theta = angle(e1, e2)
    along = x * np.cos(theta) + y * np.sin(theta)
    across = (y * np.cos(theta) - x * np.sin(theta)) / axis_ratio(length(e1, e2))
    inside = np.hypot(along, across) < 10 ** found["log_r_eff"][0, 0]
    assert_allclose(light[inside].sum() / light.sum(), 0.5, atol=2e-3)


@pytest.mark.parametrize(("share", "size"), [(0.7, -np.inf), (1e-6, 0.5)])
def test_a_nucleus_in_its_host(share, size):
    host = np.array([2 + np.log10(1 - share), 0.5, 2.0, 0.2, 0.1, 0.3, -0.3])
    point = np.array([2 + np.log10(share), 0.3, -0.3])
    found = joined_labels(np.concatenate([point, host])[None, None], NUCLEUS)
    assert_allclose(found["share"], share)
    assert_allclose(found["dx"], 0.3)
    assert_allclose(found["log_r_eff"], size, atol=1e-3)


def test_a_point_source_has_no_shape():
    found = joined_labels(np.array([[[2.0, 0.1, 0.2]]]), (("point", "point"),))
    assert found["log_flux"] == 2
    assert np.isnan([found["log_r_eff"], found["e1"], found["n"]]).all()
    assert "share" not in found
