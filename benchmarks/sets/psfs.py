"""PSFs, galaxies and stars of the validation sets, drawn by GalSim in pixels.

A *profile* is a GalSim object without the response of the pixel, which is added once, when
an image is drawn. Nothing here knows `sersicnet.model.profile`, which these images test.

All keep GalSim's default accuracy, which is enough at every S/N of the prior (tests compare it
with one ten times stricter), and what needs a larger transform than it allows is not drawn.
"""

import warnings

import galsim
import numpy as np
from scipy.ndimage import zoom

from sersicnet.simulate_catalog.surveys import airy_fwhm

# What GalSim cannot draw; its default limit of 8192 pixels on a side is a warning only.
CANNOT_DRAW = (galsim.GalSimError, ArithmeticError, MemoryError)
# Below this star-like FWHM in pixels a PSF is undersampled, and comes twice oversampled as well.
UNDERSAMPLED = 3.0


def draw_profile(rng):
    """A PSF of any instrument, of a FWHM near 1.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws family and shape.

    Returns
    -------
    family : str
        One of ``FAMILIES``.
    profile : `galsim.GSObject`
        Round or not; the origin is what a PSF stamp has in its middle.
    """
    family = FAMILIES[rng.integers(len(FAMILIES))]
    return family, _DRAW[family](rng)


def _moffat(rng):
    return galsim.Moffat(rng.uniform(2.2, 5), fwhm=1)


def _elliptical_moffat(rng):
    return _moffat(rng).shear(q=rng.uniform(0.8, 1), beta=rng.uniform(0, 180) * galsim.degrees)


def _airy(rng):
    """An obscured telescope, a little out of focus and alignment, with jitter."""
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
    """The profile of a `~sersicnet.simulate_catalog.PSFModel`, in pixels.

    Raises
    ------
    ValueError
        If the width is a range, or the family is none that a survey here has.
    """
    fwhm, jitter = model.fwhm, model.jitter
    if np.ndim(fwhm) or np.ndim(jitter):
        msg = f"fwhm={fwhm} and jitter={jitter} must be single numbers"
        raise ValueError(msg)
    fwhm, jitter = fwhm / pixel_scale, jitter / pixel_scale
    if model.family == "moffat":
        profile = galsim.Moffat(model.beta, fwhm=fwhm, trunc=model.truncation / pixel_scale)
    elif model.family == "kolmogorov":
        profile = galsim.Kolmogorov(fwhm=fwhm)
    elif model.family == "airy":
        width = fwhm / airy_fwhm(model.obscuration)
        profile = galsim.Airy(width, obscuration=model.obscuration)
    else:
        msg = f"family={model.family!r} must be 'moffat', 'kolmogorov' or 'airy'"
        raise ValueError(msg)
    return galsim.Convolve(profile, galsim.Gaussian(sigma=jitter)) if jitter else profile


def star_fwhm(profile, guess):
    """Diameter in pixels of the circle as large as the area above half the maximum of a star.

    Parameters
    ----------
    profile : `galsim.GSObject`
        The PSF.
    guess : float
        About the result.

    Returns
    -------
    float
    """
    star, step = galsim.Convolve(profile, galsim.Pixel(1)), guess / 12
    image = star.drawImage(nx=41, ny=41, scale=step, method="no_pixel").array
    fine = zoom(image.astype(float), 6, order=3)
    step *= (len(image) - 1) / (len(fine) - 1)
    return float(2 * step * np.sqrt((fine > fine.max() / 2).sum() / np.pi))


def scale_to_star(profile, fwhm):
    """Stretch a profile of FWHM near 1 until its star has about this FWHM.

    Returns
    -------
    profile : `galsim.GSObject`
    fwhm : float
        That of its star, measured.
    """
    pixel = 0.9  # what its response adds, about, to the square of the width
    width = max(fwhm**2 - pixel, 0.4) ** 0.5
    measured = star_fwhm(profile.dilate(width), fwhm)
    width *= ((fwhm**2 - pixel) / (measured**2 - pixel)) ** 0.5
    profile = profile.dilate(width)
    return profile, star_fwhm(profile, fwhm)


def psf_stamps(profile, size, *, oversampled):
    """Star-like stamps of unit sum, as a user has them.

    Parameters
    ----------
    profile : `galsim.GSObject`
        The PSF.
    size : int
        Pixels on a side.
    oversampled : bool
        Whether to draw the second stamp.

    Returns
    -------
    psf : (size, size) `~numpy.ndarray`
        At the scale of the data.
    psf2 : (2 size, 2 size) `~numpy.ndarray` or None
        Of the same square, at half steps, with the response of the full pixel.
    share : float
        How much of a star's light the square holds.
    """
    stamp = draw_star(profile, 1, (size, size))
    share, fine = float(stamp.sum()), None
    if oversampled:
        star = galsim.Convolve(profile, galsim.Pixel(1))
        image = galsim.ImageD(2 * size, 2 * size, scale=0.5)
        fine = star.drawImage(image, method="no_pixel").array
        fine = fine / fine.sum()
    return stamp / share, fine, share


def draw_star(profile, flux, shape, offset=(0, 0)):
    """Image of a star, this many pixels in (x, y) from the middle of the image."""
    ny, nx = shape
    image = galsim.ImageD(nx, ny, scale=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", galsim.GalSimFFTSizeWarning)
        try:
            profile.withFlux(flux).drawImage(image, offset=offset)
        except galsim.GalSimFFTSizeWarning as warning:
            raise galsim.GalSimFFTSizeError(warning.message, warning.size) from None
    if not np.isfinite(image.array).all():  # happens, silently, with some huge transforms
        msg = f"GalSim drew NaN for {profile}"
        raise galsim.GalSimError(msg)
    return image.array


def draw_galaxy(profile, galaxy, shape, offset):
    """Image of a Sersic galaxy behind a PSF.

    Parameters
    ----------
    profile : `galsim.GSObject`
        The PSF.
    galaxy : dict
        ``flux``, ``r_eff`` (pixels, along the major axis), ``n``, ``q`` and ``theta`` (degrees).
    shape : (int, int)
        Rows and columns.
    offset : (float, float)
        In x and y from the middle of the image.

    Returns
    -------
    (ny, nx) `~numpy.ndarray`

    Raises
    ------
    Exception
        One of ``CANNOT_DRAW``, if GalSim cannot.
    """
    circular = galaxy["r_eff"] * galaxy["q"] ** 0.5
    light = galsim.Sersic(galaxy["n"], half_light_radius=circular)
    light = light.shear(q=galaxy["q"], beta=galaxy["theta"] * galsim.degrees)
    return draw_star(galsim.Convolve(light, profile), galaxy["flux"], shape, offset)
