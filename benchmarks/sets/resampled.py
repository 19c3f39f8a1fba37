"""The noise of coadds of resampled exposures, whose neighboring pixels are correlated."""

import numpy as np

# Half width of the kernel that resamples exposures, in pixels (that of LSST and HSC).
_LANCZOS = 3
# Subpixel shifts of the exposures.
_SHIFTS = 32


def resampled_noise(shape, rng):
    """Draw the noise of a coadd of many exposures that are resampled by a Lanczos kernel.

    Each exposure has white noise and a random subpixel shift, so that the power of their mean is
    the mean of the powers of the kernel at all shifts.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    rng : `~numpy.random.Generator`
        Random numbers.

    Returns
    -------
    2-D `~numpy.ndarray`
        Noise of unit variance; that of next neighbors has a correlation of about 0.1.
    """
    power = np.outer(_power(shape[0]), _power(shape[1]))
    white = np.fft.fft2(rng.standard_normal(shape))
    return np.fft.ifft2(white * np.sqrt(power / power.mean())).real


def _power(n):
    """Power of the kernel along one axis, at the frequencies of a transform of ``n`` pixels."""
    pixels = np.arange(1 - _LANCZOS, _LANCZOS + 1)
    frequencies = np.fft.fftfreq(n)
    total = np.zeros(n)
    for shift in (np.arange(_SHIFTS) + 0.5) / _SHIFTS:
        distance = pixels - shift
        weights = np.sinc(distance) * np.sinc(distance / _LANCZOS)
        waves = np.exp(-2j * np.pi * np.outer(frequencies, pixels))
        total += np.abs(waves @ (weights / weights.sum())) ** 2
    return total / _SHIFTS
