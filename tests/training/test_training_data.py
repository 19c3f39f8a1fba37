"""Data of training: parts, orders of the rows, and noise that is added."""

import numpy as np
import pytest
import torch
from helpers.blobs import CORRELATED, NAMES, WHITE, blobs, generator
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.model.labels import N_LABELS
from sersicnet.training.data import (
    BatchSampler,
    Scenes,
    TrainingData,
    add_noise,
    check_kernel,
    turn,
)


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


def test_orientations():
    """Each of the eight once, the same of all images; labels are tested with the scenes."""
    rng = torch.Generator().manual_seed(1)
    image, small = torch.randn(1, 128, 128, generator=rng), torch.randn(1, 63, 63, generator=rng)
    one = Scenes(image, 2 * image, small, torch.randn(1, N_LABELS, generator=rng))
    turned = turn(one[[0] * 8], 3)
    for tensor in (turned.data, turned.psf, turned.labels):
        assert len(np.unique(tensor.flatten(1), axis=0)) == 8
    assert_array_equal(turned.weight, 2 * turned.data)
