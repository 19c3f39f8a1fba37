"""Files of imfit are read as models; what a model cannot be is named by its line."""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose

from sersicnet import Exponential, Model, PointSource
from sersicnet.model.imfit import imfit_text

SERSIC = """GAIN 2.7
X0 33.5 {x}
Y0 35 30,40
FUNCTION Sersic # bulge
PA 100 {pa}
ell 0.4
n {n}
I_e 20 {light}
r_e 5 {r}
"""
DISK = """FUNCTION Exponential
PA 100
ell {ell}
I_0 100
h 10 {h}
"""
FREE = {"x": "", "pa": "", "n": "2.5", "light": "", "r": "", "ell": "0.5", "h": ""}


@pytest.fixture
def write(tmp_path):
    def make(text, **known):
        path = tmp_path / "config.imfit"
        path.write_text(text.format(**FREE | known))
        return path

    return make


def test_free_components(write):
    text = SERSIC.replace("30,40", "")
    assert Model.from_imfit(write(text)).is_free
    assert Model.from_imfit(write(text + DISK)).describe() == "sersic+exp"
    star = "X0 3\nY0 4\nFUNCTION PointSource\nI_tot 100\n"
    assert isinstance(Model.from_imfit(write(star)).component, PointSource)


def test_fixed_values_and_limits_are_in_units_of_tables(write):
    path = write(SERSIC + DISK, x="fixed", n="4 fixed", ell="0.5 0.2,0.9", h="fixed")
    model = Model.from_imfit(path, pixel_scale=0.1)
    settings = dict(model.settings)
    limits = settings.pop("y_0")
    assert (limits.low, limits.high) == (29, 39)
    limits = settings.pop("q_disk")
    assert_allclose([limits.low, limits.high], [0.1, 0.8])
    assert_allclose(settings.pop("r_eff_disk"), 10 * 0.1 * 1.678347, rtol=1e-6)
    assert settings == {"x_0": 32.5, "n_bulge": 4.0, "n_disk": 1.0}
    disk = Model.from_imfit(path, components=2, pixel_scale=0.1)
    assert isinstance(disk.component, Exponential)


def test_light_that_is_known(write):
    """That of astropy's profile, summed over all pixels."""
    held = SERSIC.replace("ell 0.4", "ell 0.4 fixed")
    path = write(held, n="1.5 fixed", light="fixed", r="fixed")
    model = Model.from_imfit(path, pixel_scale=0.1, zeropoint=25)
    profile = Sersic2D(20, r_eff=5, n=1.5, x_0=100.5, y_0=100.5, ellip=0.4)
    y, x = np.mgrid[:201, :201]
    assert_allclose(model.settings["mag"], 25 - 2.5 * np.log10(profile(x, y).sum()), atol=0.03)


@pytest.mark.parametrize(
    ("known", "options", "match"),
    [
        ({"r": "fixed"}, {}, "line 9: a radius is in pixels: pixel_scale= is needed"),
        ({"light": "fixed"}, {}, "line 8: I_e is fixed without the size and shape"),
        ({"n": "9 fixed"}, {}, "line 7: n=9 must be finite and from 0.3 to 6.2"),
        ({"n": "low"}, {}, "line 7: 'low': a number is needed, then nothing, fixed, or low,high"),
        ({"n": "2 3,1"}, {}, "line 7: limits from 3 to 1"),
    ],
)
def test_values_that_cannot_be_kept(write, known, options, match):
    with pytest.raises(ValueError, match=match):
        Model.from_imfit(write(SERSIC, **known), **options)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("Sersic", "GenSersic", "line 4: GenSersic: there are Sersic, Exponential"),
        ("n 2.5", "c0 0.1", "line 7: c0 is no parameter of Sersic"),
        ("r_e 5", "r_e 5\nFUNCTION FlatSky\nI_sky a", "line 11: 'a' must begin with a number"),
        ("GAIN", "GIAN", "line 1: GIAN stands in front of the first X0"),
        ("Y0 35 30,40", "", "a FUNCTION has no Y0"),
    ],
)
def test_what_a_model_cannot_be_is_named_by_its_line(write, old, new, match):
    path = write(SERSIC)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=match):
        Model.from_imfit(path)


def test_light_needs_a_zero_point(write):
    held = SERSIC.replace("ell 0.4", "ell 0.4 fixed")
    path = write(held, n="1.5 fixed", light="fixed", r="fixed")
    with pytest.raises(ValueError, match="line 8: I_e is fixed: zeropoint= is needed"):
        Model.from_imfit(path, pixel_scale=0.1)
    path.write_text(path.read_text().replace("I_e 20", "I_e -20"))
    with pytest.raises(ValueError, match="line 8: I_e=-20 must be above 0"):
        Model.from_imfit(path, pixel_scale=0.1, zeropoint=25)


def test_what_other_arguments_are_for(write):
    text = SERSIC + "X0 1\nY0 1\nFUNCTION FlatSky\nI_sky 3.5 fixed\n"
    with pytest.warns(AstropyUserWarning, match="line 13: the sky is 3.5: subtract it, and use"):
        Model.from_imfit(write(text))
    with pytest.warns(AstropyUserWarning, match="the sky is 3.5: subtract it, a fit finds"):
        Model.from_imfit(write(text.replace(" fixed", "")))
    with pytest.warns(AstropyUserWarning, match="line 8: limits of I_e are not part of a model"):
        Model.from_imfit(write(SERSIC, light="1,30"))
    with pytest.warns(AstropyUserWarning, match="line 5: limits of an angle"):
        Model.from_imfit(write(SERSIC, pa="90,120"))
    with pytest.warns(AstropyUserWarning, match="the sky has a slope"):
        Model.from_imfit(write(SERSIC + "FUNCTION TiltedSkyPlane\nI_0 0\n"))


def test_components_that_are_not_there(write):
    with pytest.raises(ValueError, match=r"components=2: 2 is none of a galaxy: there are 1 \(Ser"):
        Model.from_imfit(write(SERSIC), components=2)


def test_a_written_file_says_the_same(tmp_path):
    values = {"x_0": 40.25, "y_0": 30.5, "flux": 900.0, "r_eff": 6.0, "n": 4.0, "q": 0.6}
    values["theta"] = 20.0
    parts = [("Sersic", values, {"n", "y_0"}), ("Exponential", values | {"n": 1.0}, {"r_eff"})]
    path = tmp_path / "config.imfit"
    path.write_text(imfit_text(parts, sky=0.0, comments=["theta is tied"]))
    model = Model.from_imfit(path, pixel_scale=0.1)
    expected = {"y_0": 30.5, "n_bulge": 4.0, "n_disk": 1.0, "r_eff_disk": pytest.approx(0.6)}
    assert model.settings == expected
