"""Files that appear under their name only when they are complete, and tables in such files.

Astropy is imported where a table is read or written, so that `atomic_path` also works on a
machine that trains networks and does not have it.
"""

import contextlib
import errno
import os
import shutil
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

__all__ = [
    "allocate",
    "atomic_path",
    "check_folder",
    "check_image_path",
    "check_output_folder",
    "check_table_path",
    "named_errors",
    "write_table",
]

# Formats that keep units and meta.
_SUFFIXES = (".ecsv", ".fits", ".parquet", ".vot", ".xml")
_IMAGE_SUFFIXES = (".fits", ".fit", ".fts")
# Bytes that are written at a time where a disk cannot give room in one step.
_PIECE = 2**24
# What astropy and NumPy say of a full disk, without the number of the error.
_FULL = ("Not enough space", "Not enough free space", "requested and")


@contextlib.contextmanager
def atomic_path(path):
    """Give a temporary path to write to, and rename it to ``path`` when it is complete.

    The temporary file is in a hidden folder of a random name beside ``path``, to which nobody else
    can write. If the block raises an exception, the folder is removed, and a file that was at
    ``path`` before stays as it was.

    Parameters
    ----------
    path : str or path-like
        The file to write. An existing file is replaced.

    Yields
    ------
    `~pathlib.Path`
        The temporary file, which does not exist yet.

    Raises
    ------
    OSError
        If the file cannot be written, such as on a full disk; the message has its name. If there is
        no such folder, it is read-only, or ``path`` is a folder: before the block begins.

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
    check_folder(path)
    with named_errors(path):
        folder = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=path.parent))
        try:
            partial = folder / path.name
            yield partial
            partial.replace(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def named_errors(path):
    """Add the name of a file that is being written to an OSError that lacks one.

    Parameters
    ----------
    path : str or path-like
        The file.

    Raises
    ------
    OSError
        If the block raises one, of the same class.

    Examples
    --------
    >>> import errno
    >>> from sersicnet.io.files import named_errors
    >>> with named_errors("catalog.ecsv"):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
        ...
    OSError: [Errno 28] catalog.ecsv cannot be written: No space left on device
    """
    try:
        yield
    except OSError as error:
        if not _of_writing(error, Path(path)):
            raise
        number = error.errno or errno.ENOSPC
        msg = f"{path} cannot be written: {os.strerror(number)}"
        raise OSError(number, msg) from error


def _of_writing(error, path):
    """Whether an OSError is that of a file that is being written, not of one that is read."""
    if error.filename is not None:
        # from Python 3.12 on, temporary folders have absolute names
        return Path(error.filename).absolute().parent.parent == path.absolute().parent
    return error.errno is not None or any(text in str(error) for text in _FULL)


def allocate(path, n_bytes):
    """Make a file as long as it will be, and take the room for it on the disk.

    A file that is mapped into memory before it has its room ends the process without a message
    when the disk is full.

    Parameters
    ----------
    path : str or path-like
        The file. What it holds already is kept.
    n_bytes : int
        Its length.

    Raises
    ------
    OSError
        If there is no room.
    """
    with Path(path).open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, n_bytes)
            return
        missing = n_bytes - file.tell()
        for start in range(0, missing, _PIECE):
            file.write(bytes(min(_PIECE, missing - start)))


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
    OSError
        If nothing can be written into the folder, such as one that is read-only.
    """
    path = Path(path)
    folder = path.parent
    if not folder.is_dir():
        msg = f"{name}={str(path)!r}: there is no folder {str(folder)!r}"
        raise FileNotFoundError(msg)
    if path.is_dir():
        msg = f"{name}={str(path)!r} is a folder: the name of a file is needed"
        raise IsADirectoryError(msg)
    _check_writable(folder, f"{name}={str(path)!r}")


def _check_writable(folder, given):
    """Raise an OSError unless a file can be made in a folder."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        msg = f"{given}: nothing can be written into {str(folder)!r}: {error.strerror}"
        raise type(error)(error.errno, msg) from error


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
    OSError
        If no file of this name can be written, see `check_folder`.
    """
    path = Path(path)
    if path.suffix not in _SUFFIXES:
        msg = f"{name}={str(path)!r} must end in .ecsv, .fits, .parquet, .vot or .xml"
        raise ValueError(msg)
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        extra = "'sersicnet[survey]' ('.[survey]' in a checkout)"
        msg = f"{name}={str(path)!r}: Parquet needs pyarrow: pip install {extra}"
        raise ModuleNotFoundError(msg)
    check_folder(path, name)
    return path


def check_output_folder(path, name="output", *, files=()):
    """Raise an error unless a folder exists, or can be made, into which files can be written.

    Parameters
    ----------
    path : str or path-like
        The folder.
    name : str, optional
        Name of the argument that holds ``path``, for the message.
    files : iterable of str, optional
        Names of files that will be written into it.

    Raises
    ------
    NotADirectoryError
        If it, or a folder above it, is a file.
    IsADirectoryError
        If one of the files is a folder.
    OSError
        If nothing can be written into it.
    """
    folder = Path(path)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        msg = f"{name}={str(path)!r}: {str(folder)!r} is a file, and a folder is needed"
        raise NotADirectoryError(msg)
    for file in files:
        if (Path(path) / file).is_dir():
            msg = f"{name}={str(path)!r}: {file!r} in it is a folder, and would be a file"
            raise IsADirectoryError(msg)
    _check_writable(folder, f"{name}={str(path)!r}")


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
    OSError
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
        The file: ``.ecsv``, ``.fits``, ``.parquet``, or a VOTable, ``.vot`` or ``.xml``. It appears
        when it is complete.
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

    Notes
    -----
    FITS and VOTable do not have a unit for AB magnitudes. Their columns have the unit ``mag``, and
    ``ABMAGS`` in the header lists them, by which `read_table` gives them their unit again. UCDs and
    descriptions of columns are in the files, so that TOPCAT knows what each column is.

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
    from astropy.io.votable.exceptions import W50
    from astropy.utils.exceptions import AstropyUserWarning

    from sersicnet.io.formats import to_fits_table, write_votable

    path = check_table_path(path)
    if path.exists() and not overwrite:
        msg = f"{path} exists: pass overwrite=True to replace it"
        raise FileExistsError(msg)
    with atomic_path(path) as partial, warnings.catch_warnings():
        # Units that a format does not know, such as electron / s: astropy keeps them all the same.
        lost = "The unit '.*' could not be saved in native FITS format"
        warnings.filterwarnings("ignore", lost, AstropyUserWarning)
        warnings.simplefilter("ignore", W50)
        match path.suffix:
            case ".fits":
                to_fits_table(table).write(partial)
            case ".vot" | ".xml":
                write_votable(table, partial)
            case _:
                table.write(partial)
