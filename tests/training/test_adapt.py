"""Adaptation of the universal network to labeled galaxies.

The galaxies to adapt to are rendered by `sersicnet.model.profile` and smoothed, so that their
noise is correlated over more pixels than in training, and their PSF stamps are a seventh too
narrow.
"""

import numpy as np
import pytest
import torch
from astropy.utils.exceptions import AstropyUserWarning
from helpers.cutouts import SCALE
from helpers.rendered import add_noise, make_cutout, render
from helpers.surveys import SEVEN, SILENT, make_labels, make_net, make_survey, scenes_of
from helpers.weights import assert_same_weights
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from sersicnet import Flags, SersicNet
from sersicnet.model.labels import LOG_FLUX, N_LABELS
from sersicnet.model.unconstrained import to_unconstrained
from sersicnet.training import adapt
from sersicnet.training.adapt import AdaptationModule, MixedStream
from sersicnet.training.contaminants import Contaminants
from sersicnet.training.data import Scenes
from sersicnet.training.scenes import SceneMaker
from sersicnet.training.streams import SceneStream

# What thirty steps may add to the loss of scenes like those of training (which is dominated by the
# brightest: it is 0.4 to 1.2 for six seeds), also as a share of what they add without rehearsing
# such scenes (3.8 to 4.0).
OLD_LOSS, SHARE = 2.5, 0.6


@torch.no_grad()
def mean_loss(net, scenes):
    posterior = net.network_(scenes.data, scenes.weight, scenes.psf)
    return -float(posterior.log_prob_unconstrained(to_unconstrained(scenes.labels)).mean())


@pytest.fixture(scope="module")
def adapted(survey):
    """The same, adapted to the survey."""
    return make_net().fit(*survey, **SILENT)


@pytest.fixture(scope="module")
def old():
    """256 scenes of the kind that the network was trained on."""
    return next(SceneMaker(99, n_galaxies=256).batches(256))


@pytest.fixture
def short(monkeypatch):
    """An epoch is as short as the galaxies allow."""
    monkeypatch.setattr(adapt, "_FEWEST_STEPS", 1)


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
    assert record["images"]["pixel_scale"] == [SCALE, SCALE]
    assert set(record["images"]) == {"pixel_scale", "psf_fwhm"}
    assert record["n_left_out"] == {"image or PSF": 0, "truth": 0, "prior": 0}
    assert record["validation_loss"]["after"] < record["validation_loss"]["before"]
    assert record["learning_rate"] == 5e-5
    assert record["init"] == universal.record_
    assert record["contaminants"] == vars(Contaminants(**universal.record_["contaminants"]))
    assert adapted.label_range_ is None
    assert adapted.parameters_ == SEVEN


def test_images_that_it_was_not_adapted_to(adapted, universal, survey):
    """Another pixel scale, and another width of the PSF; a fit does not depend on it."""
    psf = survey[0][0].psf
    images = add_noise(render(make_labels(2, 1), psf))  # noise that the universal network knows
    cutouts = [make_cutout(image, psf=psf) for image in images]
    wide = gaussian_filter(psf, 1)
    other = int(Flags.PIXEL_SCALE_MISMATCH | Flags.BEYOND_TRAINING)

    def flags_of(net, **options):
        return [Flags(int(value) & other) for value in net.predict(cutouts, **options).flags]

    assert flags_of(adapted) == [0, 0]
    assert flags_of(adapted, pixel_scale=2 * SCALE) == 2 * [Flags.PIXEL_SCALE_MISMATCH]
    assert flags_of(adapted, psf=wide) == 2 * [Flags.BEYOND_TRAINING]
    assert flags_of(adapted, psf=wide, refine="lm") == [0, 0]
    assert flags_of(universal, psf=wide, pixel_scale=2 * SCALE) == [0, 0]


def test_save_and_load(adapted, survey, tmp_path):
    adapted.save(tmp_path / "mine.safetensors")
    loaded = SersicNet.load(tmp_path / "mine.safetensors").set_params(device="cpu")
    assert_same_weights(loaded, adapted)
    assert loaded.record_ == adapted.record_
    assert loaded.weights_.startswith("mine, sha256 ")
    assert adapted.weights_ is None
    one, other = (net.predict(survey[0][:4]).quantiles for net in (loaded, adapted))
    assert_array_equal(one, other)


@pytest.mark.usefixtures("short")
def test_the_network_that_it_began_with_stays(universal, survey):
    net = make_net(max_epochs=1)
    start = net.network_
    net.fit(*survey, **SILENT)
    assert net.network_ is not start
    for one, other in zip(start.parameters(), universal.network_.parameters(), strict=True):
        assert_array_equal(one.detach(), other.detach())


@pytest.mark.usefixtures("short")
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


@pytest.mark.usefixtures("short")
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


# Resume


def test_resume_gives_the_same_bits(adapted, survey, tmp_path, monkeypatch):
    """As those of a run that was not interrupted: two runs with one seed are the same."""

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


@pytest.mark.usefixtures("short")
def test_resume_with_other_galaxies(survey, tmp_path):
    cutouts, truth = survey
    make_net(max_epochs=1).fit(cutouts, truth, resume=tmp_path, **SILENT)
    fewer = {name: column[:20] for name, column in truth.items()}
    with pytest.raises(ValueError, match="resume holds an adaptation to other galaxies"):
        make_net(max_epochs=2).fit(cutouts[:20], fewer, resume=tmp_path, **SILENT)


# Bad calls


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


def test_impossible_settings(survey):
    with pytest.raises(ValueError, match="max_epochs=0 must be a positive integer"):
        make_net(max_epochs=0).fit(*survey, **SILENT)


def test_settings_of_the_estimator_stay(adapted):
    assert adapted.get_params() == make_net().get_params()
    assert adapted.network == "posterior"
