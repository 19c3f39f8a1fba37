"""Parameters, labels, priors and flags: the conventions that everything else relies on."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sersicnet.flags import Flags, decode_flags, flag_table
from sersicnet.parameters import (
    PARAMETERS,
    Prior,
    check_parameters,
    label_names,
    table_values,
    wrap_theta,
)
from sersicnet.preprocessing.frame import StampFrame

SEVEN = tuple(PARAMETERS)

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


def test_the_seven_and_their_units():
    units = {name: parameter.unit for name, parameter in PARAMETERS.items()}
    assert units == {
        "mag": u.ABmag,
        "r_eff": u.arcsec,
        "n": None,
        "q": None,
        "theta": u.deg,
        "x_0": u.pix,
        "y_0": u.pix,
    }
    assert PARAMETERS["mag"].err_unit == u.mag
    assert all(p.err_unit == p.unit for name, p in PARAMETERS.items() if name != "mag")


def test_check_parameters():
    assert check_parameters("mag") == ("mag",)
    assert check_parameters(["q", "mag"]) == ("q", "mag")


@pytest.mark.parametrize("wrong", [(), ("mag", "mag"), ("flux",), ("mag", "x"), ""])
def test_check_parameters_refuses(wrong):
    with pytest.raises(ValueError, match="must be one or more different names out of mag, r_eff"):
        check_parameters(wrong)


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


def test_label_names_keep_the_order():
    assert label_names(("theta", "x_0", "mag")) == ("e1", "e2", "dx", "log_flux")


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


@given(st.floats(-1e4, 1e4))
def test_angles_are_wrapped(theta):
    wrapped = wrap_theta(theta)
    assert -90 <= wrapped < 90
    assert_allclose(np.exp(2j * np.radians(wrapped)), np.exp(2j * np.radians(theta)), atol=1e-9)


@pytest.mark.parametrize(
    ("theta", "wrapped"),
    [(90, -90), (-90, -90), (89, 89), (91, -89), (270, -90), (np.nextafter(-90, -91), -90)],
)
def test_ends_of_the_angles(theta, wrapped):
    assert wrap_theta(theta) == wrapped


# Tables of the truth


def test_table_values_in_any_unit():
    table = QTable({"r_eff": [500, 1500] * u.mas, "theta": [0, np.pi / 4] * u.rad, "n": [1, 4]})
    values = table_values(table, ("theta", "r_eff", "n"))
    assert list(values) == ["theta", "r_eff", "n"]
    assert_allclose(values["r_eff"], [0.5, 1.5])
    assert_allclose(values["theta"], [0, 45])
    assert values["n"].dtype == float


@pytest.mark.parametrize("mag", [[20.0, 21.0], [20, 21] * u.ABmag, [20, 21] * u.mag])
@pytest.mark.parametrize("kind", [dict, QTable, Table])
def test_table_values_of_magnitudes(mag, kind):
    assert_allclose(table_values(kind({"mag": mag}), ("mag",))["mag"], [20, 21])


def test_masked_entries_are_nan():
    table = Table({"q": MaskedColumn([0.5, 0.7, 0.9], mask=[False, True, False])})
    assert_array_equal(table_values(table, ("q",))["q"], [0.5, np.nan, 0.9])


def test_missing_column():
    with pytest.raises(ValueError, match="the truth has no column 'n', which is needed for q, n"):
        table_values({"q": [1.0]}, ("q", "n"))


def test_wrong_unit():
    table = QTable({"r_eff": [1.0] * u.s})
    with pytest.raises(u.UnitConversionError, match="the truth's column 'r_eff': 's'"):
        table_values(table, ("r_eff",))


# Priors


@pytest.mark.parametrize("log", [False, True])
def test_prior(log):
    draws = Prior(0.1, 10, log=log).sample(np.random.default_rng(1), 2000)
    expected = stats.loguniform(0.1, 10) if log else stats.uniform(0.1, 9.9)
    assert stats.kstest(draws, expected.cdf).pvalue > 0.01
    again = Prior(0.1, 10, log=log).sample(np.random.default_rng(1), 2000)
    assert_array_equal(draws, again)


def test_prior_of_one_value():
    assert Prior(3, 3).sample(np.random.default_rng(1)) == 3


@pytest.mark.parametrize(
    ("limits", "log"),
    [((2, 1), False), ((0, 1), True), ((-1, 1), True), ((0, np.inf), False), ((np.nan, 1), False)],
)
def test_prior_refuses(limits, log):
    with pytest.raises(ValueError, match="must be a finite, ordered interval"):
        Prior(*limits, log=log)


# Flags


def test_flags_are_single_bits_and_documented():
    table = flag_table()
    assert table["value"].tolist() == [2**i for i in range(len(Flags))]
    assert table["name"].tolist() == [flag.name for flag in Flags]
    assert all(table["meaning"])


def test_decode_flags():
    assert decode_flags(0) == []
    assert decode_flags(Flags.LOW_SNR | Flags.NO_DATA) == ["NO_DATA", "LOW_SNR"]
    assert decode_flags(np.array([0, 33])) == [[], ["NO_DATA", "NOISE_ESTIMATED"]]


@given(st.sets(st.sampled_from(list(Flags))))
def test_decode_flags_is_the_inverse(flags):
    assert set(decode_flags(sum(flags))) == {flag.name for flag in flags}
