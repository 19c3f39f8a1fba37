"""Joint fits of galaxies in several bands and of the neighbors whose light they share."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from sersicnet.flags import Flags
from sersicnet.inference.band_alike import SingleFits
from sersicnet.inference.band_neighbors import find_groups, least_flux, psf_of, with_hidden
from sersicnet.inference.joined import BLEND_FRACTION, MOVED
from sersicnet.model.band_scene import BandScene
from sersicnet.model.groups import blend_fraction, group_images, group_scene
from sersicnet.model.labels import LABELS, LOG_FLUX, N_LABELS, PROFILE_LABELS, part_slices

__all__ = ["GroupFits", "Neighbors"]


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The sources around N galaxies in several bands, and what is needed to fit them.

    Attributes
    ----------
    around : dict of `~sersicnet.inference.neighborhoods.Neighborhoods`
        The sources that were found in the cutouts of each band.
    assumed : dict of `~sersicnet.inference.assumptions.Assumptions`
        What fits assume about the pixels of each band.
    evaluate : callable
        As in `~sersicnet.inference.neighborhoods.Neighborhoods.measured_neighbors`.
    fits : GroupFits
        What was found.
    """

    around: dict
    assumed: dict
    evaluate: object
    fits: object

    def fit(self, alike, fitted):
        """Fit galaxies together with their neighbors.

        Parameters
        ----------
        alike : `~sersicnet.inference.band_alike.Alike`
            R galaxies that the same bands show.
        fitted : object
            ``scene`` and ``fit`` of their fits, neighbors masked.

        Returns
        -------
        rows : (G,) int `~numpy.ndarray`
            Rows of the galaxies whose fits have converged.
        fit : `~sersicnet.inference.Fit` or None
            Fits of the parameters of these galaxies alone; None where there are none.
        """
        unbinned = [band.seen.stamps.frame.bins[alike.rows] == 1 for band in alike.bands.values()]
        known = np.isfinite(fitted.fit.mean).all(axis=1) & np.all(unbinned, axis=0)
        alike = alike.some(np.flatnonzero(known))
        single = SingleFits.of(fitted.scene[np.flatnonzero(known)], fitted.fit.mean[known])
        opened = {band: self._opened(band, alike) for band in alike.bands}
        groups = find_groups(alike, single, self.around, opened, self.evaluate)
        rows = []
        fits = []
        for profiles in sorted({group.profiles for group in groups}):
            own = [group for group in groups if group.profiles == profiles]
            found = self._fit_alike(alike, single, own, opened)
            rows.append(found[0])
            fits.append(found[1])
        if not fits:
            return np.zeros(0, dtype=int), None
        return np.concatenate(rows), type(fits[0]).concatenate(fits)

    def _opened(self, band, alike):
        """Return stamps of all galaxies in a band on which neighbors are not masked."""
        stamps = alike.bands[band].seen.stamps
        rows = np.array([row for row in alike.rows if int(row) in self.around[band].found], int)
        if not len(rows):
            return stamps
        return stamps.with_rows(rows, self.around[band].opened_stamps(rows, stamps))

    def _fit_alike(self, alike, single, groups, opened):
        """Fit groups whose members have the same profiles; return converged rows, and fits."""
        places = np.array([group.place for group in groups])
        rows = alike.rows[places]
        bands = {}
        for number, (name, band) in enumerate(alike.bands.items()):
            stamps = with_hidden(opened[name], self.around[name], groups, rows, number)
            pixels = self.assumed[name].of(self.around[name].masked, stamps)
            bands[name] = replace(band, seen=replace(band.seen, stamps=stamps, pixels=pixels))
        some = replace(alike.some(places), bands=bands)
        scene, labels = _start(some, single.labels[places], single.shifts[places], groups)
        fit = some.fit_from(labels, scene)
        self._keep(some, scene, fit)
        good = fit.converged
        fluxes = single.labels[places].unflatten(1, (len(bands), -1))[..., LOG_FLUX].numpy()
        for name, log_flux in zip(bands, fluxes.T, strict=True):
            self.fits.before[name][rows[good]] = log_flux[good]
        columns = [scene.layout.free.index(name) for name in single.scene.layout.free]
        return rows[good], _of_first(fit, columns)[good]

    def _keep(self, alike, scene, fit):
        """Keep what is said of groups, and the stamps without the light of neighbors."""
        found = self.fits
        found.failed[alike.rows[~fit.converged]] = True
        good = np.flatnonzero(fit.converged)
        profiles = scene.layout.base.profiles
        labels = scene.labels(torch.from_numpy(np.nan_to_num(fit.mean))).numpy()
        of_bands = np.split(labels, len(alike.bands), axis=1)
        found.size[alike.rows[good]] = len(profiles)
        for (name, band), own in zip(alike.bands.items(), of_bands, strict=True):
            stamps = band.seen.stamps[alike.rows[good]]
            data = stamps.data.copy()
            for place, number in enumerate(good):
                row = alike.rows[number]
                psf = psf_of(band, row)
                shown = own[number], profiles, psf, data.shape[-1]
                images = group_images(*shown, device=alike.asked.device)
                light = images[1:].sum(axis=0)
                data[place] -= np.where(stamps.weight[place] > 0, light, 0)
                fraction = blend_fraction(images, own[number], float(psf.widths()[0]))
                found.fraction[name][row] = fraction
            found.add_stamps(name, alike.rows[good], replace(stamps, data=data))


@dataclass(frozen=True, eq=False)
class GroupFits:
    """What joint fits say of N galaxies.

    Attributes
    ----------
    size : (N,) int `~numpy.ndarray`
        Numbers of sources that were fitted together.
    failed : (N,) bool `~numpy.ndarray`
        Whether a joint fit has not converged: the other is kept.
    fraction : dict of (N,) `~numpy.ndarray`
        Light of neighbors within the half-light ellipse over that of the galaxy, of each band.
    before : dict of (N,) `~numpy.ndarray`
        Logarithms of the fluxes where neighbors are masked; NaN of galaxies without any.
    stamps : dict of list
        Rows of galaxies, and their stamps without the light of neighbors, of each band.
    """

    size: np.ndarray
    failed: np.ndarray
    fraction: dict
    before: dict
    stamps: dict = field(default_factory=dict)

    @classmethod
    def blank(cls, n, bands):
        """Make that of N galaxies without neighbors."""
        fraction = {}
        before = {}
        for band in bands:
            fraction[band] = np.zeros(n)
            before[band] = np.full(n, np.nan)
        return cls(np.ones(n, dtype=np.int64), np.zeros(n, dtype=bool), fraction, before)

    def add_stamps(self, band, rows, stamps):
        """Add the stamps of some galaxies in a band."""
        if len(rows):
            self.stamps.setdefault(band, []).append((rows, stamps))

    def shown(self, band, seen):
        """Return a band whose stamps do not show the neighbors that were fitted.

        Parameters
        ----------
        band : str
            Name of the band.
        seen : `~sersicnet.inference.band_seen.SeenBand`
            The band.

        Returns
        -------
        `~sersicnet.inference.band_seen.SeenBand`
        """
        for rows, stamps in self.stamps.get(band, []):
            seen = replace(seen, stamps=seen.stamps.with_rows(rows, stamps))
        return seen

    def joined(self, band, fits, refined):
        """Return what fits say of a band, with what joint fits add.

        Parameters
        ----------
        band : str
            Name of the band.
        fits : `~sersicnet.inference.band_views.BandFit`
            The fits in this band.
        refined : tuple
            Posterior, quantiles, columns and flags.

        Returns
        -------
        tuple
            The same with the columns ``group_size`` and ``blend_fraction``, and flags.
        """
        posterior, quantiles, columns, flags = refined
        error = np.sqrt(fits.fit.covariance[:, 0, 0])
        with np.errstate(invalid="ignore"):
            moved = np.abs(fits.fit.mean[:, 0] - self.before[band]) > MOVED * error
        blended = (self.fraction[band] >= BLEND_FRACTION) | moved
        flags = flags | np.where(blended, int(Flags.BLENDED), 0)
        flags |= np.where(self.failed, int(Flags.GROUP_NOT_CONVERGED), 0)
        fraction = np.where(np.isnan(quantiles[0, 1]), np.nan, self.fraction[band])
        columns = columns | {"group_size": self.size, "blend_fraction": fraction}
        return posterior, quantiles, columns, flags


def _start(alike, labels, shifts, groups):
    """Return the scene of groups, and the labels that their fits start from."""
    of_bands = labels.unflatten(1, (len(alike.bands), -1)).numpy()
    parts = np.stack([group.parts() for group in groups])
    in_first = np.concatenate([of_bands[:, 0], parts], axis=1)
    base = group_scene(in_first, groups[0].profiles)
    known = alike.matrices, alike.places, alike.shift_err
    scene = BandScene.of_bands(list(alike.bands), *known, base=base)
    profiles = base.layout.profiles
    fluxes = [place.start for place in part_slices(profiles)]
    values = torch.zeros(len(groups), scene.layout.n_parameters, dtype=torch.float64)
    for number, (_, columns) in enumerate(scene.layout.views):
        own = in_first.copy()
        own[:, fluxes[0]] = of_bands[:, number, LOG_FLUX]
        own[:, fluxes[1:]] = [group.log_flux[:, number] for group in groups]
        values[:, columns[: base.layout.n_parameters]] = base.values(torch.from_numpy(own))
    values[:, scene.layout.columns("shift_x", "shift_y")] = shifts
    start = scene.labels(values)
    least = []
    for band in np.split(start.numpy(), len(alike.bands), axis=1):
        for profile, place in zip(profiles, part_slices(profiles), strict=True):
            least.append(least_flux(_as_sersic(band[:, place], profile)))
    return scene.above(torch.from_numpy(np.stack(least, axis=1))), start.numpy()


def _as_sersic(labels, profile):
    """Return seven labels of sources, (N, 7); point sources have no size."""
    if profile == "sersic":
        return labels
    found = np.zeros((len(labels), N_LABELS))
    found[:, LABELS.index("log_r_eff")] = -np.inf
    for column, name in zip(labels.T, PROFILE_LABELS[profile], strict=True):
        found[:, LABELS.index(name)] = column
    return found


def _of_first(fit, columns):
    """Return fits of the galaxies of groups, whatever the others are."""
    return replace(
        fit,
        mean=fit.mean[:, columns],
        covariance=fit.covariance[:, columns][:, :, columns],
        sky_slope=fit.sky_slope[..., columns],
        sky_shift=fit.sky_shift[..., columns],
        held=fit.held[:, columns],
        modes=None,
    )
