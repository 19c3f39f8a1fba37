"""Imperfections of the scenes that the universal network is trained on: one switch each."""

from dataclasses import dataclass, fields, replace

__all__ = ["Contaminants"]


@dataclass(frozen=True)
class Contaminants:
    """Shares of the scenes in which each imperfection is present; 0 switches it off.

    Attributes
    ----------
    faint_neighbors : float
        Up to four unmasked galaxies or stars, each with 0.3 to 10 % of the galaxy's flux.
    bright_neighbors : float
        One or two galaxies or stars of 0.1 to 5 times its flux, masked where they would be seen
        above it in a model that is wrong by a factor of up to 2.
    sky : float
        A constant of 0.05 sigma per pixel and slopes of 0.03 sigma per 64 pixels, rms.
    correlated_noise : float
        Noise smoothed by a Gaussian of 0.3 to 0.8 pixels, as by drizzling; the noise map still
        holds the rms of a pixel.
    poisson_noise : float
        Noise of the galaxy's own light, 3 to 1000 electrons per unit of the noise.
    constant_noise_map : float
        A noise map without the Poisson noise, as a share of the scenes that have such noise.
    wrong_noise_map : float
        A factor of 3 % rms between the noise and its map.
    uneven_depth : float
        Noise that changes by up to 30 % across the stamp.
    missing_pixels : float
        Masked columns, blocks and single pixels.
    padding : float
        Cutouts smaller than the stamp.
    wrong_psf : float
        A given PSF that is wrong by 2 % in width, 0.01 in ellipticity and 0.1 pixel in position,
        rms.
    shifted_psf : float
        A PSF whose star, in the image and as given, is up to 0.25 pixel from the middle
        of its stamp, along each axis.
    noisy_psf : float
        A given PSF with noise of 1e-5 to 1e-3 of its peak per pixel.
    small_psf_stamp : float
        A given PSF cut to 25 to 61 pixels, which is taken to hold all the light.
    extreme_psf : float
        PSFs with a FWHM of 0.9 to 1.5 or of 8 to 12 pixels, half of them each.
    small_cutouts : float
        Cutouts of 16 to 40 pixels on a side, not square, but no smaller than the half-light
        diameter.
    masked_middle : float
        A masked disk or bar, 2 to 6 pixels wide, no further than 6 pixels from the middle.
    drizzled_noise : float
        Noise of drizzled images, with drops of 0.6 to 2.5 output pixels on a side; the noise map
        still holds the rms of a pixel.
    counts : float
        Photon counts with a Poisson distribution, 0.1 to 10 per pixel from the sky; the noise map
        is that of such scenes, with a sky that is known and subtracted.
    sky_prior : float
        A constant sky with the rms of its prior in fits, 0.03 sigma.
    structure : float
        Galaxies with bulge and disk, nucleus, bar, ring, arms, clumps or a tidal arc: see
        ``sersicnet/training/structure.py``. The label is the best single Sersic profile.

    Notes
    -----
    The last seven, from ``extreme_psf`` on, are 0 by default: the shipped weights were trained
    without them. `extended` switches them on.

    Examples
    --------
    >>> from sersicnet.training import Contaminants
    >>> Contaminants(sky=0.0).faint_neighbors
    0.4
    >>> Contaminants.extended().structure
    0.1
    """

    faint_neighbors: float = 0.4
    bright_neighbors: float = 0.3
    sky: float = 0.4
    correlated_noise: float = 0.35
    poisson_noise: float = 0.75
    constant_noise_map: float = 0.25
    wrong_noise_map: float = 0.4
    uneven_depth: float = 0.15
    missing_pixels: float = 0.25
    padding: float = 0.3
    wrong_psf: float = 0.35
    shifted_psf: float = 0.35
    noisy_psf: float = 0.35
    small_psf_stamp: float = 0.5
    extreme_psf: float = 0.0
    small_cutouts: float = 0.0
    masked_middle: float = 0.0
    drizzled_noise: float = 0.0
    counts: float = 0.0
    sky_prior: float = 0.0
    structure: float = 0.0

    @classmethod
    def extended(cls):
        """Return the switches of the second generation of universal weights: all are on."""
        return replace(cls(), **_EXTENDED)

    @classmethod
    def none(cls):
        """Return the switches of isolated galaxies with white noise, exact PSF and noise level."""
        return cls(**{field.name: 0.0 for field in fields(cls)})


# Shares of the contaminants that are 0 by default.
_EXTENDED = {
    "extreme_psf": 0.12,
    "small_cutouts": 0.2,
    "masked_middle": 0.1,
    "drizzled_noise": 0.25,
    "counts": 0.05,
    "sky_prior": 0.5,
    "structure": 0.1,
}
