"""A survey's numbers are right, checked, and kept."""

import dataclasses
import json

import galsim
import numpy as np
import pytest
from numpy.testing import assert_allclose
from photutils.aperture import CircularAperture

from sersicnet.parameters import PARAMETERS, Prior
from sersicnet.simulate_catalog.config import PSFModel, SimulationConfig
from sersicnet.simulate_catalog.render import draw_psf

CANDELS = SimulationConfig.candels_f160w()
COSMOS = SimulationConfig.cosmos_f814w()
STAMP = np.outer([1, 2, 1], [1.0, 3.0, 1.0])


def encircled(stamp, radius):
    """Share of the light of a stamp within a circle of ``radius`` pixels."""
    middle = (len(stamp) - 1) / 2
    return CircularAperture((middle, middle), radius).do_photometry(stamp)[0][0] / stamp.sum()


# --- the presets ------------------------------------------------------------------------------


def test_candels_is_the_benchmark():
    """PSF and depth are those on which other codes were measured (docs, user guide)."""
    faint = 10 ** (-0.4 * (24 - 25.946))
    sky_noise = 0.5 * faint / (12.5 * np.sqrt(np.pi * (0.3 / 0.06) ** 2))
    assert_allclose(CANDELS.sky_noise, sky_noise, rtol=2e-6)
    assert (CANDELS.pixel_scale, CANDELS.zeropoint, CANDELS.gain) == (0.06, 25.946, 3200)
    psf = galsim.Moffat(beta=3, fwhm=0.18, trunc=1.2)
    expected = psf.drawImage(nx=41, ny=41, scale=0.06, dtype=float).array
    assert_allclose(draw_psf(CANDELS.psf, pixel_scale=0.06), expected / expected.sum(), atol=1e-12)


def test_candels_is_the_default():
    assert SimulationConfig() == CANDELS


def test_cosmos_psf_has_the_encircled_energy_that_is_documented():
    low, high = COSMOS.psf.jitter
    psfs = {
        jitter: draw_psf(COSMOS.psf, pixel_scale=0.03, jitter=jitter)
        for jitter in (low, (low + high) / 2, high)
    }
    inner, outer = ([encircled(psf, radius) for psf in psfs.values()] for radius in (2.5, 4.5))
    assert inner[1] == pytest.approx(0.50, abs=0.005)
    assert outer[1] == pytest.approx(0.81, abs=0.005)
    assert np.ptp(inner) < 0.07


def test_cosmos_noise_is_correlated_by_what_is_documented():
    kernel = COSMOS.noise_kernel()
    assert (kernel**2).sum() == pytest.approx(1)  # the noise of one pixel stays what it was
    assert (kernel[1:] * kernel[:-1]).sum() == pytest.approx(0.48, abs=0.005)
    assert_allclose(kernel, kernel.T)
    assert_allclose(kernel, kernel[::-1, ::-1])


def test_white_noise_has_the_kernel_one():
    np.testing.assert_array_equal(CANDELS.noise_kernel(), [[1.0]])


# --- written and read back --------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        CANDELS,
        COSMOS,
        CANDELS.replace(name="é, \"quoted\" & 'long' " * 9, gain=np.inf, n_neighbors=0.1 + 0.2),
        CANDELS.replace(psf=PSFModel("image", image=STAMP / 7)),
        CANDELS.replace(psf=PSFModel(fwhm=(0.1, 0.2), jitter=(0.0, 1 / 3))),
        CANDELS.replace(priors={"n": Prior(1, 2)}, neighbor_mag=Prior(-1, 1 / 3)),
    ],
)
def test_config_survives_json_exactly(config):
    assert SimulationConfig.from_dict(config.to_dict()) == config
    assert SimulationConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_numbers_of_numpy_become_those_of_python():
    config = CANDELS.replace(
        pixel_scale=np.float32(0.5), stamp_size=[np.int64(9), np.int64(11)], gain=3
    )
    assert config == CANDELS.replace(pixel_scale=0.5, stamp_size=(9, 11), gain=3.0)
    assert json.loads(json.dumps(config.to_dict()))["stamp_size"] == [9, 11]
    assert PSFModel(fwhm=[0.1, 0.2]) == PSFModel(fwhm=(0.1, 0.2))


def test_psf_models_can_be_dictionary_keys():
    models = [
        PSFModel(fwhm=np.array([0.1, 0.2])),
        PSFModel(fwhm=(0.1, 0.2)),
        PSFModel("image", image=STAMP),
        PSFModel("image", image=STAMP.tolist()),
    ]
    assert len(set(models)) == 2


def test_replace_merges_priors():
    config = CANDELS.replace(priors={"n": Prior(4.0, 4.0)}, gain=1.0)
    assert config.priors == CANDELS.priors | {"n": Prior(4.0, 4.0)}
    assert config.gain == 1
    assert CANDELS.priors["n"] == Prior(0.5, 6.0)


def test_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CANDELS.gain = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        CANDELS.psf.fwhm = 1.0


def test_every_field_is_documented():
    for kind in (PSFModel, SimulationConfig):
        for field in dataclasses.fields(kind):
            assert f"{field.name} : " in kind.__doc__ or f"{field.name}, " in kind.__doc__


# --- bad numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixel_scale": 0}, "pixel_scale=0 must be positive"),
        ({"pixel_scale": np.inf}, "pixel_scale=inf must be positive"),
        ({"zeropoint": np.nan}, "zeropoint=nan must be finite"),
        ({"zeropoint": -np.inf}, "zeropoint=-inf must be finite"),
        ({"gain": -1}, "gain=-1 must be positive"),
        ({"sky_noise": np.nan}, "sky_noise=nan must be positive"),
        ({"folding_threshold": 0}, "folding_threshold=0 must be positive"),
        ({"noise_correlation": -0.1}, "noise_correlation=-0.1 must be zero or positive"),
        ({"center_jitter": -1}, "center_jitter=-1 must be zero or positive"),
        ({"n_neighbors": np.inf}, "n_neighbors=inf must be zero or positive"),
        ({"stamp_size": (9, 8)}, r"stamp_size=\(9, 8\) must be two positive integers in order"),
        ({"stamp_size": (0, 8)}, r"stamp_size=\(0, 8\) must be two positive integers"),
        ({"stamp_size": (8, 9.5)}, r"stamp_size=\(8, 9.5\) must be two positive integers"),
        ({"priors": {"mass": Prior(0, 1)}}, r"priors=.* must be given for mag, r_eff, n, q, theta"),
        ({"priors": {"n": Prior(0.1, 4)}}, "prior of n, from 0.1 to 4, must be within 0.3 to 6.2"),
        ({"priors": {"q": Prior(0.5, 1.1)}}, "prior of q, from 0.5 to 1.1, must be within"),
        ({"priors": {"r_eff": Prior(-1, 1)}}, "prior of r_eff, from -1 to 1, must be within"),
        ({"stamp_size": 128}, "stamp_size=128 must be two positive integers in order"),
        ({"unit": "furlong / bottle"}, "furlong"),
        ({"unit": "nJy"}, "zeropoint=25.946 must be 31.4000, that of the unit nJy"),
        ({"unit": "m"}, "the unit m is neither a flux density"),
    ],
)
def test_bad_surveys_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        CANDELS.replace(**changes)


def test_unit_that_is_a_flux_density():
    assert CANDELS.replace(unit="nJy", zeropoint=31.4).unit == "nJy"


def test_bad_kinds_are_named():
    with pytest.raises(TypeError, match=r"psf='moffat' must be a PSFModel"):
        CANDELS.replace(psf="moffat")
    with pytest.raises(TypeError, match=r"the prior of n, \(1, 2\), must be a Prior"):
        CANDELS.replace(priors={"n": (1, 2)})
    with pytest.raises(TypeError, match=r"the prior of neighbor_mag, 3, must be a Prior"):
        CANDELS.replace(neighbor_mag=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"family": "sersic"}, "family='sersic' must be one of moffat, gaussian, kolmogorov"),
        ({"family": "image"}, "family='image' must come with image="),
        ({"image": STAMP}, "family='moffat' must come with image= if, and only if, it is 'image'"),
        ({"family": "image", "image": STAMP[0]}, r"image of shape \(3,\) must be a finite 2-D"),
        ({"family": "image", "image": -STAMP}, "2-D stamp of positive sum"),
        ({"family": "image", "image": STAMP * np.nan}, "must be a finite 2-D stamp"),
        ({"fwhm": 0}, "fwhm=0 must be positive arcsec, or two of them in order"),
        ({"fwhm": (0.2, 0.1)}, r"fwhm=\(0.2, 0.1\) must be positive arcsec, or two"),
        ({"fwhm": (0.1, 0.2, 0.3)}, "fwhm=.* must be positive arcsec, or two of them in order"),
        ({"jitter": -0.1}, "jitter=-0.1 must be positive arcsec"),
        ({"jitter": np.nan}, "jitter=nan must be positive arcsec"),
        ({"beta": 1}, "beta=1 must be above 1"),
        ({"truncation": -1}, "truncation=-1 must be a radius in arcsec, or 0"),
        ({"obscuration": 1.0}, r"obscuration=1.0 must be in \[0, 1\)"),
        ({"size": 0}, "size=0 must be a positive integer"),
        ({"size": 4.5}, "size=4.5 must be a positive integer"),
    ],
)
def test_bad_psfs_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        PSFModel(**arguments)


def test_presets_stay_within_what_can_be_measured():
    for config in (CANDELS, COSMOS):
        for name, prior in config.priors.items():
            assert PARAMETERS[name].lower <= prior.lower < prior.upper <= PARAMETERS[name].upper
