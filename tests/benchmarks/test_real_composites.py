"""The benchmark of real galaxies of two parts, on a simulated one."""

import numpy as np
import pytest
from astropy.io import fits
from helpers.rendered import NOISE, draw_parts, labels_of
from numpy.testing import assert_allclose

from benchmarks import real_composites
from sersicnet import SersicNet

BULGE = labels_of(log_flux=3.2, r_eff=1, n=3, q=0.8, theta=30)
DISK = labels_of(log_flux=3.8, r_eff=3.5, n=1, q=0.5, theta=50)


@pytest.fixture
def folder(tmp_path):
    """One galaxy with the magnitudes of its parts in the header, and a file without."""
    cutout = draw_parts(BULGE + DISK, ("sersic", "sersic"), size=32)
    mask = np.zeros((32, 32), dtype=np.uint8)
    mask[0, :4] = 1
    images = {"SCI": cutout.data + 0.5, "ERR": np.full((32, 32), NOISE)}
    images |= {"PSF": cutout.psf, "MASK": mask}
    header = fits.Header({"FITBAND": "R", "ZP_R": 25.0, "PS_R": 0.1, "NGOOD": 1020})
    magnitudes = 25 - 2.5 * (np.array([3.2, 3.8]) + np.log10(NOISE))
    header.update({"BMAG": magnitudes[0], "DMAG": magnitudes[1], "SCHI2": 1100.0, "DCHI2": 1020.0})
    header.update({"BRE": 0.1, "BN": 3.0, "DRE": 0.35, "SSKY": 0.5})
    extensions = [fits.ImageHDU(image, name=f"{name}_R") for name, image in images.items()]
    fits.HDUList([fits.PrimaryHDU(header=header), *extensions]).writeto(tmp_path / "a.fits")
    fits.PrimaryHDU().writeto(tmp_path / "b.fits")
    return tmp_path


def test_a_galaxy_is_measured_beside_imfit(folder):
    (path,) = real_composites.scene_paths(folder)
    row, pictures = real_composites.measure(SersicNet.from_pretrained(), path)
    assert row["galaxy"] == "a"
    assert_allclose(row["imfit bulge_to_total"], 10**3.2 / (10**3.2 + 10**3.8))
    assert abs(row["bulge_to_total"] - row["imfit bulge_to_total"]) < 0.3
    assert abs(row["mag"] - row["imfit mag"]) < 0.1
    assert_allclose(row["chi2 sersic+exp"], 1, atol=0.2)
    assert_allclose(row["imfit chi2 sersic+exp"], 1)
    assert len(pictures) == 3
    assert np.isnan(pictures[1][0, :4]).all()
    figure = real_composites._figure({"a": pictures})
    assert len(figure.axes) == 3 * real_composites._ROWS
