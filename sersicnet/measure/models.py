"""Stamps of the galaxies of a catalog, as they were measured."""

import os
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from astropy.wcs import WCS

from sersicnet.io.cards import unit_string
from sersicnet.io.files import atomic_path, check_folder
from sersicnet.measure.field import open_field
from sersicnet.measure.psf import field_psf
from sersicnet.measure.sky import boxes_of
from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF, stack_labels
from sersicnet.model.likelihood import visible_radius
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.psf import check_psf
from sersicnet.parameters import PARAMETERS, table_values
from sersicnet.preprocessing.frame import StampFrame
from sersicnet.preprocessing.windows import overlap

__all__ = ["add_stamp", "galaxy_labels", "galaxy_stamps", "write_field_model"]

# Sides of the stamps that galaxies are drawn on: odd, so that each has a pixel in its middle.
_SIDES = (33, 49, 65, 97, 193, 385, 769, 1537)
# A stamp has so many half-light radii, and pixels for the PSF, to each side of the galaxy.
_RADII, _WINGS = 10, 32
# What can be seen of faint galaxies ends where they have this share of the noise in a pixel. Their
# PSF's wings do in half the pixels, up to a flux of so many times the noise.
_UNSEEN, _FAINT = 0.01, 2000.0
# Pixels of stamps that are drawn at a time.
_CHUNK = 512**2
# Pixels on a side of what is read of the image at a time.
_TILE = 1024
# Bytes that the data of a FITS file are a multiple of.
_BLOCK = 2880


def galaxy_labels(catalog, pixel_scale, zeropoint):
    """Where galaxies are and how they look.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        With all seven parameters, ``x_0`` and ``y_0`` in pixels of the image.
    pixel_scale, zeropoint : float
        Of the image.

    Returns
    -------
    rows : (M,) int `~numpy.ndarray`
        Of the catalog: those without NaN.
    places : (M, 2) int `~numpy.ndarray`
        Pixels (x, y) that the galaxies are in.
    labels : (M, 7) `~torch.Tensor`
        As in `~sersicnet.model.LABELS`, the center counted from there.
    """
    values = table_values(catalog, tuple(PARAMETERS))
    known = np.isfinite(list(values.values())).all(axis=0)
    values = {name: column[known] for name, column in values.items()}
    places = np.floor([values["x_0"] + 0.5, values["y_0"] + 0.5])
    one = np.ones(places.shape[1])
    frame = StampFrame(one, zeropoint * one, pixel_scale * one, one, *places)
    labels = frame.to_labels(values, tuple(PARAMETERS))
    stacked = stack_labels(labels)
    return np.flatnonzero(known), places.T.astype(int), torch.from_numpy(stacked).float()


def galaxy_stamps(places, labels, star, *, normalize_psf, noise=0.0, largest=_SIDES[-1]):
    """Draw galaxies with the light of the PSF around them.

    Parameters
    ----------
    places, labels
        Of `galaxy_labels`.
    star : `~sersicnet.measure.FieldPSF`
        The PSF.
    normalize_psf : bool
        As of `~sersicnet.SersicNet.predict`.
    noise : float, optional
        Of a pixel: stamps end where less than a hundredth of it is left.
    largest : int, optional
        Side of the largest stamp.

    Yields
    ------
    row : int
        Number of the galaxy among ``places``; in no order.
    stamp : 2-D `~numpy.ndarray`
        Of odd side, its middle in the galaxy's pixel.
    """
    sizes = _sides(labels.double().numpy(), noise).clip(max=largest)
    for side in np.unique(sizes):
        rows, length = np.flatnonzero(sizes == side), max(1, _CHUNK // int(side) ** 2)
        for start in range(0, len(rows), length):
            chunk = rows[start : start + length]
            transform = _transforms(
                [star.at(*place) for place in places[chunk]], star, normalize_psf, int(side)
            )
            options = {"stamp_size": int(side), "oversampling": star.oversampling}
            with torch.no_grad():
                images = sersic_images(labels[chunk], transform, **options)
            yield from zip(chunk, images.numpy(), strict=True)


def _sides(labels, noise):
    """Of the stamps, (N,) int `~numpy.ndarray`."""
    radius, wings = _RADII * 10 ** labels[:, LOG_R_EFF], np.full(len(labels), _WINGS)
    if noise > 0:
        radius = np.minimum(radius, visible_radius(labels, _UNSEEN * noise))
        wings[10 ** labels[:, LOG_FLUX] < _FAINT * noise] = _WINGS // 2
    return np.array(_SIDES)[np.searchsorted(_SIDES[:-1], 2 * (radius + wings))]


def _transforms(psfs, star, normalize_psf, side):
    """Of the PSFs of some galaxies; of the one that all of them have."""
    psfs = psfs[:1] if all(psf is psfs[0] for psf in psfs) else psfs
    psfs = [check_psf(psf) * (1.0 if normalize_psf else np.sum(psf)) for psf in psfs]
    found = [
        psf_transform(torch.from_numpy(psf).float(), side, oversampling=star.oversampling)
        for psf in psfs
    ]
    return found[0] if len(found) == 1 else torch.stack(found)


def add_stamp(canvas, place, stamp):
    """Add a stamp, its middle in the pixel ``place`` (x, y), to an image, as far as that goes."""
    first = place[::-1] - len(stamp) // 2
    where, part = zip(
        *(overlap(n, begin, len(stamp)) for n, begin in zip(canvas.shape, first, strict=True)),
        strict=True,
    )
    canvas[where] += stamp[part]


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
    """Write an image of all galaxies of a catalog, or what is left of the image without them.

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
        that the ``meta`` of the catalog tells.
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
        with atomic_path(path) as partial:
            canvas = _blank(partial, field)
            for row, stamp in galaxy_stamps(places, labels, star, normalize_psf=normalize_psf):
                add_stamp(canvas, places[row], stamp)
            for box in boxes_of(canvas.shape, _TILE) if residual else ():
                canvas[box] = field.data[box] - canvas[box]
            canvas.flush()


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
