"""Noise-free galaxies behind PSFs, of which scenes are made."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF, N_LABELS, SERSIC_N
from sersicnet.model.prior import draw_labels
from sersicnet.model.profile import fft_size, sersic_images
from sersicnet.model.psf import PSF_SIZE
from sersicnet.training.contaminants import Contaminants
from sersicnet.training.psf_families import draw_transforms, perturb, psf_stamps, shift
from sersicnet.training.structure import (
    FINEST,
    N_FIRST,
    best_labels,
    draw_structure,
    may_have_structure,
    structured_images,
)

__all__ = ["GALAXIES_STEP", "GROUP", "SIZE", "GalaxyMaker"]

SIZE = 128
# Galaxies that share a PSF; one star is rendered beside them.
GROUP = 16
# Noise-free galaxies come in multiples of this: a group for each of the four families of PSFs.
GALAXIES_STEP = 64
# Smallest and largest FWHM of the PSFs of training, in pixels; those below the middle one are
# sampled twice as finely.
_SHARPEST = 1.5
_SHARP = 3.0
_WIDEST = 8.0
# Those of extreme PSFs; the former are sampled three times as finely.
_EXTREMES = (0.9, 12.0)
_FINEST = 3


class GalaxyMaker:
    """Draw and render galaxies in groups that share a PSF.

    Parameters
    ----------
    seed, contaminants, n_galaxies, reuse, device, stars
        As for `~sersicnet.training.SceneMaker`.
    """

    def __init__(
        self,
        seed,
        *,
        contaminants=None,
        n_galaxies=2048,
        reuse=4,
        device="cpu",
        stars=False,
    ):
        if n_galaxies < 1 or n_galaxies % GALAXIES_STEP:
            msg = f"n_galaxies={n_galaxies!r} must be a positive multiple of {GALAXIES_STEP}"
            raise ValueError(msg)
        if contaminants is None:
            contaminants = Contaminants()
        self.contaminants = contaminants
        self.n_galaxies = n_galaxies
        self.reuse = reuse
        self.device = torch.device(device)
        self.with_stars = stars
        # a torch generator takes one number, into which those of the seed are mixed
        state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
        self.generator = torch.Generator(self.device).manual_seed(int(state >> np.uint64(1)))

    def render(self):
        """Replace the noise-free galaxies, stars and PSFs."""
        n_groups = self.n_galaxies // GROUP
        labels = draw_labels(self.n_galaxies, generator=self.generator, device=self.device)
        star = torch.zeros(n_groups, 1, N_LABELS, device=self.device)
        star[:, :, LOG_R_EFF] = -3
        star[:, :, SERSIC_N] = 0.5
        sources = torch.cat([labels.view(n_groups, GROUP, N_LABELS), star], dim=1)
        sources[:, :, LOG_FLUX] = 0  # unit flux
        self.transforms = []
        samplings = []
        parts = []
        for n_some, limits, sampling in self._psf_kinds(n_groups):
            some = sources[len(samplings) :][:n_some]
            parts.append(self._render_groups(some, limits, sampling=sampling))
            samplings += [sampling] * n_some
        images, self.psfs, self.shares, stars = zip(*parts, strict=True)
        images = torch.cat(images)
        self.psfs = torch.cat(self.psfs)
        self.shares = torch.cat(self.shares)
        self.fine_psfs = torch.cat(stars) if self.with_stars else None
        self.samplings = torch.tensor(samplings, device=self.device)
        self.galaxies = images[:, :GROUP].flatten(0, 1)
        self.stars = images[:, GROUP]
        self.labels = labels
        self._add_structure()

    def _psf_kinds(self, n_groups):
        """Numbers of groups whose PSFs have a FWHM within some limits, and their sampling."""
        n_extreme = round(n_groups * self.contaminants.extreme_psf / 2)
        n_usual = n_groups - 2 * n_extreme
        n_sharp = round(n_usual * math.log(_SHARP / _SHARPEST) / math.log(_WIDEST / _SHARPEST))
        kinds = [(n_sharp, (_SHARPEST, _SHARP), 2), (n_usual - n_sharp, (_SHARP, _WIDEST), 1)]
        kinds.append((n_extreme, (_EXTREMES[0], _SHARPEST), _FINEST))
        kinds.append((n_extreme, (_WIDEST, _EXTREMES[1]), 1))
        return [kind for kind in kinds if kind[0]]

    def _render_groups(self, sources, limits, *, sampling):
        """Images of groups that share a PSF, and what `_given` returns of their PSFs."""
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
        self.transforms += list(transform)
        wrong = self._chance(self.contaminants.wrong_psf, n_groups)
        given = perturb(transform, width, sampling, wrong, self.generator)
        return images, *self._given(given, sampling, width)

    def _add_structure(self):
        """Replace some of the galaxies by structured ones, and their labels by the best ones."""
        self.structured = torch.zeros(self.n_galaxies, dtype=torch.bool, device=self.device)
        # decimal logarithm of the flux of the label over that of the galaxy
        self.excess = torch.zeros(self.n_galaxies, device=self.device)
        if not self.contaminants.structure:
            return
        possible = may_have_structure(self.labels)
        possible &= (self.samplings <= FINEST).repeat_interleave(GROUP)
        share = self.contaminants.structure / possible.float().mean()
        chosen = possible & self._chance(share, self.n_galaxies)
        for number, transform in enumerate(self.transforms):
            rows = number * GROUP + chosen[number * GROUP :][:GROUP].nonzero()[:, 0]
            if not len(rows):
                continue
            sampling = int(self.samplings[number])
            labels = self.labels[rows].clone()
            labels[:, LOG_FLUX] = 0
            smooth, blobs = draw_structure(labels, self.generator)
            options = {"stamp_size": SIZE, "oversampling": sampling}
            images = structured_images(smooth, blobs, transform, **options)
            options = {"oversampling": sampling, "n_steps": N_FIRST}
            found, usable = best_labels(images, labels, transform, **options)
            rows = rows[usable]
            self.galaxies[rows] = images[usable]
            self.labels[rows] = found[usable]
            self.excess[rows] = found[usable, LOG_FLUX]
            self.structured[rows] = True

    def _given(self, transform, sampling, width):
        """PSF stamps as a user gives them, the share of the light that they hold, and fine ones."""
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
        fine = None
        if self.with_stars:
            fine = self._fine(transform, sampling, limit.floor(), rms / stamp.amax(dim=(1, 2)))
        return stamp / share[:, None, None], share, fine

    def _fine(self, transform, sampling, limit, noise):
        """Fine PSF stamps with the same imperfections, in the middle of zeros."""
        half = sampling * (PSF_SIZE // 2)
        stamp = psf_stamps(transform, 1, 2 * half + 1)
        rms = noise * stamp.amax(dim=(1, 2))
        stamp = stamp + rms[:, None, None] * self._normal(*stamp.shape)
        inside = (
            torch.arange(-half, half + 1, device=self.device).abs() <= sampling * limit[:, None]
        )
        stamp = stamp * (inside[:, None] & inside[:, :, None])
        stamp = stamp / stamp.sum(dim=(1, 2), keepdim=True)
        return F.pad(stamp, (_FINEST * (PSF_SIZE // 2) - half,) * 4)

    def _uniform(self, shape, low=0.0, high=1.0):
        """Uniform random numbers."""
        draws = torch.rand(shape, generator=self.generator, device=self.device)
        return low + (high - low) * draws

    def _normal(self, *shape):
        """Standard normal random numbers."""
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def _some(self, share, n):
        """Numbers of a share of ``n`` scenes; no random numbers are drawn for a share of 0."""
        if not share:
            return torch.empty(0, dtype=torch.long, device=self.device)
        return self._chance(share, n).nonzero()[:, 0]

    def _chance(self, share, n):
        """True for a share of ``n`` scenes, at random."""
        return self._uniform(n) < share
