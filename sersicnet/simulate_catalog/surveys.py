"""Numbers of real surveys, from the package ``surveycodex``."""

import astropy.units as u
import numpy as np
from scipy.optimize import brentq
from scipy.special import j1


def survey_numbers(name, band):
    """Find the numbers of a survey that a simulation needs.

    Parameters
    ----------
    name : str
        Name of the survey.
    band : str or None
        Name of the band; None for the only one.

    Returns
    -------
    dict
        Fields of `~sersicnet.simulate_catalog.SimulationConfig` (``psf`` is a dictionary too), and
        ``fwhm``, the listed width of the PSF in arcsec.

    Raises
    ------
    ValueError
        If survey or band is unknown, or the band is missing.
    """
    from surveycodex.utilities import mean_sky_level

    survey, observed = _find(name, band)
    exposure = float(observed.full_exposure_time.to_value(u.s))
    fwhm = float(observed.psf_fwhm.to_value(u.arcsec))
    return {
        "name": f"{name}_{observed.name}",
        "pixel_scale": float(survey.pixel_scale.to_value(u.arcsec)),
        "zeropoint": float(observed.zeropoint.value),
        "gain": exposure,
        "sky_noise": float(np.sqrt(mean_sky_level(survey, observed).value)) / exposure,
        "psf": _psf_numbers(survey, observed, fwhm),
        "fwhm": fwhm,
    }


def _find(name, band):
    """Find survey and filter of ``surveycodex``."""
    import surveycodex

    if name not in surveycodex.available_surveys:
        known = ", ".join(sorted(surveycodex.available_surveys))
        msg = f"name={name!r} is not a survey of surveycodex: {known}"
        raise ValueError(msg)
    survey = surveycodex.get_survey(name)
    bands = survey.available_filters
    if band is None and len(bands) == 1:
        band = bands[0]
    if band not in bands:
        msg = f"band={band!r} must be one of {', '.join(bands)} for {name}"
        raise ValueError(msg)
    return survey, survey.get_filter(band)


def _psf_numbers(survey, observed, fwhm):
    """Describe the PSF: Kolmogorov on the ground (with an airmass), obscured Airy in space."""
    if survey.zeropoint_airmass > 0:
        return {"family": "kolmogorov", "fwhm": fwhm}
    # surveycodex gives the obscured fraction of the area; the linear one is its root.
    obscuration = float(np.sqrt(survey.obscuration))
    wavelength = observed.effective_wavelength.to_value(u.m)
    diffraction = np.degrees(wavelength / survey.mirror_diameter.to_value(u.m)) * 3600
    airy = airy_fwhm(obscuration) * float(diffraction)
    jitter = float(np.sqrt(max(fwhm**2 - airy**2, 0))) / 2.3548
    return {"family": "airy", "fwhm": airy, "jitter": jitter, "obscuration": obscuration}


def airy_fwhm(obscuration):
    """Compute the FWHM of the diffraction pattern of an obscured aperture, in lambda / D.

    Parameters
    ----------
    obscuration : float
        Diameter of the central obstruction, in units of the diameter of the aperture.

    Returns
    -------
    float
        FWHM, 1.029 for an open aperture.
    """

    def amplitude(x):
        # of an annulus, relative to the center (Born & Wolf, section 8.6.2)
        inner = obscuration * j1(obscuration * x)
        return 2 * (j1(x) - inner) / x / (1 - obscuration**2)

    half = brentq(lambda x: amplitude(x) ** 2 - 0.5, 0.5, 2.5)
    return 2 * half / np.pi
