"""Parts of galaxies in several bands: one structure of each part, and its light in each band."""

import numpy as np
import pytest
from helpers.banded import draw_band, sky_wcs
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Exponential, Flags, Model, NormalPrior, Sersic, decode_flags

BULGE = {"r_eff": 0.18, "n": 3.0, "q": 0.9}
DISK = {"r_eff": 0.9, "n": 1.0, "q": 0.5}
MAGS = {"g": 16.8, "r": 16.0}
SHARES = {"g": 0.15, "r": 0.45}
# Pixels of the bands.
WCS = {"g": sky_wcs(), "r": sky_wcs(scale=0.13, turn=40)}
TIED = Model(
    {"bulge": Sersic(n=NormalPrior(3.0, 0.3)), "disk": Sersic(n=1, r_eff=0.9)},
    tied={"theta": ("bulge", "disk")},
)


def draw(band):
    """A bulge that is redder than its disk."""
    known = {"wcs": WCS[band], "seed": len(band) + ord(band)}
    share = SHARES[band]
    image = draw_band(MAGS[band] - 2.5 * np.log10(share), shape=BULGE, **known)
    disk = draw_band(MAGS[band] - 2.5 * np.log10(1 - share), shape=DISK, noise=1e-9, **known)
    image.data += disk.data
    return image


@pytest.fixture(scope="module")
def cutouts():
    empty = draw_band(35.0, wcs=WCS["r"], seed=5)
    return {"g": [draw("g")] * 2, "r": [draw("r"), empty]}


@pytest.fixture(scope="module")
def results(net, cutouts):
    return net.predict(cutouts, model="sersic+exp")


def value(table, name, row=0):
    return float(getattr(table[name][row], "value", table[name][row]))


def pull(table, name, truth):
    return (value(table, name) - truth) / value(table, f"{name}_err")


def test_light_and_structure_of_each_part_come_back(results):
    table = results.to_table()
    for part, truth in (("bulge", BULGE), ("disk", DISK)):
        for name in ("r_eff", "q"):
            assert abs(pull(table, f"{name}_{part}", truth[name])) < 4, (name, part)
    for band, share in SHARES.items():
        assert abs(pull(table, f"bulge_to_total_{band}", share)) < 4
        assert abs(pull(table, f"mag_{band}", MAGS[band])) < 4
        assert abs(pull(table, f"mag_bulge_{band}", MAGS[band] - 2.5 * np.log10(share))) < 4
        assert abs(pull(table, f"mag_disk_{band}", MAGS[band] - 2.5 * np.log10(1 - share))) < 4
    assert table["n_disk"][0] == 1
    assert table["mag_bulge"][0] == table["mag_bulge_g"][0]
    assert not table["flags"][0]
    for name in table.colnames:
        assert table[name].info.description, name


def test_a_blank_band_follows_the_other(results):
    table = results.to_table(fluxes=True)
    assert value(table, "r_eff_disk_err", 1) < 0.3
    assert abs(value(table, "bulge_to_total_g", 1) - SHARES["g"]) < 0.15
    assert np.isnan(value(table, "mag_r", 1))
    assert abs(value(table, "flux_r", 1)) < 4 * value(table, "flux_r_err", 1)
    assert "LOW_SNR" in decode_flags(table["flags_r"][1])
    assert not table["flags_g"][1] & int(Flags.LOW_SNR)


def test_the_order_of_bands_and_components_does_not_matter(net, cutouts, results):
    some = {band: cutouts[band][:1] for band in ("r", "g")}
    model = Model({"disk": Exponential(), "bulge": Sersic()})
    turned = net.predict(some, model=model).to_table()
    table = results.to_table()
    for name in ("bulge_to_total_g", "bulge_to_total_r", "r_eff_disk", "n_bulge", "mag_disk_r"):
        assert abs(value(turned, name) - value(table, name)) < 0.3 * value(table, f"{name}_err")
    assert turned["mag"][0] == turned["mag_r"][0]
    assert abs(value(turned, "r_eff") - value(table, "r_eff")) > 0.1  # of the reference


def test_pictures_are_sums_of_the_parts_in_each_band(results, cutouts):
    for band in MAGS:
        image = cutouts[band][0]
        whole = results.model_image(0, image, band=band, sky=False)
        parts = [
            results.model_image(0, image, band=band, component=part) for part in ("bulge", "disk")
        ]
        assert_allclose(sum(parts), whole, atol=1e-4 * whole.max())
        assert abs(parts[0].sum() / whole.sum() - SHARES[band]) < 0.2
        assert abs(results.residual(0, image, band=band).std() - 1) < 0.1
    assert results.to_model(0, band="r").submodel_names == ("bulge", "disk")


def test_samples_of_parts_belong_together(results):
    drawn = results[0].samples(500)
    table = results.to_table()
    for band in MAGS:
        light = [10 ** (-0.4 * drawn[f"mag_{part}_{band}"]) for part in ("bulge", "disk")]
        assert_allclose(-2.5 * np.log10(sum(light)), drawn[f"mag_{band}"])
        assert_allclose(light[0] / sum(light), drawn[f"bulge_to_total_{band}"])
        name = f"bulge_to_total_{band}"
        assert_allclose(drawn[name].std(), value(table, f"{name}_err"), rtol=0.2)
    assert_allclose(drawn["mag_disk"], drawn["mag_disk_g"], atol=1e-6)


def test_fixed_values_are_exact_and_tied_ones_equal(net, cutouts):
    some = {band: images[:1] for band, images in cutouts.items()}
    table = net.predict(some, model=TIED).to_table()
    assert table["n_disk"][0] == 1
    assert value(table, "r_eff_disk") == 0.9
    assert value(table, "r_eff_disk_err") == 0
    assert table["theta_bulge"][0] == table["theta_disk"][0]
    assert value(table, "n_bulge_err") < 0.31
    assert 0 < value(table, "n_bulge_tension") < 5
    fixed = net.predict(some, model=Sersic(n=2)).to_table()
    assert_array_equal(fixed["n"], 2)
    assert value(fixed, "mag_r_err") > 0


def test_a_point_source_and_its_host(net):
    cutouts = {}
    for band, mag in (("g", 18.5), ("r", 18.0)):
        star = draw_band(mag, wcs=WCS[band], seed=3, shape={"r_eff": 1e-3, "n": 1.0, "q": 1.0})
        host = draw_band(17.5, wcs=WCS[band], noise=1e-9, shape=DISK)
        both = star.copy()
        both.psf, both.meta = star.psf, star.meta
        both.data = star.data + host.data
        cutouts[band] = [star, both]
    alone = net.predict({band: images[:1] for band, images in cutouts.items()}, model="point")
    assert abs(pull(alone.to_table(), "mag_r", 18.0)) < 5
    assert repr(alone).endswith("0 not measured>")
    nucleus = {band: images[1:] for band, images in cutouts.items()}
    table = net.predict(nucleus, model="point+exp").to_table()
    assert abs(pull(table, "mag_point_g", 18.5)) < 5
    assert abs(pull(table, "mag_point_r", 18.0)) < 5


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Sersic(x_0=3.0), "x_0 cannot be known in several bands"),
        (Model("sersic+exp", fixed={"bulge_to_total": 0.5}), "bulge_to_total cannot be known"),
        (Sersic(theta=10.0), "theta cannot be known in several bands"),
        (Sersic(n=[1.0, 2.0, 3.0]), "n of the model has 3 values: one value, or one for each of 2"),
        (Model({"g": Sersic(), "disk": Exponential()}), "cutouts has a band 'g', and the model"),
    ],
)
def test_models_that_make_no_sense(net, cutouts, model, words):
    with pytest.raises(ValueError, match=words):
        net.predict(cutouts, model=model)
