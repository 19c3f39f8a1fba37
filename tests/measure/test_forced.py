"""Tests of forced photometry in an image."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from helpers.fields import SCALE, SIDE, ZEROPOINT, make_field, render, star, truth_table

from sersicnet import Flags
from sersicnet.measure import Options, measure_image

NANOJANSKY = 10 ** (-0.4 * (ZEROPOINT - 31.4))
SHAPE = ("r_eff", "n", "q", "theta")


@pytest.fixture(scope="module")
def truth():
    return truth_table()


@pytest.fixture(scope="module")
def field(truth):
    return make_field(render(truth))


def catalog_of(truth, **changes):
    columns = {name: truth[name] for name in ("x_0", "y_0", *SHAPE)} | changes
    table = QTable(columns)
    table["r_eff"] = table["r_eff"] * SCALE * u.arcsec
    table["theta"] = table["theta"] * u.deg
    return table


def force(image, catalog, **options):
    given = {"psf": star(), "fixed": "shape"} | options
    return measure_image(image, catalog=catalog, **given)


@pytest.fixture(scope="module")
def catalog(truth, field):
    found = catalog_of(truth)
    sky = field.wcs.pixel_to_world(truth["x_0"], truth["y_0"])
    found["ra"] = sky.ra.to(u.deg)
    found["dec"] = sky.dec.to(u.deg)
    return found


@pytest.fixture(scope="module")
def forced(field, catalog):
    return force(field, catalog)


def pulls(table, truth):
    return (table["flux"].value / NANOJANSKY - truth["flux"]) / (
        table["flux_err"].value / NANOJANSKY
    )


def test_fluxes_are_those_of_the_truth(forced, truth):
    found = pulls(forced, truth)
    assert np.abs(found).max() < 5
    assert np.sqrt(np.mean(found**2)) < 1.8
    assert forced.meta["FIXED"] == "r_eff n q theta x_0 y_0"
    assert forced.meta["SKY"] == "prior"


def test_magnitudes_are_those_of_fluxes(forced):
    np.testing.assert_allclose(
        forced["mag"].value, forced["flux"].to(u.ABmag).value, rtol=0, atol=1e-9
    )


def test_structure_is_that_of_the_catalog(forced, catalog):
    for name in ("n", "q"):
        np.testing.assert_array_equal(forced[name], catalog[name])
    np.testing.assert_array_equal(forced["r_eff"], catalog["r_eff"])
    np.testing.assert_allclose(forced["theta"].value, catalog["theta"].value)


def test_fluxes_of_empty_places_have_both_signs(truth):
    image = make_field(np.zeros((SIDE, SIDE)))
    found = force(image, catalog_of(truth, r_eff=np.full(len(truth["n"]), 3.0)))
    assert (found["flux"] > 0).any()
    assert (found["flux"] < 0).any()
    assert np.abs(found["flux"] / found["flux_err"]).max() < 5
    assert np.isnan(found["mag"][found["flux"] < 0]).all()
    assert (np.asarray(found["flags"]) & Flags.LOW_SNR > 0).all()


def test_catalog_does_not_depend_on_tiles(field, catalog, forced):
    tiles = force(field, catalog, tile_size=97)
    for name in ("flux", "flux_err"):
        change = (tiles[name] - forced[name]) / forced["flux_err"]
        assert np.abs(change).max() < 2e-3
    np.testing.assert_array_equal(tiles["flags"], forced["flags"])


@pytest.mark.parametrize("tile_size", [64, 97])
def test_large_sources_that_are_not_detected_do_not_depend_on_tiles(truth, tile_size):
    """Their cutouts are larger than what detection needs around a tile."""
    large = catalog_of({name: values[:2] for name, values in truth.items()})
    large["x_0"] = 97.0, 40.0
    large["y_0"] = 100.0, 40.0
    large["r_eff"] = 3.0 * u.arcsec
    image = make_field(np.zeros((SIDE, SIDE)))
    whole = force(image, large)
    tiles = force(image, large, tile_size=tile_size)
    np.testing.assert_array_equal(tiles["n_pixels"], whole["n_pixels"])
    assert np.abs((tiles["flux"] - whole["flux"]) / whole["flux_err"]).max() < 2e-3


def test_sources_are_carried_over_by_the_sky(field, forced, truth):
    mirrored = field.copy()
    mirrored.data = field.data[:, ::-1].copy()
    wcs = field.wcs.deepcopy()
    wcs.wcs.cd = wcs.pixel_scale_matrix @ np.diag([-1, 1])
    wcs.wcs.crpix = SIDE + 1 - wcs.wcs.crpix[0], wcs.wcs.crpix[1]
    mirrored.wcs = WCS(wcs.to_header())
    found = force(mirrored, forced)
    change = (found["flux"] - forced["flux"]) / forced["flux_err"]
    assert np.abs(change).max() < 0.05
    np.testing.assert_allclose(found["x_0"].value, SIDE - 1 - truth["x_0"], atol=1e-3)
    galaxies = truth["r_eff"] > 0
    sky = np.abs((found["pa"] - forced["pa"]).value[galaxies])
    assert np.minimum(sky, 180 - sky).max() < 0.01


def test_there_are_ellipses_in_pixels_where_these_are_not_square(truth):
    """Model images, regions and other dialects need them."""
    tall = make_field(np.zeros((SIDE, SIDE)))
    wcs = tall.wcs.deepcopy()
    wcs.wcs.cd = wcs.pixel_scale_matrix @ np.diag([1, 2])
    tall.wcs = WCS(wcs.to_header())
    catalog = catalog_of({name: values[5:6] for name, values in truth.items()})
    found = force(tall, catalog)
    area = (found["r_eff"].value / SCALE) ** 2 * found["q"] / 2
    np.testing.assert_allclose(found["r_eff_pix"].value ** 2 * found["q_pix"], area, rtol=1e-3)


def test_what_is_not_in_the_catalog_is_masked(field, catalog, forced):
    found = force(field, catalog[:-1])
    changed = (found["flux"] - forced["flux"][:-1]) / forced["flux_err"][:-1]
    alone = np.ones(len(found), dtype=bool)
    alone[-1] = False  # half of a blend, of which the other half is masked
    assert np.abs(changed[alone]).max() < 0.1
    assert found["n_pixels"][-1] < forced["n_pixels"][-2]
    assert np.abs(changed[-1]) < 60  # the masked galaxy has 300 errors


def test_errors_of_the_catalog_are_added(field, catalog, forced):
    uncertain = catalog.copy()
    uncertain["r_eff_err"] = 0.1 * catalog["r_eff"]
    uncertain["n_err"] = 0.2
    same = force(field, uncertain)
    larger = force(field, uncertain, catalog_errors=True)
    np.testing.assert_array_equal(same["flux_err"], forced["flux_err"])
    galaxies = catalog["r_eff"] > 0
    assert (larger["flux_err"] > 1.5 * forced["flux_err"])[galaxies].all()
    np.testing.assert_array_equal(larger["flux"], forced["flux"])


def test_stars_are_named(field, catalog, truth):
    stars = QTable({"x_0": truth["x_0"][:3], "y_0": truth["y_0"][:3]})
    table = force(field, catalog, stars=stars)
    np.testing.assert_array_equal(table["star_id"][:4], [0, 1, 2, -1])


def test_priors_that_are_not_used_are_named(field, catalog):
    known = catalog.copy()
    known["n_prior_mean"] = 2.0
    known["q_disk_max"] = 1.0
    with pytest.warns(AstropyUserWarning, match="n_prior_mean, q_disk_max not used: fixed="):
        force(field[:64, :64], known)


@pytest.mark.parametrize(
    ("options", "name"),
    [({"fixed": SHAPE}, "x_0_err"), ({"catalog_errors": True}, "q_err")],
)
def test_negative_errors_are_no_errors(field, catalog, options, name):
    known = catalog.copy()
    known[name] = np.full(len(known), 0.1)
    expected = force(field, known, **options)
    known[name][2] = -0.1
    with pytest.warns(AstropyUserWarning, match=f"{name} is negative in 1 row"):
        table = force(field, known, **options)
    assert table["flags"][2] == Flags.PREDICTION_FAILED
    assert np.isnan(table["flux"][2])
    assert np.isfinite(expected["flux"][2])


def test_errors_of_positions_in_unknown_pixels_raise(field, catalog):
    """The catalog is one of the sky, whose errors are in pixels of another image."""
    sky = catalog["ra", "dec", "r_eff", "n", "q", "theta"].copy()
    sky.rename_column("theta", "pa")
    sky["x_0_err"] = 0.2 * u.pix
    with pytest.raises(ValueError, match=r"x_0_err in pixels of another image.*PIXSCALE"):
        force(field, sky, catalog_errors=True)
    sky.meta["PIXSCALE"] = 2 * SCALE
    force(field, sky[:2], catalog_errors=True)


def test_errors_of_the_catalog_are_those_of_other_catalogs(field, catalog, forced):
    step = 0.01
    larger = catalog.copy()
    larger["r_eff"] = (1 + step) * catalog["r_eff"]
    change = np.abs(force(field, larger)["flux"] - forced["flux"])
    uncertain = catalog.copy()
    uncertain["r_eff_err"] = step * catalog["r_eff"]
    errors = force(field, uncertain, catalog_errors=True)["flux_err"]
    expected = np.sqrt(np.maximum(errors**2 - forced["flux_err"] ** 2, 0))
    rows = (catalog["r_eff"] > 0) & (np.asarray(forced["flags"]) & Flags.BLENDED == 0)
    np.testing.assert_allclose(change[rows], expected[rows], rtol=0.15)


def test_rows_that_are_the_same_have_large_errors(field, catalog, forced):
    twice = catalog[[*range(len(catalog)), 5]]
    found = force(field, twice)
    assert found["flux_err"][5] > 30 * forced["flux_err"][5]
    both = found["flux"][5] + found["flux"][-1]
    assert abs(both - forced["flux"][5]) < forced["flux_err"][5]


def test_sources_with_more_neighbors_than_are_fitted_are_flagged():
    """The last is far from all others."""
    y, x = np.mgrid[80:125:9, 80:134:9]
    x = np.append(x.ravel(), 300.0)
    y = np.append(y.ravel(), 300.0)
    ones = np.ones(len(x))
    crowd = catalog_of({"x_0": x, "y_0": y, "r_eff": 2 * ones, "n": ones, "q": ones, "theta": ones})
    found = force(make_field(np.zeros((SIDE, SIDE))), crowd)
    is_blended = np.asarray(found["flags"]) & Flags.BLENDED > 0
    assert is_blended[:-1].all()
    assert not is_blended[-1]


def test_impossible_rows_are_flagged_and_the_others_stay(field, catalog, forced):
    worse = catalog[[*range(len(catalog)), 4, 4, 4]]
    worse["n"][-3] = np.nan
    worse["q"][-2] = 1.5
    for name, value in (("x_0", -50.0), ("ra", np.nan * u.deg), ("dec", np.nan * u.deg)):
        worse[name][-1] = value
    found = force(field, worse)
    flags = np.asarray(found["flags"])
    assert np.isnan(found["flux"][-3:]).all()
    assert (flags[-3:-1] & Flags.PREDICTION_FAILED > 0).all()
    assert flags[-1] & Flags.NO_DATA
    np.testing.assert_allclose(found["flux"][:-3].value, forced["flux"].value, rtol=1e-5)


def test_a_catalog_without_angles_on_the_sky_is_of_the_same_pixels(field, catalog):
    shifted = catalog.copy()
    shifted["x_0"] += 30
    with (
        pytest.warns(UserWarning, match="ra and dec are used"),
        pytest.raises(ValueError, match="needs ra, dec and pa"),
    ):
        force(field, shifted)


@pytest.mark.parametrize("name", ["r_eff", "n", "q"])
def test_a_column_that_lacks_is_named(field, catalog, name, monkeypatch):
    """Before the sky is measured."""
    monkeypatch.delattr("sersicnet.measure.tiles.map_sky")
    lacking = catalog.copy()
    lacking.remove_column(name)
    with pytest.raises(ValueError, match=f"catalog has no column {name}"):
        force(field, lacking)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed": ("n", "q")}, "must be 'shape', or all of"),
        ({"fixed": "n"}, "must be 'shape', or all of"),
        ({"fixed": "shape"}, "fixed= needs catalog="),
        ({"fixed": "shape", "catalog": "x.ecsv", "refine": "lm"}, "refine='lm' is for sources"),
        ({"catalog_errors": True}, "catalog_errors=True is for forced photometry"),
    ],
)
def test_impossible_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        Options(**options)


def test_options_that_need_a_structure_raise(field, catalog):
    with pytest.raises(ValueError, match="population= is for sources"):
        force(field, catalog, population="infer")
    with pytest.raises(ValueError, match="images of one band"):
        force({"g": field, "r": field}, catalog)


def test_free_positions_find_an_image_that_is_off(field, catalog, forced, truth):
    """Bright sources are where they are, within their errors; their fluxes are right again."""
    shifted = catalog.copy()
    shifted["x_0"] += 0.6
    shifted["y_0"] -= 0.3
    shifted["x_0_err"] = 0.5
    shifted["y_0_err"] = 0.5
    shifted.remove_columns(["ra", "dec"])
    found = force(field, shifted, fixed=SHAPE)
    assert found.meta["FIXED"] == "r_eff n q theta"
    bright = forced["flux"] > 30 * forced["flux_err"]
    assert bright.sum() > 5
    for axis in "xy":
        away = found[f"{axis}_0"].value - truth[f"{axis}_0"]
        pull = away / found[f"{axis}_0_err"].value
        assert np.abs(pull[bright]).max() < 6
        assert np.sqrt(np.mean(pull[bright] ** 2)) < 2
    assert np.sqrt(np.mean(pulls(found, truth)[bright] ** 2)) < 2.5
    known = force(field, shifted)
    assert "x_0_err" not in known.colnames
    assert np.sqrt(np.mean(pulls(known, truth)[bright] ** 2)) > 3
    np.testing.assert_array_equal(known["x_0"].value, shifted["x_0"])


def test_a_source_that_is_far_from_the_prior_of_its_position_is_flagged(field, catalog, forced):
    shifted = catalog.copy()
    shifted["x_0"] += 3.2
    shifted.remove_columns(["ra", "dec"])
    found = force(field, shifted, fixed=SHAPE)
    bright = found["flux"] > 100 * found["flux_err"]
    assert bright.any()
    off = np.asarray(found["flags"]) & Flags.OFF_CENTER > 0
    assert off[bright].mean() > 0.5
    here = force(field, catalog, fixed=SHAPE)
    np.testing.assert_array_equal(here["flags"], forced["flags"])


def test_a_brighter_neighbor_of_the_catalog_does_not_make_a_source_off_center():
    y, x = np.mgrid[:128, :128]
    image = np.random.default_rng(3).normal(size=x.shape)
    for peak, x_0 in ((30, 60), (60, 70)):
        image += peak * np.exp(-((x - x_0) ** 2 + (y - 64) ** 2) / 20)
    psf = np.exp(-((x - 64) ** 2 + (y - 64) ** 2) / 8)[44:85, 44:85]
    noise = StdDevUncertainty(np.ones_like(image))
    image = CCDData(image, unit="nJy", uncertainty=noise)
    both = QTable({"x_0": [60.0, 70.0], "y_0": [64.0, 64.0], "r_eff": [0.5, 0.5] * u.arcsec})
    both["n"] = 0.5
    both["q"] = 1.0
    both["theta"] = 0 * u.deg
    for fixed in ("shape", SHAPE):
        found = force(image, both, fixed=fixed, psf=psf, pixel_scale=0.2)
        assert not (np.asarray(found["flags"]) & Flags.OFF_CENTER).any()
