"""SExtractor's fits of Sersic profiles, with the names and units of sersicnet.

SExtractor (Bertin & Arnouts 1996, A&AS 117, 393) is the program ``source-extractor`` or ``sex``.
"""

import resource
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.convolution import Gaussian2DKernel
from astropy.io import fits
from astropy.stats import gaussian_fwhm_to_sigma
from astropy.table import QTable, Table

# Columns of SExtractor, with that of the error; magnitudes and radii in pixels among them.
_FITTED = {
    "mag": ("MAG_SPHEROID", "MAGERR_SPHEROID"),
    "r_eff": ("SPHEROID_REFF_IMAGE", "SPHEROID_REFFERR_IMAGE"),
    "n": ("SPHEROID_SERSICN", "SPHEROID_SERSICNERR"),
    "q": ("SPHEROID_ASPECT_IMAGE", "SPHEROID_ASPECTERR_IMAGE"),
}
_POSITIONS = {
    "x_centroid": "XWIN_IMAGE",
    "y_centroid": "YWIN_IMAGE",
    "x_0": "XMODEL_IMAGE",
    "y_0": "YMODEL_IMAGE",
}
# That of a fit which failed.
_NO_MAGNITUDE = 99.0
_SETTINGS = {
    "PARAMETERS_NAME": "columns",
    "CATALOG_NAME": "found.fits",
    "CATALOG_TYPE": "FITS_1.0",
    "WEIGHT_TYPE": "MAP_RMS",
    "WEIGHT_IMAGE": "rms.fits",
    "PSF_NAME": "star.psf",
    "FILTER_NAME": "gauss.conv",
    "DETECT_THRESH": "1.5",
    "DETECT_MINAREA": "5",
    "DEBLEND_MINCONT": "0.005",
    "BACK_SIZE": "128",
    "NTHREADS": "1",
    "VERBOSE_TYPE": "QUIET",
}


@dataclass(frozen=True, eq=False)
class Found:
    """What SExtractor found.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        ``x_centroid``, ``y_centroid``, ``x_0``, ``y_0`` (0-based pixels), and ``mag``, ``r_eff``,
        ``n`` and ``q`` with ``_err``, ``_lo`` and ``_hi``, NaN where the fit failed.
    residual : 2-D `~numpy.ndarray` or None
        The image less its models.
    seconds : float
        Of one core.
    """

    table: QTable
    residual: np.ndarray | None
    seconds: float


def find_program():
    """Path of SExtractor, None where it is not installed."""
    return shutil.which("source-extractor") or shutil.which("sex")


def fit_sersic(
    data, noise, psf, *, pixel_scale, zeropoint, oversampling=1, residual=False, settings=None
):
    """Detect the sources of an image, and fit a Sersic profile to each.

    Detection is set as in `sersicnet.measure.measure_image`: the threshold, the smallest area, the
    width of the filter, the contrast, the size of the boxes of the sky.

    Parameters
    ----------
    data, noise : 2-D `~numpy.ndarray`
        Image, and standard deviation of its pixels.
    psf : 2-D `~numpy.ndarray`
        Star-like stamp, which includes the response of the pixel.
    pixel_scale, zeropoint : float
        Arcsec per pixel, and AB magnitude of a flux of 1.
    oversampling : int
        Pixels of the PSF stamp on a side of a pixel of the image.
    residual : bool
        Whether to return the image less the models.
    settings : dict of str to str, optional
        Of SExtractor, instead of those here.

    Returns
    -------
    Found
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fits.writeto(folder / "image.fits", data.astype("f4"))
        fits.writeto(folder / "rms.fits", noise.astype("f4"))
        _write_psfex(psf, folder / "star.psf", oversampling)
        _write_filter(folder / "gauss.conv")
        columns = [*_POSITIONS.values(), *(name for pair in _FITTED.values() for name in pair)]
        (folder / "columns").write_text("\n".join(columns) + "\n")
        check = {"CHECKIMAGE_TYPE": "-MODELS" if residual else "NONE"}
        check |= {"CHECKIMAGE_NAME": "residual.fits", "MAG_ZEROPOINT": str(zeropoint)}
        chosen = _SETTINGS | check | (settings or {})
        options = [word for key, value in chosen.items() for word in (f"-{key}", value)]
        (folder / "empty.sex").write_text("")
        command = [find_program(), "image.fits", "-c", "empty.sex", *options]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        table = _in_our_units(Table.read(folder / "found.fits"), pixel_scale)
        left = fits.getdata(folder / "residual.fits") if residual else None
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Found(table, left, seconds)


def _in_our_units(found, pixel_scale):
    table = QTable({name: found[column] - 1.0 for name, column in _POSITIONS.items()})
    failed = found["MAG_SPHEROID"] == _NO_MAGNITUDE
    units = {"mag": (1, u.ABmag, u.mag), "r_eff": (pixel_scale, u.arcsec, u.arcsec)}
    for name, columns in _FITTED.items():
        factor, unit, error_unit = units.get(name, (1, 1, 1))
        value, error = (
            np.where(failed, np.nan, factor * np.asarray(found[column], float))
            for column in columns
        )
        table[name], table[f"{name}_err"] = value * unit, error * error_unit
        table[f"{name}_lo"], table[f"{name}_hi"] = (value - error) * unit, (value + error) * unit
    return table


def _write_filter(path):
    """A Gaussian of 3 pixels FWHM."""
    kernel = Gaussian2DKernel(3 * gaussian_fwhm_to_sigma, x_size=7).array
    lines = [" ".join(f"{value:.6f}" for value in row) for row in kernel]
    path.write_text("\n".join(["CONV NORM", *lines]) + "\n")


def _write_psfex(psf, path, oversampling):
    """A PSF that is the same everywhere, in the format of PSFEx."""
    size = len(psf)
    column = fits.Column(
        "PSF_MASK", f"{size * size}E", dim=f"({size},{size},1)", array=psf.astype("f4")[None, None]
    )
    table = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
    area = np.sum(psf) ** 2 / np.sum(psf**2) / oversampling**2
    fwhm = np.sqrt(2 * np.log(2) / np.pi * area)
    cards = {"LOADED": 1, "ACCEPTED": 1, "CHI2": 1.0, "POLNAXIS": 0, "PSF_FWHM": fwhm}
    cards |= {"PSF_SAMP": 1 / oversampling, "PSFNAXIS": 3}
    cards |= {"PSFAXIS1": size, "PSFAXIS2": size, "PSFAXIS3": 1}
    table.header.update(cards)
    table.writeto(path)
