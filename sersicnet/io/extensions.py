"""The extensions that surveys use, as a cutout: the reader behind `sersicnet.io.cutouts`."""

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

from sersicnet.io.cards import clean_meta, parse_unit

# Accepted extension names, the first one found wins. WHT is not among them: in drizzled images
# it is an exposure time as often as an inverse variance.
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
# Mask planes of the LSST pipelines that say "there is a source", not "this pixel is bad".
_SOURCE_PLANES = ("MP_DETECTED", "MP_DETECTED_NEGATIVE")


def read_survey(hdus, path):
    """The cutout of a file that surveys or `~astropy.nddata.CCDData.write` make."""
    image, noise, mask, psf = find_parts(hdus, path)
    cutout = CCDData(
        native(image.data),
        mask=None if mask is None else bad_pixels(native(mask.data), mask.header),
        psf=None if psf is None else native(psf.data),
        **describe(hdus, image, path),
    )
    try:
        cutout.uncertainty = read_uncertainty(noise, image)
    except u.UnitConversionError as error:
        msg = f"{path}: the unit of {noise.name} does not fit that of the image: {error}"
        raise ValueError(msg) from error
    return cutout


def find_parts(hdus, path):
    """The HDUs of image, uncertainty, mask and PSF; the last three may be None."""
    image = _find_image(hdus, path)
    noise, mask, psf = (
        find_hdu(hdus, names, path) for names in (UNCERTAINTY_NAMES, MASK_NAMES, PSF_NAMES)
    )
    for hdu in (noise, mask):
        if hdu is not None and hdu.shape != image.shape:
            msg = f"{path}: {hdu.name} has shape {hdu.shape}, the image {image.shape}"
            raise ValueError(msg)
    return image, noise, mask, psf


def describe(hdus, image, path):
    """Unit, WCS and meta of an image."""
    header = image.header.copy()
    header.extend(hdus[0].header.copy(strip=True), unique=True, useblanks=False)
    wcs = _read_wcs(image.header, hdus, path)
    unit = parse_unit(header.get("BUNIT")) or u.adu
    return {"unit": unit, "wcs": wcs, "meta": clean_meta(header, keep_wcs=wcs is None)}


def _find_image(hdus, path):
    """The image HDU: a known name, else the first 2-D image that is nothing else."""
    image = find_hdu(hdus, IMAGE_NAMES, path)
    if image is not None:
        return image
    others = (*UNCERTAINTY_NAMES, *MASK_NAMES, *PSF_NAMES)
    for hdu in hdus:
        if hdu.is_image and len(hdu.shape) == 2 and hdu.name not in others:
            return hdu
    msg = f"{path} has no 2-D image: give it in one of {', '.join(IMAGE_NAMES)}"
    raise ValueError(msg)


def find_hdu(hdus, names, path):
    """The HDU with data that has the first of these names, or None."""
    for name in names:
        found = [hdu for hdu in hdus if hdu.name == name and hdu.is_image and hdu.size > 0]
        if len(found) > 1 or (found and len(found[0].shape) != 2):
            shapes = ", ".join(str(hdu.shape) for hdu in found)
            msg = f"{path}: one 2-D image is needed in {name}, and its shapes are {shapes}"
            raise ValueError(msg)
        if found:
            return found[0]
    return None


def read_uncertainty(hdu, image):
    """Uncertainty with the kind that its name or its card UTYPE says."""
    if hdu is None:
        return None
    kind, unit = uncertainty_kind(hdu, image)
    return kind(native(hdu.data), unit=unit)


def uncertainty_kind(hdu, image):
    """Class and unit of an uncertainty."""
    kind = UNCERTAINTY_CLASSES.get(hdu.header.get("UTYPE"), UNCERTAINTY_NAMES[hdu.name])
    string, unit = hdu.header.get("BUNIT"), None
    if string != image.header.get("BUNIT") or "UTYPE" in hdu.header:
        unit = parse_unit(string)  # else it repeats the image's, whatever its kind
    return kind, unit


def bad_pixels(data, header):
    """All of a mask that is not zero, without the planes that only mark sources."""
    source = sum(1 << header[card] for card in _SOURCE_PLANES if card in header)
    return (data & ~np.array(source, data.dtype) if source else data) != 0


def _read_wcs(header, hdus, path):
    """The celestial WCS of an image, or None."""
    try:
        wcs = WCS(header, fobj=hdus)
    except Exception as error:  # wcslib's own exceptions have no common base
        msg = f"{path}: its WCS cannot be read: {error}"
        raise ValueError(msg) from error
    return wcs if wcs.has_celestial and wcs.naxis == 2 else None


def native(data):
    """The array in the byte order of this machine."""
    return np.asarray(data, dtype=data.dtype.newbyteorder("="))
