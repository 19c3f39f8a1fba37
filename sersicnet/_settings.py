"""Settings by name, as scikit-learn has it, without needing scikit-learn."""

import inspect

import numpy as np


class Settings:
    """Base of an estimator whose ``__init__`` stores its keyword arguments and does no more."""

    def get_params(self, deep=True):
        """Settings by name.

        Parameters
        ----------
        deep : bool
            Accepted as scikit-learn passes it; no setting has settings of its own.

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
            New values.

        Returns
        -------
        object
            Itself.

        Raises
        ------
        ValueError
            If there is no setting of a name.
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
    """Refuse what is no positive integer.

    Raises
    ------
    ValueError
        If it is not.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < 1:
        msg = f"{name}={value!r} must be a positive integer"
        raise ValueError(msg)


def check_bool(name, value):
    """Refuse what is neither True nor False.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not isinstance(value, bool | np.bool_):
        msg = f"{name}={value!r} must be True or False"
        raise ValueError(msg)


def check_unchanged(present, trained):
    """Refuse a setting that is not the one a network was trained with.

    Raises
    ------
    ValueError
        If there is one.
    """
    for name, value in trained.items():
        if present[name] != value:
            msg = (
                f"{name}={present[name]!r}, but the network was trained with {name}={value!r}: "
                "set it back, or call fit"
            )
            raise ValueError(msg)
