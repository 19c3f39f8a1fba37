"""Images of several bands: parts of sources, models that are compared, and exact posteriors."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.band_fields import BRIGHTER, TRUTH, draw_bands
from helpers.fields import ZEROPOINT
from helpers.measured import value
from numpy.testing import assert_allclose

from sersicnet import Model, NormalPrior, Sersic
from sersicnet.inference import ImportanceSampling
from sersicnet.measure import measure_image

FEW = ImportanceSampling(ess=60, min_ess=15, max_samples=1000)


@pytest.fixture(scope="module")
def images():
    """The first source, which both bands show, and the last one, which is beyond the second."""
    return draw_bands([0, 3])[0]


def test_parts_have_light_in_each_band(images, net):
    table = measure_image(images, net=net, model="sersic+exp")
    assert table.meta["MODEL"] == "sersic+exp"
    assert len(table) == 2
    shown = int(np.argmin(np.abs(value(table["x_0"]) - TRUTH["x_0"][0])))
    for band in images:
        share = value(table[f"bulge_to_total_{band}"])[shown]
        both = value(table[f"mag_{band}"])[shown]
        assert_allclose(value(table[f"mag_bulge_{band}"])[shown], both - 2.5 * np.log10(share))
    assert_allclose(value(table["mag_g"])[shown], ZEROPOINT - 2.5 * np.log10(6e3), atol=0.1)
    assert np.isnan(value(table["mag_disk_r"])[1 - shown])
    assert np.isfinite(value(table["mag_disk_g"])[1 - shown])
    assert np.isfinite(value(table["r_eff_disk"])).all()
    assert not any(name.startswith("disk_to_total") for name in table.colnames)
    for name in table.colnames:
        assert table[name].info.description, name


def test_models_are_compared_and_sampled(images, net, tmp_path):
    path = tmp_path / "both.ecsv"
    model = Model.auto(("sersic", "point"))
    # a row that is nowhere in the image has all columns
    catalog = Table({"x_0": [TRUTH["x_0"][0], 900.0], "y_0": [TRUTH["y_0"][0], 900.0]})
    options = {"catalog": catalog, "output": path, "refine": FEW}
    table = measure_image(images, net=net, model=model, **options)
    assert table.meta["EVIDENCE"] == "importance sampling"
    assert table["model"].tolist() == ["sersic", ""]
    assert table["prob_star"][0] < 1e-3
    assert np.isnan(table["prob_sersic"][1])
    assert table["ess"][0] > 15
    assert "log_evidence_point" in table.colnames
    assert "log_evidence" not in table.colnames
    color = value(table["mag_g"] - table["mag_r"])[0]
    assert_allclose(color, 2.5 * np.log10(BRIGHTER), atol=0.06)
    assert path.exists()


def test_structure_changes_with_wavelength(images, net):
    """Both bands have the same structure; one alone shows no slope."""
    wavelength = {"g": 0.5, "r": 0.7}
    model = Model("sersic", chromatic=True)
    table = measure_image(images, net=net, model=model, wavelength=wavelength)
    assert table.meta["MODEL"] == "sersic (chromatic)"
    assert table.colnames.index("n_slope_err") < table.colnames.index("mag_g")
    shown = int(np.argmin(np.abs(value(table["x_0"]) - TRUTH["x_0"][0])))
    for name in ("r_eff_slope", "n_slope"):
        slope, error = (value(table[column])[shown] for column in (name, f"{name}_err"))
        assert abs(slope) < 4 * error
        assert np.isnan(table[name][1 - shown])
    with pytest.raises(TypeError, match="must be a dict with the wavelength of each band"):
        measure_image(images, net=net, model=model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": Sersic(x_0=3.0)}, "x_0 cannot be known in several bands"),
        ({"model": Sersic(n=[1.0, 2.0])}, "sources of images have one for all"),
        ({"wavelength": {"g": 0.5, "r": 0.7}}, "is for models that change with it"),
        ({"model": "auto", "sky": {"g": "prior", "r": "free"}}, "sky='free' has no prior"),
        ({"model": "bulge"}, "model='bulge' must be"),
        ({"model": Model({"g": Sersic(), "d": Sersic(n=1)})}, "a band 'g', and the model a part"),
    ],
)
def test_models_that_make_no_sense(images, net, options, message):
    with pytest.raises(ValueError, match=message):
        measure_image(images, net=net, **options)


def test_priors_have_their_tension(images, net):
    model = Model("sersic", priors={"n": NormalPrior(TRUTH["n"][0], 0.3)})
    table = measure_image(images, net=net, model=model)
    tension = value(table["n_tension"])
    assert np.isfinite(tension).any()
    assert table["n_tension"].info.description.startswith("distance of the prior of n")
