"""Bytes of the arrays and tensors that an object keeps alive."""

import sys

import numpy as np
import torch

__all__ = ["kept_bytes"]


def kept_bytes(thing):
    """Return the bytes of all arrays and tensors that an object refers to, each counted once.

    An array that is a view counts with the whole array that it is a view of, a tensor with its
    whole storage. Of lists, tuples and dictionaries their own size counts too. This is what the
    object needs, whatever the memory of the process does.

    Parameters
    ----------
    thing : object
        Anything; attributes, items and the tensors of networks are followed.

    Returns
    -------
    int

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarks.common.storage import kept_bytes
    >>> image = np.zeros((100, 100))
    >>> kept_bytes(image[0]), kept_bytes(image[0].copy())
    (80000, 800)
    """
    found = {}
    seen = set()
    todo = [thing]
    while todo:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        match each:
            case np.ndarray():
                owner = _owner(each)
                found[id(owner)] = owner.nbytes
            case torch.Tensor():
                storage = each.untyped_storage()
                found[storage.data_ptr()] = storage.nbytes()
            case dict():
                found[id(each)] = sys.getsizeof(each)
                todo += each.values()
            case list() | tuple():
                found[id(each)] = sys.getsizeof(each)
                todo += each
            case _ if not isinstance(each, type):
                todo.append(getattr(each, "__dict__", None))
    return sum(found.values())


def _owner(array):
    """The array that holds the pixels of a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
