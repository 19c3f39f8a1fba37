"""The PSF of an image of the LSST stack, also of HSC, where its file has it in numbers.

These are the pixels of PSFEx (HSC) and the stamps of the cells of a coadd. A PSF of Piff is a
program's object (a pickle), and that of other coadds needs all of its exposures: they are not read.
"""

import json

import numpy as np
from astropy.io import fits

from sersicnet.io.fits_files import read_pixels
from sersicnet.io.lsst_files import stored_rows
from sersicnet.io.psf_places import NearestPSF
from sersicnet.io.psfex import PsfexPSF, read_psfex

__all__ = ["lsst_psf"]

_PSFEX = "PsfexPsf"
_CELLS = "PSF"


def lsst_psf(hdus, image):
    """Read the PSF of an exposure or coadd.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        The file.
    image : HDU
        Its image.

    Returns
    -------
    `PsfexPSF`, `NearestPSF` or None
        A function of x and y; None where the file has none that can be read.
    """
    name, rows = stored_rows(hdus, "PSF")
    if name == _PSFEX and len(rows) == 2:
        return _of_psfex(*rows, image.header)
    cells = [hdu for hdu in hdus if hdu.name == _CELLS and hdu.is_image and len(hdu.shape) == 4]
    if cells:
        return _of_cells(cells[0], hdus)
    return None


def _of_psfex(scalars, arrays, header):
    """Return the PSF in the two tables of a ``PsfexPsf``."""
    width, height, n_terms = (int(number) for number in np.ravel(arrays["_size"][0])[:3])
    basis = np.asarray(arrays["_comp"][0], dtype=float).reshape(n_terms, height, width)
    column = fits.Column(
        "PSF_MASK", f"{basis.size}E", dim=f"({width},{height},{n_terms})", array=basis[None]
    )
    hdu = fits.BinTableHDU.from_columns([column])
    cards = {"POLNAXIS": 2, "POLNGRP": 1, "POLGRP1": 1, "POLGRP2": 1}
    cards |= {"POLNAME1": "X_IMAGE", "POLNAME2": "Y_IMAGE", "PSFNAXIS": 3}
    cards |= {"PSFAXIS1": width, "PSFAXIS2": height, "PSFAXIS3": n_terms}
    cards["POLDEG1"] = int(np.ravel(arrays["degree"][0])[0])
    cards["PSF_SAMP"] = float(scalars["_pixstep"][0])
    for axis in (1, 2):
        # LSST counts pixels from 0, in the whole exposure of which this may be a part
        start = -float(header.get(f"LTV{axis}", 0.0))
        zero = float(np.ravel(arrays["_context_first"][0])[axis - 1])
        cards[f"POLZERO{axis}"] = zero - start + 1
        cards[f"POLSCAL{axis}"] = float(np.ravel(arrays["_context_second"][0])[axis - 1])
    hdu.header.update(cards)
    return PsfexPSF(read_psfex(hdu))


def _of_cells(hdu, hdus):
    """Return the PSF of the cells of a coadd, whose places a table of JSON describes."""
    tables = [each for each in hdus if each.name == "JSON" and not each.is_image]
    if not tables:
        return None
    try:
        tree = json.loads(np.asarray(tables[0].data["JSON"][0], np.uint8).tobytes())
        start_y, start_x = tree["image"]["start"]
        bounds = tree["psf"]["bounds"]
        step_y, step_x = bounds["grid"]["cell_shape"]
        y = bounds["bbox"]["y"]["start"] - start_y + (step_y - 1) / 2
        x = bounds["bbox"]["x"]["start"] - start_x + (step_x - 1) / 2
    except (KeyError, TypeError, ValueError):
        return None  # of another version
    n_y, n_x = hdu.shape[:2]
    y, x = np.meshgrid(y + step_y * np.arange(n_y), x + step_x * np.arange(n_x), indexing="ij")
    stamps = np.asarray(read_pixels(hdu), dtype=float).reshape(-1, *hdu.shape[2:])
    psf = NearestPSF(stamps, np.column_stack([x.ravel(), y.ravel()]))
    return psf if len(psf) else None
