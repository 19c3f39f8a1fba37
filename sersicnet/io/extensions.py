"""Read cutouts from the FITS extensions that surveys use."""

import logging

import astropy.units as u
import numpy as np
from astropy.nddata import (
    CCDData,
    InverseVariance,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)

from sersicnet._caller import warn_caller
from sersicnet.io.cards import clean_meta
from sersicnet.io.celestial import read_wcs
from sersicnet.io.fits_files import read_pixels
from sersicnet.io.lsst_files import calibration_cards
from sersicnet.io.lsst_psf import lsst_psf
from sersicnet.io.mask_bits import GUESSED, bad_pixels, mask_bits_of
from sersicnet.io.mask_words import MASK_CARD, describe_mask
from sersicnet.io.pixel_areas import AREA_CARD, Areas, find_areas
from sersicnet.io.psf_sampling import PSFSampling, header_sampling, psf_cards
from sersicnet.io.relative_weights import scale_weights
from sersicnet.io.units import parse_unit

_LOG = logging.getLogger("sersicnet")
# Accepted names of extensions; the first one found is used.
IMAGE_NAMES = ("SCI", "DATA", "IMAGE", "PRIMARY")
UNCERTAINTY_NAMES = {
    **dict.fromkeys(("UNCERT", "ERR", "ERROR", "RMS", "SIGMA"), StdDevUncertainty),
    **dict.fromkeys(("VAR", "VARIANCE"), VarianceUncertainty),
    **dict.fromkeys(("IVAR", "INVVAR"), InverseVariance),
}
# Relative weights, where there is no uncertainty: in drizzled images, inverse variances as often as
# exposure times.
WEIGHT_NAMES = dict.fromkeys(("WHT", "WEIGHT", "WGT"), InverseVariance)
MASK_NAMES = ("MASK", "DQ", "FLG", "MASKBITS", "FLAGS", "FLAG", "MSK", "BPM", "BADPIX")
# These are masks only where the header, or the user, says what their bits mean.
QUALITY_NAMES = ("QUALITY", "QUAL")
# Weights and the numbers of images that are in a pixel of a mosaic, in one or several planes: where
# all are 0, nothing was observed, or all of it was rejected, as in cores of stars.
COVERAGE_NAMES = (*WEIGHT_NAMES, "CON", "CTX")
PSF_NAMES = ("PSF", "PSFIMAGE")
# Number of axes of stamps by the row and column of a cell.
_CELLS = 4
# Powers of the factor by which pixels are multiplied, for their uncertainties.
_POWERS = {StdDevUncertainty: 1, VarianceUncertainty: 2, InverseVariance: -2}

UNCERTAINTY_CLASSES = {
    kind.__name__: kind
    for kind in (StdDevUncertainty, VarianceUncertainty, InverseVariance, UnknownUncertainty)
}


def read_survey(hdus, path, *, mask_bits=None):
    """Read the cutout of a file that a survey or `~astropy.nddata.CCDData.write` made."""
    image, noise, mask, psf = find_parts(hdus, path, mask_bits=mask_bits)
    cutout = CCDData(native(read_pixels(image)), **describe(hdus, image, path))
    if mask is not None:
        cards = mask_cards(hdus, mask, path, others=[image.header])
        pixels = native(read_pixels(mask))
        cutout.mask = bad_pixels(pixels, cards, mask_bits=mask_bits)
        words = describe_mask(mask.name, pixels.dtype, cards, mask_bits=mask_bits)
        cutout.meta[MASK_CARD] = words
    for hdu in find_coverage(hdus, image):
        if cutout.mask is None:
            cutout.mask = np.zeros(cutout.shape, bool)
        cutout.mask |= is_unobserved(read_pixels(hdu))
    if psf is not None:
        cutout.psf = native(read_pixels(psf))
        cutout.meta.update(psf_cards(header_sampling(psf.header)))
    else:
        _add_lsst_psf(cutout, lsst_psf(hdus, image))
    try:
        cutout.uncertainty = read_uncertainty(noise, image, path)
    except u.UnitConversionError as error:
        msg = f"{path}: the unit of {noise.name} does not fit that of the image: {error}"
        raise ValueError(msg) from error
    areas = find_areas(hdus, image, cutout.unit, cutout.meta)
    if areas is not None:
        _multiply_by(cutout, native(read_pixels(areas)))
    if noise is not None and noise.name in WEIGHT_NAMES:
        scale_weights(cutout, f"{path}: {noise.name}")
    return cutout


def _multiply_by(cutout, areas):
    """Multiply the pixels of a cutout, and their uncertainties, by their areas."""
    everywhere = (slice(None), slice(None))
    cutout.data = Areas(cutout.data, areas)[everywhere]
    power = _POWERS.get(type(cutout.uncertainty))
    if power is not None:
        areas = np.where(areas > 0, areas, 1).astype(areas.dtype) ** power
        cutout.uncertainty.array = Areas(cutout.uncertainty.array, areas)[everywhere]
    cutout.meta[AREA_CARD] = True


def _add_lsst_psf(cutout, psf):
    """Give a cutout the PSF in its middle, if there is one."""
    if psf is None:
        return
    ny, nx = cutout.shape
    cutout.psf = psf((nx - 1) / 2, (ny - 1) / 2)
    if psf.oversampling != 1:
        cutout.meta.update(psf_cards(PSFSampling(None, psf.oversampling, "PsfexPsf")))


def find_parts(hdus, path, *, mask_bits=None):
    """Find the HDUs of image, uncertainty, mask and PSF; the last three may be None."""
    image = _find_image(hdus, path)
    noise = find_hdu(hdus, UNCERTAINTY_NAMES, path)
    if noise is None:
        noise = find_hdu(hdus, WEIGHT_NAMES, path)
    mask = find_hdu(hdus, MASK_NAMES, path)
    if mask is None:
        mask = _find_quality(hdus, image, path, mask_bits)
    # the stamps of the cells of a coadd of LSST are no stamp
    stamps = [hdu for hdu in hdus if hdu.is_image and len(hdu.shape) != _CELLS]
    psf = find_hdu(stamps, PSF_NAMES, path)
    for hdu in (noise, mask):
        if hdu is not None and hdu.shape != image.shape:
            msg = f"{path}: {hdu.name} has shape {hdu.shape}, the image {image.shape}"
            raise ValueError(msg)
    if mask is not None:
        names = (*MASK_NAMES, *QUALITY_NAMES)
        others = [hdu.name for hdu in hdus if hdu.name in names and hdu is not mask]
        tell_unused(others, path, f"the mask is {mask.name}")
    return image, noise, mask, psf


def _find_quality(hdus, image, path, mask_bits):
    """Find a plane of quality that is a mask, and warn if one is not used."""
    hdu = find_hdu(hdus, QUALITY_NAMES, path)
    if hdu is None:
        return None
    is_known = mask_bits is not None or mask_bits_of(_cards(hdus, hdu, [image.header])).names
    if is_known and hdu.header["BITPIX"] > 0:
        return hdu
    msg = (
        f"{path}: the extension {hdu.name} is not used, as what its numbers mean is not known; if "
        "it is a mask of integers, mask_bits says which bits are bad"
    )
    warn_caller(msg)
    return None


def tell_unused(names, path, reason):
    """Log which extensions of a file are not used, if there are any.

    Parameters
    ----------
    names : list of str
        Their names.
    path : path
        The file, for the message.
    reason : str
        Why they are not used.
    """
    if names:
        _LOG.warning("%s: not used: %s (%s)", path, ", ".join(names), reason)


def find_coverage(hdus, image):
    """Find the HDUs that show where nothing was observed, of the shape of the image."""
    found = []
    for hdu in hdus:
        if hdu.name in COVERAGE_NAMES and hdu.is_image and tuple(hdu.shape[-2:]) == image.shape:
            found.append(hdu)
    return found


def is_unobserved(coverage):
    """Return where all planes of a map of weights or numbers of images are 0."""
    observed = np.asarray(coverage) != 0
    return ~observed.reshape(-1, *observed.shape[-2:]).any(axis=0)


def describe(hdus, image, path):
    """Read unit, WCS and meta of an image."""
    header = image.header.copy()
    header.extend(hdus[0].header.copy(strip=True), unique=True, useblanks=False)
    wcs = read_wcs(image.header, hdus, path)
    if "FLUXMAG0" not in header:
        header.update(calibration_cards(hdus, path))
    unit = read_unit(header, path)
    if unit is None:
        unit = u.dimensionless_unscaled
    return {"unit": unit, "wcs": wcs, "meta": clean_meta(header, keep_wcs=wcs is None)}


def read_unit(header, path):
    """Read the unit of an HDU; an error quotes it and names the file."""
    try:
        return parse_unit(header.get("BUNIT"))
    except ValueError as error:
        msg = f"{path}: its BUNIT {error}"
        raise ValueError(msg) from None


def _find_image(hdus, path):
    """Find the image HDU: one with a known name, else the first 2-D image with another name."""
    image = find_hdu(hdus, IMAGE_NAMES, path)
    if image is not None:
        return image
    others = (*UNCERTAINTY_NAMES, *COVERAGE_NAMES, *MASK_NAMES, *QUALITY_NAMES, *PSF_NAMES)
    for hdu in hdus:
        if hdu.is_image and len(hdu.shape) == 2 and hdu.name not in others:
            return hdu
    msg = f"{path} has no 2-D image: it must be in one of {', '.join(IMAGE_NAMES)}"
    raise ValueError(msg)


def find_hdu(hdus, names, path):
    """Find the HDU that has data and the first of these names, or None."""
    for name in names:
        found = [hdu for hdu in hdus if hdu.name == name and hdu.is_image and hdu.size > 0]
        if len(found) > 1 or (found and len(found[0].shape) != 2):
            shapes = ", ".join(str(hdu.shape) for hdu in found)
            msg = f"{path}: {name} must be one 2-D image, and has shapes {shapes}"
            raise ValueError(msg)
        if found:
            return found[0]
    return None


def read_uncertainty(hdu, image, path):
    """Read an uncertainty, of the kind that its card UTYPE or else its name gives."""
    if hdu is None:
        return None
    kind, unit = uncertainty_kind(hdu, image, path)
    return kind(native(read_pixels(hdu)), unit=unit)


def uncertainty_kind(hdu, image, path):
    """Find the class and the unit of an uncertainty; no unit means that of the image."""
    if hdu.name in WEIGHT_NAMES:
        return InverseVariance, None
    kind = UNCERTAINTY_CLASSES.get(hdu.header.get("UTYPE"), UNCERTAINTY_NAMES[hdu.name])
    if "UTYPE" in hdu.header:
        return kind, read_unit(hdu.header, path)
    # else it may repeat that of the image, whatever the kind, or say that a map has no unit
    if hdu.header.get("BUNIT") == image.header.get("BUNIT"):
        return kind, None
    unit = read_unit(hdu.header, path)
    if unit == u.dimensionless_unscaled:
        unit = None
    return kind, unit


def mask_cards(hdus, mask, path, *, others=()):
    """Join the cards that say which bits of a mask mean bad, and warn if there are none.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        The file of the mask.
    mask : HDU
        The mask.
    path : path
        The file, for messages.
    others : list of `~astropy.io.fits.Header` or dict
        Cards of the image.

    Returns
    -------
    dict
    """
    cards = _cards(hdus, mask, others)
    if mask_bits_of(cards).product == GUESSED:
        msg = (
            f"{path}: {mask.name} of an unknown telescope has 32 bits like those of JWST, of which "
            "only bit 1 (DO_NOT_USE) is taken as bad: mask_bits chooses others"
        )
        warn_caller(msg)
    return cards


def _cards(hdus, mask, others):
    """Join the cards of a mask, its file and its image."""
    cards = {}
    for header in (*reversed(others), hdus[0].header, mask.header):
        cards |= {key: header[key] for key in header if key not in ("", "COMMENT", "HISTORY")}
    return cards


def native(data):
    """Convert an array to the byte order of this machine."""
    return np.asarray(data, dtype=data.dtype.newbyteorder("="))
