"""Settings by name, as in scikit-learn but without it, and checks of single arguments."""

import inspect

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


def check_bool(name, value):
    """Raise ValueError unless the argument ``name`` is True or False."""
    if not isinstance(value, bool | np.bool_):
        msg = f"{name}={value!r} must be True or False"
        raise ValueError(msg)


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
