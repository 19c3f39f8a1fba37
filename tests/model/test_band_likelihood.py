"""Likelihoods of several bands."""

import torch
from helpers.rendered import labels_of, render_tensor, star

from sersicnet.model import StampLikelihood, psf_transform
from sersicnet.model.band_likelihood import BandLikelihood


def test_derivatives_are_those_of_the_sum_of_both_bands():
    labels = torch.tensor([labels_of(snr=30), labels_of(snr=60, r_eff=3.0)])[None]
    bands = []
    for number, size in enumerate((32, 48)):
        image = render_tensor(labels[:, number], star(), size=size)
        image = image + torch.randn(image.shape, generator=torch.Generator().manual_seed(number))
        transform = psf_transform(torch.as_tensor(star()), size)
        bands.append(StampLikelihood(image, torch.ones_like(image), transform))
    likelihood = BandLikelihood(tuple(bands))
    near = (labels + 0.01).flatten(1).double()
    found = likelihood.normal_equations(near)
    each = [band.chi2(near[:, place]) for band, place in zip(bands, likelihood.places, strict=True)]
    assert torch.allclose(found.chi2, sum(each))
    assert int(likelihood.n_pixels[0]) == 32**2 + 48**2
    assert found.sky_total.shape == (1, 2)
    step = torch.zeros_like(near)
    step[0, 8] = 1e-4  # the size in the second band
    up = likelihood.normal_equations(near + step).chi2
    down = likelihood.normal_equations(near - step).chi2
    assert torch.allclose(found.gradient[0, 8], -(up - down)[0] / 4e-4, rtol=1e-3)
    assert found.curvature[0, 3, 8] == 0
    assert found.sky_response[0, 3, 1] == 0
