"""Several bands of each galaxy: one structure, and a magnitude and a shift of each band."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.banded import DEC, RA, TRUTH, draw_band, sky_wcs
from helpers.rendered import star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags, Model, SersicNet, decode_flags
from sersicnet.inference import LevenbergMarquardt

MAGS = {"g": 17.6, "r": 17.0, "i": 16.6}
# Rows of the galaxies.
WHOLE, SHIFTED, BLANK, NO_R, NO_G, NOTHING, ELSEWHERE = range(7)
# By how much r is shifted, in its pixels of .16 arcsec.
SHIFT = 0.5
MEASURED = [row for row in range(7) if row != NOTHING]


def draw(band, row):
    """The cutouts have other pixels in each band, turned and flipped, and are not centered."""
    mag = 35.0 if (band, row) == ("i", BLANK) else MAGS[band]
    seed = 10 * row + list(MAGS).index(band)
    match band:
        case "g":
            return draw_band(mag, wcs=sky_wcs(off=(0.3, -0.2)), seed=seed)
        case "r":
            wcs = sky_wcs(scale=0.16, turn=40, size=48, off=(1.0, 0.4))
            shift = (SHIFT if row == SHIFTED else 0.0, 0.0)
            return draw_band(mag, wcs=wcs, size=48, fwhm=2.5, seed=seed, shift=shift)
        case "i":
            off = (400.0, 0.0) if row == ELSEWHERE else (0.0, 0.0)
            return draw_band(
                mag, wcs=sky_wcs(turn=-70, flipped=True, size=65, off=off), size=65, seed=seed
            )


@pytest.fixture(scope="module")
def cutouts():
    found = {band: [draw(band, row) for row in range(7)] for band in MAGS}
    for band, row in (("r", NO_R), ("g", NO_G)):
        found[band][row] = None
    for images in found.values():
        images[NOTHING] = None
    return found


@pytest.fixture(scope="module")
def results(net, cutouts):
    return net.predict(cutouts)


@pytest.fixture(scope="module")
def table(results):
    return results.to_table()


def pulls(table, name, truth):
    return (np.array(table[name], dtype=float) - truth) / np.array(
        table[f"{name}_err"], dtype=float
    )


def test_truth_is_within_the_errors(table):
    for name in ("r_eff", "n", "q"):
        found = pulls(table, name, TRUTH[name])[MEASURED]
        assert np.abs(found).max() < 4.5, name
    for band, mag in MAGS.items():
        found = pulls(table, f"mag_{band}", mag)
        assert np.nanmax(np.abs(found)) < 4.5, band
    assert_allclose(table["pa"][MEASURED].value, TRUTH["pa"], atol=6)
    assert_allclose(table["dec"][MEASURED].value, DEC, atol=1e-5)
    assert_allclose(table["ra"][MEASURED].value, RA, atol=1e-5)


def test_errors_are_smaller_than_those_of_one_band(net, results, cutouts):
    alone = net.predict([cutouts["g"][WHOLE]], refine="lm")
    for name in ("r_eff", "n", "q"):
        assert results.error(name)[WHOLE] < 0.8 * alone.error(name)[0]


def test_a_shift_of_half_a_pixel_comes_back(table):
    # 40 degrees from the axes of the reference
    turn = np.radians(40)
    expected = SHIFT * 0.16 * np.array([np.cos(turn), np.sin(turn)])
    for axis, shift in zip("xy", expected, strict=True):
        name = f"{axis}_shift_r"
        assert abs(pulls(table, name, shift)[SHIFTED]) < 4.5
        assert abs(pulls(table, name, 0.0)[WHOLE]) < 4.5
        assert table[f"{name}_err"][SHIFTED].value < 0.03
    assert "x_shift_g" not in table.colnames


def test_without_shifts_a_galaxy_stays_in_its_place(net, cutouts):
    some = {band: images[:2] for band, images in cutouts.items()}
    fixed = net.predict(some, model=Model("sersic", band_shift=0)).to_table()
    for column in ("x_shift_r", "x_shift_r_err", "y_shift_i", "y_shift_i_err"):
        assert_array_equal(fixed[column].value, 0)  # as of any fixed value
    assert fixed["chi2_r"][SHIFTED] > fixed["chi2_r"][WHOLE] + 10


def test_linked_values_follow_the_other_bands_where_one_is_blank(results, table):
    assert results.error("r_eff")[BLANK] < 0.05
    assert np.isnan(table["mag_i_err"][BLANK])
    assert np.isnan(table["mag_i"][BLANK])  # a limit is no measurement
    fluxes = results.to_table(fluxes=True)  # which are linear
    assert abs(fluxes["flux_i"][BLANK] / fluxes["flux_i_err"][BLANK]) < 4.5
    assert {"LOW_SNR", "AT_BOUND"} <= set(decode_flags(table["flags_i"][BLANK]))
    assert not table["flags_g"][BLANK] & int(Flags.AT_BOUND)
    color, error = results.color("g", "i")
    assert np.isnan(color[BLANK])
    assert np.isnan(error[BLANK])
    assert np.isfinite(error[WHOLE])


def test_a_missing_band_is_nan_and_flagged(table):
    assert np.isnan(table["mag_r"][NO_R])
    assert table["flags_r"][NO_R] == Flags.MISSING_BAND
    assert table["flags"][NO_R] & int(Flags.MISSING_BAND)
    assert not table["flags_g"][NO_R]
    assert not table["flags"][WHOLE]


def test_the_structure_follows_the_others_without_a_reference(results, table):
    for name in ("mag", "mag_g", "x_0", "y_0", "theta"):
        assert np.isnan(table[name][NO_G])
    for name in ("r_eff", "n", "q", "mag_r", "mag_i", "ra", "dec", "pa"):
        assert np.isfinite(table[name][NO_G])
    assert np.isnan(results.samples(3)["x_0"][NO_G]).all()
    assert np.isfinite(results.samples(3)["r_eff"][NO_G]).all()


def test_a_galaxy_without_any_cutout_is_nan(table):
    for name in ("mag", "r_eff", "mag_g", "mag_r", "mag_i", "chi2", "chi2_g"):
        assert np.isnan(table[name][NOTHING])
    assert table["n_pixels"][NOTHING] == 0
    assert table["flags"][NOTHING] == Flags.MISSING_BAND


def test_a_cutout_of_another_place_is_missing(table):
    assert np.isnan(table["mag_i"][ELSEWHERE])
    assert table["flags_i"][ELSEWHERE] & int(Flags.MISSING_BAND)
    assert not table["flags_r"][ELSEWHERE]


def test_sums_are_over_the_bands_that_show_the_galaxy(table):
    assert_allclose(table["chi2"][NO_R], table["chi2_g"][NO_R] + table["chi2_i"][NO_R])
    for name in ("chi2", "n_pixels"):
        total = sum(table[f"{name}_{band}"][WHOLE] for band in MAGS)
        assert_allclose(table[name][WHOLE], total)


def test_a_reference_with_a_broken_wcs_is_measured_alone(net, cutouts):
    broken = cutouts["g"][WHOLE].copy()
    broken.wcs = sky_wcs()
    broken.wcs.wcs.crval = np.nan, DEC
    some = {"g": [broken], "r": cutouts["r"][:1]}
    with pytest.warns(UserWarning, match="'r' do not show the places"):
        table = net.predict(some, pixel_scale={"g": 0.1, "r": None}).to_table()
    assert abs(pulls(table, "mag_g", MAGS["g"])[0]) < 4.5
    assert np.isnan(table["mag_r"][0])
    assert not table["flags_g"][0] & int(Flags.MISSING_BAND)


def test_bands_elsewhere_warn(net, cutouts):
    some = {band: images[ELSEWHERE:] for band, images in cutouts.items()}
    with pytest.warns(UserWarning, match="'i' do not show the places"):
        net.predict(some)


def test_the_order_of_bands_and_galaxies_does_not_matter(net, results, table, cutouts):
    rows = [NO_R, SHIFTED, WHOLE]
    some = {band: [cutouts[band][row] for row in rows] for band in ("i", "r", "g")}
    turned = net.predict(some).to_table()
    for name in ("r_eff", "n", "q", "mag_g", "mag_r", "mag_i"):
        error = np.array(table[f"{name}_err"][rows], dtype=float)
        apart = np.array(turned[name], dtype=float) - np.array(table[name][rows], dtype=float)
        assert np.nanmax(np.abs(apart / error)) < 0.1, name
    assert_array_equal(np.isnan(turned["mag_r"]), [True, False, False])
    assert_allclose(turned["pa"].value, table["pa"][rows].value, atol=0.3)
    assert_array_equal(turned["mag"], turned["mag_i"])
    assert_array_equal(table["mag"], table["mag_g"])


def test_bands_without_a_wcs_are_aligned_by_their_middles(net):
    pixels = {"g": (0.1, 65), "r": (0.2, 33)}
    cutouts = {}
    for seed, (band, (scale, size)) in enumerate(pixels.items()):
        cutouts[band] = [draw_band(17.0, scale=scale, size=size, seed=seed)]
    table = net.predict(cutouts).to_table()
    for name, truth in (("r_eff", 0.4), ("n", 1.5), ("mag_r", 17.0), ("x_shift_r", 0.0)):
        assert abs(pulls(table, name, truth)[0]) < 4.5, name


def test_one_band_is_what_it_is_alone(net, cutouts):
    images = [cutouts["g"][row] for row in (WHOLE, SHIFTED)]
    alone = net.predict(images, refine="lm")
    found = net.predict({"g": images})
    for name in ("mag", "r_eff", "n", "q", "x_0"):
        assert_allclose(found.median(name), alone.median(name), atol=0.05 * alone.error(name).min())
        assert_allclose(found.error(name), alone.error(name), rtol=0.1)


def test_maximum_likelihood(net, cutouts, results):
    some = {band: images[:1] for band, images in cutouts.items()}
    free = net.predict(some, refine=LevenbergMarquardt(prior=False))
    away = (free.median("n") - results.median("n")[:1]) / results.error("n")[:1]
    assert abs(away[0]) < 1


def test_meta_says_what_was_done(results):
    assert results.meta["BANDS"] == "g, r, i"
    assert results.meta["REFBAND"] == "g"
    assert results.meta["REFINE"].startswith("lm")


def test_where_there_is_no_fit_the_answers_of_the_network_are_combined(net, cutouts, monkeypatch):
    from sersicnet.inference import band_alike

    fit_groups = band_alike.fit_groups

    def failing(*arguments, **options):
        fit = fit_groups(*arguments, **options)
        return replace(fit, converged=np.zeros(len(fit.converged), dtype=bool))

    monkeypatch.setattr(band_alike, "fit_groups", failing)
    some = {band: images[:1] for band, images in cutouts.items()}
    with pytest.warns(UserWarning, match="1 of 1 galaxy could not be fitted in several bands"):
        results = net.predict(some)
    table = results.to_table()
    assert "NOT_REFINED" in decode_flags(table["flags"][0])
    assert "PREDICTION_FAILED" not in decode_flags(table["flags"][0])
    for name, truth in (("r_eff", 0.4), ("n", 1.5), ("mag_g", 17.6), ("mag_r", 17.0)):
        assert abs(pulls(table, name, truth)[0]) < 4.5, name
    assert table["x_shift_r_err"][0].value == pytest.approx(0.05)  # its prior
    assert np.isfinite(results.samples(3)["mag_i"]).all()
    alone = net.predict(some["g"])
    assert results.error("r_eff")[0] < alone.error("r_eff")[0]


def test_a_fit_that_runs_to_a_neighbor_is_not_taken(net):
    """Its center is at the edge of where it can be, as without the network's answer."""
    cutouts = {}
    for band, mag in (("g", 20.3), ("r", 19.7)):
        image = draw_band(mag, wcs=sky_wcs(), seed=8, shape={"n": 1.0})
        bright = draw_band(
            mag - 3.6, wcs=sky_wcs(), noise=1e-9, shift=(5.0, -7.0), shape={"r_eff": 0.8, "n": 4.0}
        )
        image.data += bright.data
        image.mask = (bright.data > 2) & (np.hypot(*(np.indices((64, 64)) - 31.5)) > 4)
        cutouts[band] = [image]
    with pytest.warns(UserWarning, match="answers of the network"):
        table = net.predict(cutouts).to_table()
    assert "NOT_REFINED" in decode_flags(table["flags"][0])
    assert "AT_BOUND" not in decode_flags(table["flags"][0])
    assert table["mag_r_err"][0].value > 0.2  # as the network has it


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"psf": {"g": star(), "u": star()}}, "psf has a band 'u', but cutouts has g, r, i"),
        ({"psf": {"g": star(), "r": star()}}, "psf has no band 'i': a dict needs the value of"),
        ({"sky_err": {"g": 0.1, "r": -1.0, "i": 0.1}}, "band 'r': sky_err=-1.0"),
        ({"zeropoint": {"g": 25, "r": 25, "i": [25.0, 26.0]}}, "band 'i': zeropoint has"),
        ({"pixel_scale": {"g": None, "r": -1.0, "i": None}}, "band 'r': pixel_scale"),
        ({"wavelength": {"g": 0.5, "r": 0.6, "i": 0.7}}, "wavelength=.*for models that change"),
    ],
)
def test_calls_that_make_no_sense(net, cutouts, options, words):
    some = {band: images[:1] for band, images in cutouts.items()}
    with pytest.raises(ValueError, match=words):
        net.predict(some, **options)


def test_a_missing_psf_names_the_band(net, cutouts):
    some = {band: images[:1] for band, images in cutouts.items()}
    some["r"][0] = some["r"][0].copy()
    some["r"][0].psf = None
    with pytest.raises(ValueError, match="band 'r': psf=None"):
        net.predict(some)
    found = net.predict(some, psf={"g": None, "r": star(2.5), "i": None})
    assert np.isfinite(found.to_table()["mag_r"][0])


def test_warnings_name_the_band(net, cutouts):
    some = {band: images[:1] for band, images in cutouts.items()}
    some["r"][0] = some["r"][0].copy()
    some["r"][0].uncertainty.array *= 5
    with pytest.warns(UserWarning, match="band 'r': the uncertainty of 1 of 1 cutout") as caught:
        net.predict(some)
    assert [one.filename for one in caught] == [__file__]
    y, x = np.mgrid[:41, :41] - 20.0
    off = np.exp(-0.5 * ((x - 0.4) ** 2 + y**2) / 1.3**2)
    with pytest.warns(UserWarning, match="band 'i': .*psf") as caught:
        net.predict({band: cutouts[band][:1] for band in "gi"}, psf={"g": None, "i": off})
    assert [one.filename for one in caught] == [__file__]


def test_a_cutout_without_units_names_the_band(net, cutouts):
    some = {band: images[:1] for band, images in cutouts.items()}
    some["r"][0] = some["r"][0].copy()
    some["r"][0].meta = {}
    some["r"][0].psf = star(2.5)
    with pytest.raises(ValueError, match=r"band 'r': cutouts\[0\].*zero point"):
        net.predict(some)


def test_a_network_of_one_survey_knows_no_bands():
    net = SersicNet.from_pretrained("deeplegato")
    with pytest.raises(ValueError, match="several bands need the posterior network"):
        net.predict({"g": np.ones((1, 64, 64))}, pixel_scale=0.06, zeropoint=25)
