"""Profiles whose transform is a formula of their labels: images and derivatives of these."""

import math
from dataclasses import dataclass
from functools import partial

import torch

from sersicnet.model import profile
from sersicnet.model.profiles.slopes import slope_by

__all__ = ["FormulaProfile"]


@dataclass(frozen=True)
class FormulaProfile:
    """A profile whose transform is a formula.

    Attributes
    ----------
    name : str
        Its name, one of ``PROFILE_LABELS``.
    spectrum : callable
        Transforms (N, F, F / 2 + 1) of galaxies of unit flux, from the labels but flux and center,
        (N, 1, 1) each, and wave numbers kx, (F / 2 + 1,), and ky, (F, 1).
    brightness : callable
        Surface brightness of unit flux at x and y from the center, (N, P, P), with the same labels.
    reach : float
        Half-light radii to where the light counts: it falls below 1e-9 per pixel.
    """

    name: str
    spectrum: object
    brightness: object
    reach: float

    def images(self, labels, transform, *, stamp_size, oversampling=1, gain=1.0, negligible=0.0):
        """Render images, as `~sersicnet.model.profiles.radial.RadialProfile.images` does.

        Parameters
        ----------
        labels, transform, stamp_size, oversampling, gain, negligible
            As there.

        Returns
        -------
        (N, S, S) `~torch.Tensor`
        """
        found = _Drawn(labels, transform, stamp_size, oversampling)
        image = found.image_of(found.common * self._spectrum(labels, found))
        return image - self._copies(found, gain)

    def image_and_jacobian(
        self, labels, transform, *, stamp_size, oversampling=1, gain=1.0, negligible=0.0
    ):
        """Return the images of `images` and their derivatives by the labels, (N, K, S, S).

        Parameters
        ----------
        labels, transform, stamp_size, oversampling, gain, negligible
            As in `images`.

        Returns
        -------
        image : (N, S, S) `~torch.Tensor`
        jacobian : (N, K, S, S) `~torch.Tensor`
        """
        found = _Drawn(labels, transform, stamp_size, oversampling)
        value = self._spectrum(labels, found)
        spectrum = found.common * value
        image = found.image_of(spectrum) - self._copies(found, gain)
        slopes = [math.log(10) * image]
        for column in range(1, labels.shape[1] - 2):
            slope = slope_by(partial(self._spectrum, found=found), labels, column)
            slopes.append(found.image_of(found.common * slope))
        kx, ky = found.waves
        slopes.append(found.image_of(spectrum * (-1j * oversampling * kx)))
        slopes.append(found.image_of(spectrum * (-1j * oversampling * ky[:, None])))
        return image, torch.stack(slopes, dim=1)

    def _spectrum(self, labels, found):
        """Transforms of galaxies of unit flux in the middle of the first pixel."""
        kx, ky = found.waves
        columns = [column[:, None, None] for column in labels[:, 1:-2].unbind(1)]
        scale = found.oversampling
        return self.spectrum(*columns, scale * kx, scale * ky[:, None])

    @torch.no_grad()
    def _copies(self, found, gain):
        """Light of the nearest periodic copies, times the fluxes."""
        labels = found.labels
        total = labels.new_zeros(len(labels), found.stamp_size, found.stamp_size)
        off_middle = torch.maximum(labels[:, -2].abs(), labels[:, -1].abs())
        distance = found.period - found.stamp_size / 2 - off_middle
        (rows,) = torch.nonzero(self.reach * 10 ** labels[:, 1] > distance, as_tuple=True)
        if not len(rows):
            return total
        total[rows] = self._copies_of(labels[rows], found)
        if torch.is_tensor(gain):
            total = total * gain[:, None, None]
        return total * found.flux[:, None, None]

    def _copies_of(self, labels, found):
        """Light of the eight nearest copies of some galaxies of unit flux."""
        columns = [column[:, None, None] for column in labels[:, 1:-2].unbind(1)]
        axis = torch.arange(found.stamp_size, device=labels.device, dtype=labels.dtype)
        axis = axis - (found.stamp_size - 1) / 2
        total = 0
        for row in (-1, 0, 1):
            for column in (-1, 0, 1):
                if row or column:
                    x = axis - labels[:, -2, None] - column * found.period
                    y = axis - labels[:, -1, None] - row * found.period
                    total = total + self.brightness(*columns, x[:, None, :], y[:, :, None])
        return total


class _Drawn:
    """What images and derivatives of some galaxies have in common."""

    def __init__(self, labels, transform, stamp_size, oversampling):
        self.labels = labels
        self.stamp_size = stamp_size
        self.oversampling = oversampling
        self.period = profile.fft_size(stamp_size)
        self.flux = 10 ** labels[:, 0]
        self.waves = profile.wave_numbers(oversampling * self.period, labels.device, labels.dtype)
        center = labels[:, -2], labels[:, -1]
        place = center, *self.waves, stamp_size, oversampling
        self.common = profile.move_to_center(transform, *place)

    def image_of(self, spectrum):
        """Return images of transforms, times the fluxes."""
        image = profile.stamps_of(spectrum, self.stamp_size, self.oversampling)
        return image * (self.oversampling**2 * self.flux)[:, None, None]
