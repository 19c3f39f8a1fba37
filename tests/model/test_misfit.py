"""Is an image that is not of one Sersic galaxy found, and one that is spared?"""

import numpy as np
import pytest
import torch
from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from benchmarks import outliers
from sersicnet import SersicNet
from sersicnet.flags import Flags
from sersicnet.model.labels import DX, N_LABELS
from sersicnet.model.misfit import Misfit, compare_residuals, measure_misfit
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
    return measure_misfit(labels, data, weight.astype(np.float32), _psfs(len(labels)))


def _smoothed(n, sigma):
    noise = gaussian_filter(_noise(n), (0, sigma, sigma), mode="wrap")
    return noise / noise.std()


@pytest.fixture(scope="module")
def labels():
    """Thirty galaxies of three sizes at three S/N."""
    rows = np.tile(GALAXY, (30, 1))
    rows[:, 0] = np.repeat([2.8, 3.5, 4.5], 10)
    rows[:, 1] = np.log10(np.tile([2.0, 5.0, 12.0], 10))
    return rows


def _assert_noise(found):
    """Both numbers are 0, in units of their scatter."""
    for values in (found.significance, found.chi2_significance):
        assert np.abs(values).max() < 5
        assert np.abs(values.mean()) < 5 / np.sqrt(len(values))
        assert values.std() < 1.5


def test_white_noise(labels):
    found = _judge(_images(labels) + _noise(30), labels)
    _assert_noise(found)
    assert_allclose(found.chi2, found.expected_chi2, atol=5 * np.sqrt(2 * found.n_pixels.max()))
    fitted = found.n_pixels - found.expected_chi2
    assert_allclose(fitted, 8, atol=4)
    assert_allclose(fitted.mean(), 8, atol=1)


@pytest.mark.parametrize("sigma", [0.4, 0.8])
def test_noise_of_drizzled_images(labels, sigma):
    """Neighbors have up to 0.7 of it in common."""
    _assert_noise(_judge(_images(labels) + _smoothed(30, sigma), labels))


@pytest.mark.parametrize("gain", [1.0, 10.0])
def test_photon_noise_that_the_noise_map_lacks(labels, gain):
    """It is no structure, but the noise map is wrong."""
    images = _images(labels).clip(0)
    photons = np.random.default_rng(2).poisson(images * gain) / gain
    found = _judge(photons + _noise(30), labels)
    assert np.abs(found.significance).max() < 6
    assert (found.chi2_significance[-10:] > 10).all()
    assert (found.chi2 > 1.5 * found.expected_chi2)[-10:].all()


def test_a_wrong_noise_map(labels):
    """Noise of which the map has three quarters."""
    images = _images(labels) + _noise(30)
    found = _judge(images, labels, np.full(images.shape, 4 / 3))
    assert np.abs(found.significance).max() < 5
    assert_allclose(np.mean(found.chi2 / found.expected_chi2), (4 / 3) ** 2, atol=0.15)


def test_small_errors_of_the_labels(labels):
    images = _images(labels) + _noise(30)
    rng = np.random.default_rng(2)
    errors = np.array([0.004, 0.008, 0.02, 0.008, 0.008, 0.04, 0.04])
    _assert_noise(_judge(images, labels + rng.uniform(-1, 1, labels.shape) * errors))
    _assert_noise(_judge(images + 0.1, labels))  # of the sky


@pytest.mark.parametrize(("distance", "expected"), [(6, True), (40, False)])
def test_only_what_is_within_the_galaxy_counts(distance, expected):
    labels = GALAXY[None]
    other = labels + np.array([-0.3, 0, 0, 0, 0, distance, 0])
    found = _judge(_images(labels) + _images(other) + _noise(1), labels)
    assert (found.significance > 10) == [expected]
    assert (found.chi2_significance > 10) == [expected]


def test_the_size_of_the_cutout_does_not_matter():
    """A star in the middle of a galaxy, in the middle of more and more sky."""
    point = np.array([[3.4, -3.0, 0.5, 0, 0, GALAXY[5], GALAXY[6]]])
    images = _images(GALAXY[None]) + _images(point) + _noise(1)
    axis = np.abs(np.arange(SIZE) - 63.5)
    parts = []
    for side in (48, 64, 90, 128):
        inside = axis < side / 2
        parts.append(_judge(images, GALAXY[None], (inside & inside[:, None])[None] * 1.0))
    found = Misfit.concatenate(parts)
    assert (found.significance > 10).all()
    assert np.ptp(found.significance[1:]) < 2  # the smallest has too few pixels of pure noise
    assert_allclose(found.chi2, found.chi2[0], rtol=1e-4)
    assert len(np.unique(found.n_pixels)) == 1


@pytest.mark.parametrize("masked", [False, True])
def test_masked_pixels_do_not_count(masked):
    images, weight = _images(GALAXY[None]) + _noise(1), np.ones((1, SIZE, SIZE))
    images[0, 60:70, 64] += 500
    weight[0, 60:70, 64] = not masked
    found = _judge(images, GALAXY[None], weight)
    assert (found.significance > 5) == (found.chi2_significance > 100) == (not masked)


def test_the_correlation_of_the_noise_can_be_given():
    """Without it, drizzled noise has structure."""
    noise = torch.from_numpy(_smoothed(4, 0.7)).float()
    y, x = torch.meshgrid(*[torch.arange(SIZE) - 63.5] * 2, indexing="ij")
    signal = (20 * torch.exp(-torch.hypot(x, y) / 6)).expand(4, -1, -1)
    ellipse = (torch.hypot(x, y) < 15).expand(4, -1, -1)
    white = torch.zeros(4, 5, 5)
    white[:, 2, 2] = 1
    options = {
        "good": torch.ones_like(ellipse),
        "ellipse": ellipse,
        "derivatives": signal[:, None, 32:96, 32:96],
    }
    measured = compare_residuals(signal, noise, **options)
    wrong = compare_residuals(signal, noise, correlation=white, **options)
    assert np.abs(measured.significance).max() < 4
    assert (wrong.significance > 10).all()
    assert_allclose(wrong.chi2, measured.chi2)


def test_structure_is_the_power_of_smooth_residuals():
    """Of a ripple of 10 %, less what errors of the parameters explain."""
    images = _images(GALAXY[None])
    wave = np.cos(2 * np.pi * np.indices((SIZE, SIZE))[1] / 12)
    ripple = 0.1 * images * wave
    found = _judge(images + ripple + _noise(1), GALAXY[None])
    power = np.sqrt(found.structure / found.signal)
    assert 0.01 < power[0] < 0.1


def test_what_cannot_be_judged():
    labels = np.tile(GALAXY, (3, 1))
    labels[0] = np.nan
    psfs = PSFs(_psfs(1).stamps, np.array([0, -1, 0]), np.zeros(3))
    data, weight = np.full((2, 3, SIZE, SIZE), 100, np.float32)
    weight[2] = 0
    found = measure_misfit(labels, data, weight, psfs)
    assert found.n_pixels.tolist() == [0, 0, 0]
    assert np.isnan(found.chi2[:2]).all()
    assert not (found.significance > 0).any()
    assert not (found.chi2_significance > 0).any()


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
@pytest.mark.filterwarnings("ignore:.* sources are UNRESOLVED")
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
        found = measure_misfit(table, stamps.data, stamps.weight, psfs)
        assert (np.abs(found.significance) < 5).all()
        assert (np.abs(found.chi2_significance) < 5).all()
        moved = table + 2 * np.eye(N_LABELS)[DX]
        found = measure_misfit(moved, stamps.data, stamps.weight, psfs)
        assert (found.significance[1:] > 10).all()
