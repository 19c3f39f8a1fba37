"""Importance sampling of galaxies of several parts."""

import numpy as np
import pytest
import torch
from helpers.rendered import NOISE, draw_parts, labels_of
from numpy.testing import assert_allclose

from sersicnet.flags import Flags
from sersicnet.inference import ImportanceSampling
from sersicnet.inference.composites import LAYOUTS
from sersicnet.model.labels import ellipticity
from sersicnet.model.prior import E_MAX
from sersicnet.model.scene import Scene
from sersicnet.model.scene_prior import log_density

BULGE = labels_of(log_flux=3.2, r_eff=1, n=3, q=0.8, theta=30, dx=0.3, dy=-0.2)
DISK = labels_of(log_flux=3.8, r_eff=3.5, n=1, q=0.5, theta=50, dx=0.3, dy=-0.2)
FEW = ImportanceSampling(ess=100, min_ess=20, max_samples=1536)


@pytest.fixture(scope="module")
def galaxies():
    return [
        draw_parts(BULGE + DISK, ("sersic", "sersic"), size=32),
        draw_parts([3.2, 0.3, -0.2, *DISK], ("point", "sersic"), size=32, seed=2),
    ]


@pytest.fixture(scope="module")
def bulge(net, galaxies):
    """The first galaxy under its true model; not to be changed by a test."""
    return net.predict(galaxies[:1], model="sersic+exp", refine=FEW)


@pytest.fixture(scope="module")
def nucleus(net, galaxies):
    """The second galaxy under its true model; not to be changed by a test."""
    return net.predict(galaxies[1:], model="point+exp", refine=FEW)


def magnitude(log_flux):
    return 25 - 2.5 * (log_flux + np.log10(NOISE))


def test_draws_are_enough_and_right(bulge, nucleus):
    for found in (bulge, nucleus):
        assert (found.columns["ess"] > 20).all()
        assert not (found.flags & int(Flags.LOW_ESS)).any()
    for name, truth in (
        ("bulge_to_total", 10**3.2 / (10**3.2 + 10**3.8)),
        ("mag_disk", magnitude(3.8)),
        ("r_eff_disk", 0.35),
        ("mag_bulge", magnitude(3.2)),
    ):
        error = bulge.columns[f"{name}_err"][0]
        assert 0 < error < 1
        assert abs(bulge.columns[name][0] - truth) < 4 * error
    error = nucleus.columns["mag_point_err"][0]
    assert abs(nucleus.columns["mag_point"][0] - magnitude(3.2)) < 4 * error


def test_draws_agree_with_the_table(bulge):
    draws = bulge.samples(500)
    for name in ("mag_bulge", "bulge_to_total"):
        assert_allclose(np.median(draws[name], axis=1), bulge.columns[name], rtol=0.01)
    total = 10 ** (-0.4 * draws["mag_bulge"]) + 10 ** (-0.4 * draws["mag_disk"])
    assert_allclose(draws["mag"], -2.5 * np.log10(total), atol=1e-4)
    assert_allclose(np.median(draws["mag"], axis=1), bulge.median("mag"), atol=1e-3)


def test_pictures_of_samples(bulge, galaxies):
    assert_allclose(bulge.residual(0, galaxies[0]).std() / NOISE, 1, atol=0.1)


def test_an_evidence_needs_the_prior_of_the_sky(net, galaxies):
    few = ImportanceSampling(ess=100, max_samples=256)
    for sky in ("free", "plane"):
        found = net.predict(galaxies[:1], sky=sky, model="point", refine=few)
        assert np.isnan(found.columns["log_evidence"]).all()
        assert np.isfinite(found.columns["ess"]).all()


def test_too_few_draws_are_flagged(net, galaxies):
    few = ImportanceSampling(ess=500, max_samples=500, min_ess=500)
    found = net.predict(galaxies[:1], model="point", refine=few)
    assert found.flags[0] & int(Flags.LOW_ESS)
    assert found.columns["n_samples"][0] == 500


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_priors_are_normalized(name):
    """Also that of a bulge that is smaller than its disk."""
    layout = LAYOUTS[name]
    known = torch.ones(1, len(layout.known), dtype=torch.float64)
    scene = Scene.of(layout, known)
    generator = torch.Generator().manual_seed(1)
    shape = (50_000, layout.n_parameters)
    uniform = torch.rand(shape, generator=generator, dtype=torch.float64)
    values = torch.log(uniform) - torch.log1p(-uniform)
    proposal = torch.log(uniform * (1 - uniform)).sum(dim=1)
    column = layout.free.index("log_flux")  # uniform from -1 to 9
    values[:, column] = 10 * uniform[:, column] - 1
    proposal -= torch.log(uniform * (1 - uniform))[:, column] + np.log(10)
    for disk in layout.disks:  # uniform axis ratios and angles
        proposal -= torch.log(uniform * (1 - uniform))[:, disk].sum(dim=1)
        size = ellipticity(0.05 + 0.95 * uniform[:, disk.start])
        length = torch.atanh(size / E_MAX)
        angle = 2 * np.pi * uniform[:, disk.start + 1]
        values[:, disk] = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1) * length[:, None]
        slope = 2 / (1 + size) ** 2 * E_MAX * (1 - torch.tanh(length) ** 2)
        proposal += torch.log(slope / 0.95 / (2 * np.pi * length))
    weights = torch.exp(log_density(scene, values) - proposal)
    error = weights.std() / len(weights) ** 0.5
    assert error < 0.02
    assert abs(weights.mean() - 1) < 5 * error
