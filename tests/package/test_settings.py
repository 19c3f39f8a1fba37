"""Settings by name, and checks of single arguments."""

import inspect

import numpy as np
import pytest

from sersicnet._settings import (
    Settings,
    check_bool,
    check_names,
    check_positive,
    check_unchanged,
    hides_unknown,
)


class Estimator(Settings):
    def __init__(self, *, size=3, name="a"):
        self.size = size
        self.name = name


def test_settings_by_name():
    estimator = Estimator(size=5)
    assert estimator.get_params() == {"size": 5, "name": "a"}
    assert estimator.set_params(name="b") is estimator
    assert repr(estimator) == "Estimator(size=5, name='b')"


def test_an_unknown_setting_changes_nothing():
    estimator = Estimator()
    with pytest.raises(ValueError, match="'width' is not a setting of Estimator: size, name"):
        estimator.set_params(size=9, width=1)
    assert estimator.size == 3


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None])
def test_what_is_no_positive_integer(value):
    with pytest.raises(ValueError, match=r"n=.* must be a positive integer"):
        check_positive("n", value)
    check_positive("n", np.int64(1))


@pytest.mark.parametrize("value", [0, 1, "no", None])
def test_what_is_neither_true_nor_false(value):
    with pytest.raises(ValueError, match=r"sky=.* must be True or False"):
        check_bool("sky", value)
    check_bool("sky", np.False_)


def test_settings_that_changed_after_training():
    check_unchanged({"size": 3, "name": "b"}, {"size": 3})
    with pytest.raises(ValueError, match="size=4, but the network was trained with size=3"):
        check_unchanged({"size": 4}, {"size": 3})


def test_misspelled_keywords_are_answered_by_similar_names():
    @hides_unknown
    def measure(cutouts, *, psf=None, zeropoint=None, **unknown):
        """Measure."""
        check_names("measure", unknown, inspect.signature(measure).parameters)
        return cutouts, psf, zeropoint

    assert measure(1, psf=2) == (1, 2, None)
    assert list(inspect.signature(measure).parameters) == ["cutouts", "psf", "zeropoint"]
    with pytest.raises(TypeError, match=r"measure\(\) .* 'zeropont': did you mean zeropoint\?"):
        measure(1, zeropont=25)
    with pytest.raises(TypeError, match=r"measure\(\) .* argument 'colour'$"):
        measure(1, colour="red")
