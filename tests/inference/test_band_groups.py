"""Galaxies in several bands that are fitted together with their neighbors."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.banded import TRUTH, draw_band, sky_wcs
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags, Model, decode_flags

WCS = {"g": sky_wcs(off=(0.3, -0.2)), "r": sky_wcs(scale=0.13, turn=40)}
MAGS = {"g": 17.6, "r": 17.0}
NEIGHBOR = {"r_eff": 0.3, "n": 1.0, "q": 0.8}
# East and north of the galaxy, in arcsec.
AWAY = (0.9, -0.7)
# Rows of the galaxies: one with a bright neighbor, one whose neighbor is red, one with the galaxy
# off its place in r as well, one without a neighbor, one without a cutout in g.
BRIGHT, RED, SHIFTED, ALONE, NO_G = range(5)
NEIGHBORS = {
    BRIGHT: {"g": 17.2, "r": 17.5},
    RED: {"g": 27.0, "r": 17.0},
    SHIFTED: {"g": 17.8, "r": 17.6},
    NO_G: {"r": 17.5},
}
SHIFT = 0.5


def draw(band, row):
    if (band, row) == ("g", NO_G):
        return None
    wcs = WCS[band]
    shift = np.array([SHIFT * ((band, row) == ("r", SHIFTED)), 0.0])
    image = draw_band(MAGS[band], wcs=wcs, seed=10 * row + len(band) + ord(band), shift=shift)
    if row in NEIGHBORS:
        away = np.linalg.solve(wcs.wcs.cd * 3600, AWAY) + shift
        known = {"wcs": wcs, "noise": 1e-9, "shift": away, "shape": NEIGHBOR}
        image.data += draw_band(NEIGHBORS[row][band], **known).data
    return image


@pytest.fixture(scope="module")
def cutouts():
    return {band: [draw(band, row) for row in range(5)] for band in MAGS}


@pytest.fixture(scope="module")
def results(net, cutouts):
    return net.predict(cutouts, neighbors="fit")


@pytest.fixture(scope="module")
def table(results):
    return results.to_table()


def pulls(table, name, truth):
    columns = (np.array(table[column], dtype=float) for column in (name, f"{name}_err"))
    value, error = columns
    return (value - truth) / error


def test_truth_is_within_the_errors(table):
    for name in ("r_eff", "n", "q"):
        assert np.abs(pulls(table, name, TRUTH[name])).max() < 4.5, name
    for band, mag in MAGS.items():
        assert np.nanmax(np.abs(pulls(table, f"mag_{band}", mag))) < 4.5, band


def test_groups_are_described(results, table):
    assert results.meta["NEIGHBOR"] == "fit"
    assert_array_equal(table["group_size"], [2, 2, 2, 1, 2])
    assert table["blend_fraction"][ALONE] == 0
    assert (table["blend_fraction"][[BRIGHT, RED, SHIFTED]] > 0).all()
    assert "BLENDED" in decode_flags(table["flags"][BRIGHT])
    assert not table["flags"][ALONE]
    assert not (table["flags"] & int(Flags.NOT_REFINED | Flags.GROUP_NOT_CONVERGED)).any()
    for name in table.colnames:
        assert table[name].info.description, name


def test_without_neighbors_nothing_changes(net, cutouts, table):
    some = {band: images[ALONE : ALONE + 1] for band, images in cutouts.items()}
    masked = net.predict(some).to_table()
    for name in ("mag_g", "mag_r", "r_eff", "n", "x_shift_r"):
        assert_allclose(
            np.array(table[name][ALONE : ALONE + 1], dtype=float),
            np.array(masked[name], dtype=float),
            atol=1e-3 * float(np.array(table[f"{name}_err"], dtype=float)[ALONE]),
        )


def test_a_shift_of_half_a_pixel_comes_back(table):
    turn = np.radians(40)
    for axis, part in zip("xy", (np.cos(turn), np.sin(turn)), strict=True):
        found = pulls(table, f"{axis}_shift_r", SHIFT * 0.13 * part)
        assert abs(found[SHIFTED]) < 4.5
        assert abs(pulls(table, f"{axis}_shift_r", 0.0)[BRIGHT]) < 4.5


def test_a_neighbor_that_one_band_shows_is_found_there(results, table):
    assert table["chi2_g"][RED] < 1.5 * table["n_pixels_g"][RED]
    assert table["chi2_r"][RED] < 1.5 * table["n_pixels_r"][RED]
    assert results.band("g").columns["blend_fraction"][RED] < 0.01
    assert decode_flags(table["flags_g"][NO_G]) == ["MISSING_BAND"]


def test_the_order_of_bands_and_galaxies_does_not_matter(net, cutouts, table):
    rows = [RED, BRIGHT]
    turned = {band: [cutouts[band][row] for row in rows] for band in ("r", "g")}
    found = net.predict(turned, neighbors="fit").to_table()
    assert_array_equal(found["group_size"], 2)
    for name in ("mag_g", "mag_r", "n"):
        error = np.array(table[f"{name}_err"][rows], dtype=float)
        apart = np.array(found[name], dtype=float) - np.array(table[name][rows], dtype=float)
        assert np.abs(apart / error).max() < 0.3, name


def test_a_joint_fit_that_fails_is_flagged(net, cutouts, monkeypatch):
    from sersicnet.inference.band_alike import Alike

    fit_from = Alike.fit_from

    def failing(alike, labels, scene):
        fit = fit_from(alike, labels, scene)
        return replace(fit, converged=np.zeros(len(fit.converged), dtype=bool))

    monkeypatch.setattr(Alike, "fit_from", failing)
    some = {band: images[SHIFTED : SHIFTED + 1] for band, images in cutouts.items()}
    table = net.predict(some, neighbors="fit").to_table()
    assert "GROUP_NOT_CONVERGED" in decode_flags(table["flags"][0])
    assert table["group_size"][0] == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"refine": "importance"}, "neighbors='fit' needs refine='lm'"),
        ({"model": "sersic+exp"}, "neighbors='fit' needs model='sersic'"),
        ({"model": "auto"}, "neighbors='fit' needs model='sersic'"),
        ({"neighbors": "both"}, "neighbors='both' must be 'mask' or 'fit'"),
        (
            {"model": Model("sersic", chromatic=True), "wavelength": {"g": 0.5, "r": 0.6}},
            "a model that does not change with wavelength",
        ),
    ],
)
def test_calls_that_make_no_sense(net, cutouts, options, words):
    some = {band: images[:1] for band, images in cutouts.items()}
    with pytest.raises(ValueError, match=words):
        net.predict(some, **({"neighbors": "fit"} | options))
