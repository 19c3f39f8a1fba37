"""Cut, pad and bin images by whole pixels."""

import numpy as np
from astropy.nddata import InverseVariance, NDData, UnknownUncertainty, block_reduce
from astropy.units import Quantity
from astropy.wcs import WCS, Sip
from astropy.wcs.wcsapi import HighLevelWCSWrapper
from astropy.wcs.wcsapi.wrappers.base import BaseWCSWrapper

from sersicnet.io.mask_bits import cutout_mask
from sersicnet.io.mask_words import MASK_CARD, describe_mask

__all__ = [
    "bin_pixels",
    "crop_or_pad",
    "cut",
    "cut_cutout",
    "middle_origin",
    "only_plane",
    "overlap",
    "with_plain_mask",
]


def middle_origin(n_pixels, size):
    """Return where a window begins that shares its middle with an image.

    Parameters
    ----------
    n_pixels, size : int
        Length of the image and of the window along one axis.

    Returns
    -------
    int
        ``n_pixels // 2 - size // 2``, negative where the window is the longer one.
    """
    return n_pixels // 2 - size // 2


def cut(array, origin, shape, *, fill, dtype=None):
    """Cut a window out of images, which it may leave.

    `astropy.nddata.overlap_slices` does not accept a window outside of the image, and takes
    longer than all of this.

    Parameters
    ----------
    array : (..., ny, nx) `~numpy.ndarray`
        The images.
    origin : (int, int)
        First pixel (y, x) of the window, negative where that is outside.
    shape : (int, int)
        Pixels of the window along y and x.
    fill : float or bool
        Value of the pixels outside of the images.
    dtype : `~numpy.dtype`, optional
        Data type of the result, by default that of the images.

    Returns
    -------
    (..., *shape) `~numpy.ndarray`
        A copy.
    """
    rows, rows_of_window = overlap(array.shape[-2], origin[0], shape[0])
    columns, columns_of_window = overlap(array.shape[-1], origin[1], shape[1])
    window = np.full(array.shape[:-2] + tuple(shape), fill, dtype=dtype or array.dtype)
    window[..., rows_of_window, columns_of_window] = array[..., rows, columns]
    return window


def overlap(n_pixels, begin, size):
    """Return the common pixels of an axis and a window, as slices of the axis and of the window.

    Parameters
    ----------
    n_pixels : int
        Length of the axis.
    begin : int
        First pixel of the window, negative where that is before the axis.
    size : int
        Length of the window.

    Returns
    -------
    of_axis, of_window : slice
    """
    first = max(begin, 0)
    last = max(first, min(begin + size, n_pixels))
    return slice(first, last), slice(first - begin, last - begin)


def crop_or_pad(cutout, size):
    """Crop a larger cutout around its middle, or pad a smaller one; padding is masked.

    Along each axis of ``n`` pixels the result begins at the pixel ``n // 2 - size // 2`` (where
    this is negative, padding comes first). So the pixel ``n // 2`` becomes the pixel
    ``size // 2``: padding and cropping back returns the same pixels, for odd and even sizes, and
    several steps give the same result as one.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`, `~astropy.nddata.CCDData` or 2-D `~numpy.ndarray`
        The cutout.
    size : int or (int, int)
        Pixels of the result along both axes, or along y and x.

    Returns
    -------
    `~astropy.nddata.NDData` of the same class, or `~numpy.ma.MaskedArray` for an array
        A copy. Unit, header, and PSF are the cutout's, and the WCS gives the same sky.
        Padding has data 0, no weight in the uncertainty (infinite, or an inverse variance
        of 0), and is masked.

    Raises
    ------
    TypeError
        If ``cutout`` is neither NDData nor an array.
    ValueError
        If it is not two-dimensional, or the size is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing import crop_or_pad
    >>> image = np.arange(16).reshape(4, 4)
    >>> crop_or_pad(image, 2).data
    array([[ 5,  6],
           [ 9, 10]])
    >>> crop_or_pad(image, (4, 6)).mask[0]
    array([ True, False, False, False, False,  True])
    """
    image = as_nddata(cutout)
    shape = check_size(size)
    origin = tuple(map(middle_origin, image.data.shape, shape))
    result = cut_cutout(image, origin, shape)
    if isinstance(cutout, NDData | Quantity):
        return result
    if result.mask is None:
        return np.ma.MaskedArray(result.data, mask=False)
    return np.ma.MaskedArray(result.data, mask=result.mask)


def as_nddata(cutout, *, mask_bits=None):
    """Return what the user passed as ``cutout`` as NDData with one image and a mask of booleans.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or `~numpy.ndarray`
        One image.
    mask_bits : int, str or list of them, optional
        The bits of an integer mask that mean bad, as in `~sersicnet.io.read_cutout`.

    Returns
    -------
    `~astropy.nddata.NDData`

    Raises
    ------
    TypeError
        If it is neither NDData nor an array.
    ValueError
        If it is not two-dimensional or has no pixels.
    """
    if not isinstance(cutout, NDData | np.ndarray):
        msg = f"cutout must be an NDData or a 2-D array, not {type(cutout).__name__}"
        raise TypeError(msg)
    if not isinstance(cutout, NDData):
        cutout = NDData(cutout)
    if cutout.data.ndim == 3 and len(cutout.data) == 1:
        cutout = only_plane(cutout)
    if cutout.data.ndim != 2 or 0 in cutout.data.shape:
        msg = f"cutout has shape {cutout.data.shape}: one 2-D image with pixels is needed"
        raise ValueError(msg)
    return with_plain_mask(cutout, "cutout", mask_bits=mask_bits)


def only_plane(cube):
    """Return the image in a cube of one plane.

    Parameters
    ----------
    cube : `~astropy.nddata.NDData`
        Data of shape (1, ny, nx).

    Returns
    -------
    `~astropy.nddata.NDData`
    """
    changes = {"data": cube.data[0]}
    if cube.mask is not None:
        changes["mask"] = np.broadcast_to(cube.mask, cube.data.shape)[0]
    noise = cube.uncertainty
    if noise is not None and noise.array is not None:
        array = np.broadcast_to(noise.array, cube.data.shape)[0]
        changes["uncertainty"] = type(noise)(array, unit=noise.unit)
    if np.ndim(cube.psf) == 3:
        changes["psf"] = cube.psf[0]
    if isinstance(cube.wcs, WCS) and cube.wcs.naxis > 2:
        changes["wcs"] = cube.wcs.celestial if cube.wcs.has_celestial else None
    return replace(cube, **changes)


def with_plain_mask(cutout, where, *, mask_bits=None):
    """Return a cutout whose mask, if it has one, is of booleans; ``where`` names it in errors."""
    if cutout.mask is None or np.asarray(cutout.mask).dtype == bool:
        return cutout
    try:
        mask = cutout_mask(cutout, mask_bits=mask_bits)
    except (TypeError, ValueError) as error:
        msg = f"{where}: {error}"
        raise type(error)(msg) from error
    plain = replace(cutout, mask=mask)
    dtype = np.asarray(cutout.mask).dtype
    plain.meta[MASK_CARD] = describe_mask("mask", dtype, plain.meta, mask_bits=mask_bits)
    return plain


def check_size(size):
    """Return the pair (ny, nx) of positive integers, or raise ValueError."""
    shape = np.asarray(size)
    if shape.shape not in ((), (2,)) or shape.dtype.kind not in "iu" or np.any(shape < 1):
        msg = f"size={size!r} must be a positive integer or a pair of them (ny, nx)"
        raise ValueError(msg)
    return tuple(int(n) for n in np.broadcast_to(shape, 2))


def cut_cutout(cutout, origin, shape):
    """Cut the window ``shape`` at ``origin`` (y, x) out of a cutout, with its noise, mask, WCS."""
    last = np.add(origin, shape)
    padded = min(origin) < 0 or bool(np.any(last > cutout.data.shape))
    mask = cutout.mask
    if mask is None and padded:
        mask = False
    if mask is not None:
        mask = np.broadcast_to(mask, cutout.data.shape)
        mask = cut(mask, origin, shape, fill=True, dtype=bool)
    return replace(
        cutout,
        data=cut(cutout.data, origin, shape, fill=0),
        uncertainty=_cut_uncertainty(cutout, origin, shape, padded),
        mask=mask,
        wcs=_shift_wcs(cutout.wcs, origin, shape),
    )


def replace(cutout, **changes):
    """Return a cutout of the same class with some attributes changed; slicing drops the PSF."""
    names = ("data", "uncertainty", "mask", "wcs", "meta", "unit", "psf")
    attributes = {name: getattr(cutout, name, None) for name in names} | changes
    attributes["meta"] = attributes["meta"].copy()
    return type(cutout)(attributes.pop("data"), **attributes)


def _cut_uncertainty(cutout, origin, shape, padded):
    """Return the uncertainty in the window, without weight in the padding."""
    old = cutout.uncertainty
    if old is None or old.array is None:
        return None
    fill = np.inf
    if isinstance(old, InverseVariance | UnknownUncertainty):
        fill = 0
    array = np.broadcast_to(old.array, cutout.data.shape)
    dtype = array.dtype
    if padded:
        dtype = np.result_type(dtype, np.float32)
    return type(old)(cut(array, origin, shape, fill=fill, dtype=dtype), unit=old.unit)


def _shift_wcs(wcs, origin, shape):
    """Return the WCS of a window, which may begin outside of the image (slicing cannot)."""
    if wcs is None:
        return None
    shift = np.array(origin[::-1])
    if not isinstance(wcs, WCS):
        return HighLevelWCSWrapper(_ShiftedWCS(wcs.low_level_wcs, shift, shape))
    shifted = wcs.deepcopy()
    shifted.wcs.crpix = wcs.wcs.crpix - shift
    if wcs.sip is not None:
        sip = wcs.sip
        shifted.sip = Sip(sip.a, sip.b, sip.ap, sip.bp, sip.crpix - shift)
    for table in (shifted.cpdis1, shifted.cpdis2, shifted.det2im1, shifted.det2im2):
        if table is not None:
            table.crval = tuple(np.array(table.crval) - shift)
    shifted.array_shape = shape
    return shifted


def bin_pixels(data, noise, masked, usable, good, bins):
    """Add up blocks of pixels; a block is good where half of its pixels are.

    Parameters
    ----------
    data : (N, S, S) `~numpy.ndarray`
        Fluxes. Those of pixels that are not good are taken as the mean of the others in the block.
    noise : (N, S, S) or (N, 1, 1) `~numpy.ndarray`
        Standard deviations.
    masked, usable, good : (N, S, S) bool `~numpy.ndarray`
        As in `~sersicnet.preprocessing.quality.pixel_flags`.
    bins : int
        Pixels on a side of a block, by which S can be divided.

    Returns
    -------
    data, noise, masked, usable, good : (N, S / bins, S / bins) `~numpy.ndarray`
        The same for the blocks.
    """

    def add_up(array):
        return block_reduce(array, (1, bins, bins), func=np.sum)

    n_pixels = bins**2
    n_good = add_up(good)
    scale = n_pixels / np.maximum(n_good, 1)
    flux = scale * add_up(np.where(good, data, 0))
    sigma = scale * np.sqrt(add_up(np.where(good, noise, 0) ** 2))
    hidden = 2 * add_up(masked) > n_pixels
    seen = (2 * add_up(usable) >= n_pixels) & ~hidden
    return flux, sigma, hidden, seen, seen & (2 * n_good >= n_pixels)


class _ShiftedWCS(BaseWCSWrapper):
    """A WCS whose pixel (0, 0) is the pixel ``shift`` (x, y) of another."""

    def __init__(self, wcs, shift, array_shape):
        super().__init__(wcs)
        self._shift = shift
        self._array_shape = tuple(array_shape)

    @property
    def array_shape(self):
        return self._array_shape

    @property
    def pixel_shape(self):
        return self._array_shape[::-1]

    @property
    def pixel_bounds(self):
        return None

    def pixel_to_world_values(self, x, y):
        return self._wcs.pixel_to_world_values(x + self._shift[0], y + self._shift[1])

    def world_to_pixel_values(self, *world):
        x, y = self._wcs.world_to_pixel_values(*world)
        return x - self._shift[0], y - self._shift[1]
