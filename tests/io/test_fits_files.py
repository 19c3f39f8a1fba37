"""FITS files that are broken or compressed."""

import bz2
import gzip
import lzma
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fits_files import make_cutout

from sersicnet.io.cutouts import read_cutout, read_cutouts, write_cutouts
from sersicnet.io.fits_files import fits_errors


@pytest.mark.parametrize("read", [read_cutout, read_cutouts])
def test_files_that_are_not_fits(path, read):
    with pytest.raises(FileNotFoundError, match=r"cutouts\.fits"):
        read(path)
    for content, reason in (
        (b"", "Empty"),
        (b"no FITS at all" * 1000, "it does not begin like one"),
    ):
        path.write_bytes(content)
        with pytest.raises(OSError, match=rf"cutouts\.fits is not a complete FITS file: {reason}"):
            read(path)


def test_truncated_file_is_refused_wherever_it_ends(path):
    write_cutouts([make_cutout(shape=(40, 40)), make_cutout(shape=(9, 9))], path)
    content = path.read_bytes()
    for length in {*range(0, len(content), 1440), len(content) - 1}:
        path.write_bytes(content[:length])
        with pytest.raises(OSError, match=r"cutouts\.fits is not a complete FITS file"):
            read_cutouts(path)


def test_compressed_files(path):
    data = np.arange(64 * 64, dtype=np.int32).reshape(64, 64)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data)]).writeto(path)
    np.testing.assert_array_equal(read_cutout(path).data, data)
    zipped = path.with_suffix(".fits.gz")
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_cutout(zipped).data, data)
    zipped.write_bytes(zipped.read_bytes()[:500])
    with pytest.raises(OSError, match=r"cutouts.fits.gz is not a complete FITS file"):
        read_cutout(zipped)


@pytest.mark.parametrize(("suffix", "module"), [(".bz2", bz2), (".xz", lzma)])
def test_other_compressions(path, suffix, module):
    """Frames of SDSS end in .bz2."""
    data = np.arange(12.0).reshape(3, 4)
    fits.PrimaryHDU(data).writeto(path)
    packed = path.with_name(path.name + suffix)
    packed.write_bytes(module.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_cutout(packed).data, data)
    packed.write_bytes(packed.read_bytes()[:60])
    with pytest.raises(OSError, match="is not a complete FITS file"):
        read_cutout(packed)


def test_warnings_of_ours_pass():
    """Where warnings are errors, they are no broken files."""

    def warn():
        with fits_errors("file.fits"):
            warnings.warn("several", AstropyUserWarning, stacklevel=1)

    with pytest.raises(AstropyUserWarning, match="several"):  # pytest makes errors of warnings
        warn()
