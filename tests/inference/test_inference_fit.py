"""What fits found."""

import numpy as np

from sersicnet.inference.fit import Modes, unfitted


def test_galaxies_without_a_fit_are_nan():
    fields = unfitted(3, 5)
    assert np.isnan(fields["mean"]).all()
    assert not fields["converged"].any()
    modes = Modes.blank(3, 2, 5)
    assert modes.fisher.shape == (3, 2, 5, 5)
    assert modes.cost.shape == (3, 2)
    assert np.isnan(modes[1:2].slope).all()
