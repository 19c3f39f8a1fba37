"""The likelihood of stamps."""

import numpy as np
import torch
from helpers.small import moffat, noisy, small_galaxies

from sersicnet.model.labels import (
    LOG_FLUX,
    LOG_R_EFF,
)
from sersicnet.model.likelihood import StampLikelihood, likelihoods, stamp_sizes
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.psf import collect_psfs


def test_sky_is_projected_out():
    labels = small_galaxies(4, log_flux=3.0)
    plain, raised = noisy(labels), noisy(labels, sky=2.5)
    for a, b in zip(plain.normal_equations(labels), raised.normal_equations(labels), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=0.5)
    torch.testing.assert_close(plain.chi2(labels), raised.chi2(labels), rtol=1e-4, atol=0.1)


def test_stamps_grow_with_the_galaxy_and_with_its_light():
    labels = np.tile([4.0, 0.3, 1.0, 0.0, 0.0, 0.0, 0.0], (4, 1))
    labels[:, LOG_R_EFF] = [0.0, 0.5, 1.0, 1.5]
    sizes = stamp_sizes(labels, np.full(4, 3.0))
    assert (np.diff(sizes) >= 0).all()
    assert sizes[0] < sizes[-1] == 128
    labels[:, LOG_FLUX] = 6.0
    assert (stamp_sizes(labels, np.full(4, 3.0)) >= sizes).all()


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
            torch.linalg.inv(each.normal_equations(labels[rows])[2].double()).diagonal(
                dim1=1, dim2=2
            )
            for each in (cut, part)
        ]
        torch.testing.assert_close(errors[0], errors[1], rtol=0.05, atol=0)
        torch.testing.assert_close(
            cut.chi2(labels[rows]), part.chi2(labels[rows]), rtol=1e-3, atol=1.0
        )
