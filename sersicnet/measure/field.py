"""The pixels of a survey image, cut out window by window from memory or from FITS files."""

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import astropy.units as u
import numpy as np
from astropy.nddata import CCDData, NDData
from scipy import ndimage

from sersicnet.io.cutouts import fits_errors, open_fits
from sersicnet.io.extensions import (
    MASK_NAMES,
    UNCERTAINTY_NAMES,
    bad_pixels,
    describe,
    find_hdu,
    find_parts,
    native,
    uncertainty_kind,
)
from sersicnet.preprocessing.noise import has_noise, noise_unit_factor, to_standard_deviation
from sersicnet.preprocessing.units import (
    find_pixel_scale,
    find_zeropoint,
    header_number,
    per_cutout,
)
from sersicnet.preprocessing.windows import as_nddata

__all__ = ["FieldImage", "Plane", "Window", "grown", "open_field", "read_window", "shortage"]

# Bad areas of so many pixels across are no single pixels or columns.
_WIDE = 5


class Plane:
    """A two-dimensional array or section of a FITS file, of which windows are taken.

    Parameters
    ----------
    pixels : `~numpy.ndarray` or section of an HDU
        All of it. Of a section, only the window is read.
    convert : callable, optional
        What makes of a window what is wanted.
    """

    def __init__(self, pixels, convert=None):
        self.shape = tuple(pixels.shape)
        self._pixels, self._convert = pixels, convert

    def __getitem__(self, box):
        window = native(np.asarray(self._pixels[box]))
        return window if self._convert is None else self._convert(window)


@dataclass(frozen=True, eq=False)
class FieldImage:
    """A survey image.

    Attributes
    ----------
    data, noise, mask : Plane
        Image, standard deviations in its unit, and bad pixels; the last two may be None.
    unit, wcs, meta, psf
        As of a `~astropy.nddata.CCDData`.
    noise_name : str
        What says the noise.
    """

    data: Plane
    noise: Plane
    mask: Plane
    unit: object
    wcs: object
    meta: dict
    psf: object
    noise_name: str

    def units(self, pixel_scale, zeropoint):
        """Arcsec per pixel and AB magnitude of 1, as given, or those that the image knows."""
        given = (
            per_cutout(value, 1, name)
            for value, name in ((pixel_scale, "pixel_scale"), (zeropoint, "zeropoint"))
        )
        given = [None if value is None else float(value[0]) for value in given]
        scale = find_pixel_scale(self, given[0], "image")
        return float(scale), float(find_zeropoint(self, given[1], "image"))

    def saturation(self, given):
        """The level of saturation, as given, or of the header, or infinite."""
        level = header_number(self, "SATURATE") if given is None else given
        return np.inf if level is None else float(level)


@contextmanager
def open_field(image, *, rms=None, weight_map=None, mask=None):
    """A survey image from memory or from files, which stay open.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        The image.
    rms, weight_map, mask : 2-D array_like or path, optional
        Instead of what the image has: standard deviations, inverse variances, bad pixels.

    Yields
    ------
    FieldImage

    Raises
    ------
    TypeError, ValueError, OSError, `~astropy.units.UnitConversionError`
        If there is no such image, or these do not fit together.
    """
    if rms is not None and weight_map is not None:
        msg = "rms and weight_map are both given: they say the same, one of them is enough"
        raise ValueError(msg)
    with ExitStack() as stack:
        field = _from_file(image, stack) if _is_path(image) else _from_memory(image)
        unit = u.dimensionless_unscaled if field.unit is None else field.unit
        if rms is not None:
            pixels, _ = _pixels(rms, "rms", UNCERTAINTY_NAMES, field, stack, unit)
            noise = Plane(pixels, lambda window: window.astype(float))
            field = replace(field, noise=noise, noise_name="rms=")
        if weight_map is not None:
            pixels, _ = _pixels(weight_map, "weight_map", UNCERTAINTY_NAMES, field, stack, unit**-2)
            field = replace(field, noise=Plane(pixels, _from_weight), noise_name="weight_map=")
        if mask is not None:
            pixels, header = _pixels(mask, "mask", MASK_NAMES, field, stack)
            field = replace(field, mask=_mask_plane(pixels, header))
        yield field


def _is_path(value):
    return isinstance(value, str | os.PathLike)


def _from_memory(image):
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
    described = image.unit, image.wcs, image.meta, image.psf, _own_name(noise)
    return FieldImage(Plane(image.data), noise, mask, *described)


def _from_file(path, stack):
    with fits_errors(path, "image"):
        hdus = stack.enter_context(open_fits(path))
        image, noise, mask, psf = find_parts(hdus, path)
        about = describe(hdus, image, path)
        psf = None if psf is None else native(psf.data)
    if noise is not None:
        kind, unit = uncertainty_kind(noise, image)
        # one pixel, as an example of all
        pixel = CCDData([[1.0]], unit=about["unit"], uncertainty=kind(np.ones((1, 1)), unit=unit))
        noise = Plane(noise.section, _to_noise(pixel)) if has_noise(pixel) else None
    if mask is not None:
        mask = _mask_plane(mask.section, mask.header)
    about |= {"psf": psf, "noise_name": _own_name(noise)}
    return FieldImage(Plane(image.section), noise, mask, **about)


def _own_name(noise):
    """What says the noise of an image that is told no other."""
    return "the scatter of the sky" if noise is None else "the image's uncertainty"


def _to_noise(image):
    """What makes standard deviations of the uncertainty of ``image``."""
    kind, factor = image.uncertainty.uncertainty_type, noise_unit_factor(image)
    return lambda window: factor * to_standard_deviation(window.astype(float), kind)


def _from_weight(window):
    return to_standard_deviation(window.astype(float), "ivar")


def _mask_plane(pixels, header):
    return Plane(pixels, lambda window: bad_pixels(window, header))


def _pixels(given, name, hdu_names, field, stack, unit=None):
    """Array or section, and header, of what the user gave as the argument ``name``."""
    header = {}
    if _is_path(given):
        with fits_errors(given, name):
            hdus = stack.enter_context(open_fits(given))
            hdu = find_hdu(hdus, hdu_names, given) or _first_image(hdus, name, given)
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


def _first_image(hdus, name, path):
    for hdu in hdus:
        if hdu.is_image and len(hdu.shape) == 2:
            return hdu
    msg = f"{name}={str(path)!r} has no 2-D image"
    raise ValueError(msg)


@dataclass(frozen=True, eq=False)
class Window:
    """A part of the image.

    Attributes
    ----------
    box : pair of slices
        Where it is in the image.
    data, noise : 2-D `~numpy.ndarray`
        Image less sky map; standard deviations.
    hidden, saturated : 2-D bool `~numpy.ndarray`
        Masked by the user or saturated; saturated.
    bad : 2-D bool `~numpy.ndarray`
        Masked, not finite, or without noise.
    gone : 2-D bool `~numpy.ndarray`
        Bad over 5 x 5 pixels and more: what is there cannot be told from its neighbors.
    """

    box: tuple
    data: np.ndarray
    noise: np.ndarray
    hidden: np.ndarray
    saturated: np.ndarray
    bad: np.ndarray
    gone: np.ndarray

    @property
    def origin(self):
        """(y, x) of its first pixel."""
        return self.box[0].start, self.box[1].start

    def place(self, box):
        """Another part of the image, a pair of slices, in the counting of this one."""
        return tuple(
            slice(side.start - start, side.stop - start)
            for side, start in zip(box, self.origin, strict=True)
        )


def read_window(field, sky, box, *, saturation):
    """Read a part of the image and take the sky off.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky, and its noise where the image has no map of it.
    box : pair of slices
        The part.
    saturation : float
        Pixels of so much in the image are saturated.

    Returns
    -------
    Window
    """
    raw = field.data[box].astype(float)
    noise = sky.rms_in(box) if field.noise is None else field.noise[box]
    masked = np.zeros(raw.shape, bool) if field.mask is None else field.mask[box]
    saturated = raw >= saturation
    data = raw - sky.level_in(box)
    good = np.isfinite(data) & np.isfinite(noise) & (noise > 0)
    bad = masked | ~good
    gone = ndimage.binary_opening(bad, np.ones((_WIDE, _WIDE)))
    return Window(box, data, noise, masked | saturated, saturated, bad, gone)


def grown(box, margin, shape):
    """A box with a margin, as far as the image goes."""
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, n))
        for side, n in zip(box, shape, strict=True)
    )


def shortage(wanted, box, shape):
    """By how many pixels a box is too small to hold another, where the image goes on.

    Parameters
    ----------
    wanted : (2, 2) array_like
        First and last pixel wanted, along y and x.
    box : pair of slices
        What there is.
    shape : (int, int)
        Of the image.

    Returns
    -------
    int
        0 or negative where it is large enough.
    """
    missing = [0]
    for (first, last), side, n in zip(wanted, box, shape, strict=True):
        missing.append(side.start - max(first, 0))
        missing.append(min(last, n - 1) - (side.stop - 1))
    return int(max(missing))
