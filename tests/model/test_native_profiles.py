"""Profiles with the numbers of GALFIT and imfit: read, written, and drawn by imfit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.common.real_space import brightness_of
from benchmarks.profiles import CASES
from sersicnet import Model
from sersicnet.model.galfit_writing import galfit_text
from sersicnet.model.imfit import imfit_text
from sersicnet.model.native_profiles import held_natives
from sersicnet.profile_shapes import PROFILE_SHAPES, parameters_of

FUNCTIONS = {
    "gaussian": ("Gaussian", "gaussian"),
    "moffat": ("Moffat", "moffat"),
    "king": ("ModifiedKing", "king"),
    "ferrers": ("FerrersBar2D", "ferrer"),
    "edge_on": ("EdgeOnDisk", "edgedisk"),
    "core_sersic": ("Core-Sersic", None),
    "broken_exponential": ("BrokenExponential", None),
}
UNITS = {"shape": (40, 50), "zeropoint": 25.0, "pixel_scale": 0.2}
FILES = dict.fromkeys(("image", "sigma", "psf", "mask", "constraints"), "none")


def shapes_of(name):
    """The last case but one: a Ferrers profile without an infinite slope at its end."""
    return CASES[name][-2] if len(CASES[name]) > 1 else CASES[name][0]


def galaxy(name, shapes=None):
    shapes = CASES[name][0] if shapes is None else shapes
    own = dict(zip(PROFILE_SHAPES[name].names, shapes, strict=True))
    own |= {"x_0": 20.0, "y_0": 18.0, "r_eff": 5.0, "q": 0.6, "theta": 30.0, "flux": 100.0}
    return own | {"mag": 20.0}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_imfit_draws_the_same(name, tmp_path):
    """It averages over pixels, but not far from the center: the galaxy is large."""
    pyimfit = pytest.importorskip("pyimfit")
    shapes = shapes_of(name)
    own = galaxy(name, shapes) | {"r_eff": 14.0}
    path = tmp_path / "imfit.dat"
    path.write_text(imfit_text([(FUNCTIONS[name][0], own, set())]))
    drawn = pyimfit.Imfit(pyimfit.parse_config_file(str(path))).getModelImage((40, 50))
    y, x = np.mgrid[:40, :50]
    brightness = brightness_of(name, shapes, 14.0, 0.6, np.radians(30))
    expected = 100 * brightness(x - 20.0, y - 18.0)
    far = np.hypot(x - 20, y - 18) > 4
    assert_allclose(drawn[far], expected[far], rtol=0.01, atol=2e-3 * expected[far].max())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_written_is_read(name, tmp_path):
    own = galaxy(name)
    everything = {*parameters_of(name), "x_0", "y_0"} - {"mag"}
    path = tmp_path / "file"
    readers = [(Model.from_imfit, imfit_text([(FUNCTIONS[name][0], own, everything)]))]
    if FUNCTIONS[name][1]:
        part = (FUNCTIONS[name][1], own, everything)
        readers.append((Model.from_galfit, galfit_text([part], UNITS, files=FILES)[0]))
    for read, text in readers:
        path.write_text(text)
        model = read(path, pixel_scale=0.2)
        assert model.name == name
        known = model.settings
        assert set(known) == everything
        assert_allclose(known["r_eff"], 1.0, rtol=1e-5)
        for shape in PROFILE_SHAPES[name].names:
            assert_allclose(known[shape], own[shape], rtol=1e-5, atol=1e-6)
        assert_allclose(known["q"], 0.6, rtol=1e-5)


def test_what_is_free_stays_free(tmp_path):
    path = tmp_path / "imfit.dat"
    path.write_text(imfit_text([("ModifiedKing", galaxy("king"), {"alpha"})]))
    assert Model.from_imfit(path, pixel_scale=0.2).settings == {"alpha": 2.0}
    path.write_text(imfit_text([("ModifiedKing", galaxy("king"), set())]))
    assert Model.from_imfit(path, pixel_scale=0.2).settings == {}


def test_limits(tmp_path):
    path = tmp_path / "imfit.dat"
    text = imfit_text([("Moffat", galaxy("moffat"), set())])
    path.write_text(text.replace("beta 1.6", "beta 1.6 2,4"))
    prior = Model.from_imfit(path, pixel_scale=0.2).settings["beta"]
    assert (prior.low, prior.high) == (2, 4)


@pytest.mark.parametrize(
    ("function", "line", "match"),
    [
        ("ModifiedKing", "r_c", "r_c fixed: a model has alpha, log_tidal, r_eff"),
        ("BrokenExponential", "alpha", "alpha fixed: a model has"),
        ("Moffat", "I_0", "a surface brightness is fixed"),
    ],
)
def test_what_a_model_cannot_express(function, line, match, tmp_path):
    name = next(key for key, names in FUNCTIONS.items() if names[0] == function)
    path = tmp_path / "imfit.dat"
    lines = imfit_text([(function, galaxy(name), set())]).splitlines()
    fixed = [f"{each} fixed" if each.split()[0] == line else each for each in lines]
    path.write_text("\n".join(fixed))
    with pytest.raises(ValueError, match=match):
        Model.from_imfit(path, pixel_scale=0.2)


def test_a_slope_of_a_ferrer_component(tmp_path):
    path = tmp_path / "feedme"
    text, _ = galfit_text([("ferrer", galaxy("ferrers"), set())], UNITS, files=FILES)
    path.write_text(text.replace("6) 0 0", "6) 0.5 1"))
    with pytest.raises(ValueError, match="a slope of the center of a ferrer component"):
        Model.from_galfit(path)


def test_a_disk_that_galfit_does_not_have():
    own = galaxy("edge_on") | {"sech_power": 1.0}
    with pytest.raises(ValueError, match=r"sech_power=1: edgedisk of GALFIT has 2"):
        galfit_text([("edgedisk", own, set())], UNITS, files=FILES)


def test_numbers_that_are_fixed():
    assert held_natives("edge_on", {"r_eff", "sech_power"}) == {"h", "n"}
    assert held_natives("king", {"alpha", "r_eff"}) == {"alpha"}
