"""Files that appear under their name only when they are complete, and tables in such files.

Astropy is imported where a table is read or written, so that `atomic_path` also works on a
machine that trains networks and does not have it.
"""

import contextlib
import os
import uuid
import warnings
from importlib.util import find_spec
from pathlib import Path

__all__ = ["atomic_path", "check_folder", "check_table_path", "write_table"]

# Formats that keep units and meta.
_SUFFIXES = (".ecsv", ".fits", ".parquet")
_IMAGE_SUFFIXES = (".fits", ".fit", ".fts")


@contextlib.contextmanager
def atomic_path(path):
    """Give a temporary path to write to, and rename it to ``path`` when it is complete.

    The temporary file is a hidden file in the same folder, with the suffix of ``path``. If the
    block raises an exception, the temporary file is removed, and a file that was at ``path``
    before stays as it was.

    Parameters
    ----------
    path : str or path-like
        The file to write. An existing file is replaced.

    Yields
    ------
    `~pathlib.Path`
        The temporary file, which does not exist yet.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sersicnet.io import atomic_path
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "notes.txt"
    ...     with atomic_path(path) as partial:
    ...         _ = partial.write_text("complete")
    ...         before = path.exists()
    ...     print(before, path.read_text())
    False complete
    """
    path = Path(path)
    partial = path.with_name(f".{uuid.uuid4().hex}.part{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_folder(path, name="path"):
    """Raise an error unless a file can be written: in a folder that exists, and no folder itself.

    Parameters
    ----------
    path : str or path-like
        The file to be written.
    name : str, optional
        Name of the argument that holds ``path``, for the message.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError
        If ``path`` is a folder.
    PermissionError
        If nothing may be written into the folder.
    """
    folder = Path(path).parent
    if not folder.is_dir():
        msg = f"{name}={str(path)!r}: there is no folder {str(folder)!r}"
        raise FileNotFoundError(msg)
    if Path(path).is_dir():
        msg = f"{name}={str(path)!r} is a folder: the name of a file is needed"
        raise IsADirectoryError(msg)
    if not os.access(folder, os.W_OK):
        msg = f"{name}={str(path)!r}: no permission to write into the folder {str(folder)!r}"
        raise PermissionError(msg)


def check_table_path(path, name="path"):
    """Raise an error unless `write_table` can write a file of this name.

    Parameters
    ----------
    path : str or path-like
        The file to be written.
    name : str, optional
        Name of the argument that holds ``path``, for the message.

    Returns
    -------
    `~pathlib.Path`
        The file.

    Raises
    ------
    ValueError
        If the suffix is not that of a format that keeps units and metadata.
    ModuleNotFoundError
        If the format is Parquet and pyarrow is not installed.
    FileNotFoundError, IsADirectoryError, PermissionError
        If no file of this name can be written, see `check_folder`.
    """
    path = Path(path)
    if path.suffix not in _SUFFIXES:
        msg = f"{name}={str(path)!r} must end in .ecsv, .fits or .parquet"
        raise ValueError(msg)
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        extra = "'sersicnet[survey]' ('.[survey]' in a checkout)"
        msg = f"{name}={str(path)!r}: Parquet needs pyarrow: pip install {extra}"
        raise ModuleNotFoundError(msg)
    check_folder(path, name)
    return path


def check_image_path(path, name="path"):
    """Raise an error unless an uncompressed FITS file of this name can be written.

    Parameters
    ----------
    path : str or path-like
        The file to be written.
    name : str, optional
        Name of the argument that holds ``path``, for the message.

    Returns
    -------
    `~pathlib.Path`
        The file.

    Raises
    ------
    ValueError
        If the suffix is not that of such a file.
    FileNotFoundError, IsADirectoryError, PermissionError
        If no file of this name can be written, see `check_folder`.
    """
    path = Path(path)
    if path.suffix not in _IMAGE_SUFFIXES:
        msg = f"{name}={str(path)!r} must end in .fits"
        raise ValueError(msg)
    check_folder(path, name)
    return path


def write_table(table, path, *, overwrite=False):
    """Write a table in the format that the suffix of the file names.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table to write.
    path : str or path-like
        The file: ``.ecsv``, ``.fits`` or ``.parquet``. It appears when it is complete.
    overwrite : bool, optional
        Whether to replace an existing file.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    ValueError
        If the suffix is another one.
    ModuleNotFoundError
        If the format is Parquet and pyarrow is not installed.
    FileNotFoundError
        If the folder does not exist.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from sersicnet.io import read_table, write_table
    >>> table = QTable({"mag": [20.0, 21.0] * u.ABmag})
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "catalog.fits"
    ...     write_table(table, path)
    ...     print(read_table(path)["mag"].unit)
    mag(AB)
    """
    from astropy.utils.exceptions import AstropyUserWarning

    path = check_table_path(path)
    if path.exists() and not overwrite:
        msg = f"{path} exists: pass overwrite=True to replace it"
        raise FileExistsError(msg)
    with atomic_path(path) as partial, warnings.catch_warnings():
        # Astropy keeps such a unit in a comment that it understands.
        lost = "The unit '.*' could not be saved in native FITS format"
        warnings.filterwarnings("ignore", lost, AstropyUserWarning)
        table.write(partial)
