"""Warnings that name the user's line, however deep in the package they arise."""

import inspect
import os
import warnings
from pathlib import Path

__all__ = ["warn_caller"]

_PACKAGE = f"{Path(__file__).parent}{os.sep}"


def warn_caller(message):
    """Warn, as of the line outside of the package that has called it.

    Batches are prepared while a loop runs, and images are opened by context managers, so that the
    number of calls between the user's line and the warning is not known where it arises.

    Parameters
    ----------
    message : str
        The text.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`

    Examples
    --------
    >>> import warnings
    >>> from sersicnet._caller import warn_caller
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_caller("the gain is doubtful")
    >>> print(caught[0].message)
    the gain is doubtful
    """
    from astropy.utils.exceptions import AstropyUserWarning  # a machine that only trains lacks it

    frame = inspect.currentframe()
    level = 1
    outside = 1
    while frame is not None:
        level += 1
        if frame.f_code.co_filename.startswith(_PACKAGE):
            outside = level
        frame = frame.f_back
    warnings.warn(message, AstropyUserWarning, stacklevel=outside)
