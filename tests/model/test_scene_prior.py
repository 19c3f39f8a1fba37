"""The prior of free parameters is a normalized density."""

import math

import pytest
import torch
from numpy.testing import assert_allclose

from sersicnet.model.labels import LABELS
from sersicnet.model.layout import Layout
from sersicnet.model.prior import draw_labels, log_prior, log_snr
from sersicnet.model.scene import Scene
from sersicnet.model.scene_prior import log_density, log_signal
from sersicnet.model.unconstrained import log_volume


def test_density_of_seven_labels_is_that_of_the_prior():
    labels = draw_labels(200, generator=torch.Generator().manual_seed(1)).double()
    scene = Scene.sersic(200)
    values = scene.values(labels)
    expected = log_prior(labels) + log_volume(values)
    assert_allclose(log_density(scene, values), expected, rtol=0, atol=1e-4)


def test_density_is_zero_beyond_the_limits_of_the_signal():
    values = torch.zeros(2, 7, dtype=torch.float64)
    values[:, 0] = torch.tensor([0.0, 9.0])
    assert (log_density(Scene.sersic(2), values) == -math.inf).all()


@pytest.mark.parametrize("name", ["log_r_eff", "n", "q", "turn", "dx", "log_flux"])
def test_each_density_is_normalized(name):
    """Of one free parameter, with all others known."""
    known = {"log_flux": 3.0, "log_r_eff": 0.5, "n": 2.0, "q": 0.6, "theta": 0.2, "dx": 0, "dy": 0}
    if name != "turn":
        known.pop(name)
    layout = Layout(free=(name,), known=tuple(known))
    numbers = torch.tensor([list(known.values())], dtype=torch.float64)
    scene = Scene.of(layout, numbers)
    values = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    density = log_density(scene, values[:, None]).exp()
    assert_allclose(float(torch.trapezoid(density, values)), 1, atol=1e-3)


def test_what_is_known_leaves_the_density_of_the_others():
    """Their difference is the density of the index alone, a logistic one."""
    labels = draw_labels(20, generator=torch.Generator().manual_seed(2)).double()
    whole = Scene.sersic(20)
    free = tuple(name for name in LABELS if name != "n")
    part = Scene.of(Layout(free=free, known=("n",)), labels[:, 2:3])
    difference = log_density(whole, whole.values(labels)) - log_density(part, part.values(labels))
    logit = whole.values(labels)[:, 2]
    assert_allclose(difference, -2 * torch.log(2 * torch.cosh(logit / 2)), rtol=1e-6)


def test_the_signal_of_parts_is_that_of_all_light():
    """Within the ellipse of the last one; a point source has that of the PSF."""
    one = draw_labels(5, generator=torch.Generator().manual_seed(3)).double()
    layout = Layout(
        free=("log_flux", "share", "log_ratio", "log_r_eff.b", "n", "e1", "e2", "dx", "dy"),
        parts=(("a", "sersic"), ("b", "sersic")),
    )
    scene = Scene.of(layout, torch.zeros(5, 0, dtype=torch.float64))
    half = one.clone()
    half[:, 0] -= math.log10(2)
    assert_allclose(log_signal(scene, torch.cat([half, half], dim=1)), log_snr(one), rtol=1e-9)
    point = Layout(free=("log_flux", "dx", "dy"), parts=(("point", "point"),))
    star = Scene.of(point, torch.zeros(1, 0, dtype=torch.float64))
    labels = torch.tensor([[3.0, 0.0, 0.0]], dtype=torch.float64)
    assert_allclose(log_signal(star, labels), 3 - math.log10(2 * math.sqrt(math.pi * 4)))
