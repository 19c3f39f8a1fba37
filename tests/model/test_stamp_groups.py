"""Groups of galaxies that are fitted together."""

import numpy as np
import torch
from helpers.correlated import gaussian_correlation, smoothed
from helpers.small import moffat, small_galaxies

from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.psf import collect_psfs
from sersicnet.model.stamp_groups import NoiseFilters, likelihoods
from sersicnet.model.whitening import whitening_filters


def test_pixels_outside_of_the_stamp_tell_the_sky():
    """Errors on a cut stamp are nearly those on the whole one."""
    psf = moffat().double().numpy()
    labels = small_galaxies(12, log_flux=2.5, log_r_eff=0.3, n=1.5, dx=0.0, dy=0.0)
    transform = psf_transform(moffat(), 128)
    image = sersic_images(labels, transform, stamp_size=128)
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(5))
    data = (image + noise).numpy()
    psfs = collect_psfs([psf] * len(labels))
    whole = StampLikelihood(torch.from_numpy(data), torch.ones_like(image), transform)
    groups = likelihoods(labels.double().numpy(), data, np.ones_like(data), psfs, chunk=32)
    for rows, cut in groups:
        assert cut.data.shape[-1] < 128
        assert (cut.n_pixels == 128**2).all()
        part = whole[torch.from_numpy(rows)]
        errors = [
            torch.linalg.inv(each.normal_equations(labels[rows]).curvature.double()).diagonal(
                dim1=1, dim2=2
            )
            for each in (cut, part)
        ]
        torch.testing.assert_close(errors[0], errors[1], rtol=0.05, atol=0)
        torch.testing.assert_close(
            cut.chi2(labels[rows]), part.chi2(labels[rows]), rtol=1e-3, atol=1.0
        )


def test_white_and_correlated_noise_are_fitted_apart():
    """Each galaxy once; without a filter, its noise is taken as white."""
    labels = small_galaxies(6, log_flux=2.5, log_r_eff=0.3, n=1.5).double().numpy()
    data = smoothed(6, 128, 0.7).astype(np.float32)
    colored = np.array([True, False, True, True, False, False])
    covariance = torch.from_numpy(gaussian_correlation(0.7))[None]
    filters = whitening_filters(covariance).float().numpy() * colored[:, None, None]
    noise = NoiseFilters(filters, np.zeros(data.shape, dtype=bool))
    psfs = collect_psfs([moffat().double().numpy()] * len(labels))
    groups = list(likelihoods(labels, data, np.ones_like(data), psfs, chunk=2, noise=noise))
    assert sorted(np.concatenate([rows for rows, _ in groups])) == list(range(6))
    for rows, likelihood in groups:
        assert len(set(colored[rows])) == 1
        assert torch.is_tensor(likelihood.gain) == colored[rows][0]
