"""Commands of the benchmarks on tiny inputs: they run, and write what they promise."""

import importlib
import importlib.util
import pkgutil
import sys
import types

import numpy as np
import pytest
import torch
from astropy.table import QTable, Table
from helpers.rendered import add_noise, labels_of, make_cutout, render, star
from numpy.testing import assert_allclose, assert_array_equal

import benchmarks
from benchmarks import (
    ablation,
    adapt,
    blends,
    calibration,
    exact_posterior,
    field,
    field_real,
    figures,
    outliers,
    peers,
    race,
    real,
    real_refined,
    refinement,
    report,
    reproduce,
    speed,
    survey,
    transform_table,
)
from benchmarks import render as rendering
from benchmarks.common import command, tables
from benchmarks.common.field_figures import plot_errors, plot_piece
from benchmarks.sets.fields import load_scene
from benchmarks.validation_sets import SETS, load_set
from sersicnet import SersicNet
from sersicnet.diagnostics import join_truth
from sersicnet.model import log_prior
from sersicnet.model.labels import LABELS, N_LABELS
from sersicnet.networks import label_dict
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing import StampFrame

NAMES = sorted(
    module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.ispkg
)
FOUR = ("mag", "r_eff", "n", "q")


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained()


def read(folder, name):
    return Table.read(folder / name, format="ascii.csv")


@pytest.mark.parametrize("name", NAMES)
def test_help_says_what_is_measured(name, capsys, tmp_path, monkeypatch):
    """The docstring has the command line; its first line is the help; nothing is written."""
    module = importlib.import_module(f"benchmarks.{name}")
    assert f"python -m benchmarks.{name} " in module.__doc__
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert " ".join(module.__doc__.splitlines()[0].split()) in shown
    assert not list(tmp_path.iterdir())


def test_inputs_come_before_the_output():
    parser = command.make_parser("Measure galaxies.", "sets", choices=("one", "two"))
    command.add_count(parser, "galaxies", default=7)
    options = parser.parse_args(["two", "here", "there"])
    assert (options.name, str(options.sets), str(options.output)) == ("two", "here", "there")
    assert options.n == 7
    assert parser.parse_args(["one", "here", "there", "--n", "3"]).n == 3


def test_an_output_may_have_a_default():
    parser = command.make_parser("Measure galaxies.", default_output="docs")
    assert str(parser.parse_args([]).output) == "docs"
    parser = command.make_parser("Measure galaxies.", output="optional")
    assert parser.parse_args([]).output is None
    assert not hasattr(command.make_parser("Make sets.", output="none").parse_args([]), "output")


def test_tables_are_rounded(tmp_path):
    table = QTable({"name": ["a", "b"], "value": [1.23456, np.nan], "number": [1, 2]})
    tables.write_rounded(table, tmp_path / "new" / "table.csv", decimals=2)
    lines = (tmp_path / "new" / "table.csv").read_text().splitlines()
    assert lines == ["name,value,number", "a,1.23,1", "b,,2"]


def test_the_share_of_none_is_nan():
    assert tables.share(np.array([True, False])) == 0.5
    assert np.isnan(tables.share(np.array([], bool)))


@pytest.mark.parametrize("module", [field, field_real])
def test_sextractor_is_named_when_it_is_missing(module, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(module, "find_program", lambda: None)
    inputs = [str(tmp_path)] if module is field else [str(tmp_path), str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        module.main(inputs)
    assert ended.value.code == 2
    assert "source-extractor is not installed" in capsys.readouterr().err


def test_nautilus_is_named_when_it_is_missing(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit) as ended:
        exact_posterior.main([str(tmp_path)])
    assert ended.value.code == 2
    assert "nautilus is not installed" in capsys.readouterr().err


def test_chromium_is_named_when_it_is_missing(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(report.shutil, "which", lambda _: None)
    with pytest.raises(SystemExit) as ended:
        report.main([str(tmp_path), "--picture"])
    assert ended.value.code == 2
    assert "chromium is not installed" in capsys.readouterr().err


def test_variants_of_the_network_predict_all_labels():
    data = torch.zeros(2, 128, 128)
    for step in range(len(ablation.STEPS)):
        network = ablation._network(step).eval()
        assert network(data, torch.ones_like(data)).mean.shape == (2, len(ablation.NAMES))


def test_adaptation_scores_a_network(validation_directory, net):
    cutouts, truth = load_set("euclid-contaminated", validation_directory)
    resampled = [adapt.resample(cutout) for cutout in cutouts]
    for before, after in zip(cutouts, resampled, strict=True):
        assert after.uncertainty.array.mean() < before.uncertainty.array.mean()
        assert after.psf.shape == before.psf.shape
    scores = adapt.measure(net, resampled, truth)
    assert np.isfinite(scores["loss"])
    assert 0 <= scores["coverage"] <= 1


def test_blends(monkeypatch, tmp_path):
    monkeypatch.setattr(blends, "N_SIDE", 1)
    monkeypatch.setattr(blends, "SEPARATIONS", (24,))
    monkeypatch.setattr(blends, "CODES", {"network": {}})
    monkeypatch.setattr(blends, "NOISES", {"white": 0.0})
    monkeypatch.setattr(blends, "EDGES", (1.5, 8.0))
    monkeypatch.setattr(blends, "find_program", lambda: None)
    monkeypatch.setattr(blends, "OF_PAIRS", ("network",))
    monkeypatch.setattr(blends, "OF_GROUPS", ("network",))
    blends.main([str(tmp_path), "--n-fields", "1", "--n-groups", "1"])
    table = read(tmp_path, "blends.csv")
    assert list(table["galaxies"])[:1] == [1]
    table = read(tmp_path, "groups.csv")
    assert set(table["code"]) == {"network"}


def test_calibration(validation_directory, tmp_path):
    calibration.main([str(validation_directory), str(tmp_path), "-n", "3"])
    for name in ("coverage", "coverage_strata", "sbc", "tarp", "surveys", "surveys_bins"):
        assert len(read(tmp_path, f"{name}.csv"))
    assert list(read(tmp_path, "density.csv")["sample"]) == list(SETS)
    for name in ("coverage", "sbc", "tarp"):
        assert (tmp_path / f"{name}.png").stat().st_size


class Uniform:
    """Stands for nautilus' sampler: uniform samples, weighted by their densities."""

    log_z = 0.0

    def __init__(self, prior, likelihood, *, n_dim, **_):
        self.points = prior(np.random.default_rng(1).random((64, n_dim)))
        self.density = likelihood(self.points)

    def run(self, **_):
        """Nothing is left to do."""

    def posterior(self):
        return self.points, self.density, self.density


def test_the_reference_sampler_stays_within_the_prior(net, monkeypatch):
    monkeypatch.setitem(sys.modules, "nautilus", types.SimpleNamespace(Sampler=Uniform))
    galaxies = refinement.draw_galaxies(1, seed=3)
    cutout = make_cutout(galaxies["data"][:1], noise=1.0, meta={}, psf=None)
    labels, weights, _ = exact_posterior.reference(net, cutout, galaxies["psf"][0], n_live=1)
    assert labels.shape == (64, N_LABELS)
    assert_allclose(weights.sum(), 1)
    assert torch.isfinite(log_prior(torch.from_numpy(labels[weights > 0]))).all()


def test_the_reference_covers_size_and_signal():
    labels = np.zeros((3, N_LABELS))
    labels[:, LABELS.index("log_r_eff")] = np.log10([2.0, 2.1, 5.0])
    galaxies = {"labels": labels, "snr": np.array([10.0, 11.0, 100.0])}
    assert exact_posterior._choose(galaxies) == [0, 2]
    rows = Table({name: [0.0, limit * 2] for name, limit in exact_posterior.LIMITS.items()})
    assert_array_equal(exact_posterior._summary(rows)["galaxies within"], 1)


@pytest.fixture(scope="module")
def scene():
    return load_scene("euclid", side=300)


def perfect(scene):
    """A measurement that finds the true values."""
    table = QTable(scene.truth, copy=True)
    for name in FOUR:
        table[f"{name}_lo"] = table[name] - 0.1
        table[f"{name}_hi"] = table[name] + 0.1
    for axis in ("x", "y"):
        table[f"{axis}_centroid"] = table[f"{axis}_0"]
    rows = np.arange(len(table))
    table["flags"] = 0
    table.meta["SECONDS"] = 1.0
    return field.Measured(table, rows, np.zeros(scene.image.shape))


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
def test_a_perfect_measurement_of_a_field(scene, tmp_path):
    measured = dict.fromkeys((field.OURS, field.FITTED, *field.RIVALS), perfect(scene))
    parts = field._tables(scene, measured)
    assert_array_equal(parts["seconds"]["not measured"], 0)
    found = parts["completeness"][f"found: {field.OURS}"]
    assert_array_equal(found[parts["completeness"]["galaxies"] > 0], 1)
    bias = parts["accuracy"][f"bias: {field.OURS}"]
    assert_array_equal(bias[np.isfinite(bias)], 0)
    assert_array_equal(parts["stars"]["mag bias"][parts["stars"]["stars"] > 0], 0)
    fields = {"Euclid": scene}
    plot_errors(fields, {"Euclid": measured}, tmp_path / "errors.png", codes=field.SHOWN)
    plot_piece(fields, {"Euclid": measured}, tmp_path / "piece.png", codes=field.SHOWN)
    assert (tmp_path / "errors.png").stat().st_size
    assert (tmp_path / "piece.png").stat().st_size


def test_the_middle_of_a_real_cutout_is_compared_with_imfit(monkeypatch):
    places = {"x_centroid": [10.0, 50.0], "y_centroid": [10.0, 50.0]}
    places |= {"x_0": [10.0, 50.0], "y_0": [10.0, 50.0]}
    table = QTable(
        places | {"mag": [20.0, 21.0], "r_eff": [1.0, 2.0], "n": [1, 2], "q": [0.5, 0.6]}
    )
    monkeypatch.setattr(field_real, "_measure", lambda *_: dict.fromkeys(field_real.CODES, table))
    counts, middle, others = field_real._compare(None, table[1], None)
    assert counts["others, found by both"] == 1
    for code in field_real.CODES:
        assert list(middle[code]["mag"]) == [21.0]
        assert list(others[code]["mag"]) == [20.0]
    imfit = QTable(table[1:])
    scores = field_real._scores(middle, imfit, others)
    assert_array_equal(scores["median"], 0)
    shown = field_real._galaxies(["one"], [counts], middle, imfit)
    assert list(shown["mag: imfit"]) == [21.0]


def test_figures(tmp_path):
    assert figures.make_mosaic(tmp_path, n=2).stat().st_size
    assert list(read(tmp_path, figures.make_accuracy(tmp_path, n=1).name)["survey"]) == [
        *["candels_f160w"] * 4,
        *["cosmos_f814w"] * 4,
    ]


@pytest.mark.filterwarnings("ignore:.* sources are UNRESOLVED")
def test_outliers(validation_directory, tmp_path):
    outliers.main([str(validation_directory), str(tmp_path), "-n", "1", "--n-sets", "2"])
    kinds = list(read(tmp_path, "outliers.csv")["kind"])
    assert kinds[-len(outliers.KINDS) :] == list(outliers.KINDS)
    assert set(SETS) < set(kinds)


@pytest.fixture(scope="module")
def bench():
    """Four galaxies in the form of those of `benchmarks.peers`."""
    rows = [labels_of(snr=snr, r_eff=5.0, q=0.5) for snr in (30.0, 60.0, 120.0, 240.0)]
    images = render(rows, star())
    noise = np.ones_like(images)
    log_flux = np.array(rows)[:, LABELS.index("log_flux")]
    return {
        "img": images + np.random.default_rng(2).normal(size=images.shape),
        "sig": noise,
        "psf": star(),
        "pix": 0.1,
        "zp": 25.0,
        "true_flux": 10**log_flux,
        "true_re_maj": np.full(4, 0.5),
        "true_n": np.full(4, 1.5),
        "true_q": np.full(4, 0.5),
        "true_pa": np.full(4, 30.0),
        "true_x0": np.full(4, 63.5),
        "true_y0": np.full(4, 63.5),
    }


def test_the_bound_grows_with_the_noise(bench):
    assert_allclose(peers._labels(bench)[1], labels_of(snr=60.0, r_eff=5.0, q=0.5), atol=1e-12)
    bound = peers.cramer_rao(bench)
    noisier = peers.cramer_rao(bench | {"sig": 3 * bench["sig"]})
    for name in FOUR:
        assert (bound[name] > 0).all()
        assert (np.diff(bound[name]) < 0).all()
        assert_allclose(noisier[name], 3 * bound[name], rtol=1e-6)


def test_galaxies_that_a_code_lost_are_nan():
    columns = {f"imfit_{name}": np.ma.array([1.0, 2.0], mask=[False, True]) for name in FOUR}
    columns["imfit_mag_err"] = np.ma.array([0.1, 0.1], mask=[False, True])
    table = peers._peer_table(Table(columns), "imfit")
    assert_array_equal(table["q"], [1.0, np.nan])
    assert_allclose(table["mag_hi"] - table["mag_lo"], [0.2, np.nan])
    assert "n_lo" not in table.colnames


def test_race(bench, monkeypatch, tmp_path):
    monkeypatch.setattr(race, "simulate", lambda *_, **__: bench)
    monkeypatch.setattr(race, "_sextractor", lambda _: None)
    monkeypatch.setattr(race, "_imfit", lambda *_: 1.0)
    race.main([str(tmp_path), str(tmp_path), "-n", "1"])
    table = read(tmp_path, "race.csv")
    assert (table["CPU s per galaxy"] > 0).all()
    assert table["imfit / this"][-1] == 1


def test_stamps_side_by_side(monkeypatch):
    monkeypatch.setattr(race, "SIDE", 2)
    stamps = np.arange(4)[:, None, None] * np.ones((4, 3, 3))
    image = race._side_by_side(stamps)
    assert_array_equal(image[::3, ::3], [[0, 1], [2, 3]])


def test_real(real_galaxies, monkeypatch, tmp_path):
    load = real.load_cutouts
    monkeypatch.setattr(
        real, "load_cutouts", lambda folder: tuple(part[:5] for part in load(folder))
    )
    real.main([str(real_galaxies), str(tmp_path)])
    assert len(read(tmp_path, "galaxies.csv")) == len(read(tmp_path, "centers.csv")) == 5
    assert len(read(tmp_path, "scores.csv"))
    assert (tmp_path / "imfit.png").stat().st_size
    assert (tmp_path / "residuals-1.png").stat().st_size


def test_the_true_model_has_a_chi2_of_one():
    table = [labels_of(snr=100, q=0.5, theta=30.0), labels_of(snr=30, q=0.7, theta=-20.0)]
    images = render(table, star())
    cutouts = [make_cutout(image) for image in add_noise(images)]
    labels = label_dict(np.array(table))
    frame = StampFrame(*np.broadcast_to([2.0, 25.0, 0.1, 1, 63.5, 63.5], (2, 6)).T)
    values = frame.from_labels(labels, tuple(PARAMETERS))
    # The standard deviation of chi2 over its 16376 degrees of freedom is 0.011.
    assert_allclose(real_refined.reduced_chi2(cutouts, values), 1, atol=0.05)
    unknown = values | {"n": np.array([np.nan, 1.5])}
    chi2 = real_refined.reduced_chi2(cutouts, unknown)
    assert np.isnan(chi2[0])
    assert np.isfinite(chi2[1])


def test_values_that_a_publication_lacks_are_ours():
    ours = QTable({name: [1.0, 2.0] for name in PARAMETERS})
    published = QTable({name: [5.0, 6.0] for name in FOUR})
    published["theta"] = [np.nan, 7.0]
    values = real_refined._complete(published, ours)
    assert_array_equal(values["mag"], [5, 6])
    assert_array_equal(values["theta"], [1, 7])
    assert_array_equal(values["x_0"], [1, 2])


def test_slopes_are_derivatives():
    label = np.array(labels_of(q=0.4, theta=25.0, dx=0.3))
    frame = StampFrame(*np.broadcast_to([1.0, 25.0, 0.1, 1, 63.5, 63.5], (1, 6)).T)

    def parameters(labels):
        values = frame.from_labels(label_dict(labels[None]), tuple(PARAMETERS))
        values["r_eff"] = np.log10(values["r_eff"])
        return np.array([values[name][0] for name in PARAMETERS])

    step = 1e-6
    columns = [
        (parameters(label + step * unit) - parameters(label - step * unit)) / (2 * step)
        for unit in np.eye(N_LABELS)
    ]
    assert_allclose(refinement._slopes(label), np.transpose(columns), atol=1e-6)


def test_bounds_of_simulated_galaxies():
    galaxies = refinement.draw_galaxies(2, seed=5)
    assert galaxies["data"].shape == (2, 128, 128)
    assert (galaxies["snr"] > 5).all()
    bounds = refinement.cramer_rao(galaxies)
    assert set(bounds) == set(PARAMETERS)
    for bound in bounds.values():
        assert (bound > 0).all()


def test_render(monkeypatch, tmp_path):
    monkeypatch.setattr(rendering, "FWHMS", (3.0,))
    rendering.main([str(tmp_path), "-n", "2"])
    assert len(read(tmp_path, "speed.csv")) >= 3
    assert len(read(tmp_path, "sampling.csv")) == 1
    assert len(read(tmp_path, "accuracy.csv"))


def test_report(monkeypatch, tmp_path):
    def write_report(catalog, path, *, truth, cutouts):
        assert len(catalog) == len(truth) == 5
        assert cutouts is None or len(cutouts) == 5
        path.write_text("a page")
        return path

    monkeypatch.setattr(report, "write_report", write_report)
    monkeypatch.setattr(report, "N_LARGE", 5)
    report.main([str(tmp_path), "-n", "2"])
    assert list(read(tmp_path, "report.csv")["page"]) == ["catalog", "catalog and images"]


def test_reproduce(galaxies, trained, tmp_path):
    cutouts, truth = galaxies
    folder = tmp_path / "training" / "deeplegato"
    folder.mkdir(parents=True)
    trained.save(folder / "deeplegato.safetensors")
    joined = join_truth(trained.predict(cutouts).to_table(), truth)
    joined.write(folder / "test.ecsv")
    output = tmp_path / "output"
    reproduce.main([str(folder.parent), str(output)])
    assert list(read(output, "deeplegato.csv")["parameter"]) == list(FOUR)
    assert len(read(output, "deeplegato-by-mag.csv"))
    for name in ("predicted", "by-mag", "history"):
        assert (output / f"deeplegato-{name}.png").stat().st_size


def test_speed(tmp_path):
    threads = torch.get_num_threads()
    speed.main([str(tmp_path), "-n", "2", "--repeat", "1", "--threads", str(threads)])
    assert (read(tmp_path, "speed.csv")["galaxies per second"] > 0).all()
    profile = read(tmp_path, "speed_profile.csv")
    assert list(profile["step"]) == [*speed.STEPS, "all else"]


def test_each_step_of_the_profile_is_found(net):
    """A step whose function has moved would take no time at all."""
    profile = speed.profile_steps(net, speed.make_inputs(2)["array"], 2)
    assert (profile["ms per galaxy"][:-1] > 0).all()
    assert_allclose(profile["share"].sum(), 1)


def test_survey(monkeypatch, tmp_path):
    """Without a cluster: it would need the network."""
    monkeypatch.setattr(survey, "time_tasks", lambda *_: 0.004)
    arguments = ["--side", "200", "--refine", "none", "--workers"]
    survey.main([str(tmp_path), *arguments])
    table = read(tmp_path, "survey.csv")
    assert "galaxies per CPU second" in table["refine"]
    assert table["none"][-1] == 4
    assert not (tmp_path / "workers.csv").exists()


def test_the_table_of_transforms_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr(transform_table, "make_table", lambda: np.ones(3, np.float32))
    transform_table.main([str(tmp_path / "data")])
    assert_array_equal(np.load(tmp_path / "data" / "sersic_transform.npy"), 1)
