"""The likelihood of stamps."""

from dataclasses import replace

import numpy as np
import torch
from helpers.small import noisy, small_galaxies


def test_sky_is_projected_out():
    labels = small_galaxies(4, log_flux=3.0)
    plain, raised = noisy(labels), noisy(labels, sky=2.5)
    one, other = plain.normal_equations(labels), raised.normal_equations(labels)
    for name in ("chi2", "gradient", "curvature", "sky_response"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=1e-3, atol=0.5)
    torch.testing.assert_close(plain.chi2(labels), raised.chi2(labels), rtol=1e-4, atol=0.1)


def with_sky_err(likelihood, sky_err):
    return replace(likelihood, sky_err=torch.full((len(likelihood),), sky_err, dtype=torch.float64))


def test_sky_with_a_prior_is_between_none_and_a_free_one():
    labels = small_galaxies(4, log_flux=3.0)
    raised = noisy(labels, sky=0.2)
    widths = (0.0, 1e-9, 0.02, 1e4, torch.inf)
    none, narrow, prior, wide, free = (with_sky_err(raised, width) for width in widths)
    for one, other in ((none, narrow), (wide, free)):
        for name in ("chi2", "gradient", "curvature"):
            values = [getattr(each.normal_equations(labels), name) for each in (one, other)]
            torch.testing.assert_close(*values, rtol=1e-4, atol=1e-2)
    assert (none.compare(labels)[0] == 0).all()
    assert (prior.compare(labels)[0] < free.compare(labels)[0]).all()
    assert (prior.chi2(labels) < none.chi2(labels)).all()
    assert (prior.chi2(labels) > free.chi2(labels)).all()


def test_sky_with_a_prior_is_integrated_over():
    """As by a sum over skies, and the best sky is their mean."""
    labels = small_galaxies(3, log_flux=2.0)
    prior = with_sky_err(noisy(labels, sky=0.04), 0.03)
    steps = torch.linspace(-0.15, 0.15, 601, dtype=torch.float64)
    fixed = with_sky_err(prior, 0.0)
    each = []
    for level in steps:
        chi2 = replace(fixed, data=prior.data - level).chi2(labels)
        density = -0.5 * chi2 - 0.5 * (level / 0.03) ** 2
        each.append(density - 0.5 * np.log(2 * np.pi * 0.03**2))
    densities = torch.stack(each)
    found, sky = prior.marginal(labels)
    expected = torch.logsumexp(densities, dim=0) + np.log(float(steps[1] - steps[0]))
    torch.testing.assert_close(found, expected, rtol=0, atol=0.02)
    torch.testing.assert_close(sky, torch.softmax(densities, dim=0).T @ steps, rtol=0, atol=1e-3)
    scatter = torch.softmax(densities, dim=0).T @ steps**2 - sky**2
    torch.testing.assert_close(scatter.sqrt(), prior.sky_precision.rsqrt(), rtol=0.03, atol=0)
