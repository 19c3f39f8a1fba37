"""The user's description of what a fit assumes of galaxies: their components, and what is known."""

from dataclasses import replace

import numpy as np

from sersicnet._settings import similar_names
from sersicnet._words import counted
from sersicnet.model.components import NormalPrior, Sersic

__all__ = ["Model", "check_model"]

# Models of several parts at one center, and a point source.
COMPOSITES = ("point", "sersic+exp", "point+sersic", "point+exp")
_PARAMETERS = tuple(Sersic.__dataclass_fields__)


class Model:
    """What a fit assumes of galaxies: their components, and what is known of the parameters.

    Parameters
    ----------
    components : str or Sersic
        ``'sersic'``, or a component such as `Sersic` or `Exponential`; ``'point'``, a point source;
        ``'sersic+exp'`` (bulge and disk), ``'point+sersic'`` (nucleus and host) or ``'point+exp'``,
        of which nothing can be fixed.
    fixed : dict, optional
        Values by the names of parameters, in the unit of tables, for all galaxies or for each:
        the same as in the component.
    priors : dict of NormalPrior, optional
        Priors by the names of parameters.

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If a name or a value is impossible, or something is said twice.

    Examples
    --------
    >>> from sersicnet import Model, NormalPrior
    >>> Model("sersic", fixed={"n": 4}, priors={"q": NormalPrior(0.7, 0.1)})
    Model(Sersic(n=4, q=NormalPrior(mean=0.7, err=0.1, low=None, high=None)))
    """

    def __init__(self, components="sersic", *, fixed=None, priors=None):
        self.name = "sersic"
        component = components
        if isinstance(components, str) and components in COMPOSITES:
            self.name = components
            _refuse(components, fixed, priors)
            component = Sersic()
        if isinstance(components, str) and components == "sersic":
            component = Sersic()
        if not isinstance(component, Sersic):
            msg = (
                f"model={components!r} must be 'sersic', {', '.join(map(repr, COMPOSITES))}, or a "
                "Sersic, Exponential, DeVaucouleurs or Model"
            )
            raise ValueError(msg)
        given = _given("fixed", fixed, component) | _given("priors", priors, component)
        twice = set(fixed or {}) & set(priors or {})
        if twice:
            msg = f"{', '.join(sorted(twice))}: a parameter is either in fixed or in priors"
            raise ValueError(msg)
        for name, value in given.items():
            if value is None or _is_prior(value) != (name in (priors or {})):
                msg = f"{name}={value!r}: values belong in fixed, and a NormalPrior in priors"
                raise TypeError(msg)
        if given:
            component = replace(component, **given)
        values = component.settings.values()
        if len(values) == len(_PARAMETERS) and not any(map(_is_prior, values)):
            msg = f"{component!r}: all parameters are fixed, and nothing is left to fit"
            raise ValueError(msg)
        self.component = component

    def __repr__(self):
        return f"Model({self.name!r})" if self.is_composite else f"Model({self.component!r})"

    @property
    def is_composite(self):
        """Whether it is a point source, or has several parts."""
        return self.name in COMPOSITES

    @property
    def is_free(self):
        """Whether it is one Sersic profile, of which nothing is known."""
        return not self.is_composite and not self.component.settings

    def describe(self):
        """Describe the model in a few words, as a FITS header can hold them."""
        if self.is_composite:
            return self.name
        words = type(self.component).__name__.lower()
        fixed, priors = [], []
        for name in self.component.settings:
            is_prior = _is_prior(getattr(self.component, name))
            (priors if is_prior else fixed).append(name)
        if fixed:
            words += f", fixed: {' '.join(fixed)}"
        if priors:
            words += f", priors: {' '.join(priors)}"
        return words

    def check_length(self, n_galaxies):
        """Raise ValueError unless each parameter has one value, or one for each galaxy."""
        for name in self.component.settings:
            values = self.component.values(name)
            parts = values.values() if isinstance(values, dict) else [values]
            for part in parts:
                if part.shape not in ((), (n_galaxies,)):
                    cutouts = counted(n_galaxies, "cutout")
                    msg = (
                        f"{name} of the model has {len(part)} values: one value, or one for each "
                        f"of {cutouts}"
                    )
                    raise ValueError(msg)

    def known(self, rows):
        """Return what is known of some galaxies, in the units of tables.

        Parameters
        ----------
        rows : (R,) int `~numpy.ndarray`
            Numbers of the galaxies.

        Returns
        -------
        fixed : dict of (R,) `~numpy.ndarray`
            Fixed values by the names of parameters.
        priors : dict of dict of (R,) `~numpy.ndarray`
            ``mean``, ``err``, ``low`` and ``high`` by the names of parameters.
        """
        fixed, priors = {}, {}
        for name in self.component.settings:
            values = self.component.values(name)
            if isinstance(values, dict):
                priors[name] = {part: _of_rows(array, rows) for part, array in values.items()}
            else:
                fixed[name] = _of_rows(values, rows)
        return fixed, priors


def _refuse(name, fixed, priors):
    """Raise ValueError for what is known of the parameters of several parts."""
    if fixed or priors:
        msg = f"model={name!r} takes neither fixed values nor priors: only one Sersic profile does"
        raise ValueError(msg)


def _is_prior(value):
    """Whether what is known of a parameter is a prior."""
    return isinstance(value, NormalPrior)


def _of_rows(values, rows):
    """Return values of some galaxies, from one value for all or from one for each."""
    if values.ndim == 0:
        return np.full(len(rows), values)
    return values[rows]


def _given(argument, values, component):
    """Return what an argument says of parameters, after a check of their names."""
    if values is None:
        return {}
    if not isinstance(values, dict):
        msg = f"{argument}={values!r} must be a dict, by the names of parameters"
        raise TypeError(msg)
    for name in values:
        if name not in _PARAMETERS:
            known = ", ".join(_PARAMETERS)
            msg = (
                f"{argument} has {name!r}{similar_names(str(name), _PARAMETERS)}; there are {known}"
            )
            raise ValueError(msg)
        if name in component.settings:
            msg = f"{argument} has {name!r}, which {component!r} has already"
            raise ValueError(msg)
    return dict(values)


def check_model(model):
    """Return the model that the argument ``model`` stands for.

    Parameters
    ----------
    model : str, Sersic or Model
        As in `~sersicnet.SersicNet.predict`.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If it is something else.
    """
    if isinstance(model, Model):
        return model
    return Model(model)
