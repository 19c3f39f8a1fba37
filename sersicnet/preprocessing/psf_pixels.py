"""By how much the PSFs of cutouts are oversampled, where the user does not say it."""

import warnings

from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.io.psf_sampling import find_oversampling, own_psf, sampling_of, split_psf
from sersicnet.preprocessing.pixels import find_pixels

__all__ = ["find_psf_sampling"]


def find_psf_sampling(psf, cutouts, *, given, pixel_scale, stacklevel):
    """Find the oversampling of PSFs by what they say of their pixels.

    Parameters
    ----------
    psf : stamp, model, list of them, or None
        The user's argument, of which an `~astropy.nddata.NDData` may have a header or a WCS.
    cutouts : `~astropy.nddata.NDData` or list of them
        From `~sersicnet.preprocessing.images.check_cutouts`.
    given : int or None
        What the user says.
    pixel_scale : (N,) `~numpy.ndarray` or None
        The user's pixel scales of the cutouts.
    stacklevel : int
        As in `warnings.warn`, counted from the caller of this function.

    Returns
    -------
    psf
        The same with arrays in the place of NDData.
    oversampling : int or None
        None where neither user nor PSF says something.

    Raises
    ------
    ValueError
        If the pixels of an image are no whole number of those of its PSF, or PSFs of one call have
        different ones.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the user says another oversampling than the PSF.
    """
    images = cutouts
    if isinstance(cutouts, NDData):
        images = [cutouts]
    if psf is None:
        samplings = [sampling_of(own_psf(image)) for image in images]
    else:
        psf, samplings = split_psf(psf)
    if len(samplings) == 1:
        samplings = samplings * len(images)
    found = {}
    doubts = []
    # lists of another length are an error that `psfs_of` raises
    for row, (image, sampling) in enumerate(zip(images, samplings, strict=False)):
        if sampling is None:
            continue
        oversampling, doubt = find_oversampling(sampling, given, _scale(image, pixel_scale, row))
        found[oversampling] = row
        doubts.append(doubt)
    doubts = [doubt for doubt in doubts if doubt is not None]
    if doubts:
        warnings.warn(f"psf: {doubts[0]}", AstropyUserWarning, stacklevel=stacklevel + 1)
    if not found:
        return psf, given
    if len(found) > 1:
        steps = ", ".join(f"{step} (cutouts[{row}])" for step, row in sorted(found.items()))
        msg = f"psf: stamps of one call need one oversampling, and theirs are {steps}"
        raise ValueError(msg)
    return psf, next(iter(found))


def _scale(image, pixel_scale, row):
    """Return arcsec per pixel of an image."""
    given = None
    if pixel_scale is not None:
        given = float(pixel_scale[row])
    scale, _, _ = find_pixels(image, given, f"cutouts[{row}]")
    return scale
