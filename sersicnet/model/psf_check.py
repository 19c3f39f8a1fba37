"""What is wrong with the stamp of a point spread function, in numbers and in words."""

import warnings
from dataclasses import dataclass, replace

import numpy as np

from sersicnet.model.psf_arguments import arcsec_of, pixels_of
from sersicnet.model.psf_models import plain_psf
from sersicnet.model.psf_shape import (
    border_level,
    half_width,
    is_at_edge,
    n_peaks,
    negative_light,
    noise_level,
    pedestal_level,
    sharpness_width,
    star_offset,
    width_of_image,
)
from sersicnet.model.psf_stamp import check_oversampling, unit_stamp

__all__ = ["PSFCheck", "check_psf", "usable_psf", "warn_of_psfs"]

# Distance of a star from the middle of its stamp, in pixels of the data, that is corrected:
# asymmetric PSFs of surveys are within 0.07 pixel of it.
OFF_CENTER = 0.1
# Side below which a stamp has too few pixels to tell whether it is a star.
_SMALL = 3
# A border brighter than this share of the peak is not that of a star.
_FLAT = 0.5
# Lowest S/N of the brightest pixel: that of pure noise is about 4. Below the second, it is a doubt.
_NOISE = 8.0
_NOISY = 30.0
# Largest share of the light that negative rings may take away. Above the second, it is a doubt.
_NEGATIVE = 0.25
_SLIGHTLY_NEGATIVE = 0.2
# Peaks that are no star any more.
_MANY_PEAKS = 4
# A constant level is a doubt above this share of the peak in a pixel and of the light in total.
_PEDESTAL = 5e-4
_PEDESTAL_LIGHT = 0.02
# A stamp with more of its light than this in a constant level is one of the sky.
_SKY = 0.8
# Sums that may be shares of the light: the largest leaves room for noise, a smaller one than the
# smallest is a doubt.
_LARGEST_SHARE = 1.1
_SMALLEST_SHARE = 0.4
# FWHM in pixels of the data of the sharpest images, with the response of the pixel: 0.9 in those
# of JWST and Roman at their shortest wavelengths; a point in the middle of one pixel is 0.66.
_SHARPEST = 0.85
# A source this much narrower than its PSF shows that the PSF has another pixel scale.
_NARROW = 0.7


@dataclass(frozen=True)
class PSFCheck:
    """The properties of a PSF stamp, as `check_psf` finds them.

    Attributes
    ----------
    fwhm : float
        FWHM in pixels of the data, of the Gaussian that is as sharp as the stamp.
    sampling : float
        The same in pixels of the stamp.
    light : float
        Sum of the stamp: with ``normalize_psf=False``, the share of the light that it holds.
    offset : (float, float)
        Distance (x, y) of the star from the middle of its stamp, in pixels of the data.
    border : float
        Median of the pixels at the border of the stamp, as a fraction of the peak.
    pedestal : float
        Constant level that the fall-off of the profile does not explain, as a fraction of the peak.
    pedestal_light : float
        Share of the light of the stamp that is in this level.
    negative : float
        Light that negative rings around the star take away, as a share of that of the others.
    n_peaks : int
        Number of separate regions above 30 % of the peak.
    signal_to_noise : float
        Brightest pixel over the noise of a pixel.
    faults : tuple of str
        Reasons why the stamp cannot be used; empty for a usable one.
    doubts : tuple of str
        Reasons to distrust it.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet import check_psf
    >>> y, x = np.mgrid[-12:13, -12:13]
    >>> check = check_psf(np.exp(-((x - 1) ** 2 + y**2) / 8))
    >>> check.is_star, check.is_off_center, round(check.fwhm, 2)
    (True, True, 4.71)
    """

    fwhm: float
    sampling: float
    light: float
    offset: tuple = (0.0, 0.0)
    border: float = 0.0
    pedestal: float = 0.0
    pedestal_light: float = 0.0
    negative: float = 0.0
    n_peaks: int = 1
    signal_to_noise: float = np.inf
    faults: tuple = ()
    doubts: tuple = ()

    @property
    def is_star(self):
        """Whether the stamp can be used."""
        return not self.faults

    @property
    def is_off_center(self):
        """Whether the star is more than 0.1 pixel of the data off the middle of its stamp."""
        return bool(np.hypot(*self.offset) > OFF_CENTER)

    @property
    def off_center(self):
        """The distance from the middle in words."""
        distance = np.hypot(*self.offset)
        x, y = (round(part, 2) + 0.0 for part in self.offset)  # no negative zero
        return (
            f"the star is {distance:.2f} pixels of the data off the middle of its stamp "
            f"(x {x:+.2f}, y {y:+.2f})"
        )

    @property
    def messages(self):
        """What is wrong, in words: a tuple of str."""
        if self.is_star and self.is_off_center:
            return (self.off_center, *self.doubts)
        return self.faults + self.doubts


def check_psf(psf, *, oversampling=None, cutout=None, pixel_scale=None):
    """Describe a PSF stamp, and what is wrong with it.

    Parameters
    ----------
    psf : (K, L) array_like, `~astropy.nddata.CCDData` or photutils model
        Star-like stamp, with the response of the pixel. `sersicnet.io.read_psf` reads it with what
        its header says of its pixels.
    oversampling : int, optional
        PSF pixels per pixel of the data on a side; by default what the PSF says, else 1.
    cutout : `~astropy.nddata.NDData` or 2-D array_like, optional
        Cutout with a bright galaxy or star in its middle. One that is narrower than the PSF shows
        that the PSF is of another pixel scale. Masked pixels do not count.
    pixel_scale : float or `~astropy.units.Quantity`, optional
        Arcsec per pixel of the data, with which that of the PSF is compared.

    Returns
    -------
    PSFCheck
        For a stamp that cannot be used, ``faults`` says why, and what cannot be measured is NaN.

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If ``oversampling`` is not an integer from 1 to 16, ``pixel_scale`` not a positive number or
        angle, or ``cutout`` not a 2-D image.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet import check_psf
    >>> y, x = np.mgrid[-12:13, -12:13]
    >>> star = np.exp(-(x**2 + y**2) / 8)
    >>> check_psf(star).messages
    ()
    >>> check_psf(np.roll(star, 1, axis=1)).messages
    ('the star is 1.00 pixels of the data off the middle of its stamp (x +1.00, y +0.00)',)
    >>> check_psf(star + 0.002).doubts[0][:51]
    'a constant level of 0.2 % of the peak in each pixel'
    >>> check_psf(np.ones((9, 9))).faults
    ('is flat: its border is at 100 % of its peak',)
    """
    from sersicnet.io.psf_sampling import find_oversampling, sampling_of, split_psf

    if oversampling is not None:
        check_oversampling(oversampling)
    if pixel_scale is not None:
        pixel_scale = arcsec_of(pixel_scale)
    if cutout is not None:
        cutout = pixels_of(cutout)
    try:
        oversampling, doubt = find_oversampling(sampling_of(psf), oversampling, pixel_scale)
        psf, oversampling = plain_psf(split_psf(psf)[0], oversampling)
        stamp = unit_stamp(psf)
    except (TypeError, ValueError) as error:
        unknown = dict.fromkeys(("fwhm", "sampling", "light", "border", "pedestal"), np.nan)
        fault = str(error).removeprefix("psf").lstrip(": ")
        return PSFCheck(**unknown, faults=(fault,))
    check = _describe(stamp, oversampling, light=float(np.asarray(psf, dtype=float).sum()))
    if doubt is not None:
        check = replace(check, doubts=(doubt, *check.doubts))
    if cutout is not None:
        widths = width_of_image(cutout), half_width(stamp) / oversampling
        check = replace(check, doubts=check.doubts + _compare(*widths))
    return check


def usable_psf(psf, *, oversampling=1, normalize=True):
    """Return a PSF stamp of unit sum and its check, or raise.

    Parameters
    ----------
    psf : (K, L) array_like
        Star-like stamp.
    oversampling : int, optional
        PSF pixels per pixel of the data on a side.
    normalize : bool, optional
        Whether it is taken to hold all the light; otherwise its sum is the share that it holds.

    Returns
    -------
    stamp : (K, L) `~numpy.ndarray`
        PSF stamp of unit sum.
    check : PSFCheck
        Its properties.

    Raises
    ------
    TypeError, ValueError
        If it cannot be the image of a star.

    Examples
    --------
    >>> from sersicnet.model import usable_psf
    >>> stamp, check = usable_psf([[0, 1, 0], [1, 4, 1], [0, 1, 0]])
    >>> check.messages
    ()
    """
    stamp = unit_stamp(psf)
    check = _describe(stamp, oversampling, light=float(np.asarray(psf, dtype=float).sum()))
    if not check.is_star:
        msg = f"psf {'; it '.join(check.faults)} (sersicnet.check_psf describes it)"
        raise ValueError(msg)
    if not normalize and check.light > _LARGEST_SHARE:
        msg = (
            f"psf has the sum {check.light:.4g}, which normalize_psf=False takes as its share of "
            "the light: it must be 1 at most (photutils' PSFs: divide by oversampling**2)"
        )
        raise ValueError(msg)
    if not normalize and check.light < _SMALLEST_SHARE:
        doubt = f"its sum, {check.light:.2g}, is a small share of the light (normalize_psf=False)"
        check = replace(check, doubts=(*check.doubts, doubt))
    return stamp, check


def warn_of_psfs(checks, *, recenter, stacklevel):
    """Warn of doubtful PSFs, in one warning for all of them.

    Parameters
    ----------
    checks : list of PSFCheck
        Properties of different PSFs.
    recenter : bool
        Whether stars that are off the middle of their stamp were moved there.
    stacklevel : int
        As in `warnings.warn`, counted from the caller of this function.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there is a doubt about one of them.
    """
    texts = []
    for check in checks:
        doubts = check.doubts
        if recenter and check.is_off_center:
            moved = f"{check.off_center}; it was moved there (recenter_psf=False leaves it)"
            doubts = (moved, *doubts)
        if doubts:
            texts.append("; ".join(doubts))
    if not texts:
        return
    from astropy.utils.exceptions import AstropyUserWarning  # a machine that only trains lacks it

    different = list(dict.fromkeys(texts))
    msg = f"psf: {different[0]}"
    if len(different) > 1:
        msg = f"{len(different)} PSFs are doubtful; the first: {different[0]}"
    warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)


def _describe(stamp, oversampling, *, light):
    """The check of a stamp of unit sum."""
    width = float(sharpness_width(stamp))
    found = {"fwhm": width / oversampling, "sampling": width, "light": light}
    if min(stamp.shape) < _SMALL:
        return PSFCheck(**found, doubts=_too_sharp(found["fwhm"], oversampling))
    peak = float(stamp.max())
    offset = star_offset(stamp)
    noise = noise_level(stamp)
    border = border_level(stamp)
    level = 0.0
    if abs(border) > _PEDESTAL:
        level = pedestal_level(stamp, offset, width=half_width(stamp), noise=noise)
    check = PSFCheck(
        **found,
        offset=tuple((offset / oversampling).tolist()),
        border=border,
        pedestal=level / peak,
        pedestal_light=level * stamp.size,
        negative=negative_light(stamp, offset, level=min(level, 0.0), noise=noise),
        n_peaks=n_peaks(stamp),
        signal_to_noise=peak / noise if noise > 0 else np.inf,
    )
    is_cut = is_at_edge(stamp, offset, half_width(stamp))
    doubts = _doubts(check) + _too_sharp(check.fwhm, oversampling)
    return replace(check, faults=_faults(check, is_cut=is_cut), doubts=doubts)


def _faults(check, *, is_cut):
    """Why a stamp cannot be that of a star."""
    faults = []
    if check.border > _FLAT:
        faults.append(f"is flat: its border is at {100 * check.border:.0f} % of its peak")
    elif check.signal_to_noise < _NOISE:
        faults.append(f"is noise: its peak is {check.signal_to_noise:.1f} times its noise")
    elif is_cut:
        faults.append("has its star at the edge: it must be in the middle (numpy.fft.fftshift)")
    elif check.n_peaks >= _MANY_PEAKS:
        faults.append(f"has {check.n_peaks} peaks: one star alone is needed")
    if abs(check.pedestal_light) > _SKY:
        faults.append(f"is a constant level for {100 * check.pedestal_light:.0f} % of its light")
    if check.negative > _NEGATIVE:
        faults.append(f"has negative rings of {100 * check.negative:.0f} % of its light")
    return tuple(faults)


def _doubts(check):
    """Why a star is not a good one."""
    doubts = []
    if abs(check.pedestal) > _PEDESTAL and abs(check.pedestal_light) > _PEDESTAL_LIGHT:
        doubts.append(
            f"a constant level of {100 * check.pedestal:.1g} % of the peak in each pixel holds "
            f"{100 * check.pedestal_light:.0f} % of the light: subtract the sky around the star"
        )
    if check.n_peaks > 1:
        doubts.append(f"the stamp has {check.n_peaks} peaks: one star alone is needed")
    if check.signal_to_noise < _NOISY:
        doubts.append(f"the peak is only {check.signal_to_noise:.0f} times the noise of a pixel")
    if check.negative > _SLIGHTLY_NEGATIVE:
        doubts.append(f"negative rings take away {100 * check.negative:.0f} % of the light")
    return tuple(doubts)


def _too_sharp(fwhm, oversampling):
    """Why a PSF cannot be that of an image, at its oversampling."""
    if fwhm >= _SHARPEST:
        return ()
    doubt = f"its FWHM is {fwhm:.2f} pixels of the data, sharper than any image of a telescope"
    if oversampling > 1:
        doubt += f": is it oversampled by {oversampling}?"
    return (doubt,)


def _compare(source, psf):
    """What the widths of a source and of its PSF, in pixels of the data, say about the PSF."""
    if not source < _NARROW * psf:
        return ()
    return (
        f"the source in the cutout is narrower ({source:.1f} pixels) than the PSF ({psf:.1f}): a "
        "PSF on finer pixels needs its oversampling",
    )
