"""What fits assume about the pixels: the prior of the sky, and the correlation of the noise."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import NDData
from helpers.correlated import gaussian_correlation, smoothed
from helpers.cutouts import UNITS
from helpers.refined import KINDS, kinds
from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import SersicNet
from sersicnet.flags import Flags
from sersicnet.inference.assumptions import Assumptions, plain_width
from sersicnet.preprocessing import drizzle_correlation
from sersicnet.preprocessing.batches import open_cutouts
from sersicnet.preprocessing.stamps import CheckedCutout


def widths(cutouts, *, bins=1, **options):
    """Widths of the priors of some cutouts, in units of the data of the stamps."""
    (batch,) = open_cutouts(cutouts, stamp_size=64 // bins, psf=star(), **UNITS)
    stamps = batch.prepare(np.arange(len(batch)), bins=bins)
    return Assumptions(**options).of(batch, stamps).sky_err


@pytest.mark.parametrize("sky", ["flat", "PRIOR", None, True])
def test_unknown_skies(sky):
    with pytest.raises(
        ValueError, match=rf"sky={sky!r} must be 'prior', 'free', 'fixed' or 'plane'"
    ):
        Assumptions(sky=sky)


@pytest.mark.parametrize("sky_err", [0.0, -1.0, np.nan, np.inf, [0.1, -0.1], True, -1 * u.nJy])
def test_widths_that_are_none(sky_err):
    with pytest.raises(ValueError, match=r"sky_err=.* must be positive and finite"):
        Assumptions(sky_err=sky_err)


@pytest.mark.parametrize("sky_err", ["wide", [None], {"g": 1}])
def test_widths_that_are_no_numbers(sky_err):
    with pytest.raises(TypeError, match=r"sky_err=.* must be a number, a Quantity"):
        Assumptions(sky_err=sky_err)


@pytest.mark.parametrize("sky", ["free", "fixed"])
def test_a_width_needs_a_prior(sky):
    with pytest.raises(
        ValueError, match=r"sky_err=0.1 is the width of a prior: it needs sky=.* or 'plane'"
    ):
        Assumptions(sky=sky, sky_err=0.1)


def test_a_width_for_each_cutout():
    images = np.ones((3, 64, 64))
    assert_allclose(widths(images, sky_err=[0.1, 0.2, 0.3]), [0.1, 0.2, 0.3])
    net = SersicNet.from_pretrained()
    with pytest.raises(ValueError, match=r"sky_err has shape \(2,\): one value, or one for each"):
        net.predict(images, psf=star(), sky_err=[0.1, 0.2], **UNITS)


def test_widths_in_stamps():
    """In units of the median noise, or in the unit of the data; also where pixels are binned."""
    noisy = [make_cutout(np.zeros((64, 64)), noise=5.0)]
    assert widths(noisy, sky="free") == np.inf
    assert widths(noisy, sky="fixed") == 0
    assert_allclose(widths(noisy), 0.03)
    assert_allclose(widths(noisy, sky_err=0.1 * u.adu), 0.02)
    # sums of 4 x 4 pixels have 16 times their sky and 4 times their noise
    assert_allclose(widths(noisy, bins=4), 0.12)
    assert_allclose(widths(noisy, bins=4, sky_err=0.1 * u.adu), 0.08)


def test_widths_in_another_unit():
    with pytest.raises(u.UnitConversionError, match="has another unit than the data, adu"):
        widths([make_cutout(np.zeros((64, 64)))], sky_err=1 * u.nJy)
    assert_allclose(plain_width(1 * u.uJy, u.nJy), 1000)
    with pytest.raises(u.UnitConversionError, match="has another unit than the data, None"):
        plain_width(1 * u.uJy, None)


def test_windows_know_the_error_of_their_sky():
    """The larger one of that and of 0.03."""
    pixels = np.ones((64, 64)), np.full((64, 64), 2.0), np.zeros((64, 64), bool)
    windows = [CheckedCutout(*pixels, sky_err=err) for err in (None, 0.001, 0.2)]
    assert_allclose(widths(windows), [0.03, 0.03, 0.1])


@kinds
def test_skies_are_in_the_samples(net, four, refined, kind):
    """Their mean is that of the fit, their scatter at most that of the prior."""
    drawn = refined[kind].samples(400)["sky"] / NOISE
    assert drawn.shape == (4, 400)
    fitted = refined["lm"].columns["sky"] / NOISE
    assert_allclose(drawn.mean(axis=1), fitted, atol=0.005)
    assert (drawn.std(axis=1) < 0.035).all()
    tight = net.predict(four, refine=KINDS[kind], sky_err=1e-4).samples(400)["sky"] / NOISE
    assert np.abs(tight).max() < 1e-3
    assert (net.predict(four, refine=KINDS[kind], sky="fixed").samples(10)["sky"] == 0).all()


def test_a_sample_of_the_sky_belongs_to_its_galaxy(net):
    """A brighter galaxy leaves less sky, where both are uncertain."""
    image = add_noise(render([labels_of(snr=60, r_eff=8, n=2)], star(), size=64))[0]
    found = net.predict([make_cutout(image)], refine="lm", sky="free")
    drawn = found.samples(1000)
    assert np.corrcoef(drawn["mag"][0], drawn["sky"][0])[0, 1] > 0.3
    assert_allclose(drawn["sky"].mean(), found.columns["sky"][0], atol=0.1 * drawn["sky"].std())


def test_a_fit_of_an_array_has_skies_as_well(net):
    images = add_noise(render([labels_of(snr=60)], star()))
    found = net.predict(NDData(images, unit="adu"), psf=star(), refine="lm", **UNITS)
    assert np.isfinite(found.samples(3)["sky"]).all()


@pytest.mark.parametrize("sky", ["prior", "free", "fixed"])
def test_a_sky_that_is_too_far_is_told(net, sky):
    """By the sky that a fit without a prior would find, whatever was assumed."""
    images = render([labels_of(snr=100, r_eff=3)] * 3, star())
    images = add_noise(images + np.array([0, 0.3, 100])[:, None, None])
    found = net.predict([make_cutout(image) for image in images], refine="lm", sky=sky)
    told = (found.flags & int(Flags.SKY_DEGENERATE | Flags.NOT_REFINED)) != 0
    assert told.tolist() == [False, True, True]


def sky_told(net, images, **options):
    """Whether the sky of each image of small cutouts is told to be in doubt."""
    found = net.predict([make_cutout(image) for image in images], refine="lm", **options)
    return found.flags & int(Flags.SKY_DEGENERATE) != 0


@pytest.mark.parametrize("side", [32, 64])
def test_a_sky_of_a_third_of_the_noise_is_told(net, side):
    """Nearly always, and hardly ever in cutouts without one."""
    sizes = np.linspace(1.5, side / 10, 12)
    table = [labels_of(snr=60, r_eff=size, n=1 + i % 4) for i, size in enumerate(sizes)]
    images = render(table, star(), size=side)
    assert np.mean(sky_told(net, add_noise(images + 0.3))) > 0.8
    assert np.mean(sky_told(net, add_noise(images))) < 0.2


def test_an_answer_that_rests_on_the_sky_is_told(net):
    """A sky that a cutout does not show, but that changes the galaxy; not in a larger cutout."""
    image = add_noise(render([labels_of(snr=300, r_eff=12, n=1)], star()))[0]
    middle = slice(52, 76)
    assert sky_told(net, [image, image[middle, middle]]).tolist() == [False, True]
    # a free sky is in the errors, and so is one that is known not to be known
    assert not sky_told(net, [image[middle, middle]], sky_err=1.0)


def test_a_sky_that_is_not_flat_is_told(net):
    """Its mean is 0, and the residuals within the galaxy are noise, but the radius is too small."""
    table = [labels_of(snr=60 + 10 * i, r_eff=2 + i / 4, n=1 + i % 4) for i in range(12)]
    axis = np.linspace(-1, 1, 64)
    bowl = -np.exp(-(axis**2 + axis[:, None] ** 2) / 2 / 0.5**2)
    images = add_noise(render(table, star(), size=64) + bowl - bowl.mean())
    found = net.predict([make_cutout(image) for image in images], refine="lm")
    assert np.mean(found.flags & int(Flags.SKY_DEGENERATE) != 0) > 0.8
    assert np.mean(found.median("r_eff") / (0.1 * (2 + np.arange(12) / 4)) < 0.95) > 0.7


def test_a_cutout_of_a_few_radii_is_not_too_small(net):
    image = add_noise(render([labels_of(snr=60, r_eff=8, n=1)], star()))[0]
    assert not sky_told(net, [image[42:86, 42:86]])


def test_the_network_alone_uses_no_sky(net, four):
    found = net.predict(four[:1], sky="free")
    assert found.meta["SKY"] == "not used"
    assert "sky" not in found.samples(2)
    described = net.predict(four[:1], refine="lm", sky_err=0.1).meta
    assert (described["SKY"], described["SKYERR"]) == ("prior", "0.1")


# --- the noise ----------------------------------------------------------------------------------


def in_smoothed_noise(n, sigma, *, side=64, masked=0.0, snr=80):
    """Cutouts of the same galaxy in smoothed noise, with some masked pixels."""
    images = render([labels_of(snr=snr, r_eff=3, n=1.5)] * n, star(), size=side)
    images = NOISE * (images + smoothed(n, side, sigma))
    masks = np.random.default_rng(2).random(images.shape) < masked
    return [make_cutout(image, mask=mask) for image, mask in zip(images, masks, strict=True)]


@pytest.fixture(scope="module")
def thirty():
    return in_smoothed_noise(30, 1.0, masked=0.005)


def pulls(found):
    truth = {"n": 1.5, "q": 0.6, "r_eff": 0.3}
    each = [(found.median(name) - value) / found.error(name) for name, value in truth.items()]
    return np.array(each)


def test_errors_hold_in_correlated_noise(net, thirty):
    """Measured from each cutout; those of white noise are too small by a factor of two or more."""
    measured = net.predict(thirty, refine="lm")
    white = net.predict(thirty, refine="lm", noise_correlation=None)
    assert 0.7 < np.sqrt(np.mean(pulls(measured) ** 2)) < 1.4
    assert np.sqrt(np.mean(pulls(white) ** 2)) > 1.6
    for name in ("mag", "r_eff", "n", "q"):
        assert np.median(measured.error(name) / white.error(name)) > 1.4
    assert not (measured.flags & int(Flags.CORRELATION_UNKNOWN)).any()


def test_a_correlation_that_is_known(net, thirty, tmp_path):
    correlation = gaussian_correlation(1.0)
    fits.writeto(tmp_path / "noise.fits", correlation)
    some = thirty[:6]
    given = net.predict(some, refine="lm", noise_correlation=correlation)
    read = net.predict(some, refine="lm", noise_correlation=tmp_path / "noise.fits")
    measured = net.predict(some, refine="lm")
    assert_allclose(given.quantiles, read.quantiles)
    assert_allclose(given.error("r_eff"), measured.error("r_eff"), rtol=0.35)
    assert given.meta["NOISECOR"] == read.meta["NOISECOR"] == "given"
    assert measured.meta["NOISECOR"] == "measure"


def test_a_correlation_of_other_pixels(net, four, tmp_path):
    """A correlation does not scale with pixels: both scales are named."""
    path = tmp_path / "noise.fits"
    fits.writeto(path, gaussian_correlation(1.0), fits.Header({"PIXSCALE": 0.05}))
    message = r"noise_correlation of .* is of pixels of 0.05 arcsec .*image are of 0.1"
    with pytest.raises(ValueError, match=message):
        net.predict(four, refine="lm", noise_correlation=path)


def test_a_correlation_that_reaches_too_far(net, four):
    found = net.predict(four, refine="lm", noise_correlation=drizzle_correlation(1.0, 0.1))
    assert (found.flags & int(Flags.CORRELATION_UNKNOWN) > 0).all()


def test_importance_sampling_knows_the_correlation_as_well(net, thirty):
    some = thirty[:3]
    fitted = net.predict(some, refine="lm")
    found = net.predict(some, refine=KINDS["importance"])
    assert_allclose(found.error("mag"), fitted.error("mag"), rtol=0.5)
    assert (found.columns["ess"] > 20).all()


def test_white_noise_is_fitted_as_white(net, four):
    measured = net.predict(four, refine="lm")
    white = net.predict(four, refine="lm", noise_correlation=None)
    assert_array_equal(measured.quantiles, white.quantiles)
    assert_array_equal(measured.flags, white.flags)


def test_a_galaxy_does_not_depend_on_the_noise_of_others(net, thirty, four):
    alone = net.predict(thirty[:2], refine="lm")
    mixed = net.predict([four[0], thirty[0], four[1], thirty[1]], refine="lm")
    for name in ("mag", "r_eff", "n"):
        apart = np.abs(mixed.median(name)[[1, 3]] - alone.median(name))
        assert (apart < 0.05 * alone.error(name)).all()


@pytest.mark.parametrize("refine", ["lm", "importance"])
def test_a_sky_with_a_slope(net, refine):
    """A slope of a sigma over the stamp: fits are those without it, but for where they start."""
    image = NOISE * render([labels_of(snr=200)], star(), size=64)
    image = image + NOISE * np.random.default_rng(4).normal(size=image.shape)
    slope = NOISE * np.linspace(-1, 1, 64)
    options = {"refine": refine, "sky": "plane", "noise_correlation": None}
    found = net.predict([make_cutout(image[0] + slope)], **options)
    flat = net.predict([make_cutout(image[0])], **options)
    constant = net.predict([make_cutout(image[0] + slope)], **(options | {"sky": "prior"}))
    for name in ("mag", "r_eff", "n", "q"):
        moved = abs(found.median(name) - flat.median(name)) / flat.error(name)
        assert moved[0] < (0.1 if refine == "lm" else 0.3)
    worse = abs(constant.median("x_0") - flat.median("x_0")) / flat.error("x_0")
    assert worse[0] > 1
    assert found.meta["SKY"] == "plane"
    assert not found.flags[0] & int(Flags.MISFIT)


def test_too_few_pixels_for_the_correlation_are_told(net):
    (cutout,) = in_smoothed_noise(1, 1.0, side=25)
    found = net.predict([cutout], refine="lm")
    assert found.flags[0] & int(Flags.CORRELATION_UNKNOWN)
    given = net.predict([cutout], refine="lm", noise_correlation=gaussian_correlation(1.0))
    assert not given.flags[0] & int(Flags.CORRELATION_UNKNOWN)
    assert given.error("mag")[0] > 1.3 * found.error("mag")[0]
    assert not net.predict([cutout]).flags[0] & int(Flags.CORRELATION_UNKNOWN)


def test_a_network_has_not_seen_noise_that_is_as_smooth(net):
    cutouts = in_smoothed_noise(1, 0.7, side=128) + in_smoothed_noise(1, 1.3, side=128)
    flags = net.predict(cutouts).flags & int(Flags.BEYOND_TRAINING) != 0
    assert flags.tolist() == [False, True]
    assert not (net.predict(cutouts, refine="lm").flags & int(Flags.BEYOND_TRAINING)).any()


def test_the_signal_is_less_in_correlated_noise(net):
    """A S/N of 7 by the noise map is below 5."""
    cutouts = in_smoothed_noise(4, 1.0, side=128, snr=7)
    known = {"refine": "lm", "noise_correlation": gaussian_correlation(1.0)}
    assert (net.predict(cutouts, **known).flags & int(Flags.LOW_SNR) != 0).all()


def test_binned_galaxies_in_correlated_noise(net):
    image = render([labels_of(snr=300, r_eff=30, n=1)], star(), size=384)[0]
    cutout = make_cutout(NOISE * (image + smoothed(1, 384, 1.0)[0]))
    found = net.predict([cutout], refine="lm", noise_correlation=gaussian_correlation(1.0))
    white = net.predict([cutout], refine="lm", noise_correlation=None)
    assert found.flags[0] & int(Flags.BINNED)
    assert 1.5 < found.error("r_eff")[0] / white.error("r_eff")[0] < 5
    assert abs(found.median("r_eff")[0] - 3.0) < 4 * found.error("r_eff")[0]


def test_a_correlation_of_nothing(net, four):
    with pytest.raises(ValueError, match="noise_correlation has shape"):
        net.predict(four, noise_correlation=np.ones((2, 2)))
    with pytest.raises(FileNotFoundError, match="noise_correlation"):
        net.predict(four, noise_correlation="white")
