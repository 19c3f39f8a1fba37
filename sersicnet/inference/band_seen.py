"""Bands of galaxies before they are fitted: what the network saw, and where their stamps are."""

from dataclasses import dataclass

import numpy as np

from sersicnet.inference.fits import BatchStart
from sersicnet.model.band_likelihood import BandStamps
from sersicnet.preprocessing.alignment import BandMaps

__all__ = ["Asked", "PlacedBand", "SeenBand", "way_to"]


@dataclass(frozen=True, eq=False)
class SeenBand:
    """One band of N galaxies, as the network sees it.

    Attributes
    ----------
    posterior : `~sersicnet.networks.FlowDensity`
        Posteriors of the network.
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of the parameters from these, NaN where there is no galaxy to fit.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of the galaxies.
    psfs : `~sersicnet.model.PSFs`
        PSFs of the cutouts, before any binning.
    pixels : `~sersicnet.inference.assumptions.PixelModel`
        What is known of sky and noise.
    """

    posterior: object
    quantiles: np.ndarray
    stamps: object
    psfs: object
    pixels: object

    @property
    def usable(self):
        """Which galaxies can be fitted in this band, (N,) bool."""
        return np.isfinite(self.quantiles).all(axis=(0, 1)) & (self.psfs.which >= 0)


@dataclass(frozen=True, eq=False)
class Asked:
    """What is wanted of joint fits.

    Attributes
    ----------
    names : list of str
        Names of all bands, also of those without any cutout.
    band_shift : float
        Standard deviation of the shifts of bands, in arcsec.
    prior : bool
        As in `~sersicnet.inference.fit_stamps`.
    device : str or `~torch.device`
        Device that renders.
    log_wavelength : dict, optional
        Decimal logarithms of the wavelengths of the bands, if size and index change with them.
    sampling : `~sersicnet.inference.ImportanceSampling`, optional
        Numbers of draws, if posteriors are sampled.
    seed : int, optional
        Seed of these draws.
    exposures : bool, optional
        Whether the bands are exposures with one flux.
    """

    names: list
    band_shift: float
    prior: bool
    device: object
    log_wavelength: dict | None = None
    sampling: object = None
    seed: int = 0
    exposures: bool = False


@dataclass(frozen=True, eq=False)
class PlacedBand:
    """A band with the labels that fits start from, and the maps that lead to its stamps.

    Attributes
    ----------
    seen : SeenBand
    start : `~sersicnet.inference.fits.BatchStart`
    maps : `~sersicnet.preprocessing.alignment.BandMaps`
        From the stamps of first bands.
    """

    seen: SeenBand
    start: BatchStart
    maps: BandMaps

    def stamps(self, profiles):
        """Return its stamps, as likelihoods need them."""
        pixels = self.seen.pixels
        images = self.seen.stamps.data, self.seen.stamps.weight
        plane = bool(pixels.plane.any())
        known = pixels.sky_err, plane, pixels.noise, profiles
        return BandStamps(*images, self.start.groups, *known)


def way_to(band, rows, first_offset):
    """Return what leads from the stamps of first bands to those of a band.

    Parameters
    ----------
    band : PlacedBand
        The band.
    rows : (R,) int `~numpy.ndarray`
        Rows of the galaxies.
    first_offset : (R, 2) `~numpy.ndarray`
        Shifts of the PSFs of first bands to the middle of their stamps.

    Returns
    -------
    matrix, place : (R, 2, 2), (R, 2) `~numpy.ndarray`
        As in `~sersicnet.preprocessing.alignment.BandMaps`, of centered PSFs.
    """
    maps = band.maps[rows]
    offset = band.start.offset[rows]
    moved = (maps.matrix @ first_offset[:, :, None])[..., 0]
    return maps.matrix, maps.place + offset - moved
