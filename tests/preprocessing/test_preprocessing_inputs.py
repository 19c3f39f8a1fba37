"""What results remember of their cutouts: checksums and PSFs."""

import numpy as np
import pytest
from astropy.nddata import CCDData, NDData
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.preprocessing.inputs import Inputs, psf_width, warn_of_width

IMAGE = np.arange(-6.0, 6.0).reshape(3, 4)


def remember(images):
    return Inputs.of(images, [None] * len(images), {})


@pytest.mark.parametrize(
    "same",
    [
        IMAGE.astype("f4"),
        IMAGE.astype(">f8"),
        IMAGE.astype("i2"),
        np.asfortranarray(IMAGE),
        np.where(IMAGE == 0, -0.0, IMAGE),
        NDData(IMAGE, mask=IMAGE > 0),
        CCDData(IMAGE, unit="nJy"),
    ],
)
def test_the_same_pixels(same):
    assert remember([IMAGE]).hold(0, same)


def test_the_same_pixels_with_nan():
    image = np.where(IMAGE > 3, np.nan, IMAGE)
    assert remember([image]).hold(0, image.astype(">f4"))
    assert not remember([image]).hold(0, IMAGE)


def test_other_pixels():
    inputs = remember([IMAGE, IMAGE + 1])
    assert not inputs.hold(0, IMAGE + 1)
    assert inputs.hold(1, IMAGE + 1)
    assert not inputs.hold(0, np.nextafter(IMAGE, 10))


def test_a_stack_is_its_images():
    stack = NDData(np.stack([IMAGE, 2 * IMAGE]))
    inputs = Inputs.of(stack, [None, None], {})
    assert inputs.hold(1, 2 * IMAGE)


def test_psfs_are_not_copied():
    psf = np.ones((3, 3))
    inputs = Inputs.of([IMAGE] * 2, [psf, psf], {})
    assert all(kept is psf for kept in inputs.frozen()[[1, 0]].psfs)


def test_nothing_is_known_of_results_from_elsewhere():
    inputs = Inputs.unknown(2)
    inputs.check(1, NDData(IMAGE), IMAGE.shape)
    with pytest.raises(ValueError, match=r"cutout has the shape \(3, 4\), .* was \(9, 9\)"):
        inputs.check(1, NDData(IMAGE), (9, 9))


def test_a_psf_of_another_width():
    y, x = np.mgrid[-9:10, -9:10]
    stars = [np.exp(-(x**2 + y**2) / (2 * sigma**2)) for sigma in (1.5, 1.53, 1.8)]
    width = psf_width([stars[0], None, stars[0]], {})
    assert abs(width - 1.5 * np.sqrt(8 * np.log(2))) < 0.02
    assert psf_width(stars, {}) is None
    assert psf_width([None], {}) is None
    for star in stars[:2]:
        warn_of_width({"PSFFWHM": width}, [star], {}, stacklevel=1)
    warn_of_width({}, stars[2:], {}, stacklevel=1)
    with pytest.warns(AstropyUserWarning, match=r"FWHM of 4.24 pixels, .* with one of 3.53"):
        warn_of_width({"PSFFWHM": width}, stars[2:], {}, stacklevel=1)
