"""Open FITS files: compressed, with one error that names the file for anything that is broken."""

import gzip
import re
import warnings
import zlib
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import astropy.units as u
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning, AstropyWarning
from astropy.wcs import FITSFixedWarning

from sersicnet.io.paths import file_of

__all__ = ["fits_errors", "open_fits"]

# What astropy raises, or warns of, when a file is broken.
_TRUNCATED = ".*(truncated|Error validating header)"
_BROKEN = (OSError, EOFError, AstropyWarning, fits.VerifyError, zlib.error)


@contextmanager
def fits_errors(path, name="path"):
    """Raise an OSError that names the file for anything that is broken in a FITS file.

    Parameters
    ----------
    path : str or path-like
        The file that is read in the block.
    name : str, optional
        Name of the argument that holds ``path``, for the message if the file does not exist.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        warnings.simplefilter("ignore", u.UnitsWarning)
        warnings.filterwarnings("error", _TRUNCATED, AstropyWarning)
        try:
            yield
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


@contextmanager
def open_fits(path):
    """Open a FITS file, and check that none of its HDUs is missing."""
    # fits.open given a path leaves the file open when it fails
    with Path(file_of(path)).open("rb") as file:
        content = file
        if file.peek(2)[:2] == b"\x1f\x8b":
            # gzip, unpacked here since astropy would not notice that its end is missing
            content = BytesIO(gzip.decompress(file.read()))
        with fits.open(content, memmap=False) as hdus:
            len(hdus)  # reads all headers
            yield hdus
