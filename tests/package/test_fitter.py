"""`SersicNetFitter` against the truth, against `SersicNet.predict`, and as a plugin of astropy."""

import copy
import pickle
import subprocess
import sys
import tomllib
import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.convolution import Gaussian2DKernel
from astropy.modeling.fitting import UnsupportedConstraintError
from astropy.modeling.models import Const2D, Gaussian2D, GeneralSersic2D, Sersic2D
from astropy.nddata import CCDData, NDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from helpers.places import ROOT
from helpers.rendered import labels_of, render, star
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from sersicnet import SersicNet
from sersicnet.fitter import SersicNetFitter
from sersicnet.flags import Flags

NAMES = Sersic2D.param_names
SIGMA, FINE, NOISE = 1.4, 5, 0.05
PSF = Gaussian2DKernel(SIGMA).array
TRUTH = {
    "amplitude": 1.0,
    "r_eff": 6.0,
    "n": 1.5,
    "x_0": 50.3,
    "y_0": 48.9,
    "ellip": 0.4,
    "theta": 0.7,
}
Y, X = np.mgrid[:100, :100]


def blurred(model, shape=X.shape):
    """A model behind the PSF: on fine pixels, which resolve its cusp."""
    y, x = (np.mgrid[: FINE * shape[0], : FINE * shape[1]] - FINE // 2) / FINE
    return gaussian_filter(model(x, y), FINE * SIGMA)[FINE // 2 :: FINE, FINE // 2 :: FINE]


def add_noise(image, seed=1, noise=NOISE):
    return image + np.random.default_rng(seed).normal(0, noise, image.shape)


@pytest.fixture(scope="module")
def net():
    """The universal weights; not to be changed by a test."""
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="module")
def fitter(net):
    """A fitter whose ``fit_info`` is that of whoever came last."""
    return SersicNetFitter(PSF, net=net)


@pytest.fixture(scope="module")
def image():
    """A galaxy with noise."""
    return add_noise(blurred(Sersic2D(**TRUTH)))


@pytest.fixture(scope="module")
def fitted(fitter, image):
    """Its fit."""
    return fitter(Sersic2D(), X, Y, image, weights=1 / NOISE)


def errors_of(model):
    return dict(zip(NAMES, model.stds.stds, strict=True))


def assert_same(one, other, *, part=0.0, **known):
    """Equal parameters to a part of the error, or to rounding; ``known`` replaces the other's."""
    for name, error in errors_of(one).items():
        value = known.get(name, getattr(other, name).value)
        assert_allclose(getattr(one, name).value, value, rtol=1e-9, atol=part * error, err_msg=name)


# The answer


@pytest.mark.parametrize("seed", range(4))
def test_truth_within_errors(fitter, seed):
    rng = np.random.default_rng(seed)
    truth = {
        "amplitude": 10 ** rng.uniform(-0.3, 0.7),
        "r_eff": rng.uniform(3, 9),
        "n": rng.uniform(0.7, 3),
        "x_0": rng.uniform(48, 51),
        "y_0": rng.uniform(48, 51),
        "ellip": rng.uniform(0.1, 0.7),
        "theta": rng.uniform(-1.5, 1.5),
    }
    image = add_noise(blurred(Sersic2D(**truth)), seed)
    fitted = fitter(Sersic2D(), X, Y, image, weights=1 / NOISE)
    for name, error in errors_of(fitted).items():
        off = getattr(fitted, name).value - truth[name]
        if name == "theta":
            off = (off + np.pi / 2) % np.pi - np.pi / 2
        assert abs(off) < 4 * error, name
    assert abs(fitted.r_eff / truth["r_eff"] - 1) < 0.2  # errors are not without bounds
    assert abs(fitted.n / truth["n"] - 1) < 0.3


def test_answer_is_that_of_the_network(fitter, fitted, image, net):
    uncertainty = StdDevUncertainty(np.full(image.shape, NOISE))
    cutout = NDData(image, uncertainty=uncertainty)
    results = net.predict(cutout, psf=PSF, zeropoint=25.0, pixel_scale=0.1)
    expected = results.to_model(0)
    # a magnitude's zero point is rounded once more
    assert_allclose(fitted.parameters, expected.parameters, rtol=1e-6)
    fitter(Sersic2D(), X, Y, image, weights=1 / NOISE)
    assert fitter.fit_info["flags"] == results.flags[0]
    for name in ("n", "x_0", "y_0"):  # of 4000 samples and of 64
        assert_allclose(fitted.stds[name], results.error(name)[0], rtol=0.1)
    assert_allclose(fitted.stds["r_eff"], results.error("r_eff")[0] / 0.1, rtol=0.1)


def test_without_bounds_the_whole_posterior_counts(fitter, image):
    fitter(Sersic2D(), X, Y, image, weights=1 / NOISE)
    assert fitter.fit_info["share"] == 1
    assert len(fitter.fit_info["results"]) == 1


def test_covariance(fitter, image):
    fitted = fitter(Sersic2D(), X, Y, image, weights=1 / NOISE)
    covariance = fitter.fit_info["param_cov"]
    assert fitter.fit_info["param_names"] == NAMES
    assert_array_equal(fitted.cov_matrix.cov_matrix, covariance)
    assert_allclose(list(errors_of(fitted).values()), np.sqrt(np.diag(covariance)))
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    assert fitted.cov_matrix["r_eff", "amplitude"] < 0  # larger is fainter at its radius


def test_model_is_copied(fitter, image):
    model = Sersic2D(amplitude=7, name="mine", bounds={"n": (0, 10)}, meta={"id": 3})
    before = model.parameters.copy()
    fitted = fitter(model, X, Y, image, weights=1 / NOISE)
    assert_array_equal(model.parameters, before)
    assert model.stds is None
    assert (fitted.name, fitted.meta, fitted.bounds) == (model.name, model.meta, model.bounds)


def test_initial_values_do_not_matter(fitter, fitted, image):
    start = Sersic2D(amplitude=100, r_eff=0.3, n=6, x_0=-5, y_0=1e4, ellip=0.9, theta=3)
    assert_same(fitter(start, X, Y, image, weights=1 / NOISE), fitted)


def test_fits_in_a_row_are_the_same(net, fitted, image):
    again = SersicNetFitter(PSF, net=net)(Sersic2D(), X, Y, image, weights=1 / NOISE)
    assert_array_equal(again.parameters, fitted.parameters)
    assert_array_equal(again.cov_matrix.cov_matrix, fitted.cov_matrix.cov_matrix)


def test_weights_that_are_shipped_are_the_default(fitted, image):
    assert_same(SersicNetFitter(PSF)(Sersic2D(), X, Y, image, weights=1 / NOISE), fitted, part=0.01)


# Grids and amplitudes


@pytest.mark.parametrize(("x", "y", "step"), [(1000, -31, 1), (-49.5, 0.25, 1), (3, 4, 0.06)])
def test_grid(fitter, fitted, image, x, y, step):
    moved = fitter(Sersic2D(), x + step * X, y + step * Y, image, weights=1 / NOISE)
    known = {
        "x_0": x + step * fitted.x_0.value,
        "y_0": y + step * fitted.y_0.value,
        "r_eff": step * fitted.r_eff.value,
    }
    assert_same(moved, fitted, **known)
    assert_allclose(moved.stds["x_0"], step * fitted.stds["x_0"])
    assert_allclose(moved.stds["r_eff"], step * fitted.stds["r_eff"])


@pytest.mark.parametrize("factor", [1024.0, 2.0**-90])
def test_amplitude_scales_exactly(fitter, fitted, image, factor):
    scaled = fitter(Sersic2D(), X, Y, factor * image, weights=1 / NOISE / factor)
    assert_same(scaled, fitted, amplitude=factor * fitted.amplitude.value)
    assert_allclose(scaled.stds["amplitude"], factor * fitted.stds["amplitude"])


def test_shape_that_is_no_square(fitter):
    image = add_noise(blurred(Sersic2D(**TRUTH | {"x_0": 60.0}), (98, 121)))
    y, x = np.mgrid[:98, :121]
    fitted = fitter(Sersic2D(), x, y, image, weights=1 / NOISE)
    assert abs(fitted.x_0 - 60.0) < 4 * fitted.stds["x_0"]
    assert abs(fitted.y_0 - 48.9) < 4 * fitted.stds["y_0"]


def test_oversampled_psf(net, fitted, image):
    fine = Gaussian2DKernel(2 * SIGMA, x_size=51, y_size=51).array
    fitter = SersicNetFitter(fine, psf_oversampling=2, net=net)
    assert_same(fitter(Sersic2D(), X, Y, image, weights=1 / NOISE), fitted, part=0.3)


def test_a_psf_that_says_its_oversampling(net, fitted, image):
    """By a card alone: the pixels of a fit have no size on the sky."""
    fine = Gaussian2DKernel(2 * SIGMA, x_size=51, y_size=51).array
    psf = CCDData(fine, unit="", meta={"OVERSAMP": 2, "PIXELSCL": 0.013})
    fitter = SersicNetFitter(psf, net=net)
    assert_same(fitter(Sersic2D(), X, Y, image, weights=1 / NOISE), fitted, part=0.3)


def test_a_psf_off_the_middle_on_purpose(net, fitted, image):
    moved = np.roll(PSF, 2, axis=1)
    fitter = SersicNetFitter(moved, recenter_psf=False, net=net)
    left = fitter(Sersic2D(), X, Y, image, weights=1 / NOISE)
    assert abs(left.x_0 - fitted.x_0 + 2) < 0.05
    with pytest.warns(AstropyUserWarning, match=r"psf: the star is 2\.00 pixels of the data off"):
        found = SersicNetFitter(moved, net=net)(Sersic2D(), X, Y, image, weights=1 / NOISE)
    assert abs(found.x_0 - fitted.x_0) < 0.05


def test_kernel_of_astropy_as_psf(net, fitted, image):
    fitter = SersicNetFitter(Gaussian2DKernel(SIGMA), net=net)
    assert_same(fitter(Sersic2D(), X, Y, image, weights=1 / NOISE), fitted)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (X**1.01, Y),
        (X, 2 * Y),
        (Y, X),
        (-X, Y),
        (X, Y[::-1]),
        (0 * X, 0 * Y),
        (np.where(X == 7, np.nan, X), Y),
        (X + 0.01 * (Y == 50), Y),
    ],
)
def test_irregular_grid(fitter, image, x, y):
    with pytest.raises(ValueError, match="x and y must be a regular grid of square pixels"):
        fitter(Sersic2D(), x, y, image)


@pytest.mark.parametrize(
    ("x", "y", "z"),
    [
        (X.ravel(), Y.ravel(), X.ravel()),
        (X[1:], Y, X),
        (X[0], Y[:, 0], X),
        (X[:1], Y[:1], X[:1]),
        (X[None], Y[None], X[None]),
    ],
)
def test_shapes_that_do_not_fit(fitter, x, y, z):
    with pytest.raises(ValueError, match=r"x, y and z have shapes .* all must have that of an"):
        fitter(Sersic2D(), x, y, np.asarray(z, float))


# Weights and masks


def test_weights_are_one_over_sigma(fitter, fitted, image):
    same = fitter(Sersic2D(), X, Y, image, weights=np.full(image.shape, 1 / NOISE))
    assert_same(same, fitted)
    with pytest.warns(AstropyUserWarning, match="uncertainty of 1 of 1 cutout says a noise of 1"):
        noisier = fitter(Sersic2D(), X, Y, image, weights=0.1 / NOISE)
    for name in ("amplitude", "r_eff", "n", "ellip"):
        assert noisier.stds[name] > 3 * fitted.stds[name]
    # part of that of the center is where a PSF may be in its stamp, whatever the noise
    assert noisier.stds["x_0"] > 1.5 * fitted.stds["x_0"]


def test_pixels_that_are_left_out(fitter, fitted, image):
    """By a weight of 0, as NaN or by a mask: the same, and near to the fit of all pixels."""
    bad = (X - 62) ** 2 + (Y - 40) ** 2 < 30
    spoiled = np.where(bad, 1e3, image)
    weights = np.where(bad, 0.0, 1 / NOISE)
    zero = fitter(Sersic2D(), X, Y, spoiled, weights=weights)
    assert_same(zero, fitted, part=1.5)
    masked = np.ma.masked_array(spoiled, bad)
    assert_same(fitter(Sersic2D(), X, Y, masked, weights=1 / NOISE), zero)
    assert fitter.fit_info["flags"] == 0
    nan = np.where(bad, np.nan, image)
    assert_same(fitter(Sersic2D(), X, Y, nan, weights=1 / NOISE), zero)
    bright = np.where(bad, 5.0 + image, image)
    with pytest.warns(AstropyUserWarning, match="MISFIT"):
        spoiled = fitter(Sersic2D(), X, Y, bright, weights=1 / NOISE)
    assert abs(spoiled.x_0 - fitted.x_0) > 5 * fitted.stds["x_0"]


def test_without_weights_the_noise_is_estimated(fitter, fitted, image):
    assert_same(fitter(Sersic2D(), X, Y, image), fitted, part=0.5)
    assert fitter.fit_info["flags"] == Flags.NOISE_ESTIMATED


def test_weights_of_another_shape(fitter, image):
    with pytest.raises(ValueError, match=r"weights have shape \(3,\), z has \(100, 100\)"):
        fitter(Sersic2D(), X, Y, image, weights=[1, 2, 3])


def test_nothing_to_measure(fitter, image):
    with pytest.raises(ValueError, match=r"was not measured: NO_DATA"):
        fitter(Sersic2D(), X, Y, np.nan * image)
    with pytest.raises(ValueError, match=r"was not measured: NO_NOISE"):
        fitter(Sersic2D(), X, Y, image, weights=0)


def test_warning_where_the_answer_is_in_doubt(fitter):
    noise = add_noise(np.zeros(X.shape))
    with pytest.warns(AstropyUserWarning, match="may be unsuccessful.*LOW_SNR") as caught:
        fitter(Sersic2D(), X, Y, noise, weights=1 / NOISE)
    assert caught[0].filename == __file__
    assert fitter.fit_info["flags"] & Flags.LOW_SNR


# Bounds and other constraints


def test_bounds_cut_the_posterior(fitter, fitted, image):
    """Half of a normal distribution: its median and its width are known."""
    middle, error = fitted.n.value, fitted.stds["n"]
    bounded = fitter(Sersic2D(bounds={"n": (middle, None)}), X, Y, image, weights=1 / NOISE)
    assert_allclose(fitter.fit_info["share"], 0.5, atol=0.05)
    assert_allclose(bounded.n, middle + 0.67 * error, atol=0.15 * error)
    assert_allclose(bounded.stds["n"], 0.6 * error, rtol=0.15)
    slope = fitted.cov_matrix["n", "r_eff"] / error**2
    expected = fitted.r_eff + slope * 0.67 * error  # what hangs together moves along
    assert_allclose(bounded.r_eff, expected, atol=0.2 * fitted.stds["r_eff"])


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_answer_is_within_its_bounds(fitter, fitted, image, name, side):
    edge = getattr(fitted, name).value + (1.2, -1.2)[side] * fitted.stds[name]
    bounds = (edge, None) if side == 0 else (None, edge)
    model = fitter(Sersic2D(bounds={name: bounds}), X, Y, image, weights=1 / NOISE)
    value = getattr(model, name).value
    if name == "theta":  # an open half turn is no limit
        assert fitter.fit_info["share"] == 1
        assert_allclose(abs(value - fitted.theta.value), np.pi)
    else:
        assert 0.05 < fitter.fit_info["share"] < 0.25
        assert value >= edge if side == 0 else value <= edge
        assert model.stds[name] < 1.2 * fitted.stds[name]  # the tail of a posterior may be long


def test_wide_bounds_change_nothing(fitter, fitted, image):
    bounds = {"amplitude": (0, None), "ellip": (0, 1), "n": (-np.inf, 10), "x_0": (0, 100)}
    assert_same(fitter(Sersic2D(bounds=bounds), X, Y, image, weights=1 / NOISE), fitted)
    assert fitter.fit_info["share"] == 1


@pytest.mark.parametrize(
    ("theta", "turns", "share"), [((0, np.pi), 0, 1), ((3, 3 + np.pi), 1, 1), ((-2.6, -2), -1, 1)]
)
def test_bounds_of_the_angle(fitter, fitted, image, theta, turns, share):
    """An ellipse is the same after half a turn."""
    model = fitter(Sersic2D(bounds={"theta": theta}), X, Y, image, weights=1 / NOISE)
    assert_allclose(model.theta, fitted.theta + turns * np.pi, atol=0.05 * fitted.stds["theta"])
    assert fitter.fit_info["share"] >= 0.99 * share
    assert_allclose(model.stds["theta"], fitted.stds["theta"], rtol=0.05)


def test_angle_at_the_edge_of_its_bounds(fitter, image):
    """A posterior on both sides of 0 is one peak, also from 0 to pi."""
    flat = add_noise(blurred(Sersic2D(**TRUTH | {"theta": 0.0})))
    free = fitter(Sersic2D(), X, Y, flat, weights=1 / NOISE)
    model = fitter(Sersic2D(bounds={"theta": (0, np.pi)}), X, Y, flat, weights=1 / NOISE)
    assert_allclose(model.stds["theta"], free.stds["theta"], rtol=0.05)
    off = (model.theta - free.theta + np.pi / 2) % np.pi - np.pi / 2
    assert abs(off) < 0.1 * free.stds["theta"]


def test_bounds_without_posterior(fitter, image):
    model = Sersic2D(bounds={"n": (4, 5), "x_0": (0, None)})
    with pytest.raises(ValueError, match=r"bounds of n \(4.0, 5.0\) hold 0.00% of the"):
        fitter(model, X, Y, image, weights=1 / NOISE)


def test_a_fixed_parameter_is_known(fitter, image):
    """The others are fitted, within their bounds, and it has no error."""
    model = Sersic2D(
        n=1.5, theta=0.7, fixed={"n": True, "theta": True}, bounds={"r_eff": (6, None)}
    )
    fitted = fitter(model, X, Y, image, weights=1 / NOISE)
    assert fitted.n == 1.5
    assert fitted.theta == 0.7
    assert fitted.r_eff >= 6
    assert fitter.fit_info["param_names"] == ("amplitude", "r_eff", "x_0", "y_0", "ellip")
    for name in ("amplitude", "x_0", "y_0", "ellip"):
        assert abs(getattr(fitted, name) - TRUTH[name]) < 4 * fitted.stds[name], name
    assert fitter.fit_info["results"].meta["MODEL"] == "sersic, fixed: n theta"


@pytest.mark.parametrize("constraint", [{"fixed": True}, {"tied": lambda model: model.r_eff}])
def test_the_light_of_a_component_is_fitted(fitter, image, constraint):
    model = Sersic2D(**{name: {"amplitude": value} for name, value in constraint.items()})
    with pytest.raises(UnsupportedConstraintError, match="amplitude is fixed or tied: the light"):
        fitter(model, X, Y, image)


def test_ties_within_a_component(fitter, image):
    model = Sersic2D(tied={"n": lambda model: model.r_eff})
    with pytest.raises(UnsupportedConstraintError, match=r"n is tied.* of which there is none"):
        fitter(model, X, Y, image)


# Sums


def bulge_and_disk(**changes):
    """Two components at one center, which have the same angle."""
    model = Sersic2D(r_eff=8, n=1, fixed={"n": True}) + Sersic2D(r_eff=2, n=4, fixed={"n": True})
    ties = {
        "x_0_1": lambda model: model.x_0_0,
        "y_0_1": lambda model: model.y_0_0,
        "theta_1": lambda model: model.theta_0,
    }
    for name, tie in (ties | changes).items():
        getattr(model, name).tied = tie
    return model


def test_two_components(net):
    """In the coordinates of a grid, and with the angles of both the same."""
    bulge = labels_of(log_flux=3.4, r_eff=1.5, n=4, q=0.8, theta=50, dx=0.3, dy=-0.2)
    disk = labels_of(log_flux=3.8, r_eff=6, n=1, q=0.5, theta=50, dx=0.3, dy=-0.2)
    image = add_noise(render([bulge, disk], star(), size=64).sum(axis=0), noise=1.0)
    fitter = SersicNetFitter(star(), net=net)
    y, x = np.mgrid[:64, :64]
    fitted = fitter(bulge_and_disk(), 100 + 0.1 * x, 0.1 * y, image, weights=1.0)
    truth = {"r_eff_0": 0.6, "r_eff_1": 0.15, "ellip_0": 0.5, "ellip_1": 0.2}
    truth |= {"x_0_0": 103.18, "y_0_0": 3.13, "theta_0": np.radians(50)}
    for name, value in truth.items():
        assert abs(getattr(fitted, name) - value) < 4 * fitted.stds[name], name
    for name in ("x_0", "y_0", "theta"):
        assert getattr(fitted, f"{name}_0").value == getattr(fitted, f"{name}_1").value
    light = fitted(100 + 0.1 * x, 0.1 * y).sum()
    assert_allclose(light, 10**3.4 + 10**3.8, rtol=0.05)
    assert len(fitter.fit_info["param_names"]) == len(fitter.fit_info["param_cov"]) == 9
    assert fitter.fit_info["results"].parts == (("term_0", "sersic"), ("term_1", "sersic"))


def test_a_nucleus(net):
    """A narrow Gaussian2D is a point source, also where parameters have units."""
    host = labels_of(log_flux=3.8, r_eff=5, n=1, q=0.6, theta=30)
    nucleus = render([labels_of(log_flux=3.4, r_eff=0.01, n=1, q=1)], star(), size=64)
    image = add_noise(render([host], star(), size=64)[0] + nucleus[0], noise=1.0)
    held = dict.fromkeys(["x_stddev", "y_stddev", "theta"], True)
    length = 1 * u.pix
    narrow = Gaussian2D(1 * u.Jy, length, length, 0.1 * length, 0.1 * length, 0 * u.rad, fixed=held)
    model = narrow + Sersic2D(1 * u.Jy, length, 1, length, length, 0, 0 * u.rad, fixed={"n": True})
    model.x_0_1.tied = lambda model: model.x_mean_0
    model.y_0_1.tied = lambda model: model.y_mean_0
    y, x = np.mgrid[:64, :64] * length
    fitted = SersicNetFitter(star(), net=net)(model, x, y, image * u.Jy, weights=1 / u.Jy)
    amplitude = 10**3.4 / (2 * np.pi * 0.1**2)
    assert fitted.amplitude_0.unit == u.Jy
    assert abs(fitted.amplitude_0.value - amplitude) < 4 * fitted.stds["amplitude_0"]
    assert fitted.stds["amplitude_0"] < 0.1 * amplitude
    assert abs(fitted.r_eff_1.value - 5) < 4 * fitted.stds["r_eff_1"]
    assert fitted.x_0_1.value == fitted.x_mean_0.value


def test_a_sky(fitter, image):
    """It is fitted, or subtracted where it is known."""
    fitted = fitter(Const2D() + Sersic2D(), X, Y, image + 0.1, weights=1 / NOISE)
    assert abs(fitted.amplitude_0 - 0.1) < 4 * fitted.stds["amplitude_0"]
    assert abs(fitted.r_eff_1 - TRUTH["r_eff"]) < 4 * fitted.stds["r_eff_1"]
    known = Const2D(0.1, fixed={"amplitude": True}) + Sersic2D()
    fixed = fitter(known, X, Y, image + 0.1, weights=1 / NOISE)
    assert fixed.amplitude_0 == 0.1
    assert abs(fixed.r_eff_1 - TRUTH["r_eff"]) < 4 * fixed.stds["r_eff_1"]
    assert fixed.stds["r_eff_1"] <= fitted.stds["r_eff_1"]
    assert "amplitude_0" not in fitter.fit_info["param_names"]


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        (Sersic2D() + Sersic2D(), UnsupportedConstraintError, "x_0_0 and x_0_1 must be one"),
        (
            bulge_and_disk(theta_1=lambda model: model.theta_0 + 1),
            UnsupportedConstraintError,
            "theta_1 is tied: a parameter can only .* of the other component, theta_0",
        ),
        (Sersic2D() + Gaussian2D(), TypeError, "Gaussian2D with x_stddev_1 is no point source"),
        (
            Sersic2D() + Const2D(tied={"amplitude": lambda model: 1}),
            UnsupportedConstraintError,
            "amplitude_1 is tied: a sky can be free or fixed",
        ),
    ],
)
def test_sums_that_cannot_be_fitted(fitter, image, model, error, match):
    with pytest.raises(error, match=match):
        fitter(model, X, Y, image)


# Units


def test_units_of_data(fitter, fitted, image):
    scale = 0.1 * u.arcsec
    model = fitter(
        Sersic2D(), X * scale, Y * scale, image * u.nJy, weights=1 / (NOISE * 1e-3 * u.uJy)
    )
    assert model.amplitude.unit == u.nJy
    assert model.r_eff.unit == model.x_0.unit == u.arcsec
    assert model.theta.unit == u.rad
    assert model.n.unit is None
    known = {name: 0.1 * getattr(fitted, name).value for name in ("r_eff", "x_0", "y_0")}
    assert_same(model, fitted, part=1e-3, **known)
    assert_allclose(model.stds["r_eff"], 0.1 * fitted.stds["r_eff"], rtol=1e-3)


def test_units_of_the_model(fitter, fitted, image):
    """Its parameters come back in the units of the data, as with astropy's fitters."""
    start = Sersic2D(
        amplitude=1 * u.uJy,
        r_eff=1 * u.arcmin,
        x_0=0 * u.arcsec,
        y_0=0 * u.arcsec,
        theta=10 * u.deg,
    )
    grid = X * u.arcsec, Y * u.arcsec
    model = fitter(start, *grid, image * u.nJy, weights=1 / NOISE / u.nJy)
    assert model.r_eff.unit == u.arcsec
    assert model.amplitude.unit == u.nJy
    assert_same(model, fitted)
    with pytest.raises(u.UnitsError):
        fitter(start, X, Y, image)
    with pytest.raises(u.UnitsError):
        fitter(start, *grid, image * u.m)


def test_units_of_weights(fitter, image):
    for z, weights in ((image, 1 / u.nJy), (image * u.nJy, 1 / u.m), (image * u.nJy, 1 * u.nJy)):
        with pytest.raises(u.UnitConversionError):
            fitter(Sersic2D(), X, Y, z, weights=weights)


def test_bounds_of_a_parameter_with_a_unit(fitter, image):
    model = Sersic2D(theta=10 * u.deg, bounds={"theta": (0, 90)})
    with pytest.raises(UnsupportedConstraintError, match="theta has bounds and the unit deg"):
        fitter(model, X, Y, image * u.nJy)


# What is refused


@pytest.mark.parametrize(
    "model",
    [
        GeneralSersic2D(),
        Const2D(),
        Sersic2D,
        Sersic2D() * Const2D(),
        Sersic2D() + Const2D() + Const2D(),
        Sersic2D() + Sersic2D() + Sersic2D(),
        Sersic2D() + GeneralSersic2D(),
    ],
)
def test_other_models(fitter, image, model):
    with pytest.raises(TypeError, match=r"model (is|has).* it must be a Sersic2D, or a sum"):
        fitter(model, X, Y, image)


def test_model_set(fitter, image):
    model = Sersic2D(*np.ones((7, 2)), n_models=2)
    with pytest.raises(ValueError, match="model is a set of 2"):
        fitter(model, X, Y, image)


def test_without_psf(net, image):
    with pytest.raises(ValueError, match="psf=None: the network needs a star-like stamp"):
        SersicNetFitter(net=net)(Sersic2D(), X, Y, image)


def test_network_of_fewer_parameters(image):
    fitter = SersicNetFitter(PSF, net=SersicNet.from_pretrained("deeplegato-mag"))
    with pytest.raises(ValueError, match="net does not predict r_eff, n, q, theta, x_0, y_0"):
        fitter(Sersic2D(), X, Y, image)


def test_psf_that_is_the_name_of_a_file(net, image):
    with pytest.raises(TypeError, match=r"psf='star.fits' must be a 2-D array of numbers"):
        SersicNetFitter("star.fits", net=net)(Sersic2D(), X, Y, image)


def test_network_without_psf_input(trained, galaxies):
    """A regression network of all seven parameters needs none."""
    cutouts, _ = galaxies
    y, x = np.mgrid[:32, :32]
    with warnings.catch_warnings():  # how good it is is no matter here
        warnings.simplefilter("ignore", AstropyUserWarning)
        fitted = SersicNetFitter(net=trained)(Sersic2D(), x, y, cutouts[0].data)
    expected = trained.predict(cutouts[0].data[None], zeropoint=0.0, pixel_scale=1.0)
    assert_allclose(fitted.parameters, expected.to_model(0).parameters)


class Recorder:
    """Passes on to a network what it can take, and keeps what it was given."""

    def __init__(self, net):
        self.net, self.parameters, self.network = net, net.parameters, net.network

    def predict(self, cutouts, *, refine=None, **options):
        self.refine, self.gain = refine, options["gain"]
        return self.net.predict(cutouts, **options)


def test_refine_is_passed_on(net, fitted, image):
    recorder = Recorder(net)
    SersicNetFitter(PSF, net=recorder, refine="lm")(Sersic2D(), X, Y, image, weights=1 / NOISE)
    assert recorder.refine == "lm"
    assert recorder.gain is None


def test_the_gain_adds_photons(net, fitted, image):
    """Weights that are those of the sky alone make errors too small."""
    recorder = Recorder(net)
    gain = 2.0 * u.electron / u.nJy
    with pytest.raises(u.UnitConversionError, match=r"gain=.* electrons per unit of the image"):
        SersicNetFitter(PSF, net=net, gain=gain)(Sersic2D(), X, Y, image, weights=1 / NOISE)
    gain = 2.0 * u.electron / u.adu
    with pytest.raises(u.UnitConversionError, match=r"gain=.* and data in adu / s"):
        SersicNetFitter(PSF, net=net, gain=gain)(Sersic2D(), X, Y, image * u.adu / u.s)
    fitter = SersicNetFitter(PSF, net=recorder, gain=20.0)
    found = fitter(Sersic2D(), X, Y, image, weights=1 / NOISE)
    assert recorder.gain == 20.0
    assert found.stds["r_eff"] > 1.2 * fitted.stds["r_eff"]
    assert fitter.fit_info["results"].meta["PHOTONS"] == "added to the noise map"


# Copies, and the plugin


def through_pickle(fitter):
    return pickle.loads(pickle.dumps(fitter))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, through_pickle])
def test_copies(fitter, fitted, image, duplicate):
    fitter(Sersic2D(), X, Y, image, weights=1 / NOISE)
    other = duplicate(fitter)
    assert_array_equal(other.fit_info["param_cov"], fitter.fit_info["param_cov"])
    assert_same(other(Sersic2D(), X, Y, image, weights=1 / NOISE), fitted)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Environment of a Python that takes this source tree for an installed package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    folder = tmp_path_factory.mktemp("site") / "sersicnet-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: sersicnet\nVersion: 0\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (folder / "entry_points.txt").write_text("\n".join(lines))
    return folder.parent


def run_python(installed, code):
    """What a new Python prints; a warning is an error."""
    code = f"import sys; sys.path[:0] = {[str(installed), str(ROOT)]}; {code}"
    python = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(python, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    "first",
    [
        "astropy.modeling",
        "astropy.modeling.fitting",
        "sersicnet.fitter",
        "sersicnet.results",
        "astropy.modeling, sersicnet.fitter",
    ],
)
def test_plugin_whatever_is_imported_first(installed, first):
    """Also where astropy.modeling is imported in the middle of a module of this package."""
    code = (
        f"import {first}; from astropy.modeling.fitting import SersicNetFitter as plugin; "
        "import sersicnet.fitter; print(plugin is sersicnet._fitter.SersicNetFitter)"
    )
    assert run_python(installed, code) == ["True"]


def test_pickle_in_a_new_python(installed):
    fresh = pickle.dumps(SersicNetFitter(PSF))
    code = (
        f"import pickle; fitter = pickle.loads({fresh!r}); import astropy.modeling.fitting as f; "
        "print(type(fitter) is f.SersicNetFitter, fitter.psf.shape[0])"
    )
    assert run_python(installed, code) == ["True", str(len(PSF))]


def test_importing_astropy_loads_nothing_for_the_plugin(installed):
    """But the plugin itself: not torch, and nothing else that astropy would not load."""
    modules = "import astropy.modeling.fitting; print(*sys.modules)"
    without = (
        "import importlib.metadata as m; m.entry_points = lambda **_: m.EntryPoints(); " + modules
    )
    more = set(run_python(installed, modules)) - set(run_python(installed, without))
    assert "sersicnet._fitter" in more
    package = {"sersicnet", "sersicnet._lazy", "sersicnet._version"}
    assert more <= package | {"sersicnet._fitter"}
