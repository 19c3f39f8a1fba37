"""Too little memory: the error has a name, whoever raised it."""

import pytest
import torch

from sersicnet.io.memory import enough_memory


def test_numpy_and_torch_lack_memory_in_the_same_words():
    def fail(error):
        with enough_memory("field.fits", "less is less"):
            raise error

    message = "field.fits needs more memory than there is: less is less"
    for error in (
        MemoryError("Unable to allocate 1. TiB"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        torch.OutOfMemoryError("CUDA out of memory."),
    ):
        with pytest.raises(MemoryError, match=message):
            fail(error)
    with pytest.raises(RuntimeError, match="another"):
        fail(RuntimeError("another"))
