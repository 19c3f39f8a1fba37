"""The point spread functions of cutouts: which belongs to which, checked and normalized."""

import math
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from sersicnet._words import counted
from sersicnet.flags import Flags
from sersicnet.model.psf_center import shifted_stamp
from sersicnet.model.psf_check import usable_psf
from sersicnet.model.psf_stamp import unit_stamp

__all__ = [
    "PSF_SIZE",
    "PSFs",
    "bin_psf",
    "binned_oversampling",
    "collect_psfs",
    "is_list_of_stamps",
    "psfs_of",
    "require_psfs",
    "share_copies",
]

# Oversampling of binned PSFs: pixels of the data where it can be, as the response of a large pixel
# has sharp edges. Three for nine pixels makes radii of bright galaxies 2 % wrong, five for fifteen
# 0.7 %; more would take too much memory.
_BINNED_OVERSAMPLINGS = (5, 7, 3)
# FWHM in pixels of the stamp below which a PSF is not known well enough, see
# `sersicnet.model.profile`.
WELL_SAMPLED = 2.4
# Pixels on a side of the PSF stamps that the network sees.
PSF_SIZE = 63


@dataclass(frozen=True, eq=False)
class PSFs:
    """The PSFs of N cutouts, each different one kept once.

    Attributes
    ----------
    stamps : list of (K, L) `~numpy.ndarray`
        Stamps of unit sum.
    which : (N,) int `~numpy.ndarray`
        Number of the stamp of each cutout, -1 where there is no usable one.
    log_light : (N,) `~numpy.ndarray`
        Decimal logarithm of the share of the light that the stamp holds: 0 unless the stamp's own
        sum is kept. ``log_flux`` in units of the stamp is the true one plus ``log_light``.
    oversampling : int
        PSF pixels per pixel of the data on a side.
    checks : tuple of `~sersicnet.model.PSFCheck`
        Properties of the stamps as the user passed them.

    Examples
    --------
    >>> from sersicnet.model import collect_psfs
    >>> star = [[0, 1, 0], [1, 4, 1], [0, 1, 0]]
    >>> psfs = collect_psfs([star, None, star])
    >>> len(psfs.stamps), psfs.which.tolist()
    (1, [0, -1, 0])
    """

    stamps: list
    which: np.ndarray
    log_light: np.ndarray
    oversampling: int = 1
    checks: tuple = ()

    def __len__(self):
        return len(self.which)

    def __getitem__(self, rows):
        """Return the PSFs of some of the cutouts."""
        used, which = np.unique(self.which[rows], return_inverse=True)
        n_missing = np.count_nonzero(used < 0)  # 1 where a cutout has no PSF
        stamps = [self.stamps[number] for number in used[n_missing:]]
        return PSFs(stamps, which - n_missing, self.log_light[rows], self.oversampling)

    def fwhm(self):
        """Return the FWHM of each of ``stamps`` in pixels of the data.

        It is that of the Gaussian that is as sharp as the stamp.
        """
        sharpness = np.array([np.sum(stamp**2) for stamp in self.stamps])
        return np.sqrt(2 * np.log(2) / np.pi / sharpness) / self.oversampling

    def widths(self):
        """Return the FWHM of the PSF of each cutout, NaN where there is none, (N,)."""
        return np.append(self.fwhm(), np.nan)[self.which]

    def flags(self):
        """Return the bits BAD_PSF and UNDERSAMPLED_PSF of each cutout, (N,) int."""
        narrow = np.append(self.fwhm() * self.oversampling < WELL_SAMPLED, False)[self.which]
        flags = np.where(narrow, int(Flags.UNDERSAMPLED_PSF), 0)
        return flags | np.where(self.which < 0, int(Flags.BAD_PSF), 0)


def psfs_of(psf, cutouts, *, oversampling=1, normalize=True):
    """Return a PSF stamp or None for each cutout, unchecked where there are several.

    Parameters
    ----------
    psf : (K, L) array_like, list of them, or None
        The user's argument: one stamp for all, a list with one (or None) for each cutout, or
        None for the stamps that the cutouts carry.
    cutouts : list of `~astropy.nddata.NDData`, or one with 3-D data
        The cutouts.
    oversampling, normalize
        As in `collect_psfs`.

    Returns
    -------
    list

    Raises
    ------
    TypeError, ValueError
        If the one stamp for all cannot be a star, or the number of stamps is not that of the
        cutouts.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import NDData
    >>> from sersicnet.model import psfs_of
    >>> cutouts = [NDData(np.ones((9, 9)), psf=np.ones((3, 3)))]
    >>> psfs_of(None, cutouts)[0].shape
    (3, 3)
    """
    is_list = isinstance(cutouts, list)
    n_cutouts = len(cutouts) if is_list else len(cutouts.data)
    if psf is None and not is_list and np.ndim(cutouts.psf) == 3:
        psf = cutouts.psf
    if psf is None and is_list:
        psfs = [_stamp_of(each.psf) for each in cutouts]
    elif psf is None:
        psfs = [_stamp_of(cutouts.psf)] * n_cutouts
    elif is_list_of_stamps(psf):
        psfs = list(psf)
    else:
        usable_psf(psf, oversampling=oversampling, normalize=normalize)
        psfs = [psf] * n_cutouts
    if len(psfs) != n_cutouts:
        stamps = counted(len(psfs), "stamp")
        cutouts = counted(n_cutouts, "cutout")
        msg = f"psf has {stamps}: one is needed, or one for each of {cutouts}"
        raise ValueError(msg)
    return psfs


def _stamp_of(psf):
    """The pixels of a stamp that is an NDData, or the stamp itself."""
    if psf is None or isinstance(psf, np.ndarray) or not hasattr(psf, "uncertainty"):
        return psf
    from sersicnet.io.psf_sampling import split_psf  # a machine that only trains lacks astropy

    return split_psf(psf)[0]


def require_psfs(psfs):
    """Raise ValueError unless there is at least one PSF.

    Parameters
    ----------
    psfs : list
        A stamp or None for each cutout, from `psfs_of`.

    Raises
    ------
    ValueError
        If all items of ``psfs`` are None.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model import require_psfs
    >>> require_psfs([None, np.ones((3, 3))])
    """
    if all(psf is None for psf in psfs):
        msg = (
            "psf=None and no cutout has one: this network needs the PSF. Pass a star-like stamp "
            "at the pixel scale of the data as psf=, or cutouts with their own (slicing drops it)"
        )
        raise ValueError(msg)


def collect_psfs(psfs, *, oversampling=1, normalize=True, recenter=True, check=True):
    """Check the PSF of each cutout, move it to the middle, and keep each different one once.

    Parameters
    ----------
    psfs : list
        A stamp or None for each cutout, from `psfs_of`.
    oversampling : int
        PSF pixels per pixel of the data on a side.
    normalize : bool
        Whether a stamp is taken to hold all the light; otherwise its sum is the share it holds.
    recenter : bool
        Whether a star that is more than 0.1 pixel of the data off the middle of its stamp is moved
        there.
    check : bool
        Whether stamps are checked to be those of stars, and moved; if not, any are taken as they
        are that can be normalized.

    Returns
    -------
    PSFs

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model import collect_psfs
    >>> psfs = collect_psfs([[[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.zeros((3, 3))])
    >>> psfs.which
    array([ 0, -1])
    """
    found = []
    by_id = {id(None): -1}
    by_pixels = {}
    options = {"oversampling": oversampling, "normalize": normalize, "recenter": recenter}
    for psf in psfs:
        if id(psf) in by_id:
            continue
        key = _pixels_of(psf)  # cutouts often carry copies of one stamp
        if key not in by_pixels:
            by_pixels[key] = -1
            one = _checked(psf, **options) if check else _unchecked(psf)
            if one is not None:
                by_pixels[key] = len(found)
                found.append(one)
        by_id[id(psf)] = by_pixels[key]
    which = np.array([by_id[id(psf)] for psf in psfs], dtype=np.int64)
    stamps = [stamp for stamp, _, _ in found]
    sums = np.ones(len(found) + 1)
    if not normalize:
        sums[:-1] = [light for _, light, _ in found]
    checks = tuple(each for _, _, each in found if each is not None)
    return PSFs(stamps, which, np.log10(sums)[which], int(oversampling), checks)


def share_copies(psfs):
    """Return the same PSFs, with one object in the place of all copies of a stamp.

    Parameters
    ----------
    psfs : list
        A stamp or None for each cutout, from `psfs_of`.

    Returns
    -------
    list

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.psf import share_copies
    >>> first, second = share_copies([np.ones((3, 3)), np.ones((3, 3))])
    >>> first is second
    True
    """
    by_id = {id(None): None}
    by_pixels = {}
    for psf in psfs:
        if id(psf) not in by_id:
            by_id[id(psf)] = by_pixels.setdefault(_pixels_of(psf), psf)
    return [by_id[id(psf)] for psf in psfs]


def _pixels_of(psf):
    """What is the same for copies of a stamp only."""
    try:
        pixels = np.asarray(psf, dtype=float)
    except (TypeError, ValueError):
        return id(psf)
    return pixels.shape, blake2b(pixels.tobytes()).digest(), np.ma.is_masked(psf)


def _checked(psf, *, oversampling, normalize, recenter):
    """A stamp of unit sum, its own sum, and its check; None where it cannot be used."""
    try:
        stamp, check = usable_psf(psf, oversampling=oversampling, normalize=normalize)
    except (TypeError, ValueError):
        return None
    if recenter and check.is_off_center:
        stamp = shifted_stamp(stamp, -oversampling * np.array(check.offset))
    return stamp, check.light, check


def _unchecked(psf):
    """The same without a check."""
    try:
        return unit_stamp(psf), np.asarray(psf, dtype=float).sum(), None
    except (TypeError, ValueError):
        return None


def binned_oversampling(bins):
    """Return by how much a PSF is oversampled in an image of larger pixels.

    Parameters
    ----------
    bins : int
        Pixels of the data on a side of a larger pixel, an odd multiple of 3, 5 or 7.

    Returns
    -------
    int
        5, 7 or 3, by which ``bins`` can be divided.

    Examples
    --------
    >>> from sersicnet.model import binned_oversampling
    >>> binned_oversampling(15)
    5
    """
    return next(number for number in _BINNED_OVERSAMPLINGS if bins % number == 0)


def bin_psf(stamp, bins):
    """Return the PSF of an image of larger pixels, oversampled by `binned_oversampling`.

    Parameters
    ----------
    stamp : (K, L) `~numpy.ndarray`
        PSF stamp of odd sides, in pixels of the data.
    bins : int
        Pixels of the data on a side of a larger pixel, an odd multiple of 3, 5 or 7.

    Returns
    -------
    2-D `~numpy.ndarray`
        Stamp of odd sides and unit sum, centered on its middle pixel.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model import bin_psf
    >>> bin_psf(np.ones((3, 3)), 3).shape
    (5, 5)
    """
    from scipy.ndimage import uniform_filter  # a machine that only trains may lack it

    step = bins // binned_oversampling(bins)
    pad = []
    for n in stamp.shape:
        # from the middle to beyond the light that the larger pixel spreads, in whole steps
        reach = step * math.ceil((n // 2 + bins // 2) / step)
        pad.append((reach - n // 2, reach - n // 2))
    fine = uniform_filter(np.pad(stamp, pad), bins, mode="constant")[::step, ::step]
    return fine / fine.sum()


def is_list_of_stamps(psf):
    """Return whether ``psf`` is one stamp per cutout; a stamp may itself be a list of rows.

    Parameters
    ----------
    psf : array_like, list or None
        The user's argument.

    Returns
    -------
    bool

    Examples
    --------
    >>> from sersicnet.model import is_list_of_stamps
    >>> is_list_of_stamps([[0, 1, 0], [1, 4, 1], [0, 1, 0]])
    False
    """
    if isinstance(psf, list | tuple):
        return any(stamp is None or np.ndim(stamp) == 2 for stamp in psf)
    return np.ndim(psf) == 3
