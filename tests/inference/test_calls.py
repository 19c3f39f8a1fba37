"""What a call may ask for together."""

import pytest

from sersicnet.inference.calls import check_law, check_plain
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
