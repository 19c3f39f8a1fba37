"""What batches show of their images."""

from types import SimpleNamespace

import numpy as np
from numpy.testing import assert_allclose

from sersicnet.flags import Flags
from sersicnet.inference.seen import Seen
from sersicnet.preprocessing.stamps import CheckedCutout, are_checked

CHECKED = object.__new__(CheckedCutout)


class _Batch(SimpleNamespace):
    """Cutouts whose data scatter by three times their noise."""

    def __init__(self, cutouts, flags):
        noise = np.random.default_rng(1).standard_normal((len(flags), 64, 64))
        stamps = {"data": 3 * noise, "weight": np.ones_like(noise), "flags": np.array(flags)}
        stamps |= {"photons": np.zeros(len(flags)), "gain": np.ones(len(flags))}
        psfs = SimpleNamespace(checks=[])
        self.is_checked = are_checked(cutouts)
        super().__init__(cutouts=cutouts, stamps=SimpleNamespace(**stamps), psfs=psfs, counts=False)

    def __len__(self):
        return len(self.stamps.flags)


def test_noise_is_compared_where_it_was_given():
    """That of the second galaxy was not given, and an image is looked at where its sky is."""
    flags = [0, int(Flags.NOISE_ESTIMATED)]
    seen = Seen()
    seen.add(_Batch(np.zeros((2, 64, 64)), flags), "first")
    seen.add(_Batch([CHECKED, CHECKED], flags), "second")
    assert seen.results == ["first", "second"]
    assert_allclose(seen.scatter[0][0], 3, rtol=0.1)
    assert np.isnan(seen.scatter[0][1])
    assert np.isnan(seen.scatter[1]).all()
    assert np.concatenate(seen.photons, axis=1).shape == (2, 4)
