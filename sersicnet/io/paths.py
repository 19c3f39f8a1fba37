"""Paths: which part of a file they choose, and checks of what a call reads and writes.

``file.fits[2]``, ``file.fits[CCD2]`` or ``file.fits[SCI,2]`` is one HDU of a file, and
``cube.fits[1][0]`` a plane of it.
"""

import os
import re
from pathlib import Path

__all__ = ["check_inputs", "check_outputs", "file_of", "path_with", "split_path"]

_SELECTED = re.compile(r"(?P<file>.+?)\[(?P<hdu>[^\[\]]+)\](?:\[(?P<plane>\d+)\])?")


def split_path(path):
    """Split the path of a file from the choice of an HDU and of a plane in it.

    Parameters
    ----------
    path : str or path-like
        ``file.fits``, ``file.fits[2]``, ``file.fits[NAME]``, ``file.fits[NAME,VERSION]``, each with
        an optional plane, ``file.fits[2][0]``. HDUs and planes are counted from 0.

    Returns
    -------
    file : str
        The file.
    hdu : int, str, (str, int) or None
        The HDU.
    plane : int or None
        The plane.

    Examples
    --------
    >>> from sersicnet.io.paths import split_path
    >>> split_path("file.fits[SCI,2]"), split_path("cube.fits[1][0]")
    (('file.fits', ('SCI', 2), None), ('cube.fits', 1, 0))
    """
    path = str(path)
    match = _SELECTED.fullmatch(path)
    if match is None or Path(path).exists():
        return path, None, None
    hdu = match["hdu"].strip()
    name, comma, version = hdu.rpartition(",")
    if comma and version.strip().isdigit():
        hdu = (name.strip(), int(version))
    elif hdu.isdigit():
        hdu = int(hdu)
    plane = match["plane"]
    if plane is not None:
        plane = int(plane)
    return match["file"], hdu, plane


def file_of(path):
    """Return the path of the file alone.

    Parameters
    ----------
    path : str or path-like
        As in `split_path`.

    Returns
    -------
    str
    """
    return split_path(path)[0]


def path_with(path, hdu):
    """Return a path with the choice of an HDU.

    Parameters
    ----------
    path : str or path-like
        A file.
    hdu : int, str, (str, int) or None
        The HDU; None for the path as it is.

    Returns
    -------
    str or path-like

    Raises
    ------
    ValueError
        If the path has a choice already.
    TypeError
        If ``hdu`` is of another type.
    """
    if hdu is None:
        return path
    if split_path(path)[1] is not None:
        msg = f"hdu={hdu!r} is given, and {path} names one already"
        raise ValueError(msg)
    if isinstance(hdu, tuple) and len(hdu) == 2:
        return f"{path}[{hdu[0]},{hdu[1]}]"
    if isinstance(hdu, bool) or not isinstance(hdu, int | str):
        msg = f"hdu={hdu!r} must be a number, a name, or a name and a version"
        raise TypeError(msg)
    return f"{path}[{hdu}]"


def check_inputs(inputs):
    """Raise an error unless the files that will be read exist.

    Parameters
    ----------
    inputs : dict
        Paths by the name of the argument, also several in a list. What is not a path is ignored.

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
        path = Path(file_of(given))
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
        Paths by the name of the argument, also several in a list. What is not a path is ignored.

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
        for key in _identity(file_of(path)):
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


def _identity(path):
    """Return a set that has an element in common with that of each other path to the same file."""
    keys = {os.path.realpath(path)}
    try:
        status = Path(path).stat()
    except OSError:  # it does not exist
        return keys
    return keys | {(status.st_dev, status.st_ino)}
