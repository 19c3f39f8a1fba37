"""The table of ``docs/trust/bad_input.rst``, line by line.

A bad call raises. A bad galaxy is flagged, and the others of its batch come out as without it.
"""

import copy

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, NDData, StdDevUncertainty
from astropy.table import QTable
from helpers.cutouts import SCALE, UNITS, ZEROPOINT
from helpers.toys import NOISE, PSF_SIGMA, draw, make_cutout, make_galaxies, psf_stamp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import convolve

from sersicnet import SersicNet, decode_flags
from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import draw_psf

# What rounding to float32 may move a median by: mag, r_eff in arcsec, n, q, theta in degrees, x, y.
ROUNDING = np.array([1e-3, 1e-3, 1e-2, 1e-3, 1e-2, 1e-3, 1e-3])
COSMOS, CANDELS = SimulationConfig.cosmos_f814w(), SimulationConfig.candels_f160w()


def noise_map(value=NOISE, shape=(32, 32)):
    return StdDevUncertainty(np.full(shape, value))


@pytest.fixture(scope="module")
def trained(trained):
    """One that knows of no range: after a short training, some good answers are beyond it."""
    net = copy.deepcopy(trained)
    net.label_range_ = None
    net.record_ = {}
    return net


@pytest.fixture(scope="module")
def good():
    """Three galaxies without fault."""
    return make_galaxies(3, seed=5)[0]


@pytest.fixture(scope="module")
def image(good):
    """The pixels of a galaxy; copy before changing."""
    return good[0].data


@pytest.fixture(scope="module")
def expected(trained, good):
    """Their parameters."""
    results = trained.predict(good)
    assert not results.flags.any()
    return results


@pytest.fixture
def predict(trained, good, expected):
    """A function: the results of one cutout, after a check that it leaves the others alone."""

    def predict_among_others(cutout, **options):
        results = trained.predict([good[0], cutout, *good[1:]], **options)
        others = [0, 2, 3]
        assert_same(medians(results)[others], medians(expected))
        for name in PARAMETERS:
            assert_allclose(results.error(name)[others], expected.error(name), rtol=1e-3)
        assert_array_equal(results.flags[others], 0)
        row = results.to_table()[1]
        values = np.array([getattr(row[name], "value", row[name]) for name in PARAMETERS])
        return values, Flags(int(row["flags"]))

    return predict_among_others


def medians(results):
    """Of all parameters, one row a galaxy."""
    return np.stack([results.median(name) for name in PARAMETERS], 1)


def measure(net, cutouts, **options):
    return medians(net.predict(cutouts, **options))


def assert_same(values, others):
    """Equal medians but for rounding."""
    assert_allclose((values - others) / ROUNDING, 0, atol=1)


# Bad calls


@pytest.mark.parametrize("nothing", [[], (), iter([])])
def test_empty_list(nothing, trained):
    with pytest.raises(ValueError, match="cutouts is empty: at least one cutout is needed"):
        trained.predict(nothing)


def test_empty_array(trained):
    with pytest.raises(ValueError, match=r"cutouts has shape \(0, 32, 32\): it holds no pixels"):
        trained.predict(np.zeros((0, 32, 32)), **UNITS)


@pytest.mark.parametrize("wrong", [None, 3.0, "galaxy.fits", b"galaxy", object()])
def test_wrong_type(wrong, trained):
    with pytest.raises(TypeError, match=f"cutouts must be an NDData.* not {type(wrong).__name__}"):
        trained.predict(wrong)


@pytest.mark.parametrize("wrong", [None, "galaxy.fits", {"a": 1}])
def test_wrong_type_in_a_list(wrong, trained, good):
    message = rf"cutouts\[1\] is of type {type(wrong).__name__}: an image is needed, as NDData"
    with pytest.raises(TypeError, match=message):
        trained.predict([good[0], wrong])


@pytest.mark.parametrize("dtype", [complex, bool, object, "U3"])
def test_pixels_that_are_no_numbers(dtype, trained, good):
    data = np.zeros((32, 32)).astype(dtype)
    with pytest.raises(TypeError, match=r"real numbers .* are needed"):
        trained.predict(data, **UNITS)
    if dtype is not object:  # astropy makes no NDData of these
        with pytest.raises(TypeError, match=r"cutouts\[1\] has data of type .*: real numbers"):
            trained.predict([good[0], NDData(data)], **UNITS)


@pytest.mark.parametrize("shape", [(32,), (2, 32, 32), (1, 1, 32, 32), (0, 32)])
def test_wrong_dimensions_in_a_list(shape, trained, good):
    with pytest.raises(ValueError, match=r"cutouts\[1\] has shape .*: a 2-D image with pixels"):
        trained.predict([good[0], make_cutout(np.zeros(shape))])


@pytest.mark.parametrize("shape", [(32,), (1, 1, 32, 32)])
def test_wrong_dimensions_of_an_array(shape, trained):
    with pytest.raises(ValueError, match=r"has shape .*: a 2-D image with pixels is needed"):
        trained.predict(np.zeros(shape), **UNITS)


def test_one_image_is_a_batch_of_one(trained, good, image):
    assert len(trained.predict(good[0])) == 1
    assert len(trained.predict(image, **UNITS)) == 1


@pytest.mark.parametrize("unit", ["m", "nJy / beam", "erg / (s cm2 AA)", "adu / m2"])
def test_unit_that_is_no_flux(unit, trained, good, image):
    with pytest.raises(u.UnitConversionError, match=r"cutouts\[1\]: the unit .* is (neither|a) "):
        trained.predict([good[0], make_cutout(image, unit=unit)])


def test_noise_in_a_unit_that_does_not_fit(trained, image):
    cutout = CCDData(image, unit="nJy", uncertainty=StdDevUncertainty(np.ones((32, 32))))
    cutout.uncertainty._unit = u.m  # astropy itself refuses to make one
    with pytest.raises(u.UnitConversionError, match="'m'"):
        trained.predict([cutout], pixel_scale=SCALE)


def test_mixed_units(trained, good, image, expected):
    """Each cutout is converted on its own."""
    to_njy = (1 * u.nJy).to_value(u.ABmag) - ZEROPOINT
    in_njy = image * 10 ** (0.4 * to_njy)
    noise = noise_map(NOISE * 10 ** (0.4 * to_njy))
    meta = {"PIXSCALE": SCALE}
    flux = make_cutout(in_njy, unit="nJy", uncertainty=noise, meta=meta)
    in_ujy = StdDevUncertainty(noise.array / 1000, unit="uJy")
    both = make_cutout(in_njy, unit="nJy", uncertainty=in_ujy, meta=meta)
    rate = make_cutout(image, unit="electron / s")
    plain = NDData(image, uncertainty=noise_map(), meta=good[0].meta)
    values = measure(trained, [good[0], flux, both, rate, plain])
    assert_same(values, values[0])
    assert_same(values[0], medians(expected)[0])


@pytest.mark.parametrize("unit", ["adu", "electron / s", "", None])
def test_counts_without_zero_point(unit, trained, good, image):
    cutout = NDData(image, unit=unit, uncertainty=noise_map(), meta={"PIXSCALE": SCALE})
    with pytest.raises(ValueError, match=r"cutouts\[1\] has .* no zero point: pass zeropoint="):
        trained.predict([good[0], cutout])
    assert_same(measure(trained, [cutout], zeropoint=ZEROPOINT), measure(trained, good[:1]))


def test_no_pixel_scale(trained, good, image):
    cutout = make_cutout(image, meta={"MAGZP": ZEROPOINT})
    with pytest.raises(ValueError, match=r"cutouts\[1\] has no pixel scale: pass pixel_scale="):
        trained.predict([good[0], cutout])
    with pytest.raises(ValueError, match="cutouts has no pixel scale"):
        trained.predict(np.stack([image, image]), zeropoint=ZEROPOINT)
    assert_same(measure(trained, [cutout], pixel_scale=SCALE), measure(trained, good[:1]))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"zeropoint": np.nan}, ValueError, "zeropoint=nan must be between -50 and 50"),
        ({"zeropoint": [25.0, 25.0]}, ValueError, r"zeropoint has shape \(2,\): one value, or one"),
        ({"zeropoint": 25 * u.s}, u.UnitConversionError, "zeropoint=.*'s'"),
        ({"zeropoint": "AB"}, TypeError, "zeropoint='AB' must be a number"),
        ({"pixel_scale": 0}, ValueError, "pixel_scale=0 must be 0.001 to 30 arcsec"),
        ({"pixel_scale": -0.1}, ValueError, "pixel_scale=-0.1 must be 0.001 to 30"),
        ({"pixel_scale": np.inf}, ValueError, "pixel_scale=inf must be 0.001 to 30"),
        ({"pixel_scale": 1 * u.pix}, u.UnitConversionError, "pixel_scale=.*'pix'"),
    ],
)
def test_impossible_zero_point_or_pixel_scale(options, error, message, trained, good):
    with pytest.raises(error, match=message):
        trained.predict(good, **options)


@pytest.mark.parametrize("name", ["mask", "uncertainty"])
def test_mask_or_noise_of_another_shape(name, trained, good, image):
    cutout = NDData(image, meta=good[0].meta, unit="adu", uncertainty=noise_map())
    if name == "mask":
        cutout.mask = np.zeros((31, 32), bool)
    else:
        cutout.uncertainty = noise_map(shape=(31, 32))
    message = rf"the {name} of cutouts\[1\] has shape \(31, 32\), its data \(32, 32\)"
    with pytest.raises(ValueError, match=message):
        trained.predict([good[0], cutout])


def test_prediction_before_fit(good):
    with pytest.raises(RuntimeError, match="has no trained network: call fit, or use from_pretr"):
        SersicNet().predict(good)


def test_unknown_weights():
    with pytest.raises(ValueError, match="name='hubble' must be one of the shipped weights: "):
        SersicNet.from_pretrained("hubble")


def test_weights_for_another_parameter_set(trained, good):
    net = copy.deepcopy(trained).set_params(parameters=("mag", "n"))
    with pytest.raises(ValueError, match=r"parameters=\('mag', 'n'\), but the network was trained"):
        net.predict(good)


# Bad galaxies


def test_all_nan(predict):
    values, flags = predict(make_cutout(np.full((32, 32), np.nan)))
    assert np.isnan(values).all()
    assert flags & Flags.NO_DATA


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_all_infinite(value, predict):
    values, flags = predict(make_cutout(np.full((32, 32), value)))
    assert np.isnan(values).all()
    assert flags & Flags.NO_DATA


def test_all_masked(predict, image):
    values, flags = predict(make_cutout(image, mask=np.ones((32, 32), bool)))
    assert np.isnan(values).all()
    assert flags & Flags.NO_DATA


@pytest.mark.parametrize("noise", [0, -1, np.nan, np.inf])
def test_no_usable_noise(noise, predict, image):
    values, flags = predict(make_cutout(image, uncertainty=noise_map(noise)))
    assert np.isnan(values).all()
    assert flags & Flags.NO_NOISE


@pytest.mark.parametrize("noise", [0, -1, np.nan, np.inf])
def test_some_pixels_without_noise(noise, predict, image, expected):
    for rows, expected_flags in ((slice(2, 4), 0), (slice(11, 12), Flags.BAD_PIXELS)):
        uncertainty = noise_map()
        uncertainty.array[rows, 5:20] = noise
        values, flags = predict(make_cutout(image, uncertainty=uncertainty))
        assert flags == expected_flags  # the galaxy is in the middle
        mask = np.zeros((32, 32), bool)
        mask[rows, 5:20] = True
        assert_same(values, predict(make_cutout(image, mask=mask))[0])


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_some_bad_pixels(value, predict, image):
    for places, expected_flags in (([1, 5, 28], 0), ([1, 5, 15], Flags.BAD_PIXELS)):
        data, mask = image.copy(), np.zeros((32, 32), bool)
        mask[places, [30, 4, 20]] = True
        data[mask] = value
        values, flags = predict(make_cutout(data))
        assert flags == expected_flags
        assert_same(values, predict(make_cutout(image, mask=mask))[0])
        assert predict(make_cutout(data, mask=mask))[1] == 0  # the user knew


def test_no_noise_map(predict, image):
    values, flags = predict(make_cutout(image, uncertainty=None))
    assert np.isfinite(values).all()
    assert flags == Flags.NOISE_ESTIMATED


def test_constant_image_without_noise_map(predict):
    values, flags = predict(make_cutout(np.full((32, 32), 7.0), uncertainty=None))
    assert np.isnan(values).all()
    assert flags & Flags.NO_NOISE


@pytest.mark.parametrize("dtype", ["i2", "i4", "u2", "u4", "i8", ">i2", ">i4", ">f4", ">f8", "f2"])
def test_numbers_of_any_type(dtype, predict, image):
    counts = np.round(10 * (image - image.min()))
    noise = noise_map(10 * NOISE)
    plain = predict(make_cutout(counts, uncertainty=noise))
    values, flags = predict(make_cutout(counts.astype(dtype), uncertainty=noise))
    assert_same(values, plain[0])
    assert flags == plain[1]


def test_big_endian_stack(trained, good):
    array = np.stack([cutout.data for cutout in good])
    swapped = array.astype(array.dtype.newbyteorder(">"))
    assert_array_equal(measure(trained, swapped, **UNITS), measure(trained, array, **UNITS))


BAD_PSFS = {
    "NaN": np.full((5, 5), np.nan),
    "infinite": np.full((5, 5), np.inf),
    "negative sum": np.full((5, 5), -1.0),
    "zero": np.zeros((5, 5)),
    "1-D": np.ones(5),
    "huge": np.ones((3, 1025)),
    "flat": np.ones((9, 9)),
}


@pytest.mark.parametrize("kind", BAD_PSFS)
def test_unusable_psf(kind, predict, trained, good, image):
    psf = BAD_PSFS[kind]
    values, flags = predict(make_cutout(image, psf=psf))
    assert flags == Flags.BAD_PSF
    assert_same(values, predict(make_cutout(image))[0])
    with pytest.raises(ValueError, match=r"psf (has|of|is)"):
        trained.predict(good, psf=psf)
    results = trained.predict(good, psf=[None, psf, psf_stamp()])
    assert results.flags.tolist() == [0, Flags.BAD_PSF, 0]


def star_of(shape):
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    return np.exp(-0.5 * (x**2 + y[:, None] ** 2) / PSF_SIGMA**2)


@pytest.mark.parametrize("shape", [(200, 200), (33, 41), (12, 12)])
def test_psf_of_any_size(shape, predict, trained, good, image):
    psf = star_of(shape)
    values, flags = predict(make_cutout(image, psf=psf))
    assert flags == 0
    assert_same(values, predict(make_cutout(image))[0])
    assert not trained.predict(good, psf=psf).flags.any()


def test_psf_that_is_given_comes_first(trained, image):
    cutout = make_cutout(image, psf=np.zeros((3, 3)))
    assert trained.predict([cutout]).flags == Flags.BAD_PSF
    assert trained.predict(cutout).flags == Flags.BAD_PSF
    assert trained.predict([cutout], psf=psf_stamp()).flags == 0


def test_psf_that_holds_no_numbers(trained, good):
    for psf in ("psf.fits", {"psf": np.ones((3, 3))}):
        with pytest.raises(TypeError, match=r"psf=.* must be a 2-D array of numbers"):
            trained.predict(good, psf=psf)


def test_wrong_number_of_psfs(trained, good):
    with pytest.raises(ValueError, match="psf has 2 stamps: one is needed, or one for each of 3"):
        trained.predict(good, psf=np.ones((2, 5, 5)))


def test_one_pixel(predict):
    values, flags = predict(make_cutout([[3.0]]))
    assert flags & Flags.CENTER_MASKED
    values, flags = predict(make_cutout([[3.0]], uncertainty=None))
    assert flags & Flags.NO_NOISE
    assert np.isnan(values).all()


def sky(shape=(32, 32), *, seed=8):
    return NOISE * np.random.default_rng(seed).normal(size=shape)


def test_empty_sky(predict):
    _, flags = predict(make_cutout(sky()))
    assert flags & Flags.LOW_SNR


def moved_galaxy(x_0, y_0, *, size):
    truth = make_galaxies(1)[1]
    truth["x_0"], truth["y_0"] = [x_0] * u.pix, [y_0] * u.pix
    return make_cutout(draw(truth[0], (size, size)) + sky((size, size)))


@pytest.mark.parametrize(("x_0", "y_0"), [(45, 31.5), (31.5, 12), (48, 50)])
def test_off_center(x_0, y_0, predict, trained):
    _, flags = predict(moved_galaxy(x_0, y_0, size=64))
    assert flags & Flags.OFF_CENTER


@pytest.mark.parametrize(("x_0", "y_0"), [(0, 16), (31, 31), (33, 20)])
def test_cut_by_the_edge(x_0, y_0, predict):
    _, flags = predict(moved_galaxy(x_0, y_0, size=32))
    assert flags & Flags.OFF_CENTER


def test_middle_masked(predict, image):
    mask = np.zeros((32, 32), bool)
    mask[14:18, 14:18] = True
    assert predict(make_cutout(image, mask=mask))[1] == Flags.CENTER_MASKED
    unknown = make_cutout(np.where(mask, np.nan, image))
    assert predict(unknown)[1] == Flags.CENTER_MASKED | Flags.BAD_PIXELS


def test_larger_than_the_stamp(predict):
    _, flags = predict(moved_galaxy(31.5, 31.5, size=64))
    assert flags == Flags.CROPPED


def test_extreme_pixels(predict):
    """As large as float64 allows: no overflow, and an answer or a flag."""
    for value in (1e300, -1e300, 1e-300):
        values, flags = predict(make_cutout(np.full((32, 32), value)))
        assert np.isfinite(values).all() or flags & Flags.PREDICTION_FAILED


def test_all_of_them_at_once(trained, good, expected, image):
    """Whatever else is in the batch, good galaxies get the same answer and bad ones a flag."""
    bad = [
        make_cutout(np.full((32, 32), np.nan)),
        make_cutout(image, uncertainty=noise_map(0)),
        make_cutout(sky()),
        make_cutout([[1.0]]),
        make_cutout(image, psf=np.zeros((3, 3))),
        make_cutout(sky((3, 500))),
    ]
    results = trained.predict([*bad, *good, *bad])
    n = len(bad)
    assert_same(medians(results)[n : n + 3], medians(expected))
    assert not results.flags[n : n + 3].any()
    assert results.flags[:n].all()
    assert_array_equal(results.flags[:n], results.flags[n + 3 :])
    assert all(decode_flags(results.flags[:n]))
    assert isinstance(results.to_table(), QTable)


# What only a network can tell that has learned its survey


def star(config, mag, *, seed=3):
    psf = draw_psf(config.psf, pixel_scale=config.pixel_scale)
    data = np.zeros((128, 128))
    low = 64 - psf.shape[0] // 2
    part = slice(max(low, 0), low + psf.shape[0])
    inner = slice(max(-low, 0), max(-low, 0) + 128)
    data[part, part] = 10 ** (-0.4 * (mag - config.zeropoint)) * psf[inner, inner]
    return survey_cutout(config, data, seed=seed, kernel=config.noise_kernel())


def survey_cutout(config, data, *, seed, kernel):
    noise = np.sqrt(config.sky_noise**2 + data.clip(0) / config.gain)
    white = np.random.default_rng(seed).normal(size=data.shape)
    data = data + noise * convolve(white, kernel, mode="wrap")
    return CCDData(data, unit=config.unit, uncertainty=StdDevUncertainty(noise))


SURVEYS = pytest.mark.parametrize(
    ("weights", "config"), [("deeplegato", CANDELS), ("cosmos", COSMOS)]
)


@SURVEYS
def test_star(weights, config):
    net = SersicNet.from_pretrained(weights)
    stars = [star(config, mag) for mag in (19, 20, 21, 22)]
    options = {"zeropoint": config.zeropoint, "pixel_scale": config.pixel_scale}
    for names in decode_flags(net.predict(stars, **options).flags):
        assert "UNRESOLVED" in names


@SURVEYS
def test_empty_sky_of_a_survey(weights, config):
    """In white noise: where it is correlated, some of its lumps pass for a source."""
    net = SersicNet.from_pretrained(weights)
    image, white = np.zeros((128, 128)), np.ones((1, 1))
    empty = [survey_cutout(config, image, seed=seed, kernel=white) for seed in range(4)]
    options = {"zeropoint": config.zeropoint, "pixel_scale": config.pixel_scale}
    for names in decode_flags(net.predict(empty, **options).flags):
        assert "LOW_SNR" in names


# -- Misspelled keywords -----------------------------------------------------------------------


def test_misspelled_keywords(trained, good):
    with pytest.raises(TypeError, match=r"predict\(\) .* 'zeropont': did you mean zeropoint"):
        trained.predict(good, zeropont=25)
    with pytest.raises(TypeError, match=r"predict\(\) .* 'psf_oversample': did you mean psf_over"):
        trained.score(good, None, psf_oversample=2)
    with pytest.raises(TypeError, match=r"fit\(\) .* 'validaton': did you mean validation"):
        trained.fit(good, validaton=None)
