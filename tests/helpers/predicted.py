"""Galaxies for the universal network to measure, and the comparison of two measurements."""

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from numpy.testing import assert_allclose, assert_array_equal

from helpers.cutouts import SCALE, ZEROPOINT
from helpers.rendered import NOISE, add_noise, labels_of, render, star
from sersicnet.parameters import PARAMETERS
from sersicnet.results import SersicResults

SEVEN = tuple(PARAMETERS)
# Part of the quoted error that rounding to float32 may move an answer by.
ROUNDING = 5e-3
TABLE = [
    labels_of(),
    labels_of(snr=300, r_eff=8, n=3, q=0.4, theta=-50, dx=1.2, dy=-0.7),
    labels_of(snr=25, r_eff=2, n=1, q=0.8, theta=80, dx=-0.5, dy=0.4),
    labels_of(snr=100, r_eff=12, n=0.8, q=0.3, theta=5, dx=-1.5, dy=1.1),
    labels_of(snr=1000, r_eff=3, n=4, q=0.7, theta=-85, dy=2),
    labels_of(snr=15, r_eff=5, n=2, q=0.5, theta=45, dx=0.3),
]


def difference(one, other, name, move=lambda values: values):
    """Of medians, in units of the error; angles are compared as angles."""
    change = one.median(name) - move(other.median(name))
    if name == "theta":
        change = (change + 90) % 180 - 90
    return change / one.error(name)


def assert_same(one, other, *, atol=ROUNDING, flags=True):
    """Equal medians and errors to a part of the error, and equal flags."""
    for name in SEVEN:
        assert_allclose(difference(one, other, name), 0, atol=atol, err_msg=name)
        assert_allclose(one.error(name), other.error(name), rtol=2 * atol, err_msg=name)
    if flags:
        assert_array_equal(one.flags, other.flags)


def of_rows(results, rows):
    """Results of some rows, as far as `assert_same` looks at them."""
    frame = results.frame[rows]
    wcs = [results.wcs[row] for row in rows]
    arrays = results.quantiles[:, :, rows], frame, results.flags[rows], results.shapes[rows]
    return SersicResults(results.parameters, results.posterior, *arrays, wcs)


def stack_of(images, **changes):
    noise = StdDevUncertainty(np.full(images.shape, NOISE))
    arguments = {"unit": "adu", "uncertainty": noise, "psf": star()} | changes
    return CCDData(images, **arguments)


def large(shape, *, r_eff, dx, dy, seed=1, snr=60.0, **labels):
    """A large galaxy as a cutout, and its truth."""
    size = max(shape) + max(shape) % 2
    table = [labels_of(r_eff=r_eff, dx=dx, dy=dy, snr=snr, **labels)]
    top, left = (size - shape[0]) // 2, (size - shape[1]) // 2
    image = render(table, star(), size=size)[0, top:, left:][: shape[0], : shape[1]]
    truth = {
        "mag": ZEROPOINT - 2.5 * (table[0][0] + np.log10(NOISE)),
        "r_eff": r_eff * SCALE,
        "n": labels["n"],
        "q": labels["q"],
        "theta": labels["theta"],
        "x_0": (size - 1) / 2 + dx - left,
        "y_0": (size - 1) / 2 + dy - top,
    }
    return add_noise(image, seed), truth


LARGE = {"r_eff": 40.0, "n": 1.0, "q": 0.6, "theta": 30.0, "dx": 5.3, "dy": -3.4}
