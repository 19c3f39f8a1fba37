"""What a simulated survey looks like: instrument, PSF, noise and priors."""

from dataclasses import asdict, dataclass, field, replace

import astropy.units as u
import numpy as np
from scipy.optimize import brentq
from scipy.special import j1

from sersicnet.parameters import Prior

__all__ = ["PSFModel", "SimulationConfig"]

PSF_FAMILIES = ("moffat", "gaussian", "kolmogorov", "airy", "image")


@dataclass(frozen=True)
class PSFModel:
    """A family of PSFs.

    Parameters
    ----------
    family : {'moffat', 'gaussian', 'kolmogorov', 'airy', 'image'}
        Shape of the PSF before the pixel; ``'image'`` is a star-like stamp that includes it.
    fwhm : float or (float, float)
        Full width at half maximum in arcsec; of two numbers, each galaxy draws
        one between them. Not used with ``'image'``.
    jitter : float or (float, float)
        Standard deviation in arcsec of a Gaussian that broadens the PSF further
        (pointing jitter, charge diffusion, drizzling); drawn likewise.
    beta : float
        Exponent of the Moffat profile.
    truncation : float
        Radius in arcsec where the Moffat profile ends; 0 for never.
    obscuration : float
        Linear central obscuration of the Airy pattern, 0 to below 1.
    image : tuple of tuple of float, optional
        The stamp of ``'image'``, sampled at the pixel scale of the survey.
    size : int
        Pixels on a side of the PSF stamp that cutouts carry.
    """

    family: str = "moffat"
    fwhm: float | tuple[float, float] = 0.18
    jitter: float | tuple[float, float] = 0.0
    beta: float = 3.0
    truncation: float = 0.0
    obscuration: float = 0.0
    image: tuple | None = None
    size: int = 41

    def __post_init__(self):
        if self.family not in PSF_FAMILIES:
            msg = f"family={self.family!r} must be one of {', '.join(PSF_FAMILIES)}"
            raise ValueError(msg)
        if self.family == "image":
            image = np.asarray(self.image, dtype=float)
            if image.ndim != 2 or not np.isfinite(image).all() or image.sum() <= 0:
                msg = "family='image' needs image=, a finite 2-D stamp of positive sum"
                raise ValueError(msg)
            object.__setattr__(self, "image", tuple(map(tuple, image.tolist())))
        for name, lowest in (("fwhm", 1e-6), ("jitter", 0.0)):
            value = getattr(self, name)
            low, high = value if np.ndim(value) else (value, value)
            if not lowest <= low <= high < np.inf:
                msg = f"{name}={value} must be positive arcsec, or two of them in order"
                raise ValueError(msg)
        if not 0 <= self.obscuration < 1:
            msg = f"obscuration={self.obscuration} must be in [0, 1)"
            raise ValueError(msg)


def _candels_priors():
    return {
        "mag": Prior(18.0, 24.0),
        "r_eff": Prior(0.1, 1.5, log=True),
        "n": Prior(0.5, 6.0),
        "q": Prior(0.2, 1.0),
        "theta": Prior(-90.0, 90.0),
    }


@dataclass(frozen=True)
class SimulationConfig:
    """Everything that a simulation needs besides the seed.

    The defaults are those of `candels_f160w`.

    Parameters
    ----------
    name : str
        For the records.
    pixel_scale : float
        Arcsec per pixel.
    zeropoint : float
        AB magnitude of a flux of 1 ``unit``.
    unit : str
        Unit of the images.
    gain : float
        Photo-electrons per ``unit`` (the exposure time, for electron/s); infinite for
        images without Poisson noise of the galaxy.
    sky_noise : float
        Standard deviation of the background in a pixel, in ``unit``.
    noise_correlation : float
        Standard deviation in pixels of the Gaussian kernel that correlates
        the noise of drizzled images; 0 for white noise. The noise of one
        pixel stays what the noise map says.
    psf : PSFModel
        The PSF.
    priors : dict of str to `~sersicnet.parameters.Prior`
        For ``mag`` (AB), ``r_eff`` (arcsec, major axis), ``n``, ``q``, ``theta`` (deg).
    stamp_size : (int, int)
        Smallest and largest side of the square cutouts, drawn uniformly.
    center_jitter : float
        Largest distance in x and in y of the galaxy from the middle of its cutout, in pixels.
    n_neighbours : float
        Mean number of neighbours in a cutout (Poisson).
    neighbour_mag : `~sersicnet.parameters.Prior`
        Magnitude of a neighbour less that of the galaxy. Pixels in which a
        neighbour outshines both galaxy and noise are masked in the cutout.
    folding_threshold : float
        GalSim's accuracy: the share of the light that may be folded back into the
        image by its discrete Fourier transform. GalSim's default costs 51 ms a galaxy
        of `candels_f160w` (196 ms ten times stricter, from which it differs by at most 3e-4
        of the peak, 0.2 % of the flux and 0.06 sigma in any pixel).

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    name: str = "candels_f160w"
    pixel_scale: float = 0.06
    zeropoint: float = 25.946
    unit: str = "electron / s"
    gain: float = 3200.0
    sky_noise: float = 0.0270966
    noise_correlation: float = 0.0
    psf: PSFModel = PSFModel(truncation=1.2)
    priors: dict = field(default_factory=_candels_priors)
    stamp_size: tuple[int, int] = (96, 160)
    center_jitter: float = 0.5
    n_neighbours: float = 0.0
    neighbour_mag: Prior = Prior(0.0, 3.0)
    folding_threshold: float = 5e-3

    def __post_init__(self):
        for name in ("pixel_scale", "gain", "sky_noise", "folding_threshold"):
            if not getattr(self, name) > 0:
                msg = f"{name}={getattr(self, name)} must be positive"
                raise ValueError(msg)
        for name in ("noise_correlation", "center_jitter", "n_neighbours"):
            if not 0 <= getattr(self, name) < np.inf:
                msg = f"{name}={getattr(self, name)} must not be negative"
                raise ValueError(msg)
        low, high = self.stamp_size
        if not 1 <= low <= high:
            msg = f"stamp_size={self.stamp_size} must be two positive integers in order"
            raise ValueError(msg)
        if set(self.priors) != set(_candels_priors()):
            msg = f"priors={sorted(self.priors)} must be given for {', '.join(_candels_priors())}"
            raise ValueError(msg)
        u.Unit(self.unit)

    def replace(self, **changes):
        """A copy with some fields changed; ``priors`` are merged."""
        if "priors" in changes:
            changes["priors"] = {**self.priors, **changes["priors"]}
        return replace(self, **changes)

    def to_dict(self):
        """Plain numbers and strings, for metadata; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """The inverse of `to_dict`, also of its JSON."""
        values = dict(values)
        psf = {k: tuple(v) if isinstance(v, list) else v for k, v in values["psf"].items()}
        return cls(
            **{
                **values,
                "psf": PSFModel(**psf),
                "priors": {name: Prior(**prior) for name, prior in values["priors"].items()},
                "neighbour_mag": Prior(**values["neighbour_mag"]),
                "stamp_size": tuple(values["stamp_size"]),
            }
        )

    def noise_kernel(self):
        """The kernel that correlates white noise, of unit sum of squares.

        Returns
        -------
        (K, K) `~numpy.ndarray`
        """
        if self.noise_correlation == 0:
            return np.ones((1, 1))
        half = int(np.ceil(4 * self.noise_correlation))
        profile = np.exp(-0.5 * (np.arange(-half, half + 1) / self.noise_correlation) ** 2)
        kernel = np.outer(profile, profile)
        return kernel / np.sqrt((kernel**2).sum())

    @classmethod
    def candels_f160w(cls):
        """HST/WFC3 F160W at the depth of CANDELS.

        Drizzled scale 0.06 arcsec and zero point 25.946 after Koekemoer et al. (2011,
        ApJS 197, 36); the PSF is a Moffat profile of FWHM 0.18 arcsec and beta 3;
        3200 s of exposure, and a sky noise at which a galaxy of 24 mag and
        r_eff = 0.3 arcsec reaches a S/N of 12.5 within r_eff.
        """
        return cls()

    @classmethod
    def cosmos_f814w(cls):
        """HST/ACS F814W, the single orbits of COSMOS.

        Drizzled to 0.03 arcsec with 2028 s of exposure (Koekemoer et al. 2007, ApJS 172,
        196), zero point 25.94 for counts/s. The PSF is the diffraction pattern of the
        2.4 m telescope at 814 nm (obscuration 0.33), broadened by jitter so that its
        encircled energy is that of TinyTim ACS PSFs (0.51 within 2.5 pixels, 0.81 within
        4.5). Sky noise 0.0026 counts/s in a pixel, neighbours correlated by 0.48: both
        measured in the borders of real cutouts.
        """
        return cls(
            name="cosmos_f814w",
            pixel_scale=0.03,
            zeropoint=25.94,
            unit="ct / s",
            gain=2028.0,
            sky_noise=0.0026,
            noise_correlation=0.62,
            psf=PSFModel("airy", fwhm=0.0675, jitter=(0.037, 0.045), obscuration=0.33),
            priors=_candels_priors()
            | {
                "mag": Prior(19.0, 25.0),
                "r_eff": Prior(0.05, 1.5, log=True),
                "q": Prior(0.1, 1.0),
            },
            stamp_size=(36, 200),
            center_jitter=5.0,
            folding_threshold=2e-2,
        )

    @classmethod
    def from_survey(cls, name, band=None):
        """A survey and band of the package ``surveycodex``.

        Pixel scale, zero point, exposure time, sky brightness, PSF width, mirror and
        obscuration come from there. Noise is that of the sky's photons. Ground-based
        PSFs are Kolmogorov; from space they are diffraction patterns broadened to
        the listed width. Magnitudes span six below that of a S/N of 10 in
        a circle of the PSF's FWHM in radius; ``r_eff`` goes from half that width to 25 pixels.

        Parameters
        ----------
        name : str
            As in ``surveycodex.available_surveys``, e.g. ``'Euclid_VIS'``, ``'LSST'``.
        band : str, optional
            Not needed where the survey has only one.

        Raises
        ------
        ValueError
            If survey or band is unknown, or the band is missing.
        """
        import surveycodex
        from surveycodex.utilities import mean_sky_level

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
        observed = survey.get_filter(band)
        scale = float(survey.pixel_scale.to_value(u.arcsec))
        exposure = float(observed.full_exposure_time.to_value(u.s))
        fwhm = float(observed.psf_fwhm.to_value(u.arcsec))
        sky_noise = float(np.sqrt(mean_sky_level(survey, observed).value)) / exposure
        zeropoint = float(observed.zeropoint.value)
        faintest = zeropoint - 2.5 * np.log10(10 * sky_noise * np.sqrt(np.pi) * fwhm / scale)
        faintest = round(float(faintest), 2)
        return cls(
            name=f"{name}_{band}",
            pixel_scale=scale,
            zeropoint=zeropoint,
            gain=exposure,
            sky_noise=sky_noise,
            psf=_survey_psf(survey, observed, fwhm),
            priors=_candels_priors()
            | {
                "mag": Prior(faintest - 6, faintest),
                "r_eff": Prior(0.5 * fwhm, 25 * scale, log=True),
            },
        )


def _survey_psf(survey, observed, fwhm):
    """Kolmogorov on the ground (where there is an airmass), obscured Airy in space."""
    if survey.zeropoint_airmass > 0:
        return PSFModel("kolmogorov", fwhm=fwhm)
    # surveycodex gives the obscured fraction of the area; the linear one is its root.
    obscuration = float(np.sqrt(survey.obscuration))
    wavelength = observed.effective_wavelength.to_value(u.m)
    diffraction = np.degrees(wavelength / survey.mirror_diameter.to_value(u.m)) * 3600
    airy = airy_fwhm(obscuration) * float(diffraction)
    jitter = float(np.sqrt(max(fwhm**2 - airy**2, 0))) / 2.3548
    return PSFModel("airy", fwhm=airy, jitter=jitter, obscuration=obscuration)


def airy_fwhm(obscuration):
    """FWHM of the diffraction pattern of an obscured aperture, in units of lambda / D.

    Parameters
    ----------
    obscuration : float
        Diameter of the central obstruction in units of that of the aperture.

    Returns
    -------
    float
        1.029 for an open aperture.
    """

    def amplitude(x):  # of an annulus, relative to the centre (Born & Wolf, section 8.6.2)
        inner = obscuration * j1(obscuration * x)
        return 2 * (j1(x) - inner) / x / (1 - obscuration**2)

    half = brentq(lambda x: amplitude(x) ** 2 - 0.5, 0.5, 2.5)
    return 2 * half / np.pi
