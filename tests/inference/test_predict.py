"""What `SersicNet.predict` does with the universal network: units, PSFs, batches and flags.

The galaxies are rendered by `sersicnet.model.profile`, which has its own test against GalSim.
Nothing here depends on how good the shipped weights are, beyond what any use of them needs.
"""

import copy
import pickle

import astropy.units as u
import numpy as np
import pytest
import torch
from astropy.nddata import InverseVariance
from helpers.cutouts import SCALE, UNITS, ZEROPOINT
from helpers.predicted import ROUNDING, SEVEN, TABLE, assert_same, difference
from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import SersicNet

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
    assert table.colnames == ["id", *columns, "chi2", "n_pixels", "flags"]
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


@pytest.mark.parametrize("seed", [-1, 1.5, None, True])
def test_impossible_seeds(seed, net, cutouts, expected):
    message = f"seed={seed!r} must be a non-negative integer"
    with pytest.raises(ValueError, match=message):
        net.predict(cutouts, seed=seed)
    with pytest.raises(ValueError, match=message):
        expected.samples(10, seed=seed)
    with pytest.raises(ValueError, match=message):
        expected.covariance(seed=seed)


def test_impossible_numbers_of_draws(expected):
    with pytest.raises(ValueError, match="n=0 must be a positive integer"):
        expected.samples(0)


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
            again.posterior.mean[0] = 0


def test_results_do_not_change_with_the_network(net, cutouts):
    net = copy.deepcopy(net)
    results = net.predict(cutouts[:2])
    before = results.samples(5)["mag"]
    with torch.no_grad():
        for parameter in net.network_.parameters():
            parameter.zero_()
    assert_array_equal(results.samples(5)["mag"], before)
    for array in (results.quantiles, results.posterior.context, results.posterior.log_light):
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
    options = {"noise": to_njy * NOISE, "unit": "nJy", "meta": {"PIXSCALE": SCALE}}
    flux = [make_cutout(to_njy * image, **options) for image in images]
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
@pytest.mark.parametrize(("augment", "within"), [(False, 4), (True, ROUNDING)])
def test_turned_image(turn, augment, within, net, images):
    """Image, noise, mask and PSF turned: angle and center move along, all else stays.

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
        return net.predict(turned_cutouts, augment=augment)

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


def test_samples_of_augmented_answers(net, cutouts, expected):
    """Their quantiles are those of the table, and they are other than without."""
    results = net.predict(cutouts, augment=True)
    samples = results.samples(4000)
    for name in set(SEVEN) - {"theta"}:
        middle = np.median(samples[name], axis=1) - results.median(name)
        assert (np.abs(middle) < 0.2 * results.error(name)).all(), name
        assert (results.median(name) != expected.median(name)).all()
    refined = net.predict(cutouts, augment=True, refine="lm")
    assert np.isfinite(refined.median("mag")).all()


def test_augment_is_for_the_universal_network(net, cutouts):
    with pytest.raises(ValueError, match="augment='no' must be True or False"):
        net.predict(cutouts, augment="no")
    with pytest.raises(ValueError, match="augment=True needs the posterior network"):
        SersicNet.from_pretrained("deeplegato").predict(cutouts, augment=True)


@pytest.mark.parametrize("shape", [(64, 64), (63, 80), (127, 128), (301, 200)])
def test_cutouts_of_all_sizes(shape, net):
    """The center is that in the user's pixels."""
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
