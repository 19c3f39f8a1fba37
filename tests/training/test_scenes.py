"""Scenes: what they are without contaminants, what each contaminant does, and what never leaks."""

import math
from itertools import islice

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.scenes import N, blank_scenes, make_scenes
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.model import prior
from sersicnet.model.labels import (
    CENTER,
    E1,
    ELLIPTICITY,
    LOG_FLUX,
    LOG_R_EFF,
    N_LABELS,
    SERSIC_N,
    axis_ratio,
)
from sersicnet.model.prior import log_snr
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.training.scenes import SceneMaker

SIZE = 128


def model(scenes):
    """What the labels and the PSF of scenes say that is seen, in units of the noise."""
    transform = psf_transform(scenes.psf, SIZE)
    return sersic_images(scenes.labels, transform, stamp_size=SIZE)


def n_sharp(maker):
    """PSFs that are sampled twice as finely: with FWHM 1.5 to 3 of 1.5 to 8 pixels."""
    return round(len(maker.psfs) * math.log(3 / 1.5) / math.log(8 / 1.5))


def brighter(scenes, snr):
    """Which of the scenes have galaxies of a S/N above this."""
    return log_snr(scenes.labels) > math.log10(snr)


def autocorrelation(images, step=1):
    """Mean product of neighbors along both axes, over the variance."""
    pairs = [(images[:, :, step:], images[:, :, :-step]), (images[:, step:], images[:, :-step])]
    return sum((a * b).mean(dim=(1, 2)) for a, b in pairs) / 2 / images.square().mean(dim=(1, 2))


@pytest.fixture(scope="module")
def clean():
    """Isolated galaxies: the maker and its scenes."""
    maker = make_scenes()
    return maker, maker.observe(torch.arange(N))


@pytest.fixture(scope="module")
def spoiled():
    """Scenes with all contaminants as in training."""
    maker = SceneMaker(4, n_galaxies=N)
    maker.render()
    return maker.observe(torch.arange(N))


# --- what scenes are --------------------------------------------------------------------------


def test_shapes(spoiled):
    assert spoiled.data.shape == spoiled.weight.shape == (N, SIZE, SIZE)
    assert spoiled.psf.shape == (N, 63, 63)
    assert spoiled.labels.shape == (N, N_LABELS)
    for tensor in vars(spoiled).values():
        assert tensor.dtype == torch.float32
        assert tensor.isfinite().all()


def test_unit_is_the_median_noise_of_good_pixels(spoiled):
    for weight in spoiled.weight:
        assert_allclose((1 / weight[weight > 0]).median(), 1, rtol=0.03)


def test_bad_pixels_have_neither_data_nor_weight(spoiled):
    bad = spoiled.weight == 0
    assert 0.05 < bad.float().mean() < 0.5
    assert (spoiled.data[bad] == 0).all()
    assert (spoiled.data[~bad] != 0).float().mean() > 0.9999
    assert (spoiled.weight >= 0).all()


def test_psfs_have_unit_sum(spoiled):
    assert_allclose(spoiled.psf.sum(dim=(1, 2)), 1, rtol=1e-5)
    lowest = spoiled.psf.amin(dim=(1, 2)) / spoiled.psf.amax(dim=(1, 2))
    assert (lowest > -0.006).all()  # noise of 1e-3 of the peak at most


def test_labels_cover_the_prior():
    maker = make_scenes(n_galaxies=256)
    labels = torch.cat([maker.observe(torch.arange(256)).labels for _ in range(2)])
    labels[:, LOG_FLUX] -= maker.shares.log10().repeat_interleave(16).repeat(2)
    q = axis_ratio(labels[:, ELLIPTICITY].norm(dim=1))
    values = {
        (math.log10(prior.SNR_LIMITS[0]), math.log10(prior.SNR_LIMITS[1])): log_snr(labels),
        prior.LOG_R_EFF_LIMITS: labels[:, LOG_R_EFF],
        prior.N_LIMITS: labels[:, SERSIC_N],
        prior.Q_LIMITS: q,
        (-prior.MAX_OFFSET, prior.MAX_OFFSET): labels[:, CENTER].flatten(),
    }
    for (low, high), value in values.items():
        assert value.min() >= low - 1e-4
        assert value.max() <= high + 1e-4
        assert value.min() < low + 0.05 * (high - low)
        assert value.max() > high - 0.05 * (high - low)
    snr = log_snr(labels)
    shares = [(snr < low).float().mean() for low in (1.3, 2.3, 3.3)]
    assert_allclose(shares, [0.25, 0.5, 0.75], atol=0.08)  # uniform from 0.3 to 4.3


def test_a_galaxy_seen_again_has_another_flux_but_its_shape(clean):
    maker, scenes = clean
    again = maker.observe(torch.arange(N))
    assert (again.labels[:, LOG_FLUX] != scenes.labels[:, LOG_FLUX]).all()
    for place in (LOG_R_EFF, SERSIC_N):
        assert_array_equal(again.labels[:, place], scenes.labels[:, place])
    for part in (ELLIPTICITY, CENTER):  # turned
        found, before = (s.labels[:, part].norm(dim=1) for s in (again, scenes))
        assert_allclose(found, before, rtol=1e-5)


# --- seeds and batches ------------------------------------------------------------------------


def test_seed():
    before = torch.get_rng_state()
    first, same, other, pair = (
        SceneMaker(seed, n_galaxies=64).batches(16) for seed in (1, 1, 2, (1, 1))
    )
    for _ in range(2):
        scenes = [next(batches) for batches in (first, same, other, pair)]
        for name, tensor in vars(scenes[0]).items():
            assert_array_equal(getattr(scenes[1], name), tensor)
            assert (getattr(scenes[2], name) != tensor).any()
            assert (getattr(scenes[3], name) != tensor).any()
    assert_array_equal(torch.get_rng_state(), before)


def test_each_galaxy_is_shown_as_often_as_told(monkeypatch):
    renders = []
    monkeypatch.setattr(SceneMaker, "render", lambda self: renders.append(1))
    monkeypatch.setattr(SceneMaker, "observe", lambda self, rows: rows)
    batches = SceneMaker(1, n_galaxies=128, reuse=3).batches(32)
    for number in (1, 2):
        rows = torch.cat(list(islice(batches, 12)))
        assert_array_equal(rows.sort().values, torch.arange(128).repeat_interleave(3))
        assert len(renders) == number
        assert (rows[:128] != rows[128:256]).any()


@pytest.mark.parametrize("n_galaxies", [0, 100, -64])
def test_impossible_number_of_galaxies(n_galaxies):
    with pytest.raises(ValueError, match=f"n_galaxies={n_galaxies} must be a positive multiple"):
        SceneMaker(1, n_galaxies=n_galaxies)


@pytest.mark.parametrize("batch_size", [0, 65])
def test_impossible_batch_size(batch_size):
    with pytest.raises(ValueError, match=f"batch_size={batch_size} must be 1 to n_galaxies=64"):
        next(SceneMaker(1, n_galaxies=64).batches(batch_size))


@pytest.mark.parametrize("n", [1, 3, 9])
def test_any_number_of_galaxies_at_a_time(clean, n):
    scenes = clean[0].observe(torch.arange(n) + 64)
    assert scenes.labels.shape == (n, N_LABELS)
    assert_allclose((scenes.data - model(scenes)).square().mean(dim=(1, 2)), 1, atol=0.06)


# --- without contaminants ---------------------------------------------------------------------


def test_what_the_labels_do_not_explain_is_white_noise(clean):
    """Each sign of the flips and transposes is right, sizes and fluxes too, at S/N up to 20,000."""
    maker, scenes = clean
    noise = scenes.data - model(scenes)
    # A sharp PSF cannot be told by a stamp at the scale of the image: only faint galaxies bear it.
    told = (torch.arange(N) >= 16 * n_sharp(maker)) | ~brighter(scenes, 100)
    assert 80 < told.sum() < N
    # The light that a PSF has outside of its stamp is not in the model.
    lost = (1 - maker.shares.repeat_interleave(16)) * 10 ** scenes.labels[:, LOG_FLUX] / SIZE**2
    noise, lost = noise[told], lost[told]
    deviation = math.sqrt(2) / SIZE  # of a mean square over a stamp
    chi2 = noise.square().mean(dim=(1, 2))
    assert (scenes.weight == 1).all()
    assert (chi2 > 1 - 5 * deviation).all()
    assert (chi2 < 1 + 5 * deviation + lost**2).all()
    assert_allclose(chi2[lost < 0.01], 1, atol=5 * deviation)
    assert_allclose(noise.square().mean(), 1, atol=5 * deviation / math.sqrt(len(noise)))
    assert (noise.mean(dim=(1, 2)).abs() < 5 / SIZE + lost).all()
    assert noise.mean(dim=(1, 2)).median().abs() < 5e-3
    assert noise.abs().max() < 6
    for step in (1, 2, 4):
        assert_allclose(autocorrelation(noise[lost < 0.01], step), 0, atol=5 / SIZE)


WRONG = {
    "flux": lambda log_flux, r, n, e1, e2, dx, dy: (log_flux + 0.02, r, n, e1, e2, dx, dy),
    "size": lambda log_flux, r, n, e1, e2, dx, dy: (log_flux, r + 0.02, n, e1, e2, dx, dy),
    "n": lambda log_flux, r, n, e1, e2, dx, dy: (log_flux, r, 1.1 * n, e1, e2, dx, dy),
    "theta reversed": lambda log_flux, r, n, e1, e2, dx, dy: (log_flux, r, n, e1, -e2, dx, dy),
    "theta transposed": lambda log_flux, r, n, e1, e2, dx, dy: (log_flux, r, n, -e1, e2, dx, dy),
    "x reversed": lambda log_flux, r, n, e1, e2, dx, dy: (log_flux, r, n, e1, e2, -dx, dy),
    "y reversed": lambda log_flux, r, n, e1, e2, dx, dy: (log_flux, r, n, e1, e2, dx, -dy),
    "x and y exchanged": lambda log_flux, r, n, e1, e2, dx, dy: (log_flux, r, n, e1, e2, dy, dx),
}


@pytest.mark.parametrize("error", WRONG)
def test_wrong_labels_would_be_seen(clean, error):
    """The test above is a test: chi squared tells each of these errors."""
    _, scenes = clean
    labels = torch.stack(WRONG[error](*scenes.labels.unbind(1)), dim=1)
    image = sersic_images(labels, psf_transform(scenes.psf, SIZE), stamp_size=SIZE)
    chi2 = (scenes.data - image).square().mean(dim=(1, 2))
    assert chi2[brighter(scenes, 1000)].median() > 1.1


def test_all_eight_ways_are_taken():
    maker = make_scenes()
    maker.galaxies[:] = maker.galaxies[80]  # one galaxy, bright
    maker.labels[:] = maker.labels[80]
    maker.psfs[:] = maker.psfs[5]
    labels = maker.observe(torch.arange(64)).labels[:, E1:].numpy().round(5)
    ways, counts = np.unique(labels, axis=0, return_counts=True)
    assert len(ways) == 8
    assert set(counts) == {8}


# --- each contaminant alone -------------------------------------------------------------------


def test_faint_neighbors():
    """Up to four of 0.3 to 10 % of the flux each, none of them masked."""
    maker = make_scenes(faint_neighbors=1.0)
    target = maker.galaxies * 1000
    scene, masked = maker._neighbors(target, torch.full((N,), 1000.0), torch.arange(N) // 16)
    light = scene - target
    share = light.sum(dim=(1, 2)) / 1000
    assert not masked.any()
    assert light.min() > -0.01
    assert_allclose((share > 2e-4).float().mean(), 15 / 16, atol=0.1)  # not all in the stamp
    assert 0.1 < share.max() < 0.4
    scenes = maker.observe(torch.arange(N))
    chi2 = (scenes.data - model(scenes)).square().mean(dim=(1, 2))
    assert (scenes.weight == 1).all()
    assert (chi2[brighter(scenes, 1000)] > 1.1).float().mean() > 0.5


def test_bright_neighbors_are_masked_where_they_are_seen():
    maker = make_scenes(bright_neighbors=1.0)
    rows = torch.arange(N)
    flux = 10 ** torch.linspace(1, 5, N)
    target = maker.galaxies * flux[:, None, None]
    scene, masked = maker._neighbors(target, flux, rows // 16)
    light = scene - target
    assert (light.amin(dim=(1, 2)) > -0.01 * flux).all()
    assert (light.sum(dim=(1, 2)) < 10.5 * flux).all()  # two of five times its flux
    # a factor of 2 either way, and 2 for two of them
    must = (light > 4.1) & (light > 4.1 * target)
    may = (light > 0.49) & (light > 0.49 * target)
    assert (masked | ~must).all()
    assert (may | ~masked).all()
    assert masked.any(dim=2).any(dim=1)[N // 2 :].float().mean() > 0.7


def test_masks_of_bright_neighbors_reach_the_scenes():
    scenes = make_scenes(bright_neighbors=1.0).observe(torch.arange(N))
    assert 0.3 < (scenes.weight == 0).any(dim=2).any(dim=1).float().mean() < 1
    assert (scenes.data[scenes.weight == 0] == 0).all()
    middle = (scenes.weight == 0)[:, 62:66, 62:66].float().mean()
    assert middle < (scenes.weight == 0).float().mean()


@pytest.mark.parametrize("nearest", [5.0, 12.0])
def test_neighbors_are_uniform_on_the_sky(nearest):
    maker = make_scenes(n_galaxies=64)
    point = torch.zeros(SIZE, SIZE)
    point[64, 64] = 1
    maker.galaxies[:], maker.stars[:] = point, point
    images = maker._neighbor(torch.zeros(1500, dtype=torch.long), torch.full((1500,), 3.0), nearest)
    number, y, x = images.nonzero().unbind(1)
    assert_allclose(images[number, y, x], 3)
    distance = torch.hypot(x - 64.0, y - 64.0)
    assert nearest - 1 < distance.min() < nearest + 2
    inside = distance < 60
    share = (distance[inside] ** 2 - nearest**2) / (60**2 - nearest**2)
    assert_allclose(np.quantile(share, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.04)
    assert_allclose(len(number) / 1500, 0.8, atol=0.15)  # the others are outside of the stamp


def test_sky():
    """0.05 of the noise, and slopes of 0.03 from the middle to the edge."""
    data = blank_scenes(512, sky=1.0).data
    axis = torch.linspace(-1, 1, SIZE)
    noise = 1 / SIZE
    level = data.mean(dim=(1, 2))
    slope = torch.cat([(data.mean(dim=d) @ axis) / axis.square().sum() for d in (1, 2)])
    assert_allclose(level.std(), math.hypot(0.05, noise), rtol=0.1)
    assert_allclose(slope.std(), math.hypot(0.03, noise * math.sqrt(3)), rtol=0.1)
    assert_allclose([level.mean(), slope.mean()], 0, atol=0.01)


def test_correlated_noise():
    """Smoothed by 0.3 to 0.8 pixels, with the rms of a pixel as the noise map tells."""
    noise = blank_scenes(256, correlated_noise=1.0)
    assert (noise.weight == 1).all()
    assert_allclose(noise.data.square().mean(), 1, rtol=0.01)
    limits = []
    for sigma in (0.3, 0.8):
        kernel = np.exp(-0.5 * (np.arange(-2, 3) / sigma) ** 2)
        limits.append((kernel[1:] @ kernel[:-1]) / (kernel @ kernel))
    found = autocorrelation(noise.data)
    assert limits[0] - 0.03 < found.min() < limits[0] + 0.05
    assert limits[1] - 0.05 < found.max() < limits[1] + 0.03
    assert_allclose(autocorrelation(noise.data, 5), 0, atol=0.06)


def illuminated(level, n=256, **shares):
    """A flat scene of this many units of the noise, before it is standardized."""
    maker = make_scenes(n_galaxies=64, **shares)
    scene = torch.full((n, SIZE, SIZE), float(level))
    data, noise_map = maker._noise(scene)
    return (data - scene), noise_map.expand_as(data)


def test_poisson_noise():
    noise, noise_map = illuminated(400, poisson_noise=1.0)
    rms = noise.square().mean(dim=(1, 2)).sqrt()
    assert_allclose(rms, noise_map.mean(dim=(1, 2)), rtol=0.04)
    electrons = (400 / (noise_map.square().mean(dim=(1, 2)) - 1)).log10()
    assert_allclose([electrons.min(), electrons.max()], [0.5, 3], atol=0.1)


def test_constant_noise_map():
    noise, noise_map = illuminated(400, poisson_noise=1.0, constant_noise_map=1.0)
    assert (noise_map == 1).all()
    assert noise.square().mean(dim=(1, 2)).min() > 1.2


def test_wrong_noise_map():
    """The data are divided by the map's median: 3 % rms, too much or too little."""
    scenes = blank_scenes(256, wrong_noise_map=1.0)
    error = scenes.data.square().mean(dim=(1, 2)).sqrt().log()
    assert (scenes.weight == 1).all()
    assert_allclose([error.mean(), error.std()], [0, 0.03], atol=0.006)


def test_uneven_depth():
    scenes = blank_scenes(256, uneven_depth=1.0)
    noise = 1 / scenes.weight
    corners = noise[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert_allclose(corners.sum(dim=1), 4 * noise.mean(dim=(1, 2)), rtol=1e-4)  # a plane
    change = (noise[:, 0, 0] - noise[:, 0, -1]).abs() / noise.mean(dim=(1, 2))
    assert 0.25 < change.max() < 0.31
    for corner in (scenes.data * scenes.weight).unfold(1, 32, 96).unfold(2, 32, 96).unbind(2):
        assert_allclose(corner.square().mean(), 1, rtol=0.02)


def test_missing_pixels():
    bad = blank_scenes(256, missing_pixels=1.0).weight == 0
    share = bad.float().mean(dim=(1, 2))
    assert 0.005 < share.mean() < 0.03
    assert share.max() < 0.06
    whole = bad.all(dim=1).sum(dim=1) + bad.all(dim=2).sum(dim=1)  # columns, after a turn rows
    assert 0.4 < (whole > 0).float().mean() < 0.9
    assert whole.max() <= 4


def test_padding():
    bad = blank_scenes(256, padding=1.0).weight == 0
    along, across = (~bad).any(dim=1), (~bad).any(dim=2)
    assert_array_equal(~bad, across[:, :, None] & along[:, None, :])  # a rectangle
    for inside in (along, across):
        assert_array_equal(inside, inside.flip(1))  # in the middle
        side = inside.sum(dim=1)
        assert 40 <= side.min() < 44
        assert 122 < side.max() <= 128


def test_wrong_psf():
    """The galaxy is seen through another PSF than the one that is given."""
    truth, wrong = make_scenes(n_galaxies=256), make_scenes(n_galaxies=256, wrong_psf=1.0)
    assert torch.equal(truth.galaxies, wrong.galaxies)
    axis = torch.arange(63.0) - 31
    # of those without far wings, which a stamp cuts
    compact = truth.psfs.amax(dim=(1, 2)) > 0.01
    shift = [(wrong.psfs - truth.psfs).sum(dim=d)[compact] @ axis for d in (1, 2)]
    assert 0.06 < torch.cat(shift).square().mean().sqrt() < 0.15
    half = make_scenes(n_galaxies=256, wrong_psf=0.5)
    same = [torch.equal(*pair) for pair in zip(half.psfs, truth.psfs, strict=True)]
    assert 2 <= sum(same) <= 14


def test_small_psf_stamp():
    """A PSF of 25 to 61 pixels is taken to hold all the light: what it lacks is not counted."""
    whole, small = (make_scenes(small_psf_stamp=share) for share in (0.0, 1.0))
    assert (small.shares <= whole.shares + 1e-6).all()
    assert (small.shares > 0.7).all()
    axis = torch.arange(63) - 31
    reach = ((small.psfs.sum(dim=1) > 0) * axis).amax(dim=1)
    assert 12 <= reach.min() < 20
    assert 24 < reach.max() <= 31
    inside = (axis.abs() <= reach[:, None])[:, None] & (axis.abs() <= reach[:, None])[:, :, None]
    ratio = (whole.shares / small.shares)[:, None, None]
    assert_allclose(small.psfs, whole.psfs * inside * ratio, rtol=1e-5)
    scenes = [maker.observe(torch.arange(N)) for maker in (whole, small)]
    assert torch.equal(scenes[0].data, scenes[1].data)
    lost = (small.shares / whole.shares).log10().repeat_interleave(16)
    change = scenes[1].labels - scenes[0].labels
    assert_allclose(change[:, 0], lost, atol=1e-5)
    assert_array_equal(change[:, 1:], 0)
    assert lost.min() < math.log10(0.995)


def test_shifted_psf():
    """Star and galaxies move together: the labels stay, as the user's PSF tells of the shift."""
    centered, shifted = (make_scenes(n_galaxies=512, shifted_psf=share) for share in (0.0, 1.0))
    assert torch.equal(centered.labels, shifted.labels)
    axis = torch.arange(63.0) - 31
    compact = centered.psfs.amax(dim=(1, 2)) > 0.01
    moves = [(shifted.psfs - centered.psfs).sum(dim=d)[compact] @ axis for d in (1, 2)]
    moves = torch.cat(moves)
    assert 0.1 < moves.square().mean().sqrt() < 0.2
    assert moves.abs().max() < 0.3
    scenes = shifted.observe(torch.arange(256))
    left = (scenes.data - model(scenes)).square().mean(dim=(1, 2))
    assert_allclose(left[~brighter(scenes, 300)], 1, atol=0.1)


def test_noisy_psf():
    clean, noisy = make_scenes(n_galaxies=256), make_scenes(n_galaxies=256, noisy_psf=1.0)
    assert torch.equal(clean.galaxies, noisy.galaxies)
    noise = noisy.psfs * noisy.shares[:, None, None] - clean.psfs * clean.shares[:, None, None]
    rms = noise.flatten(1).std(dim=1) / clean.psfs.amax(dim=(1, 2)) / clean.shares
    assert (rms > 0.9e-5).all()
    assert (rms < 1.1e-3).all()
    assert rms.max() / rms.min() > 5
    assert_allclose(noisy.psfs.sum(dim=(1, 2)), 1, rtol=1e-5)


# --- what never leaks -------------------------------------------------------------------------


def test_the_noise_map_knows_the_noisy_image_only():
    """Its square is linear in the data, averaged over 4 x 4 pixels, with nothing left over."""
    scenes = make_scenes(poisson_noise=1.0).observe(torch.arange(N))
    few = scenes.weight[:, None, ::4, ::4]
    assert_array_equal(F.interpolate(few, scale_factor=4)[:, 0], scenes.weight)
    variance = few.flatten(1).double() ** -2
    seen = F.avg_pool2d(scenes.data.double(), 4).clamp(min=0).flatten(1)
    electrons = []
    for v, s in zip(variance, seen, strict=True):
        slope, level = np.polyfit(s, v, 1)
        assert_allclose(v, slope * s + level, rtol=1e-5)
        electrons.append(np.log10(np.sqrt(level) / slope))
    # and nothing of the galaxy is in the number of electrons
    assert_allclose([min(electrons), max(electrons)], [0.5, 3], atol=0.1)
    correlation = np.corrcoef(electrons, scenes.labels.T)[0, 1:]
    assert_allclose(correlation, 0, atol=4 / math.sqrt(N))
