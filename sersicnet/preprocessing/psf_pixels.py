"""By how much the PSFs of cutouts are oversampled, where the user does not say it."""

from astropy.nddata import NDData

from sersicnet._caller import warn_caller
from sersicnet.io.psf_sampling import find_oversampling, own_psf, sampling_of, split_psf
from sersicnet.preprocessing.pixels import find_pixels

__all__ = ["find_psf_sampling"]


def find_psf_sampling(psf, cutouts, *, given, pixel_scale):
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

    Returns
    -------
    psf
        The same with arrays in the place of NDData.
    oversampling : int or None
        None where neither user nor PSF says something.

    Raises
    ------
    ValueError
        If the pixels of the images are no whole number of those of the PSF, or PSFs of one call
        have different ones.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the user says another oversampling than the PSF, or the pixels of one of several images
        are no whole number of those of its PSF, which is left out.
    """
    images = cutouts
    if isinstance(cutouts, NDData):
        images = [cutouts]
    if psf is None:
        samplings = [sampling_of(own_psf(image)) for image in images]
    else:
        psf, samplings = split_psf(psf)
    if len(samplings) == 1 and len(images) > 1:
        samplings = samplings * len(images)
    found, doubts, errors = _decide(samplings, images, given, pixel_scale)
    if errors:
        psf, doubt = _without(psf, images, errors, is_usable=bool(found))
        doubts.append(doubt)
    if doubts:
        warn_caller(doubts[0])
    if not found:
        return psf, given
    if len(found) > 1:
        steps = ", ".join(f"{step} (cutouts[{row}])" for step, row in sorted(found.items()))
        msg = f"psf: stamps of one call need one oversampling, and theirs are {steps}"
        raise ValueError(msg)
    return psf, next(iter(found))


def _decide(samplings, images, given, pixel_scale):
    """Return a row by oversampling, sentences for warnings, and errors by row."""
    found = {}
    doubts = []
    errors = {}
    # lists of another length are an error that `psfs_of` raises
    for row, (image, sampling) in enumerate(zip(images, samplings, strict=False)):
        if sampling is None:
            continue
        scale = _scale(image, pixel_scale, row)
        try:
            oversampling, doubt = find_oversampling(sampling, given, scale)
        except ValueError as error:
            errors[row] = str(error)
            continue
        found[oversampling] = row
        if doubt is not None:
            doubts.append(f"psf: {doubt}")
    return found, doubts, errors


def _without(psf, images, errors, *, is_usable):
    """Return a list of PSFs without those of some cutouts, and a sentence for a warning.

    Raises ValueError if there is one PSF for all, or no other that can be used.
    """
    row, error = next(iter(errors.items()))
    if not is_usable or not (psf is None or isinstance(psf, list | tuple)):
        raise ValueError(error)
    if psf is None:
        psf = [image.psf for image in images]
    psf = [None if row in errors else each for row, each in enumerate(psf)]
    doubt = f"cutouts[{row}] has BAD_PSF: {error}"
    if len(errors) > 1:
        doubt += f"; {len(errors)} cutouts are like that"
    return psf, doubt


def _scale(image, pixel_scale, row):
    """Return arcsec per pixel of an image."""
    given = None
    if pixel_scale is not None:
        given = float(pixel_scale[row])
    scale, _, _ = find_pixels(image, given, f"cutouts[{row}]")
    return scale
