"""The neighbors of galaxies in several bands: one structure, and light in each band."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.inference.groups import LEAST_LIGHT
from sersicnet.model.band_layout import LEAST_SNR, moved_ellipse
from sersicnet.model.groups import UNRESOLVED, are_sharp, group_images, light_on_flux
from sersicnet.model.labels import CENTER, LABELS, LOG_FLUX, LOG_R_EFF, N_LABELS, PROFILE_LABELS
from sersicnet.model.prior import log_snr

__all__ = ["BandGroup", "find_groups", "least_flux", "psf_of", "with_hidden"]

# As in one band: the most neighbors of a galaxy, and how near, in units of the FWHM of the PSF,
# the same source is found again.
_MOST_NEIGHBORS = 7
_SAME = 0.5
_ELLIPSE = [LABELS.index(name) for name in ("log_r_eff", "e1", "e2")]


@dataclass(frozen=True)
class BandGroup:
    """A galaxy in B bands and the M neighbors that are fitted with it, before the fit.

    Attributes
    ----------
    place : int
        Place of the galaxy among those that the same bands show.
    labels : (M, 7) `~numpy.ndarray`
        Labels of the neighbors in the stamp of the first band.
    log_flux : (M, B) `~numpy.ndarray`
        Logarithms of their fluxes.
    profiles : tuple of str
        Their profiles, those of point sources last.
    seen : (M, B) int `~numpy.ndarray`
        Their places among the sources that were found in each band, -1 where they were not.
    """

    place: int
    labels: np.ndarray
    log_flux: np.ndarray
    profiles: tuple
    seen: np.ndarray

    def parts(self):
        """Return labels of the neighbors, those of their profiles, side by side."""
        found = []
        for profile, own in zip(self.profiles, self.labels, strict=True):
            found.append(own[[LABELS.index(name) for name in PROFILE_LABELS[profile]]])
        return np.concatenate(found)


def find_groups(alike, single, around, opened, evaluate):
    """Find the neighbors that share light with galaxies in at least one band.

    Parameters
    ----------
    alike : `~sersicnet.inference.band_alike.Alike`
        The galaxies.
    single : `~sersicnet.inference.band_alike.SingleFits`
        Their fits, neighbors masked.
    around : dict of `~sersicnet.inference.neighborhoods.Neighborhoods`
        The sources that were found in the cutouts of each band.
    opened : dict of `~sersicnet.preprocessing.Stamps`
        Stamps of all galaxies on which neighbors are not masked.
    evaluate : callable
        As in `~sersicnet.inference.neighborhoods.Neighborhoods.measured_neighbors`.

    Returns
    -------
    list of BandGroup
    """
    measured = []
    for band in alike.bands:
        rows = [row for row in alike.rows if int(row) in around[band].found]
        stamps = alike.bands[band].seen.stamps
        measured.append(around[band].measured_neighbors(rows, stamps, evaluate))
    groups = []
    for place, row in enumerate(alike.rows):
        if not any(int(row) in own for own in measured):
            continue
        found = _Found.of(alike, place, single)
        for number, (band, own) in enumerate(zip(alike.bands, measured, strict=True)):
            if int(row) in own:
                surroundings = around[band].found[int(row)]
                found.add(number, own[int(row)], surroundings, opened[band])
        group = found.group(opened)
        if group is not None:
            groups.append(group)
    return groups


@dataclass
class _Found:
    """The neighbors of one galaxy that were found so far."""

    alike: object
    place: int
    galaxy: np.ndarray
    labels: list
    log_flux: list
    seen: list
    signal: list
    names: list

    @classmethod
    def of(cls, alike, place, single):
        """Make it of a galaxy without neighbors."""
        galaxy = single.labels[place].unflatten(0, (len(alike.bands), -1)).numpy()
        return cls(alike, place, galaxy, [], [], [], [], [])

    def add(self, number, neighbors, surroundings, stamps):
        """Add the neighbors of one band, (M, 8), of which some may be known already."""
        alike = self.alike
        band = list(alike.bands.values())[number]
        row = alike.rows[self.place]
        psf = psf_of(band, row)
        matrix = alike.matrices[self.place, number].numpy()
        back = np.linalg.inv(matrix)
        least = _SAME * float(psf.widths()[0]) * np.sqrt(np.abs(np.linalg.det(back)))
        data = stamps.data[row], stamps.weight[row]
        sharp = are_sharp(neighbors[:, CENTER], *data, psf, device=alike.asked.device)
        for neighbor in neighbors[~sharp]:
            own = neighbor[:N_LABELS].copy()
            at = own[CENTER] + band.start.offset[row] - alike.places[self.place, number].numpy()
            signal = float(log_snr(torch.from_numpy(own)))
            own[CENTER] = back @ at
            own[_ELLIPSE] = _moved(own, back)
            if np.hypot(*(own[CENTER] - self.galaxy[0, CENTER])) < least:
                continue
            name = surroundings.others[int(neighbor[-1])]
            if surroundings.common:
                same = self.names.index(name) if name in self.names else None
            else:
                same = self._nearest(own, least)
            if same is None:
                self.names.append(name)
                self.labels.append(own)
                self.log_flux.append(np.full(len(alike.bands), np.nan))
                self.seen.append(np.full(len(alike.bands), -1))
                self.signal.append(signal)
                same = -1
            elif self.seen[same][number] >= 0:
                continue  # two sources of this band are one of another
            elif signal > self.signal[same]:
                self.labels[same] = own
                self.signal[same] = signal
            self.log_flux[same][number] = own[LOG_FLUX]
            self.seen[same][number] = int(neighbor[-1])

    def _nearest(self, own, least):
        """Return the number of a neighbor that is in the same place, None if there is none."""
        if not self.labels:
            return None
        away = np.hypot(*(np.stack(self.labels)[:, CENTER] - own[CENTER]).T)
        nearest = int(away.argmin())
        return nearest if away[nearest] < least else None

    def group(self, opened):
        """Return the neighbors that share light with the galaxy, None if there are none."""
        if not self.labels:
            return None
        alike = self.alike
        row = alike.rows[self.place]
        log_flux = np.stack(self.log_flux)
        light = np.zeros(len(self.labels))
        for number, (name, band) in enumerate(alike.bands.items()):
            in_band = self._in_band(number)
            unseen = np.isnan(log_flux[:, number])
            log_flux[unseen, number] = least_flux(in_band[unseen]) + np.log10(2)
            in_band[:, LOG_FLUX] = log_flux[:, number]
            stacked = np.concatenate([self.galaxy[number], in_band.ravel()])
            profiles = ("sersic",) * (1 + len(in_band))
            weight = opened[name].weight[row]
            options = {"device": alike.asked.device}
            images = group_images(stacked, profiles, psf_of(band, row), weight.shape[-1], **options)
            shown = np.where(unseen, 0, light_on_flux(images, weight))
            light = np.maximum(light, shown)
        order = np.argsort(-light, kind="stable")[:_MOST_NEIGHBORS]
        order = order[light[order] > LEAST_LIGHT]
        if not len(order):
            return None
        labels = np.stack(self.labels)
        fwhm = float(psf_of(next(iter(alike.bands.values())), row).widths()[0])
        points = 10 ** labels[order, LOG_R_EFF] < UNRESOLVED * fwhm
        order = np.concatenate([order[~points], order[points]])
        profiles = ("sersic",) * int((~points).sum()) + ("point",) * int(points.sum())
        seen = np.stack(self.seen)[order]
        return BandGroup(self.place, labels[order], log_flux[order], profiles, seen)

    def _in_band(self, number):
        """Return labels of the neighbors in the stamp of a band, but for their fluxes, (M, 7)."""
        matrix = self.alike.matrices[self.place, number].numpy()
        place = self.alike.places[self.place, number].numpy()
        labels = np.stack(self.labels)
        for own in labels:
            own[_ELLIPSE] = _moved(own, matrix)
        labels[:, CENTER] = labels[:, CENTER] @ matrix.T + place
        return labels


def _moved(labels, matrix):
    """Return the ellipse of a source in other pixels, (3,)."""
    ellipse = torch.from_numpy(labels[_ELLIPSE])
    moved = moved_ellipse(*ellipse, torch.from_numpy(np.ascontiguousarray(matrix)).flatten())
    return torch.stack(moved).numpy()


def least_flux(labels):
    """Return the logarithms of the least fluxes that are fitted.

    Parameters
    ----------
    labels : (..., 7) `~numpy.ndarray`
        Labels of sources, a size of minus infinity for point sources.

    Returns
    -------
    (...) `~numpy.ndarray`
    """
    labels = np.array(labels)
    return labels[..., LOG_FLUX] - log_snr(torch.from_numpy(labels)).numpy() + np.log10(LEAST_SNR)


def psf_of(band, row):
    """Return the centered PSF of a galaxy in a band.

    Parameters
    ----------
    band : `~sersicnet.inference.band_seen.PlacedBand`
        The band.
    row : int
        Row of the galaxy.

    Returns
    -------
    `~sersicnet.model.PSFs`
    """
    for members, psfs in band.start.groups:
        place = np.flatnonzero(members == row)
        if len(place):
            return psfs[place]
    msg = f"the galaxy {row} has no PSF"
    raise LookupError(msg)


def with_hidden(stamps, around, groups, rows, number):
    """Return stamps of a band on which the sources that are in no fit are masked.

    Parameters
    ----------
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of all galaxies on which neighbors are not masked.
    around : `~sersicnet.inference.neighborhoods.Neighborhoods`
        The sources that were found in this band.
    groups : list of BandGroup
        What is fitted.
    rows : (G,) int `~numpy.ndarray`
        Rows of their galaxies.
    number : int
        Number of the band among those that show them.

    Returns
    -------
    `~sersicnet.preprocessing.Stamps`
    """
    data = stamps.data.copy()
    weight = stamps.weight.copy()
    for row, group in zip(rows, groups, strict=True):
        if int(row) not in around.found:
            continue
        places = group.seen[:, number]
        hidden = around.hidden(int(row), places[places >= 0], data.shape[-1])
        data[row][hidden] = 0
        weight[row][hidden] = 0
    return replace(stamps, data=data, weight=weight)
