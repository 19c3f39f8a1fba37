"""The pixels of a survey image, read window by window from memory or from FITS files."""

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.nddata import CCDData, NDData

from sersicnet._caller import warn_caller
from sersicnet.io.cards import header_number
from sersicnet.io.extensions import (
    MASK_NAMES,
    UNCERTAINTY_NAMES,
    WEIGHT_NAMES,
    describe,
    find_coverage,
    find_parts,
    is_unobserved,
    mask_cards,
    native,
    read_unit,
    uncertainty_kind,
)
from sersicnet.io.fits_files import Pixels, fits_errors, open_fits
from sersicnet.io.hdus import choose_companion, choose_image
from sersicnet.io.lsst_psf import lsst_psf
from sersicnet.io.mask_bits import bad_pixels, check_mask_bits, warn_plain_masks
from sersicnet.io.mask_words import cutout_mask_words, describe_mask
from sersicnet.io.pixel_areas import AREA_CARD, Areas, find_areas
from sersicnet.io.psf_files import psf_of_hdu
from sersicnet.io.psf_sampling import own_psf
from sersicnet.io.roman import is_asdf, read_roman
from sersicnet.preprocessing.noise import has_noise, noise_unit_factor, to_standard_deviation
from sersicnet.preprocessing.pixels import find_pixels
from sersicnet.preprocessing.units import per_cutout
from sersicnet.preprocessing.windows import as_nddata
from sersicnet.preprocessing.zeropoints import find_zeropoint

__all__ = ["FieldImage", "Plane", "open_field", "pixels_of"]

# Extensions of a file of weights, and where noise comes from that weights of a file scale.
_WEIGHTS = WEIGHT_NAMES | UNCERTAINTY_NAMES
RELATIVE = "WHT"
# Where the noise comes from when the user gives none.
_OWN_NOISE = "the image's uncertainty"
_NO_NOISE = "the scatter of the sky"


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


class _CoveragePlane:
    """The pixels of one or several planes of coverage in which nothing was observed."""

    def __init__(self, section, shape):
        self.shape = tuple(shape)
        self._section = section
        self._planes = (slice(None),) * (len(section.shape) - 2)

    def __getitem__(self, box):
        return is_unobserved(self._section[(*self._planes, *box)])


class _AnyOf:
    """The pixels that are bad in one of several planes."""

    def __init__(self, planes):
        self.shape = planes[0].shape
        self._planes = planes

    def __getitem__(self, box):
        return np.any([plane[box] for plane in self._planes], axis=0)


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
    mask_name : str or None
        Where the mask comes from, and which of its bits count, for messages.
    hdu : (str, int) or None
        Name and version of its HDU in a file.
    name : str or None
        Name of its file.
    is_wanted : callable or None
        Function of positions ``x, y`` that tells which sources are measured; None for all.
    segments : Plane or None
        Number of the source of each pixel, where the user says what the sources are.
    """

    data: Plane
    noise: Plane
    mask: Plane
    unit: object
    wcs: object
    meta: dict
    psf: object
    noise_name: str
    mask_name: str | None = None
    hdu: tuple | None = None
    name: str | None = None
    is_wanted: object = None
    segments: Plane | None = None

    def units(self, pixel_scale, zeropoint):
        """Find pixel scale and zero point.

        Parameters
        ----------
        pixel_scale, zeropoint : float, `~astropy.units.Quantity` or None
            Given values; None for those of the image.

        Returns
        -------
        pixel_scale, zeropoint : float
            Arcsec per pixel, given or in the middle of the image, and AB magnitude of a flux of 1.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If the WCS does not agree with the given pixel scale, or with the card ``PIXSCALE``.
        """
        pixel_scale = per_cutout(pixel_scale, 1, "pixel_scale")
        zeropoint = per_cutout(zeropoint, 1, "zeropoint")
        if pixel_scale is not None:
            pixel_scale = float(pixel_scale[0])
        if zeropoint is not None:
            zeropoint = float(zeropoint[0])
        found_scale, _, doubt = find_pixels(self, pixel_scale, "image")
        if doubt is not None:
            warn_caller(doubt)
        found = find_zeropoint(self, zeropoint, "image", pixel_scale=pixel_scale)
        if found.doubt is not None:
            warn_caller(f"image: {found.doubt}")
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
        noise = self.noise[box]
        if sky is None or sky.noise_scale == 1:
            return noise
        return noise * sky.noise_scale


@contextmanager
def open_field(image, *, rms=None, weight_map=None, mask=None, mask_bits=None):
    """Open a survey image in memory or in files, which stay open.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray`, path or FieldImage
        The image; one that is open already stays as it is.
    rms, weight_map, mask : 2-D array_like or path, optional
        Standard deviations, inverse variances and bad pixels, instead of those of the image.
    mask_bits : int, str or list of them, optional
        The bits of the mask that mean bad, as in `~sersicnet.io.read_cutout`.

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
    check_mask_bits(mask_bits)
    with ExitStack() as stack:
        if isinstance(image, FieldImage):
            field = image
        elif _is_path(image):
            field = _from_file(image, stack, mask_bits)
        else:
            field = _from_memory(image, mask_bits)
        unit = field.unit
        if unit is None:
            unit = u.dimensionless_unscaled
        if rms is not None:
            pixels, _ = pixels_of(rms, "rms", UNCERTAINTY_NAMES, field, stack, unit)
            noise = Plane(pixels, lambda window: window.astype(float))
            field = replace(field, noise=noise, noise_name="rms=")
        if weight_map is not None:
            pixels, _ = pixels_of(weight_map, "weight_map", _WEIGHTS, field, stack, unit**-2)
            noise = Plane(
                pixels, lambda window: to_standard_deviation(window.astype(float), "ivar")
            )
            field = replace(field, noise=noise, noise_name="weight_map=")
        if mask is not None:
            pixels, cards = pixels_of(mask, "mask", MASK_NAMES, field, stack)
            words = describe_mask("mask=", pixels[:1, :1].dtype, cards, mask_bits=mask_bits)
            field = replace(field, mask=_mask_plane(pixels, cards, mask_bits), mask_name=words)
            if not _is_path(mask):
                warn_plain_masks([pixels], mask_bits)
        elif not _is_path(image) or field.mask is None:
            warn_plain_masks([getattr(image, "mask", None)], mask_bits)
        yield field


def _is_path(value):
    return isinstance(value, str | os.PathLike)


def _from_memory(image, mask_bits):
    """The planes of an image in memory."""
    if not isinstance(image, NDData | np.ndarray):
        msg = f"image must be a CCDData, an array or a path, not {type(image).__name__}"
        raise TypeError(msg)
    image = as_nddata(image, mask_bits=mask_bits)
    mask = image.mask
    if mask is not None:
        mask = Plane(np.broadcast_to(mask, image.data.shape))
    noise = None
    noise_name = _NO_NOISE
    if has_noise(image):
        noise_name = _OWN_NOISE
        array = np.broadcast_to(image.uncertainty.array, image.data.shape)
        noise = Plane(array, _to_noise(image))
    return FieldImage(
        data=Plane(image.data),
        noise=noise,
        mask=mask,
        unit=image.unit,
        wcs=image.wcs,
        meta=image.meta,
        psf=own_psf(image),
        noise_name=noise_name,
        mask_name=cutout_mask_words(image),
    )


def _from_file(path, stack, mask_bits):
    """The planes of a FITS file, or of one of Roman, which is read into memory."""
    if is_asdf(path):
        cutout = read_roman(path, mask_bits=mask_bits)
        return replace(_from_memory(cutout, None), name=Path(path).name)
    with fits_errors(path, "image"):
        hdus = stack.enter_context(open_fits(path))
        hdus = choose_image(hdus, path)
        image, noise, mask, psf = find_parts(hdus, path, mask_bits=mask_bits)
        about = describe(hdus, image, path)
        psf = lsst_psf(hdus, image) if psf is None else psf_of_hdu(psf)
        areas = find_areas(hdus, image, about["unit"], about["meta"])
    noise_name = _OWN_NOISE
    if noise is not None:
        if noise.name in WEIGHT_NAMES:
            noise_name = RELATIVE
        kind, unit = uncertainty_kind(noise, image, path)
        # one pixel, as an example of all
        pixel = CCDData([[1.0]], unit=about["unit"], uncertainty=kind(np.ones((1, 1)), unit=unit))
        noise = Plane(Pixels(noise, path), _to_noise(pixel)) if has_noise(pixel) else None
    if noise is None:
        noise_name = _NO_NOISE
    mask, mask_name = _file_mask(hdus, image, mask, path, mask_bits)
    about |= {"psf": psf, "noise_name": noise_name, "mask_name": mask_name}
    about["hdu"] = (image.name, image.ver)
    about["name"] = Path(path).name
    data = Plane(Pixels(image, path))
    if areas is not None:
        areas = Plane(Pixels(areas, path))
        data = Areas(data, areas)
        noise = Areas(noise, areas) if noise is not None else None
        about["meta"][AREA_CARD] = True
    return FieldImage(data, noise, mask, **about)


def _file_mask(hdus, image, mask, path, mask_bits):
    """The bad pixels of a file, those of its mask and those that were not observed, in words."""
    planes = []
    names = []
    if mask is not None:
        pixels = Pixels(mask, path)
        cards = mask_cards(hdus, mask, path, others=[image.header])
        planes.append(_mask_plane(pixels, cards, mask_bits))
        dtype = pixels[:1, :1].dtype
        names.append(describe_mask(mask.name, dtype, cards, mask_bits=mask_bits))
    for hdu in find_coverage(hdus, image):
        planes.append(_CoveragePlane(Pixels(hdu, path), image.shape))
        names.append(f"{hdu.name} where it is 0")
    if planes:
        return _AnyOf(planes), "; ".join(names)
    return None, None


def _to_noise(image):
    """The function that makes standard deviations of the uncertainty of ``image``."""
    kind = image.uncertainty.uncertainty_type
    factor = noise_unit_factor(image)
    return lambda window: factor * to_standard_deviation(window.astype(float), kind)


def _mask_plane(pixels, cards, mask_bits):
    return Plane(pixels, lambda window: bad_pixels(window, cards, mask_bits=mask_bits))


def pixels_of(given, name, hdu_names, field, stack, unit=None):
    """Return the array or section, and the cards, of the argument ``name``."""
    cards = field.meta
    if _is_path(given):
        with fits_errors(given, name):
            hdus = stack.enter_context(open_fits(given))
            hdu = choose_companion(hdus, hdu_names, given, like=field.hdu, argument=name)
            pixels = Pixels(hdu, given)
            if hdu_names is MASK_NAMES:
                cards = mask_cards(hdus, hdu, given, others=[field.meta])
            elif unit is not None and hdu.header.get("BUNIT") is not None:
                pixels = _in_unit(hdu, unit, field.unit, name, given)
    elif isinstance(given, u.Quantity):
        try:
            pixels = given.to_value(unit)
        except u.UnitConversionError as error:
            msg = f"{name} has the unit {given.unit}, and needs {unit}: {error}"
            raise u.UnitConversionError(msg) from error
    else:
        pixels = np.asarray(given)
    if isinstance(pixels, np.ndarray) and pixels.shape == (1, *field.data.shape):
        pixels = pixels[0]
    if tuple(pixels.shape) != field.data.shape:
        msg = f"{name}= has shape {tuple(pixels.shape)}, the image {field.data.shape}"
        raise ValueError(msg)
    return pixels, cards


def _in_unit(hdu, unit, image_unit, name, path):
    """Pixels of a noise map in the unit that is needed, of which its own may be a multiple."""
    no_unit = (None, u.dimensionless_unscaled)
    own = read_unit(hdu.header, path)
    # maps of weights repeat the unit of the image, or are of seconds
    if own in (*no_unit, unit, image_unit) or image_unit in no_unit:
        return Pixels(hdu, path)
    if name == "weight_map" and not own.is_equivalent(unit):
        return Pixels(hdu, path)
    try:
        factor = own.to(unit)
    except u.UnitConversionError as error:
        msg = f"{name}={str(path)!r} has the unit {own}, and needs {unit}: {error}"
        raise u.UnitConversionError(msg) from error
    return Plane(Pixels(hdu, path), lambda window: window * factor)
