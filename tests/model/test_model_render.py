"""Images of many galaxies, each behind its own PSF."""

import numpy as np
import pytest
import torch
from helpers.rendered import labels_of, render_tensor, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.model.psf import collect_psfs
from sersicnet.model.render import n_together, psf_transforms, render_models

CPU = torch.device("cpu")
STARS = (star(3.0), star(5.0))


@pytest.mark.parametrize("which", [(0, 1, 0, 1), (1, 1, 1, 1)])
def test_each_galaxy_is_behind_its_own_psf(which, monkeypatch):
    """In whatever groups they are rendered."""
    monkeypatch.setitem(render_models.__wrapped__.__globals__["_CHUNKS"], "cpu", 3)
    psfs = collect_psfs([STARS[number] for number in which])
    labels = np.array([labels_of(snr=snr, dx=0.1 * snr) for snr in (1, 2, 3, 4)])
    chosen = np.array([3, 0, 2])
    seen = []
    for rows, known, models in render_models(labels, chosen, psfs, 64, device=CPU):
        assert_allclose(known, labels[rows], rtol=1e-6)
        for row, model in zip(rows, models, strict=True):
            expected = render_tensor(labels[[row]], STARS[which[row]], size=64)[0]
            assert_allclose(model, expected, atol=1e-5 * expected.max())
        seen += rows.tolist()
    assert_array_equal(np.sort(seen), np.sort(chosen))


def test_one_psf_has_one_transform():
    psfs = collect_psfs(list(STARS))
    both = psf_transforms(psfs, np.array([1, 0, 1]), 32)
    one = psf_transforms(psfs, np.array([1, 1]), 32)
    assert both.shape == (3, *one.shape)
    assert_array_equal(both[0], one)
    assert_array_equal(both[2], one)
    assert (both[1] != one).any()


def test_fewer_galaxies_together_where_they_are_large():
    assert n_together(5, 32, 1, "cpu") == 5
    numbers = [n_together(32, size, 2, "cpu") for size in (64, 256, 1024, 8192)]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] == 1
