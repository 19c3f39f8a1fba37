"""Images of Roman, which are ASDF files: calibrated exposures (L2) and mosaics (L3)."""

import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.wcs.wcsapi import BaseLowLevelWCS

from sersicnet.io.mask_bits import bad_pixels
from sersicnet.io.mask_words import MASK_CARD, describe_mask
from sersicnet.io.paths import file_of, split_path

__all__ = ["is_asdf", "read_roman"]

_BRIGHTNESS = u.MJy / u.sr
# Names of the area of a pixel in older and newer files, in steradian.
_AREAS = ("pixel_area", "pixelarea_steradians")


def is_asdf(path):
    """Return whether a path is that of an ASDF file, by its suffix."""
    return Path(file_of(path)).suffix.lower() == ".asdf"


def read_roman(path, *, mask_bits=None):
    """Read an image of Roman.

    Parameters
    ----------
    path : str or path-like
        The file, which is read into memory as a whole.
    mask_bits : int, str or list of them, optional
        The bits of ``dq`` that mean bad, by default ``DO_NOT_USE``.

    Returns
    -------
    `~astropy.nddata.CCDData`
        Data and ``err``, in MJy/sr where the file has the factor for that, and the bad pixels: of
        an exposure by ``dq``, of a mosaic where its ``weight`` is 0. ``wcs`` is set where gwcs is
        installed.

    Raises
    ------
    ImportError
        Without asdf.
    OSError, ValueError
        If the file does not exist, is damaged, or has no image of Roman; if the path chooses an
        HDU, as these files have none.
    """
    if split_path(path)[1] is not None:
        msg = f"{path}: an ASDF file of Roman has one image, and no HDU to choose"
        raise ValueError(msg)
    try:
        import asdf
    except ImportError as error:
        msg = f"{path} is an ASDF file, which needs asdf and gwcs: pip install asdf gwcs"
        raise ImportError(msg) from error
    if not Path(path).is_file():
        msg = f"path={str(path)!r} does not exist"
        raise FileNotFoundError(msg)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tags of Roman, which are read as dicts
        try:
            file = asdf.open(path, lazy_load=False, memmap=False)
        except (OSError, EOFError, RuntimeError, ValueError) as error:
            msg = f"{path} is not a complete ASDF file: {error}"
            raise OSError(msg) from error
        with file:
            return _cutout(file.tree.get("roman"), path, mask_bits)


def _cutout(tree, path, mask_bits):
    """Make a cutout of the tree of a file."""
    if tree is None or "data" not in tree:
        msg = f"{path} has no image of Roman (roman.data)"
        raise ValueError(msg)
    about = tree["meta"]
    photometry = about.get("photometry") or {}
    data, unit = _array(tree["data"])
    is_mosaic = "weight" in tree
    if unit is None:
        unit = _BRIGHTNESS if is_mosaic else u.DN / u.s
    factor = _positive(photometry.get("conversion_megajanskys"))
    if unit == u.DN / u.s and factor is not None:
        unit = _BRIGHTNESS
    else:
        factor = 1.0
    cutout = CCDData(data * np.float32(factor), unit=unit, meta=_cards(about, photometry))
    if "err" in tree:
        cutout.uncertainty = StdDevUncertainty(_array(tree["err"])[0] * np.float32(factor))
    if isinstance(about.get("wcs"), BaseLowLevelWCS):
        cutout.wcs = about["wcs"]
    if is_mosaic:
        cutout.mask = _array(tree["weight"])[0] == 0
        cutout.meta[MASK_CARD] = "weight where it is 0"
    elif "dq" in tree:
        dq = _array(tree["dq"])[0]
        cutout.mask = bad_pixels(dq, cutout.meta, mask_bits=mask_bits)
        words = describe_mask("dq", dq.dtype, cutout.meta, mask_bits=mask_bits)
        cutout.meta[MASK_CARD] = words
    return cutout


def _array(stored):
    """Return an array and its unit, None where it has none; older files have quantities."""
    unit = None
    if isinstance(stored, dict):
        unit = u.Unit(str(stored["unit"]))
        stored = stored["value"]
    elif isinstance(stored, u.Quantity):
        unit = stored.unit
        stored = stored.value
    return np.array(stored), unit


def _positive(stored):
    """Return a number, None where it is missing or a placeholder as -999999."""
    if isinstance(stored, dict):
        stored = stored.get("value")
    if stored is None:
        return None
    number = float(getattr(stored, "value", stored))
    return number if 0 < number < np.inf else None


def _cards(about, photometry):
    """Return header cards with what the rest of the package looks for."""
    instrument = about.get("instrument") or {}
    header = fits.Header({"TELESCOP": "ROMAN", "INSTRUME": "WFI"})
    for card, name in (("DETECTOR", "detector"), ("FILTER", "optical_element")):
        if name in instrument:
            header[card] = str(instrument[name])
    for name in _AREAS:
        area = _positive(photometry.get(name))
        if area is not None:
            header["PIXAR_SR"] = area
            header["PIXSCALE"] = np.sqrt(area) * u.rad.to(u.arcsec)
    return header
