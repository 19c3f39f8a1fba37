"""What one rendering shows of the likelihood."""

import torch
from helpers.scenes import make_scenes
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.model.labels import LOG_R_EFF
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.newton import label_slopes
from sersicnet.model.prior import log_snr
from sersicnet.model.profile import psf_transform
from sersicnet.model.unconstrained import from_unconstrained, to_unconstrained
from sersicnet.networks.look import LAGS, N_NUMBERS, look_at
from sersicnet.training.noises import drizzled

N = 12


def bright_scenes(**shares):
    """Scenes of bright galaxies behind PSFs of a known sampling."""
    maker = make_scenes(n_galaxies=128, **shares)
    rows = (maker.samplings == 1).repeat_interleave(16).nonzero()[:, 0]
    scenes = maker.observe(rows)
    snr = log_snr(scenes.labels)
    inside = to_unconstrained(scenes.labels)[:, 1:].abs().amax(dim=1) < 3
    good = inside & (snr > 2) & (snr < 3) & (scenes.labels[:, LOG_R_EFF] > 0.3)
    return scenes[good.nonzero()[:N, 0]]


def look(scenes, values, data=None):
    data = scenes.data if data is None else data
    ones = torch.ones(len(values), dtype=torch.long)
    return look_at(values, data, scenes.weight, scenes.psf, ones)


def test_step_is_that_of_the_likelihood():
    """Of large galaxies, whose whole stamps are compared, but for the prior of the galaxy."""
    scenes = bright_scenes()
    large = (10 ** scenes.labels[:, LOG_R_EFF] > 6.5).nonzero()[:, 0]
    scenes = scenes[large]
    values = to_unconstrained(scenes.labels + 0.01)
    found = look(scenes, values)
    sky = torch.full((len(values),), 0.03, dtype=torch.float64)
    transform = psf_transform(scenes.psf, 128)
    likelihood = StampLikelihood(scenes.data, scenes.weight, transform, sky_err=sky)
    equations = likelihood.normal_equations(from_unconstrained(values))
    slopes = label_slopes(values)
    curvature = slopes.transpose(1, 2) @ equations.curvature @ slopes
    scale = torch.diagonal(curvature, dim1=1, dim2=2).sqrt()
    outer = scale[:, :, None] * scale[:, None]
    assert_allclose(found.precision.float() / outer, curvature / outer, atol=0.02)


def test_step_leads_to_the_truth():
    scenes = bright_scenes()
    truth = to_unconstrained(scenes.labels)
    values = truth + 0.02 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
    found = look(scenes, values)
    before = truth - values
    after = before - found.step
    pull = (after[:, None].double() @ found.precision @ after[:, :, None].double())[:, 0, 0]
    assert pull.median() < 14  # 7 is the mean of noise
    assert (after.abs().median() < before.abs().median()).all()


def test_small_galaxies_are_seen_in_the_middle_alike():
    scenes = bright_scenes()
    values = to_unconstrained(scenes.labels)
    together = look(scenes, values)
    for row in (0, len(values) - 1):
        alone = look(scenes[row : row + 1], values[row : row + 1])
        for one, other in zip(alone, together, strict=True):
            largest = float(other[row].abs().max())
            assert_allclose(one[0], other[row], rtol=1e-3, atol=1e-3 * (1 + largest))


def test_numbers():
    scenes = bright_scenes()
    found = look(scenes, to_unconstrained(scenes.labels))
    assert found.numbers.shape == (len(scenes), N_NUMBERS)
    assert found.numbers.isfinite().all()
    assert found.numbers[:, 0].abs().median() < 0.3  # chi2 of noise
    assert_array_equal(found.residual[scenes.weight == 0], 0)


def test_correlated_noise_is_seen_and_widens_the_errors():
    scenes = bright_scenes()
    values = to_unconstrained(scenes.labels)
    white = look(scenes, values)
    model = scenes.data - white.residual / scenes.weight.clamp(min=0.1)
    generator = torch.Generator().manual_seed(4)
    noise = torch.randn(scenes.data.shape, generator=generator)
    noise = drizzled(noise, torch.full((len(noise),), 1.6))
    found = look(scenes, values, model + noise)
    place = 2 + len(LAGS) + LAGS.index((0, 1))
    assert white.numbers[:, place].abs().median() < 0.05
    assert_allclose(found.numbers[:, place].median(), 0.48, atol=0.05)
    errors = []
    for each in (white, found):
        covariance = torch.linalg.inv(each.precision)
        errors.append(torch.diagonal(covariance, dim1=1, dim2=2).sqrt())
    assert (errors[1] / errors[0]).median() > 1.4


def test_finer_psfs_render_the_same():
    """A PSF that is well sampled in both."""
    scenes = bright_scenes()
    values = to_unconstrained(scenes.labels)
    axis = torch.arange(187.0) - 93
    radius2 = axis**2 + axis[:, None] ** 2
    stars = []
    for sampling in (1, 2):
        psf = torch.exp(-0.5 * radius2 / (2.0 * sampling) ** 2)
        stars.append((psf / psf.sum()).expand(len(values), -1, -1))
    found = []
    for sampling, star in enumerate(stars, start=1):
        ones = torch.full((len(values),), sampling)
        found.append(look_at(values, scenes.data, scenes.weight, star, ones))
    assert_allclose(found[0].residual, found[1].residual, atol=0.05)
    assert_allclose(found[0].numbers, found[1].numbers, atol=0.05)


def test_nothing_to_see_is_no_fault():
    blank = torch.zeros(2, 128, 128)
    psf = torch.full((2, 63, 63), 1 / 63**2)
    ones = torch.ones(2, dtype=torch.long)
    found = look_at(torch.zeros(2, 7), blank, blank, psf, ones)
    assert found.numbers.isfinite().all()
    assert found.step.isfinite().all()
