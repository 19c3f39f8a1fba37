"""PSFs by PSFEx (Bertin 2011, ASPC 442, 435) from given stars of an image."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from astropy.io import fits

from benchmarks.common.sextractor import find_program
from sersicnet.measure import field_psf

__all__ = ["has_psfex", "psfex_psf"]

_COLUMNS = """\
NUMBER
X_IMAGE
Y_IMAGE
FLUX_APER(1)
FLUXERR_APER(1)
FLUX_RADIUS
ELONGATION
FLAGS
SNR_WIN
VIGNET({side},{side})
"""
_SETTINGS = {
    "PARAMETERS_NAME": "columns",
    "CATALOG_NAME": "found.ldac",
    "CATALOG_TYPE": "FITS_LDAC",
    "WEIGHT_TYPE": "MAP_RMS",
    "WEIGHT_IMAGE": "rms.fits",
    "DETECT_THRESH": "5",
    "FILTER": "N",
    "BACK_SIZE": "128",
    "PHOT_APERTURES": "10",
    "VERBOSE_TYPE": "QUIET",
}
_MAKING = {
    "BASIS_TYPE": "PIXEL_AUTO",
    "SAMPLE_AUTOSELECT": "N",
    "SAMPLE_FWHMRANGE": "1.0,20.0",
    "SAMPLE_MINSN": "10",
    "SAMPLE_MAXELLIP": "0.5",
    "CHECKPLOT_TYPE": "NONE",
    "CHECKIMAGE_TYPE": "NONE",
    "WRITE_XML": "N",
    "VERBOSE_TYPE": "QUIET",
    "NTHREADS": "1",
}
# Largest distance of a star and its detection, in pixels.
_NEAR = 2.0


def has_psfex():
    """Return whether PSFEx and SExtractor are installed."""
    return shutil.which("psfex") is not None and find_program() is not None


def psfex_psf(image, x, y, *, degree, side, oversampling):
    """Make a PSF from stars of an image.

    Parameters
    ----------
    image : `~astropy.nddata.CCDData`
        Image with its noise.
    x, y : (N,) `~numpy.ndarray`
        Places of the stars, 0-based pixels.
    degree : int
        Degree of the polynomial of the place.
    side : int
        Pixels on a side of a star.
    oversampling : int
        Pixels of the PSF on a side of a pixel of the image.

    Returns
    -------
    `~sersicnet.measure.FieldPSF` or None
        None where PSFEx made none.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fits.writeto(folder / "image.fits", image.data.astype("f4"))
        fits.writeto(folder / "rms.fits", image.uncertainty.array.astype("f4"))
        (folder / "columns").write_text(_COLUMNS.format(side=side))
        (folder / "empty").write_text("")
        _run([find_program(), "image.fits", "-c", "empty"], _SETTINGS, folder)
        _choose(folder / "found.ldac", x, y)
        settings = _MAKING | {"PSFVAR_DEGREES": str(degree), "PSF_SAMPLING": str(1 / oversampling)}
        settings["PSF_SIZE"] = f"{oversampling * side},{oversampling * side}"
        _run(["psfex", "found.ldac", "-c", "empty"], settings, folder)
        path = folder / "found.psf"
        if not path.exists():
            return None
        return field_psf(path)


def _run(command, settings, folder):
    for key, value in settings.items():
        command = [*command, f"-{key}", value]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _choose(path, x, y):
    """Keep the rows of a catalog that are nearest to the stars."""
    with fits.open(path) as hdus:
        table = hdus[2].data
        distance = np.hypot(table["X_IMAGE"] - 1 - x[:, None], table["Y_IMAGE"] - 1 - y[:, None])
        rows = np.unique(distance.argmin(axis=1)[distance.min(axis=1) < _NEAR])
        hdus[2].data = table[rows]
        hdus.writeto(path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
