"""What `SersicNet.predict` does with the universal network: units, PSFs, batches and flags.

The galaxies are rendered by `sersicnet.profile`, which has its own test against GalSim. Nothing
here depends on how good the shipped weights are, beyond what any use of them needs.
"""

import copy
import pickle

import astropy.units as u
import numpy as np
import pytest
import torch
from astropy.nddata import CCDData, InverseVariance, NDData, StdDevUncertainty
from numpy.testing import assert_allclose, assert_array_equal
from rendered import (
    NOISE,
    SCALE,
    UNITS,
    ZEROPOINT,
    add_noise,
    labels_of,
    make_cutout,
    render,
    star,
)

from sersicnet import SersicNet
from sersicnet.binning import needed_bins
from sersicnet.flags import Flags
from sersicnet.misfit import misfit, residual_power
from sersicnet.network import RegressionCNN
from sersicnet.parameters import PARAMETERS, label_names
from sersicnet.prediction import predict_normal, predict_posterior
from sersicnet.preprocessing import prepare
from sersicnet.psf import collect_psfs
from sersicnet.results import SersicResults

SEVEN = tuple(PARAMETERS)
# Part of the quoted error that rounding to float32 may move an answer by.
ROUNDING = 5e-3


@pytest.fixture(scope="module")
def net():
    """The universal weights; not to be changed by a test."""
    return SersicNet.from_pretrained().set_params(device="cpu")


TABLE = [
    labels_of(),
    labels_of(snr=300, r_eff=8, n=3, q=0.4, theta=-50, dx=1.2, dy=-0.7),
    labels_of(snr=25, r_eff=2, n=1, q=0.8, theta=80, dx=-0.5, dy=0.4),
    labels_of(snr=100, r_eff=12, n=0.8, q=0.3, theta=5, dx=-1.5, dy=1.1),
    labels_of(snr=1000, r_eff=3, n=4, q=0.7, theta=-85, dy=2),
    labels_of(snr=15, r_eff=5, n=2, q=0.5, theta=45, dx=0.3),
]


@pytest.fixture(scope="module")
def images():
    """Six noisy galaxies; not to be changed by a test."""
    return add_noise(render(TABLE, star()))


@pytest.fixture(scope="module")
def cutouts(images):
    return [make_cutout(image) for image in images]


@pytest.fixture(scope="module")
def expected(net, cutouts):
    """Their results."""
    return net.predict(cutouts)


def difference(one, other, name, move=lambda values: values):
    """Of medians, in units of the error; angles are compared as angles."""
    change = one.median(name) - move(other.median(name))
    if name == "theta":
        change = (change + 90) % 180 - 90
    return change / one.error(name)


def assert_same(one, other, *, atol=ROUNDING, flags=True):
    """Equal medians and errors to a part of the error, and equal flags."""
    for name in SEVEN:
        assert_allclose(difference(one, other, name), 0, atol=atol, err_msg=name)
        assert_allclose(one.error(name), other.error(name), rtol=2 * atol, err_msg=name)
    if flags:
        assert_array_equal(one.flags, other.flags)


def of_rows(results, rows):
    """Results of some rows, as far as `assert_same` looks at them."""
    frame = results.frame[rows]
    wcs = [results.wcs[row] for row in rows]
    arrays = results.quantiles[:, :, rows], frame, results.flags[rows], results.shapes[rows]
    return SersicResults(results.parameters, results.answer, *arrays, wcs)


# What comes out


def test_all_seven_with_errors(expected):
    assert expected.parameters == SEVEN
    assert len(expected) == 6
    assert np.isfinite(expected.quantiles).all()
    assert (np.diff(expected.quantiles, axis=1) > 0).all()
    assert_array_equal(expected.flags, 0)


def test_not_far_from_the_truth(expected):
    """A sign or a unit that is wrong would show; how good the weights are is tested elsewhere."""
    truth = dict(
        zip(
            ("log_flux", "log_r_eff", "n", "e1", "e2", "dx", "dy"), np.transpose(TABLE), strict=True
        )
    )
    truth["q"] = (1 - np.hypot(truth["e1"], truth["e2"])) / (1 + np.hypot(truth["e1"], truth["e2"]))
    truth = expected.frame.from_labels(truth, SEVEN)
    for name, tolerance in (("mag", 0.3), ("r_eff", 0.25), ("q", 0.3), ("x_0", 0.6), ("y_0", 0.6)):
        assert_allclose(expected.median(name), truth[name], atol=tolerance, err_msg=name)
    angle = (expected.median("theta") - truth["theta"] + 90) % 180 - 90
    assert_allclose(angle, 0, atol=15)


def test_table(expected):
    table = expected.to_table()
    columns = [name + end for name in SEVEN for end in ("", "_err", "_lo", "_hi")]
    assert table.colnames == ["id", *columns, "flags"]
    assert table["mag"].unit == u.ABmag
    assert table["r_eff_err"].unit == u.arcsec
    assert len(table) == 6


def test_samples_of_each_galaxy(expected, net, cutouts):
    samples = expected.samples(20, seed=3)
    assert all(values.shape == (6, 20) for values in samples.values())
    assert_array_equal(samples["n"], expected.samples(20, seed=3)["n"])
    assert (samples["n"] != expected.samples(20, seed=4)["n"]).all()
    # the galaxies behind it change nothing
    fewer = net.predict(cutouts[:2]).samples(20, seed=3)
    for name, values in samples.items():
        assert_allclose(fewer[name], values[:2], rtol=1e-3)


def test_samples_have_the_quantiles_of_the_table(expected):
    samples = expected.samples(4000)
    for name, values in samples.items():
        values = values - expected.median(name)[:, None]
        if name == "theta":
            values = (values + 90) % 180 - 90
        low, median, high = np.quantile(values, [0.16, 0.5, 0.84], axis=1)
        assert_allclose(median / expected.error(name), 0, atol=0.25, err_msg=name)
        assert_allclose((high - low) / 2, expected.error(name), rtol=0.25, err_msg=name)


def test_more_points_give_the_same_within_their_scatter(net, cutouts, expected):
    many = net.predict(cutouts, n_samples=512)
    for name in SEVEN:
        assert_allclose(difference(many, expected, name), 0, atol=0.2, err_msg=name)
        assert_allclose(many.error(name), expected.error(name), rtol=0.2, err_msg=name)
    assert_same(net.predict(cutouts, seed=5, n_samples=512), many, atol=0.1)


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, True])
def test_impossible_number_of_points(n_samples, net, cutouts):
    with pytest.raises(ValueError, match=f"n_samples={n_samples!r} must be a positive integer"):
        net.predict(cutouts, n_samples=n_samples)


def test_covariance(expected):
    covariance = expected.covariance(n=500)
    assert covariance.shape == (6, 7, 7)
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    assert_array_equal(covariance, expected.covariance(n=500))
    mag, n = SEVEN.index("mag"), SEVEN.index("n")
    assert (covariance[:, mag, n] < 0).all()  # a steeper profile has more light far out


def test_copies_of_results(expected):
    for again in (copy.deepcopy(expected), pickle.loads(pickle.dumps(expected))):
        assert_array_equal(again.quantiles, expected.quantiles)
        assert_array_equal(again.samples(5)["mag"], expected.samples(5)["mag"])
        with pytest.raises(ValueError, match="read-only"):
            again.answer.mean[0] = 0


def test_results_do_not_change_with_the_network(net, cutouts):
    net = copy.deepcopy(net)
    results = net.predict(cutouts[:2])
    before = results.samples(5)["mag"]
    with torch.no_grad():
        for parameter in net.network_.parameters():
            parameter.zero_()
    assert_array_equal(results.samples(5)["mag"], before)
    for array in (results.quantiles, results.answer.context, results.answer.log_share):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


# Exact: units


def test_zero_point_and_pixel_scale(net, images, expected):
    options = {"zeropoint": ZEROPOINT + 1.7, "pixel_scale": 3 * SCALE * u.arcsec, "psf": star()}
    plain, moved = (
        net.predict([make_cutout(image, meta={}) for image in images], **o)
        for o in (UNITS | {"psf": star()}, options)
    )
    assert_same(plain, expected)
    for ours, its, factor, shift in (("mag", "mag", 1, 1.7), ("r_eff", "r_eff", 3, 0)):
        assert_allclose(moved.median(ours), factor * plain.median(its) + shift, rtol=1e-12)
        assert_allclose(moved.error(ours), factor * plain.error(its), rtol=1e-9)
    for name in ("n", "q", "theta", "x_0", "y_0"):
        assert_array_equal(moved.median(name), plain.median(name))
        assert_array_equal(moved.error(name), plain.error(name))
    samples, expected = moved.samples(5), plain.samples(5)
    assert_allclose(samples["mag"], expected["mag"] + 1.7, rtol=1e-12)


def test_flux_unit(net, images, expected):
    """A thousand times the counts, with a zero point fainter by 7.5 mag, are the same galaxy."""
    brighter = [
        make_cutout(
            1000 * image, noise=1000 * NOISE, meta={"MAGZP": ZEROPOINT + 7.5, "PIXSCALE": SCALE}
        )
        for image in images
    ]
    assert_same(net.predict(brighter), expected)
    to_njy = 10 ** (-0.4 * (ZEROPOINT - (1 * u.nJy).to_value(u.ABmag)))
    flux = [make_cutout(to_njy * image, noise=to_njy * NOISE, unit="nJy") for image in images]
    assert_same(net.predict(flux), expected)


@pytest.mark.parametrize("kind", ["variance", "inverse variance", "integer", "big-endian", "map"])
def test_forms_of_the_same_data(kind, net, images, expected):
    changes = {
        "inverse variance": {"uncertainty": InverseVariance(np.full((128, 128), NOISE**-2))},
        "map": {"mask": np.zeros((128, 128), bool)},
    }.get(kind, {})
    data = {"big-endian": images.astype(">f4")}.get(kind, images)
    assert_same(net.predict([make_cutout(image, **changes) for image in data]), expected)


# Within the errors: symmetries

# How (x, y) from the middle and theta of an image follow from those before.
TURNS = {
    "quarter turn": (lambda a: np.rot90(a, 1, (-2, -1)), lambda x, y, t: (y, -x, t - 90)),
    "half turn": (lambda a: a[..., ::-1, ::-1], lambda x, y, t: (-x, -y, t)),
    "mirrored along x": (lambda a: a[..., ::-1], lambda x, y, t: (-x, y, -t)),
    "mirrored along y": (lambda a: a[..., ::-1, :], lambda x, y, t: (x, -y, -t)),
    "transposed": (lambda a: np.swapaxes(a, -2, -1), lambda x, y, t: (y, x, 90 - t)),
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(("symmetrize", "within"), [(False, 4), (True, ROUNDING)])
def test_turned_image(turn, symmetrize, within, net, images):
    """Image, noise, mask and PSF turned: angle and centre move along, all else stays.

    The network has no symmetry built in: the answers agree to within their errors. Averaged over
    all ways to turn a stamp, they agree to rounding.
    """
    change, follow = TURNS[turn]
    mask = np.zeros((128, 128), bool)
    mask[20:60, 90:100] = True
    noise = NOISE * np.linspace(0.9, 1.1, 128) * np.ones((128, 1))

    def measure(turned):
        arrays = (turned(array) for array in (images, noise, mask, star()))
        data, rms, bad, psf = map(np.ascontiguousarray, arrays)
        turned_cutouts = [make_cutout(d, noise=rms, mask=bad, psf=psf) for d in data]
        return net.predict(turned_cutouts, symmetrize=symmetrize)

    before, after = measure(lambda array: array), measure(change)
    middle = 63.5
    x, y, theta = follow(
        before.median("x_0") - middle, before.median("y_0") - middle, before.median("theta")
    )
    moved = {name: before.median(name) for name in SEVEN}
    moved |= {"x_0": x + middle, "y_0": y + middle, "theta": theta}
    for name, values in moved.items():
        pull = difference(after, before, name, lambda _, values=values: values)
        assert np.sqrt(np.mean(pull**2)) < within, name


def test_samples_of_symmetrized_answers(net, cutouts, expected):
    """Their quantiles are those of the table, and they are other than without."""
    results = net.predict(cutouts, symmetrize=True)
    samples = results.samples(4000)
    for name in set(SEVEN) - {"theta"}:
        middle = np.median(samples[name], axis=1) - results.median(name)
        assert (np.abs(middle) < 0.2 * results.error(name)).all(), name
        assert (results.median(name) != expected.median(name)).all()
    refined = net.predict(cutouts, symmetrize=True, refine="lm")
    assert np.isfinite(refined.median("mag")).all()


def test_symmetrize_is_for_the_universal_network(net, cutouts):
    with pytest.raises(ValueError, match="symmetrize='no' must be True or False"):
        net.predict(cutouts, symmetrize="no")
    with pytest.raises(ValueError, match="symmetrize=True needs the posterior network"):
        SersicNet.from_pretrained("deeplegato").predict(cutouts, symmetrize=True)


# Galaxies do not know of each other


def test_one_by_one_and_backwards(net, cutouts, expected):
    for i in (0, 5):
        assert_same(net.predict(cutouts[i]), of_rows(expected, [i]))
    assert_same(net.predict(cutouts[::-1]), of_rows(expected, [5, 4, 3, 2, 1, 0]))


@pytest.mark.parametrize("batch_size", [1, 4, 1000])
def test_any_batch_size(batch_size, net, cutouts, expected):
    assert_same(net.predict(cutouts, batch_size=batch_size), expected)


def test_many_cutouts(net, cutouts, expected, monkeypatch):
    """Batches of 512 give what smaller ones give, and number galaxies through."""
    rows = np.random.default_rng(3).integers(0, 6, 515)
    many = net.predict([cutouts[row] for row in rows], n_samples=8)
    few = net.predict(cutouts, n_samples=8)
    assert_same(many, of_rows(few, rows))
    assert many.to_table()["id"].tolist() == list(range(515))
    monkeypatch.setattr("sersicnet.batches.SIZE", 4)
    parts = net.predict(cutouts, n_samples=8)
    assert_same(parts, few)
    for name, values in parts.samples(5).items():  # by number of the galaxy
        assert_allclose(values, few.samples(5)[name], rtol=1e-3, atol=1e-3)


def test_errors_name_the_cutout_of_any_batch(net, cutouts, monkeypatch):
    monkeypatch.setattr("sersicnet.batches.SIZE", 2)
    wrong = [*cutouts, NDData(cutouts[0].data)]
    with pytest.raises(ValueError, match=r"cutouts\[6\] has no unit and no zero point"):
        net.predict(wrong)
    with pytest.raises(TypeError, match=r"cutouts\[5\] is of type str"):
        net.predict([*cutouts[:5], "galaxy.fits"])
    with pytest.raises(ValueError, match=r"zeropoint has shape \(5,\): one value, or one for each"):
        net.predict(cutouts, zeropoint=[25] * 5)


def test_arguments_of_each_cutout_in_any_batch(net, images, expected, monkeypatch):
    monkeypatch.setattr("sersicnet.batches.SIZE", 4)
    zeropoint = ZEROPOINT + np.arange(6)
    bare = [make_cutout(image, meta={}, psf=None) for image in images]
    scale = SCALE * np.arange(1, 7) * u.arcsec
    results = net.predict(bare, zeropoint=zeropoint, pixel_scale=scale, psf=[star()] * 6)
    assert_allclose(
        difference(results, expected, "mag", lambda m: m + np.arange(6)), 0, atol=ROUNDING
    )
    assert_allclose(results.median("r_eff"), expected.median("r_eff") * np.arange(1, 7), rtol=1e-4)


def stack_of(images, **changes):
    noise = StdDevUncertainty(np.full(images.shape, NOISE))
    arguments = {"unit": "adu", "uncertainty": noise, "psf": star()} | changes
    return CCDData(images, **arguments)


def test_all_kinds_of_input(net, images, cutouts, expected, monkeypatch):
    monkeypatch.setattr("sersicnet.batches.SIZE", 4)
    for given in (iter(cutouts), tuple(cutouts), (cutout for cutout in cutouts)):
        assert_same(net.predict(given), expected)
    assert_same(net.predict(stack_of(images), **UNITS), expected)
    each = stack_of(images, psf=np.stack([star()] * 6))
    assert_same(net.predict(each, **UNITS), expected)


def test_stack_with_mask(net, images, monkeypatch):
    monkeypatch.setattr("sersicnet.batches.SIZE", 4)
    mask = np.zeros(images.shape, bool)
    for i in range(6):
        mask[i, 30 + 5 * i : 60, :20] = True
    apart = [make_cutout(image, mask=bad) for image, bad in zip(images, mask, strict=True)]
    expected = net.predict(apart)
    assert_same(net.predict(stack_of(images, mask=mask), **UNITS), expected)
    bad = np.where(mask, np.nan, images)
    results = net.predict(stack_of(bad), **UNITS)
    assert_same(results, expected, flags=False)
    assert_array_equal(results.flags, expected.flags | int(Flags.BAD_PIXELS))
    noise = StdDevUncertainty(np.full(images.shape, NOISE))
    one = NDData(images, mask=mask[2], uncertainty=noise, psf=star())  # one mask for all
    assert_same(of_rows(net.predict(one, **UNITS), [2]), of_rows(expected, [2]))


def test_bad_galaxies_leave_the_others_alone(net, cutouts, expected, images):
    bad = [
        make_cutout(np.full((128, 128), np.nan)),
        make_cutout(images[0], noise=0.0),
        make_cutout(np.full((128, 128), 1e300)),
        make_cutout([[1.0]]),
        make_cutout(add_noise(np.zeros((3, 500)))),
    ]
    results = net.predict([*bad, *cutouts])
    assert_same(of_rows(results, [5, 6, 7, 8, 9, 10]), expected)
    assert results.flags[:5].all()
    assert results.flags[0] & Flags.NO_DATA
    assert results.flags[1] & Flags.NO_NOISE
    assert np.isnan(results.quantiles[:, :, :2]).all()
    assert np.isnan(results.samples(3)["q"][:2]).all()
    assert np.isnan(results.covariance(n=10)[:2]).all()
    lost = results.flags & int(Flags.PREDICTION_FAILED) != 0
    assert_array_equal(np.isfinite(results.quantiles).all(axis=(0, 1))[2:], ~lost[2:])


def test_nothing_but_bad_galaxies(net):
    results = net.predict([make_cutout(np.full((64, 64), np.nan))] * 2)
    assert np.isnan(results.to_table()["mag"].value).all()
    assert np.isnan(results.samples(3)["theta"]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_answer_of_the_flow_that_is_not_finite(value, net, images):
    """A row of NaN, and a flag, where the network fails on one galaxy."""

    class Broken(torch.nn.Module):
        flow, whiten, config = net.network_.flow, net.network_.whiten, net.network_.config

        def forward(self, *arrays):
            posterior = net.network_(*arrays)
            posterior.mean[1, 3] = value
            return posterior

    stamps = prepare(images, **UNITS)
    psfs = collect_psfs([star()] * 6)
    points = np.random.default_rng(1).normal(size=(8, 7))
    options = {"points": points, "ways": (0,), "batch_size": 64}
    answer, quantiles = predict_posterior(Broken(), None, stamps, psfs, **options)
    failed = (stamps.flags & int(Flags.PREDICTION_FAILED)) != 0
    assert failed.tolist() == [False, True, False, False, False, False]
    assert_array_equal(np.isnan(quantiles).all(axis=(0, 1)), failed)
    assert_array_equal(np.isnan(answer.mean).all(axis=(1, 2)), failed)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("column", [2, 6])
def test_answer_of_a_regression_that_is_not_finite(value, column, images, monkeypatch):
    """The same for networks of one survey: a mean or a width."""
    numbers = np.random.default_rng(1).uniform(0.1, 1, (6, 8))
    numbers[1, column] = value
    answers = lambda *_, **__: (numbers[:, :4].copy(), numbers[:, 4:].copy())  # noqa: E731
    monkeypatch.setattr("sersicnet.prediction.predict_labels", answers)
    stamps, four = prepare(images, **UNITS), ("mag", "r_eff", "n", "q")
    stamps.flags[:] = 0
    answer, quantiles = predict_normal(RegressionCNN(4), four, stamps, batch_size=64)
    assert stamps.flags.tolist() == [0, Flags.PREDICTION_FAILED, 0, 0, 0, 0]
    assert answer.names == label_names(four)
    lost = [False, True, False, False, False, False]
    assert np.isnan(quantiles).all(axis=(0, 1)).tolist() == lost
    assert np.isnan(answer.mean).all(axis=1).tolist() == np.isnan(answer.scale).all(axis=1).tolist()


# PSFs


def test_no_psf_at_all(net, images):
    bare = [make_cutout(image, psf=None) for image in images]
    message = "psf=None and no cutout has one: this network needs the PSF. Pass a star-like stamp.*"
    message += r"or set cutout.psf \(slicing drops it\)"
    sliced = make_cutout(images[0], psf=star())[2:-2, 2:-2]
    for given in (bare, iter(bare), bare[0], images, stack_of(images, psf=None), sliced):
        with pytest.raises(ValueError, match=message):
            net.predict(given, **UNITS)


@pytest.mark.parametrize("size", [4, 512])
@pytest.mark.parametrize("psf", [None, np.full((5, 5), np.nan), np.zeros((5, 5)), np.ones(3)])
def test_one_without_usable_psf(psf, size, net, images, expected, monkeypatch):
    monkeypatch.setattr("sersicnet.batches.SIZE", size)
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


# Large galaxies


def large(shape, *, r_eff, dx, dy, seed=1, snr=60.0, **labels):
    """A large galaxy as a cutout, and its truth."""
    size = max(shape) + max(shape) % 2
    table = [labels_of(r_eff=r_eff, dx=dx, dy=dy, snr=snr, **labels)]
    top, left = (size - shape[0]) // 2, (size - shape[1]) // 2
    image = render(table, star(), size=size)[0, top:, left:][: shape[0], : shape[1]]
    truth = {
        "mag": ZEROPOINT - 2.5 * (table[0][0] + np.log10(NOISE)),
        "r_eff": r_eff * SCALE,
        "n": labels["n"],
        "q": labels["q"],
        "theta": labels["theta"],
        "x_0": (size - 1) / 2 + dx - left,
        "y_0": (size - 1) / 2 + dy - top,
    }
    return add_noise(image, seed), truth


LARGE = {"r_eff": 40.0, "n": 1.0, "q": 0.6, "theta": 30.0, "dx": 5.3, "dy": -3.4}


@pytest.mark.parametrize(
    ("r_eff", "length", "present", "bins"),
    [
        (16, 1000, 1, 1),  # fits
        (17, 1000, 1, 3),
        (47.9, 1000, 1, 3),
        (49, 1000, 1, 9),
        (35, 575, 1, 3),  # as much as leaves half a stamp
        (35, 192, 1, 3),
        (35, 191, 1, 1),
        (37, 191, 1, 3),  # at the edge of the prior as much as leaves 40 pixels
        (37, 119, 1, 1),
        (49, 1000, 3, 9),
        (47, 1000, 3, 3),
        (20, 1000, 9, 9),  # never finer again
        (300, 5000, 9, 21),
        (np.nan, 1000, 1, 1),
        (np.nan, 1000, 3, 3),
    ],
)
def test_how_much_is_binned(r_eff, length, present, bins):
    stamps = prepare([make_cutout(np.zeros((length, length + 20)))], bins=present)
    assert needed_bins(np.array([r_eff * SCALE]), stamps).tolist() == [bins]


@pytest.mark.parametrize("shape", [(400, 400), (401, 437)])
def test_large_galaxy(shape, net):
    """Binned, and measured in the user's pixels and units."""
    image, truth = large(shape, **LARGE)
    results = net.predict(make_cutout(image))
    assert results.flags[0] & Flags.BINNED
    assert results.frame.bins[0] == 3
    assert results.shapes.tolist() == [list(shape)]
    for name, value in truth.items():
        pull = (results.median(name)[0] - value) / results.error(name)[0]
        assert abs(pull) < 5, name
    assert abs(results.median("r_eff")[0] / truth["r_eff"] - 1) < 0.3
    model = results.to_model(0)
    assert model.r_eff == results.median("r_eff")[0] / SCALE
    assert_allclose(model.x_0, results.median("x_0")[0])


def test_larger_galaxy_is_binned_again(net):
    """Of what is far larger than the stamp, the first guess is too small."""
    image, truth = large((900, 900), **(LARGE | {"r_eff": 90.0}))
    results = net.predict(make_cutout(image))
    assert results.frame.bins[0] == 9
    assert abs(results.median("r_eff")[0] / truth["r_eff"] - 1) < 0.3


def test_large_and_small_in_one_batch(net, cutouts, expected, monkeypatch):
    """With noise, mask, PSF and units of each, in whatever order and batch."""
    image, _ = large((400, 400), **LARGE)
    other, _ = large((390, 390), seed=2, **(LARGE | {"theta": -70.0, "r_eff": 30.0}))
    noise = NOISE * np.linspace(0.9, 1.1, 400) * np.ones((400, 1))
    mask = np.zeros((400, 400), bool)
    mask[:, 40:90] = True
    bigs = [
        make_cutout(
            image, noise=noise, mask=mask, psf=star(4.0), meta={"MAGZP": 26, "PIXSCALE": 0.2}
        ),
        make_cutout(other),
    ]
    alone = [net.predict(big) for big in bigs]
    assert all(results.flags[0] & Flags.BINNED for results in alone)
    for size in (512, 3):
        monkeypatch.setattr("sersicnet.batches.SIZE", size)
        results = net.predict([cutouts[0], bigs[0], *cutouts[1:], bigs[1]])
        assert_same(of_rows(results, [0, 2, 3, 4, 5, 6]), expected)
        assert_same(of_rows(results, [1]), alone[0])
        assert_same(of_rows(results, [7]), alone[1])
        assert_allclose(results.samples(3)["mag"][7], net_samples(alone[1], 7), rtol=1e-4)
    units = {"zeropoint": [25.0, 26.0], "pixel_scale": [SCALE, 0.2]}
    bare = [make_cutout(image, meta={}), make_cutout(image, meta={})]
    moved = net.predict(bare, **units)
    assert_allclose(np.diff(moved.median("mag")), 1, rtol=1e-6)
    assert_allclose(moved.median("r_eff")[1] / moved.median("r_eff")[0], 2, rtol=1e-6)


def net_samples(results, row):
    """Magnitudes that a galaxy has as that number of a longer list."""
    draws = results.answer.concatenate([results.answer] * (row + 1)).draw([row], 3, 0)
    frame = results.frame
    return (frame.zeropoint - 2.5 * (draws["log_flux"] + np.log10(frame.noise_level)))[0]


def test_stack_of_large_galaxies(net, monkeypatch):
    monkeypatch.setattr("sersicnet.batches.SIZE", 2)
    images = np.stack([large((400, 400), seed=seed, **LARGE)[0] for seed in range(3)])
    results = net.predict(stack_of(images), **UNITS)
    assert_same(results, net.predict([make_cutout(image) for image in images]))
    assert results.frame.bins.tolist() == [3, 3, 3]


def test_large_galaxy_in_a_small_cutout_is_not_binned(net):
    """There is nothing more to see."""
    image, _ = large((128, 128), **LARGE)
    results = net.predict(make_cutout(image))
    assert results.frame.bins[0] == 1
    assert not results.flags[0] & Flags.BINNED


def test_bad_pixels_of_a_binned_galaxy(net):
    image, _ = large((400, 400), **LARGE)
    plain = net.predict(make_cutout(image))
    image[150:250:7, 150:250:5] = np.nan
    results = net.predict(make_cutout(image))
    assert results.flags[0] == plain.flags[0] | Flags.BAD_PIXELS
    assert_same(results, plain, atol=1.0, flags=False)


def test_oversampled_psf_of_a_large_galaxy(net):
    image, _ = large((400, 400), **LARGE)
    fine = star(shape=(123, 123), oversampling=3)
    plain = net.predict(make_cutout(image))
    assert_same(net.predict(make_cutout(image), psf=fine, psf_oversampling=3), plain, atol=0.1)


# Flags


def flags_of(net, image, **changes):
    return Flags(int(net.predict(make_cutout(image, **changes)).flags[0]))


def test_misfit_of_a_blend(net):
    """Two equal galaxies 6 pixels apart, of which the best model leaves a quarter."""
    table = [labels_of(snr=1000, r_eff=1.5, q=0.8, n=1, theta=0, dx=dx) for dx in (-3, 3)]
    assert flags_of(net, add_noise(render(table, star()).sum(axis=0))) & Flags.MISFIT


def test_misfit_of_a_ring(net):
    """As from reflected light, around a galaxy; the best model leaves a third."""
    y, x = np.indices((128, 128)) - 63.5
    ring = 40 * np.exp(-0.5 * ((np.hypot(x, y) - 10) / 1.5) ** 2)
    image = add_noise(render([labels_of(snr=800, r_eff=3, n=1)], star())[0] + ring)
    assert flags_of(net, image) & Flags.MISFIT


def test_no_misfit_of_a_galaxy(net):
    table = [
        labels_of(snr=snr, r_eff=r_eff, n=n)
        for snr, r_eff, n in ((10, 3, 1), (50, 5, 2), (200, 2, 1), (100, 10, 1), (500, 6, 3))
    ]
    results = net.predict(add_noise(render(table, star())), psf=star(), **UNITS)
    assert not (results.flags & int(Flags.MISFIT)).any()


def test_residual_of_the_truth_is_noise():
    """At a galaxy's own parameters nothing significant is left, with any PSF, mask and noise."""
    table = np.array(
        [labels_of(snr=s, r_eff=r, dx=1, dy=-2) for s, r in ((30, 3), (900, 6), (900, 15))]
    )
    for psf, oversampling in ((star(), 1), (star(shape=(82, 82), oversampling=2), 2)):
        images = add_noise(render(table, psf, oversampling=oversampling))
        mask = np.zeros((128, 128), bool)
        mask[60:70, 66:70] = True
        noise = NOISE * np.ones((128, 128))
        images[:, mask] += 1e4
        cutouts = [make_cutout(image, mask=mask, noise=noise) for image in images]
        stamps, psfs = prepare(cutouts), collect_psfs([psf] * 3, oversampling=oversampling)
        significance, share = residual_power(table, stamps.data, stamps.weight, psfs)
        assert (np.abs(significance) < 5).all()
        assert (share < 0.1).all()
        assert not misfit(table, stamps.data, stamps.weight, psfs).any()
        moved = table + 2 * np.eye(7)[5]
        significance, share = residual_power(moved, stamps.data, stamps.weight, psfs)
        assert (significance[1:] > 20).all()
        assert (share[1:] > 0.02).all()


def test_star_is_unresolved(net):
    for seed in range(3):
        point = 100 / np.sqrt((star(shape=(128, 128)) ** 2).sum()) * star(shape=(128, 128))
        assert flags_of(net, add_noise(point, seed)) & Flags.UNRESOLVED
    assert not flags_of(net, add_noise(render([labels_of(snr=100)], star())[0])) & Flags.UNRESOLVED


def test_empty_sky(net):
    for seed in range(3):
        assert flags_of(net, add_noise(np.zeros((128, 128)), seed)) & Flags.LOW_SNR


def test_larger_than_the_cutout(net):
    image, _ = large((40, 40), **(LARGE | {"r_eff": 25.0, "dx": 0.0, "dy": 0.0}), snr=400)
    assert flags_of(net, image) & Flags.LARGE


def test_noise_that_is_not_given(net, images, expected):
    results = net.predict([make_cutout(image, uncertainty=None) for image in images])
    assert_same(results, expected, atol=1.5, flags=False)
    assert ((results.flags & int(Flags.NOISE_ESTIMATED)) != 0).all()


@pytest.mark.parametrize("shape", [(64, 64), (63, 80), (127, 128), (301, 200)])
def test_cutouts_of_all_sizes(shape, net):
    """The centre is that in the user's pixels."""
    table = [labels_of(snr=300, dx=1.0, dy=-1.5)]
    image = render(table, star(), size=400)[0]
    top, left = (400 - shape[0]) // 2, (400 - shape[1]) // 2
    cut = add_noise(image[top:, left:][: shape[0], : shape[1]])
    results = net.predict(make_cutout(cut))
    assert abs(results.median("x_0")[0] - (200.5 - left)) < 0.5
    assert abs(results.median("y_0")[0] - (198.0 - top)) < 0.5


def test_progress_bar(net, cutouts, capsys):
    net.predict(cutouts[:2], progress_bar=True)
    assert "2/2" in capsys.readouterr().err
    net.predict(cutouts[:2])
    assert capsys.readouterr().err == ""


def test_score(net, cutouts, expected):
    truth = expected.to_table()
    scores = net.score(cutouts, truth)
    assert scores["parameter"].tolist() == list(SEVEN)
    assert_allclose(scores["r2"], 1, atol=1e-3)


# Weights


def test_weights_are_those_that_are_loaded(net, cutouts, expected, tmp_path):
    net.save(tmp_path / "net.safetensors")
    loaded = SersicNet.load(tmp_path / "net.safetensors").set_params(device="cpu")
    assert loaded.label_range_ is None
    assert_same(loaded.predict(cutouts), expected, atol=0)


def test_stamp_size_is_that_of_training(net, cutouts):
    with pytest.raises(ValueError, match="stamp_size=64, but the network was trained with stamp_s"):
        copy.deepcopy(net).set_params(stamp_size=64).predict(cutouts)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
def test_gpu_and_cpu_agree(net, cutouts, expected):
    on_gpu = copy.deepcopy(net).set_params(device="gpu").predict(cutouts)
    assert_same(on_gpu, expected, atol=0.05)
    assert_allclose(on_gpu.samples(5)["mag"], expected.samples(5)["mag"], rtol=1e-3)


def test_a_psf_off_the_middle_of_its_stamp_moves_the_centre_and_nothing_else(net):
    """As for a fit: the galaxy is where its light came from."""
    data = add_noise(render([labels_of(snr=200)] * 4, star()))
    moved = np.roll(star(), (1, -2), axis=(0, 1))
    here, there = (net.predict(data_of(data), psf=psf, **UNITS) for psf in (star(), moved))
    for name, shift in (("x_0", 2.0), ("y_0", -1.0)):
        difference = there.median(name) - here.median(name)
        assert_allclose(difference, shift, atol=0.01)
    for name in ("mag", "r_eff", "n", "q", "theta"):
        difference = there.median(name) - here.median(name)
        assert (np.abs(difference) < 0.1 * here.error(name)).all()


def data_of(data):
    return NDData(data, unit="adu", uncertainty=StdDevUncertainty(np.full(data.shape, NOISE)))
