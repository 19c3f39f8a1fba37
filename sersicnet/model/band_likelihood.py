"""The likelihood of galaxies in several bands: the product of those of their stamps."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.model.labels import part_slices
from sersicnet.model.likelihood import NormalEquations
from sersicnet.model.psf import PSFs
from sersicnet.model.render import n_together
from sersicnet.model.sizes import scene_stamp_sizes
from sersicnet.model.stamp_groups import NoiseFilters, SharedStamps, stamp_likelihood

__all__ = ["BandLikelihood", "BandStamps", "band_likelihoods"]


@dataclass(eq=False)
class BandLikelihood:
    """Likelihood of stamps of N galaxies in B bands; each stamp has a sky of its own.

    Parameters
    ----------
    bands : tuple of `~sersicnet.model.StampLikelihood`
        Likelihood of the stamps of each band.
    """

    bands: tuple

    def __getitem__(self, rows):
        """Return the likelihood of some of the galaxies."""
        found = []
        for band in self.bands:
            found.append(band[rows])
        return BandLikelihood(tuple(found))

    def __len__(self):
        return len(self.bands[0])

    @property
    def device(self):
        """Device of the images."""
        return self.bands[0].device

    @property
    def data(self):
        """Images of the band with the largest stamps, (N, S, S)."""
        return self._largest.data

    @property
    def oversampling(self):
        """Oversampling of the PSF of this band."""
        return self._largest.oversampling

    @property
    def _largest(self):
        return max(self.bands, key=lambda band: band.data.shape[-1] * band.oversampling)

    @property
    def sky_precision(self):
        """Inverse variances of the skies of one galaxy, (B,)."""
        return torch.cat([band.sky_precision for band in self.bands])

    def marginal(self, labels):
        """Return the logarithm of the likelihood of one galaxy, and the best skies.

        Parameters
        ----------
        labels : (S, K B) `~torch.Tensor`
            Labels in all bands, side by side.

        Returns
        -------
        log_likelihood : (S,) float64 `~torch.Tensor`
        sky : (S, B) float64 `~torch.Tensor`
        """
        found = []
        for band, place in zip(self.bands, self.places, strict=True):
            found.append(band.marginal(labels[:, place]))
        total = sum(likelihood for likelihood, _ in found)
        return total, torch.stack([sky for _, sky in found], dim=1)

    @property
    def places(self):
        """Places of the labels of each band, a list of slices."""
        found = []
        n_labels = part_slices(self.bands[0].profiles)[-1].stop
        for number in range(len(self.bands)):
            found.append(slice(n_labels * number, n_labels * (number + 1)))
        return found

    @property
    def n_pixels(self):
        """Number of good pixels of each galaxy, (N,)."""
        return sum(band.n_pixels for band in self.bands)

    @property
    def log_sky_volume(self):
        """What the integrals over the skies add to minus half of chi2, (N,)."""
        return sum(band.log_sky_volume for band in self.bands)

    def normal_equations(self, labels):
        """Return the terms of a Gauss-Newton step, with the skies projected out.

        Parameters
        ----------
        labels : (N, K B) `~torch.Tensor`
            Labels in all bands, side by side; K is 7 for one Sersic galaxy.

        Returns
        -------
        `~sersicnet.model.likelihood.NormalEquations`
            Its ``sky_total`` is (N, B), its ``sky_response`` (N, K B, B).
        """
        n_labels = labels.shape[1]
        curvature = labels.new_zeros(len(labels), n_labels, n_labels)
        response = labels.new_zeros(len(labels), n_labels, len(self.bands))
        gradients = []
        skies = []
        chi2 = 0.0
        for number, (band, place) in enumerate(zip(self.bands, self.places, strict=True)):
            own = band.normal_equations(labels[:, place])
            chi2 = chi2 + own.chi2
            curvature[:, place, place] = own.curvature
            response[:, place, number] = own.sky_response
            gradients.append(own.gradient)
            skies.append(own.sky_total)
        gradient = torch.cat(gradients, dim=1)
        return NormalEquations(chi2, gradient, curvature, torch.stack(skies, dim=1), response)


@dataclass(frozen=True, eq=False)
class BandStamps:
    """The stamps of N galaxies in one band.

    Attributes
    ----------
    data, weight : (N, S, S) float32 `~numpy.ndarray`
        As in `~sersicnet.preprocessing.Stamps`.
    groups : list of ((R,) int `~numpy.ndarray`, `~sersicnet.model.PSFs`)
        Rows of galaxies that are binned alike, and their PSFs.
    sky_err : (N,) `~numpy.ndarray`
        As in `~sersicnet.model.StampLikelihood`.
    plane : bool
        Whether the sky has a free slope as well.
    noise : `~sersicnet.model.NoiseFilters`
        Correlation of the noise.
    profiles : tuple of str, optional
        Profiles of the parts of the galaxies.
    shared : `~sersicnet.model.SharedStamps`, optional
        The pixels on which several models are compared.
    """

    data: np.ndarray
    weight: np.ndarray
    groups: list
    sky_err: np.ndarray
    plane: bool
    noise: NoiseFilters
    profiles: tuple[str, ...] = ("sersic",)
    shared: SharedStamps | None = None

    def sizes(self, labels, rows):
        """Return the sides of the stamps that hold galaxies, (R,) int, also beyond the data."""
        found = np.zeros(len(rows), dtype=int)
        for members, psfs in self.groups:
            own = np.isin(rows, members)
            widths = psfs[np.searchsorted(members, rows[own])].widths()
            found[own] = scene_stamp_sizes(labels[own], widths, self.profiles)
        return found

    def kinds(self, labels, rows):
        """Return what stamps of some rows must have in common to be fitted together, (R, 3).

        It is the number of the group, the side of the stamps, and whether the noise is white.
        """
        whole = self.data.shape[-1]
        found = np.empty((len(rows), 3), dtype=int)
        for number, (members, _) in enumerate(self.groups):
            found[np.isin(rows, members), 0] = number
        found[:, 1] = whole
        if not self.plane:
            sizes = self.sizes(labels, rows) if self.shared is None else self.shared.sizes[rows]
            found[:, 1] = np.minimum(sizes, whole)
        found[:, 2] = self.noise.is_white[rows]
        return found

    def psfs(self, kind, rows) -> PSFs:
        """Return the PSFs of some rows of one kind."""
        members, psfs = self.groups[kind[0]]
        return psfs[np.searchsorted(members, rows)]

    def likelihood(self, kind, labels, rows, device):
        """Return the likelihood of the stamps of some rows of one kind."""
        psfs = self.psfs(kind, rows)
        noise = None if kind[2] else self.noise[rows]
        profiles = self.profiles
        if self.shared is not None:  # what is beyond the stamp is the same for all models
            labels = self.shared.labels[rows]
            profiles = ("sersic",)
        stamps = labels, self.data[rows], self.weight[rows], psfs, self.sky_err[rows], noise
        options = {"plane": self.plane, "profiles": profiles, "device": device}
        found = stamp_likelihood(*stamps, size=int(kind[1]), **options)
        return replace(found, profiles=self.profiles)


def band_likelihoods(bands, labels, rows, *, chunk, device="cpu"):
    """Group galaxies that are fitted together, and make the likelihood of each group.

    Parameters
    ----------
    bands : list of BandStamps
        Stamps of B bands.
    labels : (R, K B) `~numpy.ndarray`
        Labels that fits start from, all finite.
    rows : (R,) int `~numpy.ndarray`
        Rows of their galaxies in the stamps.
    chunk : int
        Largest number of galaxies in a group.
    device : str or `~torch.device`, optional
        Device that renders.

    Yields
    ------
    places : (M,) int `~numpy.ndarray`
        Places of the galaxies of a group in ``rows``.
    likelihood : BandLikelihood
        Likelihood of the group.
    """
    of_bands = np.split(labels, len(bands), axis=1)
    pairs = list(zip(bands, of_bands, strict=True))
    kinds = []
    for band, own in pairs:
        kinds.append(band.kinds(own, rows))
    kinds = np.stack(kinds, axis=1)
    for alike in np.unique(kinds, axis=0):
        chosen = np.flatnonzero((kinds == alike).all(axis=(1, 2)))
        step = chunk
        for band, kind in zip(bands, alike, strict=True):
            oversampling = band.groups[kind[0]][1].oversampling
            step = min(step, n_together(chunk, band.data.shape[-1], oversampling, device))
        for start in range(0, len(chosen), step):
            places = chosen[start : start + step]
            found = []
            for (band, own), kind in zip(pairs, alike, strict=True):
                found.append(band.likelihood(kind, own[places], rows[places], device))
            yield places, BandLikelihood(tuple(found))
