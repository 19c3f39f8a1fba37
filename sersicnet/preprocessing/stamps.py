"""Stamps in universal units, built from cutouts that have been checked.

A stamp is the middle of a cutout, divided by the median of its noise map: the network sees S/N
units and pixels, for any zero point, exposure time and pixel scale. These stay in a
`~sersicnet.preprocessing.StampFrame`, which turns labels into physical values by arithmetic.
"""

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar

import numpy as np
from astropy.nddata import NDData, block_reduce

from sersicnet._caller import warn_caller
from sersicnet._rows import Rows
from sersicnet.flags import Flags
from sersicnet.preprocessing.frame import StampFrame
from sersicnet.preprocessing.missing import missing_in_stack
from sersicnet.preprocessing.noise import (
    border_noise,
    finite_median,
    has_noise,
    noise_unit_factor,
    to_standard_deviation,
)
from sersicnet.preprocessing.noise_maps import lone_weights, rebuilt_noise
from sersicnet.preprocessing.photons import add_photons, find_gain
from sersicnet.preprocessing.pixels import celestial, find_pixels
from sersicnet.preprocessing.quality import (
    header_flags,
    pixel_flags,
    saturation_flags,
    source_flags,
)
from sersicnet.preprocessing.saturation import flat_tops
from sersicnet.preprocessing.units import rows_or_none
from sersicnet.preprocessing.windows import bin_pixels, cut, middle_origin
from sersicnet.preprocessing.zeropoints import find_zeropoint

__all__ = ["CheckedCutout", "Stamps", "are_checked", "build_stamps"]

# Galaxies of a stack that are converted at once: few enough to stay in the processor's cache.
_CHUNK = 16
# Limits of data and weights, which keep squares of float32 numbers finite.
_LARGEST_DATA = 1e12
_LARGEST_WEIGHT = 1e6


@dataclass(frozen=True, eq=False)
class CheckedCutout:
    """Pixels that are known to make a cutout, such as those of a window of a survey image.

    Attributes
    ----------
    data : (ny, nx) float `~numpy.ndarray`
        The image, without a unit.
    noise : (ny, nx) `~numpy.ndarray`
        Standard deviation of the noise.
    mask : (ny, nx) bool `~numpy.ndarray`
        True is bad.
    stretch : (2, 2) `~numpy.ndarray`, optional
        Shape of its pixels, as in `~sersicnet.preprocessing.StampFrame`.
    sky_err : float, optional
        Error of the sky that was subtracted, in the unit of the image, where known.
    noise_correlation : `~sersicnet.preprocessing.correlation.NoiseCorrelation`, optional
        Correlation of its noise, where it was measured from more than its own pixels.
    member : `~sersicnet.preprocessing.surroundings.Member`, optional
        The place of its source in a group, whose members are not in the mask.
    nearest : float, optional
        Distance of the nearest pixel of another source from the middle, in pixels, where a source
        may be fitted together with others later.
    grid : (2, 3) `~numpy.ndarray`, optional
        Matrix and offset from pixels of one image to those of the cutout, of several images.
    counts : `~sersicnet.preprocessing.counts.SourceCounts`, optional
        Numbers of sources of the image, of which those that are hidden add to the errors of fits.
    surroundings : `~sersicnet.preprocessing.surroundings.Surroundings`, optional
        Its sources, where its neighbors may be fitted with it and are not in the mask.
    """

    data: np.ndarray
    noise: np.ndarray
    mask: np.ndarray
    stretch: np.ndarray = None
    sky_err: float = None
    noise_correlation: object = None
    member: object = None
    nearest: float = None
    grid: np.ndarray = None
    counts: object = None
    surroundings: object = None
    unit: ClassVar = None
    wcs: ClassVar = None
    psf: ClassVar = None
    meta: ClassVar = MappingProxyType({})


def are_checked(cutouts):
    """Return whether cutouts are a list of `CheckedCutout`."""
    return isinstance(cutouts, list) and isinstance(cutouts[0], CheckedCutout)


@dataclass(frozen=True, eq=False)
class Stamps(Rows):
    """N stamps of S x S pixels in universal units, and the way back.

    Stamps do not change: methods return new ones, and the arrays (but those of the frame) are
    read-only.

    Attributes
    ----------
    data : (N, S, S) float32 `~numpy.ndarray`
        Cutouts divided by the noise level; 0 where bad or padded.
    weight : (N, S, S) float32 `~numpy.ndarray`
        Noise level divided by the noise map (its median over good pixels
        is 1); 0 where masked, bad or padded.
    gaps : (N, S, S) float16 `~numpy.ndarray`
        Share of each pixel that is bad but was not masked: NaN, infinite, without noise, or filled
        by a constant.
    frame : `~sersicnet.preprocessing.StampFrame`
        Noise level, zero point, pixel scale and position of the middle.
    flags : (N,) int `~numpy.ndarray`
        Bits of `~sersicnet.Flags`.
    shapes : (N, 2) int `~numpy.ndarray`
        (ny, nx) of the cutouts that the user passed.
    wcs : list of N WCS or None
        Celestial WCS of each cutout.
    gain : (N,) `~numpy.ndarray`
        Electrons per unit of the cutouts, NaN where not known.
    photons : (N,) int `~numpy.ndarray`
        Photons of sources: 0 gain not known, 1 in the noise map, 2 added, 3 left out, 4 in counts.
    grid : (N, 2, 3) `~numpy.ndarray`
        Matrices and offsets that lead from the pixels of one image to those of the cutouts, where
        several images show the sources; NaN where there are none.
    """

    data: np.ndarray
    weight: np.ndarray
    gaps: np.ndarray
    frame: StampFrame
    flags: np.ndarray
    shapes: np.ndarray
    wcs: list
    gain: np.ndarray
    photons: np.ndarray
    grid: np.ndarray

    def __post_init__(self):
        for name in ("data", "weight", "gaps", "flags", "shapes"):
            array = getattr(self, name).view()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __getitem__(self, rows):
        """Return the stamps of a slice, an integer, a list of indices or a boolean array."""
        if not isinstance(rows, slice):
            rows = np.atleast_1d(rows)
        return super().__getitem__(rows)

    def with_flags(self, flags):
        """Return the same stamps with flags, an integer or (N,) array, added to theirs."""
        return replace(self, flags=self.flags | flags)

    def without_flags(self, flags):
        """Return the same stamps without some flags, an integer or (N,) array, of theirs."""
        return replace(self, flags=self.flags & ~flags)


def build_stamps(
    cutouts, *, stamp_size, bins, pixel_scale, zeropoint, gain=None, first=0, warns=True, moves=None
):
    """Build the stamps of cutouts that have been checked.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.NDData` or `CheckedCutout`, or one NDData with 3-D data
        From `~sersicnet.preprocessing.images.check_cutouts`.
    stamp_size, bins : int
        As in `~sersicnet.preprocessing.prepare`.
    pixel_scale, zeropoint, gain : (N,) `~numpy.ndarray` or None
        From `~sersicnet.preprocessing.units.per_cutout`.
    first : int
        Number of the first of them in error messages.
    warns : bool
        Whether to warn of doubtful scales, zero points and gains.
    moves : (N, 2) int `~numpy.ndarray`, optional
        Pixels (y, x) from the middle of each cutout to that of its stamp, by default 0.

    Returns
    -------
    Stamps

    Raises
    ------
    ValueError, `~astropy.units.UnitConversionError`
        If a cutout has no zero point or pixel scale, or a unit, mask or noise that does not fit.
    """
    blocks, n_cutouts = _blocks(cutouts, first, together=_CHUNK if moves is None else 1)
    shape = (n_cutouts, stamp_size, stamp_size)
    arrays = {name: np.ones(n_cutouts) for name in StampFrame.__dataclass_fields__}
    arrays["data"] = np.zeros(shape, dtype=np.float32)
    arrays["weight"] = np.zeros(shape, dtype=np.float32)
    arrays["gaps"] = np.zeros(shape, dtype=np.float16)
    arrays["flags"] = np.zeros(n_cutouts, dtype=np.int64)
    arrays["photons"] = np.zeros(n_cutouts, dtype=np.int64)
    arrays["gain"] = np.full(n_cutouts, np.nan)
    arrays["shapes"] = np.zeros((n_cutouts, 2), dtype=np.int64)
    arrays["stretch"] = np.zeros((n_cutouts, 2, 2))
    arrays["grid"] = np.full((n_cutouts, 2, 3), np.nan)
    doubts = []
    zeropoint_doubts = []
    gain_doubts = []
    wcs = [None] * n_cutouts
    for cutout, rows, where in blocks:
        scale = rows_or_none(pixel_scale, rows)
        given = rows_or_none(zeropoint, rows)
        found = find_zeropoint(cutout, given, where, pixel_scale=scale)
        arrays["zeropoint"][rows] = found.value
        if found.doubt is not None:
            zeropoint_doubts.append(f"{where}: {found.doubt}")
        scale, stretch, doubt = find_pixels(cutout, scale, where)
        arrays["pixel_scale"][rows] = scale
        arrays["stretch"][rows] = stretch
        if doubt is not None and doubt not in doubts:
            doubts.append(doubt)
        if not isinstance(cutout, CheckedCutout):  # whose window has the photons
            arrays["gain"][rows], doubt = find_gain(cutout, rows_or_none(gain, rows), where)
            if doubt is not None:
                gain_doubts.append(doubt)
        move = (0, 0) if moves is None else moves[rows.start]
        _fill(arrays, cutout, rows, bins, where, move)
        wcs[rows] = [celestial(cutout.wcs)] * (rows.stop - rows.start)
    if warns:
        for found in (doubts, zeropoint_doubts, gain_doubts):
            _warn(found)
    frame = StampFrame(**{name: arrays.pop(name) for name in StampFrame.__dataclass_fields__})
    return Stamps(frame=frame, wcs=wcs, **arrays)


def _warn(doubts):
    """Warn of the first of some cutouts whose scales, zero points or gains are doubtful."""
    if not doubts:
        return
    msg = doubts[0]
    if len(doubts) > 1:
        msg += f"; {len(doubts)} cutouts are like that"
    warn_caller(msg)


def _blocks(cutouts, first, together):
    """Return [(NDData, its rows in the batch, its name in errors)] and the number of cutouts."""
    blocks = []
    if isinstance(cutouts, NDData):
        n_cutouts = len(cutouts.data)
        for start in range(0, n_cutouts, together):
            rows = slice(start, min(start + together, n_cutouts))
            blocks.append((cutouts, rows, "cutouts"))
        return blocks, n_cutouts
    for i, cutout in enumerate(cutouts):
        blocks.append((cutout, slice(i, i + 1), f"cutouts[{first + i}]"))
    return blocks, len(cutouts)


def _fill(arrays, cutout, rows, bins, where, move):
    """Fill the rows of the arrays that belong to one cutout, or to a chunk of a stack."""
    shape = cutout.data.shape[-2:]
    size = arrays["data"].shape[-1] * bins  # in pixels of the cutout
    origin = tuple(middle_origin(n, size) + int(step) for n, step in zip(shape, move, strict=True))
    data, noise, masked, missing = _read(cutout, rows, origin, size, where)
    with np.errstate(all="ignore"):  # what is not finite is masked here
        good = ~masked & np.isfinite(data) & np.isfinite(noise) & (noise > 0)
        saturated = np.zeros_like(good)
        if not isinstance(cutout, CheckedCutout):  # else the window knows them
            saturated = _saturated(data, noise, good)
        masked = masked | saturated
        usable = ~masked & ~missing & np.isfinite(data)
        good &= usable & ~_lone_weights(noise, good)
        flags = pixel_flags(masked, usable, good) | saturation_flags(saturated)
        gaps = ~masked & ~good
        noise, from_data, photons = _complete_noise(data, noise, good, arrays["gain"][rows])
        if bins > 1:  # single bad pixels do not show in the flags of a block
            data, noise, masked, usable, good = bin_pixels(data, noise, masked, usable, good, bins)
            flags = flags & int(Flags.BAD_PIXELS | Flags.SATURATED)
            flags |= pixel_flags(masked, usable, good)
            gaps = block_reduce(gaps, (1, bins, bins), func=np.mean)
        level = _noise_level(noise, good, least=getattr(cutout, "is_counts", False))
        data = np.clip(data / level[:, None, None], -_LARGEST_DATA, _LARGEST_DATA)
        weight = np.minimum(level[:, None, None] / noise, _LARGEST_WEIGHT)
    np.copyto(arrays["data"][rows], data, casting="same_kind", where=good)
    np.copyto(arrays["weight"][rows], weight, casting="same_kind", where=good)
    arrays["gaps"][rows] = gaps
    arrays["photons"][rows] = photons
    arrays["noise_level"][rows] = level
    arrays["bins"][rows] = bins
    arrays["y_middle"][rows] = origin[0] + (size - 1) / 2
    arrays["x_middle"][rows] = origin[1] + (size - 1) / 2
    arrays["shapes"][rows] = shape
    if isinstance(cutout, CheckedCutout) and cutout.grid is not None:
        arrays["grid"][rows] = cutout.grid
    flags |= Flags.NOISE_FROM_DATA * from_data
    flags |= _cutout_flags(cutout, size)
    length = min(*shape, size) // bins
    flags |= source_flags(arrays["data"][rows], arrays["weight"][rows], length)
    arrays["flags"][rows] = flags


def _cutout_flags(cutout, size):
    """Return the flags that a cutout has whatever its pixels are; stamps have ``size`` of them."""
    flags = header_flags(cutout.meta) | Flags.CROPPED * int(max(cutout.data.shape[-2:]) > size)
    if isinstance(cutout, CheckedCutout):
        flags |= getattr(cutout, "flags", 0)
    elif not has_noise(cutout):
        flags |= Flags.NOISE_ESTIMATED
    return flags


def _read(cutout, rows, origin, size, where):
    """Return data, noise (1 x 1 where it is one number), mask and gaps of stamps of S x S pixels.

    Gaps are pixels that are filled by a constant and not masked.
    """

    def whole(array, name):
        try:
            array = np.broadcast_to(array, cutout.data.shape)
        except ValueError:
            msg = f"the {name} of {where} has shape {array.shape}, its data {cutout.data.shape}"
            raise ValueError(msg) from None
        return array[rows] if array.ndim == 3 else array[None]

    def stamp(images, fill, dtype=float):
        return cut(images, origin, (size, size), fill=fill, dtype=dtype)

    mask = whole(np.asarray(False if cutout.mask is None else cutout.mask), "mask")
    images = whole(cutout.data, "data")
    masked = stamp(mask, True, dtype=bool)
    with np.errstate(all="ignore"):  # overflow of what is larger than a float64
        data = stamp(images, 0)
        if isinstance(cutout, CheckedCutout):
            return data, stamp(whole(cutout.noise, "noise"), 0), masked, np.zeros_like(masked)
        if has_noise(cutout):
            array = whole(np.asarray(cutout.uncertainty.array), "uncertainty")
            sigma = _sigma_of(cutout)
            noise = sigma(stamp(array, 0))
            gaps = missing_in_stack(images, mask, noise=lambda i: sigma(array[i].astype(float)))
        else:
            gaps = missing_in_stack(images, mask)
            noise = border_noise(images, mask | gaps)[:, None, None]
    return data, noise, masked, stamp(gaps, False, dtype=bool) & ~masked


def _sigma_of(cutout):
    """Return the function that makes standard deviations of pixels of the uncertainty."""
    kind = cutout.uncertainty.uncertainty_type
    factor = noise_unit_factor(cutout)
    return lambda values: to_standard_deviation(values, kind) * factor


def _saturated(data, noise, good):
    """Return the flat tops of stamps, (N, S, S)."""
    noise = np.broadcast_to(noise, data.shape)
    return np.array([flat_tops(*stamp) for stamp in zip(data, noise, ~good, strict=True)])


def _lone_weights(noise, good):
    """Return single pixels with far too little noise, (N, S, S)."""
    if noise.shape[-1] == 1:
        return np.zeros_like(good)
    return np.array([lone_weights(*stamp) for stamp in zip(noise, good, strict=True)])


def _complete_noise(data, noise, good, gain):
    """Return noise maps that do not follow single pixels, and that have the photons of sources.

    Also which of them followed their pixels, and what was done about the photons.
    """
    noise, from_data = rebuilt_noise(data, noise, good)
    noise, photons = add_photons(data, noise, good, gain, from_data)
    return noise, from_data, photons


def _noise_level(noise, good, least):
    """Return the median (or the least) noise of good pixels of each stamp, 1 where none is."""
    any_good = good.any(axis=(1, 2))
    if noise.shape[-1] == 1:
        return np.where(any_good, noise[:, 0, 0], 1.0)
    level = np.ones(len(noise))
    for i in np.flatnonzero(any_good):
        level[i] = (np.min if least else finite_median)(noise[i][good[i]])
    return level
