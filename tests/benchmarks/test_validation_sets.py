"""Validation sets: the same each time, true to their tables, and spoiled as they say."""

from itertools import islice

import numpy as np
import pytest
import torch
from astropy.modeling.models import Sersic2D
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import shift
from scipy.signal import fftconvolve
from scipy.special import gammaincinv, gammaln

from benchmarks import validation_sets as sets
from benchmarks.sets import contaminants as spoil
from benchmarks.sets import galaxies, psfs
from benchmarks.sets.contaminants import Contaminants
from sersicnet.model import prior
from sersicnet.model.labels import stack_labels
from sersicnet.parameters import PARAMETERS, table_values
from sersicnet.preprocessing import prepare

N = 3
KINDS = tuple(sets.N_GALAXIES)


@pytest.fixture
def directory(validation_directory):
    return validation_directory


def _spoiled_galaxies(name, n=3):
    """Galaxies that have one contaminant, and the same without."""
    kind, only, none = "candels-contaminated", Contaminants.only(name), Contaminants.only()
    spoiled = (sets.draw_cutout(kind, index, contaminants=only) for index in range(100))
    for galaxy in islice((each for each in spoiled if each[1]["contaminants"] == name), n):
        yield galaxy, sets.draw_cutout(kind, galaxy[1]["id"], contaminants=none)


@pytest.mark.parametrize("name", sets.SETS)
def test_galaxies_are_the_same_each_time(name, directory):
    cutouts, truth = sets.load_set(name, directory)
    arrays, row = sets.draw_cutout(name, 1)  # without the one before
    assert_array_equal(cutouts[1].data, arrays["data"].astype("f4"))
    assert_array_equal(cutouts[1].mask, arrays["mask"])
    assert truth["snr"][1] == row["snr"]
    assert len(set(truth["snr"])) == N


@pytest.mark.parametrize("kind", KINDS)
def test_a_contaminated_set_has_the_galaxies_of_the_clean_one(kind, directory):
    _, clean = sets.load_set(f"{kind}-clean", directory)
    _, contaminated = sets.load_set(f"{kind}-contaminated", directory)
    for column in ("mag", "r_eff", "n", "q", "theta", "fwhm_pix", "gain"):
        assert_array_equal(clean[column], contaminated[column])
    assert not clean["contaminated"].any()
    assert contaminated["contaminated"].all()


def test_a_killed_run_goes_on(tmp_path):
    sets.make_set("lsst-clean", tmp_path, n=N)
    folder = tmp_path / "lsst-clean"
    before = {path.name: path.read_bytes() for path in folder.glob("*.npz")}
    first, second = folder / "00000.npz", folder / "00001.npz"
    second.unlink()
    second.with_suffix(".part").write_bytes(before["00001.npz"][:100])
    written = first.stat().st_mtime_ns
    sets.make_set("lsst-clean", tmp_path, n=N)
    assert first.stat().st_mtime_ns == written
    with np.load(second) as again:
        new = {name: again[name] for name in again.files}
    (tmp_path / "old.npz").write_bytes(before["00001.npz"])
    with np.load(tmp_path / "old.npz") as old:
        for name in old.files:
            assert_array_equal(old[name], new[name])
    cutouts, truth = sets.load_set("lsst-clean", tmp_path)
    assert len(cutouts) == len(truth) == N
    assert list(truth["id"]) == [0, 1, 2]
    assert len(sets.load_set("lsst-clean", tmp_path, n=2)[0]) == 2


def test_what_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has 0 galaxies of 'prior-clean'"):
        sets.load_set("prior-clean", tmp_path)
    for call in (sets.draw_cutout, sets.make_set):
        with pytest.raises(ValueError, match=r"name='prior' must be one of prior-clean, "):
            call("prior", 0)
    with pytest.raises(ValueError, match=r"names=\('fog',\) must be among faint_neighbors, "):
        Contaminants.only("fog")
    sets.main(["--directory", str(tmp_path), "--n", "1", "--contaminants", "sky", "lsst-clean"])
    with pytest.raises(ValueError, match=r"settings.json has other contaminants"):
        sets.make_set("lsst-clean", tmp_path, n=1)
    model = galaxies.config_of("lsst").psf
    with pytest.raises(ValueError, match=r"family='gaussian' must be 'moffat'"):
        psfs.survey_profile(type(model)("gaussian"), 0.2)
    with pytest.raises(ValueError, match=r"fwhm=\(0.1, 0.2\) and jitter=0.0 must be single"):
        psfs.survey_profile(type(model)(fwhm=(0.1, 0.2)), 0.2)


@pytest.mark.parametrize("name", sets.SETS)
def test_the_package_reads_the_cutouts(name, directory):
    cutouts, truth = sets.load_set(name, directory)
    frame = prepare(cutouts).frame
    labels = frame.to_labels(table_values(truth, tuple(PARAMETERS)), tuple(PARAMETERS))
    # the prior knows the noise of the background, and the stamps' unit is that of the noise map
    config = galaxies.config_of(name.split("-")[0])
    labels["log_flux"] += np.log10(frame.noise_level / config.sky_noise)
    labels = torch.as_tensor(stack_labels(labels))
    assert torch.isfinite(prior.log_prior(labels)).all()
    assert_allclose(10 ** prior.log_snr(labels), truth["snr"], rtol=1e-5)
    assert (truth["snr"] >= (2 if name.startswith("prior") else 5)).all()
    for cutout, row in zip(cutouts, truth, strict=True):
        assert cutout.data.shape == cutout.mask.shape == (row["size"], row["size"])
        assert cutout.unit == config.unit
        assert cutout.meta["PIXSCALE"] == config.pixel_scale
        assert np.isfinite(cutout.data[~cutout.mask]).all()
        assert (cutout.uncertainty.array > 0).all()


@pytest.mark.parametrize("name", sets.SETS)
def test_psf_stamps(name, directory):
    cutouts, truth = sets.load_set(name, directory)
    for cutout, row in zip(cutouts, truth, strict=True):
        psf, size = cutout.psf, len(cutout.psf)
        assert size % 2 == 1
        assert 31 <= size <= 63
        assert_allclose(psf.sum(), 1, rtol=1e-5)
        assert ("psf2" in cutout.meta) == (row["fwhm_pix"] < 3)
        if row["fwhm_pix"] < 3:
            fine = cutout.meta["psf2"]
            assert_allclose(fine.sum(), 1, rtol=1e-5)
            assert fine.shape == (2 * size, 2 * size)
            # half a fine pixel on, every other sample is at the middle of a pixel of the data
            coarse = 4 * shift(fine, 0.5, order=5)[1::2, 1::2]
            assert_allclose(coarse, psf, atol=0.01 * psf.max())


def test_widths_of_stars_are_as_wanted():
    rng = np.random.default_rng(1)
    for fwhm in (1.5, 2.0, 3.0, 8.0):
        for family in psfs.FAMILIES:
            profile, measured = psfs.scale_to_star(psfs._DRAW[family](rng), fwhm)
            assert_allclose(measured, fwhm, rtol=0.03)
            star = psfs.draw_star(profile, 1, (63, 63))
            if fwhm == 8:  # enough pixels to count
                area = (star > star.max() / 2).sum()
                assert_allclose(2 * np.sqrt(area / np.pi), fwhm, rtol=0.1)


def _independent_model(row, psf, side, zeropoint, pixel_scale):
    """Astropy's profile, averaged over pixels, behind the PSF stamp that the user has."""
    r_eff, n, q = row["r_eff"] / pixel_scale, row["n"], row["q"]
    flux, b = 10 ** (-0.4 * (row["mag"] - zeropoint)), gammaincinv(2 * row["n"], 0.5)
    area = 2 * np.pi * n * q * r_eff**2 * np.exp(b - 2 * n * np.log(b) + gammaln(2 * n))
    light = Sersic2D(flux / area, r_eff, n, row["x_0"], row["y_0"], 1 - q, np.radians(row["theta"]))
    steps = np.arange(-2, 3) / 5
    y, x = np.mgrid[:side, :side]
    image = np.mean([light(x + dx, y + dy) for dx in steps for dy in steps], axis=0)
    return fftconvolve(image, psf, mode="same")


@pytest.mark.parametrize("state", ["clean", "contaminated"])
@pytest.mark.parametrize(
    ("index", "family", "flux_error", "shift"),
    [
        (139, "double_gaussian", 0.003, 0.01),  # of S/N 9202
        (269, "elliptical_moffat", 0.01, 0.06),  # 1143
        (36, "airy", 0.015, 0.06),  # its stamp misses 11 % of the light, and the asymmetry of it
    ],
)
def test_flux_and_center_are_true(state, index, family, flux_error, shift):
    only = Contaminants.only("padding")
    arrays, row = sets.draw_cutout(f"prior-{state}", index, contaminants=only)
    assert row["psf_family"] == family
    assert (row["psf_share"] < 0.9) == (family == "airy")
    model = _independent_model(row, arrays["psf"], row["size"], 25.0, 0.1)
    slope_y, slope_x = np.gradient(model)
    design = np.stack([model, slope_x, slope_y], axis=-1).reshape(-1, 3)
    weight = 1 / np.sqrt(1 + np.clip(model, 0, None) / row["gain"]).ravel()
    residual = (arrays["data"] - model).ravel()
    fit, *_ = np.linalg.lstsq(design * weight[:, None], residual * weight)
    assert_allclose(fit[0], 0, atol=flux_error)
    assert_allclose(fit[1:], 0, atol=shift)  # minus the pixels from the true center


def test_default_accuracy_is_enough():
    """Nothing that stricter settings change would be seen in the noise."""
    strict = {"folding_threshold": 5e-4, "maxk_threshold": 1e-4, "kvalue_accuracy": 1e-6}
    for index in (0, 5, 6, 7, 8, 9):
        rng = np.random.default_rng([sets.SEEDS["prior"], index, 0, 0])
        galaxy, view = galaxies.draw_view("prior", rng)
        images = [
            psfs.draw_galaxy(profile, galaxy, (64, 64), (0.3, -0.2))
            for profile in (view.profile, view.profile.withGSParams(**strict))
        ]
        assert_allclose(images[0], images[1], atol=0.1)


def test_too_large_a_transform_is_not_drawn():
    galaxy = {"flux": 1.0, "r_eff": 40.0, "n": 6.0, "q": 1.0, "theta": 0.0}
    profile = psfs._DRAW["kolmogorov"](None)
    with pytest.raises(psfs.CANNOT_DRAW):
        psfs.draw_galaxy(profile, galaxy, (32, 32), (0, 0))
    assert (spoil._draw_or_nothing(profile, galaxy, (32, 32), (0, 0)) == 0).all()


@pytest.mark.parametrize("name", Contaminants.names())
def test_each_contaminant_alone(name):
    """It changes what it should, and nothing else."""
    touched = {
        "missing_pixels": {"data", "mask"},
        "wrong_psf": {"psf", "psf2"},
        "wrong_noise": {"sigma"},
    }.get(name, {"data", "mask", "sigma"})
    changed = set()
    for (arrays, row), (plain, plain_row) in _spoiled_galaxies(name):
        assert plain_row["contaminants"] == ""
        assert not plain["mask"].any()
        assert row["mag"] == plain_row["mag"]
        if name == "padding":
            assert 48 <= row["size"] < 128 <= plain_row["size"] <= 160
            continue
        assert row["size"] == plain_row["size"]
        changed |= {key for key in plain if not np.array_equal(arrays[key], plain[key])}
    assert changed <= touched
    assert changed or name in ("padding", "faint_neighbors", "bright_neighbors", "stars")


@pytest.mark.parametrize("name", ["bright_neighbors", "stars"])
def test_masks_of_bright_sources(name):
    """True is bad: most of the others' light is under the mask, and the galaxy is not."""
    rng, shape = np.random.default_rng(2), (101, 101)
    profile, _ = psfs.scale_to_star(psfs._DRAW["moffat"](rng), 3)
    galaxy = {"flux": 3e3, "r_eff": 4.0, "n": 1.0, "q": 0.7, "theta": 20.0, "dx": 0.0, "dy": 0.0}
    target = psfs.draw_galaxy(profile, galaxy, shape, (0, 0))
    draws = [getattr(spoil, name)(rng, galaxy, profile, target) for _ in range(12)]
    assert any(mask.any() for _, mask in draws)
    for light, mask in draws:
        assert not spoil.hides_center(mask)
        assert not mask[50, 50]
        assert (light[mask] > 0.25).all()  # that is, twice as much and two of them above 1
        assert light[~mask].max() < max(2.1, 2.1 * target.max())
        if mask.any():
            assert 0.5 < light[mask].sum() / light.sum() < 1  # a halo is left


def test_faint_neighbors_are_faint():
    rng, shape = np.random.default_rng(3), (200, 200)
    profile, _ = psfs.scale_to_star(psfs._DRAW["moffat"](rng), 3)
    galaxy = {"flux": 1e6, "r_eff": 4.0, "dx": 1.0, "dy": 0.0}
    light = [spoil.faint_neighbors(rng, galaxy, profile, shape).sum() for _ in range(20)]
    assert 0 <= min(light) < max(light) < 0.4 * galaxy["flux"]


def test_missing_pixels_leave_the_middle():
    rng = np.random.default_rng(4)
    for _ in range(50):
        mask, values = spoil.missing_pixels(rng, np.zeros((60, 61), bool))
        assert mask[20:40, 20:40].mean() <= 0.2
        assert ((values[mask] == 0) | np.isnan(values[mask]) | (values[mask] > 19)).all()
        assert (values[~mask] == 0).all()
    full = np.ones((60, 61), bool)  # where there is no room, nothing more is masked
    assert not spoil.missing_pixels(rng, full)[0].any()


def test_sky_and_noise_have_the_sizes_that_they_say():
    rng = np.random.default_rng(5)
    planes = np.array([spoil.sky(rng, (65, 129)) for _ in range(2000)])
    slope = planes[:, 32, 64 + 32] - planes[:, 32, 32]  # over 64 pixels
    assert_allclose(planes[:, 32, 64].std(), 0.05, rtol=0.1)
    assert_allclose(slope.std(), 0.03, rtol=0.1)
    assert_allclose((planes[:, 64] - planes[:, 0]).std(), 0.03, rtol=0.1)
    assert_allclose(np.diff(planes, 2, axis=1), 0, atol=1e-12)
    for _ in range(5):
        white = rng.standard_normal((300, 300))
        noise = spoil.correlate(rng, white)
        assert_allclose(noise.std(), white.std(), rtol=0.02)
        assert (noise[1:] * noise[:-1]).mean() > 0.005
    factors = [spoil.wrong_noise(rng) for _ in range(2000)]
    assert_allclose(np.std(np.log(factors)), 0.03, rtol=0.1)


@pytest.mark.parametrize("photon_map", [True, False])
def test_noise_maps(photon_map):
    """Noise is of the background and photons; the map has both, or the background alone."""
    rng = np.random.default_rng(6)
    view = galaxies.View("", None, 2.0, 31, 5.0, photon_map)
    light = np.full((200, 200), 40.0)
    data, sigma = sets._add_noise(light, view, {}, rng)
    assert_allclose(data.std(), 3, rtol=0.02)  # variance 1 + 40 / 5
    assert_allclose(data.mean(), 40, atol=0.1)
    assert_allclose(np.median(sigma), 3 if photon_map else 1, rtol=0.01)
