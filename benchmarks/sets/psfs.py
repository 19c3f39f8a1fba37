"""PSFs, galaxies and stars of the validation sets, drawn by GalSim in pixels.

A *profile* is a GalSim object without the response of the pixel, which is added once, when an
image is drawn. Nothing here uses `sersicnet.model.profile`, which these images test.

All images have GalSim's default accuracy, which is enough at every S/N of the prior (tests compare
it with one ten times stricter). An image that needs a larger transform than it allows is not drawn.
"""

import warnings

import galsim
import numpy as np
from scipy.ndimage import zoom

from sersicnet.simulate_catalog.surveys import airy_fwhm

# Errors of images that GalSim cannot draw; its default limit of 8192 pixels on a side is only a
# warning.
CANNOT_DRAW = (galsim.GalSimError, ArithmeticError, MemoryError)
# A PSF with a smaller FWHM, in pixels, is undersampled, and has a twice oversampled stamp as well.
UNDERSAMPLED = 3.0


def draw_profile(rng):
    """Draw a PSF of any instrument, with a FWHM near 1.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Random numbers.

    Returns
    -------
    family : str
        One of ``FAMILIES``.
    profile : `galsim.GSObject`
        PSF, round or not, whose origin is in the middle of a PSF stamp.
    """
    family = FAMILIES[rng.integers(len(FAMILIES))]
    return family, _DRAW[family](rng)


def _moffat(rng):
    return galsim.Moffat(rng.uniform(2.2, 5), fwhm=1)


def _elliptical_moffat(rng):
    return _moffat(rng).shear(q=rng.uniform(0.8, 1), beta=rng.uniform(0, 180) * galsim.degrees)


def _airy(rng):
    """Draw the PSF of an obscured telescope, slightly defocused and misaligned, with jitter."""
    names = ("defocus", "astig1", "astig2", "coma1", "coma2")
    waves = rng.uniform(0.02, 0.05, 5) * rng.choice([-1, 1], 5)
    aberrations = dict(zip(names, waves.tolist(), strict=True))
    pattern = galsim.OpticalPSF(lam_over_diam=1, obscuration=rng.uniform(0.1, 0.4), **aberrations)
    return galsim.Convolve(pattern, galsim.Gaussian(sigma=rng.uniform(0.05, 0.3)))


def _kolmogorov(_):
    return galsim.Kolmogorov(fwhm=1)


def _double_gaussian(rng):
    share = rng.uniform(0.1, 0.4)
    wide = galsim.Gaussian(fwhm=rng.uniform(1.5, 3))
    return (1 - share) * galsim.Gaussian(fwhm=1) + share * wide


_DRAW = {
    "moffat": _moffat,
    "airy": _airy,
    "kolmogorov": _kolmogorov,
    "elliptical_moffat": _elliptical_moffat,
    "double_gaussian": _double_gaussian,
}
FAMILIES = tuple(_DRAW)


def survey_profile(model, pixel_scale):
    """Return the profile of a survey, in pixels.

    Parameters
    ----------
    model : `~sersicnet.simulate_catalog.PSFModel`
        PSF of the survey.
    pixel_scale : float
        Arcsec per pixel.

    Returns
    -------
    `galsim.GSObject`

    Raises
    ------
    ValueError
        If the width is a range, or the family is not that of a survey of the validation sets.
    """
    if np.ndim(model.fwhm) or np.ndim(model.jitter):
        msg = f"fwhm={model.fwhm} and jitter={model.jitter} must be single numbers"
        raise ValueError(msg)
    fwhm = model.fwhm / pixel_scale
    jitter = model.jitter / pixel_scale
    match model.family:
        case "moffat":
            profile = galsim.Moffat(model.beta, fwhm=fwhm, trunc=model.truncation / pixel_scale)
        case "kolmogorov":
            profile = galsim.Kolmogorov(fwhm=fwhm)
        case "airy":
            width = fwhm / airy_fwhm(model.obscuration)
            profile = galsim.Airy(width, obscuration=model.obscuration)
        case _:
            msg = f"family={model.family!r} must be 'moffat', 'kolmogorov' or 'airy'"
            raise ValueError(msg)
    if jitter:
        return galsim.Convolve(profile, galsim.Gaussian(sigma=jitter))
    return profile


def star_fwhm(profile, guess):
    """Return the FWHM of a star, with the response of the pixel.

    Parameters
    ----------
    profile : `galsim.GSObject`
        PSF.
    guess : float
        Rough value of the result, in pixels.

    Returns
    -------
    float
        Diameter, in pixels, of a circle with the area of the pixels above half of the maximum.
    """
    star = galsim.Convolve(profile, galsim.Pixel(1))
    step = guess / 12
    image = star.drawImage(nx=41, ny=41, scale=step, method="no_pixel").array
    fine = zoom(image.astype(float), 6, order=3)
    step *= (len(image) - 1) / (len(fine) - 1)
    return float(2 * step * np.sqrt((fine > fine.max() / 2).sum() / np.pi))


def scale_to_star(profile, fwhm):
    """Stretch a profile of FWHM near 1 until a star has about the given FWHM.

    Parameters
    ----------
    profile : `galsim.GSObject`
        PSF.
    fwhm : float
        Wanted FWHM of a star, in pixels.

    Returns
    -------
    profile : `galsim.GSObject`
    fwhm : float
        Measured FWHM of a star, in pixels.
    """
    # The response of the pixel adds about this to the square of the width.
    pixel = 0.9
    width = max(fwhm**2 - pixel, 0.4) ** 0.5
    measured = star_fwhm(profile.dilate(width), fwhm)
    width *= ((fwhm**2 - pixel) / (measured**2 - pixel)) ** 0.5
    profile = profile.dilate(width)
    return profile, star_fwhm(profile, fwhm)


def psf_stamps(profile, size, *, oversampled):
    """Return PSF stamps of unit sum, with the response of the pixel, as a user has them.

    Parameters
    ----------
    profile : `galsim.GSObject`
        PSF.
    size : int
        Side of the stamp, in pixels of the image.
    oversampled : bool
        Whether to draw the oversampled stamp.

    Returns
    -------
    psf : (size, size) `~numpy.ndarray`
        Stamp at the pixel scale of the image.
    psf2 : (2 size, 2 size) `~numpy.ndarray` or None
        Stamp of the same square with twice the sampling, with the response of the full pixel.
    share : float
        Share of a star's light within the square.
    """
    stamp = draw_star(profile, 1, (size, size))
    share = float(stamp.sum())
    fine = None
    if oversampled:
        star = galsim.Convolve(profile, galsim.Pixel(1))
        image = galsim.ImageD(2 * size, 2 * size, scale=0.5)
        fine = star.drawImage(image, method="no_pixel").array
        fine = fine / fine.sum()
    return stamp / share, fine, share


def draw_star(profile, flux, shape, offset=(0, 0)):
    """Draw a star.

    Parameters
    ----------
    profile : `galsim.GSObject`
        PSF.
    flux : float
        Flux of the star.
    shape : (int, int)
        Rows and columns.
    offset : (float, float)
        Position in x and y, in pixels from the middle of the image.

    Returns
    -------
    (ny, nx) `~numpy.ndarray`

    Raises
    ------
    Exception
        One of ``CANNOT_DRAW``, if GalSim cannot draw it.
    """
    ny, nx = shape
    image = galsim.ImageD(nx, ny, scale=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", galsim.GalSimFFTSizeWarning)
        try:
            profile.withFlux(flux).drawImage(image, offset=offset)
        except galsim.GalSimFFTSizeWarning as warning:
            raise galsim.GalSimFFTSizeError(warning.message, warning.size) from None
    # Some huge transforms have NaN, without an error.
    if not np.isfinite(image.array).all():
        msg = f"GalSim drew NaN for {profile}"
        raise galsim.GalSimError(msg)
    return image.array


def draw_galaxy(profile, galaxy, shape, offset):
    """Draw a Sersic galaxy convolved with a PSF.

    Parameters
    ----------
    profile : `galsim.GSObject`
        PSF.
    galaxy : dict
        ``flux``, ``r_eff`` (pixels, along the major axis), ``n``, ``q`` and ``theta`` (angle of the
        major axis, counter-clockwise from +x, in degrees).
    shape : (int, int)
        Rows and columns.
    offset : (float, float)
        Position in x and y, in pixels from the middle of the image.

    Returns
    -------
    (ny, nx) `~numpy.ndarray`

    Raises
    ------
    Exception
        One of ``CANNOT_DRAW``, if GalSim cannot draw it.
    """
    circular = galaxy["r_eff"] * galaxy["q"] ** 0.5
    light = galsim.Sersic(galaxy["n"], half_light_radius=circular)
    light = light.shear(q=galaxy["q"], beta=galaxy["theta"] * galsim.degrees)
    return draw_star(galsim.Convolve(light, profile), galaxy["flux"], shape, offset)
