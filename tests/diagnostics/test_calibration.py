"""Calibration: right posteriors pass, wrong ones are found, and the figures show it."""

import importlib
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table

from sersicnet.diagnostics.calibration import (
    chance_deviation,
    coverage_table,
    sbc_ranks,
    sbc_table,
    tarp,
    tarp_deviation,
)
from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS, wrap_theta
from sersicnet.plotting.style import NAMES

# Middle and width of the toy prior, and width of the toy posteriors.
TOYS = {
    "mag": (21, 2, 0.1),
    "r_eff": (1.0, 0.1, 0.05),
    "n": (3, 1, 0.5),
    "q": (0.6, 0.05, 0.03),
    "theta": (0, 60, 25),
    "x_0": (63, 1, 0.1),
    "y_0": (63, 1, 0.2),
}


def make_posteriors(*, n=2000, n_samples=100, names=tuple(TOYS), scale=1.0, offset=0.0, seed=0):
    """Gaussian posteriors ``scale`` times too wide and ``offset`` sigma off, and the truth."""
    rng = np.random.default_rng(seed)
    samples, truth = {}, {}
    for name in names:
        middle, spread, sigma = TOYS[name]
        middle = rng.normal(middle, spread, n)
        truth[name] = middle + sigma * rng.normal(size=n)
        errors = offset + scale * rng.normal(size=(n, n_samples))
        samples[name] = middle[:, None] + sigma * errors
    for columns in (samples, truth):
        if "theta" in columns:
            columns["theta"] = wrap_theta(columns["theta"])
    return samples, truth


def is_uniform(ranks):
    """No farther from uniform than chance goes once in a thousand times."""
    uniform = (np.arange(len(ranks)) + 0.5) / len(ranks)
    return np.abs(np.sort(ranks) - uniform).max() < chance_deviation(len(ranks), probability=0.999)


# --- right and wrong posteriors ---------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [1, 7, 100])
def test_right_posteriors(n_samples):
    samples, truth = make_posteriors(n_samples=n_samples)
    table = coverage_table(samples, truth)
    assert list(table["parameter"][::4]) == list(PARAMETERS)
    assert list(table["level"][:4]) == [0.5, 0.68, 0.9, 0.95]
    assert np.all(np.abs(table["coverage"] - table["level"]) < 4 * table["coverage_err"])
    assert np.all(table["n"] == 2000)
    table = sbc_table(samples, truth)
    assert np.all(table["p_value"] > 0.001)
    assert np.all(table["ks"] < chance_deviation(2000, probability=0.999))
    deviation, error = tarp_deviation(samples, truth, seed=1)
    assert deviation < chance_deviation(2000, probability=0.999)
    assert 0 < error < 0.02


@pytest.mark.parametrize(("scale", "sign"), [(0.7, -1), (1.4, 1)])
def test_wrong_widths_are_found(scale, sign):
    samples, truth = make_posteriors(scale=scale)
    table = coverage_table(samples, truth)
    assert np.all(sign * (table["coverage"] - table["level"]) > 2 * table["coverage_err"])
    assert np.all(sbc_table(samples, truth)["p_value"] < 1e-6)
    deviation, error = tarp_deviation(samples, truth, seed=1)
    assert deviation - 3 * error > chance_deviation(2000)


def test_coverage_of_a_wrong_width_is_that_of_the_normal_distribution():
    from scipy.stats import norm

    samples, truth = make_posteriors(scale=0.5, n=5000, n_samples=400)
    table = coverage_table(samples, truth)
    expected = 2 * norm.cdf(0.5 * norm.ppf(0.5 + table["level"] / 2)) - 1
    assert np.all(np.abs(table["coverage"] - expected) < 4 * table["coverage_err"])


def test_bias_is_found():
    samples, truth = make_posteriors(offset=0.7)
    for name in TOYS:
        assert np.mean(sbc_ranks(samples, truth, name)) == pytest.approx(0.32, abs=0.04)
    table = coverage_table(samples, truth)
    assert np.all(table["coverage"] < table["level"])
    assert np.all(sbc_table(samples, truth)["p_value"] < 1e-6)
    assert tarp_deviation(samples, truth, seed=1)[0] > chance_deviation(2000)


def test_only_the_wrong_parameter_is_found():
    samples, truth = make_posteriors()
    samples["n"] = samples["n"] - 0.3
    table = sbc_table(samples, truth)
    np.testing.assert_array_equal(table["p_value"] < 0.001, table["parameter"] == "n")


def test_wrong_correlation_is_found_by_tarp_only():
    samples, truth = make_posteriors(names=("x_0", "y_0"), n=4000)
    rng = np.random.default_rng(5)  # of errors correlated by 0.9, samples without
    errors = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 4000)
    for name, error in zip(samples, errors.T, strict=True):
        middle, sigma = rng.normal(size=4000), TOYS[name][2]
        truth[name] = middle + sigma * error
        samples[name] = middle[:, None] + sigma * rng.normal(size=(4000, 100))
    assert np.all(sbc_table(samples, truth)["p_value"] > 0.001)
    assert tarp_deviation(samples, truth, seed=1)[0] > 1.5 * chance_deviation(4000)


# --- ranks ------------------------------------------------------------------------------------


def test_ranks_count_the_samples_below_the_truth():
    samples, truth = make_posteriors(n=300)
    below = (samples["mag"] < truth["mag"][:, None]).sum(axis=1)
    ranks = sbc_ranks(samples, truth, "mag")
    np.testing.assert_array_equal(np.floor(ranks * 101), below)
    assert ranks.min() >= 0
    assert ranks.max() < 1


def test_rank_depends_on_seed_and_galaxy_alone():
    samples, truth = make_posteriors(n=50, n_samples=3)
    first = {name: values[:20] for name, values in samples.items()}
    ranks = sbc_ranks(samples, truth, "n", seed=4)
    few = sbc_ranks(first, {"n": truth["n"][:20]}, "n", seed=4)
    np.testing.assert_array_equal(few, ranks[:20])
    assert np.all(sbc_ranks(samples, truth, "n", seed=5) != ranks)


def test_ranks_of_equal_values_are_uniform():
    samples, truth = {"q": np.ones((3000, 10))}, {"q": np.ones(3000)}
    assert is_uniform(sbc_ranks(samples, truth, "q"))
    assert np.isfinite(tarp(samples, truth, seed=0)[1]).all()


@pytest.mark.parametrize("shift", [0, 180, -540])
def test_theta_is_an_angle(shift):
    rng = np.random.default_rng(2)
    middle = rng.choice([-90, 89.9, 10], 2000)  # two of three on the edge
    truth = {"theta": wrap_theta(middle + rng.normal(0, 5, 2000)) + shift}
    samples = {"theta": wrap_theta(middle[:, None] + rng.normal(0, 5, (2000, 100)))}
    assert is_uniform(sbc_ranks(samples, truth, "theta"))
    (row,) = coverage_table(samples, truth, levels=0.68)
    assert row["coverage"] == pytest.approx(0.68, abs=4 * row["coverage_err"])
    assert tarp_deviation(samples, truth, seed=0)[0] < chance_deviation(2000, probability=0.999)
    radians = QTable({"theta": np.radians(truth["theta"]) * u.rad})
    np.testing.assert_allclose(
        sbc_ranks(samples, radians, "theta"), sbc_ranks(samples, truth, "theta")
    )


@pytest.mark.parametrize("n_samples", [3, 200])
def test_no_knowledge_of_theta_is_a_right_posterior(n_samples):
    rng = np.random.default_rng(3)
    samples = {"theta": rng.uniform(-90, 90, (4000, n_samples))}
    truth = {"theta": rng.uniform(-90, 90, 4000)}
    assert is_uniform(sbc_ranks(samples, truth, "theta"))


def test_biased_theta_is_found_across_the_edge():
    rng = np.random.default_rng(2)
    samples = {"theta": wrap_theta(90 + rng.normal(0, 5, (500, 100)))}
    truth = {"theta": np.full(500, -82.0)}
    assert np.all(sbc_ranks(samples, truth, "theta") > 0.8)
    truth = {"theta": np.full(500, 82.0)}
    assert np.all(sbc_ranks(samples, truth, "theta") < 0.2)


# --- TARP -------------------------------------------------------------------------------------


def test_tarp_is_the_deviation():
    samples, truth = make_posteriors(n=300, scale=0.8)
    levels, coverage = tarp(samples, truth, seed=3, n_levels=51)
    np.testing.assert_allclose(levels, np.linspace(0, 1, 51))
    assert np.all(np.diff(coverage) >= 0)
    assert (coverage[0], coverage[-1]) == (0, 1)
    deviation, _ = tarp_deviation(samples, truth, seed=3, n_levels=51)
    assert deviation == np.abs(coverage - levels).max()
    np.testing.assert_array_equal(tarp(samples, truth, seed=3, n_levels=51)[1], coverage)
    assert np.any(tarp(samples, truth, seed=4, n_levels=51)[1] != coverage)


def test_tarp_does_not_depend_on_units_or_turns():
    samples, truth = make_posteriors(n=200)
    _, coverage = tarp(samples, truth, seed=3)
    table = QTable({name: values * (PARAMETERS[name].unit or 1) for name, values in truth.items()})
    table["theta"] = table["theta"].to(u.rad) + np.pi * u.rad
    table["r_eff"] = table["r_eff"].to(u.deg)
    np.testing.assert_allclose(tarp(samples, table, seed=3)[1], coverage, atol=0.006)


def test_more_references_deviate_less():
    samples, truth = make_posteriors(n=500)
    few, many = (
        np.mean([tarp_deviation(samples, truth, seed=s, n_references=n)[0] for s in range(5)])
        for n in (1, 10)
    )
    assert many < 0.7 * few


def test_chance_deviation_is_that_of_right_posteriors():
    deviations = [
        tarp_deviation(*make_posteriors(n=100, n_samples=20, seed=seed), seed=seed, n_bootstrap=2)[
            0
        ]
        for seed in range(300)
    ]
    assert np.quantile(deviations, 0.8) == pytest.approx(
        chance_deviation(100, probability=0.8), rel=0.12
    )
    assert chance_deviation(10_000) == pytest.approx(1.358 / 100, rel=0.01)  # Kolmogorov's limit


def test_bootstrap_error_is_the_scatter_of_the_deviation():
    results = [
        tarp_deviation(*make_posteriors(n=300, n_samples=50, scale=0.5, seed=seed), seed=seed)
        for seed in range(40)
    ]
    deviations, errors = np.transpose(results)
    assert np.std(deviations) == pytest.approx(np.mean(errors), rel=0.35)


# --- what is left out -------------------------------------------------------------------------


def test_lost_galaxies_are_left_out_and_counted():
    samples, truth = make_posteriors(n=200)
    expected = sbc_ranks(samples, truth, "mag")
    samples["mag"][:5] = np.nan
    samples["mag"][5, 3] = np.inf
    truth["mag"][4:8] = np.nan  # unknown truth is nobody's loss
    ranks = sbc_ranks(samples, truth, "mag")
    assert np.isnan(ranks[:8]).all()
    np.testing.assert_array_equal(ranks[8:], expected[8:])
    for table in (coverage_table(samples, truth), sbc_table(samples, truth)):
        rows = table[table["parameter"] == "mag"]
        assert np.all(rows["n"] == 192)
        assert np.all(rows["n_lost"] == 4)
        assert np.all(table["n"][table["parameter"] == "n"] == 200)
    steps = np.diff(tarp(samples, truth, seed=0)[1]) * 192
    np.testing.assert_allclose(steps, steps.round(), atol=1e-9)


def test_masked_and_flagged_truth_is_left_out():
    samples, truth = make_posteriors(n=20, names=("n",))
    flags = np.zeros(20, dtype=int)
    flags[:3] = int(Flags.RENDER_FAILED)
    table = Table({"n": MaskedColumn(truth["n"], mask=np.arange(20) > 17), "flags": flags})
    (row,) = sbc_table(samples, table)
    assert (row["n"], row["n_lost"]) == (15, 0)


def test_galaxies_without_logarithm_are_left_out_of_tarp():
    samples, truth = make_posteriors(n=20, names=("r_eff", "n"))
    samples["r_eff"][0, 0] = 0
    _, coverage = tarp(samples, truth, seed=0)
    np.testing.assert_allclose(coverage * 19, (coverage * 19).round(), atol=1e-9)


def test_no_galaxies():
    samples, truth = make_posteriors(n=0, names=("n", "q"))
    table = coverage_table(samples, truth, levels=[0.5])
    assert list(table["n"]) == [0, 0]
    assert np.isnan(table["coverage"]).all()
    assert np.isnan(table["coverage_err"]).all()
    assert np.isnan(sbc_table(samples, truth)["p_value"]).all()
    assert np.isnan(tarp(samples, truth, seed=0)[1]).all()
    assert np.isnan(tarp_deviation(samples, truth, seed=0)).all()
    assert len(sbc_table(samples, truth, strata=[])) == 0


def test_error_of_the_coverage():
    samples, truth = make_posteriors(names=("n",), scale=5)
    samples["n"][:, 0], samples["n"][:, 1] = -99, 99  # so that none is outside
    table = coverage_table(samples, truth, levels=[0.3, 0.96])
    p = table["coverage"][0]
    assert table["coverage_err"][0] == pytest.approx(np.sqrt(p * (1 - p) / 2000), rel=0.01)
    assert table["coverage"][1] == 1
    assert table["coverage_err"][1] == pytest.approx(1 / 2000, rel=0.01)


# --- strata -----------------------------------------------------------------------------------


def test_strata():
    samples, truth = make_posteriors(n=900, names=("mag", "n"))
    strata = np.where(np.arange(900) < 300, "b", "a")
    samples["n"][:300] += 1
    table = sbc_table(samples, truth, strata=strata)
    assert list(table["parameter"]) == ["mag", "mag", "n", "n"]
    assert list(table["stratum"]) == ["a", "b", "a", "b"]
    assert list(table["n"]) == [600, 300, 600, 300]
    np.testing.assert_array_equal(table["p_value"] < 0.001, [False, False, False, True])
    table = coverage_table(samples, truth, strata=strata, levels=0.68, parameters="n")
    inside = np.abs(sbc_ranks(samples, truth, "n")[300:] - 0.5) <= 0.34
    assert table["coverage"][0] == inside.mean()


@pytest.mark.parametrize(
    "strata",
    [
        np.array([1.0, 1.0, 2.0, np.nan]),
        MaskedColumn(["x", "x", "y", "x"], mask=[False, False, False, True]),
    ],
)
def test_galaxies_without_label_are_in_no_stratum(strata):
    samples, truth = make_posteriors(n=4, names=("n",))
    samples["n"][0] = np.nan
    table = sbc_table(samples, truth, strata=strata)
    assert list(table["n"]) == [1, 1]
    assert list(table["n_lost"]) == [1, 0]


def test_samples_of_a_network(trained, galaxies):
    cutouts, truth = galaxies
    samples = trained.predict(cutouts).samples(50)
    table = coverage_table(samples, truth, levels=[0.68, 0.95])
    assert np.all(table["n"] + table["n_lost"] == len(truth))
    assert tarp(samples, truth, seed=0)[1][-1] == 1


# --- bad calls --------------------------------------------------------------------------------


def test_bad_calls_are_named():
    samples, truth = make_posteriors(n=5, n_samples=4)
    for levels in (0.0, [0.5, 1.0], [[0.5]], [np.nan]):
        with pytest.raises(ValueError, match=r"levels=.* must be probabilities between 0 and 1"):
            coverage_table(samples, truth, levels=levels)
    with pytest.raises(ValueError, match="samples and truth must share a parameter out of mag"):
        sbc_table({"mag": samples["mag"]}, {"n": truth["n"]})
    with pytest.raises(ValueError, match="samples have no parameter 'q', only mag"):
        sbc_ranks({"mag": samples["mag"]}, truth, "q")
    with pytest.raises(ValueError, match="truth has no column 'q', only mag"):
        tarp(samples, {"mag": truth["mag"]}, seed=0, parameters=["mag", "q"])
    with pytest.raises(ValueError, match="one or more different names"):
        sbc_ranks(samples, truth, "size")
    for values in (samples["n"][:4], samples["n"][0], np.empty((5, 0))):
        with pytest.raises(ValueError, match=r"samples\['n'\] has shape .* with N=5"):
            sbc_ranks({"n": values}, truth, "n")
    with pytest.raises(ValueError, match=r"the same number of samples, not \{'mag': 3, 'n': 4\}"):
        tarp({"mag": samples["mag"][:, 1:], "n": samples["n"]}, truth, seed=0)
    with pytest.raises(ValueError, match=r"strata have shape \(4,\) and must be one label"):
        coverage_table(samples, truth, strata=[1, 1, 2, 2])
    with pytest.raises(u.UnitConversionError):
        sbc_ranks(samples, {"r_eff": np.ones(5) * u.s}, "r_eff")
    with pytest.raises(ValueError, match="n_references=0 must be 1 or more"):
        tarp(samples, truth, seed=0, n_references=0)
    with pytest.raises(ValueError, match="n_levels=1 must be 2 or more"):
        tarp(samples, truth, seed=0, n_levels=1)
    with pytest.raises(ValueError, match="n_bootstrap=1 must be 2 or more"):
        tarp_deviation(samples, truth, seed=0, n_bootstrap=1)
    for arguments in ({"n_galaxies": 0}, {"n_galaxies": 9, "probability": 1}):
        with pytest.raises(ValueError, match=r"n_galaxies=\d must be 1 or more and probability="):
            chance_deviation(**arguments)


# --- figures ----------------------------------------------------------------------------------


@pytest.fixture
def plotting():
    """The module, where matplotlib is installed."""
    pytest.importorskip("matplotlib")
    return importlib.import_module("sersicnet.plotting")


@pytest.fixture
def figure(plotting):
    """An empty figure."""
    return importlib.import_module("matplotlib.figure").Figure()


def draws(ax):
    """Draw the whole figure, so that whatever is wrong with an artist comes out."""
    ax.figure.canvas.draw()
    return True


def test_plot_coverage(plotting, figure):
    samples, truth = make_posteriors(n=100)
    table = coverage_table(samples, truth)
    ax = plotting.plot_coverage(table)
    assert [container.get_label() for container in ax.containers] == [NAMES[name] for name in TOYS]
    for container, name in zip(ax.containers, TOYS, strict=True):
        rows = table[table["parameter"] == name]
        line, _, (bars,) = container.lines
        np.testing.assert_array_equal(line.get_xdata(), rows["level"])
        np.testing.assert_array_equal(line.get_ydata(), rows["coverage"])
        lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
        np.testing.assert_allclose(lengths, 2 * rows["coverage_err"])
    assert len({container.lines[0].get_color() for container in ax.containers}) == 7
    assert draws(ax)
    strata = np.arange(100) % 2
    given = figure.subplots()
    table = coverage_table(samples, truth, strata=strata, parameters=["q", "n"])
    assert plotting.plot_coverage(table, ax=given) is given
    labels = [text.get_text() for text in given.get_legend().get_texts()]
    assert labels == ["axis ratio, 0", "axis ratio, 1", "Sérsic index, 0", "Sérsic index, 1"]
    assert [c.lines[0].get_linestyle() for c in given.containers] == ["-", "--"] * 2
    assert draws(given)
    assert draws(plotting.plot_coverage(table[:0]))


def test_plot_tarp(plotting, figure):
    levels, coverage = tarp(*make_posteriors(n=100), seed=0)
    ax = plotting.plot_tarp(levels, coverage)
    equality, line = ax.lines
    np.testing.assert_array_equal(equality.get_xydata(), [[0, 0], [1, 1]])
    np.testing.assert_array_equal(line.get_xydata(), np.transpose([levels, coverage]))
    assert not ax.collections
    given = figure.subplots()
    assert plotting.plot_tarp(levels, coverage, n_galaxies=100, ax=given) is given
    (band,) = given.collections
    assert band.get_datalim(given.transData).y1 == pytest.approx(1 + chance_deviation(100))
    assert draws(ax)
    assert draws(given)
    with pytest.raises(ValueError, match="n_galaxies=0 must be 1 or more"):
        plotting.plot_tarp(levels, coverage, n_galaxies=0)


def test_plot_sbc(plotting, figure):
    samples, truth = make_posteriors()
    ranks = {name: sbc_ranks(samples, truth, name) for name in samples}
    ranks["n"][:500] = np.nan
    axes = plotting.plot_sbc(ranks)
    assert [ax.get_xlabel() for ax in axes] == [f"rank of the true {NAMES[name]}" for name in TOYS]
    for ax, values in zip(axes, ranks.values(), strict=True):
        band, heights = ax.patches[0], ax.patches[1].get_data().values
        counts = np.histogram(values, 20, range=(0, 1))[0]
        np.testing.assert_allclose(heights, counts / counts.mean())
        low, high = band.get_y(), band.get_y() + band.get_height()
        assert np.mean((low <= heights) & (heights <= high)) >= 0.9
        assert ax.texts[0].get_text() == f"{counts.sum()} galaxies"
    assert draws(axes[0])
    wrong = sbc_ranks(*make_posteriors(scale=0.6), "mag")
    given = figure.subplots()
    assert plotting.plot_sbc({"mag": wrong}, n_bins=10, axes=[given]) == [given]
    heights = given.patches[1].get_data().values
    assert len(heights) == 10
    assert min(heights[0], heights[-1]) > 1.3 > 1 > heights[5]
    assert draws(given)
    assert draws(plotting.plot_sbc({"mag": np.full(3, np.nan)})[0])


def test_bad_calls_of_plot_sbc(plotting, figure):
    with pytest.raises(ValueError, match="one or more different names"):
        plotting.plot_sbc({"size": np.ones(3)})
    with pytest.raises(ValueError, match="n_bins=1 must be 2 or more"):
        plotting.plot_sbc({"n": np.ones(3)}, n_bins=1)
    with pytest.raises(ValueError, match=r"axes \(1\) must be as many as the parameters \(2\)"):
        plotting.plot_sbc({"n": np.ones(3), "q": np.ones(3)}, axes=[figure.subplots()])


def lines_at(ax):
    """Where the vertical lines of a panel are."""
    return [line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1]


def test_plot_corner(plotting, figure):
    pytest.importorskip("corner")
    pyplot = importlib.import_module("matplotlib.pyplot")
    before = pyplot.get_fignums()
    samples, truth = make_posteriors(n=1, n_samples=500, names=("mag", "n", "q"))
    one = {name: values[0] for name, values in samples.items()}
    row = QTable({"mag": truth["mag"] * u.ABmag, "n": [np.nan]})[0]
    axes = plotting.plot_corner(one, truth=row)
    assert axes.shape == (3, 3)
    assert axes[2, 0].get_xlabel() == "magnitude [AB]"
    assert axes[2, 0].get_ylabel() == "axis ratio"
    for index, name in enumerate(one):
        expected = [*np.quantile(one[name], (0.16, 0.5, 0.84))]
        expected += [truth["mag"][0]] if name == "mag" else []
        np.testing.assert_allclose(lines_at(axes[index, index]), expected)
        low, high = axes[index, index].get_xlim()
        assert low < one[name].min() < one[name].max() < high
    assert draws(axes[0, 0])
    (top,) = figure.subfigures(1, 1, squeeze=False).ravel()
    assert plotting.plot_corner({"n": one["n"]}, figure=top)[0, 0].figure is top
    assert draws(top.axes[0])
    assert pyplot.get_fignums() == before


def test_corner_of_an_angle_is_in_one_piece(plotting):
    pytest.importorskip("corner")
    rng = np.random.default_rng(0)
    samples = {"n": rng.normal(size=300), "theta": wrap_theta(88 + rng.normal(0, 5, 300))}
    axes = plotting.plot_corner(samples, truth={"theta": -85.0})
    low, high = axes[1, 1].get_xlim()
    assert high - low < 60
    assert lines_at(axes[1, 1])[-1] == pytest.approx(95)
    assert draws(axes[0, 0])


def test_corner_of_samples_that_are_all_the_same(plotting):
    pytest.importorskip("corner")
    rng = np.random.default_rng(0)
    axes = plotting.plot_corner({"n": np.ones(300), "q": rng.uniform(size=300)})
    assert axes[0, 0].get_xlim() == (0.5, 1.5)
    assert draws(axes[0, 0])


def test_bad_calls_of_plot_corner(plotting, monkeypatch):
    pytest.importorskip("corner")
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="one or more different names"):
        plotting.plot_corner({"size": rng.normal(size=9)})
    for samples in (
        {"n": rng.normal(size=(2, 9))},
        {"n": rng.normal(size=9), "q": rng.normal(size=8)},
        {"n": [1.0]},
        {name: np.ones(6) for name in TOYS},
    ):
        with pytest.raises(ValueError, match=r"samples have shapes .* those of one galaxy"):
            plotting.plot_corner(samples)
    with pytest.raises(ValueError, match="samples of n, q must all be finite"):
        plotting.plot_corner({"n": [1.0, np.nan, 2], "q": [1.0, 2, 3]})
    monkeypatch.setitem(sys.modules, "corner", None)
    with pytest.raises(ImportError, match=r"plot_corner needs corner: pip install"):
        plotting.plot_corner({"n": rng.normal(size=9)})
