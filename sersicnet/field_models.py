"""A whole survey image as the measured galaxies make it, and what they leave over."""

import os
import uuid
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from sersicnet._field_image import open_field
from sersicnet._field_sky import boxes_of
from sersicnet._fits_cards import unit_string
from sersicnet._model_stamps import add_stamp, galaxy_labels, galaxy_stamps
from sersicnet._tables import check_folder
from sersicnet.field_psf import field_psf
from sersicnet.parameters import PARAMETERS

__all__ = ["write_field_model"]

# Pixels on a side of what is read of the image at a time.
_TILE = 1024
# Bytes that the data of a FITS file are a multiple of.
_BLOCK = 2880


def write_field_model(
    catalog,
    image,
    path,
    *,
    psf=None,
    psf_oversampling=1,
    normalize_psf=True,
    pixel_scale=None,
    zeropoint=None,
    residual=False,
):
    """Write an image of all galaxies of a catalogue, or what is left of the image without them.

    Memory stays small however large the image is: the file is mapped, and galaxies are added to
    it. It appears under its name when it is complete, and replaces another.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        Of `~sersicnet.measure.measure_image`. Rows with NaN are left out, as is the light beyond
        10 half-light radii and 32 pixels (768 pixels at most).
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        The image that it was measured in.
    path : str or path-like
        The FITS file to write, of single precision, in the unit of the image.
    psf, psf_oversampling, normalize_psf, pixel_scale, zeropoint
        As for `~sersicnet.measure.measure_image`. Pixel scale and zero point are by default those
        that the ``meta`` of the catalogue tells.
    residual : bool, optional
        Whether to write the image less the galaxies, its sky left in, instead of them.

    Raises
    ------
    TypeError, ValueError, OSError
        If one of the seven parameters, the PSF or the folder of ``path`` is missing, or the call
        makes no sense otherwise.
    """
    missing = [name for name in PARAMETERS if name not in catalog.colnames]
    if missing:
        msg = f"catalog has no {', '.join(missing)}: all of {', '.join(PARAMETERS)} are needed"
        raise ValueError(msg)
    path = Path(path)
    check_folder(path)
    pixel_scale = catalog.meta.get("PIXSCALE") if pixel_scale is None else pixel_scale
    zeropoint = catalog.meta.get("MAGZP") if zeropoint is None else zeropoint
    with open_field(image) as field:
        psf = field.psf if psf is None else psf
        if psf is None:
            msg = "psf=None and the image has none: an image of galaxies needs the PSF"
            raise ValueError(msg)
        star = field_psf(psf, oversampling=psf_oversampling)
        _, places, labels = galaxy_labels(catalog, *field.units(pixel_scale, zeropoint))
        partial = path.with_name(f".{uuid.uuid4().hex}.part")
        try:
            canvas = _blank(partial, field)
            for row, stamp in galaxy_stamps(places, labels, star, normalize_psf=normalize_psf):
                add_stamp(canvas, places[row], stamp)
            for box in boxes_of(canvas.shape, _TILE) if residual else ():
                canvas[box] = field.data[box] - canvas[box]
            canvas.flush()
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def _blank(path, field):
    """A file with an image of zeros, mapped into memory."""
    header = fits.PrimaryHDU(np.zeros((1, 1), np.float32)).header
    header["NAXIS2"], header["NAXIS1"] = field.data.shape
    header["BUNIT"] = unit_string(field.unit)
    if isinstance(field.wcs, WCS):
        header.update(field.wcs.to_header(relax=True))
    header.tofile(path)
    offset = path.stat().st_size
    n_bytes = 4 * np.prod(field.data.shape, dtype=int)
    os.truncate(path, offset + -(-n_bytes // _BLOCK) * _BLOCK)
    return np.memmap(path, dtype=">f4", mode="r+", offset=offset, shape=field.data.shape)
