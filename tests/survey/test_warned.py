"""Warnings of workers."""

import warnings

import pytest
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.survey.warned import recorded_warnings


def test_warnings_are_kept_once_each():
    with recorded_warnings() as texts:
        for text in ("one", "two", "one"):
            warnings.warn(text, AstropyUserWarning, stacklevel=1)
    assert texts == ["one", "two"]


def test_other_warnings_are_given():
    with pytest.warns(DeprecationWarning, match="old"), recorded_warnings() as texts:
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert texts == []


def test_errors_are_raised():
    with pytest.raises(ValueError, match="wrong"), recorded_warnings():
        int("wrong")
