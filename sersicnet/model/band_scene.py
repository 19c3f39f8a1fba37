"""Galaxies in several bands: one structure, and a flux and a small shift of each band.

The parameters are those of the galaxy in the stamp of a first band. A matrix and a place for each
of the others lead to its pixels, whatever their size and orientation.
"""

from dataclasses import replace

import torch

from sersicnet.model.labels import (
    CENTER,
    E1,
    E2,
    LABELS,
    LOG_FLUX,
    LOG_R_EFF,
    N_LABELS,
    SERSIC_N,
    length,
)
from sersicnet.model.layout import Layout
from sersicnet.model.prior import N_LIMITS
from sersicnet.model.scene import Scene

__all__ = ["SHAPE", "SLOPE_ERR", "BandLayout", "BandScene", "band_layout", "moved_ellipse"]

# Parameters that all bands have together.
SHAPE = LABELS[LOG_FLUX + 1 :]
# Known numbers of a band: the matrix that turns steps in pixels of the stamp of the first band into
# those of its own stamp, and where the middle of the first stamp is in it.
_ELLIPSE = [LOG_R_EFF, E1, E2]
_MAP = ("xx", "xy", "yx", "yy", "x_at", "y_at")
# Standard deviations of the priors of the slopes of log_r_eff and n, per factor of ten in
# wavelength: wider than the changes that Vulcani et al. 2014, MNRAS 441, 1340, found.
SLOPE_ERR = (0.5, 2.0)
# Indices that a band can have.
_N_RANGE = (N_LIMITS[0] + 1e-3, N_LIMITS[1] - 1e-3)


def moved_ellipse(log_r_eff, e1, e2, matrix):
    """Return an ellipse in other pixels.

    With M the matrix of the second moments of the ellipse, those in the other pixels are A M A'.
    In units of a quarter of the squared sum of the semi-axes, M is (1 + e^2) I plus twice (e1, e2)
    along the diagonal and off it, and the square root of its determinant 1 - e^2.

    Parameters
    ----------
    log_r_eff, e1, e2 : (...) `~torch.Tensor`
        Labels of the ellipse.
    matrix : sequence of four (...) `~torch.Tensor`
        Elements xx, xy, yx and yy of A, which turns steps in pixels into those in the others.

    Returns
    -------
    log_r_eff, e1, e2 : (...) `~torch.Tensor`

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model.band_scene import moved_ellipse
    >>> half_turned = torch.tensor([0.0, -0.5, 0.5, 0.0]).unbind()
    >>> moved = moved_ellipse(torch.tensor(1.0), torch.tensor(0.3), torch.tensor(0.1), half_turned)
    >>> [round(float(number), 3) for number in moved]
    [0.699, -0.3, -0.1]
    """
    xx, xy, yx, yy = matrix
    square = e1**2 + e2**2
    along_x = 1 + square + 2 * e1
    along_y = 1 + square - 2 * e1
    mixed = 2 * e2
    new_x = xx**2 * along_x + 2 * xx * xy * mixed + xy**2 * along_y
    new_y = yx**2 * along_x + 2 * yx * yy * mixed + yy**2 * along_y
    new_mixed = xx * yx * along_x + (xx * yy + xy * yx) * mixed + xy * yy * along_y
    root = (xx * yy - xy * yx).abs() * (1 - square)
    total = (new_x + new_y) / 2 + root
    new_e1 = (new_x - new_y) / (2 * total)
    new_e2 = new_mixed / total
    longer = (1 + length(new_e1, new_e2)) / (1 + length(e1, e2))
    return log_r_eff + torch.log10((total / 2).sqrt() * longer), new_e1, new_e2


def _of_band(kinds, band):
    """Return the names of what a band has of its own."""
    return tuple(map(f"{{}}.{band}".format, kinds))


class BandLayout(Layout):
    """The layout of a galaxy in several bands, whose parts are the bands.

    As in `~sersicnet.model.Layout`; ``shift_x`` and ``shift_y`` of a band, if they are free, are by
    how much the galaxy is off its place there, in pixels of the stamp of the first band.
    ``size_slope`` and ``n_slope``, if they are free, are the change of ``log_r_eff`` and ``n`` with
    ``wave``, the decimal logarithm of the wavelength of a band over that of the first.
    """

    @property
    def is_chromatic(self):
        """Whether size and index change with wavelength."""
        return "n_slope" in self.free

    @property
    def n_shifts(self):
        """Number of shifts that are free."""
        return len(self.priors) - 2 * self.is_chromatic

    def labels(self, values, known):
        """Return labels in all bands, side by side, (..., 7 B)."""
        found = self.naturals(values, known)
        log_r_eff, n, e1, e2, dx, dy = (found[name] for name in SHAPE)
        (first, _), *others = self.parts
        columns = [found[f"log_flux.{first}"], log_r_eff, n, e1, e2, dx, dy]
        for band, _ in others:
            xx, xy, yx, yy, x_at, y_at = (found[name] for name in _of_band(_MAP, band))
            size, *shape = moved_ellipse(log_r_eff, e1, e2, (xx, xy, yx, yy))
            own_n = n
            if self.is_chromatic:
                wave = found[f"wave.{band}"]
                size = size + wave * found["size_slope"]
                own_n = (n + wave * found["n_slope"]).clamp(*_N_RANGE)
            x = dx + found.get(f"shift_x.{band}", 0.0)
            y = dy + found.get(f"shift_y.{band}", 0.0)
            columns += [found[f"log_flux.{band}"], size, own_n, *shape]
            columns += [xx * x + xy * y + x_at, yx * x + yy * y + y_at]
        return torch.stack(columns, dim=-1)


def band_layout(bands, *, shifted=True, chromatic=False):
    """Return the layout of a galaxy in some bands.

    Parameters
    ----------
    bands : sequence of str
        Names of the bands; the parameters are those in the stamp of the first.
    shifted : bool, optional
        Whether the galaxy may be off its place in the others.
    chromatic : bool, optional
        Whether size and index change with wavelength.

    Returns
    -------
    BandLayout

    Examples
    --------
    >>> from sersicnet.model.band_scene import band_layout
    >>> band_layout(("g", "r")).free[-4:]
    ('log_flux.g', 'log_flux.r', 'shift_x.r', 'shift_y.r')
    """
    fluxes = ()
    parts = ()
    for band in bands:
        fluxes += (f"log_flux.{band}",)
        parts += ((band, "sersic"),)
    shifts = ()
    known = ()
    for band in bands[1:]:
        if shifted:
            shifts += _of_band(("shift_x", "shift_y"), band)
        known += _of_band(_MAP, band)
    priors = shifts
    if chromatic:
        priors += ("size_slope", "n_slope")
        for band in bands[1:]:
            known += (f"wave.{band}",)
    return BandLayout((*SHAPE, *fluxes, *priors), known, priors, parts)


class BandScene(Scene):
    """The free parameters and the known numbers of N galaxies in several bands."""

    @classmethod
    def of_bands(cls, bands, matrices, places, shift_err, *, waves=None):
        """Make the scene of galaxies that all have cutouts in the same bands.

        Parameters
        ----------
        bands : sequence of str
            Names of B bands.
        matrices : (N, B, 2, 2) `~torch.Tensor`
            Matrices that turn steps in pixels of the stamp of the first band into those of each.
        places : (N, B, 2) `~torch.Tensor`
            Where the middle of the first stamp is in that of each, in its pixels.
        shift_err : (N,) `~torch.Tensor`
            Standard deviation of the prior of shifts, in pixels of the stamp of the first band; 0
            for none.
        waves : (B,) `~torch.Tensor`, optional
            Decimal logarithms of wavelengths over that of the first band, if size and index change
            with them.

        Returns
        -------
        BandScene
        """
        shifted = bool((shift_err > 0).all())
        layout = band_layout(bands, shifted=shifted, chromatic=waves is not None)
        known = torch.cat([matrices[:, 1:].flatten(2), places[:, 1:]], dim=2).flatten(1)
        errs = shift_err[:, None].repeat(1, layout.n_shifts)
        if waves is not None:
            known = torch.cat([known, waves[1:].to(known).expand(len(known), -1)], dim=1)
            errs = torch.cat([errs, errs.new_tensor(SLOPE_ERR).expand(len(errs), -1)], dim=1)
        infinite = torch.full_like(errs, torch.inf)
        normals = torch.stack([torch.zeros_like(errs), errs, -infinite, infinite], dim=2)
        return cls.of(layout, known, normals)

    def _maps(self, values):
        """Return what leads to the other bands: matrices, places and wavelengths, (N, B - 1)."""
        n_others = len(self.layout.parts) - 1
        known = self.known.to(values.dtype)
        maps = known[:, : n_others * len(_MAP)].unflatten(1, (n_others, len(_MAP)))
        waves = known[:, n_others * len(_MAP) :]
        return maps[..., :4].unflatten(2, (2, 2)), maps[..., 4:], waves

    def above(self, log_flux):
        """Return the same with lower bounds of the logarithms of the fluxes, (N, B)."""
        lower = self.lower.clone()
        lower[:, self.layout.columns("log_flux")] = log_flux
        return replace(self, lower=lower)

    def values(self, labels):
        """Return the unconstrained parameters of labels, the inverse of `labels`.

        Parameters
        ----------
        labels : (N, 7 B) `~torch.Tensor`
            Labels in all bands, of which size, index and shape are those of the first.

        Returns
        -------
        (N, P) `~torch.Tensor`
        """
        of_bands = labels.unflatten(-1, (-1, N_LABELS))
        shape = Scene.sersic(len(labels)).values(of_bands[:, 0])[:, LOG_FLUX + 1 :]
        columns = [shape, of_bands[..., LOG_FLUX]]
        if not self.layout.priors:
            return torch.cat(columns, dim=1)
        matrices, places, waves = self._maps(labels)
        if self.layout.n_shifts:
            away = (of_bands[:, 1:, CENTER] - places)[..., None]
            shifts = torch.linalg.solve(matrices, away)[..., 0] - of_bands[:, :1, CENTER]
            columns.append(shifts.flatten(1))
        if self.layout.is_chromatic:
            far = int(waves[0].abs().argmax())
            other = of_bands[:, far + 1]
            back = torch.linalg.inv(matrices[:, far]).flatten(1).unbind(1)
            size, *_ = moved_ellipse(*other[:, _ELLIPSE].unbind(1), back)
            wave = waves[:, far]
            columns.append(((size - labels[:, LOG_R_EFF]) / wave)[:, None])
            columns.append(((other[:, SERSIC_N] - labels[:, SERSIC_N]) / wave)[:, None])
        return torch.cat(columns, dim=1)

    def quantity_slopes(self, values):
        """Return derivatives of shifts and slopes by the parameters, (N, R, P) for (N, P)."""
        n_shifts = len(self.layout.priors)
        slopes = values.new_zeros(n_shifts, values.shape[1])
        slopes[:, values.shape[1] - n_shifts :] = torch.eye(n_shifts).to(slopes)
        return slopes.expand(len(values), -1, -1)

    def slopes(self, values):
        """Return derivatives of the labels by the parameters, (N, 7 B, P) for (N, P).

        Put together from those of the structure in the first band, and of what leads to the others.
        """
        n_bands = len(self.layout.parts)
        n_shape = len(SHAPE)
        plain = torch.cat([torch.zeros_like(values[:, :1]), values[:, :n_shape]], dim=1)
        scene = Scene.sersic(len(values))
        structure = scene.slopes(plain)[:, 1:, 1:]
        slopes = values.new_zeros(len(values), n_bands, N_LABELS, values.shape[1])
        slopes[:, 0, 1:, :n_shape] = structure
        numbers = torch.arange(n_bands)
        slopes[:, numbers, LOG_FLUX, n_shape + numbers] = 1
        if n_bands == 1:
            return slopes[:, 0]
        matrices, _, waves = self._maps(values)
        elements = matrices.flatten(2)
        moved = values.new_zeros(*matrices.shape[:2], N_LABELS, n_shape)
        ellipse = scene.labels(plain)[:, None, _ELLIPSE]
        columns = [place - 1 for place in _ELLIPSE]
        for place, slope in zip(_ELLIPSE, _ellipse_slopes(ellipse, elements), strict=True):
            moved[:, :, place, columns] = slope
        inside = torch.ones_like(elements[..., 0])
        if self.layout.is_chromatic:
            own_n = scene.labels(plain)[:, SERSIC_N, None] + waves * values[:, -1:]
            inside = ((own_n > _N_RANGE[0]) & (own_n < _N_RANGE[1])).to(values)
            slopes[:, 1:, LOG_R_EFF, -2] = waves
            slopes[:, 1:, SERSIC_N, -1] = waves * inside
        moved[:, :, SERSIC_N, SERSIC_N - 1] = inside
        moved[:, :, CENTER, CENTER.start - 1 :] = matrices
        slopes[:, 1:, :, :n_shape] = moved @ structure[:, None]
        if self.layout.n_shifts:
            for number in range(1, n_bands):
                start = n_shape + n_bands + 2 * (number - 1)
                slopes[:, number, CENTER, start : start + 2] = matrices[:, number - 1]
        return slopes.flatten(1, 2)


@torch.enable_grad()
def _ellipse_slopes(ellipse, elements):
    """Return derivatives of three labels of ellipses in B other pixels, (N, B, 3) each."""
    ellipse = ellipse.expand(*elements.shape[:2], -1).detach().clone().requires_grad_()
    moved = moved_ellipse(*ellipse.unbind(-1), elements.unbind(-1))
    slopes = []
    for label in moved:
        (slope,) = torch.autograd.grad(label.sum(), ellipse, retain_graph=True)
        slopes.append(slope)
    return slopes
