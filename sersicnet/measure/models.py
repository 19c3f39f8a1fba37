"""Model images of the galaxies of a catalog, and of the whole field."""

import numpy as np
import torch
from astropy.nddata import NoOverlapError, overlap_slices

from sersicnet.io.files import atomic_path, check_image_path
from sersicnet.io.paths import check_outputs
from sersicnet.measure.field import open_field
from sersicnet.measure.image_psf import centered_psf, psf_of_pictures
from sersicnet.measure.images import blank_image
from sersicnet.measure.option_values import is_word
from sersicnet.measure.positions import check_grid
from sersicnet.measure.psf import field_psf
from sersicnet.measure.sky import boxes_of
from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF, stack_labels
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.psf_stamp import unit_stamp
from sersicnet.model.sizes import visible_radius
from sersicnet.parameters import PARAMETERS, pixel_shape_of, table_values
from sersicnet.preprocessing.frame import StampFrame
from sersicnet.preprocessing.inputs import psf_options_of

__all__ = ["add_stamp", "check_field_model", "galaxy_labels", "galaxy_stamps", "write_field_model"]

# Sides of the stamps that galaxies are drawn on: odd, so that each has a pixel in its middle.
_SIDES = (33, 49, 65, 97, 193, 385, 769, 1537)
# Half-light radii from the galaxy to each side of its stamp,
_RADII = 10
# and pixels for the wings of the PSF beyond them.
_WINGS = 32
# Stamps of faint galaxies end where less than this share of the noise in a pixel is left of them.
_UNSEEN = 0.01
# The wings of their PSF end in half the pixels, up to a flux of this many times the noise.
_FAINT = 2000.0
# Pixels of stamps that are drawn at a time.
_CHUNK = 512**2
# Half-light radius in pixels that a star is drawn with, whose own is 0.
_POINT = 0.01
# What models of one Sersic profile are described by.
_OF_ONE_PROFILE = ("sersic", "exponential", "devaucouleurs")
# Pixels on a side of the parts of the image that are read at a time.
_TILE = 1024


def galaxy_labels(catalog, pixel_scale, zeropoint):
    """Convert a catalog to labels of galaxies in pixels of an image.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        Table with all seven parameters, ``x_0`` and ``y_0`` in pixels of the image. If it has
        ``r_eff_pix`` and ``q_pix``, these are used instead of ``r_eff`` and ``q``. A half-light
        radius of 0 is a star.
    pixel_scale, zeropoint : float
        Arcsec per pixel, and AB magnitude of a flux of 1 in the image.

    Returns
    -------
    rows : (M,) int `~numpy.ndarray`
        Rows of the catalog without NaN.
    places : (M, 2) int `~numpy.ndarray`
        Pixels (x, y) that the galaxies are in.
    labels : (M, 7) `~torch.Tensor`
        Labels as in `~sersicnet.model.LABELS`, the center counted from these pixels.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.measure.models import galaxy_labels
    >>> galaxy = {"mag": 21.0, "r_eff": 0.5, "n": 1.0, "q": 0.7, "theta": 30.0}
    >>> galaxy |= {"x_0": 40.2, "y_0": 50.0}
    >>> catalog = Table([galaxy])
    >>> rows, places, labels = galaxy_labels(catalog, pixel_scale=0.1, zeropoint=25.0)
    >>> places.tolist(), labels.shape
    ([[40, 50]], torch.Size([1, 7]))
    """
    shape = pixel_shape_of(catalog) or ("r_eff", "q")
    values = table_values(catalog, ("mag", "n", "theta", "x_0", "y_0", *shape))
    known = np.isfinite(list(values.values())).all(axis=0)
    values = {name: column[known] for name, column in values.items()}
    smallest = _POINT if shape[0] == "r_eff_pix" else _POINT * pixel_scale
    values[shape[0]] = np.where(values[shape[0]] == 0, smallest, values[shape[0]])
    places = np.floor([values["x_0"] + 0.5, values["y_0"] + 0.5])
    one = np.ones(places.shape[1])
    frame = StampFrame(one, zeropoint * one, pixel_scale * one, one, *places)
    labels = frame.to_labels(frame.in_pixels(values), tuple(PARAMETERS))
    stacked = stack_labels(labels)
    return np.flatnonzero(known), places.T.astype(int), torch.from_numpy(stacked).float()


def galaxy_stamps(places, labels, psf, *, normalize_psf, noise=0.0, largest=_SIDES[-1]):
    """Draw galaxies with the light of the PSF around them.

    Parameters
    ----------
    places, labels
        Pixels and labels from `galaxy_labels`.
    psf : `~sersicnet.measure.FieldPSF`
        The PSF.
    normalize_psf : bool
        As in `~sersicnet.SersicNet.predict`.
    noise : float, optional
        Noise of a pixel: stamps end where less than a hundredth of it is left.
    largest : int, optional
        Side of the largest stamp.

    Yields
    ------
    row : int
        Number of the galaxy among ``places``; in no order.
    stamp : 2-D `~numpy.ndarray`
        Image of odd side, its middle in the galaxy's pixel.
    """
    sizes = _sides(labels.double().numpy(), noise).clip(max=largest)
    for side in np.unique(sizes):
        rows = np.flatnonzero(sizes == side)
        length = max(1, _CHUNK // int(side) ** 2)
        for start in range(0, len(rows), length):
            chunk = rows[start : start + length]
            stamps = [psf.at(*place) for place in places[chunk]]
            transform = _transforms(stamps, psf.oversampling, normalize_psf, int(side))
            with torch.no_grad():
                images = sersic_images(
                    labels[chunk], transform, stamp_size=int(side), oversampling=psf.oversampling
                )
            yield from zip(chunk, images.numpy(), strict=True)


def _sides(labels, noise):
    """Sides of the stamps, (N,) int `~numpy.ndarray`."""
    radius = _RADII * 10 ** labels[:, LOG_R_EFF]
    wings = np.full(len(labels), _WINGS)
    if noise > 0:
        radius = np.minimum(radius, visible_radius(labels, _UNSEEN * noise))
        wings[10 ** labels[:, LOG_FLUX] < _FAINT * noise] = _WINGS // 2
    return np.array(_SIDES)[np.searchsorted(_SIDES[:-1], 2 * (radius + wings))]


def _transforms(psfs, oversampling, normalize_psf, side):
    """Fourier transforms of the PSFs of some galaxies, or of the one that all of them have."""
    if all(psf is psfs[0] for psf in psfs):
        psfs = psfs[:1]
    transforms = []
    for psf in psfs:
        scale = 1.0
        if not normalize_psf:
            scale = np.sum(psf)
        stamp = torch.from_numpy(unit_stamp(psf) * scale).float()
        transforms.append(psf_transform(stamp, side, oversampling=oversampling))
    if len(transforms) == 1:
        return transforms[0]
    return torch.stack(transforms)


def add_stamp(canvas, place, stamp):
    """Add a stamp to an image, as far as the image goes.

    Parameters
    ----------
    canvas : 2-D `~numpy.ndarray`
        The image, which is changed in place.
    place : (int, int)
        Pixel (x, y) of the image that the middle of the stamp is in.
    stamp : 2-D `~numpy.ndarray`
        Image of odd side.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.models import add_stamp
    >>> canvas = np.zeros((3, 4))
    >>> add_stamp(canvas, (0, 1), np.ones((3, 3)))
    >>> canvas
    array([[1., 1., 0., 0.],
           [1., 1., 0., 0.],
           [1., 1., 0., 0.]])
    """
    try:
        where, part = overlap_slices(canvas.shape, stamp.shape, place[::-1], mode="partial")
    except NoOverlapError:
        return
    canvas[where] += stamp[part]


def check_field_model(parameters, image, psf):
    """Raise ValueError, before an image is measured, if no image of its galaxies can be made.

    Parameters
    ----------
    parameters : tuple of str
        The parameters that will be measured.
    image, psf
        As for `write_field_model`.

    Raises
    ------
    ValueError
        If parameters or the PSF are missing.
    """
    _check_parameters(parameters)
    if is_word("psf", psf):
        with open_field(image) as field:
            psf_of_pictures(field, psf)


def _check_parameters(names):
    """Raise ValueError unless all parameters are among the names."""
    missing = [name for name in PARAMETERS if name not in names]
    if missing:
        msg = (
            f"the catalog has no {', '.join(missing)}: an image of galaxies needs all of "
            f"{', '.join(PARAMETERS)}"
        )
        raise ValueError(msg)


def write_field_model(
    catalog,
    image,
    path,
    *,
    psf=None,
    psf_oversampling=None,
    normalize_psf=None,
    recenter_psf=None,
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
        Catalog of `~sersicnet.measure.measure_image`. Rows with NaN are left out, as is the light
        beyond 10 half-light radii and 32 pixels (768 pixels at most).
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        The image in which it was measured.
    path : str or path-like
        The FITS file to write, of single precision, in the unit of the image.
    psf, psf_oversampling, normalize_psf, recenter_psf, pixel_scale, zeropoint
        As for `~sersicnet.measure.measure_image`. All but the PSF are by default those in the
        ``meta`` of the catalog. Its columns ``r_eff_pix`` and ``q_pix``, if there, need no pixel
        scale.
    residual : bool, optional
        Whether to write the image less the galaxies, its sky left in, instead of the galaxies.

    Raises
    ------
    TypeError, ValueError, OSError
        If one of the seven parameters, the PSF or the folder of ``path`` is missing, the galaxies
        have parts, an argument is impossible, the catalog was measured in another image, or
        ``path`` is a file that is read.

    Examples
    --------
    >>> from sersicnet.measure import measure_image, write_field_model
    >>> table = measure_image("field.fits", psf="star.fits")  # doctest: +SKIP
    >>> write_field_model(
    ...     table, "field.fits", "residual.fits", psf="star.fits", residual=True
    ... )  # doctest: +SKIP
    """
    _check_parameters(catalog.colnames)
    model = catalog.meta.get("MODEL", "sersic")
    if "+" in model or not model.startswith(_OF_ONE_PROFILE):
        msg = f"the catalog is of model={model!r}: images of galaxies are of one Sersic profile"
        raise ValueError(msg)
    path = check_image_path(path)
    check_outputs({"path": path}, {"image": image, "psf": psf})
    if pixel_scale is None:
        pixel_scale = catalog.meta.get("PIXSCALE")
    if zeropoint is None:
        zeropoint = catalog.meta.get("MAGZP")
    psf_options = psf_options_of(
        catalog.meta,
        oversampling=psf_oversampling,
        normalize=normalize_psf,
        recenter=recenter_psf,
    )
    normalize_psf = psf_options.get("normalize", True)
    with open_field(image) as field:
        check_grid(catalog, field.wcs)
        psf = psf_of_pictures(field, psf)
        pixel_scale, zeropoint = field.units(pixel_scale, zeropoint)
        oversampling = psf_options.get("oversampling")
        psf, _ = centered_psf(
            field_psf(psf, oversampling=oversampling, pixel_scale=pixel_scale),
            field.data.shape,
            normalize=normalize_psf,
            recenter=psf_options.get("recenter", True),
        )
        _, places, labels = galaxy_labels(catalog, pixel_scale, zeropoint)
        with atomic_path(path) as partial:
            canvas = blank_image(partial, field)
            for row, stamp in galaxy_stamps(places, labels, psf, normalize_psf=normalize_psf):
                add_stamp(canvas, places[row], stamp)
            if residual:
                for box in boxes_of(canvas.shape, _TILE):
                    canvas[box] = field.data[box] - canvas[box]
            canvas.flush()
