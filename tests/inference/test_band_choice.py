"""Several models of galaxies in several bands: the evidence chooses, and importance samples."""

import pickle

import numpy as np
import pytest
from helpers.banded import draw_band, sky_wcs
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags, Model, Sersic, decode_flags
from sersicnet.inference import ImportanceSampling, LevenbergMarquardt

BULGE = {"r_eff": 0.18, "n": 3.0, "q": 0.9}
DISK = {"r_eff": 0.9, "n": 1.0, "q": 0.5}
MAGS = {"g": 16.8, "r": 16.0}
SHARES = {"g": 0.15, "r": 0.45}
WCS = {"g": sky_wcs(), "r": sky_wcs(scale=0.13, turn=40)}
WAVELENGTH = {"g": 0.4, "r": 1.0}
MODELS = ("sersic", "sersic+exp")
# Rows of the galaxies; the last one is larger in g.
TWO_PARTS, ONE_PART, BLANK, NO_G, SHIFTED, SLOPED = range(6)
# By how many pixels r is shifted along its x.
SHIFT = 0.5
FEW = ImportanceSampling(ess=60, min_ess=15, max_samples=1200)


def draw(band, row):
    seed = 10 * row + ord(band)
    match row:
        case 0 | 4:
            shift = (SHIFT, 0.0) if (row, band) == (SHIFTED, "r") else (0.0, 0.0)
            share = SHARES[band]
            known = {"wcs": WCS[band], "seed": seed, "shift": shift}
            image = draw_band(MAGS[band] - 2.5 * np.log10(share), shape=BULGE, **known)
            disk = draw_band(
                MAGS[band] - 2.5 * np.log10(1 - share), shape=DISK, noise=1e-9, **known
            )
            image.data += disk.data
            return image
        case 2 if band == "r":
            return draw_band(35.0, wcs=WCS[band], seed=seed)
        case 3 if band == "g":
            return None
        case 5:
            shape = {"r_eff": {"g": 0.6, "r": 0.3}[band]}
            return draw_band(MAGS[band], wcs=WCS[band], seed=seed, shape=shape)
        case _:
            return draw_band(MAGS[band] + 1, wcs=WCS[band], seed=seed)


@pytest.fixture(scope="module")
def cutouts():
    return {band: [draw(band, row) for row in range(6)] for band in MAGS}


def some(cutouts, *rows):
    return {band: [images[row] for row in rows] for band, images in cutouts.items()}


@pytest.fixture(scope="module")
def results(net, cutouts):
    model = Model.auto((*MODELS, "chromatic"))
    return net.predict(cutouts, model=model, wavelength=WAVELENGTH)


@pytest.fixture(scope="module")
def table(results):
    return results.to_table()


def value(table, name, row):
    return float(getattr(table[name][row], "value", table[name][row]))


def pull(table, name, row, truth):
    return (value(table, name, row) - truth) / value(table, f"{name}_err", row)


def test_the_model_that_was_drawn_wins(table):
    assert_array_equal(table["model"][[TWO_PARTS, SHIFTED]], "sersic+exp")
    assert_array_equal(table["model"][[ONE_PART, NO_G]], "sersic")
    assert table["model"][SLOPED] == "chromatic"
    names = [f"prob_{name}" for name in ("sersic", "sersic_exp", "chromatic")]
    assert_allclose(sum(table[name] for name in names), 1)
    assert table["prob_chromatic"][ONE_PART] < 0.3
    # a galaxy that one band shows has no slopes
    ratio = table["prob_chromatic"][NO_G] / table["prob_sersic"][NO_G]
    assert_allclose(ratio, 1)
    for name in table.colnames:
        assert table[name].info.description, name


def test_columns_are_those_of_the_best_model_and_totals_of_all(table):
    for band, share in SHARES.items():
        assert abs(pull(table, f"bulge_to_total_{band}", TWO_PARTS, share)) < 4
        assert abs(pull(table, f"mag_{band}", TWO_PARTS, MAGS[band])) < 4
        assert np.isnan(table[f"mag_bulge_{band}"][ONE_PART])
        assert np.isfinite(table[f"mag_{band}"][ONE_PART])
    assert np.isnan(table["n"][TWO_PARTS])
    assert abs(pull(table, "n", ONE_PART, 1.5)) < 4
    assert np.isnan(table["r_eff_slope"][ONE_PART])
    slope = np.log10(0.3 / 0.6) / np.log10(1.0 / 0.4)
    assert abs(pull(table, "r_eff_slope", SLOPED, slope)) < 4


def test_a_shift_of_half_a_pixel_comes_back(table):
    turn = np.radians(40)
    expected = SHIFT * 0.13 * np.array([np.cos(turn), np.sin(turn)])
    for axis, shift in zip("xy", expected, strict=True):
        assert abs(pull(table, f"{axis}_shift_r", SHIFTED, shift)) < 4
        assert abs(pull(table, f"{axis}_shift_r", TWO_PARTS, 0.0)) < 4


def test_blank_and_missing_bands(results, table):
    assert value(table, "r_eff_err", BLANK) < 0.05
    assert {"LOW_SNR", "AT_BOUND"} <= set(decode_flags(table["flags_r"][BLANK]))
    assert np.isnan(table["mag_r"][BLANK])
    assert np.isnan(table["mag_r_err"][BLANK])
    assert np.isnan(table["mag_g"][NO_G])
    assert np.isfinite(table["mag_r"][NO_G])
    assert decode_flags(table["flags_g"][NO_G]) == ["MISSING_BAND"]
    color, error = results.color("g", "r")
    assert np.isnan(color[NO_G])
    assert_allclose(color[ONE_PART], 0.8, atol=5 * error[ONE_PART])
    assert repr(results).endswith("0 not measured>")


def test_samples_are_of_all_models(results):
    drawn = results.samples(200)
    assert_array_equal(drawn["model"][TWO_PARTS], "sersic+exp")
    assert {"sersic", "chromatic"} <= set(drawn["model"][NO_G])
    of_two = drawn["model"] == "sersic+exp"
    assert_array_equal(np.isfinite(drawn["mag_bulge_r"]), of_two)
    assert_array_equal(np.isnan(drawn["n"]), of_two)
    parts = results.samples(3, model="sersic+exp")
    assert np.isfinite(parts["mag_disk_g"][ONE_PART]).all()
    assert results.parts_of(TWO_PARTS) == (("bulge", "sersic"), ("disk", "sersic"))
    with pytest.raises(ValueError, match="model='point': there are sersic"):
        results.samples(3, model="point")


def test_pictures_slices_and_copies_know_the_best_model(results, cutouts):
    copy = pickle.loads(pickle.dumps(results[[TWO_PARTS, ONE_PART]]))
    for row, number in enumerate((TWO_PARTS, ONE_PART)):
        for band in MAGS:
            rest = copy.residual(row, cutouts[band][number], band=band)
            assert abs(rest.std() - 1) < 0.1
    image = cutouts["r"][TWO_PARTS]
    parts = [copy.model_image(0, image, band="r", component=part) for part in ("bulge", "disk")]
    whole = copy.model_image(0, image, band="r", sky=False)
    assert_allclose(sum(parts), whole, atol=1e-4 * whole.max())
    assert_array_equal(copy.samples(5)["model"], results.samples(5)["model"][:2])


def test_the_order_of_bands_and_galaxies_does_not_matter(net, cutouts, table):
    rows = [ONE_PART, TWO_PARTS]
    turned = {band: [cutouts[band][row] for row in rows] for band in ("r", "g")}
    found = net.predict(turned, model=Model.auto(MODELS)).to_table()
    assert_array_equal(found["model"], table["model"][rows])
    error = np.array(table["mag_g_err"][rows], dtype=float)
    assert_allclose(found["mag_g"].value, table["mag_g"][rows].value, atol=0.3 * error.min())


@pytest.fixture(scope="module")
def sampled(net, cutouts):
    rows = some(cutouts, TWO_PARTS, ONE_PART)
    return net.predict(rows, model=Model.auto(MODELS), refine=FEW)


def test_evidences_of_samples_are_those_of_normal_likelihoods(sampled, table):
    found = sampled.to_table()
    assert sampled.meta["EVIDENCE"] == "importance sampling"
    for row in (TWO_PARTS, ONE_PART):
        assert found["model"][row] == table["model"][row]
        gains = []
        for each in (found, table):
            gains.append(each["log_evidence_sersic_exp"][row] - each["log_evidence_sersic"][row])
        assert abs(gains[0] - gains[1]) < 1.0
    assert found["ess"].min() >= 15
    assert not found["flags"].any()
    assert abs(pull(found, "bulge_to_total_r", TWO_PARTS, SHARES["r"])) < 4
    assert_allclose(value(found, "mag_r_err", 0), value(table, "mag_r_err", 0), rtol=0.4)
    drawn = sampled.samples(100)
    one = sampled.band("r").samples(100)
    assert_array_equal(one["model"], drawn["model"])
    assert_allclose(one["mag"], drawn["mag_r"], atol=1e-4)


def test_parts_that_are_sampled(net, cutouts):
    rows = some(cutouts, SHIFTED)
    model = Model("sersic+exp", fixed={"n_bulge": 3.0})
    results = net.predict(rows, model=model, refine=FEW)
    found = results.to_table()
    assert_array_equal(found["n_bulge"], 3.0)
    assert_array_equal(found["n_disk"], 1.0)
    assert np.isfinite(found["log_evidence"]).all()
    for name, truth in (("r_eff_bulge", 0.18), ("r_eff_disk", 0.9), ("q_disk", 0.5)):
        assert abs(pull(found, name, 0, truth)) < 4, name
    for band, share in SHARES.items():
        assert abs(pull(found, f"bulge_to_total_{band}", 0, share)) < 4
    assert abs(pull(found, "x_shift_r", 0, SHIFT * 0.13 * np.cos(np.radians(40)))) < 4
    drawn = results.samples(300)
    light = [10 ** (-0.4 * drawn[f"mag_{part}_r"]) for part in ("bulge", "disk")]
    assert_allclose(-2.5 * np.log10(sum(light)), drawn["mag_r"])
    assert_allclose(drawn["mag_r"][0].std(), value(found, "mag_r_err", 0), rtol=0.25)
    alone = net.predict(some(cutouts, ONE_PART), model=Sersic(n=1.5), refine=FEW).to_table()
    assert_array_equal(alone["n"], 1.5)
    assert abs(pull(alone, "mag_r", 0, 17.0)) < 4


def test_too_few_draws_of_parts_are_nan(net, cutouts):
    few = ImportanceSampling(ess=8, min_ess=8, max_samples=8)
    with pytest.warns(UserWarning, match="1 of 1 galaxy could not be fitted"):
        found = net.predict(some(cutouts, TWO_PARTS), model="sersic+exp", refine=few).to_table()
    assert np.isnan(found["mag_bulge_r"][0])
    assert np.isnan(found["mag_r"][0])
    assert {"NOT_REFINED", "PREDICTION_FAILED"} <= set(decode_flags(found["flags"][0]))
    with pytest.warns(UserWarning, match="1 of 1 galaxy could not be fitted"):
        rough = net.predict(some(cutouts, TWO_PARTS), model=Model.auto(MODELS), refine=few)
    assert rough.flags[0] & int(Flags.NOT_REFINED | Flags.LOW_ESS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sky": {"g": "prior", "r": "free"}}, "sky='free' has no prior"),
        ({"refine": LevenbergMarquardt(prior=False)}, "has no prior: an evidence"),
        ({"wavelength": WAVELENGTH}, "for models that change with it"),
    ],
)
def test_choices_that_make_no_sense(net, cutouts, options, words):
    with pytest.raises(ValueError, match=words):
        net.predict(some(cutouts, ONE_PART), model="auto", **options)


def test_a_band_of_another_place_is_missing(net, cutouts):
    away = draw_band(17.0, wcs=sky_wcs(off=(400.0, 0.0)), seed=4)
    with pytest.warns(UserWarning, match="'r' do not show the places"):
        results = net.predict(
            {"g": [cutouts["g"][ONE_PART]], "r": [away]}, model=Model.auto(MODELS)
        )
    table = results.to_table()
    assert np.isfinite(table["mag_g"][0])
    assert np.isnan(table["mag_r"][0])
    assert table["flags_r"][0] & int(Flags.MISSING_BAND)
    assert_allclose(table["prob_sersic"] + table["prob_sersic_exp"], 1)


@pytest.mark.parametrize("options", [{"model": "auto"}, {"model": "point+exp", "refine": FEW}])
def test_a_missing_psf_names_the_band(net, cutouts, options):
    rows = some(cutouts, ONE_PART)
    rows["r"][0] = rows["r"][0].copy()
    rows["r"][0].psf = None
    with pytest.raises(ValueError, match="band 'r': psf=None"):
        net.predict(rows, **options)


def test_slopes_need_several_bands_and_wavelengths(net, cutouts):
    model = Model.auto(("sersic", "chromatic"))
    with pytest.raises(ValueError, match=r"model=Model.auto\(\('sersic', 'chromatic'\)\) is for"):
        net.predict([cutouts["r"][0]], model=model)
    with pytest.raises(TypeError, match="wavelength=None must be a dict"):
        net.predict(some(cutouts, ONE_PART), model=model)
