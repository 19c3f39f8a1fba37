"""The pixels of a survey image, read window by window from memory or from FITS files."""

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import astropy.units as u
import numpy as np
from astropy.nddata import CCDData, NDData

from sersicnet.io.cards import header_number
from sersicnet.io.extensions import (
    MASK_NAMES,
    UNCERTAINTY_NAMES,
    bad_pixels,
    describe,
    find_parts,
    native,
    uncertainty_kind,
)
from sersicnet.io.fits_files import fits_errors, open_fits
from sersicnet.io.hdus import choose_companion, choose_image
from sersicnet.preprocessing.noise import has_noise, noise_unit_factor, to_standard_deviation
from sersicnet.preprocessing.units import find_pixel_scale, per_cutout
from sersicnet.preprocessing.windows import as_nddata
from sersicnet.preprocessing.zeropoints import find_zeropoint

__all__ = ["FieldImage", "Plane", "open_field"]


class Plane:
    """A two-dimensional array, or section of a FITS file, that is read window by window.

    Parameters
    ----------
    pixels : `~numpy.ndarray` or section of an HDU
        The whole array. Of a section, only the window is read.
    convert : callable, optional
        Function that converts the pixels of a window.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.field import Plane
    >>> Plane(np.ones((50, 60)), lambda window: 2 * window)[3:5, :2]
    array([[2., 2.],
           [2., 2.]])
    """

    def __init__(self, pixels, convert=None):
        self.shape = tuple(pixels.shape)
        self._pixels = pixels
        self._convert = convert

    def __getitem__(self, box):
        window = native(np.asarray(self._pixels[box]))
        if self._convert is None:
            return window
        return self._convert(window)


@dataclass(frozen=True, eq=False)
class FieldImage:
    """A survey image.

    Attributes
    ----------
    data, noise, mask : Plane
        Image, standard deviations in its unit, and bad pixels; the last two may be None.
    unit, wcs, meta, psf
        Attributes of the image, as in `~astropy.nddata.CCDData`.
    noise_name : str
        Where the noise comes from, for messages.
    hdu : (str, int) or None
        Name and version of its HDU in a file.
    """

    data: Plane
    noise: Plane
    mask: Plane
    unit: object
    wcs: object
    meta: dict
    psf: object
    noise_name: str
    hdu: tuple | None = None

    def units(self, pixel_scale, zeropoint):
        """Find pixel scale and zero point.

        Parameters
        ----------
        pixel_scale, zeropoint : float, `~astropy.units.Quantity` or None
            Given values; None for those of the image.

        Returns
        -------
        pixel_scale, zeropoint : float
            Arcsec per pixel, and AB magnitude of a flux of 1.
        """
        pixel_scale = per_cutout(pixel_scale, 1, "pixel_scale")
        zeropoint = per_cutout(zeropoint, 1, "zeropoint")
        if pixel_scale is not None:
            pixel_scale = float(pixel_scale[0])
        if zeropoint is not None:
            zeropoint = float(zeropoint[0])
        found_scale = find_pixel_scale(self, pixel_scale, "image")
        found = find_zeropoint(self, zeropoint, "image", pixel_scale=pixel_scale)
        return float(found_scale), float(found.value)

    def saturation(self, level):
        """Find the level of saturation: as given, of the header, or infinite."""
        if level is None:
            level = header_number(self.meta, "SATURATE")
        if level is None:
            return np.inf
        return float(level)

    def noise_in(self, box, sky):
        """Read the noise in a window, that of the sky where the image has none."""
        if self.noise is None:
            return sky.rms_in(box)
        return self.noise[box]


@contextmanager
def open_field(image, *, rms=None, weight_map=None, mask=None):
    """Open a survey image in memory or in files, which stay open.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        The image.
    rms, weight_map, mask : 2-D array_like or path, optional
        Standard deviations, inverse variances and bad pixels, instead of those of the image.

    Yields
    ------
    FieldImage

    Raises
    ------
    TypeError, ValueError, OSError, `~astropy.units.UnitConversionError`
        If there is no such image, or the arrays do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.field import open_field
    >>> with open_field(np.zeros((50, 60)), rms=np.ones((50, 60))) as field:
    ...     print(field.data.shape, field.noise[:1, :2], field.noise_name)
    (50, 60) [[1. 1.]] rms=
    """
    if rms is not None and weight_map is not None:
        msg = "rms and weight_map are both given: they say the same, one of them is enough"
        raise ValueError(msg)
    with ExitStack() as stack:
        field = _from_file(image, stack) if _is_path(image) else _from_memory(image)
        unit = field.unit
        if unit is None:
            unit = u.dimensionless_unscaled
        if rms is not None:
            pixels, _ = _pixels(rms, "rms", UNCERTAINTY_NAMES, field, stack, unit)
            noise = Plane(pixels, lambda window: window.astype(float))
            field = replace(field, noise=noise, noise_name="rms=")
        if weight_map is not None:
            pixels, _ = _pixels(weight_map, "weight_map", UNCERTAINTY_NAMES, field, stack, unit**-2)
            noise = Plane(
                pixels, lambda window: to_standard_deviation(window.astype(float), "ivar")
            )
            field = replace(field, noise=noise, noise_name="weight_map=")
        if mask is not None:
            pixels, header = _pixels(mask, "mask", MASK_NAMES, field, stack)
            field = replace(field, mask=_mask_plane(pixels, header))
        yield field


def _is_path(value):
    return isinstance(value, str | os.PathLike)


def _from_memory(image):
    """The planes of an image in memory."""
    if not isinstance(image, NDData | np.ndarray):
        msg = f"image must be a CCDData, an array or a path, not {type(image).__name__}"
        raise TypeError(msg)
    image = as_nddata(image)
    mask = image.mask
    if mask is not None:
        mask = _mask_plane(np.broadcast_to(mask, image.data.shape), {})
    noise = None
    if has_noise(image):
        array = np.broadcast_to(image.uncertainty.array, image.data.shape)
        noise = Plane(array, _to_noise(image))
    return FieldImage(
        data=Plane(image.data),
        noise=noise,
        mask=mask,
        unit=image.unit,
        wcs=image.wcs,
        meta=image.meta,
        psf=image.psf,
        noise_name=_own_name(noise),
    )


def _from_file(path, stack):
    """The planes of a FITS file."""
    with fits_errors(path, "image"):
        hdus = stack.enter_context(open_fits(path))
        hdus = choose_image(hdus, path)
        image, noise, mask, psf = find_parts(hdus, path)
        about = describe(hdus, image, path)
        if psf is not None:
            psf = native(psf.data)
    if noise is not None:
        kind, unit = uncertainty_kind(noise, image, path)
        # one pixel, as an example of all
        pixel = CCDData([[1.0]], unit=about["unit"], uncertainty=kind(np.ones((1, 1)), unit=unit))
        noise = Plane(noise.section, _to_noise(pixel)) if has_noise(pixel) else None
    if mask is not None:
        mask = _mask_plane(mask.section, mask.header)
    about |= {"psf": psf, "noise_name": _own_name(noise), "hdu": (image.name, image.ver)}
    return FieldImage(Plane(image.section), noise, mask, **about)


def _own_name(noise):
    """Where the noise comes from when the user gives none."""
    if noise is None:
        return "the scatter of the sky"
    return "the image's uncertainty"


def _to_noise(image):
    """The function that makes standard deviations of the uncertainty of ``image``."""
    kind = image.uncertainty.uncertainty_type
    factor = noise_unit_factor(image)
    return lambda window: factor * to_standard_deviation(window.astype(float), kind)


def _mask_plane(pixels, header):
    return Plane(pixels, lambda window: bad_pixels(window, header))


def _pixels(given, name, hdu_names, field, stack, unit=None):
    """Array or section, and header, of the argument ``name``."""
    header = {}
    if _is_path(given):
        with fits_errors(given, name):
            hdus = stack.enter_context(open_fits(given))
            hdu = choose_companion(hdus, hdu_names, given, like=field.hdu, argument=name)
        pixels, header = hdu.section, hdu.header
    elif isinstance(given, u.Quantity):
        try:
            pixels = given.to_value(unit)
        except u.UnitConversionError as error:
            msg = f"{name} has the unit {given.unit}, and needs {unit}: {error}"
            raise u.UnitConversionError(msg) from error
    else:
        pixels = np.asarray(given)
    if tuple(pixels.shape) != field.data.shape:
        msg = f"{name}= has shape {tuple(pixels.shape)}, the image {field.data.shape}"
        raise ValueError(msg)
    return pixels, header
