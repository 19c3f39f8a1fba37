"""Results in several bands."""

import pickle

import numpy as np
import pytest
from helpers.banded import draw_band, sky_wcs
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Population


@pytest.fixture(scope="module")
def cutouts():
    found = {"g": [], "r": [], "z": [None, None]}
    for seed in range(2):
        found["g"].append(draw_band(18.0, wcs=sky_wcs(), seed=seed))
        found["r"].append(draw_band(17.5, wcs=sky_wcs(scale=0.15, turn=30), seed=10 + seed))
    return found


@pytest.fixture(scope="module")
def results(net, cutouts):
    return net.predict(cutouts)


def test_color_with_its_error(results):
    color, error = results.color("g", "r")
    table = results.to_table()
    assert_allclose(color, (table["mag_g"] - table["mag_r"]).value, atol=1e-4)
    apart = np.hypot(table["mag_g_err"].value, table["mag_r_err"].value)
    assert (error < apart).all()  # the structure is one
    assert_allclose(table["color_g_r"].value, color)
    assert_allclose(table["color_g_r_err"].value, error)
    reverse, same = results.color("r", "g")
    assert_allclose(reverse, -color)
    assert_allclose(same, error)
    assert_allclose(results.color("g", "g"), 0, atol=1e-6)
    with pytest.raises(ValueError, match="there is no band 'u': there are g, r, z"):
        results.color("g", "u")


def test_samples_of_all_columns_belong_together(results):
    drawn = results.samples(4000, seed=1)
    color, error = results.color("g", "r")
    apart = drawn["mag_g"] - drawn["mag_r"]
    assert_allclose(apart.mean(axis=1), color, atol=0.1 * error.max())
    assert_allclose(apart.std(axis=1), error, rtol=0.1)
    assert_allclose(drawn["mag"], drawn["mag_g"], atol=1e-9)
    assert np.isnan(drawn["mag_z"]).all()
    assert {"x_shift_r", "y_shift_r", "r_eff", "theta"} <= set(drawn)
    with pytest.raises(ValueError, match="there is one model"):
        results.samples(3, model="sersic")


def test_what_is_printed_counts_galaxies_without_structure(results, net, cutouts):
    assert repr(results) == "<BandResults: 2 galaxies in g, r, z; 2 flagged, 0 not measured>"
    lost = net.predict({"g": [None, None, cutouts["g"][0]], "r": [cutouts["r"][0], None, None]})
    assert "3 flagged, 1 not measured" in repr(lost)


def test_meta_is_that_of_the_reference(results, net, cutouts):
    own = results.band("g").meta
    for key in ("PIXSCALE", "MAGZP", "PSFFWHM"):
        assert results.meta[key] == own[key]
    lost = net.predict({"z": [None, None], "r": cutouts["r"]})
    assert not {"PIXSCALE", "MAGZP", "PSFFWHM", "PHOTONS"} & set(lost.meta)
    assert lost.meta["REFBAND"] == "z"
    assert lost.meta["WEIGHTS"] == results.meta["WEIGHTS"]
    assert lost.band("r").meta["MAGZP"] == 25


def test_a_band_without_any_cutout_has_its_columns(results):
    table = results.to_table()
    assert np.isnan(table["mag_z"]).all()
    assert np.isfinite(table["r_eff"]).all()
    with pytest.raises(ValueError, match="'z' has no cutout: there are some in g, r"):
        results.band("z")


def test_columns_have_units_and_descriptions(results):
    table = results.to_table()
    assert str(table["mag_r"].unit) == "mag(AB)"
    assert str(table["x_shift_r"].unit) == "arcsec"
    assert table["flags_z"].info.description.endswith("in z")
    assert results.to_table(["mag_r", "flags_r"]).colnames == ["mag_r", "flags_r"]


def test_names_of_other_programs(results):
    table = results.to_table(dialect="sextractor")
    assert_array_equal(table["MAG_MODEL"], results.to_table()["mag"])
    assert "mag_r" in table.colnames
    assert "sersicFlux" in results.to_table(dialect="lsst").colnames
    with pytest.raises(ValueError, match="dialect='galfit' must be one of"):
        results.to_table(dialect="galfit")


def test_no_population_of_several_bands(results):
    for each in (results, results.band("r")):
        with pytest.raises(ValueError, match="results of the bands g, r, z together"):
            Population.infer(each)


def test_rows_and_copies(results):
    one = results[1]
    assert_array_equal(one.to_table()["mag_r"], results.to_table()["mag_r"][1:])
    assert_array_equal(one.samples(5)["mag_r"], results.samples(5)["mag_r"][1:])
    copy = pickle.loads(pickle.dumps(results))
    assert_array_equal(copy.to_table()["mag_r"], results.to_table()["mag_r"])


def test_pictures_of_each_band(results, cutouts):
    for band in ("g", "r"):
        left = results.residual(0, cutouts[band][0], band=band)
        assert abs(left.std() - 1) < 0.1
    assert_array_equal(
        results.model_image(0, cutouts["g"][0]), results.model_image(0, cutouts["g"][0], band="g")
    )
    assert results.to_model(0, band="r").n.value == results.to_model(0).n.value
    assert results.to_model(0, band="r").r_eff < results.to_model(0).r_eff
    with pytest.raises(ValueError, match="there is no band 'u'"):
        results.model_image(0, cutouts["g"][0], band="u")


def test_fluxes_of_each_band_and_a_profile(results, cutouts):
    table = results.to_table(fluxes=True)
    assert {"flux", "flux_err", "flux_g", "flux_r_err", "mu_mean", "mu_0_err"} <= set(
        table.colnames
    )
    color, _ = results.color("g", "r")
    assert_allclose(-2.5 * np.log10(table["flux_g"] / table["flux_r"]), color, atol=1e-4)
    assert np.isnan(table["flux_z"]).all()
    pytest.importorskip("matplotlib")
    from sersicnet.plotting import plot_profile

    axes = plot_profile(cutouts["g"][0], results)
    assert "PSF HWHM" in axes[0].get_legend_handles_labels()[1]
