"""Flags of stamps: faults of their pixels, and sources that are faint or off the middle."""

import numpy as np

from sersicnet.flags import FLAG_CARD, Flags

__all__ = ["header_flags", "middle_radius", "pixel_flags", "saturation_flags", "source_flags"]

# S/N of a smoothed peak that counts as a source.
_DETECTION = 5
# A source off the middle must be brighter than the one in the middle by this factor.
_BRIGHTER = 1.5
# Radius in pixels within which the galaxy is expected; boxes reach 3 pixels further.
_NEAR = 3.2
# Share of that circle that must have good pixels.
_NEAR_GOOD = 0.9
# Radius of the circle that is the middle, in units of the cutout.
_MIDDLE_FRACTION = 0.12
# Its least radius in pixels.
_MIDDLE_RADIUS = 8
# Side of the central square in pixels.
_CORE = 9
# Share of the central square that must be good.
_CORE_GOOD = 0.9


def header_flags(meta):
    """Return `Flags.RENDER_FAILED` if the simulator put it into the card `FLAG_CARD`, else 0."""
    if meta.get(FLAG_CARD, 0) == int(Flags.RENDER_FAILED):
        return Flags.RENDER_FAILED
    return 0


def pixel_flags(masked, usable, good):
    """Return the flags that follow from which pixels are good.

    Parameters
    ----------
    masked : (N, S, S) bool `~numpy.ndarray`
        Pixels that the user has masked, and padding.
    usable : (N, S, S) bool `~numpy.ndarray`
        Pixels that are not masked and have finite data.
    good : (N, S, S) bool `~numpy.ndarray`
        Usable pixels with positive, finite noise.

    Returns
    -------
    (N,) int `~numpy.ndarray`
    """
    any_usable = usable.any(axis=(1, 2))
    any_good = good.any(axis=(1, 2))
    first = max(good.shape[-1] // 2 - _CORE // 2, 0)
    core = good[:, first : first + _CORE, first : first + _CORE]
    flags = Flags.NO_DATA * ~any_usable
    flags = flags | Flags.NO_NOISE * (any_usable & ~any_good)
    flags |= Flags.BAD_PIXELS * (~masked & ~good).any(axis=(1, 2))
    return flags | Flags.CENTER_MASKED * (core.sum(axis=(1, 2)) < _CORE_GOOD * _CORE**2)


def saturation_flags(saturated):
    """Return `Flags.SATURATED` where pixels in the middle of a stamp are saturated.

    Parameters
    ----------
    saturated : (N, S, S) bool `~numpy.ndarray`
        Saturated pixels.

    Returns
    -------
    (N,) int `~numpy.ndarray`
    """
    size = saturated.shape[-1]
    return Flags.SATURATED * saturated[:, _middle(size, 1, size, size)].any(axis=1)


def source_flags(data, weight, length):
    """Return `Flags.LOW_SNR` and `Flags.OFF_CENTER`, from smoothed S/N maps.

    Parameters
    ----------
    data, weight : (N, S, S) float32 `~numpy.ndarray`
        Data and weights of stamps.
    length : int
        Shorter side of the cutouts within the stamp, which sets the size of the middle.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        0 for stamps without a good pixel.
    """
    size = data.shape[-1]
    power = weight * weight
    signal = data * power
    missing = -size % 8
    if missing:
        pad = ((0, 0), (0, missing), (0, missing))
        signal = np.pad(signal, pad)
        power = np.pad(power, pad)
    signal = _halve(signal)
    power = _halve(power)
    middle = _middle(signal.shape[-1], 2, size, length)
    near = _circle(signal.shape[-1], 2, size, _NEAR)
    visible = (power[:, near] > 0).mean(axis=1) >= _NEAR_GOOD
    fine = _box_snr(signal, power)
    inside = _largest(fine, middle)
    center = np.where(visible, _largest(fine, near), inside)
    elsewhere = np.where(visible, _largest(fine, ~near), _largest(fine, ~middle))
    signal = _halve(_halve(signal))
    power = _halve(_halve(power))
    coarse = _largest(_box_snr(signal, power), _middle(signal.shape[-1], 8, size, length))
    detected = np.maximum(inside, coarse) >= _DETECTION
    off_center = (elsewhere > center + _DETECTION) & (elsewhere > _BRIGHTER * center)
    flags = Flags.LOW_SNR * ~detected | Flags.OFF_CENTER * off_center
    return flags * weight.any(axis=(1, 2))


def _halve(images):
    """Return sums over 2 x 2 pixels."""
    images = images[:, 0::2] + images[:, 1::2]
    return images[:, :, 0::2] + images[:, :, 1::2]


def _box_snr(signal, power):
    """Return the S/N in boxes of 3 x 3 around each pixel of binned maps."""
    signal = _box_sum(signal)
    power = _box_sum(power)
    return np.divide(signal, np.sqrt(power), out=np.zeros_like(signal), where=power > 0)


def _box_sum(images):
    """Return sums over 3 x 3 pixels, zero outside.

    The running sums of `scipy.ndimage.uniform_filter` leave rounding errors of bright pixels where
    all are zero.
    """
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]


def _middle(n_bins, width, size, length):
    """Return which bins of ``width`` pixels have their center in the middle of the stamp."""
    return _circle(n_bins, width, size, middle_radius(length))


def _circle(n_bins, width, size, radius):
    """Return which bins of ``width`` pixels have their center within a radius in pixels."""
    offset = np.arange(n_bins) * width + (width - 1) / 2 - (size - 1) / 2
    return np.hypot(offset[:, None], offset) <= radius


def middle_radius(length):
    """Return the radius of the middle of cutouts whose shorter side is ``length``, in pixels."""
    return np.maximum(_MIDDLE_RADIUS, _MIDDLE_FRACTION * length)


def _largest(images, chosen):
    """Return the largest value of each image among the chosen pixels."""
    return images[:, chosen].max(axis=1, initial=-np.inf)
