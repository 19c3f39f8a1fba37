"""Columns of a catalog that say which sources share light."""

from functools import partial

import numpy as np

from sersicnet.inference.groups import find_groups
from sersicnet.measure.models import galaxy_labels
from sersicnet.model.labels import CENTER, LOG_FLUX, N_LABELS
from sersicnet.model.psf import collect_psfs
from sersicnet.networks.posterior import PosteriorNetwork
from sersicnet.parameters import PARAMETERS

__all__ = ["add_groups", "grouping"]


def add_groups(table, psf, *, shape, pixel_scale, zeropoint):
    """Add ``group_id``, ``group_size`` and ``blend_fraction`` to a catalog, in place.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Sources of an image with their ``id`` and ``noise_level``. Where a source was fitted
        together with others, it has a ``blend_fraction``; the others are predicted.
    psf : `~sersicnet.measure.FieldPSF`
        The PSF; that in the middle is taken.
    shape : (int, int)
        Shape of the image.
    pixel_scale, zeropoint : float
        Arcsec per pixel, and AB magnitude of a flux of 1.
    """
    rows, places, known = galaxy_labels(table, pixel_scale, zeropoint)
    labels = np.full((len(table), N_LABELS), np.nan)
    labels[rows] = known.numpy()
    labels[rows, CENTER] += places
    labels[:, LOG_FLUX] -= np.log10(np.asarray(table["noise_level"]))
    stamp = psf.at(shape[1] / 2, shape[0] / 2)
    psfs = collect_psfs([stamp], oversampling=psf.oversampling, check=False)
    groups = find_groups(labels, float(psfs.widths()[0]))
    fraction = groups.blend_fraction
    if "blend_fraction" in table.colnames:
        fitted = np.asarray(table["group_size"]) > 1
        fraction = np.where(fitted, np.asarray(table["blend_fraction"]), fraction)
    table["group_id"] = table["id"][groups.brightest]
    table["group_size"] = groups.size
    table["blend_fraction"] = fraction


def grouping(measurement):
    """Return the function that adds these columns to the catalog of an image.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.

    Returns
    -------
    callable or None
        None where there are no models of the sources.
    """
    net = measurement.net
    if not isinstance(net.network_, PosteriorNetwork) or set(net.parameters_) != set(PARAMETERS):
        return None
    return partial(
        add_groups,
        psf=measurement.psf,
        shape=measurement.field.data.shape,
        pixel_scale=measurement.pixel_scale,
        zeropoint=measurement.zeropoint,
    )
