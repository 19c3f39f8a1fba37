"""PSFs of the LSST stack; what they look like, tests of survey files compare with the star."""

import numpy as np
from astropy.io import fits
from helpers.archives import cell_coadd, psfex_tables
from numpy.testing import assert_allclose

from sersicnet.io.lsst_psf import lsst_psf


def test_a_part_of_an_exposure_counts_pixels_of_the_whole():
    primary = fits.PrimaryHDU()
    primary.header["PSF_ID"] = 1
    hdus = fits.HDUList([primary, *psfex_tables()])
    whole = lsst_psf(hdus, fits.ImageHDU(np.zeros((2, 2))))
    part = lsst_psf(hdus, fits.ImageHDU(np.zeros((2, 2)), fits.Header({"LTV1": -40.0})))
    assert_allclose(part(10, 5), whole(50, 5), atol=1e-12)
    assert np.ptp(part(10, 5) - whole(10, 5)) > 1e-4


def test_no_psf():
    hdus = fits.HDUList([fits.PrimaryHDU()])
    assert lsst_psf(hdus, hdus[0]) is None


def test_cells_whose_places_are_not_known(tmp_path):
    path = cell_coadd(tmp_path / "coadd.fits")
    with fits.open(path) as hdus:
        assert lsst_psf(hdus, hdus["IMAGE"]) is not None
        hdus["JSON"].data["JSON"][0] = np.frombuffer(b'{"image": {}}', np.uint8)
        assert lsst_psf(hdus, hdus["IMAGE"]) is None
