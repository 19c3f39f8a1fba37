"""Imperfections of the scenes that the universal network is trained on: one switch each."""

from dataclasses import dataclass, fields

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

    Examples
    --------
    >>> from sersicnet.training import Contaminants
    >>> Contaminants(sky=0.0).faint_neighbors
    0.4
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

    @classmethod
    def none(cls):
        """Return the switches of isolated galaxies with white noise, exact PSF and noise level."""
        return cls(**{field.name: 0.0 for field in fields(cls)})
