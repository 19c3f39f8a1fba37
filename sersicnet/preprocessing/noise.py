"""The noise of a cutout: its uncertainty as standard deviations, or an estimate."""

import numpy as np
from astropy.nddata import NDData

__all__ = [
    "border_noise",
    "estimate_noise",
    "finite_median",
    "has_noise",
    "noise_map",
    "noise_unit_factor",
    "sky_level",
    "to_standard_deviation",
]

# A robust sigma of fewer pixels says little; the whole cutout is tried instead.
_MIN_PIXELS = 16
# Standard deviation of a Gaussian over its median absolute deviation, 1 / Phi^-1(3/4).
_SIGMA_PER_MAD = 1.482602218505602

# Powers that turn what an uncertainty holds into a standard deviation.
_POWERS = {"std": 1, "var": 0.5, "ivar": -0.5}


def has_noise(cutout):
    """Whether the uncertainty says what it means (an unknown one counts as missing)."""
    uncertainty = cutout.uncertainty
    known = uncertainty is not None and uncertainty.uncertainty_type in _POWERS
    return known and uncertainty.array is not None


def noise_unit_factor(cutout):
    """The number that brings the standard deviation to the unit of the data.

    Raises
    ------
    `~astropy.units.UnitConversionError`
        If the uncertainty has a unit that the data's cannot be converted to.
    """
    unit = cutout.uncertainty.unit
    if unit is None or cutout.unit is None or unit == cutout.unit:
        return 1.0
    power = _POWERS[cutout.uncertainty.uncertainty_type]
    return (unit**power).to(cutout.unit)


def to_standard_deviation(values, uncertainty_type):
    """Standard deviations from an array of them, of variances or inverse variances."""
    power = _POWERS[uncertainty_type]
    with np.errstate(all="ignore"):  # what is not positive becomes NaN or infinite: bad
        if power == 1:
            return values
        return np.sqrt(values) if power == 0.5 else 1 / np.sqrt(values)


def noise_map(cutout):
    """The uncertainty of a cutout as standard deviations in the unit of the data."""
    array = np.asarray(cutout.uncertainty.array, dtype=float)
    sigma = to_standard_deviation(array, cutout.uncertainty.uncertainty_type)
    return np.broadcast_to(sigma * noise_unit_factor(cutout), cutout.data.shape)


def estimate_noise(cutout, *, border=None):
    """Robust standard deviation of the noise, from the border of a cutout.

    The estimate is 1.4826 times the median absolute deviation from the median over the good
    pixels of the border: neither the level of the sky nor sources on up to a quarter of
    the border matter much. Masked, NaN and infinite pixels are left out. Where the border has
    fewer than 16 good pixels, all good pixels of the cutout are used. Where more than half of
    the pixels have the same value (coarse integers), it is their standard deviation.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or `~numpy.ndarray`
        One image, or several of them along the first axis.
    border : int, optional
        Width of the border in pixels; by default 1/16 of the shorter side, 1 to 16 pixels.

    Returns
    -------
    float, or (N,) `~numpy.ndarray` for several images
        In the unit of the data. NaN where it is impossible: fewer than two good
        pixels, or all of the same value.

    Raises
    ------
    TypeError
        If ``cutout`` is neither NDData nor an array.
    ValueError
        If it is not an image or a stack of images, or ``border`` is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing import estimate_noise
    >>> image = np.random.default_rng(1).normal(100, 3, (64, 64))
    >>> image[24:40, 24:40] += 1000
    >>> print(f"{estimate_noise(image):.1f}")
    2.9
    """
    if not isinstance(cutout, NDData | np.ndarray):
        msg = f"cutout must be an NDData or an array, not {type(cutout).__name__}"
        raise TypeError(msg)
    image = cutout if isinstance(cutout, NDData) else NDData(cutout)
    if image.data.ndim not in (2, 3) or 0 in image.data.shape:
        msg = f"cutout has shape {image.data.shape}: one image, or several along the first axis"
        raise ValueError(msg)
    sigma = border_noise(image.data, image.mask, _border_width(image.data.shape, border))
    return float(sigma[0]) if image.data.ndim == 2 else sigma


def _border_width(shape, border):
    """Width of the border after a check of what the user asked for."""
    if border is None:
        return int(np.clip(min(shape[-2:]) // 16, 1, 16))
    if not isinstance(border, int | np.integer) or border < 1:
        msg = f"border={border!r} must be a positive integer"
        raise ValueError(msg)
    return int(border)


def border_noise(data, mask, border=None):
    """The estimate for each image of ``data`` ((ny, nx) or (N, ny, nx)) and its mask."""
    data = data.reshape(-1, *data.shape[-2:])
    mask = None if mask is None else np.broadcast_to(mask, data.shape)
    border = border or _border_width(data.shape, None)
    values, good = _good_values(data, mask, border)
    scarce = good.sum(axis=1) < _MIN_PIXELS
    sigma = np.full(len(data), np.nan)
    whole = good.all(axis=1) & ~scarce
    sigma[whole] = _robust_sigma(values[whole])
    for i in np.flatnonzero(~whole & ~scarce):
        sigma[i] = _robust_sigma(values[i][good[i]][None])[0]
    for i in np.flatnonzero(scarce):
        row_mask = None if mask is None else mask[i : i + 1]
        everything, usable = _good_values(data[i : i + 1], row_mask, None)
        sigma[i] = _robust_sigma(everything[usable][None])[0]
    return sigma


def finite_median(values):
    """Median along the last axis of finite numbers.

    Several times faster than `numpy.median`, which asks for two neighbors and the last element
    in one partition and so misses numpy's vectorized selection.
    """
    half = values.shape[-1] // 2
    parted = np.partition(values, half, axis=-1)
    upper = parted[..., half]
    if values.shape[-1] % 2:
        return upper
    lower = parted[..., :half].max(axis=-1)
    return lower + (upper - lower) / 2


def sky_level(cutout):
    """Median of the good pixels of the border of one image (of all, where it has few)."""
    data, mask = cutout.data[None], cutout.mask
    mask = None if mask is None else np.broadcast_to(mask, data.shape)
    for border in (_border_width(data.shape, None), None):
        values, good = _good_values(data, mask, border)
        if good.sum() >= _MIN_PIXELS:
            break
    return float(finite_median(values[good])) if good.any() else 0.0


def _good_values(data, mask, border):
    """Pixels of the border (all for None) in one row an image, and which are good."""
    values = _flat_border(data, border).astype(float)
    good = np.isfinite(values)
    if mask is not None:
        good &= ~_flat_border(mask, border).astype(bool)
    return values, good


def _flat_border(array, border):
    """The pixels closer than ``border`` to an edge, (N, M)."""
    n, ny, nx = array.shape
    if border is None or 2 * border >= min(ny, nx):
        return array.reshape(n, -1)
    b = border
    strips = (array[:, :b], array[:, -b:], array[:, b:-b, :b], array[:, b:-b, -b:])
    return np.concatenate([strip.reshape(n, -1) for strip in strips], axis=1)


def _robust_sigma(values):
    """The standard deviation of each row of (N, M), NaN where there is none."""
    if values.size == 0:
        return np.full(len(values), np.nan)
    with np.errstate(all="ignore"):
        deviation = np.abs(values - finite_median(values)[:, None])
        sigma = _SIGMA_PER_MAD * finite_median(deviation)
        flat = sigma == 0
        if flat.any():
            sigma[flat] = np.std(values[flat], axis=1)
    return np.where((sigma > 0) & np.isfinite(sigma), sigma, np.nan)
