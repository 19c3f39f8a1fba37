"""What results remember of the cutouts that they are of, so that models can be drawn in them."""

import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet._rows import Rows
from sersicnet.model.psf import collect_psfs, psfs_of
from sersicnet.model.psf_stamp import check_oversampling
from sersicnet.preprocessing.psf_pixels import find_psf_sampling

__all__ = ["PSF_KEYS", "PSF_WIDTH", "Inputs", "psf_options_of", "psf_width", "warn_of_width"]

# Keys of the options of `~sersicnet.model.collect_psfs` in the ``meta`` of a table.
PSF_KEYS = {"oversampling": "PSFSAMP", "normalize": "PSFNORM", "recenter": "PSFCENT"}

# Key of the FWHM of the PSF in pixels of the image, and the relative difference up to which two are
# the same.
PSF_WIDTH = "PSFFWHM"
_ONE_WIDTH = 0.05
# Number of different stamps whose widths are compared.
_N_STAMPS = 9


@dataclass(frozen=True, eq=False)
class Inputs(Rows):
    """What results remember of the cutouts that they are of.

    Attributes
    ----------
    checksums : (N,) int `~numpy.ndarray` or None
        Checksums of the pixels of the cutouts; None where they are not known.
    psfs : tuple of N arrays or None
        PSF stamps, as the user passed them: no copies.
    psf_options : dict
        Options of `~sersicnet.model.collect_psfs`, the same for all.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.inputs import Inputs
    >>> image = np.arange(9.0).reshape(3, 3)
    >>> star = [[0, 1, 0], [1, 4, 1], [0, 1, 0]]
    >>> inputs = Inputs.of([image], [star], {"oversampling": 2})
    >>> inputs.hold(0, image), inputs.hold(0, image + 1)
    (True, False)
    """

    shared = ("psf_options",)

    checksums: np.ndarray
    psfs: tuple
    psf_options: dict

    @classmethod
    def of(cls, cutouts, psfs, psf_options):
        """Remember cutouts: a list of images, or one NDData with 3-D data."""
        if isinstance(cutouts, NDData):
            cutouts = cutouts.data
        checksums = [_checksum(cutout) for cutout in cutouts]
        return cls(np.array(checksums, dtype=np.int64), tuple(psfs), dict(psf_options))

    @classmethod
    def unknown(cls, n):
        """Return what is known of ``n`` cutouts whose results came from elsewhere: nothing."""
        return cls(None, (None,) * n, {})

    def hold(self, row, cutout):
        """Return whether an image has the pixels of the cutout of a row."""
        return self.checksums is None or bool(_checksum(cutout) == self.checksums[row])

    def check(self, row, cutout, shape):
        """Raise ValueError unless a cutout is that of a row, which had a given shape."""
        shape = tuple(int(n) for n in shape)
        if cutout.data.shape != shape:
            msg = (
                f"cutout has the shape {cutout.data.shape}, but that of galaxy {row} was {shape}: "
                "pass the cutout that was measured"
            )
            raise ValueError(msg)
        if not self.hold(row, cutout):
            msg = (
                f"cutout is not the one that galaxy {row} was measured in: its pixels differ. "
                "Pass the same image, in the same unit"
            )
            raise ValueError(msg)

    def find_psf(self, row, cutout, psf, oversampling):
        """Return the PSF of the image of a galaxy.

        Parameters
        ----------
        row : int
            Row of the galaxy.
        cutout : `~astropy.nddata.NDData`
            Its cutout, whose PSF is the last resort.
        psf : (K, L) array_like or None
            The user's stamp, which comes first; else that of the prediction.
        oversampling : int or None
            The user's oversampling, by default that of the prediction.

        Returns
        -------
        `~sersicnet.model.PSFs`

        Raises
        ------
        ValueError
            If there is no usable PSF.
        """
        options = dict(self.psf_options)
        if oversampling is not None:
            check_oversampling(oversampling)
        if psf is not None:
            psf, oversampling = find_psf_sampling(
                psf, [cutout], given=oversampling, pixel_scale=None
            )
        if oversampling is not None:
            options["oversampling"] = oversampling
        how = {name: options[name] for name in ("oversampling", "normalize") if name in options}
        (stamp,) = psfs_of(psf, [cutout], **how)
        if psf is None and self.psfs[row] is not None:
            stamp = self.psfs[row]
        if stamp is None:
            msg = "psf=None and the cutout has none: a model image needs the PSF"
            raise ValueError(msg)
        psfs = collect_psfs([stamp], **options)
        if psfs.which[0] < 0:
            msg = f"psf=None, and the PSF of galaxy {row} is not usable: pass another one as psf="
            raise ValueError(msg)
        return psfs


def psf_options_of(meta, **given):
    """Return the options of PSFs that a table was measured with.

    Parameters
    ----------
    meta : dict
        The ``meta`` of the table.
    **given
        Options that come first, unless they are None.

    Returns
    -------
    dict
        Options of `~sersicnet.model.collect_psfs`, which has defaults for the others.

    Examples
    --------
    >>> from sersicnet.preprocessing.inputs import psf_options_of
    >>> psf_options_of({"PSFSAMP": 2, "PSFNORM": False}, normalize=True, oversampling=None)
    {'oversampling': 2, 'normalize': True}
    """
    options = {}
    for option, key in PSF_KEYS.items():
        if given.get(option) is not None:
            options[option] = given[option]
        elif key in meta:
            options[option] = meta[key]
    return options


def psf_width(stamps, options):
    """Find the FWHM of PSFs that are of one width.

    Parameters
    ----------
    stamps : sequence of array or None
        PSF stamps.
    options : dict
        Options of `~sersicnet.model.collect_psfs`.

    Returns
    -------
    float or None
        In pixels of the image; None if they differ by more than 5 %, or none is usable.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.inputs import psf_width
    >>> y, x = np.mgrid[-9:10, -9:10]
    >>> round(psf_width([np.exp(-(x**2 + y**2) / 8)], {}), 1)
    4.7
    """
    different = list({id(stamp): stamp for stamp in stamps if stamp is not None}.values())
    step = max(1, len(different) // _N_STAMPS)
    widths = collect_psfs(different[::step], **options).fwhm()
    if not len(widths) or np.ptp(widths) > _ONE_WIDTH * np.median(widths):
        return None
    return float(np.median(widths))


def warn_of_width(meta, stamps, options, *, stacklevel):
    """Warn if PSFs are not as wide as those that a table was measured with.

    Parameters
    ----------
    meta : dict
        The ``meta`` of the table.
    stamps, options
        As for `psf_width`.
    stacklevel : int
        As in `warnings.warn`, counted from the caller of this function.
    """
    before = meta.get(PSF_WIDTH)
    if before is None:
        return
    width = psf_width(stamps, options)
    if width is not None and abs(width - before) > _ONE_WIDTH * before:
        msg = (
            f"psf has a FWHM of {width:.3g} pixels, and the catalog was measured with one of "
            f"{before:.3g}: models of its galaxies differ from what was measured"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)


def _checksum(cutout):
    """Compute a number that is the same for the same pixels, of any type and byte order."""
    if not isinstance(cutout, np.ndarray):
        cutout = cutout.data
    pixels = np.array(cutout, dtype=float, order="C") + 0.0  # which makes 0 of -0
    pixels[np.isnan(pixels)] = np.nan
    return zlib.crc32(pixels)
