"""Names of a package that are loaded when they are first used."""

import sys
from types import ModuleType

import pytest

from sersicnet._lazy import lazy_names


@pytest.fixture
def package(monkeypatch):
    """A package with one module, which has one name."""
    home = ModuleType("toy.home")
    home.value = 3
    monkeypatch.setitem(sys.modules, "toy", ModuleType("toy"))
    monkeypatch.setitem(sys.modules, "toy.home", home)
    return sys.modules["toy"]


def test_a_name_is_loaded_once(package):
    get_name, list_names = lazy_names("toy", {"value": "home"})
    assert "value" not in vars(package)
    assert "value" in list_names()
    assert get_name("value") == 3
    assert vars(package)["value"] == 3


def test_an_unknown_name(package):
    get_name, _ = lazy_names("toy", {"value": "home"})
    with pytest.raises(AttributeError, match="module 'toy' has no attribute 'nothing'"):
        get_name("nothing")


def test_a_library_that_is_missing(package, monkeypatch):
    """The message says what to install; other errors of imports stay as they are."""
    monkeypatch.setitem(sys.modules, "toy.home", None)
    get_name, _ = lazy_names("toy", {"value": "home"}, extra="plot", needs="toy")
    with pytest.raises(ImportError, match=r"toy.value needs toy: pip install 'sersicnet\[plot\]'"):
        get_name("value")
    get_name, _ = lazy_names("toy", {"value": "home"}, extra="plot", needs="other")
    with pytest.raises(ModuleNotFoundError, match=r"toy\.home"):
        get_name("value")
