"""One PSF stamp: what can be normalized, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sersicnet.model.psf_stamp import check_oversampling, unit_stamp


@pytest.mark.parametrize(
    ("psf", "message"),
    [
        (np.ones(5), r"psf has shape \(5,\): a 2-D stamp is needed"),
        (np.ones((0, 5)), r"psf has shape \(0, 5\): a 2-D stamp is needed"),
        (np.ones((3, 1025)), r"psf of \(3, 1025\) pixels is larger than 1024: cut it around"),
        (np.full((3, 3), np.nan), "psf has NaN or infinite pixels: all must be finite"),
        (np.full((3, 3), -1.0), "psf has the sum -9: it must be positive"),
        (np.zeros((3, 3)), "psf has the sum 0: it must be positive"),
    ],
)
def test_unusable(psf, message):
    with pytest.raises(ValueError, match=message):
        unit_stamp(psf)


def test_any_normalization_and_type():
    y, x = np.mgrid[-9:10, -9:10]
    psf = np.exp(-(x**2 + y**2) / 4)
    psf /= psf.sum()
    for stamp in (1e6 * psf, (1e8 * psf).astype(int), psf.astype(">f4"), psf.tolist()):
        assert_allclose(unit_stamp(stamp), psf, atol=1e-6)


@pytest.mark.parametrize("oversampling", [0, 17, -1, 2.0, 1.5, True, "2", None])
def test_impossible_oversampling(oversampling):
    with pytest.raises(ValueError, match=f"psf_oversampling={oversampling!r} must be an integer"):
        check_oversampling(oversampling)


@pytest.mark.parametrize("oversampling", [1, 16, np.int64(3)])
def test_possible_oversampling(oversampling):
    check_oversampling(oversampling)


@pytest.mark.parametrize(
    "psf", ["psf.fits", Path("psf.fits"), {"psf": 3}, ["a.fits", "b.fits"], [[1], [2, 3]], [[1j]]]
)
def test_what_holds_no_numbers(psf):
    """Python's own message does not know of a PSF."""
    message = r"psf=.* must be a 2-D array of numbers: .*io.read_psf reads"
    with pytest.raises(TypeError, match=message):
        unit_stamp(psf)


def test_masked_pixels():
    stamp = np.ma.masked_equal([[0, 1, 0], [1, 4, 1], [0, 1, 0]], 4)
    with pytest.raises(ValueError, match="psf has masked pixels: all must be usable"):
        unit_stamp(stamp)
