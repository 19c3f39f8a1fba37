"""Galaxies in several bands: the scenes of their fits."""

from dataclasses import replace

import torch

from sersicnet.model.band_layout import (
    ELLIPSE,
    LIGHT,
    N_RANGE,
    SLOPES,
    band_layout,
    moved_ellipse,
)
from sersicnet.model.labels import LABELS, PROFILE_LABELS, part_slices
from sersicnet.model.layout import kind_of
from sersicnet.model.scene import Scene

__all__ = ["SLOPE_ERR", "BandScene"]

# Standard deviations of the priors of the slopes of log_r_eff and n, per factor of ten in
# wavelength: wider than the changes that Vulcani et al. 2014, MNRAS 441, 1340, found.
SLOPE_ERR = (0.5, 2.0)
# That of the tie of fluxes of exposures, of their decimal logarithms: 0.0025 mag.
_TIE_ERR = 1e-3


class BandScene(Scene):
    """The free parameters and the known numbers of N galaxies in several bands."""

    @classmethod
    def of_bands(cls, bands, matrices, places, shift_err, *, waves=None, base=None):
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
        base : `~sersicnet.model.Scene`, optional
            Scene of the galaxies in the first band, by default that of one Sersic profile.

        Returns
        -------
        BandScene
        """
        if base is None:
            base = Scene.sersic(len(matrices))
        shifted = bool((shift_err > 0).all())
        options = {"shifted": shifted, "chromatic": waves is not None}
        layout = band_layout(bands, base=base.layout, **options)
        if waves is None:
            waves = torch.zeros(len(bands))
        waves = waves.to(matrices).expand(len(matrices), -1)
        ways = torch.cat([matrices.flatten(2), places, waves[:, :, None]], dim=2)
        known = torch.cat([base.known.to(ways), ways[:, 1:].flatten(1)], dim=1)
        errs = shift_err[:, None].repeat(1, layout.n_shifts)
        if layout.is_chromatic:
            errs = torch.cat([errs, errs.new_tensor(SLOPE_ERR).expand(len(errs), -1)], dim=1)
        infinite = torch.full_like(errs, torch.inf)
        normals = torch.stack([torch.zeros_like(errs), errs, -infinite, infinite], dim=2)
        return cls.of(layout, known, torch.cat([base.normals.to(normals), normals], dim=1))

    def tied(self, brighter):
        """Return the same of exposures with one flux.

        Parameters
        ----------
        brighter : (N, B - 1) `~torch.Tensor`
            Decimal logarithms of this flux in the units of the other stamps, over that in units of
            the first.
        """
        layout = self.layout
        names = tuple(map("tie.{}".format, layout.bands[1:]))
        layout = replace(layout, priors=(*layout.priors, *names), tied=True)
        infinite = torch.full_like(brighter, torch.inf)
        ties = [brighter, torch.full_like(brighter, _TIE_ERR), -infinite, infinite]
        ties = torch.stack(ties, dim=2).to(self.normals)
        return replace(self, layout=layout, normals=torch.cat([self.normals, ties], dim=1))

    @property
    def base(self):
        """The scene of the galaxies in the first band, without priors."""
        layout = replace(self.layout.base, priors=())
        return Scene.of(layout, self.known[:, : len(layout.known)])

    def above(self, log_flux):
        """Return the same with lower bounds of the logarithms of the fluxes, (N, B)."""
        lower = self.lower.clone()
        lower[:, self.layout.columns("log_flux")] = log_flux
        return replace(self, lower=lower)

    def values(self, labels):
        """Return the unconstrained parameters of labels, the inverse of `labels`.

        Parameters
        ----------
        labels : (N, K B) `~torch.Tensor`
            Labels of all parts in all bands, of which structure is that of the first.

        Returns
        -------
        (N, P) `~torch.Tensor`
        """
        layout = self.layout
        base = self.base
        n_base = layout.base.n_parameters
        of_bands = labels.unflatten(-1, (len(layout.bands), -1))
        found = labels.new_zeros(len(labels), layout.n_parameters)
        light = [kind_of(name) in LIGHT for name in layout.base.free]
        for number, (_, columns) in reversed(list(enumerate(layout.views))):
            own = base.values(of_bands[:, number])
            for column, value, is_light in zip(columns[:n_base], own.unbind(1), light, strict=True):
                if is_light or not number:
                    found[:, column] = value
        if len(layout.bands) == 1:
            return found
        ways = layout.ways(self.known.to(labels))
        matrices = ways[..., :4].unflatten(2, (2, 2))
        part = PROFILE_LABELS[layout.base.profiles[0]]
        center = [part.index("dx"), part.index("dy")]
        if layout.n_shifts:
            away = (of_bands[:, 1:, center] - ways[..., 4:6])[..., None]
            shifts = torch.linalg.solve(matrices, away)[..., 0] - of_bands[:, :1, center]
            found[:, layout.columns("shift_x")] = shifts[..., 0]
            found[:, layout.columns("shift_y")] = shifts[..., 1]
        if layout.is_chromatic:
            waves = ways[..., -1]
            far = int(waves[0].abs().argmax())
            other = dict(zip(part, of_bands[:, far + 1].unbind(1), strict=True))
            first = dict(zip(part, of_bands[:, 0].unbind(1), strict=True))
            back = torch.linalg.inv(matrices[:, far]).flatten(1).unbind(1)
            size, *_ = moved_ellipse(*(other[name] for name in ELLIPSE), back)
            found[:, -2] = (size - first["log_r_eff"]) / waves[:, far]
            found[:, -1] = (other["n"] - first["n"]) / waves[:, far]
        return found

    def quantity_slopes(self, values):
        """Return derivatives of quantities with priors by the parameters, (N, R, P) for (N, P)."""
        layout = self.layout
        if layout.base.priors:
            return super().quantity_slopes(values)
        columns = layout.columns("shift_x", "shift_y", *SLOPES)
        slopes = values.new_zeros(len(columns), values.shape[1])
        slopes[range(len(columns)), columns] = 1
        if layout.tied:
            first, *others = layout.columns("log_flux")
            ties = values.new_zeros(len(others), values.shape[1])
            ties[range(len(others)), others] = 1
            ties[:, first] = -1
            slopes = torch.cat([slopes, ties])
        return slopes.expand(len(values), -1, -1)

    def slopes(self, values):
        """Return derivatives of the labels by the parameters, (N, K B, P) for (N, P).

        Put together from those of the structure in the first band, and of what leads to the others.
        """
        layout = self.layout
        n_base = layout.base.n_parameters
        n_bands = len(layout.bands)
        own = torch.stack([values[:, columns[:n_base]] for _, columns in layout.views], dim=1)
        scene = self.base
        scene = scene[torch.arange(len(values)).repeat_interleave(n_bands)]
        structure = scene.slopes(own.flatten(0, 1)).unflatten(0, (-1, n_bands))
        labels = scene.labels(own.flatten(0, 1)).unflatten(0, (-1, n_bands))
        slopes = values.new_zeros(*labels.shape, values.shape[1])
        slopes[:, 0][..., layout.views[0][1][:n_base]] = structure[:, 0]
        if n_bands == 1:
            return slopes[:, 0]
        ways = layout.ways(self.known.to(values))
        moved = self._moved(values, labels[:, 1:], ways) @ structure[:, 1:]
        for number, (view, columns) in enumerate(layout.views[1:], 1):
            into = slopes[:, number]
            into[..., columns[:n_base]] = moved[:, number - 1]
            self._add_shifts(into, view, columns, ways[:, number - 1])
        if layout.is_chromatic:
            waves = ways[..., -1]
            place = dict(zip(PROFILE_LABELS["sersic"], range(labels.shape[2]), strict=True))
            slopes[:, 1:, place["log_r_eff"], -2] = waves
            slopes[:, 1:, place["n"], -1] = waves * self._is_inside(values, labels[:, 1:], ways)
        return slopes.flatten(1, 2)

    def _is_inside(self, values, labels, ways):
        """Return 1 where the index of a chromatic galaxy is not at a limit, (N, B - 1), else 0."""
        own_n = labels[..., LABELS.index("n")] + ways[..., -1] * values[:, -1:]
        return ((own_n > N_RANGE[0]) & (own_n < N_RANGE[1])).to(values)

    def _moved(self, values, labels, ways):
        """Return derivatives of labels in other bands by those in the first, (N, B - 1, K, K)."""
        moved = torch.zeros(*labels.shape, labels.shape[-1]).to(values)
        profiles = self.layout.base.profiles
        matrices = ways[..., :4].unflatten(2, (2, 2))
        for place, profile in zip(part_slices(profiles), profiles, strict=True):
            names = PROFILE_LABELS[profile]
            at = {name: place.start + number for number, name in enumerate(names)}
            moved[..., at["log_flux"], at["log_flux"]] = 1
            center = slice(at["dx"], at["dy"] + 1)
            moved[..., center, center] = matrices
            if "n" not in at:
                continue
            moved[..., at["n"], at["n"]] = 1
            if self.layout.is_chromatic:
                moved[..., at["n"], at["n"]] = self._is_inside(values, labels, ways)
            ellipse = [at[name] for name in ELLIPSE]
            for row, slope in zip(
                ellipse, _ellipse_slopes(labels[..., ellipse], ways[..., :4]), strict=True
            ):
                moved[..., row, ellipse] = slope
        return moved

    def _add_shifts(self, slopes, view, columns, ways):
        """Add derivatives by the shifts to those of the labels of a band, (N, K, P)."""
        if "shift_x" not in view.free:
            return
        matrices = ways[:, :4].unflatten(1, (2, 2))
        shifts = [columns[view.free.index(name)] for name in ("shift_x", "shift_y")]
        profiles = self.layout.base.profiles
        for place, profile in zip(part_slices(profiles), profiles, strict=True):
            start = place.start + PROFILE_LABELS[profile].index("dx")
            for axis, column in enumerate(shifts):
                slopes[:, start : start + 2, column] = matrices[:, :, axis]


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
