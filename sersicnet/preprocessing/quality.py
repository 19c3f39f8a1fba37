"""Flags of stamps: what is wrong with their pixels, and whether a source is in the middle."""

import numpy as np

from sersicnet.flags import FLAG_CARD, Flags

__all__ = ["header_flags", "pixel_flags", "source_flags"]

# S/N of a smoothed peak that counts as a source.
_DETECTION = 5
# A source off the middle must be brighter than the one in the middle by this factor.
_BRIGHTER = 1.5
# The middle: a circle with this radius in units of the cutout, and its least radius in pixels.
_MIDDLE_FRACTION, _MIDDLE_RADIUS = 0.12, 8


def header_flags(meta):
    """`Flags.RENDER_FAILED` where the simulator put it into the card `FLAG_CARD`."""
    value = meta.get(FLAG_CARD, 0)
    return Flags.RENDER_FAILED if value == int(Flags.RENDER_FAILED) else 0


def pixel_flags(masked, usable, good):
    """Flags that follow from which pixels are good.

    Parameters
    ----------
    masked, usable, good : (N, S, S) bool `~numpy.ndarray`
        Masked or padded by the user; not masked and with finite data; with noise as well.

    Returns
    -------
    (N,) int `~numpy.ndarray`
    """
    any_usable, any_good = usable.any(axis=(1, 2)), good.any(axis=(1, 2))
    first = max(good.shape[-1] // 2 - 4, 0)
    core = good[:, first : first + 9, first : first + 9]
    flags = Flags.NO_DATA * ~any_usable
    flags = flags | Flags.NO_NOISE * (any_usable & ~any_good)
    flags |= Flags.BAD_PIXELS * (~masked & ~good).any(axis=(1, 2))
    return flags | Flags.CENTER_MASKED * (core.sum(axis=(1, 2)) < 0.9 * 81)


def source_flags(data, weight, length):
    """`Flags.LOW_SNR` and `Flags.OFF_CENTER` from smoothed S/N maps.

    Parameters
    ----------
    data, weight : (N, S, S) float32 `~numpy.ndarray`
        Stamps.
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
        signal, power = np.pad(signal, pad), np.pad(power, pad)
    signal, power = _halve(signal), _halve(power)
    middle = _middle(signal.shape[-1], 2, size, length)
    fine = _box_snr(signal, power)
    inside = fine[:, middle].max(axis=1, initial=-np.inf)
    outside = fine[:, ~middle].max(axis=1, initial=-np.inf)
    signal, power = _halve(_halve(signal)), _halve(_halve(power))
    coarse = _box_snr(signal, power)[:, _middle(signal.shape[-1], 8, size, length)]
    detected = np.maximum(inside, coarse.max(axis=1, initial=-np.inf)) >= _DETECTION
    off_center = (outside > inside + _DETECTION) & (outside > _BRIGHTER * inside)
    flags = Flags.LOW_SNR * ~detected | Flags.OFF_CENTER * off_center
    return flags * weight.any(axis=(1, 2))


def _halve(images):
    """Sums over 2 x 2 pixels."""
    images = images[:, 0::2] + images[:, 1::2]
    return images[:, :, 0::2] + images[:, :, 1::2]


def _box_snr(signal, power):
    """S/N in boxes of 3 x 3 around each pixel of binned maps."""
    signal, power = _box_sum(signal), _box_sum(power)
    return np.divide(signal, np.sqrt(power), out=np.zeros_like(signal), where=power > 0)


def _box_sum(images):
    """Sums over 3 x 3 pixels, zero outside."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]


def _middle(n_bins, width, size, length):
    """Which bins of ``width`` pixels have their center in the middle of the stamp."""
    offset = np.arange(n_bins) * width + (width - 1) / 2 - (size - 1) / 2
    radius = max(_MIDDLE_RADIUS, _MIDDLE_FRACTION * length)
    return np.hypot(offset[:, None], offset) <= radius
