"""Noise-free galaxies: PSFs of all widths, and those that networks render with."""

from dataclasses import replace

import torch
from helpers.scenes import make_scenes
from numpy.testing import assert_allclose

from sersicnet.model.prior import log_snr
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.training.contaminants import Contaminants
from sersicnet.training.scenes import SceneMaker

SIZE = 128


def test_fine_psfs_render_what_is_seen():
    """Also extreme ones, behind which coarse PSFs would be wrong."""
    contaminants = replace(Contaminants.none(), extreme_psf=0.5)
    maker = SceneMaker(3, contaminants=contaminants, n_galaxies=64, stars=True)
    maker.render()
    assert set(maker.samplings.tolist()) == {1, 2, 3}
    scenes = maker.observe(torch.arange(64))
    assert scenes.star.shape == (64, 187, 187)
    assert_allclose(scenes.star.sum(dim=(1, 2)), 1, rtol=1e-4)
    for sampling in (1, 2, 3):
        rows = scenes.sampling == sampling
        transform = psf_transform(scenes.star[rows], SIZE, oversampling=sampling)
        options = {"stamp_size": SIZE, "oversampling": sampling}
        images = sersic_images(scenes.labels[rows], transform, **options)
        chi2 = ((scenes.data[rows] - images) * scenes.weight[rows]).square().mean(dim=(1, 2))
        faint = (log_snr(scenes.labels) < 3.5)[rows]  # whose images are right to 1e-3
        assert (chi2[faint] < 1.1).all()


def test_extreme_psfs_are_sharp_and_wide():
    maker = SceneMaker(
        3, contaminants=replace(Contaminants.none(), extreme_psf=1.0), n_galaxies=128
    )
    maker.render()
    peaks = maker.psfs.amax(dim=(1, 2))
    usual = make_scenes().psfs.amax(dim=(1, 2))
    assert peaks[:4].min() > usual.median()
    assert peaks[4:].max() < usual.median()
