"""From labels to parameters and back, in the units of each cutout."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty
from helpers.noisy import SCALE, ZEROPOINT, few, lengths, random_cutout, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.parameters import PARAMETERS, label_names, wrap_theta
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.frame import StampFrame

SEVEN = tuple(PARAMETERS)


@few
@given(
    shape=shapes,
    stamp_size=lengths,
    zeropoint=st.floats(-50, 50),
    scale=st.floats(1e-3, 30),
    noise=st.floats(1e-20, 1e20),
    seed=seeds,
)
def test_the_way_back_is_exact(shape, stamp_size, zeropoint, scale, noise, seed):
    uncertainty = StdDevUncertainty(np.full(shape, noise))
    cutout = random_cutout(shape=shape, uncertainty=uncertainty, bad=False)
    frame = prepare([cutout], stamp_size=stamp_size, zeropoint=zeropoint, pixel_scale=scale).frame
    rng = np.random.default_rng(seed)
    truth = {
        "mag": rng.uniform(15, 30, 1),
        "r_eff": rng.uniform(0.01, 10, 1),
        "n": rng.uniform(0.3, 6, 1),
        "q": rng.uniform(0.1, 0.99, 1),
        "theta": rng.uniform(-90, 90, 1),
        "x_0": rng.uniform(0, shape[1], 1),
        "y_0": rng.uniform(0, shape[0], 1),
    }
    back = frame.from_labels(frame.to_labels(truth, SEVEN), SEVEN)
    for name, values in truth.items():
        assert_allclose(back[name], values, rtol=1e-10, atol=1e-10, err_msg=name)


@few
@given(change=st.floats(-20, 20), seed=seeds)
def test_zero_points(change, seed):
    cutout = random_cutout(seed=seed)
    first = prepare(cutout, zeropoint=ZEROPOINT)
    second = prepare(cutout, zeropoint=(ZEROPOINT + change) * u.ABmag)
    assert_array_equal(first.data, second.data)
    mags = [s.frame.from_labels({"log_flux": 2.5}, ("mag",))["mag"] for s in (first, second)]
    assert_allclose(mags[1] - mags[0], change, rtol=0, atol=1e-12)


@few
@given(factor=st.floats(0.02, 100), seed=seeds)
def test_pixel_scales(factor, seed):
    cutout = random_cutout(seed=seed)
    first = prepare(cutout, pixel_scale=SCALE)
    second = prepare(cutout, pixel_scale=factor * SCALE * u.arcsec / u.pix)
    assert_array_equal(first.data, second.data)
    radii = [s.frame.from_labels({"log_r_eff": 0.7}, ("r_eff",))["r_eff"] for s in (first, second)]
    assert_allclose(radii[1] / radii[0], factor, rtol=1e-14)


frames = st.tuples(
    st.floats(1e-12, 1e12),
    st.floats(-10, 50),
    st.floats(1e-3, 100),
    st.sampled_from([1.0, 3.0, 25.0]),
    st.floats(-5000, 5000),
    st.floats(-5000, 5000),
).map(lambda values: StampFrame(*np.array(values)[:, None]))
truths = st.fixed_dictionaries(
    {
        "mag": st.floats(-5, 40),
        "r_eff": st.floats(1e-4, 1e3),
        "n": st.floats(0.3, 6.2),
        "q": st.floats(0.01, 0.999),
        "theta": st.floats(-90, 90, exclude_max=True),
        "x_0": st.floats(-100, 5000),
        "y_0": st.floats(-100, 5000),
    }
).map(lambda truth: {name: np.array([value]) for name, value in truth.items()})


def make_frame(**changes):
    values = {
        "noise_level": [2.0, 0.1],
        "zeropoint": [25.0, 31.4],
        "pixel_scale": [0.06, 0.2],
        "bins": [1.0, 1.0],
        "x_middle": [63.5, 15.0],
        "y_middle": [63.5, 10.5],
    }
    return StampFrame(**{name: np.array(value) for name, value in (values | changes).items()})


@given(frames, truths)
def test_labels_and_back(frame, truth):
    labels = frame.to_labels(truth, SEVEN)
    assert tuple(labels) == label_names(SEVEN)
    back = frame.from_labels(labels, SEVEN)
    for name in ("mag", "r_eff", "n", "q", "x_0", "y_0"):
        assert_allclose(back[name], truth[name], rtol=1e-9, atol=1e-9)
    difference = wrap_theta(back["theta"] - truth["theta"])
    assert abs(difference) < 1e-6
    assert -90 <= back["theta"] < 90


@pytest.mark.parametrize("parameters", [("mag",), ("theta",), ("y_0", "n"), SEVEN[::-1]])
def test_labels_of_a_subset(parameters):
    truth = {name: np.array([0.5, 0.7]) for name in PARAMETERS}
    labels = make_frame().to_labels(truth, parameters)
    assert sorted(labels) == sorted(label_names(parameters))
    assert set(make_frame().from_labels(labels, parameters)) == set(parameters)


def test_what_labels_are():
    truth = {
        "mag": np.array([25.0, 31.4]),
        "r_eff": np.array([0.6, 20.0]),
        "n": np.array([1.0, 4.0]),
        "q": np.array([0.5, 1 / 3]),
        "theta": np.array([0.0, 45.0]),
        "x_0": np.array([64.5, 14.0]),
        "y_0": np.array([63.5, 11.5]),
    }
    labels = make_frame().to_labels(truth, SEVEN)
    assert_allclose(labels["log_flux"], [-np.log10(2), 1])  # a flux of 1 in units of the noise
    assert_allclose(labels["log_r_eff"], [1, 2])  # 10 and 100 pixels
    assert_allclose(labels["e1"], [1 / 3, 0], atol=1e-15)
    assert_allclose(labels["e2"], [0, 0.5], atol=1e-15)
    assert_allclose(labels["dx"], [1, -1])
    assert_allclose(labels["dy"], [0, 1])


def test_zero_point_and_pixel_scale_act_by_arithmetic():
    labels = {name: np.array([0.3, 0.4]) for name in label_names(SEVEN)}
    before = make_frame().from_labels(labels, SEVEN)
    after = make_frame(zeropoint=[26.5, 32.9], pixel_scale=[0.12, 0.4]).from_labels(labels, SEVEN)
    assert_allclose(after["mag"] - before["mag"], 1.5, rtol=1e-13)
    assert_array_equal(after["r_eff"], 2 * before["r_eff"])
    for name in ("n", "q", "theta", "x_0", "y_0"):
        assert_array_equal(after[name], before[name])


def test_binned_pixels():
    """A stamp whose pixels are three of the cutout's holds the galaxy a third as large."""
    truth = {
        "r_eff": np.array([0.9, 0.9]),
        "x_0": np.array([66.5] * 2),
        "y_0": np.array([60.5] * 2),
    }
    plain = make_frame(pixel_scale=[0.1, 0.1], y_middle=[63.5] * 2, x_middle=[63.5] * 2)
    binned = make_frame(
        pixel_scale=[0.1, 0.1], y_middle=[63.5] * 2, x_middle=[63.5] * 2, bins=[3.0, 1.0]
    )
    labels, coarse = (frame.to_labels(truth, tuple(truth)) for frame in (plain, binned))
    assert_allclose(10 ** (labels["log_r_eff"] - coarse["log_r_eff"]), [3, 1])
    assert_allclose(coarse["dx"], [1, 3])
    assert_allclose(coarse["dy"], [-1, -3])
    back = binned.from_labels(coarse, tuple(truth))
    for name, values in truth.items():
        assert_allclose(back[name], values)


def test_frames_one_after_the_other():
    frame = make_frame()
    joined = StampFrame.concatenate([frame[1:], frame])
    for name in StampFrame.__dataclass_fields__:
        values = getattr(frame, name)
        assert_array_equal(getattr(joined, name), [values[1], *values])


def test_part_of_a_frame():
    part = make_frame()[1:]
    assert part.noise_level.tolist() == [0.1]
    assert part.y_middle.tolist() == [10.5]
