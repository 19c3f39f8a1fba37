"""Fits of Sersic profiles by SExtractor, with the names and units of sersicnet.

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

from sersicnet import Flags

# SExtractor's columns of each value and of its error; the radius is in pixels.
_FITTED = {
    "mag": ("MAG_SPHEROID", "MAGERR_SPHEROID"),
    "r_eff": ("SPHEROID_REFF_IMAGE", "SPHEROID_REFFERR_IMAGE"),
    "n": ("SPHEROID_SERSICN", "SPHEROID_SERSICNERR"),
    "q": ("SPHEROID_ASPECT_IMAGE", "SPHEROID_ASPECTERR_IMAGE"),
}
# Its aperture magnitude, which has no model.
_AUTO = ("MAG_AUTO", "MAGERR_AUTO")
_POSITIONS = {
    "x_centroid": "XWIN_IMAGE",
    "y_centroid": "YWIN_IMAGE",
    "x_0": "XMODEL_IMAGE",
    "y_0": "YMODEL_IMAGE",
}
_FLAGS = "FLAGS"
_COLUMNS = (*_POSITIONS.values(), *sum(_FITTED.values(), ()), *_AUTO, _FLAGS)
# SExtractor's flags of a source that was deblended, or has a bright neighbor.
_BLENDED = 3
# SExtractor's magnitude of a fit that failed.
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
# The filter of SExtractor's default settings, default.conv.
_DEFAULT_FILTER = "CONV NORM\n1 2 1\n2 4 2\n1 2 1\n"
# Settings that leave out sources that are not near given positions.
_NEAR = {
    "ASSOC_NAME": "near",
    "ASSOC_PARAMS": "1,2",
    "ASSOC_TYPE": "NEAREST",
    "ASSOCSELEC_TYPE": "MATCHED",
}


@dataclass(frozen=True, eq=False)
class Found:
    """The result of SExtractor.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        ``x_centroid``, ``y_centroid``, ``x_0``, ``y_0`` (0-based pixels), and ``mag``, ``r_eff``,
        ``n`` and ``q`` with ``_err``, ``_lo`` and ``_hi``, NaN where the fit failed, and ``flags``:
        `~sersicnet.Flags` ``BLENDED``.
    residual : 2-D `~numpy.ndarray` or None
        Image minus the models.
    seconds : float
        CPU time, on one core.
    """

    table: QTable
    residual: np.ndarray | None
    seconds: float


def find_program():
    """Return the path of SExtractor, None where it is not installed."""
    return shutil.which("source-extractor") or shutil.which("sex")


def fit_sersic(
    data,
    noise,
    psf,
    *,
    pixel_scale,
    zeropoint,
    oversampling=1,
    near=None,
    residual=False,
    settings=None,
    kernel="gauss_3.0",
):
    """Detect the sources of an image, and fit a Sersic profile to each.

    Sources are five pixels above 1.5 times the noise of a pixel in the image that is filtered by a
    Gaussian with a FWHM of 3 pixels; contrast and boxes of the background are those of
    `sersicnet.measure.measure_image`.

    Parameters
    ----------
    data, noise : 2-D `~numpy.ndarray`
        Image, and standard deviation of its pixels.
    psf : 2-D `~numpy.ndarray`
        PSF stamp, which includes the response of the pixel.
    pixel_scale, zeropoint : float
        Arcsec per pixel, and AB magnitude of a flux of 1.
    oversampling : int
        Pixels of the PSF stamp per pixel of the image, along each axis.
    near : (N, 2) `~numpy.ndarray`, optional
        Positions x and y, 0-based: only sources there are measured, within ``ASSOC_RADIUS`` pixels.
    residual : bool
        Whether to return the image minus the models.
    settings : dict of str to str, optional
        Settings of SExtractor that replace those of this module.
    kernel : {'default', 'gauss_3.0'}
        As in `detect`.

    Returns
    -------
    Found
    """
    chosen = _SETTINGS | {"CHECKIMAGE_TYPE": "NONE", "CHECKIMAGE_NAME": "residual.fits"}
    chosen["MAG_ZEROPOINT"] = str(zeropoint)
    if residual:
        chosen["CHECKIMAGE_TYPE"] = "-MODELS"
    if settings is not None:
        chosen |= settings
    left = None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fits.writeto(folder / "image.fits", data.astype("f4"))
        fits.writeto(folder / "rms.fits", noise.astype("f4"))
        _write_psfex(psf, folder / "star.psf", oversampling)
        _write_filter(folder / "gauss.conv", kernel)
        columns = list(_COLUMNS)
        if near is not None:
            np.savetxt(folder / "near", near + 1.0)
            chosen |= _NEAR
            columns.append("NUMBER_ASSOC")
        (folder / "columns").write_text("\n".join(columns) + "\n")
        seconds = _run(folder, chosen)
        table = _to_sersicnet(Table.read(folder / "found.fits"), pixel_scale)
        if residual:
            left = fits.getdata(folder / "residual.fits")
    return Found(table, left, seconds)


def detect(data, noise, *, kernel="default", zeropoint):
    """Detect the sources of an image, without a fit.

    Parameters
    ----------
    data, noise : 2-D `~numpy.ndarray`
        Image, and standard deviation of its pixels.
    kernel : {'default', 'gauss_3.0'}
        Filter: that of SExtractor's default settings, or a Gaussian with a FWHM of 3 pixels.
    zeropoint : float
        AB magnitude of a flux of 1.

    Returns
    -------
    Found
        Its table has ``x_centroid``, ``y_centroid`` (0-based pixels) and ``mag``.
    """
    settings = {name: value for name, value in _SETTINGS.items() if name != "PSF_NAME"}
    settings["MAG_ZEROPOINT"] = str(zeropoint)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fits.writeto(folder / "image.fits", data.astype("f4"))
        fits.writeto(folder / "rms.fits", noise.astype("f4"))
        _write_filter(folder / "gauss.conv", kernel)
        columns = {"x_centroid": "XWIN_IMAGE", "y_centroid": "YWIN_IMAGE", "mag": _AUTO[0]}
        (folder / "columns").write_text("\n".join(columns.values()) + "\n")
        seconds = _run(folder, settings)
        found = Table.read(folder / "found.fits")
    table = QTable({name: np.asarray(found[column], float) for name, column in columns.items()})
    for axis in "xy":
        table[f"{axis}_centroid"] -= 1
    return Found(table, None, seconds)


def _run(folder, settings):
    """Run SExtractor in a directory, and return its CPU seconds."""
    (folder / "empty.sex").write_text("")
    command = [find_program(), "image.fits", "-c", "empty.sex"]
    for key, value in settings.items():
        command += [f"-{key}", value]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _to_sersicnet(found, pixel_scale):
    """Convert SExtractor's catalog to the names and units of sersicnet."""
    table = QTable({name: found[column] - 1.0 for name, column in _POSITIONS.items()})
    blended = (np.asarray(found[_FLAGS]) & _BLENDED) > 0
    table["flags"] = np.where(blended, int(Flags.BLENDED), 0)
    columns = _FITTED | {"mag_auto": _AUTO}
    units = {"mag": (1, u.ABmag, u.mag), "r_eff": (pixel_scale, u.arcsec, u.arcsec)}
    units["mag_auto"] = units["mag"]
    for name, (value_column, error_column) in columns.items():
        failed = found["MAG_AUTO" if name == "mag_auto" else "MAG_SPHEROID"] == _NO_MAGNITUDE
        factor, unit, error_unit = units.get(name, (1, 1, 1))
        value = np.where(failed, np.nan, factor * np.asarray(found[value_column], float))
        error = np.where(failed, np.nan, factor * np.asarray(found[error_column], float))
        table[name] = value * unit
        table[f"{name}_err"] = error * error_unit
        table[f"{name}_lo"] = (value - error) * unit
        table[f"{name}_hi"] = (value + error) * unit
    return table


def _write_filter(path, name):
    """Write the filter of the detection: the default one, or a Gaussian with a FWHM of 3 pixels."""
    if name == "default":
        path.write_text(_DEFAULT_FILTER)
        return
    kernel = Gaussian2DKernel(3 * gaussian_fwhm_to_sigma, x_size=7).array
    lines = [" ".join(f"{value:.6f}" for value in row) for row in kernel]
    path.write_text("\n".join(["CONV NORM", *lines]) + "\n")


def _write_psfex(psf, path, oversampling):
    """Write a PSF that is the same in the whole image, in the format of PSFEx."""
    size = len(psf)
    column = fits.Column(
        "PSF_MASK", f"{size * size}E", dim=f"({size},{size},1)", array=psf.astype("f4")[None, None]
    )
    table = fits.BinTableHDU.from_columns([column], name="PSF_DATA")
    area = np.sum(psf) ** 2 / np.sum(psf**2) / oversampling**2
    cards = {
        "LOADED": 1,
        "ACCEPTED": 1,
        "CHI2": 1.0,
        "POLNAXIS": 0,
        "PSF_FWHM": np.sqrt(2 * np.log(2) / np.pi * area),
        "PSF_SAMP": 1 / oversampling,
        "PSFNAXIS": 3,
        "PSFAXIS1": size,
        "PSFAXIS2": size,
        "PSFAXIS3": 1,
    }
    table.header.update(cards)
    table.writeto(path)
