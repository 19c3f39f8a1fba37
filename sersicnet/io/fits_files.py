"""Open FITS files: compressed, with one error that names the file for anything that is broken."""

import gzip
import re
import shutil
import tempfile
import warnings
import zlib
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import astropy.units as u
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning, AstropyWarning
from astropy.wcs import FITSFixedWarning

from sersicnet.io.paths import file_of

__all__ = ["Pixels", "fits_errors", "open_fits", "read_pixels"]

# What astropy raises, or warns of, when a file is broken.
_TRUNCATED = ".*(truncated|Error validating header)"
# What it warns of in damaged headers, besides the error that names the file, and mends in others.
_MENDED = "(non-ASCII characters|Header block contains null bytes|The following header keyword)"
_BROKEN = (OSError, EOFError, AstropyWarning, fits.VerifyError, zlib.error)
# Bytes of a gzipped file that are unpacked in memory, and bytes that are unpacked at a time.
_IN_MEMORY = 2**26
_CHUNK = 2**20


class UnpackError(OSError):
    """A compressed file cannot be unpacked: there is no room, or no permission."""


@contextmanager
def fits_errors(path, name="path"):
    """Raise an OSError that names the file for anything that is broken in a FITS file.

    Parameters
    ----------
    path : str or path-like
        The file that is read in the block.
    name : str, optional
        Name of the argument that holds ``path``, for the message if the file does not exist.

    Raises
    ------
    OSError
        If the file does not exist, is not FITS, is cut or damaged.
    MemoryError
        If it needs more memory than there is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        warnings.simplefilter("ignore", u.UnitsWarning)
        warnings.filterwarnings("ignore", _MENDED, AstropyWarning)
        warnings.filterwarnings("error", _TRUNCATED, AstropyWarning)
        try:
            yield
        except UnpackError:
            raise  # the file is not broken
        except FileNotFoundError as error:
            msg = f"{name}={str(path)!r} does not exist"
            raise FileNotFoundError(msg) from error
        except _BROKEN as error:
            if isinstance(error, AstropyUserWarning) and not re.match(_TRUNCATED, str(error)):
                raise  # one of ours, where warnings are errors
            reason = str(error)
            if "No SIMPLE card" in reason:
                reason = "it does not begin like one"
            msg = f"{path} is not a complete FITS file: {reason}"
            raise OSError(msg) from error
        except MemoryError as error:
            msg = f"{path} needs more memory than there is: {error}".removesuffix(": ")
            raise MemoryError(msg) from error


@contextmanager
def open_fits(path):
    """Open a FITS file, and check that none of its HDUs is missing.

    A gzipped file is unpacked: what is above 64 MB to a temporary file, so that memory does not
    depend on its size.

    Parameters
    ----------
    path : str or path-like
        The file.

    Yields
    ------
    `~astropy.io.fits.HDUList`

    Raises
    ------
    OSError
        If it is broken (see `fits_errors`), or the temporary file cannot be written.
    """
    with ExitStack() as stack:
        # fits.open given a path leaves the file open when it fails
        content = stack.enter_context(Path(file_of(path)).open("rb"))
        if content.peek(2)[:2] == b"\x1f\x8b":
            content = stack.enter_context(_unpacked(content, path))
        with fits.open(content, memmap=False) as hdus:
            len(hdus)  # reads all headers
            yield hdus


@contextmanager
def _unpacked(file, path):
    """Unpack a gzipped file here, since astropy would not notice that its end is missing."""
    # its size is that of what is unpacked; the system removes it even if the process is killed
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
        _unpack(file, copy, path)
        yield copy


def _unpack(file, copy, path):
    """Write what a gzipped file holds to a temporary file."""
    try:
        with gzip.open(file) as packed:
            shutil.copyfileobj(packed, copy, _CHUNK)
        copy.seek(0)
    except OSError as error:
        if error.errno is None:
            raise  # the file is broken
        with suppress(OSError):  # there is still no room
            copy.close()
        folder = tempfile.tempdir or "any folder"
        msg = f"{path} cannot be unpacked to a temporary file in {folder}: {error}"
        raise UnpackError(msg) from error


def read_pixels(hdu, box=None):
    """Read the pixels of an HDU, in a block of `fits_errors`.

    Parameters
    ----------
    hdu : HDU
        An image of an open file.
    box : slices, optional
        The window to read, by default all.

    Returns
    -------
    `~numpy.ndarray`

    Raises
    ------
    EOFError
        If they cannot be read: they cannot be decompressed, or the file has become shorter.
    """
    try:
        if box is None:
            return hdu.data
        return hdu.section[box]
    except MemoryError:
        raise
    except Exception as error:  # those who decompress raise what they like
        msg = f"the pixels of {hdu.name or 'an HDU'} cannot be read: {error}"
        raise EOFError(msg) from error


class Pixels:
    """The pixels of an HDU of an open file, which are read window by window.

    They are not mapped into memory: a file that becomes shorter while it is read would end the
    process.

    Parameters
    ----------
    hdu : HDU
        The image.
    path : str or path-like
        Its file, for messages.
    """

    def __init__(self, hdu, path):
        self.shape = tuple(hdu.shape)
        self._hdu = hdu
        self._path = path

    def __getitem__(self, box):
        with fits_errors(self._path):
            return read_pixels(self._hdu, box)
