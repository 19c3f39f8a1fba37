"""Sizes and shapes on the sky, measured in pixels that are not square."""

import galsim
import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from helpers.sky import OBLONG, make_distorted, make_oblong
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import SersicNet
from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.pixels import local_pixels

SIDE = 91
TRUTH = {"r_eff": 1.1, "q": 0.5}
# Arcsec along east and north of steps along x and y.
SKEWED = [[-0.12, 0.0036], [0.0021, 0.1236]]  # by 3 % and a degree
SQUARE = [[-0.13, 0.0], [0.0, 0.13]]
# Far from the reference point, pixels are longer by 9 % along the way from there, by 3 % across.
FAR = make_distorted(scale=0.12)[400:491, 2000:2091]
CASES = [(OBLONG, 0), (OBLONG, 90), (OBLONG, 45), (SKEWED, 70), (SQUARE, 20), (FAR, 50)]


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


def make_galaxy(wcs, beta, *, seed=100, n=1.0, q=TRUTH["q"]):
    """A galaxy of the sky, its major axis ``beta`` degrees from east to north.

    The WCS may be given by its Jacobian.
    """
    if isinstance(wcs, WCS):
        middle = np.array([SIDE / 2])
        scale, stretch = local_pixels(wcs, middle, middle)
        jacobian = scale[0] * stretch[0]
    else:
        jacobian = wcs
        wcs = make_oblong(jacobian, crpix=(SIDE / 2, SIDE / 2))
    pixels = galsim.JacobianWCS(*np.ravel(jacobian))
    psf = galsim.Moffat(beta=3.5, fwhm=0.35)
    galaxy = galsim.Sersic(n, half_light_radius=TRUTH["r_eff"] * np.sqrt(q), flux=20000)
    scene = galsim.Convolve(galaxy.shear(q=q, beta=beta * galsim.degrees), psf)
    image = scene.drawImage(nx=SIDE, ny=SIDE, wcs=pixels).array
    return CCDData(
        image + np.random.default_rng(seed).normal(size=image.shape),
        unit="adu",
        uncertainty=StdDevUncertainty(np.ones(image.shape)),
        psf=psf.drawImage(nx=41, ny=41, wcs=pixels).array.astype(float),
        wcs=wcs,
        meta={"MAGZP": 25.0},
    )


@pytest.fixture(scope="module")
def cutouts():
    return [make_galaxy(*case) for case in CASES]


@pytest.fixture(scope="module", params=[None, "lm"])
def results(request, net, cutouts):
    return net.predict(cutouts, refine=request.param)


def test_the_ellipse_on_the_sky(results):
    for name, true in TRUTH.items():
        pull = (results.median(name) - true) / results.error(name)
        assert np.abs(pull).max() < 4, name
        assert results.error(name).max() < 0.02, name
    table = results.to_table()
    expected = 90 - np.array([beta for _, beta in CASES])
    difference = (table["pa"].value - expected + 90) % 180 - 90
    assert np.abs(difference / results.error("theta")).max() < 4
    assert_array_equal(table["flags"], 0)


def test_the_ellipse_in_pixels(results, cutouts):
    """It is in the table, and what models are drawn from."""
    table = results.to_table()
    assert table["r_eff_pix"].unit == "pix"
    for row, cutout in enumerate(cutouts):
        model = results.to_model(row)
        assert_allclose(model.r_eff.value, table["r_eff_pix"][row].value)
        assert_allclose(1 - model.ellip.value, table["q_pix"][row])
        assert (results.residual(row, cutout) ** 2).mean() < 1.1
    ratio = table["r_eff"] / table["r_eff_pix"]
    assert_allclose(ratio[:2].value, [0.1355, 0.1211], rtol=2e-3)
    assert_allclose(ratio[4].value, 0.13)
    assert table["q_pix"][4] == table["q"][4]


def test_samples_and_covariances(results):
    samples = results.samples(1000)
    for name in TRUTH:
        spread = np.diff(np.quantile(samples[name], [0.16, 0.84], axis=1), axis=0)[0] / 2
        assert_allclose(spread, results.error(name), rtol=0.35, err_msg=name)
        pull = (np.median(samples[name], axis=1) - results.median(name)) / results.error(name)
        assert np.abs(pull).max() < 0.3, name
    drawn = {name: samples[name][0] for name in PARAMETERS}
    shape = {name: samples[name][0] for name in ("r_eff_pix", "q_pix")}
    model = results.to_model(0, **(drawn | shape))
    assert_allclose(model.r_eff.value, shape["r_eff_pix"])
    assert_allclose(results.to_model(0, **drawn).r_eff.value, shape["r_eff_pix"], rtol=1e-6)
    r_eff = results.samples(1000)["r_eff_pix"] * results.frame.pixel_scale[:, None]
    place = results.parameters.index("r_eff")
    assert_allclose(results.covariance(n=1000)[:, place, place], r_eff.var(axis=1, ddof=1))


def test_square_pixels_take_the_short_way(net, cutouts, results):
    if results.columns:
        return
    alone = net.predict(cutouts[4])
    assert_allclose(alone.quantiles[..., 0], results.quantiles[..., 4], rtol=1e-4)
    assert "r_eff_pix" not in alone.to_table().colnames
    assert set(alone.samples(3)) == set(PARAMETERS)


def test_neighbors_in_a_batch_do_not_matter(net, cutouts, results):
    if results.columns:
        return
    alone = net.predict(cutouts[1])
    assert_allclose(alone.quantiles[..., 0], results.quantiles[..., 1], rtol=1e-4)


def test_a_network_without_angles_flags_pixels_that_are_not_square(cutouts):
    net = SersicNet.from_pretrained("deeplegato").set_params(device="cpu")
    with pytest.warns(AstropyUserWarning, match="pixel_scale= has 0.06 .* but the WCS has 0.128"):
        flags = net.predict(cutouts, pixel_scale=0.06).flags
    mismatch = flags & Flags.PIXEL_SCALE_MISMATCH
    assert_array_equal(mismatch > 0, [True, True, True, True, False, True])
