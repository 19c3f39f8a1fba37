"""From cutouts to a batch of stamps in universal units, and what is needed to go back.

A stamp is the middle of a cutout, divided by the median of its noise map: the network
sees S/N units and pixels, whatever the zero point, the exposure time and the pixel scale
were. These stay in a `~sersicnet.preprocessing.StampFrame`, which turns the network's
answers into physical values by arithmetic.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from astropy.nddata import NDData
from astropy.wcs import WCS

from sersicnet._rows import Rows
from sersicnet._settings import check_positive
from sersicnet.flags import Flags
from sersicnet.preprocessing.frame import StampFrame
from sersicnet.preprocessing.noise import (
    border_noise,
    estimate_noise,
    finite_median,
    has_noise,
    noise_unit_factor,
    to_standard_deviation,
)
from sersicnet.preprocessing.quality import header_flags, pixel_flags, source_flags
from sersicnet.preprocessing.sources import center, find_center, mask_neighbors, measure_shape
from sersicnet.preprocessing.units import (
    ZEROPOINT_CARDS,
    find_pixel_scale,
    find_zeropoint,
    per_cutout,
)
from sersicnet.preprocessing.windows import bin_pixels, crop_or_pad, cut, middle_origin

__all__ = [
    "ZEROPOINT_CARDS",
    "Stamps",
    "center",
    "crop_or_pad",
    "estimate_noise",
    "find_center",
    "mask_neighbors",
    "measure_shape",
    "prepare",
]

# Galaxies of a stack that are converted at once: few enough to stay in the processor's cache.
_CHUNK = 16
# Limits of what a network sees, far outside of what an image holds: they keep
# squares of float32 numbers finite.
_LARGEST_DATA, _LARGEST_WEIGHT = 1e12, 1e6


@dataclass(frozen=True, eq=False)
class Stamps(Rows):
    """N stamps of S x S pixels in universal units, and the way back.

    Attributes
    ----------
    data : (N, S, S) float32 `~numpy.ndarray`
        Cutout divided by the noise level; 0 where bad or padded.
    weight : (N, S, S) float32 `~numpy.ndarray`
        Noise level divided by the noise map (its median over good pixels
        is 1); 0 where masked, bad or padded.
    frame : `~sersicnet.preprocessing.StampFrame`
        Noise level, zero point, pixel scale and position of the middle.
    flags : (N,) int `~numpy.ndarray`
        Bits of `~sersicnet.Flags`.
    shapes : (N, 2) int `~numpy.ndarray`
        (ny, nx) of the cutouts that the user passed.
    wcs : list of N WCS or None
        The cutouts' celestial WCS.
    """

    data: np.ndarray
    weight: np.ndarray
    frame: StampFrame
    flags: np.ndarray
    shapes: np.ndarray
    wcs: list

    def __getitem__(self, rows):
        """The stamps of a slice, an integer, a list of indices or a boolean array."""
        if not isinstance(rows, slice):
            rows = np.atleast_1d(rows)
        return super().__getitem__(rows)


def prepare(cutouts, *, stamp_size=128, bins=1, pixel_scale=None, zeropoint=None, first=0):
    r"""Cut, pad and scale cutouts into a batch of stamps in universal units.

    With the noise map :math:`\sigma` (the uncertainty as a standard deviation) and the noise
    level :math:`\sigma_0`, its median over the good pixels of the stamp, a stamp holds

    .. math::

        \mathrm{data} = d / \sigma_0, \qquad \mathrm{weight} = \sigma_0 / \sigma,

    and zero in both where a pixel is masked, padded, NaN, infinite, or has no positive
    and finite noise. The stamp is the middle of the cutout as `crop_or_pad` defines it.

    Parameters
    ----------
    cutouts : `~astropy.nddata.NDData`, list of them, or (N, ny, nx) `~numpy.ndarray`
        One cutout, a list of cutouts of any sizes, or, faster, N cutouts of one size as a
        3-D NDData or an array (or quantity, or masked array). Data are of any real numeric
        type and byte order. The unit is a flux density per frequency, or counts.
        The uncertainty is a standard deviation, a variance or an inverse variance; where it is
        missing or of unknown kind, the noise is that of `estimate_noise` (and flagged).
        True in the mask is bad.
    stamp_size : int, optional
        S, pixels of a side of the stamps.
    bins : int, optional
        Pixels of the cutout on a side of each pixel of the stamp, for galaxies that are too
        large for it. Fluxes are added, and those of bad pixels taken as the mean of the others.
    pixel_scale : float, `~astropy.units.Quantity` or array, optional
        Arcsec (or arcsec per pixel), one for all or one a cutout. By default from the
        celestial WCS (square root of the pixel's area), else the header card ``PIXSCALE``.
    zeropoint : float, `~astropy.units.Quantity` or array, optional
        AB magnitude of one count, one for all or one a cutout. By default from the header card
        that comes first in `~sersicnet.preprocessing.ZEROPOINT_CARDS`, else, for counts per
        second, from HST's ``PHOTFLAM`` and ``PHOTPLAM``. A flux density needs none and ignores it.
    first : int, optional
        Number of the first of a list of cutouts in error messages.

    Returns
    -------
    Stamps

    Raises
    ------
    TypeError
        If ``cutouts`` or one of them is not NDData, or its data are not real numbers.
    ValueError
        If there is no cutout, one is not 2-D or has no pixels, a zero point or
        pixel scale is missing, or an argument is out of range.
    `~astropy.units.UnitConversionError`
        If a unit is neither a flux density nor counts, or an argument has a wrong one.

    Notes
    -----
    What is wrong with one galaxy sets bits of `~sersicnet.Flags` and leaves the others
    as they are. Where no pixel is usable (``NO_DATA``, ``NO_NOISE``) the stamp is zero and its
    noise level 1.

    Detection is that of a box of 6 x 6 pixels on the stamp, for ``LOW_SNR`` of 24 x 24 as well,
    with :math:`S/N = \sum d / \sigma^2 / \sqrt{\sum 1 / \sigma^2}`. The middle is a circle whose
    radius is 12 % of the cutout (of the stamp, where that is smaller), and at least 8 pixels.
    ``LOW_SNR`` means that S/N is below 5 in it, ``OFF_CENTER`` that it is larger elsewhere by
    5 and by a factor of 1.5. Integers in ``meta["flags"]`` are added to the flags.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astropy.nddata import CCDData, StdDevUncertainty
    >>> from sersicnet.preprocessing import prepare
    >>> data = np.full((101, 90), 4.0)
    >>> cutout = CCDData(data, unit="nJy", uncertainty=StdDevUncertainty(data / 2))
    >>> stamps = prepare([cutout], pixel_scale=0.06 * u.arcsec)
    >>> stamps.data.shape, float(stamps.data.max()), float(stamps.weight.min())
    ((1, 128, 128), 2.0, 0.0)
    >>> frame = stamps.frame
    >>> print(f"{frame.zeropoint[0]:.1f} {frame.noise_level[0]} {frame.x_middle[0]}")
    31.4 2.0 44.5
    """
    check_positive("stamp_size", stamp_size)
    check_positive("bins", bins)
    size, bins = int(stamp_size), int(bins)
    blocks, n_cutouts = _blocks(check_cutouts(cutouts, first=first), first)
    zeropoint = per_cutout(zeropoint, n_cutouts, "zeropoint")
    pixel_scale = per_cutout(pixel_scale, n_cutouts, "pixel_scale")
    stamps = _empty_stamps(n_cutouts, size)
    for cutout, rows, where in blocks:
        given = None if zeropoint is None else zeropoint[rows]
        stamps.frame.zeropoint[rows] = find_zeropoint(cutout, given, where)
        given = None if pixel_scale is None else pixel_scale[rows]
        stamps.frame.pixel_scale[rows] = find_pixel_scale(cutout, given, where)
        _fill(stamps, cutout, rows, bins, where)
    return stamps


def _blocks(cutouts, first):
    """The cutouts as [(NDData, its rows in the batch, its name in errors)] and their number."""
    if isinstance(cutouts, NDData):
        n_cutouts = len(cutouts.data)
        starts = range(0, n_cutouts, _CHUNK)
        rows = (slice(start, min(start + _CHUNK, n_cutouts)) for start in starts)
        return [(cutouts, chunk, "cutouts") for chunk in rows], n_cutouts
    blocks = [
        (cutout, slice(i, i + 1), f"cutouts[{first + i}]") for i, cutout in enumerate(cutouts)
    ]
    return blocks, len(cutouts)


def _empty_stamps(n_cutouts, size):
    """Stamps to be filled."""
    return Stamps(
        data=np.zeros((n_cutouts, size, size), dtype=np.float32),
        weight=np.zeros((n_cutouts, size, size), dtype=np.float32),
        frame=StampFrame(*(np.ones(n_cutouts) for _ in StampFrame.__dataclass_fields__)),
        flags=np.zeros(n_cutouts, dtype=np.int64),
        shapes=np.zeros((n_cutouts, 2), dtype=np.int64),
        wcs=[None] * n_cutouts,
    )


def _fill(stamps, cutout, rows, bins, where):
    """Fill the rows of the batch that belong to one cutout, or to a chunk of a stack."""
    shape = cutout.data.shape[-2:]
    size = stamps.data.shape[-1] * bins  # in pixels of the cutout
    origin = tuple(middle_origin(n_pixels, size) for n_pixels in shape)
    data, noise, masked = _read(cutout, rows, origin, size, where)
    with np.errstate(all="ignore"):  # what is not finite is masked here
        usable = ~masked & np.isfinite(data)
        good = usable & np.isfinite(noise) & (noise > 0)
        flags = pixel_flags(masked, usable, good)
        if bins > 1:  # a block does not know of single bad pixels in it
            data, noise, masked, usable, good = bin_pixels(data, noise, masked, usable, good, bins)
            flags = flags & int(Flags.BAD_PIXELS) | pixel_flags(masked, usable, good)
        level = _noise_level(noise, good)
        data = np.clip(data / level[:, None, None], -_LARGEST_DATA, _LARGEST_DATA)
        weight = np.minimum(level[:, None, None] / noise, _LARGEST_WEIGHT)
    np.copyto(stamps.data[rows], data, casting="same_kind", where=good)
    np.copyto(stamps.weight[rows], weight, casting="same_kind", where=good)
    stamps.frame.noise_level[rows], stamps.frame.bins[rows] = level, bins
    stamps.frame.y_middle[rows] = origin[0] + (size - 1) / 2
    stamps.frame.x_middle[rows] = origin[1] + (size - 1) / 2
    stamps.shapes[rows] = shape
    stamps.wcs[rows] = [celestial(cutout.wcs)] * len(level)
    flags |= header_flags(cutout.meta) | Flags.CROPPED * int(max(shape) > size)
    stamps.flags[rows] = flags | Flags.NOISE_ESTIMATED * int(not has_noise(cutout))
    length = min(*shape, size) // bins
    stamps.flags[rows] |= source_flags(stamps.data[rows], stamps.weight[rows], length)


def _read(cutout, rows, origin, size, where):
    """Data, noise (1 x 1 where it is one number) and mask of stamps of S x S pixels."""

    def stamp(array, name, fill, dtype=float):
        try:
            array = np.broadcast_to(array, cutout.data.shape)
        except ValueError:
            msg = f"the {name} of {where} has shape {array.shape}, its data {cutout.data.shape}"
            raise ValueError(msg) from None
        images = array[rows] if array.ndim == 3 else array[None]
        return cut(images, origin, (size, size), fill=fill, dtype=dtype)

    mask = np.asarray(False if cutout.mask is None else cutout.mask)
    masked = stamp(mask, "mask", True, dtype=bool)
    with np.errstate(all="ignore"):  # overflow of what is larger than a float64
        data = stamp(cutout.data, "data", 0)
        if has_noise(cutout):
            noise = stamp(np.asarray(cutout.uncertainty.array), "uncertainty", 0)
            noise = to_standard_deviation(noise, cutout.uncertainty.uncertainty_type)
            return data, noise * noise_unit_factor(cutout), masked
        chosen = rows if cutout.data.ndim == 3 else None
        whole_mask = np.broadcast_to(mask, cutout.data.shape)
        noise = border_noise(cutout.data[chosen], whole_mask[chosen])
    return data, noise[:, None, None], masked


def _noise_level(noise, good):
    """Median noise over the good pixels of each stamp, 1 where there are none."""
    if noise.shape[-1] == 1:
        return np.where(good.any(axis=(1, 2)), noise[:, 0, 0], 1.0)
    level = np.ones(len(noise))
    for i in np.flatnonzero(good.any(axis=(1, 2))):
        level[i] = finite_median(noise[i][good[i]])
    return level


def celestial(wcs):
    """The celestial WCS of a cutout or stack, None without."""
    if isinstance(wcs, WCS):
        wcs = wcs if wcs.naxis == 2 or not wcs.has_celestial else wcs.celestial
        return wcs if wcs.has_celestial else None
    if wcs is None or wcs.low_level_wcs.pixel_n_dim != 2:
        return None
    kinds = wcs.low_level_wcs.world_axis_physical_types
    return wcs if all(str(kind).startswith("pos.") for kind in kinds) else None


def check_cutouts(cutouts, *, first=0):
    """What the user passed as ``cutouts``, as one stack or a list of images.

    Parameters
    ----------
    cutouts : `~astropy.nddata.NDData` (2-D or 3-D), iterable of them, or (N, ny, nx) array
        As in `~sersicnet.preprocessing.prepare`.
    first : int
        Number of the first of them in error messages.

    Returns
    -------
    `~astropy.nddata.NDData`, or list of them
        One with 3-D data, or one for each 2-D image.

    Raises
    ------
    TypeError
        If ``cutouts`` or one of them is not NDData, or its data are not real numbers.
    ValueError
        If there is no cutout, or one is not 2-D or has no pixels.
    """
    if isinstance(cutouts, np.ndarray):
        _check_dtype(cutouts, "cutouts")
        cutouts = NDData(cutouts)
    if isinstance(cutouts, NDData):
        if np.ndim(cutouts.data) != 3:
            cutouts = [cutouts]
        else:
            _check_stack(cutouts)
            return cutouts
    if isinstance(cutouts, str | bytes | dict) or not isinstance(cutouts, Iterable):
        msg = (
            "cutouts must be an NDData, a list of them, or an (N, ny, nx) array, "
            f"not {type(cutouts).__name__}"
        )
        raise TypeError(msg)
    cutouts = list(cutouts)
    if not cutouts:
        msg = "cutouts is empty: at least one cutout is needed"
        raise ValueError(msg)
    for i, cutout in enumerate(cutouts):
        _check_image(cutout, f"cutouts[{first + i}]")
    return cutouts


def _check_stack(stack):
    """Refuse 3-D NDData without pixels or numbers."""
    _check_dtype(stack.data, "cutouts")
    if 0 in stack.data.shape:
        msg = f"cutouts has shape {stack.data.shape}: it holds no pixels"
        raise ValueError(msg)


def _check_image(cutout, where):
    """Refuse what is not one image as NDData."""
    if not isinstance(cutout, NDData):
        msg = f"{where} is of type {type(cutout).__name__}: an NDData or CCDData is needed"
        raise TypeError(msg)
    _check_dtype(cutout.data, where)
    if np.ndim(cutout.data) != 2 or 0 in cutout.data.shape:
        msg = f"{where} has shape {np.shape(cutout.data)}: a 2-D image with pixels is needed"
        raise ValueError(msg)


def _check_dtype(data, where):
    """Refuse data that are not real numbers."""
    dtype = getattr(data, "dtype", None)
    if dtype is None or dtype.kind not in "iuf":
        msg = f"{where} has data of type {dtype}: real numbers (integer or float) are needed"
        raise TypeError(msg)
