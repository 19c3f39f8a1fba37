"""Ellipses in pixels that are not square, against GalSim and singular values."""

import galsim
import numpy as np
import pytest
from numpy.testing import assert_allclose

from sersicnet.preprocessing.ellipses import elongation, major_axis, stretched, unstretched


def make_stretches(n, *, size=0.2, seed=1):
    matrices = np.eye(2) + np.random.default_rng(seed).normal(0, size, (n, 2, 2))
    matrices[: n // 2, 0] *= -1  # east to the left
    return matrices / np.sqrt(np.abs(np.linalg.det(matrices)))[:, None, None]


def make_ellipses(n, *, seed=2):
    rng = np.random.default_rng(seed)
    return rng.uniform(1, 10, n), rng.uniform(0.05, 1, n), rng.uniform(-90, 90, n)


def test_singular_values():
    stretch = make_stretches(100)
    r_eff, q, theta = make_ellipses(100)
    angle = np.radians(theta)
    axes = np.array([[np.cos(angle), -q * np.sin(angle)], [np.sin(angle), q * np.cos(angle)]])
    directions, lengths, _ = np.linalg.svd(stretch @ np.moveaxis(axes, -1, 0))
    on_sky = stretched(r_eff, q, theta, stretch)
    assert_allclose(on_sky[0], r_eff * lengths[:, 0], rtol=1e-10)
    assert_allclose(on_sky[1], lengths[:, 1] / lengths[:, 0], rtol=1e-10)
    line = np.radians(major_axis(q, theta, stretch))
    step = (stretch @ np.stack([np.cos(line), np.sin(line)], -1)[..., None])[..., 0]
    along = (step * directions[:, :, 0]).sum(axis=1) / np.linalg.norm(step, axis=1)
    assert_allclose(np.abs(along), 1, rtol=1e-10)


@pytest.mark.parametrize("beta", [0, 40, 90])
def test_galsim(beta):
    """GalSim draws an ellipse of the sky in skewed pixels: its moments are those of ours."""
    stretch = make_stretches(1)[0]
    galaxy = galsim.Gaussian(half_light_radius=8).shear(q=0.6, beta=beta * galsim.degrees)
    wcs = galsim.JacobianWCS(*stretch.ravel())
    image = galaxy.drawImage(nx=101, ny=101, wcs=wcs, method="no_pixel").array
    y, x = np.mgrid[:101, :101] - 50.0
    moments = [(image * product).sum() / image.sum() for product in (x * x, x * y, y * y)]
    lengths, axes = np.linalg.eigh(np.array(moments)[[[0, 1], [1, 2]]])
    theta = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
    radius = np.sqrt(2 * np.log(2) * lengths)
    r_eff, q = stretched(radius[1], radius[0] / radius[1], theta, stretch)
    assert_allclose((r_eff, q), (8 / np.sqrt(0.6), 0.6), rtol=1e-3)
    line = np.radians(major_axis(radius[0] / radius[1], theta, stretch))
    east, north = stretch @ [np.cos(line), np.sin(line)]
    assert_allclose((np.degrees(np.arctan2(north, east)) - beta + 90) % 180, 90, atol=0.1)


def test_the_way_back():
    stretch = make_stretches(200)
    r_eff, q, theta = make_ellipses(200)
    back = unstretched(*stretched(r_eff, q, theta, stretch), theta, stretch)
    flat = q < 1 / elongation(stretch)  # no other ellipse of this angle looks alike
    assert flat.sum() > 50
    assert_allclose(back[0][flat], r_eff[flat], rtol=1e-6)
    assert_allclose(back[1][flat], q[flat], rtol=1e-6)
    assert (back[1] < q + 1e-6).all()
    again = stretched(*back, theta, stretch)
    assert_allclose(again, stretched(r_eff, q, theta, stretch), rtol=1e-5)


def test_round_on_the_sky():
    """No ellipse in pixels of this angle is round: the closest is returned."""
    r_eff, q = unstretched(1.0, 1.0, 45.0, np.diag([1.25, 0.8]))
    assert np.isfinite(r_eff)
    assert 0 < q <= 1


def test_similar_pixels_change_nothing():
    angle = np.radians(30)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for stretch in (rotation, rotation * [[-1], [1]]):
        assert_allclose(elongation(stretch), 1, atol=1e-7)
        assert_allclose(stretched(3.0, 0.4, 20.0, stretch), (3.0, 0.4), rtol=1e-12)
        assert_allclose(unstretched(3.0, 0.4, 20.0, stretch), (3.0, 0.4), rtol=1e-12)
        assert_allclose((major_axis(0.4, 20.0, stretch) + 70) % 180, 90, atol=1e-9)
