"""Adaptation of the universal network to labeled galaxies.

The galaxies to adapt to are rendered by `sersicnet.model.profile` and smoothed, so that their
noise is correlated over more pixels than in training, and their PSF stamps are a seventh too
narrow.
"""

import numpy as np
import pytest
import torch
from astropy.nddata import NDData
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from helpers.weights import assert_same_weights
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter, shift

from sersicnet import SersicNet
from sersicnet._rows import own_normal
from sersicnet.flags import Flags
from sersicnet.model.labels import LABELS, LOG_FLUX, N_LABELS
from sersicnet.model.unconstrained import to_unconstrained
from sersicnet.networks.flow_density import flow_labels, label_dict
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing import prepare
from sersicnet.training.adapt import AdaptationModule, MixedStream
from sersicnet.training.contaminants import Contaminants
from sersicnet.training.data import Scenes, TrainingData, turn
from sersicnet.training.labeled import labeled_scenes
from sersicnet.training.scenes import SceneMaker
from sersicnet.training.streams import SceneStream

SEVEN = tuple(PARAMETERS)
PSF = gaussian_filter(star(3.0), 1)
RMS = NOISE / np.sqrt(4 * np.pi)  # of noise that a Gaussian of 1 pixel has smoothed
QUICK = {"device": "cpu", "max_epochs": 3, "batch_size": 24}
SILENT = {"warm_start": True, "progress_bar": False}
# What thirty steps may add to the loss of scenes like those of training (which is dominated by the
# brightest: it is 0.4 to 1.2 for six seeds), also as a share of what they add without rehearsing
# such scenes (3.8 to 4.0).
OLD_LOSS, SHARE = 2.5, 0.6


def make_net(**changes):
    return SersicNet.from_pretrained().set_params(**(QUICK | changes))


def make_labels(n, seed):
    """Labels of galaxies like those of a survey."""
    rng = np.random.default_rng(seed)
    limits = {"snr": (20, 120), "r_eff": (2, 8), "n": (0.6, 4), "q": (0.3, 0.9)}
    limits |= {"theta": (-90, 90), "dx": (-1, 1), "dy": (-1, 1)}
    values = {name: rng.uniform(*ends, n) for name, ends in limits.items()}
    return [labels_of(**{name: value[i] for name, value in values.items()}) for i in range(n)]


def truth_of(labels, cutouts):
    """Parameters of galaxies of some labels."""
    named = label_dict(np.array(labels))
    frame = prepare(cutouts).frame
    named["log_flux"] = named["log_flux"] + np.log10(NOISE / frame.noise_level)
    return frame.from_labels(named, SEVEN)


def make_survey(n, *, seed):
    """Cutouts that are not like those of training, and their truth."""
    labels = make_labels(n, seed)
    images = gaussian_filter(add_noise(render(labels, star(3.4)), seed=seed), (0, 1, 1))
    cutouts = [make_cutout(image, noise=RMS, psf=PSF) for image in images]
    return cutouts, truth_of(labels, cutouts)


def scenes_of(cutouts, truth, *, psf=None, units=None, **psf_options):
    options = {"oversampling": 1, "normalize": True} | psf_options
    units = {"pixel_scale": None, "zeropoint": None} | (units or {})
    return labeled_scenes(cutouts, truth, psf=psf, psf_options=options, units=units, stamp_size=128)


@torch.no_grad()
def mean_loss(net, scenes):
    posterior = net.network_(scenes.data, scenes.weight, scenes.psf)
    return -float(posterior.log_prob_unconstrained(to_unconstrained(scenes.labels)).mean())


@pytest.fixture(scope="module")
def survey():
    """Forty galaxies and their truth; not to be changed by a test."""
    return make_survey(40, seed=1)


@pytest.fixture(scope="module")
def universal():
    """The universal weights; not to be changed by a test."""
    return make_net()


@pytest.fixture(scope="module")
def adapted(survey):
    """The same, adapted to the survey."""
    return make_net().fit(*survey, **SILENT)


@pytest.fixture(scope="module")
def old():
    """256 scenes of the kind that the network was trained on."""
    return next(SceneMaker(99, n_galaxies=256).batches(256))


# What it learns, and what it forgets


def test_other_galaxies_of_the_survey_are_measured_better(universal, adapted):
    test, _ = scenes_of(*make_survey(64, seed=2))
    assert mean_loss(adapted, test) < mean_loss(universal, test) - 1


def test_training_scenes_are_not_forgotten(universal, adapted, survey, old, monkeypatch):
    """As they are, if there are no such scenes among those that it adapts to."""
    before = mean_loss(universal, old)
    rise = mean_loss(adapted, old) - before
    assert rise < OLD_LOSS
    mixed = MixedStream.__iter__
    alone = lambda self: (tuple(part[:12] for part in batch) for batch in mixed(self))  # noqa: E731
    monkeypatch.setattr(MixedStream, "__iter__", alone)
    forgetful = make_net().fit(*survey, **SILENT)
    assert rise < SHARE * (mean_loss(forgetful, old) - before)


def test_history(adapted):
    history = adapted.history_
    assert history["epoch"] == [0, 1, 2]
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert_allclose(
        min(history["val_loss"]), adapted.record_["validation_loss"]["after"], rtol=1e-4
    )


def test_record(adapted, universal, tmp_path):
    record = adapted.record_
    assert (record["n_train"], record["n_validation"]) == (36, 4)
    assert record["description"].endswith(", adapted to 36 galaxies")
    assert record["n_left_out"] == {"image or PSF": 0, "truth": 0, "prior": 0}
    assert record["validation_loss"]["after"] < record["validation_loss"]["before"]
    assert record["learning_rate"] == 5e-5
    assert record["init"] == universal.record_
    assert record["contaminants"] == vars(Contaminants(**universal.record_["contaminants"]))
    assert adapted.label_range_ is None
    assert adapted.parameters_ == SEVEN


def test_save_and_load(adapted, survey, tmp_path):
    adapted.save(tmp_path / "mine.safetensors")
    loaded = SersicNet.load(tmp_path / "mine.safetensors").set_params(device="cpu")
    assert_same_weights(loaded, adapted)
    assert loaded.record_ == adapted.record_
    assert loaded.weights_.startswith("mine, sha256 ")
    assert adapted.weights_ is None
    one, other = (net.predict(survey[0][:4]).quantiles for net in (loaded, adapted))
    assert_array_equal(one, other)


def test_the_network_that_it_began_with_stays(universal, survey):
    net = make_net(max_epochs=1)
    start = net.network_
    net.fit(*survey, **SILENT)
    assert net.network_ is not start
    for one, other in zip(start.parameters(), universal.network_.parameters(), strict=True):
        assert_array_equal(one.detach(), other.detach())


def test_the_same_again(adapted, survey):
    assert_same_weights(make_net().fit(*survey, **SILENT), adapted)


def test_nothing_learned_changes_nothing(universal, survey, tmp_path):
    net = make_net(learning_rate=0.0, max_epochs=1)
    with pytest.warns(AstropyUserWarning, match="4 held-out galaxies no better.*stay as they were"):
        net.fit(*survey, **SILENT)
    assert_same_weights(net, universal)
    losses = net.record_["validation_loss"]
    assert losses["after"] == losses["before"]
    net.save(tmp_path / "same.safetensors")
    record = SersicNet.load(tmp_path / "same.safetensors").record_
    assert record["description"].endswith(", not changed by 36 galaxies")
    assert record["n_train"] == universal.record_["n_train"]


def test_validation_of_the_user(universal, survey):
    cutouts, truth = survey
    other = make_survey(5, seed=3)
    psfs = [cutout.psf for cutout in cutouts]  # one each: those of the validation are its own
    net = make_net(max_epochs=1).fit(cutouts, truth, psf=psfs, validation=other, **SILENT)
    assert (net.record_["n_train"], net.record_["n_validation"]) == (40, 5)
    before = net.record_["validation_loss"]["before"]
    assert_allclose(before, mean_loss(universal, scenes_of(*other)[0]), rtol=1e-4)


# Batches


def test_half_of_a_batch_is_rehearsed():
    rng = torch.Generator().manual_seed(1)
    images = [torch.randn(10, side, side, generator=rng) for side in (128, 128, 63)]
    labeled = Scenes(*images, torch.randn(10, N_LABELS, generator=rng))
    options = {"batch_size": 4, "n_batches": 5, "n_galaxies": 64}
    batches = list(MixedStream(labeled, (3, 1), **options))
    fresh = list(SceneStream((3, 1), **options))
    seen = []
    for batch, scenes in zip(batches, fresh, strict=True):
        for tensor, other in zip(batch, scenes, strict=True):
            assert_array_equal(tensor[4:], other)
        seen += [
            int(np.flatnonzero(labeled.labels[:, LOG_FLUX] == flux)[0])
            for flux in batch[3][:4, LOG_FLUX]
        ]
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert seen[:10] != seen[10:]


def test_orientations():
    """Each of the eight once, the same of all images; labels are tested with the scenes."""
    rng = torch.Generator().manual_seed(1)
    image, small = torch.randn(1, 128, 128, generator=rng), torch.randn(1, 63, 63, generator=rng)
    one = Scenes(image, 2 * image, small, torch.randn(1, N_LABELS, generator=rng))
    turned = turn(one[[0] * 8], 3)
    for tensor in (turned.data, turned.psf, turned.labels):
        assert len(np.unique(tensor.flatten(1), axis=0)) == 8
    assert_array_equal(turned.weight, 2 * turned.data)


# Truth as the network has it


def moved_star(dx, dy):
    return shift(star(3.0, (61, 61)), (dy, dx), order=5, mode="grid-constant")


LARGE = labels_of(snr=300, r_eff=30, n=1, q=0.6, theta=40)
CASES = {
    "plain": (make_labels(3, 5), star(), {}),
    "off the middle of its stamp": (make_labels(3, 5), moved_star(1.3, -0.8), {}),
    "a little off": (make_labels(3, 5), moved_star(0.1, 0.1), {}),
    "not all of the light": (make_labels(3, 5), 0.8 * star(), {"normalize": False}),
    "oversampled": (make_labels(3, 5), star(2.0, (82, 82), oversampling=2), {"oversampling": 2}),
    "more than the network sees": (make_labels(3, 5), star(7.0, (121, 121), beta=2.0), {}),
    "binned": ([LARGE], moved_star(1.3, -0.8), {}),
    "binned, oversampled": ([LARGE], star(4.0, (121, 121), oversampling=3), {"oversampling": 3}),
}


@pytest.mark.parametrize("case", CASES)
def test_truth_becomes_what_the_network_would_say(case, universal):
    """Labels of samples of a prediction are those that the network drew, from the same inputs."""
    labels, psf, options = CASES[case]
    size = 400 if "binned" in case else 101
    images = render(labels, psf, size=size, oversampling=options.get("oversampling", 1))
    cutouts = [make_cutout(image, psf=psf) for image in add_noise(images)]
    keys = {"oversampling": "psf_oversampling", "normalize": "normalize_psf"}
    results = universal.predict(cutouts, **{keys[name]: v for name, v in options.items()})
    rows = np.arange(len(labels))
    drawn = {name: values[:, 0] for name, values in results.samples(1, seed=4).items()}
    scenes, left_out = scenes_of(cutouts, drawn, **options)
    assert sum(left_out.values()) == 0
    assert ((results.flags & int(Flags.BINNED)) > 0).all() == ("binned" in case)
    normal = torch.from_numpy(np.swapaxes(own_normal(rows, (1, N_LABELS), 4), 0, 1))
    raw = flow_labels(results.posterior.distribution(rows), normal)[:, 0]
    assert_allclose(scenes.labels, raw, atol=2e-5)
    with torch.no_grad():
        posterior = universal.network_(scenes.data, scenes.weight, scenes.psf)
    assert_allclose(posterior.context, results.posterior.context[:, 0], atol=1e-3)


def test_galaxies_that_are_left_out(survey, monkeypatch):
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 4)
    cutouts, truth = (
        survey[0][:12],
        {name: column[:12].copy() for name, column in survey[1].items()},
    )
    cutouts[1] = make_cutout(np.full((64, 64), np.nan))
    cutouts[2] = make_cutout(cutouts[2].data, psf=np.zeros((5, 5)))
    truth["mag"][3] = np.nan
    truth["r_eff"][4] = -1
    truth["r_eff"][5] = np.inf
    truth["n"][6] = 7
    truth["q"][7] = 1.1
    truth["x_0"][8] += 5
    truth["mag"][9] -= 15
    truth["q"][1] = np.nan  # counted once
    scenes, left_out = scenes_of(cutouts, truth)
    assert left_out == {"image or PSF": 2, "truth": 3, "prior": 4}
    good, _ = scenes_of(*survey)
    for one, other in zip(scenes.tensors(), good[[0, 10, 11]].tensors(), strict=True):
        assert_array_equal(one, other)


def test_iterators_stacks_and_tables(survey):
    cutouts, truth = survey
    expected, _ = scenes_of(cutouts, truth)
    stack = NDData(
        np.stack([cutout.data for cutout in cutouts]),
        uncertainty=type(cutouts[0].uncertainty)(np.full((40, 128, 128), RMS)),
        unit="adu",
    )
    units = {"pixel_scale": 0.1, "zeropoint": 25.0}
    table = QTable({name: truth[name] for name in SEVEN})
    for given, options in ((iter(cutouts), {}), (stack, {"psf": PSF, "units": units})):
        scenes, _ = scenes_of(given, table, **options)
        for one, other in zip(scenes.tensors(), expected.tensors(), strict=True):
            assert_allclose(one, other, atol=1e-6)


# Resume


def test_resume_gives_the_same_bits(adapted, survey, tmp_path, monkeypatch):
    def stop(module):
        if module.current_epoch == 2:
            msg = "killed"
            raise RuntimeError(msg)

    net = make_net()
    monkeypatch.setattr(AdaptationModule, "on_train_epoch_start", stop)
    with pytest.raises(RuntimeError, match="killed"):
        net.fit(*survey, resume=tmp_path, **SILENT)
    begun = []
    monkeypatch.setattr(
        AdaptationModule, "on_train_epoch_start", lambda module: begun.append(module.current_epoch)
    )
    net.fit(*survey, resume=tmp_path, **SILENT)
    assert begun == [2]
    assert_same_weights(net, adapted)
    assert net.history_ == adapted.history_


def test_resume_with_other_galaxies(survey, tmp_path):
    cutouts, truth = survey
    make_net(max_epochs=1).fit(cutouts, truth, resume=tmp_path, **SILENT)
    fewer = {name: column[:20] for name, column in truth.items()}
    with pytest.raises(ValueError, match="resume holds an adaptation to other galaxies"):
        make_net(max_epochs=2).fit(cutouts[:20], fewer, resume=tmp_path, **SILENT)


# Bad calls


def test_not_from_scratch(survey):
    message = "trained on scenes of its own, by `sersicnet train universal`.*warm_start=True"
    with pytest.raises(ValueError, match=message):
        make_net().fit(*survey)


def test_nothing_to_begin_with(survey):
    with pytest.raises(RuntimeError, match="no trained network: call fit, or use from_pretrained"):
        SersicNet(network="posterior", parameters=SEVEN).fit(*survey, warm_start=True)


@pytest.mark.parametrize("name", SEVEN)
def test_all_seven_are_needed(name, survey):
    cutouts, truth = survey
    truth = {key: column for key, column in truth.items() if key != name}
    with pytest.raises(ValueError, match=f"the truth has no column '{name}', which is needed for"):
        make_net().fit(cutouts, truth, **SILENT)


def test_truth_is_no_table(survey):
    with pytest.raises(TypeError, match="truth must be a table or a dict of columns, not list"):
        make_net().fit(survey[0], [1, 2], **SILENT)


def test_truth_of_another_length(survey):
    with pytest.raises(ValueError, match="truth has 40 rows, but there are 39 cutouts"):
        make_net().fit(survey[0][:39], survey[1], **SILENT)


def test_no_psf(survey):
    cutouts = [make_cutout(cutout.data, psf=None) for cutout in survey[0]]
    with pytest.raises(ValueError, match="psf=None and no cutout has one"):
        make_net().fit(cutouts, survey[1], **SILENT)
    with pytest.raises(ValueError, match="psf_oversampling=0 must be an integer"):
        make_net().fit(*survey, psf_oversampling=0, **SILENT)


def test_prepared_training_data(survey):
    data = TrainingData(*np.zeros((2, 4, 128, 128)), np.zeros((4, N_LABELS)), LABELS)
    with pytest.raises(TypeError, match="a TrainingData, which has no PSFs"):
        make_net().fit(data, survey[1], **SILENT)


def test_noise_drawn_anew(survey):
    with pytest.raises(ValueError, match="noise_kernel is for network='cnn'"):
        make_net().fit(*survey, noise_kernel=[[1]], **SILENT)


def test_too_few(survey):
    cutouts, truth = survey
    bad = {name: column.copy() for name, column in truth.items()}
    bad["mag"][1:] = np.nan
    message = "has 1 usable galaxies, but needs 2; left out: 0 for their image or PSF, 39 for"
    with pytest.raises(ValueError, match=f"cutouts {message}"):
        make_net().fit(cutouts, bad, **SILENT)
    bad["mag"][0] = np.nan
    with pytest.raises(ValueError, match="validation has 0 usable galaxies, but needs 1"):
        make_net().fit(cutouts, truth, validation=(cutouts, bad), **SILENT)


def test_validation_that_is_no_pair(survey):
    with pytest.raises(TypeError, match="validation must be a tuple"):
        make_net().fit(*survey, validation=survey[0][0], **SILENT)


def test_impossible_settings(survey):
    with pytest.raises(ValueError, match="max_epochs=0 must be a positive integer"):
        make_net(max_epochs=0).fit(*survey, **SILENT)


def test_settings_of_the_estimator_stay(adapted):
    assert adapted.get_params() == make_net().get_params()
    assert adapted.network == "posterior"
