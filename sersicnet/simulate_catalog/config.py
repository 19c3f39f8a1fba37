"""What a simulated survey looks like: instrument, PSF, noise and priors."""

from dataclasses import asdict, dataclass, field, replace

import numpy as np

from sersicnet.parameters import PARAMETERS, Prior
from sersicnet.preprocessing.units import check_unit
from sersicnet.simulate_catalog.surveys import survey_numbers

__all__ = ["PSFModel", "SimulationConfig"]

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
        one between them. Not used with ``'image'``.
    jitter : float or (float, float)
        Standard deviation in arcsec of a Gaussian that broadens the PSF further
        (pointing jitter, charge diffusion, drizzling); drawn likewise. Not used with ``'image'``.
    beta : float
        Exponent of the Moffat profile, above 1.
    truncation : float
        Radius in arcsec where the Moffat profile ends; 0 for never.
    obscuration : float
        Linear central obscuration of the Airy pattern, 0 to below 1.
    image : tuple of tuple of float, optional
        The stamp of ``'image'``, sampled at the pixel scale of the survey.
    size : int
        Pixels on a side of the PSF stamp that cutouts carry; with ``'image'``, they carry that.

    Raises
    ------
    ValueError
        If a number is out of range, or there is an image without family ``'image'`` or
        the other way round.
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
            object.__setattr__(self, "image", _image_rows(self.image))
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


def _image_rows(image):
    """An image as tuples, which can be compared and hashed."""
    image = np.asarray(image, dtype=float)
    if image.ndim != 2 or not np.isfinite(image).all() or image.sum() <= 0:
        msg = f"image of shape {image.shape} must be a finite 2-D stamp of positive sum"
        raise ValueError(msg)
    return tuple(map(tuple, image.tolist()))


def _value_or_range(name, value, lowest):
    """One number, or a tuple of two in order."""
    numbers = tuple(np.atleast_1d(value).astype(float).tolist())
    low, high = numbers[0], numbers[-1]
    if len(numbers) > 2 or not lowest <= low <= high < np.inf:
        msg = f"{name}={value} must be positive arcsec, or two of them in order"
        raise ValueError(msg)
    return numbers if np.ndim(value) else low


def _candels_priors():
    return {
        "mag": Prior(18.0, 24.0),
        "r_eff": Prior(0.1, 1.5, log=True),
        "n": Prior(0.5, 6.0),
        "q": Prior(0.2, 1.0),
        "theta": Prior(-90.0, 90.0),
    }


_TINY = np.finfo(float).tiny
_LOWEST = {  # values of numbers in SimulationConfig
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
    """A float, finite where it is not the gain."""
    number, lowest = float(value), _LOWEST[name]
    if not number >= lowest or (np.isinf(number) and name != "gain"):
        needed = "finite" if lowest < 0 else "positive" if lowest > 0 else "zero or positive"
        msg = f"{name}={value} must be {needed}"
        raise ValueError(msg)
    return number


def _size_range(sizes):
    pair = tuple(sizes) if np.iterable(sizes) else (sizes,)
    integers = all(isinstance(size, _INTEGER) for size in pair)
    if len(pair) != 2 or not integers or not 1 <= pair[0] <= pair[1]:
        msg = f"stamp_size={sizes} must be two positive integers in order"
        raise ValueError(msg)
    return int(pair[0]), int(pair[1])


def _check_prior(name, prior):
    """Refuse a prior that reaches beyond what GalSim can draw."""
    if not isinstance(prior, Prior):
        msg = f"the prior of {name}, {prior!r}, must be a Prior"
        raise TypeError(msg)
    limits = PARAMETERS.get(name)
    if limits and not limits.lower <= prior.lower <= prior.upper <= limits.upper:
        msg = (
            f"the prior of {name}, from {prior.lower} to {prior.upper}, must be within "
            f"{limits.lower} to {limits.upper}"
        )
        raise ValueError(msg)


@dataclass(frozen=True)
class SimulationConfig:
    """Everything that a simulation needs besides the seed.

    The defaults are those of ``candels_f160w``.

    Parameters
    ----------
    name : str
        For the records.
    pixel_scale : float
        Arcsec per pixel.
    zeropoint : float
        AB magnitude of a flux of 1 ``unit``.
    unit : str
        Unit of the images: counts, or a flux density of this zero point.
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
    n_neighbors : float
        Mean number of neighbors in a cutout (Poisson).
    neighbor_mag : `~sersicnet.parameters.Prior`
        Magnitude of a neighbor less that of the galaxy. Pixels in which a
        neighbor outshines both galaxy and noise are masked in the cutout.
    folding_threshold : float
        GalSim's accuracy: the share of the light that may be folded back into the
        image by its discrete Fourier transform. GalSim's default, 5e-3, costs 45 ms a galaxy
        of ``candels_f160w``. Ten times stricter costs four times as much, and differs by at most
        4e-4 of the peak, 0.2 % of the flux and 0.15 sigma in any pixel.

    Raises
    ------
    TypeError
        If ``psf`` is not a `PSFModel` or a prior is not a `~sersicnet.parameters.Prior`.
    ValueError
        If a number is out of range, or ``unit`` is no flux of this zero point.
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
            _check_prior(name, prior)
        if not isinstance(self.psf, PSFModel):
            msg = f"psf={self.psf!r} must be a PSFModel"
            raise TypeError(msg)
        object.__setattr__(self, "unit", check_unit(self.unit, self.zeropoint).to_string())

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
        return cls(
            **{
                **values,
                "psf": PSFModel(**values["psf"]),
                "priors": {name: Prior(**prior) for name, prior in values["priors"].items()},
                "neighbor_mag": Prior(**values["neighbor_mag"]),
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
        2.4 m telescope at 814 nm (obscuration 0.33), broadened by jitter until half of the
        light of its stamp is within 2.5 pixels, as in TinyTim's ACS PSFs (0.81 within 4.5, where
        they have 0.79). Sky noise 0.0026 counts/s in a pixel, neighbors correlated by
        0.48: both measured in the borders of real cutouts. ``folding_threshold`` is
        four times GalSim's, for speed: see :ref:`simulation-accuracy`.
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
        PSFs are Kolmogorov; from space they are diffraction patterns, broadened to
        the listed width where they are narrower. Magnitudes span six below that of a S/N of 10 in
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
        numbers = survey_numbers(name, band)
        scale, fwhm = numbers["pixel_scale"], numbers.pop("fwhm")
        noise = numbers["sky_noise"] * np.sqrt(np.pi) * fwhm / scale
        faintest = round(float(numbers["zeropoint"] - 2.5 * np.log10(10 * noise)), 2)
        priors = {
            "mag": Prior(faintest - 6, faintest),
            "r_eff": Prior(0.5 * fwhm, 25 * scale, log=True),
        }
        return cls(
            **numbers | {"psf": PSFModel(**numbers["psf"]), "priors": _candels_priors() | priors}
        )
