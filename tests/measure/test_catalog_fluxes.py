"""Fluxes of catalogs: those of magnitudes, and linear ones of what is not detected."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable, Table, vstack
from helpers.refined import FEW
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags
from sersicnet.diagnostics import add_fluxes
from sersicnet.inference.linear_fluxes import LEAST_SNR
from sersicnet.measure import measure_image

SIDE = 240
STEP = 40
WIDTH = 1.4
BRIGHT = 60.0
MAGNITUDES = ("mag", "mag_err", "mag_lo", "mag_hi")


def gaussian(width, side=33):
    axis = np.arange(side) - (side - 1) / 2
    image = np.exp(-(axis**2 + axis[:, None] ** 2) / (2 * width**2))
    return image / image.sum()


GALAXY = gaussian(np.hypot(WIDTH, 2))


def make_image(snr, seed=7):
    """An image in nJy with a galaxy of a S/N in each cell, and the catalog of their places."""
    axis = np.arange(STEP // 2, SIDE, STEP)
    y, x = map(np.ravel, np.meshgrid(axis, axis, indexing="ij"))
    snr = np.resize(snr, len(x)).astype(float)
    flux = snr / np.sqrt(np.square(GALAXY).sum())
    image = np.random.default_rng(seed).normal(size=(SIDE, SIDE))
    for row, column, total in zip(y, x, flux, strict=True):
        image[row - 16 : row + 17, column - 16 : column + 17] += total * GALAXY
    catalog = Table({"x_0": x, "y_0": y, "snr": snr, "truth": flux})
    error = StdDevUncertainty(np.ones_like(image))
    return NDData(image, unit="nJy", uncertainty=error), catalog


def measure(image, net, **options):
    given = {"psf": gaussian(WIDTH), "pixel_scale": 0.1, "background_box": None} | options
    return measure_image(image, net=net, **given)


@pytest.fixture(scope="module", params=[None, "lm", FEW], ids=["network", "lm", "importance"])
def measured(request, net):
    """The catalog of galaxies and of nothing, and what is measured at its places."""
    image, catalog = make_image([0, 0, BRIGHT, 0, 0, 0, 0, 0, 0])
    if request.param is FEW:
        catalog = catalog[:6]
    return catalog, measure(image, net, catalog=catalog, refine=request.param)


def test_fluxes_are_those_of_magnitudes_where_these_are(measured):
    catalog, table = measured
    seen = catalog["snr"] == BRIGHT
    assert np.isfinite(table["mag"][seen]).all()
    flux = table["mag"][seen].to_value(u.nJy)
    assert_allclose(table["flux"][seen].value, flux, rtol=1e-6)
    low, high = (table[f"mag_{end}"][seen].to_value(u.nJy) for end in ("hi", "lo"))
    assert_allclose(table["flux_err"][seen].value, (high - low) / 2, rtol=1e-6)
    place = table.colnames.index("mag_hi")
    assert table.colnames[place + 1 : place + 3] == ["flux", "flux_err"]
    assert add_fluxes(table).colnames == table.colnames


def test_what_is_not_detected_has_a_flux_and_no_magnitude(measured):
    catalog, table = measured
    unseen = np.isnan(table["mag"])
    nothing = catalog["snr"] == 0
    assert unseen[nothing].mean() > 0.5
    assert not unseen[~nothing].any()
    for name in MAGNITUDES:
        assert_array_equal(np.isnan(table[name]), unseen)
    assert (table["flags"][unseen] & int(Flags.LOW_SNR) > 0).all()
    snr = (table["flux"] / table["flux_err"]).value
    assert np.isfinite(snr).all()
    assert (table["flux_err"] > 0).all()
    assert (snr[unseen] < LEAST_SNR).all()


def test_a_file_has_them(net, tmp_path):
    image, catalog = make_image([0, BRIGHT, *[0] * 34])
    output = tmp_path / "table.fits"
    table = measure(image, net, catalog=catalog[:3], output=output)
    back = QTable.read(output)
    for name in ("flux", "flux_err"):
        assert_allclose(back[name].to_value(u.nJy), table[name].value)
    named = measure(image, net, catalog=catalog[:3], dialect="lsst")
    assert_array_equal(named["sersicFlux"], table["flux"])
    named = measure(image, net, catalog=catalog[:3], dialect="sextractor")
    assert_array_equal(named["FLUXERR_MODEL"], table["flux_err"])


def test_parts_have_fluxes(net):
    image, catalog = make_image([0, BRIGHT, *[0] * 34])
    table = measure(image, net, catalog=catalog[1:2], model="point+sersic", refine="lm")
    for part in ("point", "host"):
        flux = table[f"mag_{part}"].to_value(u.nJy)
        assert_allclose(table[f"flux_{part}"].value, flux, rtol=1e-6)
    nothing = measure(image, net, catalog=catalog[:0], model="point+sersic", refine="lm")
    assert nothing.colnames == table.colnames


@pytest.mark.parametrize(("snr", "most"), [(0, 1.3), (2, 0.8)])
def test_faint_fluxes_are_linear(net, snr, most):
    """At a place and of a shape that follow the noise, which adds less than an error to nothing."""
    image, catalog = make_image([snr])
    table = measure(image, net, catalog=catalog)
    pulls = (table["flux"].value - catalog["truth"].value) / table["flux_err"].value
    assert -0.8 < pulls.mean() < most
    assert 0.6 < pulls.std() < 1.6
    assert (table["flux"].value < 0).any() or snr > 0


def test_bands_have_fluxes(net):
    """Those that one band does not show have a linear flux there, and a magnitude in the other."""
    bright, catalog = make_image([BRIGHT, *[0] * 8], seed=8)
    other, _ = make_image([0], seed=9)
    images = {"g": bright, "r": other}
    outside = Table({"x_0": [1000.0], "y_0": [5.0]})
    rows = vstack([catalog["x_0", "y_0"][:10:9], outside])
    table = measure(images, net, catalog=rows)
    assert (table["flags"][2] & int(Flags.NO_DATA)) > 0
    table = table[:2]
    unseen = np.isnan(table["mag_r"])
    assert unseen.any()
    assert_array_equal(np.isnan(table["color_g_r"]), unseen)
    for name in ("flux", "flux_g", "flux_r"):
        assert np.isfinite(table[name]).all()
        assert (table[f"{name}_err"] > 0).all()
    assert (table["flux_r"] < 5 * table["flux_r_err"]).all()
    assert (table["flags_r"][unseen] & int(Flags.LOW_SNR) > 0).all()
    for name in ("mag", "mag_g"):
        flux = table[name.replace("mag", "flux")].value
        assert_allclose(flux, table[name].to_value(u.nJy), rtol=1e-6)
    place = table.colnames.index("mag_r_hi")
    assert table.colnames[place + 1 : place + 3] == ["flux_r", "flux_r_err"]
