"""Load the names of a package when they are first used (:pep:`562`)."""

import sys
from importlib import import_module

__all__ = ["lazy_names"]


def lazy_names(package, homes):
    """Functions ``__getattr__`` and ``__dir__`` of a package whose names are loaded lazily.

    Parameters
    ----------
    package : str
        Name of the package.
    homes : dict of str to str
        Module of each public name, relative to the package.

    Returns
    -------
    get_name, list_names : callable
        What the package binds to ``__getattr__`` and ``__dir__``.
    """

    def get_name(name):
        if name not in homes:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def list_names():
        return sorted({*vars(sys.modules[package]), *homes})

    return get_name, list_names
