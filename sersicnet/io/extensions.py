"""Read cutouts from the FITS extensions that surveys use."""

import astropy.units as u
import numpy as np
from astropy.nddata import (
    CCDData,
    InverseVariance,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.wcs import WCS

from sersicnet.io.cards import clean_meta
from sersicnet.io.units import parse_unit

# Accepted names of extensions; the first one found is used. WHT is not among them: in drizzled
# images it is an exposure time as often as an inverse variance.
IMAGE_NAMES = ("SCI", "DATA", "IMAGE", "PRIMARY")
UNCERTAINTY_NAMES = {
    **dict.fromkeys(("UNCERT", "ERR", "ERROR", "RMS", "SIGMA"), StdDevUncertainty),
    **dict.fromkeys(("VAR", "VARIANCE"), VarianceUncertainty),
    **dict.fromkeys(("IVAR", "INVVAR"), InverseVariance),
}
MASK_NAMES = ("MASK", "DQ")
PSF_NAMES = ("PSF", "PSFIMAGE")

UNCERTAINTY_CLASSES = {
    kind.__name__: kind
    for kind in (StdDevUncertainty, VarianceUncertainty, InverseVariance, UnknownUncertainty)
}
# Mask planes of the LSST pipelines that mark sources, not bad pixels.
_SOURCE_PLANES = ("MP_DETECTED", "MP_DETECTED_NEGATIVE")


def read_survey(hdus, path):
    """Read the cutout of a file that a survey or `~astropy.nddata.CCDData.write` made."""
    image, noise, mask, psf = find_parts(hdus, path)
    cutout = CCDData(native(image.data), **describe(hdus, image, path))
    if mask is not None:
        cutout.mask = bad_pixels(native(mask.data), mask.header)
    if psf is not None:
        cutout.psf = native(psf.data)
    try:
        cutout.uncertainty = read_uncertainty(noise, image, path)
    except u.UnitConversionError as error:
        msg = f"{path}: the unit of {noise.name} does not fit that of the image: {error}"
        raise ValueError(msg) from error
    return cutout


def find_parts(hdus, path):
    """Find the HDUs of image, uncertainty, mask and PSF; the last three may be None."""
    image = _find_image(hdus, path)
    noise = find_hdu(hdus, UNCERTAINTY_NAMES, path)
    mask = find_hdu(hdus, MASK_NAMES, path)
    psf = find_hdu(hdus, PSF_NAMES, path)
    for hdu in (noise, mask):
        if hdu is not None and hdu.shape != image.shape:
            msg = f"{path}: {hdu.name} has shape {hdu.shape}, the image {image.shape}"
            raise ValueError(msg)
    return image, noise, mask, psf


def describe(hdus, image, path):
    """Read unit, WCS and meta of an image."""
    header = image.header.copy()
    header.extend(hdus[0].header.copy(strip=True), unique=True, useblanks=False)
    try:
        wcs = WCS(image.header, fobj=hdus)
    except Exception as error:  # wcslib's own exceptions have no common base
        msg = f"{path}: its WCS cannot be read: {error}"
        raise ValueError(msg) from error
    if not wcs.has_celestial:
        wcs = None
    elif wcs.naxis != 2:
        wcs = wcs.celestial  # a plane of a cube
    unit = _read_unit(header, path)
    if unit is None:
        unit = u.dimensionless_unscaled
    return {"unit": unit, "wcs": wcs, "meta": clean_meta(header, keep_wcs=wcs is None)}


def _read_unit(header, path):
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
    others = (*UNCERTAINTY_NAMES, *MASK_NAMES, *PSF_NAMES)
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
    return kind(native(hdu.data), unit=unit)


def uncertainty_kind(hdu, image, path):
    """Find the class and the unit of an uncertainty; no unit means that of the image."""
    kind = UNCERTAINTY_CLASSES.get(hdu.header.get("UTYPE"), UNCERTAINTY_NAMES[hdu.name])
    if "UTYPE" in hdu.header:
        return kind, _read_unit(hdu.header, path)
    # else it may repeat that of the image, whatever the kind, or say that a map has no unit
    if hdu.header.get("BUNIT") == image.header.get("BUNIT"):
        return kind, None
    unit = _read_unit(hdu.header, path)
    if unit == u.dimensionless_unscaled:
        unit = None
    return kind, unit


def bad_pixels(data, header):
    """Convert a mask image to booleans, without the planes that only mark sources."""
    source = sum(1 << header[card] for card in _SOURCE_PLANES if card in header)
    if source:
        data = data & ~np.array(source, data.dtype)
    return data != 0


def native(data):
    """Convert an array to the byte order of this machine."""
    return np.asarray(data, dtype=data.dtype.newbyteorder("="))
