"""Too little memory: one error, which names what needs it."""

import contextlib

__all__ = ["enough_memory"]

# What torch says, in a RuntimeError, where it does not get memory.
_REFUSED = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc")


@contextlib.contextmanager
def enough_memory(name, advice):
    """Raise a MemoryError that has a name, for all that NumPy and torch raise without memory.

    Parameters
    ----------
    name : str
        What is measured or written in the block.
    advice : str
        What needs less memory.

    Raises
    ------
    MemoryError
        If the block needs more memory than there is.

    Examples
    --------
    >>> from sersicnet.io.memory import enough_memory
    >>> with enough_memory("field.fits", "a smaller tile_size needs less"):
    ...     raise MemoryError("Unable to allocate 1. TiB")
    Traceback (most recent call last):
        ...
    MemoryError: field.fits needs more memory than there is: a smaller tile_size needs less
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        refused = any(text in str(error) for text in _REFUSED)
        if not (refused or isinstance(error, MemoryError)):
            raise
        msg = f"{name} needs more memory than there is: {advice}"
        raise MemoryError(msg) from error
