"""Training: data and their symmetries, noise, loss, and runs that are cut short and go on."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.weights import assert_same_weights
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch.distributions import Independent, Normal

from sersicnet.model.labels import components
from sersicnet.model.symmetries import random_symmetry
from sersicnet.networks.registry import build_network
from sersicnet.training.data import BatchSampler, TrainingData, add_noise, check_kernel
from sersicnet.training.loop import History
from sersicnet.training.regression import TrainingModule, beta_nll, train_network

NAMES = ("log_flux", "e1", "e2", "dx", "dy")
WHITE = np.ones((1, 1))
# The mean of two pixels, along x: neighbors correlate by 0.5.
CORRELATED = np.array([[0, 0, 0], [0, 1, 1], [0, 0, 0]]) / np.sqrt(2)


def blobs(n, size, *, seed=0):
    """Gaussians without noise as (data, weight, labels of ``NAMES``)."""
    rng = np.random.default_rng(seed)
    flux, (dx, dy), q = rng.uniform(50, 500, n), rng.uniform(-2, 2, (2, n)), rng.uniform(0.4, 1, n)
    theta = rng.uniform(-np.pi / 2, np.pi / 2, n)
    middle = (size - 1) / 2
    y, x = np.mgrid[:size, :size] - middle
    x, y = x - dx[:, None, None], y - dy[:, None, None]
    cos, sin = np.cos(theta)[:, None, None], np.sin(theta)[:, None, None]
    along, across = x * cos + y * sin, (y * cos - x * sin) / q[:, None, None]
    data = np.exp(-(along**2 + across**2) / 2 / 2.5**2)
    data *= (flux / data.sum(axis=(1, 2)))[:, None, None]
    labels = [np.log10(flux), *components(q, theta), dx, dy]
    return data.astype("f4"), np.ones_like(data, "f4"), np.stack(labels, 1).astype("f4")


def measure(images):
    """The labels of ``NAMES`` from moments."""
    images = np.asarray(images, dtype=float)
    flux = images.sum(axis=(1, 2))
    y, x = np.mgrid[: images.shape[1], : images.shape[2]] - (images.shape[-1] - 1) / 2

    def moment(values):
        return (images * values).sum(axis=(1, 2)) / flux

    dx, dy = moment(x), moment(y)
    xx, yy, xy = moment(x * x) - dx**2, moment(y * y) - dy**2, moment(x * y) - dx * dy
    size = xx + yy + 2 * np.sqrt(xx * yy - xy**2)  # (a + b)^2
    return np.stack([np.log10(flux), (xx - yy) / size, 2 * xy / size, dx, dy], 1)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def to_tensors(*arrays):
    return [torch.from_numpy(np.array(array, "f4")) for array in arrays]


@pytest.fixture(scope="module")
def sets():
    """A training and a validation set."""
    data = TrainingData(*blobs(48, 32), NAMES)
    return data.subset(np.arange(40)), data.subset(np.arange(40, 48))


def train(sets, directory, **changes):
    """A network after training, and its history."""
    network = build_network("cnn", n_labels=len(NAMES), stamp_size=32, channels=(8, 16), hidden=32)
    labels = sets[0].labels
    network.standardize(labels.mean(axis=0), labels.std(axis=0))
    options = {"max_epochs": 4, "batch_size": 8, "noise_kernel": WHITE, "device": "cpu"} | changes
    return network, train_network(network, *sets, directory=directory, **options)[0]


# Data


def test_training_data_gives_batches(sets):
    data = TrainingData(*blobs(10, 16), NAMES)
    stamps, weight, labels = data[np.array([7, 2])]
    assert stamps.shape == weight.shape == (2, 16, 16)
    assert {stamps.dtype, weight.dtype, labels.dtype} == {torch.float32}
    assert_array_equal(labels, data.labels[[7, 2]])
    assert (len(data), data.stamp_size) == (10, 16)


def test_training_data_of_a_mapped_file_in_another_byte_order(tmp_path):
    arrays = blobs(5, 16)
    np.save(tmp_path / "data.npy", arrays[0].astype(">f4"))
    mapped = np.load(tmp_path / "data.npy", mmap_mode="r")
    data = TrainingData(mapped, *arrays[1:], NAMES)
    assert_array_equal(data[np.array([3])][0][0], arrays[0][3])


def test_parts_of_training_data():
    data = TrainingData(*blobs(10, 16), NAMES)
    part = data.subset(np.array([1, 4, 8])).subset(np.array([0, 2]))
    assert_array_equal(part.labels, data.labels[[1, 8]])
    assert part.arrays[0] is data.arrays[0]
    chosen = part.select(("dy", "log_flux"))
    assert chosen.names == ("dy", "log_flux")
    assert_array_equal(chosen[np.array([1])][2][0], data.labels[8][[4, 0]])


def test_missing_label():
    with pytest.raises(ValueError, match=r"no labels \['n'\]: there are log_flux, e1, e2, dx, dy"):
        TrainingData(*blobs(2, 16), NAMES).select(("dx", "n"))


@given(st.integers(1, 300), st.integers(1, 70), st.integers(0, 5))
def test_an_epoch_has_each_row_once(n, batch_size, epoch):
    sampler = BatchSampler(n, batch_size, seed=3)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert sorted(np.concatenate(batches)) == list(range(n))
    assert len(batches) == len(sampler) == -(-n // batch_size)
    sizes = {len(batch) for batch in batches}
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def test_order_follows_from_seed_and_epoch():
    def order(seed, epoch):
        sampler = BatchSampler(50, 8, seed=seed)
        sampler.set_epoch(epoch)
        return [batch.tolist() for batch in sampler]

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)
    assert np.concatenate(order(None, 1)).tolist() == list(range(50))


# Symmetries


@pytest.mark.parametrize("size", [32, 33])
def test_moved_labels_describe_the_moved_image(size):
    data, weight, labels = to_tensors(*blobs(64, size))
    assert_allclose(measure(data), labels, atol=2e-4)
    moved, _, moved_labels = random_symmetry(data, weight, labels, NAMES, generator())
    assert_allclose(measure(moved), moved_labels, atol=2e-4)
    changed = (moved != data).flatten(1).any(1)
    assert 0.6 < changed.float().mean() < 1  # 7 of 8 symmetries change something


def test_all_eight_symmetries_occur_and_weights_move_along():
    data = torch.arange(9.0).reshape(1, 3, 3).repeat(200, 1, 1)
    labels = torch.zeros(200, 1)
    moved, weight, _ = random_symmetry(data, 2 * data, labels, ("n",), generator())
    assert_array_equal(weight, 2 * moved)
    kinds, counts = np.unique(moved.flatten(1), axis=0, return_counts=True)
    assert len(kinds) == 8
    assert counts.min() > 10


@pytest.mark.parametrize("names", [("dx",), ("dy",), ("e1", "e2", "dx"), ("e1", "e2"), ("n", "q")])
def test_symmetries_with_some_labels(names):
    data, weight, labels = to_tensors(*blobs(64, 32))
    columns = [NAMES.index(name) for name in names if name in NAMES]
    labels = labels[:, columns] if columns else labels[:, :2]
    moved, _, moved_labels = random_symmetry(data, weight, labels, names, generator())
    if columns:
        assert_allclose(measure(moved)[:, columns], moved_labels, atol=2e-4)
        assert (moved_labels != labels).any()
    else:
        assert_array_equal(moved_labels, labels)
        assert (moved != data).any()


def test_symmetries_follow_from_the_generator():
    stamps = to_tensors(*blobs(8, 16))
    first, same, other = (random_symmetry(*stamps, NAMES, generator(seed)) for seed in (1, 1, 2))
    assert_array_equal(first[0], same[0])
    assert (first[0] != other[0]).any()


# Noise


@pytest.mark.parametrize("kernel", [WHITE, CORRELATED])
def test_noise_has_the_variance_that_the_weights_tell(kernel):
    weight = torch.ones(200, 20, 20)
    weight[:, :, 10:] = 0.25  # a noise of 4
    data = torch.full_like(weight, 7.0)
    noisy = add_noise(data, weight, torch.from_numpy(kernel).float(), generator())
    assert_allclose(noisy[:, :, :10].mean(), 7, atol=0.02)
    assert_allclose(noisy[:, :, :10].std(), 1, rtol=0.01)
    assert_allclose(noisy[:, :, 10:].std(), 4, rtol=0.01)


def test_noise_is_correlated_by_the_kernel():
    data = torch.zeros(100, 32, 32)
    noise = add_noise(data, data + 1, torch.from_numpy(CORRELATED).float(), generator())
    for shift, expected in {(0, 1): 0.5, (0, 2): 0, (1, 0): 0, (1, 1): 0}.items():
        neighbors = torch.roll(noise, shift, (1, 2))
        assert_allclose((noise * neighbors).mean(), expected, atol=0.015)


def test_bad_pixels_stay_without_noise():
    weight = torch.ones(3, 16, 16)
    weight[:, 4:8] = 0
    data = torch.where(weight > 0, 5.0, 0.0)
    noisy = add_noise(data, weight, torch.from_numpy(CORRELATED).float(), generator())
    assert (noisy[:, 4:8] == 0).all()
    assert (noisy[:, :4] != data[:, :4]).all()


@pytest.mark.parametrize(
    "kernel", [np.ones((3, 3)), np.full((3, 3), 1 / 9), [1.0], np.ones((2, 2)) / 2, np.eye(3)[:1]]
)
def test_unusable_noise_kernel(kernel):
    with pytest.raises(ValueError, match=r"noise_kernel of shape .* must be square with an odd"):
        check_kernel(kernel)


@pytest.mark.parametrize("kernel", [WHITE, CORRELATED])
def test_usable_noise_kernel(kernel):
    assert_array_equal(check_kernel(kernel.tolist()), kernel)


# Loss


def make_distribution():
    rng = torch.Generator().manual_seed(3)
    mean = torch.randn(7, 3, generator=rng, dtype=torch.float64, requires_grad=True)
    scale = torch.rand(7, 3, generator=rng, dtype=torch.float64).add(0.1).requires_grad_()
    labels = torch.randn(7, 3, generator=rng, dtype=torch.float64)
    return Independent(Normal(mean, scale), 1), labels, mean, scale


def gradients(beta, label_scale):
    distribution, labels, mean, scale = make_distribution()
    loss = beta_nll(distribution, labels, label_scale=label_scale, beta=beta)
    return torch.autograd.grad(loss, (mean, scale))


LABEL_SCALE = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)


def test_beta_of_0_is_the_likelihood():
    distribution, labels, _, _ = make_distribution()
    loss = beta_nll(distribution, labels, label_scale=LABEL_SCALE, beta=0)
    constant = 0.5 * np.log(2 * np.pi) + LABEL_SCALE.log().mean()
    expected = -distribution.log_prob(labels).mean() / 3 - constant
    assert_allclose(loss.item(), expected.item(), rtol=1e-12)


@pytest.mark.parametrize("beta", [0.5, 1])
def test_beta_weights_the_gradient(beta):
    _, _, _, scale = make_distribution()
    weight = (scale / LABEL_SCALE).detach() ** (2 * beta)
    for plain, weighted in zip(
        gradients(0, LABEL_SCALE), gradients(beta, LABEL_SCALE), strict=True
    ):
        assert_allclose(weighted, plain * weight, rtol=1e-12)


def test_mean_learns_from_squared_errors_with_a_beta_of_1():
    _, labels, mean, _ = make_distribution()
    squared = (0.5 * ((labels - mean) / LABEL_SCALE) ** 2).mean()
    (expected,) = torch.autograd.grad(squared, mean)
    assert_allclose(gradients(1, LABEL_SCALE)[0], expected, rtol=1e-12)


# Runs


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


def test_exit_stays_an_exit(sets, tmp_path, kill_after):
    kill_after(7, SystemExit(3))
    with pytest.raises(SystemExit, match="3"):
        train(sets, tmp_path)


def test_too_few_galaxies(sets, tmp_path):
    with pytest.raises(ValueError, match="usable galaxies to train on: 1, but at least 2"):
        train((sets[0].subset(np.arange(1)), sets[1]), tmp_path)


def test_odd_numbers_of_galaxies(sets, tmp_path):
    """A last batch of one galaxy would be too few for batch normalization."""
    _, history = train((sets[0].subset(np.arange(9)), sets[1]), tmp_path, max_epochs=1)
    assert np.isfinite(history["train_loss"]).all()


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


def test_training_needs_neither_astropy_nor_galsim():
    code = "import sys, sersicnet.training.regression; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"torch", "lightning", "sersicnet.training.data"} <= loaded
    assert not loaded & {"astropy", "galsim", "photutils", "zuko", "sersicnet.preprocessing.stamps"}


def test_a_checkpoint_of_other_labels_is_refused():
    history = History(["n"])
    with pytest.raises(ValueError, match=r"labels \['log_flux'\], not \['n'\]"):
        history.load_state_dict({**History(["log_flux"]).state_dict()})
