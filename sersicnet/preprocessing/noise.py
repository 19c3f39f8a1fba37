"""Noise of a cutout: its uncertainty as standard deviations, or an estimate."""

import numpy as np
from astropy.nddata import NDData

from sersicnet.io.mask_bits import cutout_mask
from sersicnet.preprocessing.missing import missing_in_stack

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
SIGMA_PER_MAD = 1.482602218505602

# Powers that turn what an uncertainty holds into a standard deviation.
_POWERS = {"std": 1, "var": 0.5, "ivar": -0.5}


def has_noise(cutout):
    """Return whether a cutout has an uncertainty of a known kind."""
    uncertainty = cutout.uncertainty
    if uncertainty is None or uncertainty.array is None:
        return False
    return uncertainty.uncertainty_type in _POWERS


def noise_unit_factor(cutout):
    """Return the factor from the unit of the standard deviation to that of the data.

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
    """Return standard deviations, from these themselves, variances or inverse variances.

    Parameters
    ----------
    values : `~numpy.ndarray`
        The array of an uncertainty.
    uncertainty_type : {"std", "var", "ivar"}
        Kind of the uncertainty, as NDData names it.

    Returns
    -------
    `~numpy.ndarray`
        NaN or infinite where a variance is not positive.
    """
    with np.errstate(all="ignore"):
        match uncertainty_type:
            case "std":
                return values
            case "var":
                return np.sqrt(values)
            case "ivar":
                return 1 / np.sqrt(values)


def noise_map(cutout):
    """Return the uncertainty of a cutout as standard deviations, in the unit of the data."""
    array = np.asarray(cutout.uncertainty.array, dtype=float)
    sigma = to_standard_deviation(array, cutout.uncertainty.uncertainty_type)
    return np.broadcast_to(sigma * noise_unit_factor(cutout), cutout.data.shape)


def estimate_noise(cutout, *, border=None):
    """Estimate the standard deviation of the noise from the border of a cutout.

    The estimate is 1.4826 times the median absolute deviation from the median over the good
    pixels of the border: it hardly depends on the level of the sky, nor on sources that cover up
    to a quarter of the border. Masked, NaN and infinite pixels and areas that a constant fills are
    left out. Where the border has
    fewer than 16 good pixels, all good pixels of the cutout are used. Where more than half of
    the pixels have the same value (coarse integers), the estimate is their standard deviation.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or `~numpy.ndarray`
        One image, or several of them along the first axis.
    border : int, optional
        Width of the border in pixels; by default 1/16 of the shorter side, 1 to 16 pixels.

    Returns
    -------
    float, or (N,) `~numpy.ndarray` for several images
        Standard deviation, in the unit of the data. NaN where there are fewer than two good
        pixels, or all have the same value.

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
    image = cutout
    if not isinstance(image, NDData):
        image = NDData(image)
    if image.data.ndim not in (2, 3) or 0 in image.data.shape:
        msg = f"cutout has shape {image.data.shape}: one image, or several along the first axis"
        raise ValueError(msg)
    images = image.data.reshape(-1, *image.data.shape[-2:])
    mask = cutout_mask(image)
    if mask is None:
        mask = np.zeros(image.data.shape, bool)
    mask = mask.reshape(images.shape)
    sigma = border_noise(
        images, mask | missing_in_stack(images, mask), _border_width(image.data.shape, border)
    )
    if image.data.ndim == 2:
        return float(sigma[0])
    return sigma


def _border_width(shape, border):
    """Return the width of the border that the user asked for, or the default."""
    if border is None:
        return int(np.clip(min(shape[-2:]) // 16, 1, 16))
    if not isinstance(border, int | np.integer) or border < 1:
        msg = f"border={border!r} must be a positive integer"
        raise ValueError(msg)
    return int(border)


def border_noise(data, mask, border=None):
    """Estimate the noise of images as `estimate_noise` does.

    Parameters
    ----------
    data : (ny, nx) or (N, ny, nx) `~numpy.ndarray`
        The images.
    mask : bool `~numpy.ndarray` or None
        Mask of the same shape, or one for all images.
    border : int, optional
        Width of the border in pixels.

    Returns
    -------
    (N,) `~numpy.ndarray`
    """
    data = data.reshape(-1, *data.shape[-2:])
    if mask is not None:
        mask = np.broadcast_to(mask, data.shape)
    border = border or _border_width(data.shape, None)
    values, good = _good_values(data, mask, border)
    scarce = good.sum(axis=1) < _MIN_PIXELS
    whole = good.all(axis=1) & ~scarce
    sigma = np.full(len(data), np.nan)
    sigma[whole] = _robust_sigma(values[whole])
    for i in np.flatnonzero(~whole & ~scarce):
        sigma[i] = _robust_sigma(values[i][good[i]][None])[0]
    for i in np.flatnonzero(scarce):
        row_mask = None if mask is None else mask[i : i + 1]
        everything, usable = _good_values(data[i : i + 1], row_mask, None)
        sigma[i] = _robust_sigma(everything[usable][None])[0]
    return sigma


def finite_median(values):
    """Return the median along the last axis of finite numbers.

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
    """Return the median of the good pixels of the border of one image.

    It is that of all good pixels where the border has few, and 0 where there are none.
    """
    data = cutout.data[None]
    mask = cutout.mask
    if mask is not None:
        mask = np.broadcast_to(mask, data.shape)
    for border in (_border_width(data.shape, None), None):
        values, good = _good_values(data, mask, border)
        if good.sum() >= _MIN_PIXELS:
            break
    if not good.any():
        return 0.0
    return float(finite_median(values[good]))


def _good_values(data, mask, border):
    """Return pixels of the border (all for None), one row per image, and which are good."""
    values = _flat_border(data, border).astype(float)
    good = np.isfinite(values)
    if mask is not None:
        good &= ~_flat_border(mask, border).astype(bool)
    return values, good


def _flat_border(array, border):
    """Return the pixels closer than ``border`` to an edge, (N, M)."""
    n, ny, nx = array.shape
    if border is None or 2 * border >= min(ny, nx):
        return array.reshape(n, -1)
    strips = (
        array[:, :border],
        array[:, -border:],
        array[:, border:-border, :border],
        array[:, border:-border, -border:],
    )
    return np.concatenate([strip.reshape(n, -1) for strip in strips], axis=1)


def _robust_sigma(values):
    """Return the standard deviation of each row of (N, M), NaN where there is none.

    Equal to `astropy.stats.mad_std`, and several times faster (see `finite_median`).
    """
    if values.size == 0:
        return np.full(len(values), np.nan)
    with np.errstate(all="ignore"):
        deviation = np.abs(values - finite_median(values)[:, None])
        sigma = SIGMA_PER_MAD * finite_median(deviation)
        flat = sigma == 0
        if flat.any():
            sigma[flat] = np.std(values[flat], axis=1)
    return np.where((sigma > 0) & np.isfinite(sigma), sigma, np.nan)
