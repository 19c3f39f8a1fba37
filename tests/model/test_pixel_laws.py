"""Likelihoods of counts and of residuals with outliers."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.integrate import quad

from sersicnet.inference import fit_stamps
from sersicnet.model import StampLikelihood, collect_psfs, psf_transform, sersic_images
from sersicnet.model.pixel_laws import (
    _INFORMATION,
    _OF_WEIGHT,
    _WIDTH,
    DOF,
    PixelLaw,
    law_likelihood,
)

SIZE = 32
LABELS = np.array([[2.3, 0.4, 1.5, 0.2, 0.1, 0.3, -0.2]])
SKY = 0.4  # counts


def star():
    y, x = np.mgrid[-7:8, -7:8]
    psf = np.exp(-0.5 * (x**2 + y**2) / 1.3**2)
    return psf / psf.sum()


def image(labels=LABELS):
    transform = psf_transform(torch.from_numpy(star()), SIZE)
    return sersic_images(torch.from_numpy(labels), transform, stamp_size=SIZE).numpy()


def stamps(law, n=2):
    """Data and weights of stamps."""
    rng = np.random.default_rng(3)
    clean = np.repeat(image(), n, axis=0)
    if law == "student":
        return (clean + 0.2 + rng.standard_t(4, clean.shape)).astype("f4"), np.ones(
            clean.shape, "f4"
        )
    counts = rng.poisson(SKY + np.sqrt(SKY) * clean.clip(0))
    return ((counts - SKY) / np.sqrt(SKY)).astype("f4"), np.ones(clean.shape, "f4")


def likelihood_of(law, sky_err=None, n=2):
    data, weight = map(torch.from_numpy, stamps(law, n))
    weight[:, :5, :7] = 0  # masked
    transform = psf_transform(torch.from_numpy(star()).float(), SIZE)
    if sky_err is not None:
        sky_err = torch.full((n,), sky_err, dtype=torch.float64)
    plain = StampLikelihood(data, weight, transform, sky_err=sky_err)
    return law_likelihood(plain, PixelLaw(law, np.full(n, SKY)))


def log_density(law, likelihood, model, sky):
    """Log likelihood of the first stamp over that of a perfect model, written anew."""
    good = likelihood.weight[0] > 0
    data = likelihood.data[0][good].double()
    expected = model[0][good].double() + sky
    if law == "student":
        away = (data - expected).square() / (DOF * _WIDTH**2)
        return float(-(DOF + 1) / 2 * torch.log1p(away).sum())
    counts = (data * SKY**0.5 + SKY).round()
    mean = model[0][good].double().clamp(min=0) * SKY**0.5 + SKY + SKY**0.5 * sky
    perfect = torch.xlogy(counts, counts) - counts
    return float((torch.xlogy(counts, mean) - mean - perfect).sum())


@pytest.mark.parametrize("law", ["poisson", "student"])
def test_gradient_and_cost(law):
    likelihood = likelihood_of(law)
    labels = torch.from_numpy(LABELS).float().expand(2, -1) + 0.05
    found = likelihood.normal_equations(labels)
    assert_allclose(found.chi2, likelihood.chi2(labels))
    step = 0.01
    for column in range(7):
        away = torch.zeros(7)
        away[column] = step
        slope = (likelihood.chi2(labels - away) - likelihood.chi2(labels + away)) / (4 * step)
        scale = found.curvature[:, column, column].sqrt()
        assert_allclose(found.gradient[:, column] / scale, slope / scale, atol=0.05)


@pytest.mark.parametrize(
    ("law", "sky_err"), [("poisson", None), ("student", None), ("student", 0.05)]
)
def test_the_sky_is_integrated_over(law, sky_err):
    likelihood = likelihood_of(law, sky_err, n=1)
    labels = torch.from_numpy(LABELS).float()
    model = likelihood.model(labels)
    logarithm, sky = likelihood.marginal(labels)
    best = float(sky[0])
    top = log_density(law, likelihood, model, best)
    steps = np.linspace(-0.25, 0.25, 401)
    values = np.array([log_density(law, likelihood, model, best + step) for step in steps])
    if sky_err is not None:
        values -= 0.5 * ((best + steps) / sky_err) ** 2 + 0.5 * np.log(2 * np.pi * sky_err**2)
    else:
        assert_allclose(likelihood.chi2(labels), -2 * top, rtol=1e-5)
        assert values.argmax() == 200
    integral = np.log(np.trapezoid(np.exp(values - top), steps)) + top
    assert_allclose(float(logarithm[0]), integral, atol=0.02)


def test_student_is_calibrated_for_normal_noise():
    """The mean slope of the score is that of the squared score: errors are right."""
    width = DOF * _WIDTH**2

    def normal(value):
        return np.exp(-(value**2) / 2) / np.sqrt(2 * np.pi)

    def mean(function):
        return quad(lambda value: function(value) * normal(value), -12, 12)[0]

    slope = mean(lambda r: (DOF + 1) * (width - r**2) / (width + r**2) ** 2)
    squared = mean(lambda r: ((DOF + 1) * r / (width + r**2)) ** 2)
    weight = mean(lambda r: (DOF + 1) / (width + r**2))
    assert_allclose([slope, squared], _INFORMATION, atol=5e-4)
    assert_allclose(slope / weight, _OF_WEIGHT, atol=5e-4)


def fit(law, data):
    noise = None if law == "gaussian" else PixelLaw(law, np.full(len(data), SKY))
    return fit_stamps(LABELS, data, np.ones_like(data), collect_psfs([star()]), noise=noise)


def test_outliers_move_student_less():
    rng = np.random.default_rng(5)
    data = (image() + rng.standard_normal((1, SIZE, SIZE))).astype("f4")
    hit = data.copy()
    hit[0, 12:20, 20] += 30
    moved = {}
    for law in ("gaussian", "student"):
        before = fit(law, data)
        after = fit(law, hit)
        assert before.converged.all()
        moved[law] = abs(after.mean - before.mean)[0, 0]
    assert moved["student"] < 0.2 * moved["gaussian"]


def test_rows_of_a_likelihood():
    likelihood = likelihood_of("poisson")
    labels = torch.from_numpy(LABELS).float()
    assert likelihood[[1]].law == "poisson"
    assert_allclose(likelihood[[1]].chi2(labels), likelihood.chi2(labels)[[1]])
    sky, signal, residual = likelihood.compare(labels.expand(2, -1))
    assert signal.shape == residual.shape == (2, SIZE, SIZE)
    assert_allclose(sky, 0, atol=0.2)


def test_residuals_of_counts_sum_to_their_deviance():
    likelihood = likelihood_of("poisson")
    labels = torch.from_numpy(LABELS).float().expand(2, -1)
    _, signal, residual = likelihood.compare(labels)
    assert_allclose(residual.square().sum(dim=(1, 2)), likelihood.chi2(labels), rtol=1e-5)
    # the noise of a galaxy with 0.4 counts of sky and many more of light is that of its photons
    brighter = labels + torch.tensor([2.0, 0, 0, 0, 0, 0, 0])
    ratio = likelihood.compare(brighter)[1].amax(dim=(1, 2)) / signal.amax(dim=(1, 2))
    assert ((ratio > 8) & (ratio < 25)).all()
