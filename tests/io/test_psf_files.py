"""PSFs in files, with what their header says."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import NDData
from helpers.fits_files import make_wcs, write_extensions

from sersicnet.io import read_cutout, read_psf, write_cutout
from sersicnet.io.psf_sampling import own_psf, sampling_of

STAMP = np.arange(9.0).reshape(3, 3)


def test_a_psf_with_its_header(path):
    write_extensions(path, {"PSF": (STAMP, {"PIXELSCL": 0.02}), "OTHER": STAMP + 1})
    psf = read_psf(path)
    assert psf.data.tolist() == STAMP.tolist()
    assert sampling_of(psf).pixel_scale == 0.02
    assert sampling_of(read_psf(f"{path}[OTHER]")) is None


def test_a_psf_with_a_wcs(path):
    fits.PrimaryHDU(STAMP, make_wcs().to_header()).writeto(path)
    assert sampling_of(read_psf(path)).pixel_scale == pytest.approx(0.06)


def test_a_cutout_with_its_psf(path, tmp_path):
    """What the header of the PSF says survives writing and reading."""
    psf = (STAMP, {"PIXELSCL": 0.02, "OVERSAMP": 3})
    write_extensions(path, {"SCI": (np.ones((5, 5)), {"PIXSCALE": 0.06}), "PSF": psf})
    cutout = read_cutout(path)
    write_cutout(cutout, tmp_path / "again.fits")
    for each in (cutout, read_cutout(tmp_path / "again.fits")):
        assert isinstance(each.psf, np.ndarray)
        assert sampling_of(own_psf(each)).pixel_scale == 0.02
        assert sampling_of(own_psf(each)).oversampling == 3


def test_a_cutout_with_a_psf_of_a_file(path, tmp_path):
    """An NDData takes it; a CCDData takes arrays alone."""
    write_extensions(path, {"PSF": (STAMP, {"PIXELSCL": 0.02})})
    cutout = NDData(np.ones((5, 5)), unit="nJy", psf=read_psf(path))
    write_cutout(cutout, tmp_path / "cutout.fits")
    again = read_cutout(tmp_path / "cutout.fits")
    assert again.psf.tolist() == STAMP.tolist()
    assert sampling_of(own_psf(again)).pixel_scale == 0.02


def test_no_psf(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"psf=.*does not exist"):
        read_psf(tmp_path / "none.fits")
