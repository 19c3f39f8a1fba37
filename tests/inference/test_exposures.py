"""Exposures of galaxies that are fitted together, with one flux."""

import numpy as np
import pytest
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from helpers.rendered import labels_of, render
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags
from sersicnet.model.band_layout import LEAST_SNR, names_of_bands
from sersicnet.model.band_scene import BandScene
from sersicnet.model.layout import SERSIC
from sersicnet.model.prior import SNR_LIMITS
from sersicnet.model.scene_prior import log_density

PLACES = {"e1": (0.0, 0.0), "e2": (0.4, -0.3), "e3": (-0.2, 0.5)}
ZEROPOINTS = {"e1": 25.0, "e2": 26.0, "e3": 25.5}
WIDTHS = {"e1": 1.3, "e2": 1.5, "e3": 1.2}
UNITS = {"zeropoint": ZEROPOINTS, "pixel_scale": 0.1}


def psf(width):
    y, x = np.mgrid[-10:11, -10:11]
    image = np.exp(-0.5 * (x**2 + y**2) / width**2)
    return image / image.sum()


PSFS = {name: psf(width) for name, width in WIDTHS.items()}


@pytest.fixture(scope="module")
def exposures():
    rng = np.random.default_rng(3)
    found = {}
    for name, (dx, dy) in PLACES.items():
        brighter = 0.4 * (ZEROPOINTS[name] - 25)
        table = [
            labels_of(log_flux=flux + brighter, r_eff=3, dx=dx, dy=dy) for flux in (2.6, 2.9, 2.2)
        ]
        images = render(table, PSFS[name], size=48)
        found[name] = list(images + rng.standard_normal(images.shape))
    return found


@pytest.fixture(scope="module")
def found(net, exposures):
    return net.predict(exposures, psf=PSFS, exposures=True, **UNITS)


def test_one_magnitude_in_all(net, exposures, found):
    table = found.to_table()
    truth = 25 - 2.5 * np.array([2.6, 2.9, 2.2])
    assert (np.abs(found.median("mag") - truth) < 5 * found.error("mag")).all()
    apart = net.predict(exposures, psf=PSFS, **UNITS).to_table()
    for name in PLACES:
        assert_allclose(table[f"mag_{name}"].value, found.median("mag"), atol=0.01)
        assert (table[f"mag_{name}_err"] < 1.05 * apart[f"mag_{name}_err"]).all()
    assert found.meta["EXPOSURE"] == "one flux in all bands"
    assert not [name for name in table.colnames if name.startswith("color_")]


def test_an_exposure_that_does_not_show_a_galaxy(net, exposures, found):
    fewer = exposures | {"e3": [exposures["e3"][0], None, np.full((48, 48), np.nan)]}
    other = net.predict(fewer, psf=PSFS, exposures=True, **UNITS)
    assert other.flags[1] & int(Flags.MISSING_BAND)
    assert other.flags_of("e3")[2] & int(Flags.NO_DATA)
    assert_allclose(other.median("mag")[0], found.median("mag")[0], atol=2e-3)
    change = other.median("mag") - found.median("mag")
    assert (np.abs(change) < 5 * found.error("mag")).all()


def test_importance_sampling(net, exposures, found):
    fewer = {name: images[:2] for name, images in exposures.items()}
    fewer["e1"] = [fewer["e1"][0], None]
    options = {"psf": PSFS, "exposures": True, "refine": "importance"}
    other = net.predict(fewer, **options, **UNITS)
    table = other.to_table()
    assert other.meta["EXPOSURE"] == "one flux in all bands"
    assert (table["ess"] > 100).all()
    assert np.isfinite(table["log_evidence"]).all()
    fitted = found.to_table()[:2]
    for name in ("mag_e2", "r_eff", "n"):
        away = (table[name] - fitted[name]) / fitted[f"{name}_err"]
        assert (np.abs(away) < 2).all()  # also without an exposure
        ratio = table[f"{name}_err"] / fitted[f"{name}_err"]
        assert ((ratio > 0.7) & (ratio < 1.8)).all()
    # the reference exposure does not show the second galaxy
    assert_array_equal(other.flags & int(Flags.MISSING_BAND) != 0, [False, True])
    assert_array_equal(np.isnan(table["mag"]), [False, True])
    assert_array_equal(np.isnan(table["mag_e1"]), [False, True])
    assert np.isfinite(table["mag_e3"]).all()
    drawn = other.samples(100)
    tie = (drawn["mag_e2"] - drawn["mag_e3"]).std(axis=1)
    assert (tie < 0.01).all()  # each is tied to the first that shows the galaxy, to 0.0025 mag
    assert np.isnan(drawn["mag_e1"][1]).all()


@pytest.mark.parametrize("names", [("deep", "shallow"), ("shallow", "deep")])
def test_an_exposure_that_is_too_shallow_to_show_a_galaxy(net, names):
    """The magnitude is that of the deep one: S/N of the shallow one are 0.3 and 0.1."""
    rng = np.random.default_rng(5)
    images = render([labels_of(log_flux=2.4, r_eff=3)] * 4, PSFS["e1"], size=48)
    levels = {"deep": np.ones(4), "shallow": np.array([30.0, 30.0, 100.0, 100.0])}
    cutouts = {}
    for name in names:
        noise = levels[name][:, None, None] * np.ones(images.shape)
        noisy = images + noise * rng.standard_normal(images.shape)
        cutouts[name] = []
        for image, sigma in zip(noisy, noise, strict=True):
            cutouts[name].append(NDData(image, uncertainty=StdDevUncertainty(sigma)))
    options = {"psf": PSFS["e1"], "pixel_scale": 0.1, "zeropoint": 25.0}
    together = net.predict(cutouts, exposures=True, **options)
    table = together.to_table()
    alone = net.predict(cutouts["deep"], refine="lm", **options)
    for name in names:
        away = (table[f"mag_{name}"].value - alone.median("mag")) / alone.error("mag")
        assert (np.abs(away) < 0.5).all()
        ratio = table[f"mag_{name}_err"].value / alone.error("mag")
        assert ((ratio > 0.7) & (ratio < 1.3)).all()
    assert not (together.flags & int(Flags.AT_BOUND | Flags.NOT_REFINED)).any()


def test_zero_points_that_contradict(net, exposures):
    wrong = UNITS | {"zeropoint": ZEROPOINTS | {"e2": 25.0}}
    with pytest.warns(AstropyUserWarning) as caught:
        other = net.predict(exposures, psf=PSFS, exposures=True, **wrong)
    assert "brighter in the exposure 'e2' than in 'e1'" in str(caught[0].message)
    doubtful = int(Flags.NOT_REFINED | Flags.MISFIT | Flags.HIGH_CHI2)
    assert (other.flags[:2] & doubtful != 0).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "point"}, "one Sersic profile"),
        ({"neighbors": "fit"}, "neighbors='fit'"),
    ],
)
def test_what_is_not_possible(net, exposures, options, words):
    with pytest.raises(ValueError, match=words):
        net.predict(exposures, psf=PSFS, exposures=True, **UNITS, **options)


def test_exposures_are_a_dict(net, exposures):
    with pytest.raises(ValueError, match="needs a dict of cutouts"):
        net.predict(exposures["e1"], psf=PSFS["e1"], pixel_scale=0.1, zeropoint=25, exposures=True)


def test_ties_of_fluxes():
    """Quantities and their derivatives agree."""
    n = 2
    matrices = torch.eye(2, dtype=torch.float64).expand(n, 3, -1, -1)
    places = torch.zeros(n, 3, 2, dtype=torch.float64)
    shift_err = torch.full((n,), 0.5, dtype=torch.float64)
    scene = BandScene.of_bands(["a", "b", "c"], matrices, places, shift_err)
    tied = scene.tied(torch.full((n, 2), 0.4, dtype=torch.float64))
    names = names_of_bands(SERSIC, ("a", "b", "c"), shifted=("b", "c"))
    values = torch.randn(n, len(names), dtype=torch.float64)
    found = tied.quantities(values)
    assert_allclose(found[:, -2:], values[:, 7:9] - values[:, 6:7])
    assert_allclose(tied.quantity_slopes(values) @ values[:, :, None], found[:, :, None])
    assert_allclose(tied.normals[:, -2:, 0], 0.4)
    # their density is that of one flux, times that of the others given the first
    values = torch.zeros(n, len(names), dtype=torch.float64)
    values[:, 6:9] = 2.5
    values[:, 7:9] += 0.4
    labels = scene.labels(values)
    change = log_density(tied, values, labels) - log_density(scene, values, labels)
    width = np.log10(SNR_LIMITS[1] / LEAST_SNR)
    assert_allclose(change, 2 * np.log(width / (np.sqrt(2 * np.pi) * 0.001)))
