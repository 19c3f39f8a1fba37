"""Training: runs that are cut short and go on."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.blobs import NAMES, WHITE, train
from helpers.weights import assert_same_weights
from numpy.testing import assert_allclose

from sersicnet.training.loop import History
from sersicnet.training.regression import TrainingModule, beta_nll


def test_history_and_same_seed_same_bits(sets, tmp_path):
    network, history = train(sets, tmp_path / "a", seed=1)
    again, same = train(sets, tmp_path / "b", seed=1)
    other, _ = train(sets, tmp_path / "c", seed=2)
    assert history["epoch"] == [0, 1, 2, 3]
    assert np.isfinite([history["train_loss"], history["val_loss"]]).all()
    assert history == same
    assert_same_weights(network, again)
    assert not network.training
    assert any(
        (a != b).any() for a, b in zip(network.parameters(), other.parameters(), strict=True)
    )


def test_training_learns(sets, tmp_path):
    _, history = train(sets, tmp_path, max_epochs=15, noise_kernel=None)
    assert history["train_loss"][-1] < history["train_loss"][0] - 0.3


def validation_loss(network, data):
    options = {"learning_rate": 0, "noise_kernel": WHITE, "symmetries": False, "seed": 0}
    module = TrainingModule(network, NAMES, loss=beta_nll, **options)
    batch = data[np.arange(len(data))]
    with torch.no_grad():
        return module._losses(batch, module._generator(1, 0), augment=False)[1].item()


def test_weights_of_the_best_epoch_are_kept(sets, tmp_path, monkeypatch):
    """The second is the best of four, whatever the network has learnt until then."""
    losses = TrainingModule._losses

    def raised(self, batch, generator, *, augment):
        loss, likelihood = losses(self, batch, generator, augment=augment)
        return loss, likelihood + (0 if augment else [1000, 0, 500, 1500][self.current_epoch])

    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "_losses", raised)
        network, history = train(sets, tmp_path)
    assert np.argmin(history["val_loss"]) == 1
    assert_allclose(validation_loss(network, sets[1]), history["val_loss"][1], rtol=1e-5)


def test_early_stopping(sets, tmp_path):
    def flat(distribution, labels, *, label_scale):
        return 0 * distribution.mean.sum() + 1

    _, history = train(sets, tmp_path, max_epochs=9, patience=2, loss=flat)
    assert history["epoch"] == [0, 1, 2]


class Killed(BaseException):
    """What ends a run."""


@pytest.fixture
def kill_after(monkeypatch):
    """A function: let the training step number ``step`` end the run."""
    original = TrainingModule.training_step

    def arm(step, error):
        def training_step(self, batch, index):
            if self.global_step == step:
                raise error
            return original(self, batch, index)

        monkeypatch.setattr(TrainingModule, "training_step", training_step)

    yield arm
    monkeypatch.undo()


@pytest.mark.parametrize("step", [2, 5, 13])
def test_resume_is_as_if_never_interrupted(sets, tmp_path, kill_after, monkeypatch, step):
    network, history = train(sets, tmp_path / "whole")
    kill_after(step, Killed)
    with pytest.raises(Killed):
        train(sets, tmp_path / "cut")
    monkeypatch.undo()
    resumed, same = train(sets, tmp_path / "cut")
    assert same == history
    assert_same_weights(resumed, network)


def test_resume_in_a_folder_that_was_moved(sets, tmp_path, kill_after, monkeypatch):
    network, history = train(sets, tmp_path / "whole", learning_rate=0.1, max_epochs=6)
    kill_after(23, Killed)
    with pytest.raises(Killed):
        train(sets, tmp_path / "cut", learning_rate=0.1, max_epochs=6)
    monkeypatch.undo()
    shutil.move(tmp_path / "cut", tmp_path / "moved")
    resumed, same = train(sets, tmp_path / "moved", learning_rate=0.1, max_epochs=6)
    assert same == history
    assert_same_weights(resumed, network)
    assert not (tmp_path / "cut").exists()


def test_resume_when_nothing_is_left_to_do(sets, tmp_path):
    network, history = train(sets, tmp_path)
    again, same = train(sets, tmp_path)
    assert same == history
    assert_same_weights(again, network)


def test_ctrl_c_is_a_keyboard_interrupt(sets, tmp_path, kill_after):
    handler = signal.getsignal(signal.SIGINT)
    kill_after(7, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        train(sets, tmp_path)
    assert signal.getsignal(signal.SIGINT) is handler


def test_sigterm_is_an_exit_with_its_status(sets, tmp_path, monkeypatch):
    """Lightning would end Python with status 0, as if the training was complete."""
    original = TrainingModule.training_step

    def training_step(self, batch, index):
        if self.global_step == 7:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, batch, index)

    monkeypatch.setattr(TrainingModule, "training_step", training_step)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop:
        train(sets, tmp_path)
    assert stop.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == handler


def test_a_handler_of_sigterm_ends_the_training(sets, tmp_path, monkeypatch):
    """As that of the command line."""

    class Ended(KeyboardInterrupt):
        pass

    def end(*_):
        raise Ended

    original = TrainingModule.training_step

    def training_step(self, batch, index):
        if self.global_step == 7:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, batch, index)

    monkeypatch.setattr(TrainingModule, "training_step", training_step)
    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(Ended):
            train(sets, tmp_path)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_exit_stays_an_exit(sets, tmp_path, kill_after):
    kill_after(7, SystemExit(3))
    with pytest.raises(SystemExit, match="3"):
        train(sets, tmp_path)


def test_silence_and_no_files_elsewhere(sets, tmp_path, capfd, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    train(sets, tmp_path / "there", max_epochs=1)
    assert capfd.readouterr() == ("", "")
    assert list(Path().iterdir()) == []


def test_progress_bar(sets, tmp_path, capfd):
    train(sets, tmp_path, max_epochs=1, progress_bar=True)
    assert "Epoch 0: 100%" in "".join(capfd.readouterr())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
def test_on_a_gpu(sets, tmp_path):
    network, history = train(sets, tmp_path, device="gpu")
    _, on_cpu = train(sets, tmp_path / "cpu", noise_kernel=None, max_epochs=1, symmetries=False)
    _, on_gpu = train(
        sets, tmp_path / "gpu", noise_kernel=None, max_epochs=1, symmetries=False, device="gpu"
    )
    assert np.isfinite(history["val_loss"]).all()
    assert next(network.parameters()).device.type in ("cpu", "cuda")
    assert_allclose(on_gpu["train_loss"], on_cpu["train_loss"], rtol=0.01)


def test_a_checkpoint_of_other_labels_is_refused():
    history = History(["n"])
    with pytest.raises(ValueError, match=r"labels \['log_flux'\], not \['n'\]"):
        history.load_state_dict({**History(["log_flux"]).state_dict()})
