"""Profiles with elliptical isophotes: images from the light as a function of radius alone.

The light is taken at fixed radii, and as linear in the square of the radius between them. The
transform of that is a sum of Bessel functions that do not depend on the profile: one product of
matrices gives the transforms of all galaxies, and its derivatives those by the shape parameters.
The half-light radius, which the label ``log_r_eff`` is, comes from the same numbers.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from sersicnet.model import profile
from sersicnet.model.copies import light_of_copies, radii_along_rays
from sersicnet.model.jacobian import ellipse_forms, quadratic
from sersicnet.model.labels import PROFILE_LABELS
from sersicnet.model.profiles.slopes import slope_by

__all__ = ["RadialProfile"]

# Radii, in the unit of the profile: this many for a factor of e, 1 among them.
_PER_E = 80
_E_FOLDS = 12
# Distances of others from 1, where profiles may end.
_NEAR_EDGE = np.exp(-np.arange(10, 81) / 8)
# Columns of the transforms, on the axis of those of Sersic profiles.
_COLUMNS = 768
_ELLIPSE = ("log_r_eff", "e1", "e2")


@lru_cache
def _radii():
    """Squares of the radii, (J,) `~numpy.ndarray`."""
    squares = np.exp(2 * np.arange(-_E_FOLDS * _PER_E, _E_FOLDS * _PER_E + 1) / _PER_E)
    return np.union1d(squares, 1 - _NEAR_EDGE)


@lru_cache(maxsize=4)
@torch.inference_mode(False)
def _tensors(device):
    """Squares of the radii, and the transforms of steps of the light between them, (J - 1, C).

    The transform of a profile I(s), s = r^2, is that of -dI/ds, an integral of r^2 J_1 / k, which
    is r^2 J_2 / k^2 over a cell (Abramowitz & Stegun 1964, 9.1.30).
    """
    from scipy.special import jv

    squares = _radii()
    radius = np.sqrt(squares)
    x = np.linspace(math.log(profile.KAPPA_SOFTENING), math.log(profile.KAPPA_MAX), _COLUMNS)
    k2 = np.maximum(np.exp(2 * x) - profile.KAPPA_SOFTENING**2, 0)
    k2[0] = 0
    depth = radius[:, None] * np.sqrt(k2)
    small = depth < 1e-2
    # J_2(z) / z^2 is 1 / 8 - z^2 / 96 near 0
    ratio = np.where(small, 1 / 8 - depth**2 / 96, 0)
    ratio[~small] = jv(2, depth[~small]) / depth[~small] ** 2
    steps = 2 * np.diff(squares[:, None] ** 2 * ratio, axis=0) / np.diff(squares)[:, None]
    return tuple(torch.from_numpy(each).to(device) for each in (squares, steps))


@dataclass(frozen=True)
class RadialProfile:
    """A profile with elliptical isophotes.

    Attributes
    ----------
    name : str
        Its name, one of ``PROFILE_LABELS``.
    light : callable
        Surface brightness, in any unit, at squares of radii, in a unit of its own, and shape
        parameters, all (..., J).
    """

    name: str
    light: object

    def half_light(self, shapes):
        """Return half-light radii in the unit of the profile, (N,) for (N, H) shape parameters."""
        return torch.exp(0.5 * self._rows(shapes)[1])

    def images(self, labels, transform, *, stamp_size, oversampling=1, gain=1.0, negligible=0.0):
        """Render images.

        Parameters
        ----------
        labels : (N, K) `~torch.Tensor`
            Labels of the profile.
        transform, stamp_size, oversampling, gain, negligible
            As in `~sersicnet.model.sersic_images`.

        Returns
        -------
        (N, S, S) `~torch.Tensor`
            Flux per pixel. Derivatives of what is subtracted for periodic copies are left out.
        """
        found = self._drawn(labels, transform, stamp_size, oversampling)
        row, log_half2 = self._rows(found.shapes)
        kappa2 = _unit(log_half2, labels) * quadratic(found.form, *found.waves)
        value, _ = _interpolated(row.to(labels.dtype), kappa2)
        image = found.image_of(found.common * value)
        return image - self._copies(found, gain, negligible)

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
        found = self._drawn(labels, transform, stamp_size, oversampling)
        row, log_half2 = self._rows(found.shapes)
        unit = _unit(log_half2, labels)
        kappa2 = unit * quadratic(found.form, *found.waves)
        value, slope = _interpolated(row.to(labels.dtype), kappa2)
        spectrum = found.common * value
        image = found.image_of(spectrum) - self._copies(found, gain, negligible)
        stretched = found.common * slope
        slopes = {"log_flux": math.log(10) * image}
        for name in _ELLIPSE:
            change = quadratic(found.changes[name], *found.waves)
            slopes[name] = found.image_of(stretched * unit * change)
        for number, name in enumerate(PROFILE_LABELS[self.name][2:-4]):
            row_change, unit_change = self._row_slopes(found.shapes, number)
            by_row, _ = _interpolated(row_change.to(labels.dtype), kappa2)
            by_unit = kappa2 * unit_change.to(labels.dtype)[:, None, None]
            slopes[name] = found.image_of(found.common * by_row - stretched * by_unit)
        kx, ky = found.waves
        slopes["dx"] = found.image_of(spectrum * (-1j * oversampling * kx))
        slopes["dy"] = found.image_of(spectrum * (-1j * oversampling * ky[:, None]))
        ordered = [slopes[name] for name in PROFILE_LABELS[self.name]]
        return image, torch.stack(ordered, dim=1)

    def brightness(self, radius2, shapes):
        """Return the surface brightness of unit flux at squares of radii in units of r_eff.

        Parameters
        ----------
        radius2 : (N, ...) `~torch.Tensor`
            Squares of radii.
        shapes : (N, H) `~torch.Tensor`
            Shape parameters.

        Returns
        -------
        (N, ...) `~torch.Tensor`
            Per square of r_eff, of a round galaxy.
        """
        flux, log_half2 = self._sums(shapes)
        columns = [column.view(-1, *[1] * (radius2.dim() - 1)) for column in shapes.unbind(1)]
        half2 = torch.exp(log_half2).view(-1, *[1] * (radius2.dim() - 1))
        light = self.light(radius2.clamp(min=1e-12) * half2, *columns)
        return light * half2 / flux.view(half2.shape)

    def _drawn(self, labels, transform, stamp_size, oversampling):
        return _Drawn(self.name, labels, transform, stamp_size, oversampling)

    def _light_at_radii(self, shapes):
        """Light at all radii, (N, J)."""
        squares, _ = _tensors(shapes.device)
        return self.light(squares, *(column[:, None] for column in shapes.unbind(1)))

    def _cumulative(self, light):
        """Light within all radii over pi, (N, J)."""
        squares, _ = _tensors(light.device)
        cells = 0.5 * (light[:, 1:] + light[:, :-1]) * squares.diff()
        middle = light[:, :1] * squares[0]
        return torch.cat([middle, middle + cells.cumsum(dim=1)], dim=1)

    def _rows(self, shapes):
        """Transforms, (N, C), and logarithms of the squares of half-light radii, (N,)."""
        _, steps = _tensors(shapes.device)
        light = self._light_at_radii(shapes)
        within = self._cumulative(light)
        rows = -light.diff(dim=1) @ steps / (0.5 * within[:, -1:])
        return rows, _log_half2(light, within)

    def _sums(self, shapes):
        """Flux in units of the light and of the radius, and logarithms as of `_rows`."""
        light = self._light_at_radii(shapes)
        within = self._cumulative(light)
        return math.pi * within[:, -1], _log_half2(light, within)

    def _row_slopes(self, shapes, number):
        """Derivatives of `_rows` by one shape parameter."""
        return slope_by(self._rows, shapes, number)

    @torch.no_grad()
    def _copies(self, found, gain, negligible):
        """Light of periodic copies of the galaxies, times their fluxes."""
        shapes = found.shapes
        dtype = found.labels.dtype
        light = self._light_at_radii(shapes)
        within = self._cumulative(light)
        flux = math.pi * within[:, -1]
        half2 = torch.exp(_log_half2(light, within))
        columns = [column[:, None, None] for column in shapes.unbind(1)]

        def brightness(radius2, area2):
            own = self.light(radius2.double() * half2[:, None, None], *columns)
            return (own * (half2 / flux)[:, None, None]).to(dtype) / area2.sqrt()

        def far(xx, xy, yy, side):
            radius2 = radii_along_rays(xx, xy, yy, side).double() ** 2 * half2[:, None, None]
            return self._outside(within, radius2).to(dtype)

        place = found.period, found.stamp_size
        copies = light_of_copies(found.center, found.ellipse, *place, brightness, far)
        if torch.is_tensor(gain):
            copies = copies * gain[:, None, None]
        return copies * found.flux[:, None, None]

    def _outside(self, within, radius2):
        """Share of the light outside of radii, (N, 1, 1): the mean of those at (N, 1, R)."""
        squares, _ = _tensors(within.device)
        place = torch.searchsorted(squares, radius2[:, 0].contiguous()).clamp(max=len(squares) - 1)
        share = within.gather(1, place) / within[:, -1:]
        return (1 - share).mean(dim=1)[:, None, None]


def _log_half2(light, within):
    """Logarithms of the squares of the radii of half of the light, (N,)."""
    squares, _ = _tensors(light.device)
    half = 0.5 * within[:, -1:]
    cell = torch.searchsorted(within.detach(), half.detach()).clamp(1, len(squares) - 1) - 1
    below = light.gather(1, cell)
    width = squares[cell + 1] - squares[cell]
    slope = (light.gather(1, cell + 1) - below) / width
    wanted = half - within.gather(1, cell)
    step = 2 * wanted / (below + torch.sqrt((below**2 + 2 * slope * wanted).clamp(min=1e-300)))
    return torch.log(squares[cell] + step)[:, 0]


def _unit(log_half2, labels):
    """Squares of the unit of a profile over r_eff, (N, 1, 1)."""
    return torch.exp(-log_half2).to(labels.dtype)[:, None, None]


def _interpolated(row, kappa2):
    """Transforms at (N, F, F / 2 + 1) wave numbers, and derivatives by their squares."""
    slopes = profile.differences(row)
    index, t, step = profile.columns_of(row.shape[1], kappa2)
    here = row.gather(1, index)
    there = row.gather(1, index + 1)
    slope = slopes.gather(1, index)
    slope_there = slopes.gather(1, index + 1)
    rise = there - here
    curve = slope + slope_there - 2 * rise
    bend = rise - slope - curve
    value = here + t * (slope + t * (bend + t * curve))
    by_place = slope + t * (2 * bend + 3 * t * curve)
    softened = kappa2 + profile.KAPPA_SOFTENING**2
    return value.view(kappa2.shape), by_place.view(kappa2.shape) * (0.5 / step) / softened


class _Drawn:
    """What images and derivatives of some galaxies have in common."""

    def __init__(self, name, labels, transform, stamp_size, oversampling):
        columns = dict(zip(PROFILE_LABELS[name], labels.unbind(1), strict=True))
        self.labels = labels
        self.stamp_size = stamp_size
        self.oversampling = oversampling
        self.period = profile.fft_size(stamp_size)
        self.shapes = labels[:, 2:-4].double()
        self.flux = 10 ** columns["log_flux"]
        self.center = columns["dx"], columns["dy"]
        ellipse = tuple(columns[each] for each in _ELLIPSE)
        self.waves = profile.wave_numbers(oversampling * self.period, labels.device, labels.dtype)
        self.form, self.changes = ellipse_forms(*ellipse, oversampling)
        self.ellipse, _ = ellipse_forms(*ellipse, 1)
        place = self.center, *self.waves, stamp_size, oversampling
        self.common = profile.move_to_center(transform, *place)

    def image_of(self, spectrum):
        """Return images of transforms, times the fluxes."""
        image = profile.stamps_of(spectrum, self.stamp_size, self.oversampling)
        return image * (self.oversampling**2 * self.flux)[:, None, None]
