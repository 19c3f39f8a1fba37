"""Cutting, padding and binning by whole pixels."""

import numpy as np
from astropy.nddata import InverseVariance, NDData, UnknownUncertainty
from astropy.units import Quantity
from astropy.wcs import WCS, Sip
from astropy.wcs.wcsapi import HighLevelWCSWrapper
from astropy.wcs.wcsapi.wrappers.base import BaseWCSWrapper

__all__ = ["bin_pixels", "crop_or_pad", "cut", "cut_cutout", "middle_origin", "overlap"]


def middle_origin(n_pixels, size):
    """Where a window of ``size`` pixels begins that shares its middle with ``n_pixels``.

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
    """The window ``shape`` at ``origin`` of the last two axes, ``fill`` where outside."""
    window = np.full(array.shape[:-2] + tuple(shape), fill, dtype=dtype or array.dtype)
    source, target = zip(
        *(
            overlap(n_pixels, begin, size)
            for n_pixels, begin, size in zip(array.shape[-2:], origin, shape, strict=True)
        ),
        strict=True,
    )
    window[(..., *target)] = array[(..., *source)]
    return window


def overlap(n_pixels, begin, size):
    """The common pixels of an axis and a window, in the counting of either."""
    first, last = max(begin, 0), max(begin, 0, min(begin + size, n_pixels))
    return slice(first, last), slice(first - begin, last - begin)


def crop_or_pad(cutout, size):
    """Cut the middle out of a larger cutout, pad a smaller one; padding is masked.

    Along each axis of ``n`` pixels the result begins at the pixel ``n // 2 - size // 2`` (a
    negative number: padding before the first). So the pixel ``n // 2`` becomes the pixel
    ``size // 2``: padding and cropping back returns the same pixels whatever is odd or even,
    and several steps give what one gives.

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
    return np.ma.MaskedArray(result.data, mask=False if result.mask is None else result.mask)


def as_nddata(cutout):
    """A 2-D NDData from what the user passed as ``cutout``."""
    if not isinstance(cutout, NDData | np.ndarray):
        msg = f"cutout must be an NDData or a 2-D array, not {type(cutout).__name__}"
        raise TypeError(msg)
    cutout = cutout if isinstance(cutout, NDData) else NDData(cutout)
    if cutout.data.ndim != 2 or 0 in cutout.data.shape:
        msg = f"cutout has shape {cutout.data.shape}: one 2-D image with pixels is needed"
        raise ValueError(msg)
    return cutout


def check_size(size):
    """The pair (ny, nx) of positive integers."""
    shape = np.asarray(size)
    if shape.shape not in ((), (2,)) or shape.dtype.kind not in "iu" or np.any(shape < 1):
        msg = f"size={size!r} must be a positive integer or a pair of them (ny, nx)"
        raise ValueError(msg)
    return tuple(int(n) for n in np.broadcast_to(shape, 2))


def cut_cutout(cutout, origin, shape):
    """The window ``shape`` at ``origin`` (y, x) of a cutout with all that belongs to it."""
    mask = None if cutout.mask is None else np.broadcast_to(cutout.mask, cutout.data.shape)
    padded = any(
        begin < 0 or begin + size > n_pixels
        for begin, size, n_pixels in zip(origin, shape, cutout.data.shape, strict=True)
    )
    if mask is None and padded:
        mask = np.zeros(cutout.data.shape, dtype=bool)
    return replace(
        cutout,
        data=cut(cutout.data, origin, shape, fill=0),
        uncertainty=_cut_uncertainty(cutout, origin, shape, padded),
        mask=None if mask is None else cut(mask, origin, shape, fill=True, dtype=bool),
        wcs=_shift_wcs(cutout.wcs, origin, shape),
    )


def replace(cutout, **changes):
    """A cutout of the same class with some attributes changed; slicing would drop the PSF."""
    names = ("data", "uncertainty", "mask", "wcs", "meta", "unit", "psf")
    attributes = {name: getattr(cutout, name, None) for name in names} | changes
    attributes["meta"] = attributes["meta"].copy()
    return type(cutout)(attributes.pop("data"), **attributes)


def _cut_uncertainty(cutout, origin, shape, padded):
    """The uncertainty in the window, without weight in the padding."""
    old = cutout.uncertainty
    if old is None or old.array is None:
        return None
    fill = 0 if isinstance(old, InverseVariance | UnknownUncertainty) else np.inf
    array = np.broadcast_to(old.array, cutout.data.shape)
    dtype = np.result_type(array.dtype, np.float32) if padded else array.dtype
    return type(old)(cut(array, origin, shape, fill=fill, dtype=dtype), unit=old.unit)


def _shift_wcs(wcs, origin, shape):
    """The WCS of the window, which may begin outside the image (slicing cannot do that)."""
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
        The same of the blocks.
    """

    def blocks(array):
        n, size, _ = data.shape
        shape = (n, size // bins, bins, size // bins, bins)
        return np.broadcast_to(array, data.shape).reshape(shape)

    count = blocks(good).sum(axis=(2, 4))
    scale = bins**2 / np.maximum(count, 1)
    total = scale * blocks(np.where(good, data, 0)).sum(axis=(2, 4))
    spread = scale * np.sqrt(blocks(np.where(good, noise, 0) ** 2).sum(axis=(2, 4)))
    hidden = 2 * blocks(masked).sum(axis=(2, 4)) > bins**2
    seen = (2 * blocks(usable).sum(axis=(2, 4)) >= bins**2) & ~hidden
    return total, spread, hidden, seen, seen & (2 * count >= bins**2)


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
