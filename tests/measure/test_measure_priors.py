"""Tests of priors of the sources of an image, from the columns of its catalog."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from helpers.fields import SCALE, make_field, render, star, truth_table

from sersicnet import Flags, Model, NormalPrior
from sersicnet.measure import Options, measure_image
from sersicnet.measure.priors import columns_of_tensions, priors_in, with_fit

PART = (slice(0, 256), slice(0, 256))


@pytest.fixture(scope="module")
def field():
    return make_field(render(truth_table()))[PART]


@pytest.fixture(scope="module")
def catalog():
    """Galaxies of the image, and their true indices."""
    truth = QTable(truth_table())[:-2]  # without the blend
    inside = (truth["x_0"] < 240) & (truth["y_0"] < 240) & (truth["r_eff"] > 0)
    truth = truth[inside]
    found = QTable({name: truth[name] * u.pix for name in ("x_0", "y_0")})
    found["true_n"] = truth["n"]
    found["true_r_eff"] = truth["r_eff"] * SCALE * u.arcsec
    return found


def measure(field, catalog, **options):
    return measure_image(field, psf=star(), catalog=catalog, **options)


@pytest.fixture(scope="module")
def known(catalog):
    """Narrow priors of the index and of x, one of which is off, and a row without one."""
    known = catalog.copy()
    known["n_prior_mean"] = catalog["true_n"]
    known["n_prior_err"] = 0.01
    known["n_prior_mean"][0] += 1
    known["n_prior_mean"][1] = np.nan
    known["n_prior_err"][1] = np.nan
    known["x_0_prior_mean"] = catalog["x_0"]
    known["x_0_prior_err"] = 0.001 * u.pix
    return known


@pytest.fixture(scope="module")
def found(field, known):
    with pytest.warns(UserWarning, match="the prior of n contradicts the image of 1 galaxy"):
        return measure(field, known)


def test_fits_honor_priors_in_the_pixels_of_the_image(found, known, catalog):
    measured = np.isfinite(found["n"])
    assert measured.sum() >= len(found) - 1
    narrow = measured.copy()
    narrow[:2] = False
    np.testing.assert_allclose(found["n"][narrow], known["n_prior_mean"][narrow], atol=0.05)
    assert (found["n_err"][narrow] < 0.011).all()
    assert found["n"][0] > catalog["true_n"][0] + 0.7
    np.testing.assert_allclose(
        found["x_0"][measured].value, catalog["x_0"][measured].value, atol=0.005
    )
    assert found.meta["REFINE"] == "lm"
    assert "priors: n x_0" in found.meta["MODEL"]


def test_tension_shows_which_prior_is_wrong(found):
    tension = np.asarray(found["n_tension"])
    assert tension[0] > 5
    assert np.isnan(tension[1])
    assert (tension[2:] < 5).all()
    assert (np.asarray(found["x_0_tension"]) < 5).all()
    assert "n_tension" in found.colnames


def test_impossible_rows_are_flagged_and_the_others_stay(field, known, found):
    worse = known[[2, 3]]
    worse["n_prior_err"][1] = -0.1
    with pytest.warns(UserWarning, match="1 of 2 galaxies could not be fitted"):
        other = measure(field, worse)
    assert np.isnan(other["n"][1])
    assert other["flags"][1] & Flags.NOT_REFINED
    assert other["n"][0] == pytest.approx(found["n"][2], abs=1e-3)


def test_impossible_columns_raise_before_the_sky(field, catalog, monkeypatch):
    monkeypatch.delattr("sersicnet.measure.tiles.map_sky")
    wrong = catalog.copy()
    wrong["r_eff_prior_mean"] = 1 * u.kpc
    wrong["r_eff_prior_err"] = 0.1 * u.arcsec
    with pytest.raises(u.UnitConversionError, match="'r_eff_prior_mean' has the unit kpc"):
        measure(field, wrong)


def test_priors_are_of_one_profile_in_one_band(field, known, monkeypatch):
    monkeypatch.delattr("sersicnet.measure.tiles.map_sky")
    with pytest.raises(ValueError, match=r"population= is for .* not a catalog with priors"):
        measure(field, known, population="infer")
    with pytest.raises(ValueError, match="catalog= has priors, which are for images of one band"):
        measure({"g": field, "r": field}, known)
    with pytest.raises(ValueError, match=r"model=Model.auto\(\) and a catalog with priors"):
        measure(field, known, model="auto")
    parts = known.copy()
    parts.rename_columns(["n_prior_mean", "n_prior_err"], ["n_disk_prior_mean", "n_disk_prior_err"])
    parts.remove_columns(["x_0_prior_mean", "x_0_prior_err"])
    with pytest.raises(ValueError, match="'n_disk_prior_err', which is of no parameter"):
        measure(field, parts)
    parts.remove_columns(["n_disk_prior_mean", "n_disk_prior_err"])
    parts["n_disk_min"] = 0.5
    with pytest.raises(ValueError, match="'n_disk_min', which is of no parameter"):
        measure(field, parts)


def tensions(**options):
    return [column.name for column in columns_of_tensions(Options(**options))]


def test_only_a_catalog_with_such_columns_has_priors(catalog, known):
    plain = Options(catalog=catalog)
    assert priors_in(plain) is None
    assert with_fit(plain).refine is None
    assert with_fit(Options(catalog=known)).refine == "lm"
    assert tensions(catalog=known) == ["n_tension", "x_0_tension"]
    assert tensions(catalog=known, fixed="shape") == []
    model = Model("sersic+exp", fixed={"n_bulge": 4}, priors={"r_eff_disk": NormalPrior(1, 0.1)})
    assert tensions(model=model) == ["r_eff_disk_tension"]
    assert tensions(model="auto") == tensions() == []
