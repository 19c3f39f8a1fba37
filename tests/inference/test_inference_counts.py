"""Galaxies in counts, and noise with outliers, through `SersicNet.predict`."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, NDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from helpers.cutouts import UNITS
from helpers.predicted import assert_same
from helpers.rendered import labels_of, render, star
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

from sersicnet import Flags, SersicNet

SKY = 0.3
TABLE = [labels_of(snr=60, r_eff=3), labels_of(snr=40, r_eff=4, q=0.8), labels_of(snr=90, n=1)]
# Labels have fluxes in units of the noise of the sky.
COUNTS = {"psf": star(), "pixel_scale": 0.1, "zeropoint": 25 + 2.5 * np.log10(SKY**0.5)}


@pytest.fixture(scope="module")
def images():
    light = render(TABLE, star(), size=48).clip(0)
    return np.random.default_rng(4).poisson(SKY + SKY**0.5 * light).astype(float)


@pytest.fixture(scope="module")
def found(net, images):
    return net.predict(images, likelihood="poisson", **COUNTS)


def test_counts_are_fitted(found):
    table = found.to_table()
    assert_array_equal(found.flags & int(Flags.NOT_REFINED | Flags.MISFIT), 0)
    for name, column in (("mag", 0), ("n", 2)):
        truth = np.array(TABLE)[:, column]
        if name == "mag":
            truth = 25 - 2.5 * truth
        assert (np.abs(found.median(name) - truth) < 5 * found.error(name)).all()
    assert_allclose(table["sky"], SKY, rtol=0.2)
    assert (found.samples(50)["sky"] > 0).all()
    assert_allclose(found.samples(50)["sky"].mean(axis=1), table["sky"], rtol=0.1)
    assert found.meta["LIKELIHD"] == "poisson"
    assert found.meta["PHOTONS"] == "in the Poisson likelihood"
    assert found.meta["REFINE"] == "lm (the likelihood needs a fit)"
    assert found.meta["SKY"] == "free, above 0"


def test_numbers_without_a_profile(net, images, found):
    """The whole sky is subtracted once, and the noise has the photons of the galaxy."""
    table = net.predict(images, likelihood="poisson", morphology=True, **COUNTS).to_table()
    assert_allclose(table["r50"].value, found.median("r_eff"), rtol=0.25)
    assert (np.abs(table["residual_fraction"]) < 0.1).all()
    assert (np.abs(table["rms_asymmetry2"]) < 5 * table["rms_asymmetry2_err"]).all()


def test_models_are_drawn_in_the_users_image(found, images):
    assert found.model_image(0, images[0]).shape == images[0].shape


def test_integers_and_noise_maps_change_nothing(net, images, found):
    cutouts = []
    for image in images.astype(np.int32):
        cutouts.append(
            NDData(image, uncertainty=StdDevUncertainty(np.sqrt(image)), unit="electron")
        )
    assert_same(net.predict(cutouts, likelihood="poisson", **COUNTS), found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda image: image - 5, "negative"),
        (lambda image: image * 1.01, "not integers"),
        (np.zeros_like, "no count"),
    ],
)
def test_what_is_not_of_counts_has_a_flag(net, images, found, change, words):
    stack = images.copy()
    stack[1] = change(stack[1])
    with pytest.warns(AstropyUserWarning, match=words):
        other = net.predict(stack, likelihood="poisson", **COUNTS)
    assert other.flags[1] & int(Flags.NOT_COUNTS)
    assert other.flags[1] & int(Flags.NO_DATA | Flags.BAD_PIXELS | Flags.CENTER_MASKED) == 0
    assert np.isnan(other.median("mag")[1])
    assert_allclose(other.median("mag")[[0, 2]], found.median("mag")[[0, 2]], atol=1e-3)


def test_bad_pixels_may_be_masked(net, images, found):
    mask = np.zeros(images.shape, dtype=bool)
    mask[0, :4, :4] = True
    spoiled = np.where(mask, -99.0, images)
    masked = net.predict(NDData(spoiled, mask=mask), likelihood="poisson", **COUNTS)
    assert masked.flags[0] & int(Flags.NOT_COUNTS) == 0
    assert_allclose(masked.median("mag")[0], found.median("mag")[0], atol=0.1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"likelihood": "cauchy"}, "must be 'gaussian', 'poisson' or 'student'"),
        ({"likelihood": "poisson", "noise_correlation": np.eye(3)}, "independent pixels"),
        ({"likelihood": "student", "noise_correlation": np.eye(3)}, "independent pixels"),
        ({"likelihood": "poisson", "sky": "fixed"}, "fits the sky that is in the data"),
        ({"likelihood": "poisson", "sky_err": 0.1}, "fits the sky that is in the data"),
        ({"likelihood": "student", "sky": "plane"}, "constant sky"),
        ({"likelihood": "poisson", "model": "sersic+exp"}, "one Sersic profile in one band"),
        ({"likelihood": "student", "neighbors": "fit", "refine": "lm"}, "one Sersic profile"),
        ({"likelihood": "poisson", "gain": 2.0}, "gain= is not used"),
    ],
)
def test_calls_that_make_no_sense(net, images, settings, words):
    with pytest.raises(ValueError, match=words):
        net.predict(images, **COUNTS, **settings)


@pytest.mark.parametrize("unit", ["nJy", "electron / s", "adu"])
def test_rates_and_fluxes_are_no_counts(net, images, unit):
    cutout = CCDData(images[0], unit=u.Unit(unit))
    with pytest.raises(ValueError, match="neither rates nor fluxes"):
        net.predict([cutout], likelihood="poisson", **COUNTS)


def test_several_bands_and_other_networks(net, images):
    with pytest.raises(ValueError, match="several bands and likelihood='poisson'"):
        net.predict({"r": images}, likelihood="poisson", **COUNTS)
    plain = SersicNet.from_pretrained("deeplegato")
    with pytest.raises(ValueError, match="needs the posterior network"):
        plain.predict(images, likelihood="student", **UNITS)


def test_importance_has_the_same_answer(net, images, found):
    drawn = net.predict(images[:1], likelihood="poisson", refine="importance", **COUNTS)
    table = drawn.to_table()
    assert table["ess"][0] > 100
    assert np.isnan(table["log_evidence"][0])  # the sky has no prior
    assert_allclose(table["sky"], SKY, rtol=0.2)
    assert_allclose(drawn.samples(50)["sky"].mean(), SKY, rtol=0.2)
    change = drawn.median("mag") - found.median("mag")[:1]
    assert abs(change / found.error("mag")[:1]) < 1


def test_gaussian_is_the_default_and_student_robust(net, four, refined):
    same = net.predict(four[:2], refine="lm", likelihood="gaussian")
    assert_array_equal(same.quantiles, net.predict(four[:2], refine="lm").quantiles)
    student = net.predict(four, refine="lm", likelihood="student")
    assert student.meta["LIKELIHD"] == "student (4 degrees of freedom)"
    assert student.meta["NOISECOR"] == "none"
    plain = refined["lm"]
    for name in ("mag", "r_eff", "q"):
        assert_allclose(student.error(name) / plain.error(name), 1.05, atol=0.2)
        change = (student.median(name) - plain.median(name)) / plain.error(name)
        assert (np.abs(change) < 1.5).all()


def test_masked_pixels_of_large_cutouts_change_no_unit(net):
    light = render([labels_of(snr=200, r_eff=25)], star(), size=200).clip(0)
    image = np.random.default_rng(4).poisson(SKY + SKY**0.5 * light).astype(float)
    mask = np.random.default_rng(1).random(image.shape) < 0.2  # more than half of the 2 x 2 pixels
    whole = net.predict(image, likelihood="poisson", **COUNTS)
    masked = net.predict(NDData(image, mask=mask), likelihood="poisson", **COUNTS)
    assert masked.flags[0] & int(Flags.BINNED)
    assert_allclose(masked.to_table()["sky"], whole.to_table()["sky"], rtol=0.05)
    assert 1.05 < masked.error("mag")[0] / whole.error("mag")[0] < 1.25  # 1 / 0.8^0.5 is 1.12


def test_student_in_correlated_noise_has_a_flag(net):
    rng = np.random.default_rng(5)
    white = rng.standard_normal((48, 48))
    smooth = ndimage.gaussian_filter(white, 0.8)
    light = render([labels_of(snr=60, r_eff=3)], star(), size=48)[0]
    sigma = StdDevUncertainty(np.ones((48, 48)))
    cutouts = [NDData(light + each / each.std(), uncertainty=sigma) for each in (white, smooth)]
    options = COUNTS | {"likelihood": "student"}
    found = net.predict(cutouts, **options).flags & int(Flags.CORRELATION_UNKNOWN)
    assert_array_equal(found != 0, [False, True])
    known = net.predict(cutouts[1:], noise_correlation=None, **options)
    assert known.flags[0] & int(Flags.CORRELATION_UNKNOWN) == 0


def test_fits_of_bright_galaxies_in_counts_are_taken(net):
    """Far from the network's answer, which knows nothing of the photons of the galaxy."""
    light = render([[5.0, np.log10(3), 4, 0.2, 0, 0.2, -0.3]], star(), size=48).clip(0)
    sky = 0.1
    rng = np.random.default_rng(101)
    counts = rng.poisson(sky + sky**0.5 * np.repeat(light, 12, axis=0)).astype(float)
    options = COUNTS | {"zeropoint": 25 + 2.5 * np.log10(sky**0.5)}
    found = net.predict(counts, likelihood="poisson", **options)
    assert_array_equal(found.flags & int(Flags.NOT_REFINED), 0)
    assert (np.abs(found.median("n") - 4) < 5 * found.error("n")).all()
