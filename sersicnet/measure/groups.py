"""Columns of a catalog that say which sources share light."""

from functools import partial

import numpy as np

from sersicnet._caller import warn_caller
from sersicnet._words import counted
from sersicnet.flags import Flags
from sersicnet.inference.groups import find_groups
from sersicnet.inference.joined import BLEND_FRACTION
from sersicnet.measure.models import galaxy_labels
from sersicnet.measure.places import first_of_places, place_codes
from sersicnet.model.labels import CENTER, LOG_FLUX, N_LABELS
from sersicnet.model.psf import collect_psfs
from sersicnet.networks.posterior import PosteriorNetwork
from sersicnet.parameters import PARAMETERS

__all__ = [
    "add_groups",
    "grouping",
    "noise_labels",
    "psf_width",
]


def add_groups(table, psf, *, shape, pixel_scale, zeropoint):
    """Add ``group_id``, ``group_size`` and ``blend_fraction`` to a catalog, in place, and BLENDED.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Sources of an image with their ``id``, ``flags``, peak and ``noise_level``. Where a source
        was fitted together with others, it has a ``blend_fraction``; the others are predicted.
        Sources in one pixel, rows of a catalog, are one source of a group.
    psf : `~sersicnet.measure.FieldPSF`
        The PSF; that in the middle is taken.
    shape : (int, int)
        Shape of the image.
    pixel_scale, zeropoint : float
        Arcsec per pixel, and AB magnitude of a flux of 1.
    """
    labels = noise_labels(table, pixel_scale, zeropoint)
    known = np.flatnonzero(np.isfinite(labels).all(axis=1))
    first = np.arange(len(table))
    first[known] = known[first_of_places(table[known])]
    labels[first != np.arange(len(table))] = np.nan
    links = None
    fraction = None
    if "fitted_with" in table.colnames:
        links = _links(table)
        fraction = np.asarray(table["blend_fraction"])
    groups = find_groups(labels, psf_width(psf, shape), links=links)
    predicted = groups.blend_fraction[first]
    if fraction is not None:
        predicted = np.where(np.asarray(table["group_size"]) > 1, fraction, predicted)
    table["group_id"] = _ids(table["id"])[groups.brightest[first]]
    table["group_size"] = groups.size[first]
    table["blend_fraction"] = predicted
    table["flags"] |= np.where(predicted >= BLEND_FRACTION, int(Flags.BLENDED), 0)


def _ids(ids):
    """What groups are named by: the ids, or rows counted from 1 where some ids are the same."""
    n_same = len(ids) - len(set(np.asarray(ids).tolist()))
    if not n_same:
        return ids
    msg = (
        f"catalog= has {counted(n_same, 'row')} whose id is that of another: group_id has rows of "
        "the table, counted from 1"
    )
    warn_caller(msg)
    return np.arange(1, len(ids) + 1)


def _links(table):
    """Rows of sources and of those that their groups were named for in the fit, (L, 2)."""
    codes = place_codes(table)
    leads = np.asarray(table["fitted_with"])
    rows = {int(code): row for row, code in enumerate(codes)}
    links = []
    for row in np.flatnonzero(leads):
        links.append((row, rows[int(leads[row])]))
    return links


def noise_labels(table, pixel_scale, zeropoint):
    """Return labels of sources with fluxes in units of their noise, and centers in the image.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Sources with their ``noise_level``.
    pixel_scale, zeropoint : float
        As in `add_groups`.

    Returns
    -------
    (N, 7) `~numpy.ndarray`
        NaN where a source was not measured.
    """
    rows, places, known = galaxy_labels(table, pixel_scale, zeropoint)
    labels = np.full((len(table), N_LABELS), np.nan)
    labels[rows] = known.numpy()
    labels[rows, CENTER] += places
    labels[:, LOG_FLUX] -= np.log10(np.asarray(table["noise_level"]))
    return labels


def psf_width(psf, shape):
    """Return the FWHM of the PSF in the middle of an image, in pixels.

    Parameters
    ----------
    psf, shape
        As in `add_groups`.

    Returns
    -------
    float
    """
    stamp = psf.at(shape[1] / 2, shape[0] / 2)
    psfs = collect_psfs([stamp], oversampling=psf.oversampling, check=False)
    return float(psfs.widths()[0])


def grouping(measurement):
    """Return the function that adds these columns to the catalog of an image.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.

    Returns
    -------
    callable or None
        None where there are no models of the sources, or only their fluxes are fitted.
    """
    net = measurement.net
    if not isinstance(net.network_, PosteriorNetwork) or set(net.parameters_) != set(PARAMETERS):
        return None
    if measurement.options.fixed:
        return None
    return partial(
        add_groups,
        psf=measurement.psf,
        shape=measurement.field.data.shape,
        pixel_scale=measurement.pixel_scale,
        zeropoint=measurement.zeropoint,
    )
