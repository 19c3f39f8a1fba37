"""Is an image that is not of one Sersic galaxy found, and one that is spared?"""

import numpy as np
import pytest
import torch
from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from scipy.ndimage import gaussian_filter

from benchmarks import outliers
from sersicnet import SersicNet
from sersicnet.flags import Flags
from sersicnet.model.labels import DX, N_LABELS
from sersicnet.model.misfit import FAINTEST, SIGNIFICANCE, misfit, residual_power
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.psf import PSFs, collect_psfs
from sersicnet.preprocessing import prepare

SIZE = 128
# log flux, log r_eff, n, e1, e2, dx, dy
GALAXY = np.array([4.0, np.log10(5.0), 2.0, 0.2, -0.1, 0.3, -0.6])


def _psfs(n):
    y, x = np.indices((41, 41)) - 20
    psf = (1 + (x**2 + y**2) / 6.0) ** -3.0
    return PSFs([psf / psf.sum()], np.zeros(n, int), np.zeros(n))


def _images(labels):
    transform = psf_transform(torch.from_numpy(_psfs(1).stamps[0]), SIZE)
    return sersic_images(torch.from_numpy(labels), transform, stamp_size=SIZE).numpy()


def _noise(n, seed=1):
    return np.random.default_rng(seed).standard_normal((n, SIZE, SIZE))


def _judge(images, labels, weight=None):
    weight = np.ones(images.shape) if weight is None else weight
    data = (images * (weight > 0)).astype(np.float32)
    return residual_power(labels, data, weight.astype(np.float32), _psfs(len(labels)))


@pytest.fixture(scope="module")
def labels():
    """Thirty galaxies of three sizes at three S/N."""
    rows = np.tile(GALAXY, (30, 1))
    rows[:, 0] = np.repeat([2.8, 3.5, 4.5], 10)
    rows[:, 1] = np.log10(np.tile([2.0, 5.0, 12.0], 10))
    return rows


def test_noise_alone_is_no_misfit(labels):
    significance, share = _judge(_images(labels) + _noise(30), labels)
    assert significance.max() < SIGNIFICANCE
    assert share.max() < 0.3  # of the faintest
    assert share[-10:].max() < 0.02


def test_small_errors_of_the_labels_are_no_misfit(labels):
    images = _images(labels) + _noise(30)
    rng = np.random.default_rng(2)
    wrong = labels + rng.uniform(-1, 1, labels.shape) * [0.01, 0.02, 0.05, 0.02, 0.02, 0.1, 0.1]
    significance, share = _judge(images, wrong)
    assert not ((significance > SIGNIFICANCE) & (share > 0.02)).any()


def test_noise_of_drizzled_images_is_no_misfit(labels):
    noise = gaussian_filter(_noise(30), (0, 0.8, 0.8), mode="wrap")
    significance, _ = _judge(_images(labels) + noise / noise.std(), labels)
    assert significance.max() < SIGNIFICANCE


@pytest.mark.parametrize(("distance", "expected"), [(6, True), (40, False)])
def test_only_what_is_within_the_galaxy_counts(distance, expected):
    labels = GALAXY[None]
    other = labels + np.array([-0.3, 0, 0, 0, 0, distance, 0])
    images = _images(labels) + _images(other) + _noise(1)
    arrays = images.astype(np.float32), np.ones(images.shape, np.float32)
    assert misfit(labels, *arrays, _psfs(1)) == [expected]


@pytest.mark.parametrize("masked", [False, True])
def test_masked_pixels_do_not_count(masked):
    images, weight = _images(GALAXY[None]) + _noise(1), np.ones((1, SIZE, SIZE))
    images[0, 60:70, 64] += 500
    weight[0, 60:70, 64] = not masked
    (significance,), (share,) = _judge(images, GALAXY[None], weight)
    assert (significance > 100) == (share > 0.3) == (not masked)


def test_the_share_is_that_of_the_galaxys_signal():
    images = _images(GALAXY[None])
    ripple = 1 + 0.2 * np.sign(np.cos(np.indices((SIZE, SIZE))[1] * np.pi / 3))
    _, (share,) = _judge(images * ripple, GALAXY[None])
    # sums over half a period leave between a third of a ripple and all of it
    assert 0.2 / 3 < share < 0.2


def test_what_cannot_be_judged_is_no_misfit():
    labels = np.tile(GALAXY, (3, 1))
    labels[0] = np.nan
    labels[1, 0] = np.log10(FAINTEST)  # of the flux, not of the S/N, which is less
    psfs = PSFs(_psfs(1).stamps, np.array([0, 0, -1]), np.zeros(3))
    data, weight = np.full((2, 3, SIZE, SIZE), 100, np.float32)
    significance, share = residual_power(labels, data, weight, psfs)
    assert np.isnan(significance).all()
    assert np.isnan(share).all()
    assert not misfit(labels, data, weight, psfs).any()


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained()


def _share_with(net, kind, flag, n=8):
    cutouts = [outliers.draw_outlier(kind, i % 4, signal=100 + i) for i in range(n)]
    return ((net.predict(cutouts).flags & int(flag)) != 0).mean()


# docs/_static/calibration/outliers.csv has the shares of many
@pytest.mark.parametrize(
    ("kind", "flag", "least", "most"),
    [
        ("galaxy", Flags.MISFIT | Flags.UNRESOLVED | Flags.LOW_SNR, 0, 0),
        ("star", Flags.UNRESOLVED, 1, 1),
        ("empty sky", Flags.LOW_SNR, 1, 1),
        ("blend", Flags.MISFIT, 0.5, 1),
        ("streak", Flags.MISFIT, 0.9, 1),
        ("ring", Flags.MISFIT, 0.5, 1),
    ],
)
def test_the_networks_flags_find_outliers(net, kind, flag, least, most):
    assert least <= _share_with(net, kind, flag) <= most


def test_an_unknown_kind_of_outlier_is_refused():
    with pytest.raises(
        ValueError, match=f"kind='comet' must be one of {', '.join(outliers.KINDS)}"
    ):
        outliers.draw_outlier("comet", 0)


def test_residual_of_the_truth_is_noise():
    """At a galaxy's own parameters nothing significant is left, with any PSF, mask and noise."""
    table = np.array(
        [labels_of(snr=s, r_eff=r, dx=1, dy=-2) for s, r in ((30, 3), (900, 6), (900, 15))]
    )
    for psf, oversampling in ((star(), 1), (star(shape=(82, 82), oversampling=2), 2)):
        images = add_noise(render(table, psf, oversampling=oversampling))
        mask = np.zeros((128, 128), bool)
        mask[60:70, 66:70] = True
        noise = NOISE * np.ones((128, 128))
        images[:, mask] += 1e4
        cutouts = [make_cutout(image, mask=mask, noise=noise) for image in images]
        stamps, psfs = prepare(cutouts), collect_psfs([psf] * 3, oversampling=oversampling)
        significance, share = residual_power(table, stamps.data, stamps.weight, psfs)
        assert (np.abs(significance) < 5).all()
        assert (share < 0.1).all()
        assert not misfit(table, stamps.data, stamps.weight, psfs).any()
        moved = table + 2 * np.eye(N_LABELS)[DX]
        significance, share = residual_power(moved, stamps.data, stamps.weight, psfs)
        assert (significance[1:] > 20).all()
        assert (share[1:] > 0.02).all()
