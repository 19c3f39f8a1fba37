"""Images of one band: parts of sources, what is known of them, and models that are compared."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.fields import ZEROPOINT, make_field, render, star
from helpers.measured import has, value
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Exponential, Flags, Model, NormalPrior, Sersic, SersicNet
from sersicnet.measure import inject_galaxies, measure_image, write_field_model

SHARE = 0.3
FLUX = 2e4
# A bulge and a disk, their neighbor, and a star.
TRUTH = {
    "x_0": np.array([70.0, 70.0, 83.0, 30.0]),
    "y_0": np.array([60.0, 60.0, 66.0, 100.0]),
    "flux": FLUX * np.array([SHARE, 1 - SHARE, 0.4, 0.6]),
    "r_eff": np.array([1.6, 5.0, 2.0, 0.0]),
    "n": np.array([2.0, 1.0, 1.0, 1.0]),
    "q": np.array([0.9, 0.6, 0.8, 1.0]),
    "theta": np.array([0.0, 30.0, 0.0, 0.0]),
}
MAG = ZEROPOINT - 2.5 * np.log10(FLUX)


@pytest.fixture(scope="module")
def image():
    return make_field(render(TRUTH, (128, 128)), mask=None, psf=star())


@pytest.fixture(scope="module")
def parts(image, net):
    return measure_image(image, net=net, model="sersic+exp", morphology=True)


def galaxy(table):
    """The row of the bulge and the disk."""
    return table[int(np.nanargmin(np.abs(value(table["x_0"]) - 70.0)))]


def test_parts_are_measured_without_the_light_of_neighbors(parts):
    assert parts.meta["MODEL"] == "sersic+exp"
    assert parts.meta["REFINE"] == "lm"
    row = galaxy(parts)
    assert row["group_size"] == 2
    assert has(row, Flags.BLENDED)
    assert abs(row["bulge_to_total"] - SHARE) < 4 * row["bulge_to_total_err"]
    assert_allclose(value(row["mag"]), MAG, atol=0.04)
    both = 10 ** (-0.4 * value(row["mag_bulge"])) + 10 ** (-0.4 * value(row["mag_disk"]))
    assert_allclose(-2.5 * np.log10(both), value(row["mag"]), atol=0.03)
    assert len(parts) == 3  # no companions in what one profile leaves of parts
    assert np.isnan(value(parts["n"])).all()
    for name in parts.colnames:
        assert parts[name].info.description, name
    names = parts.colnames
    assert names.index("mag_bulge") < names.index("bulge_to_total") < names.index("flags")


def test_what_needs_no_profile_is_there_as_well(parts):
    assert np.isfinite(value(galaxy(parts)["r_petro"]))
    names = parts.colnames
    assert names.index("r_petro") < names.index("mag_bulge")


def test_columns_are_those_of_cutouts(parts, image, net):
    cutouts = image.data[20:148, 96:] - 80
    results = net.predict(
        [cutouts], psf=star(), pixel_scale=0.1, zeropoint=25.0, model="sersic+exp"
    )
    assert set(results.to_table().colnames) <= set(parts.colnames)


def test_tiles_do_not_matter(parts, image, net):
    """The group is across a border, and its members are in two tiles."""
    again = measure_image(image, net=net, model="sersic+exp", tile_size=64)
    for name in ("mag", "r_eff", "bulge_to_total", "mag_disk", "chi2"):
        assert_allclose(value(again[name]), value(parts[name]), rtol=5e-3, err_msg=name)
    assert_array_equal(again["flags"], parts["flags"])


@pytest.mark.filterwarnings("ignore:the prior of bulge_to_total contradicts")  # of the others
def test_known_values_are_exact_and_tied_ones_are_equal(image, net):
    model = Model(
        {"bulge": Sersic(), "disk": Exponential()},
        fixed={"n_bulge": 2.0},
        priors={"bulge_to_total": NormalPrior(SHARE, 0.05)},
        tied={"theta": ("bulge", "disk")},
    )
    table = measure_image(image, net=net, model=model, refine="lm")
    row = galaxy(table)
    assert row["n_bulge"] == 2.0
    assert row["n_bulge_err"] == 0.0
    assert row["theta_bulge"] == row["theta_disk"]
    assert row["bulge_to_total_err"] < 0.05
    assert row["bulge_to_total_tension"] < 5


def test_models_are_compared(image, net):
    model = Model.auto(("sersic", "point", "point+exp"))
    catalog = Table({"x_0": [83.0, 30.0, 900.0], "y_0": [66.0, 100.0, 900.0]})
    table = measure_image(image, net=net, model=model, catalog=catalog)
    assert table["model"].tolist() == ["sersic", "point", ""]
    assert table["prob_star"][0] < 1e-3 < 0.9 < table["prob_star"][1]
    odds = table["prob_point"] / (table["prob_point"] + table["prob_sersic"])
    assert_allclose(table["prob_star"], odds)
    assert "log_evidence" not in table.colnames
    assert table.meta["EVIDENCE"] == "Laplace"


def test_rows_in_one_source_do_not_take_the_light_of_each_other(image, net):
    catalog = Table({"x_0": [70.0, 71.0], "y_0": [60.0, 60.0]})
    table = measure_image(image, net=net, model="sersic+exp", catalog=catalog)
    assert_allclose(value(table["mag"]), MAG, atol=0.05)
    assert has(table, Flags.BLENDED).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"population": "infer"}, r"population= is for model='sersic', of which nothing is known"),
        ({"fixed": "shape", "catalog": Table({"x_0": [3.0]})}, "not for fixed="),
        ({"sky": "free", "model": "auto"}, "sky='free' has no prior"),
        ({"model": Model("sersic", chromatic=True)}, "it needs images of several bands"),
        ({"model": Model("sersic", fixed={"n": [1.0, 2.0]})}, "sources of images have one for all"),
    ],
)
def test_models_that_make_no_sense(image, net, options, message):
    with pytest.raises(ValueError, match=message):
        measure_image(image, net=net, **({"model": "sersic+exp"} | options))


def test_other_networks_know_one_profile(image):
    net = SersicNet.from_pretrained("deeplegato")
    with pytest.raises(ValueError, match="needs the posterior network"):
        measure_image(image, net=net, model="point+sersic")


def test_injected_galaxies_have_one_profile(image):
    with pytest.raises(ValueError, match="injected galaxies are measured with one Sersic profile"):
        inject_galaxies(image, "LSST:i", magnitudes=(20, 22), model="sersic+exp")


def test_images_of_parts_are_not_drawn(parts, image, tmp_path):
    with pytest.raises(ValueError, match="the catalog is of model='sersic\\+exp'"):
        write_field_model(parts, image, tmp_path / "model.fits")
