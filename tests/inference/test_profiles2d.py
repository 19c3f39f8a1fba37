"""Models of astropy with other parameters than a Sersic2D."""

import numpy as np
import pytest
from astropy.modeling.fitting import UnsupportedConstraintError
from astropy.modeling.models import Const2D, Gaussian2D, Moffat2D, Sersic2D
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose

from benchmarks import profiles
from benchmarks.common.real_space import psf_image
from sersicnet import King, Model, Moffat, NormalPrior, SersicNet
from sersicnet.fitter import SersicNetFitter
from sersicnet.inference.profiles2d import as_given
from sersicnet.inference.sersic2d import Grid
from sersicnet.inference.sums2d import read_model, terms_of
from sersicnet.model import EllipticalMoffat2D, King2D

Y, X = np.mgrid[:20, :20] * 0.5
GRID = Grid(X, Y, X.shape)


def known(model):
    return read_model(model, GRID).known


def test_components_and_what_is_fixed():
    king = known(King2D(log_tidal=1.2, fixed={"log_tidal": True}) + Const2D()).component
    assert type(king) is King
    assert king.settings == {"log_tidal": 1.2, "alpha": 2.0}
    free = King2D()
    free.alpha.fixed = False
    assert known(free).component.settings == {}


def test_sizes_of_models_of_astropy():
    gaussian = Gaussian2D(x_stddev=2, y_stddev=1, fixed={"x_stddev": True, "y_stddev": True})
    settings = known(gaussian).component.settings
    assert_allclose(settings["r_eff"], 2 * np.sqrt(2 * np.log(2)) / 0.5)
    assert_allclose(settings["q"], 0.5)
    moffat = known(Moffat2D(gamma=2, alpha=3, fixed={"gamma": True, "alpha": True})).component
    assert type(moffat) is Moffat
    assert_allclose(moffat.r_eff, 2 * np.sqrt(np.sqrt(2) - 1) / 0.5)
    assert moffat.q == 1


def test_a_moffat_profile_as_astropy_has_it():
    galaxy = EllipticalMoffat2D(amplitude=3, r_eff=4, beta=2.5, x_0=10, y_0=10)
    found = as_given(galaxy, Moffat2D())
    x = np.linspace(3, 17, 8)
    assert_allclose(found(x, 10), galaxy(x, 10), rtol=1e-3)
    assert as_given(galaxy, galaxy) is galaxy


@pytest.mark.parametrize(
    ("model", "match"),
    [
        (Gaussian2D(fixed={"x_stddev": True}), "x_stddev and y_stddev must both be fixed"),
        (
            Gaussian2D(x_stddev=1, y_stddev=2, fixed={"x_stddev": True, "y_stddev": True}),
            "turn the Gaussian2D by pi / 2",
        ),
        (Moffat2D(fixed={"gamma": True}), "gamma is fixed: the size of a Moffat2D"),
    ],
)
def test_sizes_that_cannot_be_held(model, match):
    with pytest.raises(UnsupportedConstraintError, match=match):
        known(model)


def test_sums_that_cannot_be_fitted():
    with pytest.raises(TypeError, match=r"model is King2D \+ Sersic2D: it must be"):
        terms_of(King2D() + Sersic2D())


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained()


def test_fit(net, tmp_path):
    truth = {name: values[0] for name, values in profiles.draw("moffat", 1, 100).items()}
    truth |= {"q": 0.9, "beta": 2.5, "mag": 15.0}
    (cutout,) = profiles.cutouts_of("moffat", {n: np.array([v]) for n, v in truth.items()}, 100)
    y, x = np.mgrid[: profiles.SIDE, : profiles.SIDE]
    fitter = SersicNetFitter(psf_image(), net=net)
    model = EllipticalMoffat2D(beta=2.5, fixed={"beta": True})
    fitted = fitter(model, x, y, cutout.data, weights=1.0)
    for name, value in (("r_eff", truth["r_eff"]), ("x_0", truth["x_0"]), ("ellip", 0.1)):
        assert abs(getattr(fitted, name) - value) < 5 * fitted.stds[name]
    results = fitter.fit_info["results"]
    assert results.columns["beta"][0] == 2.5
    assert results.columns["beta_err"][0] == 0
    assert_allclose(results.to_model(0).r_eff, fitted.r_eff, rtol=1e-6)
    assert results.samples(10)["beta"].shape == (1, 10)
    image = results.model_image(0, cutout)
    assert abs((cutout.data - image).std() - 1) < 0.1
    with pytest.warns(AstropyUserWarning, match="the sky is"):
        read = Model.from_imfit(results.to_imfit(tmp_path / "file"))
    assert read.settings == {"beta": 2.5}
    shown = fitted(x, y)
    assert_allclose(shown.sum(), image.sum(), rtol=0.02)


def test_limits_of_what_files_do_not_have_are_left_out(net, tmp_path):
    """GALFIT would take those of a half-light radius for those of a FWHM."""
    truth = {"mag": 15.0, "r_eff": 6.0, "q": 0.7, "theta": 20.0, "x_0": 32.0, "y_0": 31.0}
    truth = {name: np.array([value]) for name, value in (truth | {"beta": 2.5}).items()}
    cutouts = profiles.cutouts_of("moffat", truth, 100)
    flat = {"r_eff": NormalPrior(6, 99, low=3, high=9), "q": NormalPrior(0.7, 9, low=0.5, high=0.9)}
    model = Model({"galaxy": Moffat(beta=2.5, **flat)})
    options = {"pixel_scale": 1, "zeropoint": profiles.ZEROPOINT}
    results = net.predict(cutouts, psf=psf_image(), model=model, **options)
    with pytest.warns(AstropyUserWarning, match="r_eff: a prior that is not flat between limits"):
        path = results.to_galfit(tmp_path / "feedme", model=model)
    assert path.with_name("feedme.constraints").read_text() == "1 q 0.5 to 0.9\n"


def test_other_profiles_are_fitted_in_one_band(net):
    image = np.ones((40, 40))
    bands = {"g": [image], "r": [image]}
    with pytest.raises(ValueError, match="this profile is fitted in one band"):
        net.predict(bands, psf=psf_image(), pixel_scale=1, zeropoint=25, model=King())


@pytest.mark.parametrize("option", [{"likelihood": "student"}, {"neighbors": "fit"}])
def test_other_profiles_are_fitted_alone(net, option):
    image = np.ones((40, 40))
    with pytest.raises(ValueError, match="King"):
        net.predict([image], psf=psf_image(), pixel_scale=1, zeropoint=25, model=King(), **option)
