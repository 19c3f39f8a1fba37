"""What a catalog of a survey image says of its measurement, and whether an image is that one."""

import warnings

import astropy.units as u
import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.inference.record import describe_call
from sersicnet.io.mask_words import MASK_CARD
from sersicnet.measure.image_psf import stamps_at
from sersicnet.measure.option_values import FIXED, FREE_POSITION, has_free_position
from sersicnet.measure.shown import draws_of
from sersicnet.measure.sweeps import JOINED
from sersicnet.parameters import to_floats
from sersicnet.preprocessing.inputs import PSF_WIDTH, psf_width

__all__ = ["check_image", "describe_measurement"]


def describe_measurement(measurement, found=None):
    """Describe what measured an image, as a FITS header can hold it.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image and its options.
    found : dict, optional
        ``meta`` of the rows of all tiles: which sources were joined.

    Returns
    -------
    dict
        ``IMAGE`` (name of its file), ``MASKFROM`` (its mask, and which bits count), ``PIXSCALE``,
        ``MAGZP``, ``THRESH`` and other options of the detection, ``PSFFWHM`` (in pixels, where it
        is the same all over the image), ``FIXED`` (what forced photometry takes from the catalog),
        ``PSFFROM`` (``stars``, of a PSF that was made), ``PSFSTARS`` and what they say of the PSF,
        ``POPULATN`` (where the population comes from, if there is one), and what `describe_call`
        has.
    """
    options = measurement.options
    psf_options = {"normalize": options.normalize_psf, "recenter": options.recenter_psf}
    record = {}
    if measurement.field.name is not None:
        record["IMAGE"] = measurement.field.name.encode("ascii", "replace").decode()
    if measurement.field.mask_name is not None:
        record[MASK_CARD] = measurement.field.mask_name.encode("ascii", "replace").decode()
    if measurement.psf is not None:
        psf_options["oversampling"] = measurement.psf.oversampling
        stamps = stamps_at(measurement.psf, measurement.field.data.shape)
        width = psf_width(stamps, {"oversampling": measurement.psf.oversampling})
        if width is not None:
            record[PSF_WIDTH] = width
        if measurement.psf.source:
            record["PSFFROM"] = measurement.psf.source
        if measurement.psf.trial is not None:
            record |= measurement.psf.trial.describe()
    record |= {"PIXSCALE": measurement.pixel_scale, "MAGZP": measurement.zeropoint}
    record |= describe_call(
        measurement.net,
        refine=options.refine,
        assumptions=options.assumptions(),
        psf_options=psf_options,
        model=measurement.priors or options.fitted,
    )
    if options.fixed:
        record |= options.assumptions().describe() | _forced(options.fixed)
    if measurement.population is not None:
        record["POPULATN"] = measurement.population.about
    record |= _detection(measurement) | _pairs(measurement, found or {})
    draws = draws_of(measurement)
    return record if draws is None else record | draws.describe()


def _detection(measurement):
    """Describe how sources were detected, and in which boxes the sky was measured."""
    options = measurement.options
    record = {"SKYBOX": options.background_box or "none"}
    if measurement.field.segments is None:
        record |= {"THRESH": options.threshold, "MINPIX": options.n_pixels}
        record |= {"CONTRAST": options.contrast, "LARGE1ST": options.large_first}
    return record


def _pairs(measurement, found):
    """Describe whether pairs were joined in fits, and how many sources became parts of others."""
    if not measurement.joint:
        return {}
    if not measurement.options.join_pairs:
        return {"JOINPAIR": False}
    return {"JOINPAIR": True, "NJOINED": len(found.get(JOINED, ()))}


def _forced(fixed):
    """Describe what forced photometry takes from the catalog, and what it fits."""
    if has_free_position(fixed):
        return {"FIXED": " ".join(FREE_POSITION), "REFINE": "fluxes and positions", "PRIOR": "x y"}
    return {"FIXED": " ".join(FIXED), "REFINE": "fluxes", "PRIOR": "none"}


def check_image(catalog, field, *, stacklevel):
    """Check that an image may be the one that a catalog was measured in.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        The catalog, with ``x_0`` and ``y_0``.
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    stacklevel : int
        As in `warnings.warn`, counted from the caller of this function.

    Raises
    ------
    ValueError
        If a source is outside of the image.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If its file has another name.
    """
    name = field.name or "the image"
    before = catalog.meta.get("IMAGE")
    _check_inside(catalog, field, name, before)
    if before is not None and field.name is not None and before != field.name:
        msg = f"image is {field.name}, but the catalog was measured in {before}"
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)


def _check_inside(catalog, field, name, before):
    """Raise ValueError if a source is outside of an image, more than a fit may move it."""
    axes = ("x_0", "y_0")
    if {"x_centroid", "y_centroid"} <= set(catalog.colnames):
        axes = ("x_centroid", "y_centroid")
    x, y = (to_floats(catalog[axis], u.pix) for axis in axes)
    ny, nx = field.data.shape
    known = np.isfinite(x) & np.isfinite(y)
    outside = known & ((np.abs(x - (nx - 1) / 2) > nx / 2) | (np.abs(y - (ny - 1) / 2) > ny / 2))
    n_outside = np.count_nonzero(outside)
    if axes[0] == "x_0" and n_outside <= np.count_nonzero(known) / 2:
        return
    if n_outside:
        msg = (
            f"image: {n_outside} of {np.count_nonzero(known)} galaxies of the catalog "
            f"({before or 'of another image'}) are outside of {name}, which has {nx} x {ny} pixels"
        )
        raise ValueError(msg)
