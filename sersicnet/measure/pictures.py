"""Cutouts of the galaxies of a catalog, for pictures of what was measured in a survey image."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from astropy.nddata import CCDData, NoOverlapError, StdDevUncertainty, overlap_slices
from astropy.stats import sigma_clipped_stats

from sersicnet.measure.field import RELATIVE, open_field
from sersicnet.measure.image_psf import psf_of_pictures
from sersicnet.measure.injected_field import injected_rounds
from sersicnet.measure.positions import check_grid
from sersicnet.measure.psf import field_psf
from sersicnet.measure.record import check_image
from sersicnet.parameters import table_values
from sersicnet.preprocessing.inputs import psf_options_of

__all__ = ["FieldCutouts", "catalog_cutouts"]

# Pixels on a side of the cutouts.
_SIDE = 128
# Pixels on a side of the small image of the field, at most.
_MOST_PIXELS = 1000


@dataclass(frozen=True, eq=False)
class FieldCutouts:
    """The galaxies of a catalog and their field, as `catalog_cutouts` cuts them out.

    Attributes
    ----------
    cutouts : list of `~astropy.nddata.CCDData` or None
        One per row of the catalog, with its PSF; None for rows that were not measured, or are not
        among the brightest.
    corners : (N, 2) int `~numpy.ndarray`
        x and y of their first pixels in the image.
    image : 2-D `~numpy.ndarray`
        Every n-th pixel of the image, in units of the noise of a pixel.
    shape : (int, int)
        Rows and columns of the image.
    psf_oversampling : int
        Pixels of the PSFs on a side of a pixel of the image.
    """

    cutouts: list
    corners: np.ndarray
    image: np.ndarray
    shape: tuple
    psf_oversampling: int


def catalog_cutouts(
    catalog,
    image,
    *,
    psf=None,
    psf_oversampling=None,
    pixel_scale=None,
    zeropoint=None,
    n_brightest=2000,
):
    """Cut the galaxies of a catalog out of the image in which they were measured.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        Catalog of `~sersicnet.measure.measure_image`, or table of
        `~sersicnet.measure.inject_galaxies`, whose galaxies are injected again.
    image : `~astropy.nddata.NDData`, 2-D `~numpy.ndarray` or path
        The image in which it was measured.
    psf, psf_oversampling, pixel_scale, zeropoint
        As in `~sersicnet.measure.measure_image`. All but the PSF are by default those in the
        ``meta`` of the catalog.
    n_brightest : int, optional
        Number of galaxies that are cut out, the brightest ones.

    Returns
    -------
    FieldCutouts
        The median of the pixels of a cutout, without outliers, is subtracted from it as its sky.

    Raises
    ------
    ValueError
        If the catalog has no positions in this image, or the PSF is missing.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the file of the image has another name than the one in which it was measured.

    Examples
    --------
    >>> from sersicnet.measure import catalog_cutouts, measure_image
    >>> table = measure_image("field.fits", psf="star.fits")  # doctest: +SKIP
    >>> field = catalog_cutouts(table, "field.fits", psf="star.fits")  # doctest: +SKIP
    """
    if not {"mag", "x_0", "y_0"} <= set(catalog.colnames):
        msg = f"catalog has only {', '.join(catalog.colnames)}: mag, x_0 and y_0 are needed"
        raise ValueError(msg)
    given_scale = pixel_scale
    if pixel_scale is None:
        pixel_scale = catalog.meta.get("PIXSCALE")
    if zeropoint is None:
        zeropoint = catalog.meta.get("MAGZP")
    options = psf_options_of(catalog.meta, oversampling=psf_oversampling)
    with open_field(image) as field:
        check_grid(catalog, field.wcs)
        check_image(catalog, field, stacklevel=2)
        psf = psf_of_pictures(field, psf)
        pixel_scale, zeropoint = field.units(pixel_scale, zeropoint)
        psf = field_psf(psf, oversampling=options.get("oversampling"), pixel_scale=pixel_scale)
        meta = {"PIXSCALE": pixel_scale, "MAGZP": zeropoint}
        noise_scale = 1.0
        if field.noise_name == RELATIVE:
            noise_scale = catalog.meta.get("NOISCALE", 1.0)
        values = table_values(catalog, ("mag", "x_0", "y_0"))
        corners = np.zeros((len(catalog), 2), int)
        cutouts = [None] * len(catalog)
        known = np.flatnonzero(np.isfinite(list(values.values())).all(axis=0))
        chosen = known[np.argsort(values["mag"][known])[:n_brightest]]
        again = {"pixel_scale": given_scale, "zeropoint": zeropoint, "psf_options": options}
        for rows, shown in injected_rounds(field, catalog, chosen, psf, **again):
            for row in rows:
                x = values["x_0"][row]
                y = values["y_0"][row]
                with suppress(NoOverlapError):  # the model of a galaxy at the edge may be outside
                    cutouts[row], corners[row] = _cut(shown, x, y, psf.at(x, y), meta, noise_scale)
        step = max(1, -(-max(field.data.shape) // _MOST_PIXELS))
        small = field.data[::step, ::step].astype(float)
        shape = field.data.shape
    _, level, noise = sigma_clipped_stats(small[np.isfinite(small)])
    return FieldCutouts(cutouts, corners, (small - level) / noise, shape, psf.oversampling)


def _cut(field, x, y, stamp, meta, noise_scale):
    """Cut out one galaxy, NaN beyond the image; None where no pixel is left."""
    place = (round(y), round(x))
    corner = (place[1] - _SIDE // 2, place[0] - _SIDE // 2)
    inside, part = overlap_slices(field.data.shape, (_SIDE, _SIDE), place, mode="partial")
    data = np.full((_SIDE, _SIDE), np.nan)
    data[part] = field.data[inside]
    if not np.isfinite(data).any():
        return None, corner
    _, level, noise = sigma_clipped_stats(data[np.isfinite(data)])
    sigma = np.full(data.shape, noise)
    if field.noise is not None:
        sigma[part] = noise_scale * field.noise[inside]
    mask = np.zeros(data.shape, bool)
    if field.mask is not None:
        mask[part] = field.mask[inside]
    cutout = CCDData(
        data - level,
        unit=field.unit,
        uncertainty=StdDevUncertainty(sigma),
        mask=mask,
        psf=stamp,
        meta=meta,
    )
    return cutout, corner
