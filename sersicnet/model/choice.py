"""Several models, of which the evidence chooses for each galaxy."""

import astropy.units as u
import numpy as np

from sersicnet._settings import similar_names
from sersicnet.model.components import known_values

__all__ = ["BAND_SHIFT", "CHROMATIC", "ModelChoice", "checked_shift", "column_name"]

# What `Model.auto` compares, and what it can compare: one Sersic profile whose size and index
# change with wavelength has a name here.
AUTO = ("sersic", "point", "sersic+exp", "point+exp")
CHROMATIC = "chromatic"
COMPARABLE = (*AUTO, "point+sersic", CHROMATIC)


# Standard deviation of the shifts between bands, and the largest possible one, in arcsec.
BAND_SHIFT = 0.05
_LARGEST_SHIFT = 10.0


def checked_shift(band_shift):
    """Return the standard deviation of shifts between bands in arcsec.

    Parameters
    ----------
    band_shift : float or `~astropy.units.Quantity`
        The user's value.

    Returns
    -------
    () `~numpy.ndarray`

    Raises
    ------
    ValueError
        If it is not one possible value.
    """
    found = known_values("band_shift", band_shift, unit=u.arcsec, limits=(0.0, _LARGEST_SHIFT))
    if found.ndim:
        msg = f"band_shift={found!r} must be one value for all galaxies"
        raise ValueError(msg)
    return found


def column_name(kind, model):
    """Return the name of the column of a model, such as ``'prob_sersic_exp'``."""
    return f"{kind}_{model.replace('+', '_')}"


class ModelChoice:
    """Models that are compared for each galaxy, with their prior odds.

    Parameters
    ----------
    models : sequence of str
        Names of two or more models, as in `~sersicnet.Model`; ``'chromatic'`` is one Sersic profile
        whose size and index change with wavelength.
    odds : dict of float, optional
        Prior probabilities of models over that of the others, by name; by default 1.
    band_shift : float or `~astropy.units.Quantity`, optional
        As in `~sersicnet.Model`.

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two models, or a name or a number is impossible.

    Examples
    --------
    >>> from sersicnet import Model
    >>> Model.auto(("sersic", "point"), odds={"point": 0.2})
    Model.auto(('sersic', 'point'), odds={'point': 0.2})
    """

    name = "auto"
    is_free = False
    is_composite = False

    def __init__(self, models=AUTO, *, odds=None, band_shift=BAND_SHIFT):
        if isinstance(models, str) or not np.iterable(models):
            msg = f"models={models!r} must be names of two or more models"
            raise TypeError(msg)
        self.models = tuple(models)
        _check_names(self.models)
        self.odds = dict.fromkeys(self.models, 1.0) | _checked_odds(odds, self.models)
        self._given = odds
        self.band_shift = checked_shift(band_shift)

    @property
    def settings(self):
        """What is known of the galaxies, as of `~sersicnet.Model`: nothing."""
        return {}

    @property
    def chromatic(self):
        """Whether one of the models changes with wavelength."""
        return CHROMATIC in self.models

    def __repr__(self):
        words = [] if self.models == AUTO else [repr(self.models)]
        if self._given:
            words.append(f"odds={self._given!r}")
        if self.band_shift != BAND_SHIFT:
            words.append(f"band_shift={float(self.band_shift)!r}")
        return f"Model.auto({', '.join(words)})"

    def describe(self):
        """Describe the models in a few words, as a FITS header can hold them."""
        words = "auto: " + ", ".join(self.models)
        if self._given:
            words += "; odds " + ", ".join(f"{name} {odd:g}" for name, odd in self._given.items())
        return words

    def check_length(self, n_galaxies):
        """Do nothing: nothing is known of the galaxies."""


def _check_names(models):
    """Raise ValueError unless these are different models that can be compared."""
    for name in models:
        if not isinstance(name, str) or name not in COMPARABLE:
            hint = similar_names(str(name), COMPARABLE)
            msg = f"models has {name!r}{hint}; there are {', '.join(COMPARABLE)}"
            raise ValueError(msg)
    if len(set(models)) < 2 or len(set(models)) < len(models):
        msg = f"models={models!r} must be names of two or more different models"
        raise ValueError(msg)


def _checked_odds(odds, models):
    """Return odds by the names of models, after a check."""
    if odds is None:
        return {}
    if not isinstance(odds, dict):
        msg = f"odds={odds!r} must be a dict, by the names of models"
        raise TypeError(msg)
    for name, value in odds.items():
        if name not in models:
            msg = f"odds has {name!r}, which is not compared; there are {', '.join(models)}"
            raise ValueError(msg)
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 < value < np.inf:
            msg = f"odds of {name!r}: {value!r} must be a positive, finite number"
            raise ValueError(msg)
    return {name: float(value) for name, value in odds.items()}
