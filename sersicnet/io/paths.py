"""Checks of the files that a call reads and writes, before the work begins."""

import os
import re
from pathlib import Path

__all__ = ["check_inputs", "check_outputs"]

# The part of a file that a path may choose at its end: ``field.fits[2]``.
_PART = re.compile(r"\[[^\[\]]*\]$")


def check_inputs(inputs):
    """Raise an error unless the files that will be read exist.

    Parameters
    ----------
    inputs : dict
        Paths by the name of the argument, also several in a list. What is no path is ignored.

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    IsADirectoryError
        If it is a folder.
    PermissionError
        If it may not be read.

    Examples
    --------
    >>> from sersicnet.io.paths import check_inputs
    >>> check_inputs({"image": "absent.fits"})
    Traceback (most recent call last):
        ...
    FileNotFoundError: image='absent.fits' does not exist
    """
    for name, given in _named_paths(inputs):
        path = _whole_file(given)
        if not path.exists():
            msg = f"{name}={str(given)!r} does not exist"
            raise FileNotFoundError(msg)
        if path.is_dir():
            msg = f"{name}={str(given)!r} is a folder, and a file is needed"
            raise IsADirectoryError(msg)
        if not os.access(path, os.R_OK):
            msg = f"{name}={str(given)!r} may not be read: permission denied"
            raise PermissionError(msg)


def check_outputs(outputs, inputs):
    """Raise ValueError if a file that will be written is also read, or written twice.

    Links are followed: a symbolic or hard link is the file that it leads to.

    Parameters
    ----------
    outputs, inputs : dict
        Paths by the name of the argument, also several in a list. What is no path is ignored.

    Raises
    ------
    ValueError
        If two of them are the same file.

    Examples
    --------
    >>> from sersicnet.io.paths import check_outputs
    >>> check_outputs({"output": "field.fits"}, {"image": "./field.fits"})
    Traceback (most recent call last):
        ...
    ValueError: output='field.fits' would overwrite image='./field.fits': choose another file
    """
    taken = {}
    for name, path in _named_paths(inputs):
        for key in _identity(_whole_file(path)):
            taken.setdefault(key, f"{name}={str(path)!r}")
    for name, path in _named_paths(outputs):
        keys = _identity(path)
        for key in keys & taken.keys():
            msg = f"{name}={str(path)!r} would overwrite {taken[key]}: choose another file"
            raise ValueError(msg)
        taken |= dict.fromkeys(keys, f"{name}={str(path)!r}")


def _named_paths(given):
    """Yield name and path of all paths, one by one."""
    for name, value in given.items():
        values = [value]
        if isinstance(value, list | tuple):
            values = value
        for path in values:
            if isinstance(path, str | os.PathLike):
                yield name, path


def _whole_file(path):
    """The file of a path that may choose a part of it."""
    path = Path(path)
    if path.exists():
        return path
    return Path(_PART.sub("", str(path)))


def _identity(path):
    """Return a set that has an element in common with that of each other path to the same file."""
    keys = {os.path.realpath(path)}
    try:
        status = Path(path).stat()
    except OSError:  # it does not exist
        return keys
    return keys | {(status.st_dev, status.st_ino)}
