"""Models of several parts in the units of stamps."""

import numpy as np
from numpy.testing import assert_allclose

from sersicnet.preprocessing.frame import StampFrame
from sersicnet.preprocessing.part_models import PartModels, shown_as_one


def frame(noise, bins, middle):
    columns = np.array([noise, 25.0, 0.1, bins, middle, middle + 1], dtype=float)
    return StampFrame(*columns[:, None])


def test_other_stamps_have_other_units():
    """Parameters of each part in the table are the same."""
    before, after = frame(8.0, 2, 63.5), frame(1.5, 1, 70.0)
    labels = np.array([[2.0, 0.5, -0.5, 3.0, 0.7, 1.5, 0.1, 0.2, 0.5, -0.5]])
    moved = PartModels(labels, before, ("point", "sersic")).on(after)
    names = ("mag", "x_0", "y_0")
    for place in (slice(0, 3), slice(3, 10)):
        old = dict(zip(("log_flux", "dx", "dy"), labels[:, place][:, [0, -2, -1]].T, strict=True))
        new = dict(
            zip(("log_flux", "dx", "dy"), moved.labels[:, place][:, [0, -2, -1]].T, strict=True)
        )
        expected = before.from_labels(old, names)
        for name, value in after.from_labels(new, names).items():
            assert_allclose(value, expected[name])
    assert_allclose(moved.labels[0, 4], 0.7 + np.log10(2))
    assert_allclose(moved.of_part(0).labels, moved.labels[:, :3])


def test_a_stand_in_is_as_large_as_the_largest_part():
    """A nucleus in a disk, a smaller disk, and one that was not fitted."""
    single = np.array([[2.0, 0.1, 1.5, 0.0, 0.1, 0.5, -0.5]] * 3)
    single[2] = np.nan
    labels = np.array([[2.5, 0.5, -0.5, 2.0, 0.7, 1.0, 0.2, 0.3, 0.5, -0.5]] * 3)
    labels[1, 4] = 0.0
    parts = PartModels(labels, frame(8.0, 1, 63.5), ("point", "sersic"))
    wide = parts.widen(single)
    assert_allclose(wide[0], [2.0, 0.7, 1.5, 0.2, 0.3, 0.5, -0.5])
    assert_allclose(wide[1:], single[1:])
    assert_allclose(parts.of_part(0).widen(single), single)


class Psfs:
    """PSFs of which the width is known."""

    def widths(self):
        return np.array([4.0, 4.0])


def test_a_sersic_galaxy_stands_in():
    quantiles = np.full((7, 3, 2), np.nan)
    quantiles[[0, 5, 6], :, 0] = 20.0  # a point source; the other was not measured
    columns = np.repeat(np.array([1.0, 25, 0.1, 1, 63.5, 63.5])[:, None], 2, axis=1)
    shown = shown_as_one(quantiles, Psfs(), StampFrame(*columns))
    assert_allclose(shown[1, 1, 0], 0.2)
    assert np.isfinite(shown[:, :, 0]).all()
    assert np.isnan(shown[:, :, 1]).all()
