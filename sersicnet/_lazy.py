"""Load the names of a package when they are first used (:pep:`562`)."""

import sys
from importlib import import_module

__all__ = ["lazy_names"]


def lazy_names(package, homes, *, extra=None, needs=None):
    """Make the functions ``__getattr__`` and ``__dir__`` of a package that loads its names lazily.

    Parameters
    ----------
    package : str
        Name of the package.
    homes : dict of str to str
        Module of each public name, relative to the package.
    extra, needs : str, optional
        The extra of this distribution that the package is part of, and the library that the
        extra installs. Without that library, using a name raises ImportError with a message that
        names the extra; importing the package never does.

    Returns
    -------
    get_name, list_names : callable
        The functions to bind to ``__getattr__`` and ``__dir__``.
    """

    def get_name(name):
        if name not in homes:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        try:
            home = import_module(f"{package}.{homes[name]}")
        except ImportError as error:
            missing = (error.name or "").partition(".")[0]
            if needs is None or missing != needs:
                raise
            install = f"pip install 'sersicnet[{extra}]' ('.[{extra}]' in a checkout)"
            msg = f"{package}.{name} needs {needs}: {install}"
            raise ImportError(msg) from error
        value = getattr(home, name)
        setattr(sys.modules[package], name, value)
        return value

    def list_names():
        return sorted({*vars(sys.modules[package]), *homes})

    return get_name, list_names
