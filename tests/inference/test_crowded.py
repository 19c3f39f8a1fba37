"""Sources that are fitted with their neighbors, and not before."""

from types import SimpleNamespace

import numpy as np
from helpers.rendered import labels_of
from numpy.testing import assert_array_equal

from sersicnet.inference.crowded import are_crowded, fit_others
from sersicnet.preprocessing.stamps import CheckedCutout

LABELS = np.array([labels_of(snr=50), labels_of(snr=50), labels_of(snr=50)])


def batch_of(*nearest):
    plane = np.zeros((3, 3))
    cutouts = [CheckedCutout(plane, plane, plane > 0, nearest=each) for each in nearest]
    psfs = SimpleNamespace(widths=lambda: np.full(3, 3.0))
    return SimpleNamespace(cutouts=cutouts, psfs=psfs, is_checked=True)


def stamps_of(*bins):
    return SimpleNamespace(frame=SimpleNamespace(bins=np.array(bins)))


def test_a_source_is_crowded_where_it_reaches_to_the_pixels_of_others():
    crowded = are_crowded(batch_of(8.0, 60.0, np.inf), stamps_of(1, 1, 1), LABELS)
    assert_array_equal(crowded, [True, False, False])


def test_galaxies_that_are_in_no_group_are_not_crowded():
    """Those that are binned, rows that share a segment, and what is not known."""
    labels = np.where([[True], [True], [False]], LABELS, np.nan)
    crowded = are_crowded(batch_of(8.0, None, 8.0), stamps_of(2, 1, 1), labels)
    assert not crowded.any()


def test_other_cutouts_are_fitted_as_ever():
    assert (
        fit_others(batch_of(None, None, None), None, None, None, prior=True, device="cpu") is None
    )
