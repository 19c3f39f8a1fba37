"""PSFs of the universal network: which are used, and which are refused or flagged."""

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from helpers.cutouts import UNITS
from helpers.predicted import SEVEN, TABLE, assert_same, difference, of_rows, stack_of
from helpers.psfs import moffat_star, no_stars, with_level
from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from numpy.testing import assert_allclose
from photutils.psf import GriddedPSFModel

from sersicnet.flags import Flags
from sersicnet.measure import field_psf


def test_no_psf_at_all(net, images):
    bare = [make_cutout(image, psf=None) for image in images]
    message = "psf=None and no cutout has one: this network needs the PSF. Pass a star-like stamp.*"
    message += r"or cutouts with their own \(slicing drops it\)"
    sliced = make_cutout(images[0], psf=star())[2:-2, 2:-2]
    for given in (bare, iter(bare), bare[0], images, stack_of(images, psf=None), sliced):
        with pytest.raises(ValueError, match=message):
            net.predict(given, **UNITS)


@pytest.mark.parametrize("size", [4, 512])
@pytest.mark.parametrize("psf", [None, np.full((5, 5), np.nan), np.zeros((5, 5)), np.ones(3)])
def test_one_without_usable_psf(psf, size, net, images, expected, monkeypatch):
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", size)
    cutouts = [
        make_cutout(image, psf=psf if i in (1, 4, 5) else star()) for i, image in enumerate(images)
    ]
    results = net.predict(cutouts)
    assert_same(of_rows(results, [0, 2, 3]), of_rows(expected, [0, 2, 3]))
    assert results.flags.tolist() == [0, Flags.BAD_PSF, 0, 0, Flags.BAD_PSF, Flags.BAD_PSF]
    assert np.isnan(results.quantiles).all(axis=(0, 1)).tolist() == [
        False,
        True,
        False,
        False,
        True,
        True,
    ]
    assert np.isnan(results.samples(2)["mag"][1]).all()
    given = [psf if i in (1, 4, 5) else star() for i in range(6)]
    assert_same(
        of_rows(net.predict(images, psf=given, **UNITS), [0, 2, 3]),
        of_rows(net.predict(images, psf=star(), **UNITS), [0, 2, 3]),
    )


def test_all_psfs_bad(net, images):
    results = net.predict([make_cutout(image, psf=np.zeros((3, 3))) for image in images[:2]])
    assert results.flags.tolist() == [Flags.BAD_PSF] * 2
    assert np.isnan(results.to_table()["q"]).all()


@pytest.mark.parametrize("psf", [np.zeros((3, 3)), np.ones(4), np.full((3, 3), np.nan)])
def test_the_psf_for_all_must_be_good(psf, net, cutouts):
    with pytest.raises(ValueError, match="psf has"):
        net.predict(cutouts, psf=psf)


def test_wrong_number_of_psfs(net, cutouts, images):
    for given in (cutouts, images):
        with pytest.raises(
            ValueError, match="psf has 2 stamps: one is needed, or one for each of 6"
        ):
            net.predict(given, psf=[star()] * 2, **UNITS)


@pytest.mark.parametrize("oversampling", [0, 2.5, 17])
def test_impossible_oversampling(oversampling, net, cutouts):
    with pytest.raises(ValueError, match=f"psf_oversampling={oversampling} must be an integer"):
        net.predict(cutouts, psf_oversampling=oversampling)


def test_all_ways_to_give_the_psf(net, images, expected):
    bare = [make_cutout(image, psf=np.zeros((3, 3))) for image in images]  # what is given wins
    for psf in (star(), 7 * star(), [star()] * 6, np.stack([star()] * 6), star().tolist()):
        assert_same(net.predict(bare, psf=psf), expected)
    different = net.predict(bare, psf=star(4.0))
    assert abs(difference(different, expected, "r_eff")).max() > 0.1


def test_each_galaxy_has_its_own_psf(net):
    """Seen through another PSF, with that PSF, a galaxy has much the same parameters."""
    psfs = [star(fwhm) for fwhm in (2.5, 3.5, 5.0)]
    table = [labels_of(snr=200, r_eff=6)]
    images = np.stack([add_noise(render(table, psf)[0]) for psf in psfs])
    results = net.predict(images, psf=psfs, **UNITS)
    for i in range(3):
        alone = net.predict(images[i], psf=psfs[i], **UNITS)
        assert_same(of_rows(results, [i]), alone)
    assert np.ptp(results.median("r_eff")) < 4 * results.error("r_eff").max()
    swapped = net.predict(images, psf=psfs[::-1], **UNITS)
    assert abs(difference(swapped, results, "r_eff")).max() > 0.3


@pytest.mark.parametrize(
    ("shape", "tolerance"),
    [((65, 101), 0.02), ((64, 64), 0.1), ((201, 200), 0.1), ((40, 40), 0.1), ((41, 60), 0.1)],
)
def test_stamps_of_all_shapes(shape, tolerance, net):
    """Odd and even sides, square or not: the same star, if the stamp holds its wings."""
    psf = star(4.0, (63, 63), beta=8)
    images = add_noise(render(TABLE, psf))
    plain = net.predict(images, psf=psf, **UNITS)
    results = net.predict(images, psf=star(4.0, shape, beta=8), **UNITS)
    assert_same(results, plain, atol=tolerance)


@pytest.mark.parametrize("oversampling", [2, 3, 5])
def test_oversampled_psf(oversampling, net, images):
    """Of a well-sampled PSF, it says nothing new."""
    side = 41 * oversampling
    fine = star(shape=(side, side), oversampling=oversampling)
    plain = net.predict(images, psf=star(), **UNITS)
    results = net.predict(images, psf=fine, psf_oversampling=oversampling, **UNITS)
    assert_same(results, plain, atol=0.1)


def test_light_outside_of_the_stamp(net, images):
    plain = net.predict(images, psf=star(), **UNITS)
    partial = net.predict(images, psf=0.9 * star(), normalize_psf=False, **UNITS)
    # a stamp with 90 % of the light: the galaxy is brighter by the rest
    assert_allclose(partial.median("mag"), plain.median("mag") + 2.5 * np.log10(0.9), atol=1e-6)
    assert_allclose(
        partial.samples(3)["mag"], plain.samples(3)["mag"] + 2.5 * np.log10(0.9), atol=1e-6
    )
    for name in SEVEN[1:]:
        assert_allclose(partial.median(name), plain.median(name), rtol=1e-6)
    assert_same(net.predict(images, psf=0.9 * star(), **UNITS), plain)
    each = [0.5 * star(), *[star()] * 5]
    results = net.predict(images, psf=each, normalize_psf=False, **UNITS)
    shift = results.median("mag") - plain.median("mag")
    assert_allclose(shift, [2.5 * np.log10(0.5), 0, 0, 0, 0, 0], atol=1e-6)


def test_light_that_the_network_does_not_see(net):
    """A stamp of 151 pixels, of which 63 are seen: the magnitude counts all of its light."""
    wide = 0.9 * star(shape=(151, 151)) + 0.1 * star(50.0, (151, 151))
    images = add_noise(render([labels_of(snr=300)] * 2, wide))
    whole = net.predict(images, psf=wide, **UNITS)
    middle = wide[44:107, 44:107]
    cut, known = (net.predict(images, psf=middle, normalize_psf=n, **UNITS) for n in (True, False))
    assert_allclose(known.median("mag"), whole.median("mag"), atol=1e-4)
    lost = 2.5 * np.log10(middle.sum() / wide.sum())
    assert_allclose(cut.median("mag") + lost, whole.median("mag"), atol=1e-4)
    assert lost < -0.02


def test_undersampled_psf(net, images):
    sharp = star(1.2, (41, 41))
    results = net.predict(images[:2], psf=sharp, **UNITS)
    assert ((results.flags & int(Flags.UNDERSAMPLED_PSF)) != 0).all()
    fine = star(1.2, (81, 81), oversampling=2)
    results = net.predict(images[:2], psf=fine, psf_oversampling=2, **UNITS)
    assert not (results.flags & int(Flags.UNDERSAMPLED_PSF)).any()


OFF_THE_MIDDLE = {
    "rolled by 3": np.roll(star(), (0, 3), axis=(0, 1)),
    "41 cut to 40": star()[1:, 1:],
    "a star as it fell on the pixels": moffat_star(-0.84, -0.33, size=50),
    "on finer pixels": moffat_star(0.9, -0.4, size=123, oversampling=3),
}


@pytest.mark.parametrize("kind", OFF_THE_MIDDLE)
def test_a_psf_off_the_middle_of_its_stamp(kind, net):
    """Galaxies stay where they are; the call says what it did."""
    given = OFF_THE_MIDDLE[kind]
    oversampling = 3 if kind == "on finer pixels" else 1
    size = 40 if kind == "41 cut to 40" else 41
    right = star(shape=(size, size))
    if "cut" not in kind and "rolled" not in kind:
        right = moffat_star(size=given.shape[0], oversampling=oversampling)
    data = add_noise(render([labels_of(snr=200)] * 4, star()))
    options = {"psf_oversampling": oversampling, **UNITS}
    here = net.predict(data_of(data), psf=right, **options)
    with pytest.warns(AstropyUserWarning, match=r"psf: the star is \d\.\d\d pixels .* was moved"):
        there = net.predict(data_of(data), psf=given, **options)
    for name in SEVEN:
        difference = there.median(name) - here.median(name)
        assert (np.abs(difference) < 0.2 * here.error(name)).all(), name
    for name in ("x_0", "y_0"):
        assert_allclose(there.median(name), here.median(name), atol=0.02)


@pytest.mark.parametrize("refine", [None, "lm"])
def test_a_psf_that_is_off_the_middle_on_purpose(refine, net):
    """As for a fit: the galaxy is off by as much, and nothing else changes."""
    data = add_noise(render([labels_of(snr=200)] * 2, star()))
    moved = np.roll(star(), (1, -2), axis=(0, 1))
    options = {"recenter_psf": False, "refine": refine, **UNITS}
    here, there = (net.predict(data_of(data), psf=psf, **options) for psf in (star(), moved))
    for name, shift in (("x_0", 2.0), ("y_0", -1.0)):
        difference = there.median(name) - here.median(name)
        assert_allclose(difference, shift, atol=0.01)
    for name in ("mag", "r_eff", "n", "q", "theta"):
        difference = there.median(name) - here.median(name)
        assert (np.abs(difference) < 0.1 * here.error(name)).all()


def test_psfs_of_each_cutout_off_the_middle(net, images):
    """One warning for all of them."""
    psfs = [np.roll(star(), shift, axis=1) for shift in (0, 1, 2, 0, -1, 0)]
    plain = net.predict(data_of(images), psf=star(), **UNITS)
    with pytest.warns(AstropyUserWarning, match=r"^3 PSFs are doubtful; the first: the star is 1"):
        results = net.predict(data_of(images), psf=psfs, **UNITS)
    assert not results.flags.any()
    for name in ("x_0", "y_0"):
        assert_allclose(results.median(name), plain.median(name), atol=0.02)


@pytest.mark.parametrize(("level", "number"), [(1e-3, r"0\.1"), (1e-2, "1")])
def test_a_psf_on_a_constant_level(level, number, net, images):
    message = rf"psf: a constant level of {number} % of the peak in each pixel holds \d+ % of"
    with pytest.warns(AstropyUserWarning, match=message):
        net.predict(images, psf=with_level(star(), level), **UNITS)


@pytest.mark.parametrize("kind", no_stars())
def test_a_psf_that_is_no_star(kind, net, images):
    """The one for all raises, one of several costs its galaxy alone."""
    psf = no_stars()[kind]
    with pytest.raises(ValueError, match=r"psf (is|has) "):
        net.predict(images, psf=psf, **UNITS)
    results = net.predict(data_of(images[:2]), psf=[psf, star()], **UNITS)
    assert results.flags.tolist() == [Flags.BAD_PSF, 0]


def test_an_oversampled_psf_that_does_not_say_so(net):
    data = add_noise(render([labels_of(snr=100, r_eff=1.5)] * 6, star()))
    fine = star(shape=(123, 123), oversampling=3)
    message = "6 of 6 sources are UNRESOLVED: unless they are stars.*needs psf_oversampling="
    with pytest.warns(AstropyUserWarning, match=message):
        net.predict(data_of(data), psf=fine, **UNITS)
    results = net.predict(data_of(data), psf=fine, psf_oversampling=3, **UNITS)
    assert not (results.flags & int(Flags.UNRESOLVED)).any()


@pytest.mark.parametrize("how", ["argument", "OVERSAMP", "list", "own"])
def test_an_oversampled_psf_whose_header_says_so(how, net):
    """As if the user said it: 0.34 mag and all UNRESOLVED before."""
    data = add_noise(render([labels_of(snr=100)] * 3, star()))
    fine = star(shape=(82, 82), oversampling=2)
    right = net.predict(data_of(data), psf=fine, psf_oversampling=2, **UNITS)
    psf = NDData(fine, meta={"PIXELSCL": UNITS["pixel_scale"] / 2, "OVERSAMP": 4})
    cutouts = data_of(data)
    match how:
        case "OVERSAMP":
            psf = NDData(fine, meta={"OVERSAMP": 2})
        case "list":
            psf = [psf, psf, fine]
        case "own":
            cutouts = [make_cutout(image, psf=fine) for image in data]
            for cutout in cutouts:
                cutout.meta["PSFSCALE"] = UNITS["pixel_scale"] / 2
            psf = None
    results = net.predict(cutouts, psf=psf, **UNITS)
    assert_same(results, right)
    assert results.meta["PSFSAMP"] == 2


def test_an_oversampling_that_the_psf_contradicts(net, images):
    """The user's counts: the card may be wrong."""
    psf = NDData(star(), meta={"PIXSCALE": UNITS["pixel_scale"]})
    right = net.predict(images, psf=star(), psf_oversampling=2, **UNITS)
    message = r"psf: psf_oversampling=2 is used, but PIXSCALE says pixels of 0.1 arcsec, the image"
    with pytest.warns(AstropyUserWarning, match=message) as caught:
        assert_same(net.predict(images, psf=psf, psf_oversampling=2, **UNITS), right)
    assert caught[0].filename == __file__
    with pytest.raises(ValueError, match="which is no whole number: draw the PSF in pixels of"):
        net.predict(images, psf=psf, pixel_scale=0.15, zeropoint=25.0)


def test_a_psf_that_is_sharper_than_any_image(net, images):
    """A normal one that is said to be oversampled."""
    message = r"psf: its FWHM is 0\.\d\d pixels of the data, .*: is it oversampled by 5\?"
    with pytest.warns(AstropyUserWarning, match=message):
        net.predict(images, psf=star(), psf_oversampling=5, **UNITS)


def test_the_advice_for_a_grid_of_psfs(net, images):
    """It is what the message says, word by word."""
    fine = 4 * star(shape=(82, 82), oversampling=2)
    meta = {"grid_xypos": [(0, 0), (99, 0), (0, 99), (99, 99)], "oversampling": 2}
    model = GriddedPSFModel(NDData(np.array([fine] * 4), meta=meta))
    message = r"field_psf\(model\).at\(x, y\), .* \(pixels from 0\), and psf_oversampling=2"
    with pytest.raises(ValueError, match=message):
        net.predict(images, psf=model, **UNITS)
    psf = [field_psf(model).at(x, 50) for x in np.arange(len(images))]
    results = net.predict(images, psf=psf, psf_oversampling=2, **UNITS)
    right = net.predict(images, psf=fine, psf_oversampling=2, **UNITS)
    assert_allclose(results.median("mag"), right.median("mag"), atol=0.001)


def test_a_share_of_more_than_all_the_light(net, images):
    """photutils' PSFs have a sum of oversampling**2."""
    fine = 4 * star(shape=(82, 82), oversampling=2)
    with pytest.raises(ValueError, match="psf has the sum 4, which normalize_psf=False takes"):
        net.predict(images, psf=fine, psf_oversampling=2, normalize_psf=False, **UNITS)


@pytest.mark.parametrize("name", ["normalize_psf", "recenter_psf"])
def test_options_are_true_or_false(name, net, images):
    with pytest.raises(ValueError, match=f"{name}='yes' must be True or False"):
        net.predict(images, psf=star(), **{name: "yes"}, **UNITS)


def data_of(data):
    return NDData(data, unit="adu", uncertainty=StdDevUncertainty(np.full(data.shape, NOISE)))
