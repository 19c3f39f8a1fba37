"""What a call may ask for together."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.inference.calls import check_law, check_plain, warn_of_zeropoints
from sersicnet.model import Model


def test_what_is_possible():
    check_law("gaussian", model=Model("sersic+exp"), neighbors="fit")
    check_law("poisson", model=Model("sersic"))
    check_plain(None, False)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"model": None}, "several bands"), ({"model": Model("point")}, "Model"), ({}, "neighbors")],
)
def test_one_profile_in_one_band(options, words):
    options = {"model": Model("sersic"), "neighbors": "fit"} | options
    with pytest.raises(ValueError, match=words):
        check_law("student", **options)


def test_a_plain_network_fits_nothing():
    with pytest.raises(ValueError, match="likelihood='poisson' needs the posterior network"):
        check_plain(None, False, likelihood="poisson")


def seen(mag, n, err):
    """What the network sees of exposures: magnitudes of n galaxies with errors."""
    quantiles = np.zeros((1, 3, n))
    quantiles[0] = mag + np.array([-err, 0, err])[:, None]
    return SimpleNamespace(usable=np.ones(n, dtype=bool), quantiles=quantiles)


def test_many_galaxies_show_a_smaller_difference_of_zero_points():
    first = seen(20.0, 25, 0.02)
    warn_of_zeropoints({"e1": first, "e2": seen(20.02, 25, 0.02)})
    with pytest.warns(AstropyUserWarning, match="0.05 mag fainter in the exposure 'e2'"):
        warn_of_zeropoints({"e1": first, "e2": seen(20.05, 25, 0.02)})
    warn_of_zeropoints({"e1": seen(20.0, 1, 0.001), "e2": seen(20.05, 1, 0.001)})


def test_exposures_that_do_not_show_galaxies_say_nothing_of_zero_points():
    """Magnitudes are then those of the prior."""
    shallow = seen(17.4, 100, 0.45)
    warn_of_zeropoints({"e1": seen(20.0, 100, 0.02), "e2": shallow})
    warn_of_zeropoints({"e1": shallow, "e2": seen(20.0, 100, 0.02)})
