"""FITS files that are broken or compressed."""

import bz2
import errno
import gzip
import lzma
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fits_files import make_cutout
from numpy.testing import assert_array_equal

from sersicnet.io import fits_files
from sersicnet.io.cutouts import read_cutout, read_cutouts, write_cutouts
from sersicnet.io.fits_files import Pixels, fits_errors, open_fits, read_pixels


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


@pytest.fixture
def large_gzip(path, tmp_path, monkeypatch):
    """A gzipped file that is too large to be unpacked in memory, and the folder of its copy."""
    write_cutouts([make_cutout(shape=(40, 40))], path)
    zipped = path.with_suffix(".fits.gz")
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    folder = tmp_path / "unpacked"
    folder.mkdir()
    monkeypatch.setattr(fits_files, "_IN_MEMORY", 100)
    monkeypatch.setattr(fits_files.tempfile, "tempdir", str(folder))
    return zipped, folder


def test_a_large_gzipped_file_is_unpacked_on_the_disk(path, large_gzip):
    """Its pixels are those of the file, and nothing is left of the copy of a killed process."""
    zipped, folder = large_gzip
    with open_fits(zipped) as hdus, open_fits(path) as plain:
        assert not list(folder.iterdir())
        images = [pair for pair in zip(hdus, plain, strict=True) if pair[1].shape == (40, 40)]
        for mine, given in images:
            assert_array_equal(read_pixels(mine, np.s_[3:5, 7:9]), given.data[3:5, 7:9])
            assert_array_equal(read_pixels(mine), given.data)
    assert len(images) > 1
    assert not list(folder.iterdir())


def test_the_end_of_a_large_gzipped_file_is_missed(large_gzip):
    zipped, folder = large_gzip
    zipped.write_bytes(zipped.read_bytes()[:-9])
    with pytest.raises(OSError, match=r"cutouts.fits.gz is not a complete FITS file"):
        read_cutout(zipped)
    assert not list(folder.iterdir())


def test_no_room_to_unpack(large_gzip, monkeypatch):
    """The error says so, and not that the file is broken."""
    zipped, folder = large_gzip

    def fill(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fits_files.shutil, "copyfileobj", fill)
    with pytest.raises(
        OSError, match=rf"gz cannot be unpacked to a temporary file in {folder}: .*No space left"
    ):
        read_cutout(zipped)
    assert not list(folder.iterdir())


def test_no_folder_to_unpack_in(large_gzip, monkeypatch):
    """It is not the file that does not exist; what fits into memory needs no folder."""
    zipped, folder = large_gzip
    folder.rmdir()
    with pytest.raises(
        OSError, match=rf"gz cannot be unpacked to a temporary file in {folder}: .*No such file"
    ):
        read_cutout(zipped)
    monkeypatch.setattr(fits_files, "_IN_MEMORY", 2**20)
    assert read_cutout(zipped).shape == (40, 40)


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


def compressed(path, data):
    """Write a tile-compressed image, and return where its compressed pixels are in the file."""
    image = fits.CompImageHDU(data, name="SCI", tile_shape=(1, data.shape[1]))
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    with fits.open(path, disable_image_compression=True) as hdus:
        table = hdus["SCI"]
        start = table.fileinfo()["datLoc"] + table.header["NAXIS1"] * table.header["NAXIS2"]
        return start, start + table.header["PCOUNT"]


def test_compressed_pixels_that_are_damaged(path):
    """Those who decompress raise exceptions of their own."""
    noise = np.random.default_rng(0).normal(0, 100, (64, 64)).astype(np.int32)
    start, end = compressed(path, noise)
    content = bytearray(path.read_bytes())
    content[start:end] = b"\xff" * (end - start)
    path.write_bytes(content)
    message = r"cutouts\.fits is not a complete FITS file: the pixels of SCI cannot be read: "
    with pytest.raises(OSError, match=message):
        read_cutout(path)


def test_a_damaged_header_is_one_error(path):
    """Without the warnings of bytes that are no text."""
    path.write_bytes(b"")
    write_cutouts([make_cutout(shape=(40, 40))], path, overwrite=True)
    content = bytearray(path.read_bytes())
    content[2880:5760] = content[2880:3360] + bytes(1200) + b"\xff" * 1200
    path.write_bytes(content)
    with pytest.raises(OSError, match=r"cutouts\.fits is not a complete FITS file"):
        read_cutout(path)


@pytest.mark.parametrize("box", [None, np.s_[20:30], np.s_[20:30, 3:5]])
def test_a_file_that_becomes_shorter_while_it_is_read(box, path):
    fits.writeto(path, np.ones((100, 100)))
    content = path.read_bytes()

    def read():
        with fits_errors(path), open_fits(path) as hdus:
            path.write_bytes(content[:4000])
            read_pixels(hdus[0], box)

    message = "not a complete FITS file: the pixels of PRIMARY cannot be read"
    with pytest.raises(OSError, match=message):
        read()


def test_pixels_that_need_too_much_memory(path):
    fits.writeto(path, np.ones((4, 4)))

    class Large:
        name = "SCI"
        shape = (1, 1)

        @property
        def section(self):
            msg = "Unable to allocate 1 TiB"
            raise MemoryError(msg)

    with pytest.raises(MemoryError, match=r"cutouts\.fits needs more memory than there is: Unable"):
        Pixels(Large(), path)[0]
