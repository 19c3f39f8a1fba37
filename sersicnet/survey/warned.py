"""Warnings of workers, which are kept for the record of the image."""

import warnings
from contextlib import contextmanager

from astropy.utils.exceptions import AstropyUserWarning

__all__ = ["recorded_warnings"]


@contextmanager
def recorded_warnings():
    """Keep the warnings of this package that a block gives; others are given after it.

    Yields
    ------
    list of str
        Their texts, each once, after the block.

    Examples
    --------
    >>> import warnings
    >>> from astropy.utils.exceptions import AstropyUserWarning
    >>> from sersicnet.survey.warned import recorded_warnings
    >>> with recorded_warnings() as texts:
    ...     warnings.warn("the noise is doubtful", AstropyUserWarning)
    >>> texts
    ['the noise is doubtful']
    """
    texts = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AstropyUserWarning)
        yield texts
    for warning in caught:
        text = str(warning.message)
        if not issubclass(warning.category, AstropyUserWarning):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
        elif text not in texts:
            texts.append(text)
