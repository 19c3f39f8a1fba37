"""Scenes of the universal training set, made on the device that trains.

A scene is a galaxy from the universal prior as some camera might show it: through a PSF of one of
several families, with noise, and with the imperfections of real images. Each imperfection is a
field of `~sersicnet.training.Contaminants` and can be switched off. Noise-free galaxies are
rendered in groups that share a PSF, and each is used a few times, with its flux, orientation,
noise and imperfections drawn anew.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF, N_LABELS, SERSIC_N
from sersicnet.model.prior import SNR_LIMITS, draw_labels, log_snr
from sersicnet.model.profile import fft_size, sersic_images
from sersicnet.model.psf import PSF_SIZE
from sersicnet.training.contaminants import Contaminants
from sersicnet.training.data import Scenes, turn
from sersicnet.training.psf_families import draw_transforms, perturb, psf_stamps, shift

__all__ = ["SceneMaker"]

SIZE = 128
# Galaxies that share a PSF; one star is rendered beside them.
_GROUP = 16
# Noise-free galaxies come in multiples of this: a group for each of the four families of PSFs.
GALAXIES_STEP = 64
# Smallest and largest FWHM of the PSFs of training, in pixels; those below the middle one are
# sampled twice as finely.
_SHARPEST = 1.5
_SHARP = 3.0
_WIDEST = 8.0


class SceneMaker:
    """Draw scenes without end.

    Parameters
    ----------
    seed : int or tuple of int
        Seed: two makers with one seed draw the same scenes; zeros at its end do not count.
    contaminants : Contaminants, optional
        Simulated imperfections.
    n_galaxies : int
        Number of noise-free galaxies kept at a time, a multiple of 64.
    reuse : int
        Number of times that each is shown before all are replaced.
    device : str or `~torch.device`
        Device that makes the scenes.

    Raises
    ------
    ValueError
        If ``n_galaxies`` is not a positive multiple of 64.

    Examples
    --------
    >>> from sersicnet.training import SceneMaker
    >>> maker = SceneMaker(1, n_galaxies=64)
    >>> scenes = next(maker.batches(8))
    >>> scenes.data.shape, scenes.labels.shape
    (torch.Size([8, 128, 128]), torch.Size([8, 7]))
    """

    def __init__(self, seed, *, contaminants=None, n_galaxies=2048, reuse=4, device="cpu"):
        if n_galaxies < 1 or n_galaxies % GALAXIES_STEP:
            msg = f"n_galaxies={n_galaxies!r} must be a positive multiple of {GALAXIES_STEP}"
            raise ValueError(msg)
        if contaminants is None:
            contaminants = Contaminants()
        self.contaminants = contaminants
        self.n_galaxies = n_galaxies
        self.reuse = reuse
        self.device = torch.device(device)
        # a torch generator takes one number, into which those of the seed are mixed
        state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
        self.generator = torch.Generator(self.device).manual_seed(int(state >> np.uint64(1)))

    def batches(self, batch_size):
        """Yield batches of scenes without end.

        Parameters
        ----------
        batch_size : int
            Number of scenes in a batch, at most ``n_galaxies``.

        Yields
        ------
        `~sersicnet.training.Scenes`

        Raises
        ------
        ValueError
            If ``batch_size`` is not from 1 to ``n_galaxies``.
        """
        if not 1 <= batch_size <= self.n_galaxies:
            msg = f"batch_size={batch_size!r} must be 1 to n_galaxies={self.n_galaxies!r}"
            raise ValueError(msg)
        while True:
            self.render()
            for _ in range(self.reuse):
                order = torch.randperm(
                    self.n_galaxies, generator=self.generator, device=self.device
                )
                for start in range(0, self.n_galaxies - batch_size + 1, batch_size):
                    yield self.observe(order[start : start + batch_size])

    def render(self):
        """Replace the noise-free galaxies, stars and PSFs."""
        n_groups = self.n_galaxies // _GROUP
        sharp = math.log(_SHARP / _SHARPEST) / math.log(_WIDEST / _SHARPEST)
        n_sharp = round(n_groups * sharp)
        labels = draw_labels(self.n_galaxies, generator=self.generator, device=self.device)
        star = torch.zeros(n_groups, 1, N_LABELS, device=self.device)
        star[:, :, LOG_R_EFF] = -3
        star[:, :, SERSIC_N] = 0.5
        sources = torch.cat([labels.view(n_groups, _GROUP, N_LABELS), star], dim=1)
        sources[:, :, LOG_FLUX] = 0  # unit flux
        parts = [
            self._render_groups(sources[:n_sharp], (_SHARPEST, _SHARP), sampling=2),
            self._render_groups(sources[n_sharp:], (_SHARP, _WIDEST), sampling=1),
        ]
        images, self.psfs, self.shares = (torch.cat(part) for part in zip(*parts, strict=True))
        self.galaxies = images[:, :_GROUP].flatten(0, 1)
        self.stars = images[:, _GROUP]
        self.labels = labels

    def _render_groups(self, sources, limits, *, sampling):
        """Images of groups that share a PSF, their PSF stamps, and the light that these hold."""
        n_groups = len(sources)
        transform, width = draw_transforms(
            n_groups, fft_size(SIZE), limits, sampling, self.generator
        )
        off = self._chance(self.contaminants.shifted_psf, n_groups)
        moves = torch.where(off, self._uniform((2, n_groups), -0.25, 0.25), 0.0)
        transform = shift(transform, *moves, sampling)
        images = torch.empty(*sources.shape[:2], SIZE, SIZE, device=self.device)
        for number, group in enumerate(sources):
            images[number] = sersic_images(
                group, transform[number], stamp_size=SIZE, oversampling=sampling
            )
        wrong = self._chance(self.contaminants.wrong_psf, n_groups)
        given = perturb(transform, width, sampling, wrong, self.generator)
        return images, *self._given(given, sampling, width)

    def _given(self, transform, sampling, width):
        """PSF stamps as a user gives them, and the share of the light that they hold, (P,)."""
        stamp = psf_stamps(transform, sampling, PSF_SIZE)
        limit = torch.maximum(self._uniform(len(stamp), 12, 31), 2 * width).clamp(max=31)
        cut = self._chance(self.contaminants.small_psf_stamp, len(stamp))
        limit = torch.where(cut, limit, 31.0)
        axis = (torch.arange(PSF_SIZE, device=self.device) - PSF_SIZE // 2).abs()
        inside = axis <= limit.floor()[:, None]
        noisy = self._chance(self.contaminants.noisy_psf, len(stamp))
        rms = torch.where(noisy, 10 ** self._uniform(len(stamp), -5, -3), 0.0)
        rms = rms * stamp.amax(dim=(1, 2))
        stamp = stamp + rms[:, None, None] * self._normal(*stamp.shape)
        stamp = stamp * (inside[:, None] & inside[:, :, None])
        share = stamp.sum(dim=(1, 2))
        return stamp / share[:, None, None], share

    def _uniform(self, shape, low=0.0, high=1.0):
        """Uniform random numbers."""
        draws = torch.rand(shape, generator=self.generator, device=self.device)
        return low + (high - low) * draws

    def _normal(self, *shape):
        """Standard normal random numbers."""
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def _chance(self, share, n):
        """True for a share of ``n`` scenes, at random."""
        return self._uniform(n) < share

    @torch.no_grad()
    def observe(self, rows):
        """Make scenes of some of the noise-free galaxies.

        Parameters
        ----------
        rows : (N,) `~torch.Tensor`
            Numbers of the galaxies.

        Returns
        -------
        `~sersicnet.training.Scenes`
        """
        group = rows // _GROUP
        n = len(rows)
        labels = self.labels[rows].clone()
        low = math.log10(SNR_LIMITS[0])
        high = math.log10(SNR_LIMITS[1])
        labels[:, LOG_FLUX] += self._uniform(n, low, high) - log_snr(labels)
        flux = 10 ** labels[:, LOG_FLUX]
        target = self.galaxies[rows] * flux[:, None, None]
        scene, masked = self._neighbors(target, flux, group)
        data, noise_map = self._noise(scene)
        bad = masked | self._missing(n)
        labels[:, LOG_FLUX] += torch.log10(self.shares[group])
        data, weight, labels = _standardize(data, noise_map, bad, labels)
        first = int(torch.randint(8, (), generator=self.generator, device=self.device))
        return turn(Scenes(data, weight, self.psfs[group], labels), first)

    def _neighbors(self, target, flux, group):
        """Images of the galaxies with their neighbors, and the pixels where these are masked."""
        scene = target
        masked = torch.zeros_like(target, dtype=torch.bool)
        n = len(target)
        faint = self._chance(self.contaminants.faint_neighbors, n)
        for _ in range(4):
            chosen = (faint & self._chance(0.5, n)).nonzero()[:, 0]
            if len(chosen):
                ratio = 10 ** self._uniform(len(chosen), -2.5, -1)
                image = self._neighbor(group[chosen], ratio * flux[chosen], 5.0)
                scene = scene.index_add(0, chosen, image)
        bright = self._chance(self.contaminants.bright_neighbors, n)
        for share in (1.0, 0.4):
            chosen = (bright & self._chance(share, n)).nonzero()[:, 0]
            if len(chosen):
                ratio = 10 ** self._uniform(len(chosen), -1, 0.7)
                image = self._neighbor(group[chosen], ratio * flux[chosen], 12.0)
                scene = scene.index_add(0, chosen, image)
                seen = image * 2 ** self._uniform((len(chosen), 1, 1), -1, 1)
                masked[chosen] |= (seen > 1) & (seen > target[chosen])
        return scene, masked

    def _neighbor(self, group, flux, nearest):
        """Images of one galaxy or star with the same PSF somewhere in each stamp."""
        n = len(group)
        galaxy = group * _GROUP + (self._uniform(n) * _GROUP).long()
        star = self._chance(0.3, n)
        images = torch.where(star[:, None, None], self.stars[group], self.galaxies[galaxy])
        # uniform in the square of the distance, as on the sky
        distance = torch.sqrt(self._uniform(n, nearest**2, 75.0**2))
        angle = self._uniform(n, 0, 2 * math.pi)
        dx = (distance * torch.cos(angle)).round().long()
        dy = (distance * torch.sin(angle)).round().long()
        axis = torch.arange(SIZE, device=self.device)
        x = (axis - dx[:, None])[:, None, :]
        y = (axis - dy[:, None])[:, :, None]
        inside = (x >= 0) & (x < SIZE) & (y >= 0) & (y < SIZE)
        number = torch.arange(n, device=self.device)[:, None, None]
        moved = images[number, y.clamp(0, SIZE - 1), x.clamp(0, SIZE - 1)]
        return moved * inside * flux[:, None, None]

    def _noise(self, scene):
        """Noisy images and the noise maps that come with them."""
        options = self.contaminants
        n = len(scene)
        column = (n, 1, 1)
        level = self._depth(n)
        electrons = 10 ** self._uniform(column, 0.5, 3)
        poisson = self._chance(options.poisson_noise, n)[:, None, None]
        variance = level**2 + torch.where(poisson, scene.clamp(min=0) / electrons, 0.0)
        noise = self._normal(*scene.shape)
        correlated = self._chance(options.correlated_noise, n).nonzero()[:, 0]
        if len(correlated):
            noise[correlated] = _smooth(noise[correlated], self._uniform(len(correlated), 0.3, 0.8))
        data = scene + noise * variance.sqrt()
        mapped = poisson & ~self._chance(options.constant_noise_map, n)[:, None, None]
        # From the noisy image, as pipelines do: the true map would give the galaxy away.
        seen = F.avg_pool2d(data[:, None], 4).repeat_interleave(4, 2).repeat_interleave(4, 3)[:, 0]
        noise_map = (level**2 + torch.where(mapped, seen.clamp(min=0) / electrons, 0.0)).sqrt()
        wrong = self._chance(options.wrong_noise_map, n)[:, None, None]
        noise_map = noise_map * torch.where(wrong, torch.exp(0.03 * self._normal(*column)), 1.0)
        return data + self._sky(n), noise_map

    def _sky(self, n):
        """Skies that are left in the images: a plane in some, 0 in the others."""
        present = self._chance(self.contaminants.sky, n)[:, None, None]
        axis = torch.linspace(-1, 1, SIZE, device=self.device)
        slope_x = 0.03 * self._normal(n, 1, 1)
        slope_y = 0.03 * self._normal(n, 1, 1)
        sky = 0.05 * self._normal(n, 1, 1) + slope_x * axis + slope_y * axis[:, None]
        return torch.where(present, sky, 0.0)

    def _depth(self, n):
        """Noise without that of the galaxy: a plane in some scenes, 1 in the others."""
        uneven = self._chance(self.contaminants.uneven_depth, n)[:, None, None]
        axis = torch.linspace(-1, 1, SIZE, device=self.device)
        slope_x = self._uniform((n, 1, 1), -0.15, 0.15)
        slope_y = self._uniform((n, 1, 1), -0.15, 0.15)
        return torch.where(uneven, 1 + slope_x * axis + slope_y * axis[:, None], 1.0)

    def _missing(self, n):
        """Pixels without data: columns, a block, single pixels, and those outside of the cutout."""
        index = torch.arange(SIZE, device=self.device)
        some = self._chance(self.contaminants.missing_pixels, n)
        column = (index - self._uniform((n, 1), 0, SIZE)).abs() < self._uniform((n, 1), -1, 2)
        corner = self._uniform((2, n, 1), 0, SIZE)
        side = self._uniform((2, n, 1), -6, 12)
        block_x, block_y = ((index >= corner) & (index < corner + side)).unbind(0)
        specks = self._uniform((n, SIZE, SIZE)) < self._uniform((n, 1, 1), 0, 0.02)
        bad = specks | column[:, None, :] | (block_y[:, :, None] & block_x[:, None, :])
        bad = bad & some[:, None, None]
        # Half of the cutout's sides, which are 40 pixels and more.
        half = self._uniform((2, n, 1), 20, SIZE / 2).floor()
        half = torch.where(self._chance(self.contaminants.padding, n)[:, None], half, SIZE / 2)
        outside_x, outside_y = ((index - (SIZE - 1) / 2).abs() > half).unbind(0)
        return bad | outside_x[:, None, :] | outside_y[:, :, None]


def _standardize(data, noise_map, bad, labels):
    """Images, weights and labels in units of the median of the noise map over good pixels.

    `~sersicnet.preprocessing.prepare` does the same to cutouts.
    """
    sample = noise_map.masked_fill(bad, torch.nan)[:, 1::4, 2::4].flatten(1)
    level = sample.nanmedian(dim=1).values.nan_to_num(1.0)
    good = ~bad
    weight = level[:, None, None] / noise_map * good
    shifted = labels.clone()
    shifted[:, LOG_FLUX] -= level.log10()
    return data / level[:, None, None] * good, weight, shifted


def _smooth(noise, sigma):
    """White noise smoothed by a Gaussian and brought back to unit rms."""
    steps = torch.arange(-2, 3, device=noise.device)
    kernel = torch.exp(-0.5 * (steps / sigma[:, None]) ** 2)
    kernel = kernel / kernel.square().sum(dim=1, keepdim=True).sqrt()
    for axis in (1, 2):
        noise = sum(
            kernel[:, place, None, None] * noise.roll(int(step), axis)
            for place, step in enumerate(steps)
        )
    return noise
