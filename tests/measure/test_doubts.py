"""Catalogs that are doubtful as a whole."""

import warnings
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from helpers.measured import nearest, one_galaxy, value

from sersicnet.flags import Flags
from sersicnet.measure.doubts import warn_of_catalog
from sersicnet.measure.image import measure_image
from sersicnet.measure.psf import field_psf

THERE = {"x_0": np.array([75.0]), "y_0": np.array([75.0])}


def test_boxes_of_the_sky_that_are_smaller_than_galaxies(net):
    """They take a tenth of the light, and more, with a warning; larger ones are right without."""
    field = one_galaxy(75.0, 75.0, r_eff=8.0, mask=None)
    with pytest.warns(
        AstropyUserWarning,
        match="background_box=20: .* of 1 source are up to [678] pixels",
    ) as caught:
        small = measure_image(field, net=net, background_box=20)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        large = measure_image(field, net=net, background_box=75)
    magnitudes = []
    for table in (small, large):
        (row,), _ = nearest(table, THERE)
        magnitudes.append(value(table["mag"])[row])
    assert magnitudes[0] > magnitudes[1] + 0.03


def catalog_of(radii, *, error=0.01, flags=0):
    """A catalog of sources with half-light radii in units of the FWHM, which is 4 pixels."""
    n = len(radii)
    return QTable(
        {
            "r_eff": 0.1 * 4.0 * np.asarray(radii) * u.arcsec,
            "mag_err": np.full(n, error) * u.mag,
            "flags": np.full(n, flags),
        }
    )


def measurement_of(**options):
    axis = np.arange(-20, 21)
    stamp = np.exp(-4 * np.log(2) * (axis**2 + axis[:, None] ** 2) / 4.0**2)
    settings = {"catalog": None, "background_box": 1000} | options
    return SimpleNamespace(
        net=SimpleNamespace(network="posterior"),
        options=SimpleNamespace(fixed=None, **settings),
        psf=field_psf(stamp),
        field=SimpleNamespace(data=np.zeros((50, 50))),
        pixel_scale=0.1,
        has_sky=True,
    )


def test_a_psf_that_is_too_narrow_for_all_sources():
    """Half as wide, it makes a star a source of 0.87 of its FWHM."""
    radii = 0.87 + np.random.default_rng(1).exponential(0.5, 200)
    message = "0 of 200 bright sources have half-light radii below 0.55 of the FWHM .*psf_oversampl"
    with pytest.warns(AstropyUserWarning, match=message) as caught:
        warn_of_catalog(catalog_of(radii), measurement_of(), stacklevel=1)
    assert caught[0].filename == __file__


def test_fields_with_some_compact_sources_are_no_doubt():
    radii = 0.87 + np.random.default_rng(1).exponential(0.5, 200)
    stars = np.where(np.arange(200) < 4, 0.1, radii)
    large = catalog_of(radii)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_catalog(catalog_of(stars), measurement_of(), stacklevel=1)
        warn_of_catalog(large[:50], measurement_of(), stacklevel=1)
        warn_of_catalog(catalog_of(radii, error=0.1), measurement_of(), stacklevel=1)
        warn_of_catalog(catalog_of(radii, flags=Flags.NO_DATA), measurement_of(), stacklevel=1)
        warn_of_catalog(large, measurement_of(catalog=large), stacklevel=1)
