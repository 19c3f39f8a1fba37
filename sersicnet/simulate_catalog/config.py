"""Configuration of a simulated survey: instrument, PSF, noise and priors."""

from dataclasses import asdict, dataclass, field, replace

import numpy as np

from sersicnet.parameters import PARAMETERS, Prior
from sersicnet.preprocessing.zeropoints import check_unit
from sersicnet.simulate_catalog.surveys import survey_numbers

__all__ = ["PSFModel", "SimulationConfig"]

# Families of simulated surveys; those of the universal training are in training/psf_families.py.
PSF_FAMILIES = ("moffat", "gaussian", "kolmogorov", "airy", "image")
_INTEGER = (int, np.integer)


@dataclass(frozen=True)
class PSFModel:
    """A family of PSFs.

    Parameters
    ----------
    family : {'moffat', 'gaussian', 'kolmogorov', 'airy', 'image'}
        Shape of the PSF before the pixel; ``'image'`` is a star-like stamp that includes it.
    fwhm : float or (float, float)
        Full width at half maximum in arcsec; of two numbers, each galaxy draws
        a value between them. Not used with ``'image'``.
    jitter : float or (float, float)
        Standard deviation in arcsec of a Gaussian that broadens the PSF further
        (pointing jitter, charge diffusion, drizzling); of two numbers, each galaxy draws a value
        between them. Not used with ``'image'``.
    beta : float
        Exponent of the Moffat profile, above 1.
    truncation : float
        Radius in arcsec where the Moffat profile ends; 0 for a profile without end.
    obscuration : float
        Linear central obscuration of the Airy pattern, at least 0 and below 1.
    image : tuple of tuple of float, optional
        The stamp of ``'image'``, sampled at the pixel scale of the survey.
    size : int
        Pixels on a side of the PSF stamp of each cutout; with ``'image'``, the stamp is ``image``.

    Raises
    ------
    ValueError
        If a number is out of range, or ``image`` is given for another family than ``'image'``,
        or missing for that.

    Examples
    --------
    >>> from sersicnet.simulate_catalog import PSFModel
    >>> PSFModel("gaussian", fwhm=0.7).family
    'gaussian'
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
        if (self.family == "image") != (self.image is not None):
            msg = f"family={self.family!r} must come with image= if, and only if, it is 'image'"
            raise ValueError(msg)
        if self.image is not None:
            image = np.asarray(self.image, dtype=float)
            if image.ndim != 2 or not np.isfinite(image).all() or image.sum() <= 0:
                msg = f"image of shape {image.shape} must be a finite 2-D stamp of positive sum"
                raise ValueError(msg)
            # tuples can be compared and hashed
            object.__setattr__(self, "image", tuple(map(tuple, image.tolist())))
        for name, lowest in (("fwhm", 1e-6), ("jitter", 0.0)):
            object.__setattr__(self, name, _value_or_range(name, getattr(self, name), lowest))
        for name, valid, needed in (
            ("beta", 1 < self.beta < np.inf, "above 1"),
            ("truncation", 0 <= self.truncation < np.inf, "a radius in arcsec, or 0"),
            ("obscuration", 0 <= self.obscuration < 1, "in [0, 1)"),
            ("size", isinstance(self.size, _INTEGER) and self.size > 0, "a positive integer"),
        ):
            if not valid:
                msg = f"{name}={getattr(self, name)} must be {needed}"
                raise ValueError(msg)


def _value_or_range(name, value, lowest):
    """Check one number, or two numbers in order."""
    numbers = tuple(np.atleast_1d(value).astype(float).tolist())
    low = numbers[0]
    high = numbers[-1]
    if len(numbers) > 2 or not lowest <= low <= high < np.inf:
        msg = f"{name}={value} must be positive arcsec, or two of them in order"
        raise ValueError(msg)
    if np.ndim(value):
        return numbers
    return low


def _candels_priors():
    return {
        "mag": Prior(18.0, 24.0),
        "r_eff": Prior(0.1, 1.5, log=True),
        "n": Prior(0.5, 6.0),
        "q": Prior(0.2, 1.0),
        "theta": Prior(-90.0, 90.0),
    }


_TINY = np.finfo(float).tiny
# Smallest values of the numbers in SimulationConfig.
_LOWEST = {
    "pixel_scale": _TINY,
    "zeropoint": -np.inf,
    "gain": _TINY,
    "sky_noise": _TINY,
    "noise_correlation": 0,
    "center_jitter": 0,
    "n_neighbors": 0,
    "folding_threshold": _TINY,
}


def _number(name, value):
    """Check a number, which must be finite except for the gain."""
    number = float(value)
    lowest = _LOWEST[name]
    if not number >= lowest or (np.isinf(number) and name != "gain"):
        needed = "zero or positive"
        if lowest < 0:
            needed = "finite"
        elif lowest > 0:
            needed = "positive"
        msg = f"{name}={value} must be {needed}"
        raise ValueError(msg)
    return number


def _size_range(sizes):
    pair = (sizes,)
    if np.iterable(sizes):
        pair = tuple(sizes)
    integers = all(isinstance(size, _INTEGER) for size in pair)
    if len(pair) != 2 or not integers or not 1 <= pair[0] <= pair[1]:
        msg = f"stamp_size={sizes} must be two positive integers in order"
        raise ValueError(msg)
    return int(pair[0]), int(pair[1])


@dataclass(frozen=True)
class SimulationConfig:
    """Configuration of a simulation: everything that it needs besides the seed.

    The defaults are those of ``candels_f160w``.

    Parameters
    ----------
    name : str
        Name of the configuration.
    pixel_scale : float
        Arcsec per pixel.
    zeropoint : float
        AB magnitude of a flux of 1 ``unit``.
    unit : str
        Unit of the images: counts, or a flux density with this zero point.
    gain : float
        Photo-electrons per ``unit`` (the exposure time, for electron/s); infinite for
        images without Poisson noise of the galaxy.
    sky_noise : float
        Standard deviation of the background in a pixel, in ``unit``.
    noise_correlation : float
        Standard deviation in pixels of the Gaussian kernel that correlates
        the noise of drizzled images; 0 for white noise. The noise map gives the noise of one
        pixel, with or without correlation.
    psf : PSFModel
        The PSF.
    priors : dict of str to `~sersicnet.parameters.Prior`
        Priors of ``mag`` (AB), ``r_eff`` (arcsec, major axis), ``n``, ``q``, ``theta`` (deg).
    stamp_size : (int, int)
        Smallest and largest side of the square cutouts, drawn uniformly.
    center_jitter : float
        Largest distance of the galaxy from the middle of its cutout, in x and in y, in pixels.
    n_neighbors : float
        Mean number of neighbors in a cutout (Poisson).
    neighbor_mag : `~sersicnet.parameters.Prior`
        Prior of the magnitude of a neighbor minus that of the galaxy. Pixels in which neighbors
        are brighter than both galaxy and noise are masked in the cutout.
    folding_threshold : float
        GalSim's accuracy: the fraction of the light that its discrete Fourier transform may
        fold back into the image. GalSim's default, 5e-3, costs 45 ms per galaxy
        of ``candels_f160w``. A value ten times smaller costs four times as much, and differs by at
        most 4e-4 of the peak, 0.2 % of the flux and 0.15 sigma in any pixel.

    Raises
    ------
    TypeError
        If ``psf`` is not a `PSFModel` or a prior is not a `~sersicnet.parameters.Prior`.
    ValueError
        If a number is out of range, or ``unit`` is not a flux with this zero point.

    Examples
    --------
    >>> from sersicnet.parameters import Prior
    >>> from sersicnet.simulate_catalog import SimulationConfig
    >>> config = SimulationConfig.candels_f160w()
    >>> bright = config.replace(priors={"mag": Prior(18, 20)})
    >>> bright.priors["mag"].upper
    20
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
    n_neighbors: float = 0.0
    neighbor_mag: Prior = Prior(0.0, 3.0)
    folding_threshold: float = 5e-3

    def __post_init__(self):
        for name in _LOWEST:
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        object.__setattr__(self, "stamp_size", _size_range(self.stamp_size))
        if set(self.priors) != set(_candels_priors()):
            msg = f"priors={sorted(self.priors)} must be given for {', '.join(_candels_priors())}"
            raise ValueError(msg)
        for name, prior in (*self.priors.items(), ("neighbor_mag", self.neighbor_mag)):
            if not isinstance(prior, Prior):
                msg = f"the prior of {name}, {prior!r}, must be a Prior"
                raise TypeError(msg)
            limits = PARAMETERS.get(name)  # beyond which GalSim cannot draw
            if limits and not limits.lower <= prior.lower <= prior.upper <= limits.upper:
                msg = (
                    f"the prior of {name}, from {prior.lower} to {prior.upper}, must be within "
                    f"{limits.lower} to {limits.upper}"
                )
                raise ValueError(msg)
        if not isinstance(self.psf, PSFModel):
            msg = f"psf={self.psf!r} must be a PSFModel"
            raise TypeError(msg)
        object.__setattr__(self, "unit", check_unit(self.unit, self.zeropoint).to_string())

    def replace(self, **changes):
        """Copy the configuration with some fields changed; ``priors`` are merged."""
        if "priors" in changes:
            changes["priors"] = {**self.priors, **changes["priors"]}
        return replace(self, **changes)

    def to_dict(self):
        """Convert the configuration to plain numbers and strings, for metadata."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """Make a configuration from the result of `to_dict`, also after JSON."""
        values = dict(values)
        values["psf"] = PSFModel(**values["psf"])
        values["priors"] = {name: Prior(**prior) for name, prior in values["priors"].items()}
        values["neighbor_mag"] = Prior(**values["neighbor_mag"])
        values["stamp_size"] = tuple(values["stamp_size"])
        return cls(**values)

    def noise_kernel(self):
        """Make the kernel that correlates white noise.

        Returns
        -------
        (K, K) `~numpy.ndarray`
            Kernel whose squares sum to 1.
        """
        if self.noise_correlation == 0:
            return np.ones((1, 1))
        half = int(np.ceil(4 * self.noise_correlation))
        profile = np.exp(-0.5 * (np.arange(-half, half + 1) / self.noise_correlation) ** 2)
        kernel = np.outer(profile, profile)
        return kernel / np.sqrt((kernel**2).sum())

    @classmethod
    def candels_f160w(cls):
        """Configure HST/WFC3 F160W at the depth of CANDELS.

        Drizzled scale 0.06 arcsec and zero point 25.946 after Koekemoer et al. (2011,
        ApJS 197, 36); the PSF is a Moffat profile of FWHM 0.18 arcsec and beta 3;
        3200 s of exposure, and a sky noise at which a galaxy of 24 mag and
        r_eff = 0.3 arcsec reaches a S/N of 12.5 within r_eff.
        """
        return cls()

    @classmethod
    def cosmos_f814w(cls):
        """Configure HST/ACS F814W, the single orbits of COSMOS.

        Drizzled to 0.03 arcsec with 2028 s of exposure (Koekemoer et al. 2007, ApJS 172,
        196), zero point 25.94 for counts/s. The PSF is the diffraction pattern of the
        2.4 m telescope at 814 nm (obscuration 0.33), broadened by jitter until half of the
        light of its stamp is within 2.5 pixels, as in TinyTim's ACS PSFs (0.81 within 4.5, where
        they have 0.79). The sky noise is 0.0026 counts/s in a pixel, and that of adjacent pixels
        is correlated by 0.48: both were measured in the borders of real cutouts.
        ``folding_threshold`` is four times GalSim's, for speed: see :ref:`simulation-accuracy`.
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
        """Configure a survey and band of the package ``surveycodex``.

        The package gives pixel scale, zero point, exposure time, sky brightness, PSF width, mirror
        and obscuration. The noise is that of the sky's photons. Ground-based
        PSFs are Kolmogorov; those from space are diffraction patterns, broadened to
        the listed width where they are narrower. Magnitudes end at a S/N of 10 in a circle with
        the PSF's FWHM as radius, and begin six magnitudes brighter; ``r_eff`` is between half that
        width and 25 pixels.

        Parameters
        ----------
        name : str
            Name of the survey in ``surveycodex.available_surveys``, e.g. ``'Euclid_VIS'``,
            ``'LSST'``.
        band : str, optional
            Name of the band, not needed where the survey has only one.

        Raises
        ------
        ValueError
            If survey or band is unknown, or the band is missing.
        """
        numbers = survey_numbers(name, band)
        scale = numbers["pixel_scale"]
        fwhm = numbers.pop("fwhm")
        noise = numbers["sky_noise"] * np.sqrt(np.pi) * fwhm / scale
        faintest = round(float(numbers["zeropoint"] - 2.5 * np.log10(10 * noise)), 2)
        priors = {
            "mag": Prior(faintest - 6, faintest),
            "r_eff": Prior(0.5 * fwhm, 25 * scale, log=True),
        }
        numbers["psf"] = PSFModel(**numbers["psf"])
        numbers["priors"] = _candels_priors() | priors
        return cls(**numbers)
