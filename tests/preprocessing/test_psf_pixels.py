"""The oversampling of the PSFs of cutouts, where the user does not say it."""

import numpy as np
import pytest
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.preprocessing.psf_pixels import find_psf_sampling

STAMP = np.ones((3, 3))


def cutout(scale=0.06, **cards):
    return NDData(np.ones((5, 5)), psf=STAMP, meta={"PIXSCALE": scale, **cards})


def psf(scale):
    return NDData(STAMP, meta={"PIXELSCL": scale})


def find(given_psf, cutouts, *, given=None, pixel_scale=None):
    options = {"given": given, "pixel_scale": pixel_scale}
    return find_psf_sampling(given_psf, cutouts, **options)


def test_nothing_is_known():
    for given in (None, 2):
        assert find(None, [cutout()], given=given) == (None, given)
        assert find(STAMP, [cutout()], given=given) == (STAMP, given)


def test_what_psfs_say():
    assert find(psf(0.03), [cutout()] * 3)[1] == 2
    assert find([psf(0.03), None, psf(0.06)], [cutout(), cutout(), cutout(0.12)])[1] == 2
    assert find(None, [cutout(PSFSCALE=0.02), cutout()])[1] == 3
    assert find(psf(0.03), NDData(np.ones((4, 5, 5)), meta={"PIXSCALE": 0.06}))[1] == 2
    assert find(psf(0.03), [cutout()], pixel_scale=np.array([0.12]))[1] == 4
    stamps, _ = find([psf(0.03), STAMP], [cutout()] * 2)
    assert all(isinstance(each, np.ndarray) for each in stamps)


def test_contradictions():
    with pytest.warns(AstropyUserWarning, match="psf: psf_oversampling=1 is used, but PIXELSCL"):
        assert find(psf(0.03), [cutout()] * 2, given=1)[1] == 1
    message = r"cutouts\[1\] has BAD_PSF: psf: PIXELSCL says .* no whole number: .*; 2 cutouts are"
    with pytest.warns(AstropyUserWarning, match=message):
        stamps, step = find([psf(0.03), psf(0.04), psf(0.05)], [cutout()] * 3)
    assert (step, stamps[1:]) == (2, [None, None])
    with pytest.warns(AstropyUserWarning, match=r"cutouts\[0\] has BAD_PSF"):
        stamps, step = find(None, [cutout(PSFSCALE=0.04), cutout(PSFSCALE=0.03)])
    assert (step, stamps[0], stamps[1] is STAMP) == (2, None, True)
    for wrong in (psf(0.04), [psf(0.04)] * 2):
        with pytest.raises(ValueError, match="which is no whole number"):
            find(wrong, [cutout()] * 2)
    message = r"one oversampling, and theirs are 1 \(cutouts\[1\]\), 2 \(cutouts\[0\]\)"
    with pytest.raises(ValueError, match=message):
        find([psf(0.03), psf(0.06)], [cutout()] * 2)
