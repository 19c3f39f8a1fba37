"""Scenes of the universal training set, made on the device that trains.

A scene is a galaxy from the universal prior as some camera might show it: through a PSF of one of
several families, with noise, and with the imperfections of real images. Each imperfection is a
field of `~sersicnet.training.Contaminants` and can be switched off. Noise-free galaxies are
rendered in groups that share a PSF, and each is used a few times, with its flux, orientation,
noise and imperfections drawn anew.
"""

import math

import torch
import torch.nn.functional as F

from sersicnet.model.labels import LOG_FLUX
from sersicnet.model.prior import SNR_LIMITS, log_snr
from sersicnet.training.data import FineScenes, Scenes, turn
from sersicnet.training.galaxies import GALAXIES_STEP, GROUP, SIZE, GalaxyMaker
from sersicnet.training.missing import masked_middles, small_sides
from sersicnet.training.noises import drizzled, photon_counts, smoothed
from sersicnet.training.structure import N_AGAIN, best_labels

__all__ = ["GALAXIES_STEP", "SceneMaker"]

# Rms of the sky in units of the noise, where it is that of its prior in fits.
_SKY_PRIOR = 0.03


class SceneMaker(GalaxyMaker):
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
    stars : bool
        Whether scenes have PSFs that are sampled as finely as rendering needs.

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
        group = rows // GROUP
        n = len(rows)
        labels = self.labels[rows].clone()
        low = math.log10(SNR_LIMITS[0])
        high = math.log10(SNR_LIMITS[1])
        labels[:, LOG_FLUX] += self._uniform(n, low, high) - log_snr(labels)
        flux = 10 ** (labels[:, LOG_FLUX] - self.excess[rows])
        target = self.galaxies[rows] * flux[:, None, None]
        scene, masked = self._neighbors(target, flux, group)
        data, noise_map = self._noise(scene)
        bad = masked | self._missing(labels)
        known = self._refit(rows, labels, target, ~bad / noise_map)
        labels[:, LOG_FLUX] += torch.log10(self.shares[group])
        data, weight, labels = _standardize(data, noise_map, bad, labels)
        first = int(torch.randint(8, (), generator=self.generator, device=self.device))
        tensors = data, weight, self.psfs[group], labels
        if self.with_stars:
            scenes = FineScenes(*tensors, self.fine_psfs[group], self.samplings[group])
        else:
            scenes = Scenes(*tensors)
        return turn(_in_place_of_unknown(scenes, known), first)

    def _refit(self, rows, labels, target, weight):
        """Find the labels of structured galaxies in their scenes; whether labels are known."""
        known = torch.ones(len(rows), dtype=torch.bool, device=self.device)
        group = rows // GROUP
        for sampling in self.samplings.unique().tolist():
            some = (self.structured[rows] & (self.samplings[group] == sampling)).nonzero()[:, 0]
            if len(some):
                transform = torch.stack([self.transforms[number] for number in group[some]])
                options = {"oversampling": sampling, "n_steps": N_AGAIN}
                images = target[some], labels[some], transform, weight[some]
                labels[some], known[some] = best_labels(*images, **options)
        return known

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
        galaxy = group * GROUP + (self._uniform(n) * GROUP).long()
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
            noise[correlated] = smoothed(
                noise[correlated], self._uniform(len(correlated), 0.3, 0.8)
            )
        drizzling = self._some(options.drizzled_noise, n)
        if len(drizzling):
            drop = 10 ** self._uniform(len(drizzling), math.log10(0.6), math.log10(2.5))
            noise[drizzling] = drizzled(self._normal(len(drizzling), SIZE, SIZE), drop)
        data = scene + noise * variance.sqrt()
        counted = self._some(options.counts, n)
        if len(counted):
            electrons[counted] = 10 ** self._uniform((len(counted), 1, 1), -0.5, 0.5)
            data[counted] = photon_counts(scene[counted], electrons[counted], self.generator)
            level = level.clone().index_fill_(0, counted, 1.0)
            poisson[counted] = True
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
        sky = torch.where(present, sky, 0.0)
        known = self._some(self.contaminants.sky_prior, n)
        sky[known] = _SKY_PRIOR * self._normal(len(known), 1, 1)
        return sky

    def _depth(self, n):
        """Noise without that of the galaxy: a plane in some scenes, 1 in the others."""
        uneven = self._chance(self.contaminants.uneven_depth, n)[:, None, None]
        axis = torch.linspace(-1, 1, SIZE, device=self.device)
        slope_x = self._uniform((n, 1, 1), -0.15, 0.15)
        slope_y = self._uniform((n, 1, 1), -0.15, 0.15)
        return torch.where(uneven, 1 + slope_x * axis + slope_y * axis[:, None], 1.0)

    def _missing(self, labels):
        """Pixels without data: columns, a block, single pixels, and those outside of the cutout."""
        n = len(labels)
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
        small = self._some(self.contaminants.small_cutouts, n)
        if len(small):
            half[:, small, 0] = small_sides(labels[small], self._uniform((2, len(small)))) / 2
        hidden = self._some(self.contaminants.masked_middle, n)
        if len(hidden):
            draws = self._uniform((5, len(hidden)))
            bad[hidden] |= masked_middles(draws, SIZE)
        outside_x, outside_y = ((index - (SIZE - 1) / 2).abs() > half).unbind(0)
        return bad | outside_x[:, None, :] | outside_y[:, :, None]


def _in_place_of_unknown(scenes, known):
    """Scenes of which those without a known label are others of the batch, if it has any."""
    others = known.nonzero()[:, 0]
    unknown = (~known).nonzero()[:, 0]
    if not len(others) or not len(unknown):
        return scenes
    rows = torch.arange(len(known), device=known.device)
    rows[unknown] = others[torch.arange(len(unknown), device=known.device) % len(others)]
    return scenes[rows]


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
