"""Which image of a FITS file is read: ``file.fits[2]``, ``file.fits[CCD2]``, ``file.fits[SCI,2]``.

A file may hold several images, each with its noise map and mask. `choose_image` leaves one of them
in the list of HDUs, with what belongs to it, as a 2-D image.
"""

from io import BytesIO

import numpy as np
from astropy.io import fits

from sersicnet._caller import warn_caller
from sersicnet.io.celestial import LOOKUP_NAMES
from sersicnet.io.extensions import (
    IMAGE_NAMES,
    MASK_NAMES,
    PSF_NAMES,
    QUALITY_NAMES,
    UNCERTAINTY_NAMES,
    WEIGHT_NAMES,
    tell_unused,
)
from sersicnet.io.fits_files import fits_errors, open_fits, read_pixels
from sersicnet.io.paths import file_of, split_path

__all__ = [
    "choose_companion",
    "choose_image",
    "image_paths",
    "selected_version",
]

# Extensions that are neither images nor parts of one that we read.
_OTHERS = {
    *("EXP", "EXPMAP", "CON", "CTX", "COVERAGE", "AREA", "NUMFRAMES"),
    *("VAR_POISSON", "VAR_RNOISE", "VAR_FLAT", "VAR_SKY", "ERR_EMPIRICAL"),
    *("SKY", "BKG", "BACKGROUND", "MODEL", "RESIDUAL", "SEG", "SEGM", "SEGMENTATION"),
    *("SAMP", "TIME", *LOOKUP_NAMES),
}
_MASKS = {*MASK_NAMES, *QUALITY_NAMES}
_PARTS = {*UNCERTAINTY_NAMES, *WEIGHT_NAMES, *_MASKS, *PSF_NAMES, *_OTHERS}
# Name that astropy gives to compressed images without a name.
_NAMELESS = ("", "COMPRESSED_IMAGE")


def choose_image(hdus, path):
    """Leave one image in a list of HDUs, with its noise map, mask and PSF.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        All HDUs of a file.
    path : str or path-like
        The file, with a choice or without: then the first image, ``SCI`` before others.

    Returns
    -------
    `~astropy.io.fits.HDUList`
        Without other images and their parts; cubes of one plane, or of a chosen one, are 2-D.

    Raises
    ------
    ValueError
        If there is no such HDU, it is not an image, or a plane has to be chosen.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If nothing was chosen, and the file has several images.
    """
    _, selection, plane = split_path(path)
    images = [hdu for hdu in hdus if _is_image(hdu)]
    if selection is not None:
        chosen = _selected(hdus, selection, path)
    else:
        chosen = _first(hdus, images, path)
    if chosen is None:
        return hdus
    maps = [_label(hdu, hdus) for hdu in images if _may_be_mask(hdu, chosen)]
    tell_unused(maps, path, f"integers of the shape of {_label(chosen, hdus)}")
    kept = []
    for hdu in hdus:
        if hdu is chosen:
            image = _as_plane(hdu, plane, path)
            if _kind(hdu) in _PARTS:
                image.name = "SCI"  # it was chosen as the image
            kept.append(image)
        elif _is_part(hdu):
            if _belongs(hdu, chosen, images, hdus):
                kept.append(_part(hdu, chosen, plane, path))
        elif hdu not in images:
            kept.append(hdu)
        elif hdu is hdus[0]:
            kept.append(fits.PrimaryHDU(header=hdu.header.copy(strip=True)))
    return fits.HDUList(kept)


def choose_companion(hdus, names, path, *, like=None, argument="path"):
    """Find the image of a file that belongs to an image of another file.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        All HDUs of the file.
    names : iterable of str
        Names of extensions that are preferred.
    path : str or path-like
        The file, with a choice or without.
    like : (str, int), optional
        Name and version of the other image's extension, which decides among several.
    argument : str, optional
        Name of the argument, for messages.

    Returns
    -------
    HDU
        A 2-D image.

    Raises
    ------
    ValueError
        If there is none, or several.
    """
    _, selection, plane = split_path(path)
    if selection is not None:
        return _as_plane(_selected(hdus, selection, path), plane, path)
    pool = [hdu for hdu in hdus if hdu.is_image and hdu.size > 0 and len(hdu.shape) > 1]
    for name in names:
        named = [hdu for hdu in pool if _kind(hdu) == name]
        if named:
            pool = named
            break
    if len(pool) > 1 and like is not None:
        prefix = like[0].rpartition(".")[0]
        for wanted in (like, (prefix, like[1])):
            same = [hdu for hdu in pool if wanted in ((hdu.name, hdu.ver), _group(hdu))]
            pool = same or pool
    if not pool:
        msg = f"{argument}={str(path)!r} has no 2-D image"
        raise ValueError(msg)
    if len(pool) > 1:
        label = _label(pool[0], hdus)
        msg = f"{argument}={str(path)!r} has {len(pool)} images: choose one, as '{path}[{label}]'"
        raise ValueError(msg)
    return _as_plane(pool[0], plane, path)


def image_paths(path):
    """List the images of a FITS file as paths that choose them.

    Parameters
    ----------
    path : str or path-like
        A file, with the choice of one image or without.

    Returns
    -------
    list of str
        ``'file.fits[CCD1]'``, ``'file.fits[CCD2]'`` and so on. A chosen image is the only one.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read, or has no image.

    Examples
    --------
    >>> from sersicnet.io import image_paths
    >>> image_paths("exposure.fits")  # doctest: +SKIP
    ['exposure.fits[N2]', 'exposure.fits[S29]']
    """
    if file_of(path) != str(path):
        return [str(path)]
    with fits_errors(path), open_fits(path) as hdus:
        labels = [_label(hdu, hdus) for hdu in hdus if _is_image(hdu)]
    if not labels:
        msg = f"{path} has no 2-D image"
        raise ValueError(msg)
    return [f"{path}[{label}]" for label in labels]


def selected_version(hdus, path):
    """Return the version of the chosen HDU, None if none is chosen.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        All HDUs of a file.
    path : str or path-like
        The file, with a choice or without.

    Returns
    -------
    int or None
    """
    selection = split_path(path)[1]
    if selection is None:
        return None
    return _selected(hdus, selection, path).ver


def _kind(hdu):
    """Return what an extension says it is: the name, after a point where it has one."""
    name = hdu.name or str(hdu.header.get("EXTTYPE", "")).upper()
    return name.rpartition(".")[2]


def _group(hdu):
    """Return what the extensions of one image share: a name before the point, and the version."""
    return hdu.name.rpartition(".")[0], hdu.ver


def _is_part(hdu):
    return _kind(hdu) in _PARTS and hdu.is_image


def _is_image(hdu):
    """Return whether an HDU may be the image that is looked for."""
    if not hdu.is_image or hdu.size == 0 or len(hdu.shape) < 2:
        return False
    return _kind(hdu) not in _PARTS


def _may_be_mask(hdu, chosen):
    """Return whether an HDU has integers of the shape of an image of floats."""
    return hdu.shape == chosen.shape and hdu.header["BITPIX"] > 0 > chosen.header["BITPIX"]


def _selected(hdus, selection, path):
    """Find the HDU that is chosen."""
    try:
        hdu = hdus[selection]
    except (KeyError, IndexError):
        names = ", ".join(f"{i} {hdu.name}".strip() for i, hdu in enumerate(hdus))
        msg = f"{path}: there is no such HDU: {names}"
        raise ValueError(msg) from None
    if not hdu.is_image or hdu.size == 0 or len(hdu.shape) < 2:
        msg = f"{path}: this HDU is not a 2-D image"
        raise ValueError(msg)
    if isinstance(selection, str):
        same = [other for other in hdus if other.name == hdu.name and other.size > 0]
        _warn_of_others(same, hdus, path)
    return hdu


def _first(hdus, images, path):
    """Find the image to read where none is chosen, and warn if there are several."""
    if not images:
        return None
    candidates = images
    for name in IMAGE_NAMES:
        named = [hdu for hdu in images if _kind(hdu) == name]
        if named:
            candidates = named
            if name == "PRIMARY":
                candidates = [*named, *(hdu for hdu in images if hdu not in named)]
            break
    _warn_of_others(candidates, hdus, path)
    return candidates[0]


def _warn_of_others(candidates, hdus, path):
    """Warn if an image is the first of several that may be meant."""
    if len(candidates) == 1:
        return
    labels = [_label(hdu, hdus) for hdu in candidates]
    shown = ", ".join(labels[:5]) + ", ..." * (len(labels) > 5)
    msg = (
        f"{path} has {len(labels)} images ({shown}), of which {labels[0]} is taken: choose one "
        f"with hdu=, or as '{file_of(path)}[{labels[0]}]'"
    )
    warn_caller(msg)


def _label(hdu, hdus):
    """Return how an HDU is chosen in the path."""
    same = [other for other in hdus if other.name == hdu.name]
    if hdu.name in _NAMELESS:
        return str(hdus.index(hdu))
    if len(same) == 1:
        return hdu.name
    if len({other.ver for other in same}) == len(same):
        return f"{hdu.name},{hdu.ver}"
    return str(hdus.index(hdu))


def _belongs(part, chosen, images, hdus):
    """Return whether a noise map, mask or PSF is that of the chosen image."""
    if len(images) == 1 or part.name in LOOKUP_NAMES:
        return True
    if _kind(part) in PSF_NAMES:
        psfs = [hdu for hdu in hdus if _kind(hdu) in PSF_NAMES]
        return len(psfs) == 1 or part.ver == chosen.header.get("SNPSF", chosen.ver)
    owners = [image for image in images if _group(image) == _group(part)]
    for name in IMAGE_NAMES:
        named = [image for image in owners if _kind(image) == name]
        if named:
            owners = named
            break
    return len(owners) == 1 and owners[0] is chosen


def _part(hdu, chosen, plane, path):
    """Return a part of an image under its own name, as a 2-D HDU like the image."""
    leading = hdu.shape[:-2]
    if (
        hdu.size > 0
        and len(hdu.shape) > 2
        and (leading == chosen.shape[:-2] or set(leading) == {1})
    ):
        if leading != chosen.shape[:-2]:
            plane = None
        hdu = _as_plane(hdu, plane, path)
    if hdu.name != _kind(hdu):
        hdu.name = _kind(hdu)
    return hdu


def _as_plane(hdu, plane, path):
    """Return a 2-D HDU: the same, or a plane of a cube, which is read."""
    if len(hdu.shape) <= 2:
        return hdu
    n_planes = int(np.prod(hdu.shape[:-2]))
    if plane is None and n_planes > 1:
        ny, nx = hdu.shape[-2:]
        msg = (
            f"{path}: {hdu.name} has {n_planes} planes of {ny} x {nx} pixels: choose one, as "
            f"'{file_of(path)}[{hdu.name}][0]', or read it with astropy as an array"
        )
        raise ValueError(msg)
    if plane is not None and plane >= n_planes:
        msg = f"{path}: {hdu.name} has planes 0 to {n_planes - 1}"
        raise ValueError(msg)
    index = np.unravel_index(plane or 0, hdu.shape[:-2])
    header = hdu.header.copy()
    for card in ("BSCALE", "BZERO"):
        header.remove(card, ignore_missing=True)
    image = fits.ImageHDU(read_pixels(hdu, index), header, name=hdu.name, ver=hdu.ver)
    buffer = BytesIO()
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(buffer, output_verify="ignore")
    buffer.seek(0)
    return fits.open(buffer, memmap=False)[1]  # of a file, its sections can be read
