"""The one way from what a user passes as cutouts to stamps: checked once, batch after batch."""

import logging
from dataclasses import dataclass
from dataclasses import replace as replace_fields

import numpy as np
from astropy.nddata import NDData

from sersicnet._settings import check_positive
from sersicnet._words import counted
from sersicnet.io.gains import check_gain_unit
from sersicnet.io.mask_bits import check_mask_bits
from sersicnet.model.psf import PSFs, collect_psfs, psfs_of, require_psfs, share_copies
from sersicnet.model.psf_models import plain_psf
from sersicnet.model.psf_stamp import check_oversampling
from sersicnet.preprocessing.images import check_cutouts
from sersicnet.preprocessing.photon_counts import check_counts, count_cutouts
from sersicnet.preprocessing.photons import IN_LIKELIHOOD
from sersicnet.preprocessing.psf_pixels import find_psf_sampling
from sersicnet.preprocessing.stamps import Stamps, are_checked, build_stamps
from sersicnet.preprocessing.units import per_cutout, rows_or_none
from sersicnet.preprocessing.windows import replace

__all__ = [
    "Batch",
    "OpenCutouts",
    "open_cutouts",
    "prepare",
    "rows_of",
]

_LOG = logging.getLogger("sersicnet")
# Cutouts in a batch: 64 MB of stamps of 128 x 128.
SIZE = 512


@dataclass(frozen=True, eq=False)
class Batch:
    """Some of the cutouts, with their stamps and PSFs.

    Attributes
    ----------
    cutouts : list of `~astropy.nddata.NDData`, or one with 3-D data
        The images, B of them.
    stamps : `~sersicnet.preprocessing.Stamps`
        Their stamps.
    psfs : `~sersicnet.model.PSFs`
        Their PSFs.
    has_psf : (B,) bool `~numpy.ndarray`
        Whether there is a PSF at all, good or bad.
    pixel_scale, zeropoint, gain : (B,) `~numpy.ndarray` or None
        The user's values.
    first : int
        Number of the first of them among all cutouts.
    counts : bool
        Whether they are in counts with their sky, for the Poisson likelihood.
    moves : (B, 2) int `~numpy.ndarray` or None
        Pixels (y, x) from the middle of each cutout to that of its stamp; None if all are 0.
    """

    cutouts: object
    stamps: Stamps
    psfs: PSFs
    has_psf: np.ndarray
    pixel_scale: np.ndarray
    zeropoint: np.ndarray
    gain: np.ndarray
    first: int
    counts: bool = False
    moves: np.ndarray | None = None

    def __len__(self):
        return len(self.stamps)

    @property
    def rows(self):
        """Their rows among all cutouts, a slice."""
        return slice(self.first, self.first + len(self))

    @property
    def is_checked(self):
        """Whether they are windows of an image that was checked as a whole."""
        return are_checked(self.cutouts)

    def prepare(self, rows, *, bins, stamp_size=None):
        """Prepare some of the cutouts again, in larger pixels or on larger stamps.

        Parameters
        ----------
        rows : (R,) int `~numpy.ndarray`
            Their rows in the batch.
        bins : int
            Pixels of the cutout on a side of each pixel of the stamp.
        stamp_size : int, optional
            Pixels on a side of the stamps, by default that of the present ones.

        Returns
        -------
        `~sersicnet.preprocessing.Stamps`
        """
        cutouts = rows_of(self.cutouts, rows)
        if self.counts:
            cutouts = count_cutouts(cutouts, self.first, warns=False)
        return build_stamps(
            cutouts,
            stamp_size=stamp_size or self.stamps.data.shape[-1],
            bins=bins,
            pixel_scale=rows_or_none(self.pixel_scale, rows),
            zeropoint=rows_or_none(self.zeropoint, rows),
            gain=rows_or_none(self.gain, rows),
            warns=False,  # the first stamps have warned
            moves=rows_or_none(self.moves, rows),
        )


@dataclass(frozen=True, eq=False)
class OpenCutouts:
    """Checked cutouts, of which a loop makes one `Batch` after the other: see `open_cutouts`."""

    cutouts: object
    psfs: list
    psf_options: dict
    pixel_scale: np.ndarray
    zeropoint: np.ndarray
    gain: np.ndarray
    stamp_size: int
    counts: bool = False

    def __len__(self):
        return len(self.psfs)

    @property
    def is_checked(self):
        """As that of a `Batch`."""
        return are_checked(self.cutouts)

    def __iter__(self):
        for first in range(0, len(self), SIZE):
            yield self._batch(slice(first, min(first + SIZE, len(self))))

    def _batch(self, rows):
        cutouts = rows_of(self.cutouts, rows)
        psfs = self.psfs[rows]
        pixel_scale = rows_or_none(self.pixel_scale, rows)
        zeropoint = rows_or_none(self.zeropoint, rows)
        gain = rows_or_none(self.gain, rows)
        shown = cutouts
        if self.counts:
            shown = count_cutouts(cutouts, rows.start)
        stamps = build_stamps(
            shown,
            stamp_size=self.stamp_size,
            bins=1,
            pixel_scale=pixel_scale,
            zeropoint=zeropoint,
            gain=gain,
            first=rows.start,
        )
        if self.counts:
            stamps = replace_fields(stamps, photons=np.full(len(stamps), IN_LIKELIHOOD))
        return Batch(
            cutouts=cutouts,
            stamps=stamps,
            psfs=collect_psfs(psfs, check=not self.is_checked, **self.psf_options),
            has_psf=np.array([psf is not None for psf in psfs]),
            pixel_scale=pixel_scale,
            zeropoint=zeropoint,
            gain=gain,
            first=rows.start,
            counts=self.counts,
        )


def open_cutouts(
    cutouts,
    *,
    stamp_size,
    psf=None,
    psf_options=None,
    needs_psf=False,
    pixel_scale=None,
    zeropoint=None,
    gain=None,
    mask_bits=None,
    counts=False,
):
    """Check cutouts and PSFs once, and prepare them batch after batch.

    Parameters
    ----------
    cutouts : `~astropy.nddata.NDData`, iterable of them, or (N, ny, nx) `~numpy.ndarray`
        As in `~sersicnet.preprocessing.prepare`.
    stamp_size : int
        Pixels on a side of the stamps.
    psf : (K, L) array_like, photutils model, list of them, or None, optional
        As in `~sersicnet.SersicNet.predict`.
    psf_options : dict, optional
        ``oversampling``, ``normalize`` and ``recenter``, as in `~sersicnet.model.collect_psfs`;
        without the first, it is what the PSFs say, else 1.
    needs_psf : bool, optional
        Whether a call without any PSF is an error.
    pixel_scale, zeropoint, gain : float, `~astropy.units.Quantity` or array, optional
        As in `~sersicnet.preprocessing.prepare`.
    mask_bits : int, str or list of them, optional
        As in `check_cutouts`.
    counts : bool, optional
        Whether they are in counts with their sky, for the Poisson likelihood.

    Returns
    -------
    OpenCutouts
        Its length is the number of cutouts; a loop over it yields a `Batch` of at most 512.

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If an argument is invalid. What a single cutout lacks is found when its batch is made.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.batches import open_cutouts
    >>> opened = open_cutouts(np.ones((3, 40, 40)), stamp_size=32, pixel_scale=0.1, zeropoint=25)
    >>> len(opened)
    3
    >>> [batch.stamps.data.shape for batch in opened]
    [(3, 32, 32)]
    """
    check_mask_bits(mask_bits)
    cutouts = check_cutouts(cutouts, mask_bits=mask_bits)
    if isinstance(cutouts, NDData):
        shape = np.shape(cutouts.data)
        planes = counted(shape[0], "plane")
        _LOG.info("cutouts has shape %s: each of the %s is one galaxy", shape, planes)
    if counts:
        check_counts(cutouts, gain)
        gain = None
    if psf_options is None:
        psf_options = {}
    n_cutouts = len(cutouts.data) if isinstance(cutouts, NDData) else len(cutouts)
    pixel_scale = per_cutout(pixel_scale, n_cutouts, "pixel_scale")
    given = psf_options.get("oversampling")
    if given is not None:
        check_oversampling(given)
    psf, oversampling = find_psf_sampling(psf, cutouts, given=given, pixel_scale=pixel_scale)
    psf, oversampling = plain_psf(psf, oversampling or 1)
    normalize = psf_options.get("normalize", True)
    psfs = psfs_of(psf, cutouts, oversampling=oversampling, normalize=normalize)
    psfs, oversampling = plain_psf(psfs, oversampling)
    if needs_psf:
        require_psfs(psfs)
    return OpenCutouts(
        cutouts,
        share_copies(psfs),  # results keep them
        psf_options | {"oversampling": oversampling},
        pixel_scale,
        per_cutout(zeropoint, n_cutouts, "zeropoint"),
        _gains(gain, cutouts, n_cutouts),
        stamp_size,
        counts,
    )


def prepare(
    cutouts, *, stamp_size=128, bins=1, pixel_scale=None, zeropoint=None, gain=None, first=0
):
    r"""Cut, pad and scale cutouts into a batch of stamps in universal units.

    With the noise map :math:`\sigma` (the uncertainty as a standard deviation) and the noise
    level :math:`\sigma_0`, its median over the good pixels of the stamp, a stamp holds

    .. math::

        \mathrm{data} = d / \sigma_0, \qquad \mathrm{weight} = \sigma_0 / \sigma,

    and zero in both where a pixel is masked, padded, NaN, infinite, or has no positive and finite
    noise. The stamp is the middle of the cutout as
    `~sersicnet.preprocessing.crop_or_pad` defines it.

    Parameters
    ----------
    cutouts : `~astropy.nddata.NDData`, list of them, or (N, ny, nx) `~numpy.ndarray`
        One cutout, a list of cutouts of any sizes, or, faster, N cutouts of one size as a
        3-D NDData or an array (or quantity, or masked array). Those in a list may also be 2-D
        arrays or `~astropy.nddata.Cutout2D`. Data are of any real numeric type and byte order.
        The unit is a flux density per frequency, or counts. The uncertainty is a standard
        deviation, a variance or an inverse variance; where it is missing or of unknown kind, the
        noise is that of `~sersicnet.preprocessing.estimate_noise` (and flagged).
        True in the mask is bad.
    stamp_size : int, optional
        Pixels on a side of the stamps, S.
    bins : int, optional
        Pixels of the cutout on a side of each pixel of the stamp, for galaxies that are too
        large for it. Fluxes are added, and those of bad pixels taken as the mean of the others.
    pixel_scale : float, `~astropy.units.Quantity` or array, optional
        Arcsec (or arcsec per pixel), one for all or one per cutout. By default from the
        celestial WCS (square root of the pixel's area), else the header card ``PIXSCALE``.
    zeropoint : float, `~astropy.units.Quantity` or array, optional
        AB magnitude of one count, one for all or one per cutout. By default from the header
        (`~sersicnet.preprocessing.ZEROPOINT_CARDS`, or HST's ``PHOTFLAM`` and ``PHOTPLAM``). A
        flux density needs none and ignores it, with a warning if it differs.
    gain : float, `~astropy.units.Quantity` or array, optional
        Electrons per unit of the data, one for all or one per cutout; by default that of unit and
        header (cards ``GAIN`` and ``EXPTIME``). The photons of the galaxy are added to noise maps
        that lack them; infinite: they are not.
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
    Faults of one galaxy set bits of `~sersicnet.Flags` and do not change the others. Where no pixel
    is usable (``NO_DATA``, ``NO_NOISE``) the stamp is zero and its noise level 1.

    A source is detected in a box of 6 x 6 pixels of the stamp, for ``LOW_SNR`` of 24 x 24 as well,
    with :math:`S/N = \sum d / \sigma^2 / \sqrt{\sum 1 / \sigma^2}`. The middle is a circle whose
    radius is 12 % of the cutout (of the stamp, where that is smaller), and at least 8 pixels.
    ``LOW_SNR`` means that S/N is below 5 in it. ``OFF_CENTER`` means that S/N is larger by 5 and by
    a factor of 1.5 in a box more than 3 pixels from the middle than in those nearer. The
    simulator's card ``SNFLAGS`` sets ``RENDER_FAILED``.

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
    cutouts = check_cutouts(cutouts, first=first)
    n_cutouts = len(cutouts.data) if isinstance(cutouts, NDData) else len(cutouts)
    return build_stamps(
        cutouts,
        stamp_size=int(stamp_size),
        bins=int(bins),
        pixel_scale=per_cutout(pixel_scale, n_cutouts, "pixel_scale"),
        zeropoint=per_cutout(zeropoint, n_cutouts, "zeropoint"),
        gain=_gains(gain, cutouts, n_cutouts),
        first=first,
    )


def _gains(gain, cutouts, n_cutouts):
    """Check the argument ``gain``, also against the units of cutouts, and repeat it for each."""
    for cutout in [cutouts] if isinstance(cutouts, NDData) else cutouts:
        check_gain_unit(gain, cutout.unit)
    return per_cutout(gain, n_cutouts, "gain")


def rows_of(cutouts, rows):
    """Return some cutouts of a list, a 3-D array, or 3-D NDData, of which some cannot be sliced.

    Parameters
    ----------
    cutouts : list, (N, ny, nx) `~numpy.ndarray`, or `~astropy.nddata.NDData` with 3-D data
        The cutouts.
    rows : slice or (M,) int `~numpy.ndarray`
        Their numbers.

    Returns
    -------
    list, `~numpy.ndarray` or `~astropy.nddata.NDData`
    """
    if isinstance(cutouts, list | tuple):
        return [cutouts[row] for row in np.arange(len(cutouts))[rows]]
    if not isinstance(cutouts, NDData):
        return cutouts[rows]
    shape = cutouts.data.shape
    mask = cutouts.mask
    if mask is not None:
        mask = np.broadcast_to(mask, shape)[rows]
    noise = cutouts.uncertainty
    if noise is not None and noise.array is not None:
        noise = type(noise)(np.broadcast_to(noise.array, shape)[rows], unit=noise.unit)
    return replace(cutouts, data=cutouts.data[rows], mask=mask, uncertainty=noise)
