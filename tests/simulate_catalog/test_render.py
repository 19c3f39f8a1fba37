"""Simulated galaxies are what their truth says, reproducibly, whatever else is drawn."""

import signal
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import astropy.units as u
import galsim
import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from astropy.nddata import StdDevUncertainty
from astropy.wcs.utils import proj_plane_pixel_scales
from helpers.simulated import CANDELS, COSMOS, NAMES
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter
from scipy.special import gamma, gammaincinv
from scipy.stats import kstest

from sersicnet.flags import Flags
from sersicnet.io.cutouts import read_cutouts, write_cutouts
from sersicnet.parameters import PARAMETERS, Prior
from sersicnet.simulate_catalog import render
from sersicnet.simulate_catalog.catalog import (
    draw_catalog,
)
from sersicnet.simulate_catalog.config import PSFModel, SimulationConfig
from sersicnet.simulate_catalog.render import draw_psf, render_catalog, render_model
from sersicnet.simulate_catalog.surveys import airy_fwhm

# small galaxies in small cutouts: a few milliseconds each
SMALL = CANDELS.replace(
    stamp_size=(20, 27),
    priors={"mag": Prior(20, 22), "r_eff": Prior(0.1, 0.3), "n": Prior(0.6, 2), "q": Prior(0.5, 1)},
)


def one(config, **values):
    """A catalog of one galaxy with some values given."""
    catalog = draw_catalog(1, config, seed=0)
    for name, value in values.items():
        catalog[name][0] = value * (catalog[name].unit or 1) if name != "mag" else value * u.ABmag
    if "size" in values and "x_0" not in values:
        catalog["x_0"] = catalog["y_0"] = [(values["size"] - 1) / 2] * u.pix
    return catalog


def image(catalog, config):
    """The noise-free image of the first galaxy."""
    return next(render_catalog(catalog, config, seed=0, noise=False)).data


def values_of(catalog, row=0):
    """The parameters of a galaxy as plain numbers."""
    return {name: float(getattr(catalog[name][row], "value", catalog[name][row])) for name in NAMES}


def assert_same_cutouts(first, second):
    for one_, other in zip(first, second, strict=True):
        assert_array_equal(one_.data, other.data)
        assert_array_equal(one_.uncertainty.array, other.uncertainty.array)
        assert_array_equal(one_.mask, other.mask)
        assert_array_equal(one_.psf, other.psf)
        assert one_.meta["ID"] == other.meta["ID"]


# --- written and read back --------------------------------------------------------------------


def test_cutouts_are_read_back_exactly(tmp_path):
    catalog = draw_catalog(4, SMALL.replace(n_neighbors=1.0), seed=1)
    catalog["r_eff"][2] = np.nan * u.arcsec  # cannot be drawn
    cutouts = list(render_catalog(catalog, SMALL, seed=1))
    write_cutouts(cutouts, tmp_path / "cutouts.fits")
    for cutout, found in zip(cutouts, read_cutouts(tmp_path / "cutouts.fits"), strict=True):
        assert_array_equal(found.data, cutout.data)
        assert_array_equal(found.mask, cutout.mask)
        assert_array_equal(found.psf, cutout.psf)
        assert found.unit == cutout.unit
        assert found.wcs.wcs.compare(cutout.wcs.wcs)
        assert {key: found.meta[key] for key in cutout.meta} == dict(cutout.meta)
        assert (found.uncertainty is None) == (cutout.uncertainty is None)
        if cutout.uncertainty is not None:
            assert isinstance(found.uncertainty, StdDevUncertainty)
            assert_array_equal(found.uncertainty.array, cutout.uncertainty.array)


# --- the same bits ----------------------------------------------------------------------------


def test_number_of_processes_does_not_change_a_bit():
    config = SMALL.replace(n_neighbors=0.5, noise_correlation=0.6)
    catalog = draw_catalog(11, config, seed=2)
    alone, together = (list(render_catalog(catalog, config, seed=2, n_jobs=n)) for n in (1, 2))
    assert_same_cutouts(alone, together)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_wait_until_a_process_has_been_started(number, monkeypatch):
    """One that arrives in between leaves a process without its task, which prints a traceback."""
    submit = ProcessPoolExecutor.submit
    began = []

    def interrupted(pool, *task):
        signal.raise_signal(number)
        began.append(submit(pool, *task))
        return began[-1]

    def stop(*_):
        raise InterruptedError

    before = signal.signal(number, stop)
    try:
        monkeypatch.setattr(ProcessPoolExecutor, "submit", interrupted)
        with pytest.raises(InterruptedError):
            next(render_catalog(draw_catalog(1, SMALL, seed=1), SMALL, seed=1, n_jobs=2))
        assert len(began) == 1
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="needs masks of signals")
def test_a_mask_of_signals_stays():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        list(render_catalog(draw_catalog(1, SMALL, seed=1), SMALL, seed=1, n_jobs=2))
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_galaxy_does_not_depend_on_the_others():
    config = SMALL.replace(n_neighbors=0.5)
    catalog = draw_catalog(7, config, seed=2)
    cutouts = list(render_catalog(catalog, config, seed=2))
    chosen = [5, 0, 3]
    assert_same_cutouts(
        [cutouts[i] for i in chosen], render_catalog(catalog[chosen], config, seed=2)
    )
    assert_same_cutouts(
        cutouts[:4], render_catalog(draw_catalog(4, config, seed=2), config, seed=2)
    )


@pytest.mark.parametrize("config", [COSMOS, SMALL], ids=lambda config: config.name)
def test_galaxy_does_not_depend_on_what_was_drawn_before(config):
    """Nor on how accurately, nor on whether its PSF was: GalSim keeps more than it should."""
    config = config.replace(stamp_size=(40, 40), priors={"r_eff": Prior(0.1, 0.2)})
    config = config.replace(priors={"n": Prior(1.0, 1.0)})
    catalog = draw_catalog(2, config, seed=1)
    stricter = config.replace(folding_threshold=1e-3)
    first, exact = (list(render_catalog(catalog, c, seed=1)) for c in (config, stricter))
    assert_same_cutouts(first, render_catalog(catalog, config, seed=1))
    for function in vars(render).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()
    assert_same_cutouts(exact, render_catalog(catalog, stricter, seed=1))
    assert_same_cutouts(first, render_catalog(catalog, config, seed=1))


def test_seed_changes_noise_and_nothing_else():
    catalog = draw_catalog(2, SMALL, seed=1)
    first, second = (list(render_catalog(catalog, SMALL, seed=seed)) for seed in (1, 2))
    for cutout, other in zip(first, second, strict=True):
        assert not (cutout.data == other.data).any()
        assert_array_equal(cutout.uncertainty.array, other.uncertainty.array)
    assert not (first[0].data[:20, :20] == first[1].data[:20, :20]).any()


def test_progress_bar_changes_nothing(capsys):
    catalog = draw_catalog(2, SMALL, seed=1)
    cutouts = list(render_catalog(catalog, SMALL, seed=1, progress_bar=True))
    assert "2/2" in capsys.readouterr().err
    assert_same_cutouts(cutouts, render_catalog(catalog, SMALL, seed=1))
    assert capsys.readouterr().err == ""


# --- what a cutout carries --------------------------------------------------------------------


def test_cutout_says_all_that_is_needed():
    catalog = draw_catalog(3, COSMOS, seed=1)
    for cutout, size, jitter in zip(
        render_catalog(catalog, COSMOS, seed=1), catalog["size"], catalog["psf_jitter"], strict=True
    ):
        assert cutout.shape == cutout.mask.shape == cutout.uncertainty.array.shape == (size, size)
        assert cutout.data.dtype == cutout.uncertainty.array.dtype == np.float32
        assert cutout.unit == u.ct / u.s
        assert cutout.meta["MAGZP"] == 25.94
        assert cutout.meta["PIXSCALE"] == 0.03
        assert cutout.meta["SNFLAGS"] == 0
        assert_allclose(proj_plane_pixel_scales(cutout.wcs) * 3600, 0.03)
        middle = cutout.wcs.pixel_to_world((size - 1) / 2, (size - 1) / 2)
        assert_allclose([middle.ra.deg, middle.dec.deg], [150, 2.2])
        jitter = jitter.to_value(u.arcsec)
        assert_array_equal(cutout.psf, draw_psf(COSMOS.psf, pixel_scale=0.03, jitter=jitter))
        assert not cutout.mask.any()


# --- flux, center, angle, radius: the conventions ---------------------------------------------


def sersic2d(values, shape, scale, zeropoint, psf_fwhm, *, sub=11):
    """The galaxy by astropy, averaged over the sub-pixels of a pixel and of a Gaussian PSF."""
    flux, n, q, r = (
        10 ** (-0.4 * (values["mag"] - zeropoint)),
        *map(values.get, ("n", "q", "r_eff")),
    )
    r, b = r / scale, gammaincinv(2 * n, 0.5)
    # Graham & Driver 2005, equation 4
    amplitude = flux / (2 * np.pi * n * r**2 * q * np.exp(b) * b ** (-2 * n) * gamma(2 * n))
    model = Sersic2D(
        amplitude, r, n, values["x_0"], values["y_0"], 1 - q, np.radians(values["theta"])
    )
    margin = 8
    ny, nx = shape[0] + 2 * margin, shape[1] + 2 * margin
    y, x = (np.indices((ny * sub, nx * sub)) + 0.5) / sub - 0.5 - margin
    fine = gaussian_filter(model(x, y), psf_fwhm / scale / 2.3548 * sub, truncate=6)
    return fine.reshape(ny, sub, nx, sub).mean(axis=(1, 3))[margin:-margin, margin:-margin]


@pytest.mark.parametrize("size", [32, 33])
@pytest.mark.parametrize(
    ("n", "q", "theta"), [(0.5, 0.4, 20.0), (1.0, 0.3, -70.0), (2.0, 0.6, 89.0), (1.0, 1.0, 0.0)]
)
def test_galaxy_is_that_of_astropy(size, n, q, theta):
    """Flux, center, angle and major-axis radius at once, in even and odd cutouts."""
    config = SMALL.replace(psf=PSFModel("gaussian", fwhm=0.08), stamp_size=(size, size))
    catalog = one(config, mag=21.0, r_eff=0.3, n=n, q=q, theta=theta, x_0=16.3, y_0=14.9)
    expected = sersic2d(values_of(catalog), (size, size), 0.06, config.zeropoint, 0.08)
    difference = image(catalog, config) - expected
    assert np.abs(difference).max() < 1e-3 * expected.max()
    assert abs(difference.sum()) < 1e-3 * expected.sum()


@pytest.mark.parametrize("shape", [(24, 24), (25, 25), (24, 31), (31, 24)])
@pytest.mark.parametrize("psf_size", [40, 41])
def test_center_is_where_the_truth_says(shape, psf_size):
    psf = draw_psf(replace(CANDELS.psf, size=psf_size), pixel_scale=0.06)
    values = {"mag": 20.0, "r_eff": 0.06, "n": 0.5, "q": 0.8, "theta": 30.0}
    values |= {"x_0": 11.7, "y_0": 12.4}
    galaxy = render_model(values, shape, pixel_scale=0.06, zeropoint=25.946, psf=psf)
    assert galaxy.shape == shape
    # exact but for the wings of the PSF, which the edges of the image cut
    window = galaxy * (galaxy > 1e-3 * galaxy.max())
    y, x = np.indices(shape)
    assert (window * x).sum() / window.sum() == pytest.approx(11.7, abs=0.01)
    assert (window * y).sum() / window.sum() == pytest.approx(12.4, abs=0.01)


def test_half_of_the_light_is_within_the_major_axis_radius():
    config = CANDELS.replace(psf=PSFModel("gaussian", fwhm=0.06))
    catalog = one(config, mag=20.0, r_eff=1.2, n=1.0, q=0.4, theta=35.0, size=161)
    y, x = np.indices((161, 161)) - 80
    angle = np.radians(35)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = np.hypot(along, across / 0.4) < 1.2 / 0.06
    flux = 10 ** (-0.4 * (20 - config.zeropoint))
    assert image(catalog, config)[inside].sum() / flux == pytest.approx(0.5, abs=0.005)


def test_zero_point_and_magnitude_set_the_flux():
    catalog = one(SMALL, mag=20.0, r_eff=0.1, n=0.6, size=41)
    galaxy = image(catalog, SMALL)
    assert galaxy.sum() == pytest.approx(10 ** (0.4 * 5.946), rel=1e-3)
    brighter = one(SMALL, mag=17.5, r_eff=0.1, n=0.6, size=41)
    assert_allclose(image(brighter, SMALL), 10 * galaxy, rtol=1e-4, atol=1e-6)
    assert_allclose(image(brighter, SMALL.replace(zeropoint=23.446)), galaxy, rtol=1e-4, atol=1e-6)


# --- what the accuracy costs in error ---------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "values", "reference", "limits"),
    [
        # the worst cases are the brightest, small or elongated
        (CANDELS, {"n": 6.0, "r_eff": 0.1, "q": 0.2}, 5e-4, (3e-4, 2e-3, 0.2)),
        (CANDELS, {"n": 4.0, "r_eff": 0.1, "q": 1.0}, 5e-4, (3e-4, 2e-3, 0.1)),
        (CANDELS, {"n": 1.0, "r_eff": 1.5, "q": 1.0}, 5e-4, (3e-4, 2e-3, 0.1)),
        (CANDELS, {"n": 5.0, "r_eff": 1.0, "q": 0.5}, 2e-3, (3e-4, 2e-3, 0.1)),
        # four times GalSim's own threshold: the wings of the diffraction pattern fold
        (COSMOS, {"n": 6.0, "r_eff": 0.05, "q": 0.1}, 2e-3, (1e-3, 0.02, 2.0)),
        (COSMOS, {"n": 2.0, "r_eff": 0.25, "q": 0.1}, 2e-3, (1e-3, 0.02, 2.0)),
        (COSMOS, {"n": 1.0, "r_eff": 1.5, "q": 1.0}, 2e-3, (1e-3, 0.02, 2.0)),
        (COSMOS, {"n": 6.0, "r_eff": 0.5, "q": 0.5}, 2e-3, (1e-3, 0.02, 2.0)),
    ],
)
def test_error_of_drawing_is_small(config, values, reference, limits):
    """Against transforms that are stricter in every respect, at the prior's brightest."""
    values = {"mag": config.priors["mag"].lower, "theta": 20.0, "size": 128} | values
    catalog = one(config, **values)
    row = values_of(catalog)
    strict = galsim.GSParams(
        folding_threshold=reference,
        maxk_threshold=1e-4,
        kvalue_accuracy=1e-6,
        maximum_fft_size=16384,
    )
    galaxy = galsim.Sersic(row["n"], half_light_radius=row["r_eff"] * np.sqrt(row["q"]))
    galaxy = galaxy.shear(q=row["q"], beta=row["theta"] * galsim.degrees)
    if config is CANDELS:
        psf = galsim.Moffat(3, fwhm=0.18, trunc=1.2)
    else:
        airy = galsim.Airy(row["psf_fwhm"] / airy_fwhm(0.33), obscuration=0.33)
        psf = galsim.Convolve(airy, galsim.Gaussian(sigma=row["psf_jitter"]))
    scene = galsim.Convolve(galaxy, psf, gsparams=strict)
    flux = 10 ** (-0.4 * (row["mag"] - config.zeropoint))
    exact = scene.drawImage(galsim.ImageD(128, 128, scale=config.pixel_scale)).array * flux
    (cutout,) = render_catalog(catalog, config, seed=0, noise=False)
    difference = np.abs(cutout.data - exact)
    peak, total, sigma = limits
    assert difference.max() < peak * exact.max()
    assert abs(cutout.data.sum() - exact.sum()) < total * exact.sum()
    assert (difference / cutout.uncertainty.array).max() < sigma


# --- PSF --------------------------------------------------------------------------------------


MODELS = {
    "moffat": PSFModel("moffat", fwhm=0.18, truncation=1.2),
    "moffat, endless": PSFModel("moffat", fwhm=0.2, beta=4.5, size=31),
    "gaussian": PSFModel("gaussian", fwhm=0.15, jitter=0.05),
    "kolmogorov": PSFModel("kolmogorov", fwhm=0.3),
    "airy": PSFModel("airy", fwhm=0.15, jitter=0.03, obscuration=0.3, size=40),
}
MODELS["image"] = PSFModel("image", image=draw_psf(MODELS["airy"], pixel_scale=0.06))


def profile(model):
    """The same PSF, without the pixel, by calling GalSim directly."""
    if model.family == "moffat":
        psf = galsim.Moffat(model.beta, fwhm=model.fwhm, trunc=model.truncation)
    elif model.family == "airy":
        psf = galsim.Airy(model.fwhm / airy_fwhm(model.obscuration), obscuration=model.obscuration)
    else:
        psf = {"gaussian": galsim.Gaussian, "kolmogorov": galsim.Kolmogorov}[model.family]
        psf = psf(fwhm=model.fwhm)
    return galsim.Convolve(psf, galsim.Gaussian(sigma=model.jitter)) if model.jitter else psf


@pytest.mark.parametrize("name", [name for name in MODELS if name != "image"])
def test_psf_is_what_a_star_looks_like(name):
    """The profile averaged over each pixel, of unit sum."""
    model = MODELS[name]
    stamp = draw_psf(model, pixel_scale=0.06)
    assert stamp.shape == (model.size, model.size)
    assert stamp.sum() == pytest.approx(1)
    sub = 9
    fine = profile(model).drawImage(
        nx=model.size * sub, ny=model.size * sub, scale=0.06 / sub, method="no_pixel", dtype=float
    )
    expected = fine.array.reshape(model.size, sub, model.size, sub).mean(axis=(1, 3))
    assert_allclose(stamp, expected / expected.sum(), atol=1e-3 * stamp.max())
    star = galsim.Convolve(galsim.DeltaFunction(), profile(model))
    star = star.drawImage(nx=model.size, ny=model.size, scale=0.06, dtype=float).array
    assert_allclose(stamp, star / star.sum(), atol=1e-3 * stamp.max())
    assert not stamp.flags.writeable


@pytest.mark.parametrize("name", MODELS)
def test_tiny_galaxy_looks_like_the_psf_of_its_cutout(name):
    size = len(draw_psf(MODELS[name], pixel_scale=0.06))
    config = SMALL.replace(psf=MODELS[name])
    catalog = one(config, mag=20.0, r_eff=1e-3, n=0.5, q=1.0, size=size)
    (cutout,) = render_catalog(catalog, config, seed=0, noise=False)
    assert cutout.psf.shape == (size, size)
    assert_allclose(cutout.data / cutout.data.sum(), cutout.psf, atol=3e-3 * cutout.psf.max())


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("moffat", 3e-4), ("gaussian", 3e-4), ("airy", 0.03)],  # 0.02 of this one are off the stamp
)
@pytest.mark.parametrize("size", [60, 61])
def test_image_of_a_psf_draws_what_its_formula_draws(name, tolerance, size):
    model = replace(MODELS[name], size=size)
    config = SMALL.replace(psf=model)
    stamp = draw_psf(model, pixel_scale=0.06)
    sampled = config.replace(psf=PSFModel("image", image=stamp * 7))
    catalog = one(config, mag=20.0, r_eff=0.3, n=1.5, q=0.6, x_0=15.2, y_0=14.6, size=31)
    exact, other = image(catalog, config), image(catalog, sampled)
    assert np.abs(exact - other).max() < tolerance * exact.max()
    assert_allclose(draw_psf(sampled.psf, pixel_scale=0.06), stamp, rtol=1e-12)
    again = render_model(
        values_of(catalog), (31, 31), pixel_scale=0.06, zeropoint=25.946, psf=stamp
    )
    assert_allclose(again, other, atol=1e-4 * exact.max())


def test_psf_of_a_range_is_drawn_at_its_mean():
    ranged = PSFModel(fwhm=(0.1, 0.3), jitter=(0.0, 0.02))
    assert_array_equal(
        draw_psf(ranged, pixel_scale=0.06),
        draw_psf(ranged, pixel_scale=0.06, fwhm=0.2, jitter=0.01),
    )


# --- noise ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def noise():
    """(noisy - noise-free) / noise map, and the share of Poisson noise, for two surveys."""
    found = {}
    catalog = draw_catalog(150, SMALL.replace(stamp_size=(27, 27)), seed=1)
    catalog["n"] = 1.0  # GalSim prepares each index anew
    for name, correlation in (("white", 0.0), ("correlated", COSMOS.noise_correlation)):
        config = SMALL.replace(noise_correlation=correlation, gain=300.0)
        pairs = zip(
            render_catalog(catalog, config, seed=1),
            render_catalog(catalog, config, seed=1, noise=False),
            strict=True,
        )
        chi, share = [], []
        for noisy, clean in pairs:
            sigma = noisy.uncertainty.array
            assert_array_equal(sigma, clean.uncertainty.array)
            chi.append((noisy.data - clean.data) / sigma)
            share.append(1 - config.sky_noise**2 / sigma**2)
        found[name] = np.array(chi), np.array(share)
    return found


@pytest.mark.parametrize(("name", "tolerance"), [("white", 0.01), ("correlated", 0.02)])
def test_noise_map_is_the_scatter_of_the_noise(noise, name, tolerance):
    chi, share = noise[name]
    assert chi.std() == pytest.approx(1, abs=tolerance)
    assert chi.mean() == pytest.approx(0, abs=tolerance)
    bright = share > 0.5
    assert bright.sum() > 3000
    assert chi[bright].std() == pytest.approx(1, abs=3 * tolerance)


def test_white_noise_is_gaussian_and_white(noise):
    chi, _ = noise["white"]
    assert kstest(chi.ravel()[::7], "norm").pvalue > 0.01
    for shift in ((0, 1), (1, 0), (1, 1)):
        assert abs((chi * np.roll(chi, shift, (1, 2))).mean()) < 0.01


def test_drizzled_noise_is_correlated(noise):
    """Neighbors by 0.48, as in the borders of real cutouts of COSMOS."""
    chi, _ = noise["correlated"]
    for axis in (1, 2):
        neighbors = np.take(chi, range(1, 27), axis) * np.take(chi, range(26), axis)
        assert neighbors.mean() == pytest.approx(0.48, abs=0.02)
        far = np.take(chi, range(8, 27), axis) * np.take(chi, range(19), axis)
        assert far.mean() == pytest.approx(0, abs=0.02)


def test_noise_map_is_sky_and_photons():
    catalog = draw_catalog(3, SMALL, seed=1)
    for cutout in render_catalog(catalog, SMALL, seed=1, noise=False):
        variance = SMALL.sky_noise**2 + np.clip(cutout.data, 0, None) / SMALL.gain
        assert_allclose(cutout.uncertainty.array, np.sqrt(variance), rtol=1e-6)
    without = SMALL.replace(gain=np.inf)
    for cutout in render_catalog(catalog, without, seed=1):
        assert_allclose(cutout.uncertainty.array, SMALL.sky_noise, rtol=1e-6)


# --- neighbors -------------------------------------------------------------------------------


def test_neighbors_are_masked_where_they_win():
    config = SMALL.replace(n_neighbors=2.0, stamp_size=(31, 31), neighbor_mag=Prior(0.0, 1.0))
    catalog = draw_catalog(12, config, seed=4)
    found = 0
    for crowded, noisy, alone in zip(
        render_catalog(catalog, config, seed=4, noise=False),
        render_catalog(catalog, config, seed=4),
        render_catalog(catalog, config.replace(n_neighbors=0.0), seed=4, noise=False),
        strict=True,
    ):
        neighbors = crowded.data - alone.data
        expected = (neighbors > alone.data) & (neighbors > config.sky_noise)
        # float32 cannot tell near equality
        clear = np.abs(neighbors - alone.data) > 1e-4 * alone.data.max()
        clear &= np.abs(neighbors - config.sky_noise) > 1e-4 * alone.data.max()
        assert_array_equal(crowded.mask[clear], expected[clear])
        assert_array_equal(noisy.mask, crowded.mask)
        assert not alone.mask.any()
        found += crowded.mask.any()
    assert found >= 6


def test_number_and_brightness_of_neighbors(monkeypatch):
    """Counted where they are drawn: Poisson in number, fainter by what the prior says."""
    drawn = []

    def draw(row, shape, config, psf):
        drawn[-1].append(row)
        return np.zeros(shape)

    monkeypatch.setattr(render, "_draw_galaxy", draw)
    config = SMALL.replace(n_neighbors=1.3, neighbor_mag=Prior(0.5, 2.0), stamp_size=(27, 27))
    catalog = draw_catalog(400, config, seed=4)
    for i in range(len(catalog)):
        drawn.append([])
        list(render_catalog(catalog[i : i + 1], config, seed=4))
    numbers = np.array([len(rows) - 1 for rows in drawn])
    assert numbers.mean() == pytest.approx(1.3, abs=0.15)
    assert numbers.var() == pytest.approx(1.3, abs=0.3)
    others = [other for rows in drawn for other in rows[1:]]
    fainter = [other["mag"] - rows[0]["mag"] for rows in drawn for other in rows[1:]]
    assert kstest(fainter, "uniform", (0.5, 1.5)).pvalue > 0.01
    for name in ("x_0", "y_0"):
        assert kstest([other[name] for other in others], "uniform", (-0.5, 27)).pvalue > 0.01


# --- galaxies that cannot be drawn ------------------------------------------------------------


def test_galaxies_that_cannot_be_drawn_are_flagged():
    """No crash, no warning, no galaxy left out; the others are what they were."""
    catalog = draw_catalog(8, SMALL, seed=1)
    good = list(render_catalog(catalog, SMALL, seed=1))
    catalog["r_eff"][0] = 500 * u.arcsec  # GalSim would want a transform of 98,304 pixels
    catalog["n"][2] = 7.0
    catalog["x_0"][3] = np.nan * u.pix
    catalog["mag"][4] = -2000 * u.ABmag
    catalog["q"][5] = 0.0
    catalog["r_eff"][6] = 0 * u.arcsec
    cutouts = list(render_catalog(catalog, SMALL, seed=1))
    assert [cutout.meta["ID"] for cutout in cutouts] == list(range(8))
    for i in (0, 2, 3, 4, 5, 6):
        assert cutouts[i].meta["SNFLAGS"] == Flags.RENDER_FAILED
        assert cutouts[i].shape == (catalog["size"][i],) * 2
        assert np.isnan(cutouts[i].data).all()
        assert cutouts[i].mask.all()
        assert cutouts[i].uncertainty is None
    assert_same_cutouts([good[1], good[7]], [cutouts[1], cutouts[7]])


def test_neighbor_that_cannot_be_drawn_is_flagged():
    config = SMALL.replace(n_neighbors=50.0, neighbor_mag=Prior(-3000, -2000))
    (cutout,) = render_catalog(draw_catalog(1, config, seed=1), config, seed=1)
    assert cutout.meta["SNFLAGS"] == Flags.RENDER_FAILED


@pytest.mark.parametrize("what", ["size", "nan", "memory"])
def test_every_way_to_fail_is_noticed(monkeypatch, what):
    def fail(self, image, **kwargs):
        if what == "memory":
            raise MemoryError
        image.array[:] = np.nan
        return image

    # a PSF of no other test, as it keeps the limit
    config = SMALL.replace(psf=PSFModel(fwhm={"size": 0.17}.get(what, 0.18)))
    if what == "size":
        monkeypatch.setattr(render, "_MAX_FFT", 130)
    else:
        monkeypatch.setattr(galsim.GSObject, "drawImage", fail)
    catalog = one(config, r_eff=1.0, n=4.0)
    row = {name: render._plain_rows(catalog)[0][name] for name in NAMES}
    data, sigma, mask, flags = render._render_row(row, config, 1, True)
    assert np.isnan(data).all()
    assert mask.all()
    assert sigma is None
    assert flags == Flags.RENDER_FAILED


def test_limit_of_transforms_leaves_warnings_as_they_were():
    before = list(warnings.filters)
    list(render_catalog(draw_catalog(1, SMALL, seed=1), SMALL, seed=1))
    assert list(warnings.filters) == before


def test_model_that_cannot_be_drawn_is_named():
    values = {"mag": 20.0, "r_eff": 0.3, "n": 9.0, "q": 0.5, "theta": 0.0, "x_0": 4.0, "y_0": 4.0}
    psf = draw_psf(CANDELS.psf, pixel_scale=0.06)
    with pytest.raises(ValueError, match=r"GalSim cannot draw a galaxy of .*'n': 9.0"):
        render_model(values, (9, 9), pixel_scale=0.06, zeropoint=25.0, psf=psf)
    with pytest.raises(ValueError, match=r"GalSim cannot draw a galaxy of .*'r_eff': nan"):
        render_model(
            values | {"n": 1.0, "r_eff": np.nan}, (9, 9), pixel_scale=0.06, zeropoint=25.0, psf=psf
        )


def test_bad_calls_are_named():
    catalog = draw_catalog(1, SMALL, seed=1)
    with pytest.raises(ValueError, match="n_jobs=0 must be 1 or more"):
        next(render_catalog(catalog, SMALL, seed=1, n_jobs=0))
    with pytest.raises(ValueError, match="the catalog has no column 'psf_fwhm'"):
        next(render_catalog(catalog[["id", *PARAMETERS, "size"]], SMALL, seed=1))
    catalog["r_eff"] = [1.0] * u.kg
    with pytest.raises(u.UnitConversionError):
        next(render_catalog(catalog, SMALL, seed=1))


def test_units_of_the_catalog_are_converted():
    catalog = draw_catalog(2, SMALL, seed=1)
    converted = catalog.copy()
    converted["r_eff"] = catalog["r_eff"].to(u.arcmin)
    converted["theta"] = catalog["theta"].to(u.rad)
    for cutout, other in zip(
        render_catalog(catalog, SMALL, seed=1),
        render_catalog(converted, SMALL, seed=1),
        strict=True,
    ):
        assert_allclose(other.data, cutout.data, rtol=1e-5, atol=1e-6)


# --- surveys ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "band"), [("Euclid_VIS", None), ("LSST", "r"), ("HSC", "i")])
def test_surveys_of_surveycodex_are_drawn(name, band):
    config = SimulationConfig.from_survey(name, band)
    config = config.replace(stamp_size=(40, 50), priors={"n": Prior(0.5, 2.0)})
    catalog = draw_catalog(2, config, seed=1)
    for cutout, mag in zip(render_catalog(catalog, config, seed=1), catalog["mag"], strict=True):
        assert cutout.meta["SNFLAGS"] == 0
        assert np.isfinite(cutout.data).all()
        assert cutout.unit == u.electron / u.s
        flux = 10 ** (-0.4 * (mag.value - config.zeropoint))
        assert abs(cutout.data.sum() - flux) < 0.3 * flux + 5 * cutout.uncertainty.array.sum() / 40
