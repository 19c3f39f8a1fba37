"""The noise of the photons of sources, which many noise maps lack.

Weight and rms maps of surveys mostly hold the noise of the sky alone. Where the gain is known, and
the map does not rise where sources are bright, the variance of their photons is added::

    variance + max(5 x 5 mean of the light, 0) / gain

(the mean, since weights that follow the noise of single pixels make fits too faint).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sersicnet.io.gains import header_gain
from sersicnet.preprocessing.noise import finite_median

__all__ = ["IN_LIKELIHOOD", "PHOTONS", "PhotonSums", "add_photons", "find_gain", "source_photons"]

# What was done about photons, by the number in `~sersicnet.preprocessing.Stamps`, in words.
PHOTONS = (
    "gain not known",
    "in the noise map",
    "added to the noise map",
    "not added: gain=inf",
    "in the Poisson likelihood",
)
UNKNOWN, IN_MAP, ADDED, NONE, IN_LIKELIHOOD = range(len(PHOTONS))
# Side of the square that light is averaged over.
_SIDE = 5
# Light above this many times the error of such a mean shows whether a map follows it.
_VISIBLE = 3.0
# A map has the photons where its variance rises with them by this share, so closely.
_LEAST_RISE = 0.3
_LEAST_CORRELATION = 0.5
# Factor by which a given gain may differ from that of the header.
_DOUBTED = 2.0
# Variance over that of sky and photons from which on a pixel is one that was hardly observed.
_UNUSABLE = 10.0
# Fewest pixels that show it.
_FEWEST = 9


def find_gain(cutout, given, where):
    """Find the gain of a cutout.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`
        The cutout.
    given : float, array of float or None
        The user's value, which comes first; infinite for no photons.
    where : str
        Name of the cutout in warnings.

    Returns
    -------
    value : float, or array of float
        Electrons per unit of the data, NaN where it is not known.
    doubt : str or None
        Sentence for a warning, if the header says something else.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.nddata import CCDData
    >>> from sersicnet.preprocessing.photons import find_gain
    >>> cutout = CCDData([[1.0]], unit="adu", meta={"GAIN": 2.5})
    >>> find_gain(cutout, None, "cutouts[0]")
    (2.5, None)
    """
    found = header_gain(cutout.meta, cutout.unit)
    if given is None:
        if found.value is None:
            return np.nan, None
        return found.value, None
    doubt = None
    if found.value is not None:
        ratio = np.asarray(given) / found.value
        doubted = np.isfinite(ratio) & ((ratio > _DOUBTED) | (ratio < 1 / _DOUBTED))
        if doubted.any():
            doubt = (
                f"{where}: gain={float(np.ravel(given)[np.argmax(doubted)]):g} electrons per unit "
                f"of the image, but {found.value:g} by {found.source}"
            )
    return given, doubt


def source_photons(data, good, gain):
    """Compute the variance of the photons of sources.

    Parameters
    ----------
    data : (..., ny, nx) `~numpy.ndarray`
        Images without the sky.
    good : (..., ny, nx) bool `~numpy.ndarray`
        Pixels that are not bad; the others do not count.
    gain : float
        Electrons per unit of the data.

    Returns
    -------
    (..., ny, nx) `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.photons import source_photons
    >>> print(source_photons(np.full((6, 6), 8.0), np.ones((6, 6), bool), 4.0)[3, 3])
    2.0
    """
    light = _box_sums(np.where(good, data, 0.0))
    count = np.maximum(_box_sums(good.astype(float)), 1.0)
    return np.maximum(light / count, 0.0) / gain


def _box_sums(images):
    """Sums over squares around each pixel, without the running sums that bright pixels spoil."""
    ones = np.ones(_SIDE)
    rows = ndimage.correlate1d(images, ones, axis=-1, mode="constant")
    return ndimage.correlate1d(rows, ones, axis=-2, mode="constant")


@dataclass(frozen=True)
class PhotonSums:
    """Sums over bright pixels that tell whether a noise map has the photons of sources.

    Sums of several images may be added.

    Attributes
    ----------
    values : (6,) `~numpy.ndarray`
        Number of pixels; sums of photons, of variance, of their squares and product.
    """

    values: np.ndarray

    @classmethod
    def over(cls, data, noise, good, gain):
        """Sum over one image.

        Parameters
        ----------
        data, noise : (ny, nx) `~numpy.ndarray`
            Image without the sky, and standard deviations.
        good : (ny, nx) bool `~numpy.ndarray`
            Pixels that are not bad.
        gain : float
            Electrons per unit of the data.

        Returns
        -------
        PhotonSums
        """
        if not good.any() or not np.isfinite(gain):
            return cls(np.zeros(6))
        sky = finite_median(noise[good]) ** 2
        photons = source_photons(data, good, gain) / sky
        variance = noise.astype(float) ** 2 / sky
        visible = good & (photons > _VISIBLE / (_SIDE * gain * np.sqrt(sky)))
        visible &= variance < _UNUSABLE * (1 + photons)
        x = photons[visible]
        y = variance[visible]
        return cls(np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y]))

    def __add__(self, other):
        return PhotonSums(self.values + other.values)

    @property
    def in_map(self):
        """Whether the noise map rises where sources are bright."""
        n, x, y, xx, yy, xy = self.values
        if n < _FEWEST:
            return False
        spread_x = xx - x**2 / n
        spread_y = yy - y**2 / n
        common = xy - x * y / n
        if not (spread_x > 0 and spread_y > 1e-9 * yy):
            return False
        rises = common > _LEAST_RISE * spread_x
        return bool(rises and common > _LEAST_CORRELATION * np.sqrt(spread_x * spread_y))


def add_photons(data, noise, good, gain, from_data):
    """Add the photons of sources to noise maps that lack them.

    Parameters
    ----------
    data : (N, S, S) `~numpy.ndarray`
        Images.
    noise : (N, S, S) or (N, 1, 1) `~numpy.ndarray`
        Standard deviations, also one per image.
    good : (N, S, S) bool `~numpy.ndarray`
        Pixels that are not bad.
    gain : (N,) `~numpy.ndarray`
        Electrons per unit of the data: NaN where it is not known, infinite for no photons.
    from_data : (N,) bool `~numpy.ndarray`
        Noise maps that were made of the noisy pixels, which hold all photons.

    Returns
    -------
    noise : (N, S, S) or (N, 1, 1) `~numpy.ndarray`
    done : (N,) int `~numpy.ndarray`
        Numbers in `PHOTONS`.
    """
    done = np.where(np.isinf(gain), NONE, UNKNOWN)
    done[from_data] = IN_MAP
    rows = np.flatnonzero(np.isfinite(gain) & ~from_data)
    if not len(rows):
        return noise, done
    is_map = noise.shape[-1] > 1
    noise = np.array(np.broadcast_to(noise, data.shape), dtype=float)
    for row in rows:
        image = data[row], noise[row], good[row], gain[row]
        if is_map and PhotonSums.over(*image).in_map:
            done[row] = IN_MAP
            continue
        done[row] = ADDED
        photons = source_photons(data[row], good[row], gain[row])
        noise[row] = np.sqrt(noise[row] ** 2 + photons)
    return noise, done
