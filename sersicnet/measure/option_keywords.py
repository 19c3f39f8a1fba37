"""Functions that take the options of a measurement as keyword arguments."""

from dataclasses import fields
from inspect import Parameter, Signature, signature

from sersicnet._settings import check_names
from sersicnet.measure.option_docs import documented
from sersicnet.measure.options import Options

__all__ = ["check_keywords", "takes_options"]


def check_keywords(function_name, keywords, *, own):
    """Raise TypeError unless all keywords are options.

    Parameters
    ----------
    function_name : str
        Name of the function that was called.
    keywords : iterable of str
        Names that were passed as ``**options``.
    own : tuple of str
        Other keyword arguments of the function, which may have been meant.

    Raises
    ------
    TypeError
        If one of them is unknown; similar names are suggested.

    Examples
    --------
    >>> from sersicnet.measure.option_keywords import check_keywords
    >>> check_keywords("measure_image", ["mak"], own=("net",))
    Traceback (most recent call last):
        ...
    TypeError: measure_image() got an unexpected keyword argument 'mak': did you mean mask?
    """
    check_names(function_name, keywords, [*own, *(option.name for option in fields(Options))])


def takes_options(function):
    """Write all options into signature and docstring of a function that takes ``**options``.

    Parameters
    ----------
    function : callable
        Its docstring has the line ``{options}`` in the place of their descriptions.

    Returns
    -------
    callable
        The same function.
    """
    *own, _ = signature(function).parameters.values()
    for option in fields(Options):
        own.append(Parameter(option.name, Parameter.KEYWORD_ONLY, default=option.default))
    function.__signature__ = Signature(own)
    function.__doc__ = documented(function.__doc__, fields(Options))
    return function
