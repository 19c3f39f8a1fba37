"""Images of many galaxies and stars."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose

from sersicnet.simulate_catalog import PSFModel, draw_psf, render_field, render_model

UNITS = {"pixel_scale": 0.1, "zeropoint": 25.0}
GALAXY = {"mag": 20.0, "r_eff": 0.4, "n": 1.0, "q": 0.6, "theta": 30.0, "x_0": 20.3, "y_0": 31.0}
STAR = GALAXY | {"mag": 21.0, "r_eff": 0.0, "x_0": 50.0, "y_0": 14.0}


@pytest.fixture(scope="module")
def psf():
    return draw_psf(PSFModel("gaussian", fwhm=0.3, size=21), pixel_scale=0.1)


def test_a_galaxy_and_a_star(psf):
    image = render_field(QTable([GALAXY, STAR]), (60, 72), psf=psf, **UNITS)
    star = image - render_model(GALAXY, (60, 72), psf=psf, **UNITS)
    assert_allclose(star[4:25, 40:61], 10**1.6 * psf, atol=1e-3 * 10**1.6 * psf.max())
    star[4:25, 40:61] = 0
    assert_allclose(star, 0, atol=1e-3)


def test_units(psf):
    plain = QTable([GALAXY])
    catalog = QTable([GALAXY], units={"r_eff": u.arcsec, "theta": u.deg, "mag": u.ABmag})
    catalog["r_eff"] = catalog["r_eff"].to(u.mas)
    images = [render_field(each, (40, 40), psf=psf, **UNITS) for each in (plain, catalog)]
    assert_allclose(images[1], images[0], rtol=1e-6)


def test_no_galaxy(psf):
    assert np.all(render_field(QTable([GALAXY])[:0], (30, 40), psf=psf, **UNITS) == 0)


def test_a_missing_parameter(psf):
    catalog = QTable([GALAXY])
    del catalog["n"], catalog["q"]
    with pytest.raises(ValueError, match="catalog has no n, q: it needs mag, r_eff, n, q, theta"):
        render_field(catalog, (30, 30), psf=psf, **UNITS)
