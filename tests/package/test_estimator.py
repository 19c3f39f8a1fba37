"""`SersicNet` from the outside: fit, predict, score, save and load, and scikit-learn's manners."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
import torch
from astropy.nddata import CCDData, NDData, StdDevUncertainty
from astropy.table import QTable
from helpers.cutouts import SCALE, UNITS, ZEROPOINT
from helpers.toys import NOISE, make_cutout, make_galaxies, make_truth
from helpers.weights import assert_same_weights
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sersicnet import SersicNet
from sersicnet.diagnostics.scores import score_table
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.windows import crop_or_pad
from sersicnet.training.regression import TrainingModule

SEVEN = tuple(PARAMETERS)
SUBSETS = [("mag",), ("theta",), ("x_0",), ("theta", "x_0"), ("n", "mag"), SEVEN]
QUICK = {"stamp_size": 32, "max_epochs": 1, "batch_size": 16, "device": "cpu"}
SILENT = {"progress_bar": False}
# Part of the quoted error that rounding to float32 may move an answer by.
ROUNDING = 1e-3


def make_net(**changes):
    return SersicNet(**(QUICK | changes))


def stack(cutouts, cls=CCDData):
    """Cutouts of one size as one 3-D NDData."""
    data = np.stack([cutout.data for cutout in cutouts])
    noise = np.stack([cutout.uncertainty.array for cutout in cutouts])
    return cls(data, uncertainty=StdDevUncertainty(noise), unit="adu", meta=cutouts[0].meta)


def assert_same_medians(found, expected, errors, *, rounding=ROUNDING):
    """One parameter; an angle near zero is known no better than others."""
    assert_allclose((found - expected) / errors, 0, atol=rounding)


def assert_same_results(first, second, *, rounding=0.0):
    """Equal medians and errors; with ``rounding=ROUNDING``, up to that of float32."""
    assert first.parameters == second.parameters
    for name in first.parameters:
        medians = second.median(name), first.median(name)
        assert_same_medians(*medians, first.error(name), rounding=rounding)
        assert_allclose(second.error(name), first.error(name), rtol=rounding)


# Settings


def test_init_only_stores():
    settings = dict.fromkeys(SersicNet().get_params(), object())
    net = SersicNet(**settings)
    assert vars(net) == settings


def test_get_and_set_params():
    net = SersicNet(seed=3)
    assert net.get_params()["seed"] == 3
    assert net.set_params(seed=4, parameters=("n",)) is net
    assert (net.seed, net.parameters) == (4, ("n",))


def test_unknown_setting():
    net = SersicNet()
    with pytest.raises(ValueError, match="'sead' is not a setting of SersicNet: parameters, net"):
        net.set_params(seed=5, sead=4)
    assert net.seed == 0


def test_settings_are_keywords():
    with pytest.raises(TypeError, match="positional"):
        SersicNet(("mag",))


def test_clone(trained):
    copied = clone(trained)
    assert copied.get_params() == trained.get_params()
    assert not hasattr(copied, "network_")


def test_representation(trained):
    assert eval(repr(trained)).get_params() == trained.get_params()


@pytest.mark.parametrize("call", ["predict", "score", "save"])
def test_nothing_works_before_fit(call, galaxies, tmp_path):
    arguments = {"predict": galaxies[:1], "score": galaxies, "save": (tmp_path / "net",)}[call]
    with pytest.raises(RuntimeError, match="no trained network: call fit, or use from_pretrained"):
        getattr(SersicNet(), call)(*arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_epochs", 0), ("batch_size", 0), ("batch_size", 2.5), ("patience", -1)],
)
def test_impossible_settings(name, value, galaxies):
    with pytest.raises(ValueError, match=f"{name}={value} must be a positive integer"):
        make_net(**{name: value}).fit(*galaxies)


def test_other_impossible_settings(galaxies):
    with pytest.raises(ValueError, match="must be one or more different names"):
        make_net(parameters=("mag", "flux")).fit(*galaxies)
    with pytest.raises(ValueError, match="network='mlp' must be one of cnn"):
        make_net(network="mlp").fit(*galaxies)
    with pytest.raises(ValueError, match="network='posterior' is trained on scenes of its own"):
        make_net(network="posterior").fit(*galaxies)
    with pytest.raises(ValueError, match="stamp_size=31 must be a positive multiple of 2"):
        make_net(stamp_size=31).fit(*galaxies)


# Fit


@pytest.mark.parametrize("parameters", SUBSETS)
def test_any_subset_of_the_parameters(parameters, galaxies):
    cutouts, truth = galaxies
    net = make_net(parameters=parameters)
    assert net.fit(cutouts, truth, **SILENT) is net
    assert net.parameters_ == parameters
    results = net.predict(cutouts[:5])
    assert results.parameters == parameters
    for name in parameters:
        assert np.isfinite(results.median(name)).all()
        assert (results.error(name) > 0).all()


def test_default_is_the_four():
    assert SersicNet().parameters == ("mag", "r_eff", "n", "q")


@pytest.mark.parametrize("parameters", ["mag", ["mag"]])
def test_one_name_or_a_list(parameters, galaxies, tmp_path):
    cutouts, truth = galaxies
    net = make_net(parameters=parameters).fit(cutouts, truth, **SILENT)
    net.save(tmp_path / "net")
    loaded = SersicNet.load(tmp_path / "net")
    assert net.parameters_ == loaded.parameters == net.predict(cutouts[:1]).parameters == ("mag",)


def test_what_is_learned(galaxies):
    net = make_net().fit(*galaxies, **SILENT)
    assert set(net.history_) == {"epoch", "train_loss", "val_loss"}
    assert (net.record_["n_train"], net.record_["n_validation"]) == (54, 6)
    assert net.label_range_.shape == (2, 4)
    assert (net.label_range_[0] < net.label_range_[1]).all()
    assert not net.network_.training


KINDS = {
    "list": lambda cutouts: cutouts,
    "tuple": tuple,
    "generator": iter,
    "3-D CCDData": stack,
    "3-D NDData": lambda cutouts: stack(cutouts, NDData),
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_of_input_are_the_same(kind, galaxies, monkeypatch):
    monkeypatch.setattr("sersicnet.training.prepared.CHUNK", 7)
    cutouts, truth = galaxies
    expected = make_net().fit(cutouts, truth, **SILENT)
    columns = {name: truth[name] for name in SEVEN}
    net = make_net().fit(KINDS[kind](cutouts), columns, **SILENT)
    assert_same_weights(net, expected)


def test_fit_on_an_array(galaxies, monkeypatch):
    """Noise is estimated then; zero point and pixel scale are one for all or one each."""
    monkeypatch.setattr("sersicnet.training.prepared.CHUNK", 7)
    cutouts, truth = galaxies
    array = np.stack([cutout.data for cutout in cutouts])
    one = make_net().fit(array, truth, **UNITS, **SILENT)
    each = {"zeropoint": np.full(60, ZEROPOINT), "pixel_scale": [SCALE] * 60 * u.arcsec}
    assert_same_weights(make_net().fit(array, truth, **each, **SILENT), one)


def test_fit_on_all_sizes(galaxies):
    cutouts, truth = galaxies
    sizes = [crop_or_pad(cutout, 25 + i) for i, cutout in enumerate(cutouts)]
    assert make_net().fit(sizes, truth, **SILENT).record_["n_train"] == 54


def test_order_of_parameters_and_of_columns_does_not_matter(galaxies):
    cutouts, truth = galaxies
    forward = make_net(parameters=("mag", "n")).fit(cutouts, truth, **SILENT)
    shuffled = truth[truth.colnames[::-1]]
    assert_same_weights(forward, make_net(parameters=("mag", "n")).fit(cutouts, shuffled, **SILENT))
    assert make_net(parameters=("n", "mag")).fit(cutouts, truth, **SILENT).predict(
        cutouts[:2]
    ).to_table().colnames[1:6:4] == ["n", "mag"]


def test_same_seed_same_bits_and_no_global_state(galaxies):
    before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    first, same, other = (make_net(seed=s).fit(*galaxies, **SILENT) for s in (1, 1, 2))
    assert_same_weights(first, same)
    assert any(
        (a != b).any()
        for a, b in zip(first.network_.parameters(), other.network_.parameters(), strict=True)
    )
    assert_array_equal(torch.get_rng_state(), before[0])
    assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


@pytest.mark.parametrize(("n", "message"), [(59, "more"), (61, "60")])
@pytest.mark.parametrize("kind", [list, iter])
def test_wrong_number_of_cutouts(n, message, kind, galaxies):
    with pytest.raises(ValueError, match=f"truth has {n} rows, but there are {message} cutouts"):
        make_net().fit(kind(galaxies[0]), make_truth(n), **SILENT)


def test_unusable_truth(galaxies):
    cutouts, truth = galaxies
    nothing_read = iter([])
    with pytest.raises(TypeError, match="truth must be a table or a dict of columns, not NoneType"):
        make_net().fit(cutouts, **SILENT)
    with pytest.raises(ValueError, match="no column 'q', which is needed for theta, q"):
        make_net(parameters=("theta",)).fit(nothing_read, truth["mag", "theta"], **SILENT)
    with pytest.raises(ValueError, match="no column 'n', which is needed for mag, r_eff, n, q"):
        make_net().fit(nothing_read, truth["mag", "r_eff", "q"], **SILENT)
    wrong = QTable(truth)
    with pytest.raises(ValueError, match="the truth has no rows"):
        make_net().fit(nothing_read, truth[:0], **SILENT)
    wrong.replace_column("r_eff", np.ones(60) * u.s)
    with pytest.raises(u.UnitConversionError, match="the truth's column 'r_eff'"):
        make_net().fit(nothing_read, wrong, **SILENT)


def test_galaxies_without_data_or_truth_are_left_out(galaxies):
    cutouts, truth = list(galaxies[0]), QTable(galaxies[1], copy=True)
    cutouts[3] = make_cutout(np.full((32, 32), np.nan))
    cutouts[5] = make_cutout(cutouts[5].data, noise=0)
    truth["mag"][7] = np.nan * u.ABmag
    truth["r_eff"][8:10] = [-1, 0] * u.arcsec
    kept = np.setdiff1d(np.arange(60), [3, 5, 7, 8, 9])
    net = make_net().fit(cutouts, truth, **SILENT)
    assert net.record_["n_train"] + net.record_["n_validation"] == 55
    assert_same_weights(net, make_net().fit([cutouts[i] for i in kept], truth[kept], **SILENT))


def test_too_few_galaxies(galaxies):
    cutouts, truth = galaxies
    with pytest.raises(ValueError, match="usable galaxies to train on: 1, but at least 2"):
        make_net().fit(cutouts[:2], truth[:2], **SILENT)
    with pytest.raises(ValueError, match="no galaxy of the training set is usable"):
        make_net().fit([make_cutout(np.full((9, 9), np.nan))] * 3, truth[:3], **SILENT)
    assert make_net().fit(cutouts[:3], truth[:3], **SILENT).record_["n_train"] == 2


def test_validation_set(galaxies):
    cutouts, truth = galaxies
    net = make_net().fit(cutouts[:50], truth[:50], validation=(cutouts[50:], truth[50:]), **SILENT)
    assert (net.record_["n_train"], net.record_["n_validation"]) == (50, 10)
    for wrong in (0.1, (cutouts,), cutouts):
        with pytest.raises(TypeError, match=r"validation must be a tuple \(cutouts, truth\), not"):
            make_net().fit(cutouts, truth, validation=wrong, **SILENT)


def test_noise_drawn_anew(galaxies):
    clean, truth = make_galaxies(60, noise=False)
    net = make_net(max_epochs=2).fit(clean, truth, noise_kernel=[[1]], **SILENT)
    quiet = make_net(max_epochs=2).fit(clean, truth, **SILENT)
    assert any(
        (a != b).any()
        for a, b in zip(net.network_.parameters(), quiet.network_.parameters(), strict=True)
    )
    with pytest.raises(ValueError, match="noise_kernel of shape"):
        make_net().fit(clean, truth, noise_kernel=np.ones((3, 3)), **SILENT)


def test_it_learns_with_the_right_signs():
    """Angles and centers of noisy galaxies never seen, from noise-free ones to learn from.

    A wrong sign turns the agreement negative, and without learning it is about zero.
    """
    net = make_net(parameters=("mag", "theta", "x_0", "y_0"), max_epochs=10)
    net.fit(*make_galaxies(200, noise=False), noise_kernel=[[1]], **SILENT)
    cutouts, truth = make_galaxies(100, seed=1)
    results = net.predict(cutouts)
    for name in ("mag", "x_0", "y_0"):
        assert np.corrcoef(results.median(name), truth[name].value)[0, 1] > 0.5, name
    difference = np.radians(results.median("theta") - truth["theta"].value)
    assert np.cos(2 * difference)[truth["q"] < 0.7].mean() > 0.5


# Interrupted and continued


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from test_estimator import make_galaxies, make_net
from sersicnet.training import TrainingModule
step = TrainingModule.training_step
def die(self, batch, index):
    if self.global_step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, index)
TrainingModule.training_step = die
make_net(max_epochs=2).fit(*make_galaxies(60), resume=sys.argv[2], progress_bar=False)
"""


def test_resume_after_a_kill(galaxies, tmp_path):
    arguments = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path)]
    folders = [str(Path(sys.modules["sersicnet"].__file__).parents[1]), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run(arguments, env=environment, check=False, capture_output=True, timeout=300)
    assert done.returncode == -9, done.stderr.decode()

    def unread():
        """What was prepared before the kill is there, and nothing is read again."""
        pytest.fail("a cutout was asked for")
        yield

    resumed = make_net(max_epochs=2).fit(unread(), galaxies[1], resume=tmp_path, **SILENT)
    whole = make_net(max_epochs=2).fit(*galaxies, **SILENT)
    assert resumed.history_ == whole.history_
    assert_same_weights(resumed, whole)


def test_resume_trains_only_the_epochs_that_are_missing(galaxies, tmp_path, monkeypatch):
    steps = []
    step = TrainingModule.training_step

    def counted(self, batch, index):
        steps.append(self.current_epoch)
        return step(self, batch, index)

    monkeypatch.setattr(TrainingModule, "training_step", counted)
    make_net(max_epochs=1).fit(*galaxies, resume=tmp_path, **SILENT)
    assert set(steps) == {0}
    steps.clear()
    make_net(max_epochs=3).fit(*galaxies, resume=tmp_path, **SILENT)
    assert set(steps) == {1, 2}


def test_resume_with_other_stamps(galaxies, tmp_path):
    make_net().fit(*galaxies, resume=tmp_path, **SILENT)
    with pytest.raises(ValueError, match="holds stamps of 32 pixels, not of stamp_size=64"):
        make_net(stamp_size=64).fit(*galaxies, resume=tmp_path, **SILENT)


def assert_no_step_from(start, net, galaxies):
    """Steps of no length show where a warm start begins."""
    net.set_params(max_epochs=1, learning_rate=1e-12).fit(*galaxies, warm_start=True, **SILENT)
    for one, other in zip(start.parameters(), net.network_.parameters(), strict=True):
        assert_allclose(other.detach(), one.detach(), atol=1e-8)


def assert_steps_from(start, net, galaxies):
    net.set_params(max_epochs=1, learning_rate=1e-3).fit(*galaxies, warm_start=True, **SILENT)
    assert any(
        (a != b).any() for a, b in zip(start.parameters(), net.network_.parameters(), strict=True)
    )


def test_warm_start_goes_on(galaxies):
    net = make_net(max_epochs=2).fit(*galaxies, **SILENT)
    cold = net.history_["train_loss"]
    before = copy.deepcopy(net.network_)
    assert_no_step_from(before, net, galaxies)
    assert_steps_from(before, net, galaxies)
    again = make_net(max_epochs=2).fit(*galaxies, **SILENT)  # without, it begins anew
    assert again.history_["train_loss"] == cold


def test_warm_start_needs_a_network_for_the_same(galaxies, trained):
    with pytest.raises(RuntimeError, match="no trained network"):
        make_net().fit(*galaxies, warm_start=True, **SILENT)
    net = copy.deepcopy(trained).set_params(parameters=("mag",))
    with pytest.raises(ValueError, match=r"parameters=\('mag',\), but the network was trained"):
        net.fit(*galaxies, warm_start=True, **SILENT)


def test_failed_fit_leaves_the_network(galaxies, trained):
    net, results = copy.deepcopy(trained), trained.predict(galaxies[0][:5])
    for options in ({"noise_kernel": [[3]]}, {"validation": 3}):
        with pytest.raises((ValueError, TypeError)):
            net.fit(*galaxies, warm_start=True, **options, **SILENT)
    assert_same_results(net.predict(galaxies[0][:5]), results)
    assert net.history_ == trained.history_


# Predict


def test_one_by_one_and_in_any_batch(trained, galaxies):
    cutouts, _ = galaxies
    together = trained.predict(cutouts)
    assert np.ptp(together.median("mag")) > 0.1
    for batch_size in (1, 7, 1000):
        assert_same_results(
            trained.predict(cutouts, batch_size=batch_size), together, rounding=ROUNDING
        )
    alone = {i: trained.predict(cutouts[i]) for i in (0, 31)}
    backwards = trained.predict(cutouts[::-1])
    for name in SEVEN:
        medians, errors = together.median(name), together.error(name)
        assert_same_medians(backwards.median(name)[::-1], medians, errors)
        for i, results in alone.items():
            assert_same_medians(results.median(name), medians[i], errors[i])


@pytest.mark.parametrize("kind", KINDS)
def test_predict_takes_what_fit_takes(kind, trained, galaxies):
    cutouts, _ = galaxies
    results = trained.predict(KINDS[kind](cutouts))
    assert len(results) == 60
    assert_same_results(results, trained.predict(cutouts), rounding=ROUNDING)


def test_predict_on_an_array(trained, galaxies):
    """The noise is estimated; without it, the answer is close to that of the noise map."""
    cutouts, _ = galaxies
    results = trained.predict(np.stack([cutout.data for cutout in cutouts]), **UNITS)
    expected = trained.predict(cutouts)
    assert np.median(np.abs(results.median("mag") - expected.median("mag"))) < 0.1
    assert (results.flags & 32 == 32).all()


def test_predict_on_different_sizes(trained, galaxies):
    """Cutting and padding move the center by exactly what they cut and pad."""
    cutouts, _ = galaxies
    sizes = [32, 40, 51, 4000, 33]
    changed = [crop_or_pad(cutout, size) for cutout, size in zip(cutouts, sizes, strict=False)]
    before, after = trained.predict(cutouts[:5]), trained.predict(changed)
    assert after.shapes.tolist() == [[size, size] for size in sizes]
    shift = np.array(sizes) // 2 - 16
    for name in SEVEN:
        moved = shift if name in ("x_0", "y_0") else 0
        assert_same_medians(after.median(name) - moved, before.median(name), before.error(name))


def test_zero_point_and_pixel_scale_change_nothing_else(trained, galaxies):
    cutouts, _ = galaxies
    array = np.stack([cutout.data for cutout in cutouts])
    one = trained.predict(array, **UNITS)
    other = trained.predict(array, zeropoint=ZEROPOINT + 2, pixel_scale=3 * SCALE * u.arcsec)
    assert_allclose(other.median("mag") - one.median("mag"), 2, rtol=1e-12)
    assert_allclose(other.median("r_eff") / one.median("r_eff"), 3, rtol=1e-12)
    for name in ("n", "q", "theta", "x_0", "y_0"):
        assert_array_equal(other.median(name), one.median(name))


def test_input_is_not_changed(trained, galaxies):
    (cutout,), _ = make_galaxies(1)
    before = copy.deepcopy(cutout)
    trained.predict([cutout])
    assert_array_equal(cutout.data, before.data)
    assert_array_equal(cutout.uncertainty.array, before.uncertainty.array)
    assert cutout.mask is None
    assert cutout.meta == before.meta


@pytest.mark.parametrize("batch_size", [0, -3, 1.5])
def test_impossible_batch_size(batch_size, trained, galaxies):
    with pytest.raises(ValueError, match=f"batch_size={batch_size} must be a positive integer"):
        trained.predict(galaxies[0], batch_size=batch_size)


@pytest.mark.parametrize("n_samples", [0, 1.5])
def test_impossible_number_of_samples(n_samples, trained, galaxies):
    with pytest.raises(ValueError, match=f"n_samples={n_samples} must be a positive integer"):
        trained.predict(galaxies[0], n_samples=n_samples)


def test_batches_of_cutouts_change_nothing(trained, galaxies, monkeypatch):
    cutouts, _ = galaxies
    expected = trained.predict(cutouts)
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 7)
    for given in (cutouts, stack(cutouts)):
        results = trained.predict(given)
        assert_same_results(results, expected, rounding=ROUNDING)
        assert_array_equal(results.flags, expected.flags)
        assert_allclose(results.samples(3)["n"], expected.samples(3)["n"], rtol=1e-4)
        assert results.to_table()["id"].tolist() == list(range(60))


def test_score(trained, galaxies):
    cutouts, truth = galaxies
    table = trained.score(iter(cutouts), truth)
    assert table["parameter"].tolist() == list(SEVEN)
    expected = score_table(trained.predict(cutouts).to_table(), truth, parameters=SEVEN)
    assert_allclose(table["r2"], expected["r2"])
    with pytest.raises(ValueError, match=r"60.*59|59.*60"):
        trained.score(cutouts, truth[:59])


# Another set of parameters than the one trained for


@pytest.mark.parametrize(
    "settings",
    [
        {"parameters": ("mag",)},
        {"parameters": SEVEN[::-1]},
        {"stamp_size": 64},
        {"network": "posterior"},
    ],
)
def test_settings_changed_after_training(settings, trained, galaxies, tmp_path):
    net = copy.deepcopy(trained).set_params(**settings)
    ((name, _),) = settings.items()
    for call in (
        lambda: net.predict(galaxies[0]),
        lambda: net.score(*galaxies),
        lambda: net.save(tmp_path / "net"),
    ):
        with pytest.raises(ValueError, match=f"{name}=.*, but the network was trained with {name}"):
            call()
    net.set_params(**{name: getattr(trained, name)})
    assert_same_results(net.predict(galaxies[0][:3]), trained.predict(galaxies[0][:3]))


def test_fit_again_for_others(galaxies):
    net = make_net(parameters=("mag",)).fit(*galaxies, **SILENT)
    net.set_params(parameters=("q", "n")).fit(*galaxies, **SILENT)
    assert net.predict(galaxies[0][:1]).parameters == ("q", "n")


# Save and load


@pytest.mark.parametrize("kind", [str, Path])
def test_load_gives_the_same_bits(kind, trained, galaxies, tmp_path):
    path = tmp_path / "net.safetensors"
    trained.save(kind(path))
    loaded = SersicNet.load(kind(path))
    assert loaded.get_params() == trained.get_params() | {"device": "auto"}
    assert loaded.history_ == trained.history_
    assert loaded.record_ == trained.record_
    assert loaded.parameters_ == trained.parameters_
    assert_array_equal(loaded.label_range_, trained.label_range_)
    loaded.set_params(device="cpu")
    assert_same_results(loaded.predict(galaxies[0]), trained.predict(galaxies[0]))
    assert_array_equal(loaded.predict(galaxies[0]).flags, trained.predict(galaxies[0]).flags)
    loaded.save(tmp_path / "again")
    assert_same_weights(SersicNet.load(tmp_path / "again"), trained)


def test_loaded_network_trains_on(trained, galaxies, tmp_path):
    trained.save(tmp_path / "net")
    loaded = SersicNet.load(tmp_path / "net").set_params(device="cpu")
    assert_no_step_from(trained.network_, loaded, galaxies)
    assert_steps_from(trained.network_, loaded, galaxies)


def test_default_weights():
    net = SersicNet.from_pretrained()
    assert net.network == "posterior"
    assert net.parameters == SEVEN


def test_weights_keep_their_own_parameters(galaxies, tmp_path):
    make_net(parameters=("q", "mag")).fit(*galaxies, **SILENT).save(tmp_path / "net")
    loaded = SersicNet.load(tmp_path / "net")
    assert loaded.predict(galaxies[0][:1]).parameters == ("q", "mag")


def test_numpy_numbers_as_settings(galaxies, tmp_path):
    """They come out of grids and tables, and JSON does not know them."""
    net = make_net(seed=np.int64(3), learning_rate=np.float32(1e-3)).fit(*galaxies, **SILENT)
    net.save(tmp_path / "net")
    assert SersicNet.load(tmp_path / "net").seed == 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
def test_gpu_and_cpu_agree(trained, galaxies):
    on_gpu = copy.deepcopy(trained).set_params(device="gpu").predict(galaxies[0])
    for name in SEVEN:
        assert_allclose(on_gpu.median(name), trained.predict(galaxies[0]).median(name), rtol=1e-3)


# Recipes


def test_noise_of_the_toys():
    """What the other tests rely on."""
    clean, _ = make_galaxies(30, noise=False)
    noisy, _ = make_galaxies(30)
    difference = np.stack([a.data - b.data for a, b in zip(noisy, clean, strict=True)])
    assert_allclose(difference.std(), NOISE, rtol=0.01)


@pytest.mark.parametrize("device", ["banana", "cuda:7"])
def test_unknown_device(galaxies, trained, device):
    with pytest.raises(ValueError, match=r"device=.* must be 'auto', 'cpu' or 'gpu'"):
        copy.deepcopy(trained).set_params(device=device).predict(galaxies[0])
