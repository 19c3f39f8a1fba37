"""Settings by name, as in scikit-learn but without it, and checks of single arguments."""

import inspect
from difflib import get_close_matches

import numpy as np


class Settings:
    """Base of an estimator whose ``__init__`` only stores its keyword arguments."""

    def get_params(self, deep=True):
        """Return the settings by name.

        Parameters
        ----------
        deep : bool
            Accepted because scikit-learn passes it; no setting has settings of its own.

        Returns
        -------
        dict
        """
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **settings):
        """Change settings by name.

        Parameters
        ----------
        **settings
            New values by name.

        Returns
        -------
        Settings
            The estimator itself.

        Raises
        ------
        ValueError
            If a name is not that of a setting.
        """
        known = inspect.signature(type(self)).parameters
        for name in settings:
            if name not in known:
                msg = f"{name!r} is not a setting of {type(self).__name__}: {', '.join(known)}"
                raise ValueError(msg)
        for name, value in settings.items():
            setattr(self, name, value)
        return self

    def __repr__(self):
        settings = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({settings})"


def check_positive(name, value):
    """Raise ValueError unless the argument ``name`` is a positive integer."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1:
        msg = f"{name}={value!r} must be a positive integer"
        raise ValueError(msg)


def check_seed(name, value):
    """Raise ValueError unless the argument ``name`` is an integer that seeds random numbers."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 0:
        msg = f"{name}={value!r} must be a non-negative integer"
        raise ValueError(msg)


def check_bool(name, value):
    """Raise ValueError unless the argument ``name`` is True or False."""
    if not isinstance(value, bool | np.bool_):
        msg = f"{name}={value!r} must be True or False"
        raise ValueError(msg)


def psf_options(oversampling, normalize, recenter):
    """Return the options of `~sersicnet.model.collect_psfs`; the oversampling is checked later."""
    check_bool("normalize_psf", normalize)
    check_bool("recenter_psf", recenter)
    return {"oversampling": oversampling, "normalize": normalize, "recenter": recenter}


def check_unchanged(present, trained):
    """Raise ValueError unless the settings are those that a network was trained with.

    Parameters
    ----------
    present, trained : dict
        Settings by name.
    """
    for name, value in trained.items():
        if present[name] != value:
            msg = (
                f"{name}={present[name]!r}, but the network was trained with {name}={value!r}: "
                "set it back, or call fit"
            )
            raise ValueError(msg)


def similar_names(name, known):
    """Return a hint for an error message: names that are like the one that came, or nothing.

    Parameters
    ----------
    name : str
        The unknown name.
    known : iterable of str
        The names that there are.

    Returns
    -------
    str
    """
    close = get_close_matches(name, list(known))
    if not close:
        return ""
    return f": did you mean {' or '.join(close)}?"


def check_names(function_name, keywords, known):
    """Raise TypeError unless all keywords of a call are known; similar names are suggested.

    Parameters
    ----------
    function_name : str
        Name of the function that was called.
    keywords : iterable of str
        The keywords.
    known : iterable of str
        Names of the arguments.
    """
    for name in keywords:
        if name not in known:
            hint = similar_names(name, known)
            msg = f"{function_name}() got an unexpected keyword argument {name!r}{hint}"
            raise TypeError(msg)


def hides_unknown(function):
    """Leave ``**unknown`` out of the signature of a function, which refuses it by `check_names`."""
    signature = inspect.signature(function)
    known = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    function.__signature__ = signature.replace(parameters=known)
    return function
