"""Read and write cutouts as FITS files.

A cutout is a `~astropy.nddata.CCDData`: image, uncertainty, mask (True is bad),
WCS, PSF and header. `read_cutout` reads one galaxy from the files that surveys
and `~astropy.nddata.CCDData.write` make; `write_cutouts` and `read_cutouts` keep
many cutouts of different sizes in one file.
"""

import hashlib
import warnings
from io import BytesIO
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, NDData
from astropy.wcs import WCS

from sersicnet.io.cards import (
    FILE_CARDS,
    clean_meta,
    exact_floats,
    meta_header,
    remove_wcs_cards,
    unit_string,
    wcs_cards,
)
from sersicnet.io.extensions import UNCERTAINTY_CLASSES, native, read_survey, read_uncertainty
from sersicnet.io.files import atomic_path
from sersicnet.io.fits_files import fits_errors, open_fits, read_pixels
from sersicnet.io.hdus import choose_image, image_paths, selected_version
from sersicnet.io.mask_bits import bad_pixels, check_mask_bits
from sersicnet.io.paths import path_with
from sersicnet.io.psf_sampling import psf_cards, sampling_of
from sersicnet.io.roman import is_asdf, read_roman

__all__ = ["read_cutout", "read_cutouts", "write_cutout", "write_cutouts"]

# Our own cards. In the primary header: the number of cutouts, and of HDUs, by which a truncated
# file is recognized.
_N_CUTOUTS = "SNCUTS"
_N_HDUS = "SNHDUS"
# In the header of each image: the number of its PSF, whether it has a WCS, and the BUNIT that its
# meta had.
_PSF_CARD = "SNPSF"
_WCS_FLAG = "SNWCS"
_META_BUNIT = "SNBUNIT"


def read_cutout(path, *, hdu=None, mask_bits=None):
    """Read the cutout of one galaxy from a FITS file.

    Parameters
    ----------
    path : str or path-like
        A file written by `~astropy.nddata.CCDData.write` or `write_cutout`, or a file with
        the extensions that surveys use: the image in ``SCI``, ``DATA``, ``IMAGE`` or the
        primary HDU (else the first image with another name); its uncertainty in ``UNCERT``,
        ``ERR``, ``ERROR``, ``RMS`` or ``SIGMA`` (1 sigma), ``VAR`` or ``VARIANCE``, ``IVAR`` or
        ``INVVAR``, else relative weights in ``WHT``, ``WEIGHT`` or ``WGT``, which are scaled to
        the scatter of the border; ``MASK``, ``DQ``, ``FLG``, ``MASKBITS``, ``FLAGS``, ``FLAG``,
        ``MSK``, ``BPM`` or ``BADPIX``; ``PSF`` or ``PSFIMAGE``. The first of these is used, and
        the log names other masks, and integers that may be one. Of
        several images, the path chooses one, as ``'file.fits[2]'``, ``'file.fits[CCD2]'`` or
        ``'file.fits[SCI,2]'``; of a cube, it chooses a plane, as ``'cube.fits[1][0]'``. A file
        ``.asdf`` is one of Roman, and needs asdf.
    hdu : int, str or (str, int), optional
        Number, name, or name and version of the image's HDU, instead of a choice in the path. By
        default the first image, with a warning if there are several.
    mask_bits : int, str or list of them, optional
        The bits of the mask that mean bad: their sum, or their names (``"BAD,SAT"``), where the
        header or the mission has names. By default those of the mission: JWST, Roman, HST, LSST,
        HSC, DECam, Euclid, Legacy Surveys, ZTF; of others, all that is not zero is bad, also in
        masks of floats.

    Returns
    -------
    `~astropy.nddata.CCDData`
        The cutout, in native byte order. ``meta`` holds the image's header and the cards that
        only the primary header has; ``wcs`` is set where it is celestial. The unit is that of
        the card ``BUNIT``, as `~sersicnet.io.parse_unit` reads it, and ``meta['BUNIT']`` keeps the
        string of the file. Without it, the data are pure numbers.

    Raises
    ------
    OSError
        If the file does not exist, is not FITS, or is truncated.
    ValueError
        If the file has no 2-D image, several cutouts, extensions of different shapes, or a unit
        that cannot be read.
    ImportError
        If it is an ASDF file, and asdf is not installed.

    Examples
    --------
    See `write_cutout`.
    """
    cutouts = read_cutouts(path, hdu=hdu, mask_bits=mask_bits)
    if len(cutouts) != 1:
        msg = f"{path} holds {len(cutouts)} cutouts, not one: read it with read_cutouts"
        raise ValueError(msg)
    return cutouts[0]


def read_cutouts(path, *, hdu=None, mask_bits=None):
    """Read all cutouts of a file written by `write_cutouts`.

    Parameters
    ----------
    path : str or path-like
        The file. Any other file that `read_cutout` understands counts as one cutout.
    hdu : int, str, (str, int) or list of them, optional
        The image to read, as in `read_cutout`, or several; ``'all'`` for all images of the file.
    mask_bits : int, str or list of them, optional
        As in `read_cutout`, for files of surveys; `write_cutouts` writes masks of 0 and 1.

    Returns
    -------
    list of `~astropy.nddata.CCDData`
        In the order in which they were written. Cutouts that shared a PSF share one array.

    Raises
    ------
    OSError, ValueError
        For the same reasons as in `read_cutout`.

    Examples
    --------
    See `write_cutouts`.
    """
    check_mask_bits(mask_bits)
    if isinstance(hdu, list):
        return [read_cutout(path, hdu=one, mask_bits=mask_bits) for one in hdu]
    if is_asdf(path):
        path = path if hdu == "all" else path_with(path, hdu)
        return [read_roman(path, mask_bits=mask_bits)]
    if hdu == "all":
        return [read_cutout(one, mask_bits=mask_bits) for one in image_paths(path)]
    path = path_with(path, hdu)
    with fits_errors(path), open_fits(path) as hdus:
        if _N_CUTOUTS in hdus[0].header:
            return _read_own(hdus, path)
        return [read_survey(choose_image(hdus, path), path, mask_bits=mask_bits)]


def write_cutout(cutout, path, *, overwrite=False):
    """Write one cutout into a FITS file.

    The file, which `write_cutouts` would write for a list of one cutout, can also be read with
    ``CCDData.read(path)``.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`
        2-D cutout.
    path : str or path-like
        The file to write.
    overwrite : bool, optional
        Whether to replace an existing file.

    Raises
    ------
    FileExistsError, TypeError, ValueError
        For the same reasons as in `write_cutouts`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from astropy.nddata import CCDData
    >>> from sersicnet.io import read_cutout, write_cutout
    >>> cutout = CCDData(np.ones((4, 4)), unit="nJy", psf=np.ones((3, 3)))
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "galaxy.fits"
    ...     write_cutout(cutout, path)
    ...     again = read_cutout(path)
    >>> again.unit, again.psf.shape
    (Unit("nJy"), (3, 3))
    """
    write_cutouts([cutout], path, overwrite=overwrite)


def write_cutouts(cutouts, path, *, overwrite=False):
    """Write cutouts of any sizes into one FITS file.

    For each cutout the file holds the extensions ``SCI``, ``UNCERT``, ``MASK`` and ``PSFIMAGE``
    (with the number of the cutout as ``EXTVER``); a PSF that several cutouts share is
    stored once. The file appears under its name only when it is complete.

    Parameters
    ----------
    cutouts : iterable of `~astropy.nddata.NDData`
        2-D cutouts. They are written one by one, so a generator never fills the memory.
    path : str or path-like
        The file to write.
    overwrite : bool, optional
        Whether to replace an existing file.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    TypeError
        If a cutout is not an NDData.
    ValueError
        If a cutout has something that FITS cannot hold.

    Notes
    -----
    All arrays come back bit by bit, except that float16, which FITS does not know, becomes
    float32 and a scalar mask or uncertainty becomes an array. Cards of ``meta`` that FITS
    cannot hold are left out with a warning; cards that describe the WCS are kept in ``wcs``.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from astropy.nddata import CCDData
    >>> from sersicnet.io import read_cutouts, write_cutouts
    >>> cutouts = [CCDData(np.ones((size, size)), unit="nJy") for size in (4, 6)]
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "galaxies.fits"
    ...     write_cutouts(cutouts, path)
    ...     print([cutout.shape for cutout in read_cutouts(path)])
    [(4, 4), (6, 6)]
    """
    path = Path(path)
    if path.exists() and not overwrite:
        msg = f"{path} exists: pass overwrite=True to replace it"
        raise FileExistsError(msg)
    if isinstance(cutouts, NDData):
        cutouts = [cutouts]
    with atomic_path(path) as partial, partial.open("xb") as file:
        _write_stream(cutouts, file)


def _write_stream(cutouts, file):
    """Write a primary HDU, all cutouts, then the primary HDU again with the final numbers."""
    primary = fits.PrimaryHDU()
    primary.header[_N_CUTOUTS] = (0, "number of cutouts in this file")
    primary.header[_N_HDUS] = (1, "number of HDUs in this file")
    file.write(_to_bytes(primary))
    psf_numbers = {}
    for number, cutout in enumerate(cutouts, start=1):
        try:
            hdus = _to_hdus(cutout, number, psf_numbers)
            content = _to_bytes(fits.PrimaryHDU(), *hdus)
        except (TypeError, ValueError, fits.VerifyError) as error:
            msg = f"cutouts[{number - 1}] cannot be written: {error}"
            if isinstance(error, TypeError):
                raise TypeError(msg) from error
            raise ValueError(msg) from error
        file.write(content[2880:])  # without the empty primary HDU, which is one FITS block
        primary.header[_N_CUTOUTS] = number
        primary.header[_N_HDUS] += len(hdus)
    file.seek(0)
    file.write(_to_bytes(primary))


def _to_bytes(*hdus):
    buffer = BytesIO()
    with warnings.catch_warnings():  # astropy mends cards of a survey that break the standard
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        fits.HDUList(list(hdus)).writeto(buffer, output_verify="silentfix+ignore")
    return buffer.getbuffer()


def _to_hdus(cutout, number, psf_numbers):
    """Make the HDUs of one cutout; ``psf_numbers`` numbers the PSFs that the file has already."""
    if not isinstance(cutout, NDData):
        msg = f"it is a {type(cutout).__name__} and must be an NDData"
        raise TypeError(msg)
    data = _storable(cutout.data, "data")
    image = fits.ImageHDU(data, _to_header(cutout), name="SCI", ver=number)
    hdus = [image]
    uncertainty = cutout.uncertainty
    if uncertainty is not None and uncertainty.array is not None:
        array = np.broadcast_to(uncertainty.array, data.shape)
        hdu = fits.ImageHDU(_storable(array, "uncertainty"), name="UNCERT", ver=number)
        hdu.header["UTYPE"] = _uncertainty_name(uncertainty)
        if uncertainty.unit is not None:
            hdu.header["BUNIT"] = unit_string(uncertainty.unit)
        hdus.append(hdu)
    if cutout.mask is not None:
        mask = bad_pixels(np.broadcast_to(cutout.mask, data.shape), cutout.meta).astype(np.uint8)
        hdus.append(fits.ImageHDU(mask, name="MASK", ver=number))
    if cutout.psf is not None:
        psf = _storable(np.asarray(cutout.psf), "psf")
        key = hashlib.sha256(repr((psf.dtype, psf.shape)).encode() + psf.tobytes()).digest()
        if key not in psf_numbers:
            psf_numbers[key] = len(psf_numbers) + 1
            hdus.append(fits.ImageHDU(psf, name="PSFIMAGE", ver=psf_numbers[key]))
        image.header[_PSF_CARD] = (psf_numbers[key], "EXTVER of the PSFIMAGE of this cutout")
    return hdus


def _storable(array, name):
    """Convert an array to a dtype that FITS has, without loss."""
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "iuf":
        msg = f"its {name} has shape {array.shape} and dtype {array.dtype}, not 2-D of real numbers"
        raise ValueError(msg)
    if array.dtype.itemsize > 8:
        msg = f"its {name} has dtype {array.dtype}: FITS holds up to 64 bits a pixel"
        raise ValueError(msg)
    return np.ascontiguousarray(array)


def _uncertainty_name(uncertainty):
    name = type(uncertainty).__name__
    if name not in UNCERTAINTY_CLASSES:
        msg = f"its uncertainty is a {name}, not one of {', '.join(UNCERTAINTY_CLASSES)}"
        raise ValueError(msg)
    return name


def _to_header(cutout):
    """Make the header of the image extension from meta, unit and WCS."""
    header = meta_header(cutout.meta)
    for card in (*FILE_CARDS, _PSF_CARD, _WCS_FLAG, _META_BUNIT):
        header.remove(card, ignore_missing=True, remove_all=True)
    header.update(psf_cards(sampling_of(cutout.psf)))
    if "BUNIT" in header:
        header.rename_keyword("BUNIT", _META_BUNIT)
    header["BUNIT"] = unit_string(cutout.unit)
    if cutout.wcs is not None:
        remove_wcs_cards(header)
        header.update(wcs_cards(cutout.wcs))
        header[_WCS_FLAG] = (True, "the WCS cards belong to the attribute wcs")
    return exact_floats(header)


def _read_own(hdus, path):
    """Read all cutouts of a file that `write_cutouts` wrote."""
    if len(hdus) != hdus[0].header[_N_HDUS]:
        msg = f"it has {len(hdus)} of its {hdus[0].header[_N_HDUS]} HDUs"
        raise OSError(msg)
    parts = {}
    psfs = {}
    for hdu in hdus[1:]:
        if hdu.name == "PSFIMAGE":
            psfs[hdu.ver] = native(read_pixels(hdu))
        else:
            parts.setdefault(hdu.ver, {})[hdu.name] = hdu
    version = selected_version(hdus, path)
    if version is not None:
        parts = {version: parts[version]}
    return [_build(part["SCI"], part, psfs, path) for part in parts.values()]


def _build(image, part, psfs, path):
    """Make one cutout from its HDUs."""
    header = image.header.copy()
    wcs = None
    if _WCS_FLAG in header:
        wcs = WCS(header)
    mask = None
    if "MASK" in part:
        mask = read_pixels(part["MASK"]).astype(bool)
    meta = clean_meta(header, keep_wcs=wcs is None)
    for card in ("BUNIT", _PSF_CARD, _WCS_FLAG):
        meta.remove(card, ignore_missing=True)
    if _META_BUNIT in meta:
        meta.rename_keyword(_META_BUNIT, "BUNIT")
    return CCDData(
        native(read_pixels(image)),
        unit=u.Unit(header["BUNIT"]),
        uncertainty=read_uncertainty(part.get("UNCERT"), image, path),
        mask=mask,
        wcs=wcs,
        psf=psfs.get(header.get(_PSF_CARD)),
        meta=meta,
    )
