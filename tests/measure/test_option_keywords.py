"""Options as keyword arguments of functions."""

from inspect import signature

import pytest

from sersicnet.measure.option_keywords import check_keywords, takes_options
from sersicnet.measure.options import Options


def test_a_function_has_all_options():
    @takes_options
    def measure(image, **options):
        """Measure.

        Parameters
        ----------
        {options}
        """

    parameters = signature(measure).parameters
    assert next(iter(parameters)) == "image"
    assert parameters["threshold"].default == Options.threshold
    assert "model : str, Sersic or Model, optional" in measure.__doc__


def test_names_that_are_unknown():
    check_keywords("measure", ["model", "output"], own=("output",))
    with pytest.raises(TypeError, match=r"measure\(\) got an unexpected keyword argument 'modl'"):
        check_keywords("measure", ["modl"], own=())
