"""What users say of a galaxy: its components, and what is known of their parameters."""

from dataclasses import dataclass, field, fields
from functools import wraps

import astropy.units as u
import numpy as np

from sersicnet._caller import warn_caller
from sersicnet._settings import similar_names
from sersicnet.model.prior import N_LIMITS, Q_LIMITS, SHARE_LIMITS
from sersicnet.parameters import ALL_PARAMETERS, to_floats
from sersicnet.profile_shapes import SHAPES

__all__ = [
    "Component",
    "DeVaucouleurs",
    "Exponential",
    "NormalPrior",
    "PointSource",
    "Sersic",
    "component",
    "known_values",
    "parameter_values",
    "warn_of_mean",
]

# Limits of values that hold for any image; those of sizes and positions are in pixels.
_POSITIVE = (np.nextafter(0, 1), np.inf)
_LIMITS = {"n": N_LIMITS, "q": Q_LIMITS, "r_eff": _POSITIVE, "share": SHARE_LIMITS}
_LIMITS |= {name: (shape.low, shape.high) for name, shape in SHAPES.items()}
_ANY = (-np.inf, np.inf)
# Standard deviations between the mean of a prior and the values that are possible, at most.
_FARTHEST = 5.0


def known_values(name, value, *, unit, limits=_ANY):
    """Return what a user says of a parameter, in the unit of tables.

    Parameters
    ----------
    name : str
        Name for messages.
    value : float, `~astropy.units.Quantity`, table column or array_like
        One value, or one for each galaxy. Magnitudes may have the unit mag.
    unit : `~astropy.units.Unit` or None
        Unit of the values that are returned.
    limits : tuple of float
        Lowest and highest value.

    Returns
    -------
    () or (N,) float `~numpy.ndarray`
        Read-only, NaN where masked.

    Raises
    ------
    TypeError
        If it is not a number.
    ValueError
        If it has more than one axis, or is one value that is not finite or outside of the limits.
    `~astropy.units.UnitConversionError`
        If it has another unit.

    Examples
    --------
    >>> import astropy.units as u
    >>> from sersicnet.model.components import known_values
    >>> float(known_values("r_eff", 600 * u.mas, unit=u.arcsec))
    0.6
    """
    if getattr(value, "unit", None) is not None:
        try:
            value = to_floats(value, unit)
        except u.UnitConversionError:
            msg = f"{name}={value} must have the unit {unit or 'of a pure number'}"
            raise u.UnitConversionError(msg) from None
    try:
        if isinstance(value, bool | str) or value is None:
            raise TypeError
        values = np.array(np.ma.filled(np.ma.asarray(value, dtype=float), np.nan))
    except (TypeError, ValueError):
        msg = f"{name}={value!r} must be a number or a Quantity, for all galaxies or for each"
        raise TypeError(msg) from None
    if values.ndim > 1:
        msg = f"{name} has shape {values.shape}: one value, or one for each galaxy"
        raise ValueError(msg)
    if values.ndim == 0 and not (np.isfinite(values) and limits[0] <= values <= limits[1]):
        needed = f"from {limits[0]:.3g} to {limits[1]:g}"
        if limits == _POSITIVE:
            needed = "above 0"
        msg = f"{name}={values:g} must be finite and {needed}"
        raise ValueError(msg)
    values.flags.writeable = False
    return values


@dataclass(frozen=True, eq=False)
class NormalPrior:
    """A normal prior of a parameter, in the place of the universal one.

    Parameters
    ----------
    mean : float, `~astropy.units.Quantity` or (N,) array_like
        Mean, in the unit of tables: one value, or one for each galaxy.
    err : float, `~astropy.units.Quantity` or (N,) array_like
        Standard deviation.
    low, high : float, `~astropy.units.Quantity` or (N,) array_like, optional
        Limits, beyond which the prior is 0. Those of the universal prior hold as well, except for
        magnitudes. Where the prior is used, a mean beyond what a parameter can be warns, and raises
        ``ValueError`` if it is more than five ``err`` beyond.

    Examples
    --------
    >>> from sersicnet import NormalPrior, Sersic
    >>> Sersic(n=NormalPrior(4, 0.5, low=1, high=6))
    Sersic(n=NormalPrior(mean=4, err=0.5, low=1, high=6))
    """

    mean: object
    err: object
    low: object = None
    high: object = None

    def values(self, parameter, name=None):
        """Return the values for a parameter in the unit of tables, by their names.

        Parameters
        ----------
        parameter : str
            Name of the parameter, or ``'share'``, that of a part in the light.
        name : str, optional
            Name for messages, by default that of the parameter.

        Returns
        -------
        dict of `~numpy.ndarray`
            ``mean``, ``err``, ``low`` and ``high``.

        Raises
        ------
        TypeError, ValueError, `~astropy.units.UnitConversionError`
            If one is impossible for this parameter.
        """
        name = name or parameter
        unit, err_unit = _units(parameter)
        found = {
            "mean": known_values(f"mean of the prior of {name}", self.mean, unit=unit),
            "err": known_values(
                f"err of the prior of {name}", self.err, unit=err_unit, limits=_POSITIVE
            ),
        }
        for end, default in (("low", -np.inf), ("high", np.inf)):
            found[end] = np.array(default)
            value = getattr(self, end)
            if value is not None:
                found[end] = known_values(f"{end} of the prior of {name}", value, unit=unit)
        lowest, highest = _LIMITS.get(parameter, _ANY)
        if np.all(np.fmax(found["low"], lowest) >= np.fmin(found["high"], highest)):
            msg = (
                f"the prior of {name} has low={self.low!r} and high={self.high!r}: nothing is left "
                f"between them and {lowest:.3g} to {highest:g}"
            )
            raise ValueError(msg)
        outside = np.fmax(lowest - found["mean"], found["mean"] - highest)
        if np.min(outside) > _FARTHEST * np.max(found["err"]):
            msg = (
                f"mean={self.mean!r} of the prior of {name}, which must be from {lowest:.3g} to "
                f"{highest:g}, is more than {_FARTHEST:g} times err={self.err!r} away from these"
            )
            raise ValueError(msg)
        return found


def warn_of_mean(parameter, prior, name):
    """Warn of a prior that is not flat, and whose mean no parameter can have.

    Parameters
    ----------
    parameter : str
        Name of the parameter, or ``'share'``.
    prior : dict of `~numpy.ndarray`
        From `NormalPrior.values`.
    name : str
        Name for the message.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        With the values that are possible.
    """
    lowest, highest = _LIMITS.get(parameter, _ANY)
    mean, err = np.broadcast_arrays(prior["mean"], prior["err"])
    outside = (err < highest - lowest) & ((mean < lowest) | (mean > highest))
    if outside.any():
        first = np.ravel(mean[outside])[0]
        some = f" (of {np.count_nonzero(outside)} of {outside.size} galaxies)"
        msg = (
            f"the prior of {name} has mean {first:g}{some if outside.ndim else ''}, and {name} "
            f"must be from {lowest:.3g} to {highest:g}: only the tail of the prior counts"
        )
        warn_caller(msg)


def parameter_values(parameter, value, name=None):
    """Return what is known of a parameter, in the unit of tables.

    Parameters
    ----------
    parameter : str
        One of `~sersicnet.parameters.ALL_PARAMETERS`, or ``'share'``, that of a part in the light.
    value : float, `~astropy.units.Quantity`, array_like or NormalPrior
        A fixed value or a prior.
    name : str, optional
        Name for messages, by default that of the parameter.

    Returns
    -------
    `~numpy.ndarray` or dict of `~numpy.ndarray`
        Fixed values, or the values of a `NormalPrior`.
    """
    if isinstance(value, NormalPrior):
        return value.values(parameter, name)
    unit, _ = _units(parameter)
    return known_values(name or parameter, value, unit=unit, limits=_LIMITS.get(parameter, _ANY))


def _units(parameter):
    """Return the units of a parameter and of its error."""
    if parameter == "share":
        return None, None
    return ALL_PARAMETERS[parameter].unit, ALL_PARAMETERS[parameter].err_unit


def component(cls):
    """Make a dataclass of which the errors say which parameters there are."""
    made = dataclass(frozen=True, eq=False, kw_only=True, repr=False)(cls)
    known = [each.name for each in fields(made) if each.init]
    plain = made.__init__

    @wraps(plain)
    def checked(self, *values, **given):
        if values:
            msg = f"{cls.__name__} takes {', '.join(known)} by name, such as {known[0]}=..."
            raise TypeError(msg)
        for name in given:
            if name not in known:
                hint = similar_names(name, known)
                msg = f"{cls.__name__} has no {name!r}{hint}; there are {', '.join(known)}"
                raise TypeError(msg)
        plain(self, **given)

    made.__init__ = checked
    return made


class Component:
    """One part of a galaxy, of which all or some parameters are free."""

    profile = "sersic"

    def __post_init__(self):
        for name in self.settings:
            self.values(name)

    def values(self, name):
        """Return what is known of a parameter, in the unit of tables.

        Parameters
        ----------
        name : str
            One of ``settings``.

        Returns
        -------
        `~numpy.ndarray` or dict of `~numpy.ndarray`
            Fixed values, or the values of a `NormalPrior`.
        """
        return parameter_values(name, getattr(self, name))

    @property
    def settings(self):
        """What is known of the parameters, by name: values and priors."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in given.items() if value is not None}

    def __repr__(self):
        shown = [each.name for each in fields(self) if each.init and each.name in self.settings]
        given = [f"{name}={getattr(self, name)!r}" for name in shown]
        return f"{type(self).__name__}({', '.join(given)})"


@component
class Sersic(Component):
    """A Sersic profile, of which all or some parameters are free.

    Parameters
    ----------
    mag, r_eff, n, q, theta, x_0, y_0 : float, Quantity, (N,) array_like or NormalPrior, optional
        A fixed value in the unit of tables, for all galaxies or for each, or a prior; by default
        the parameter is free. Tables have ``theta`` from -90 to 90 deg: 200 comes back as 20. That
        of a galaxy with ``q=1`` is lost in its draws.

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If a value is impossible. ``n`` is from 0.3 to 6.2, ``q`` from 0.05 to 1.

    Examples
    --------
    >>> from sersicnet import Sersic
    >>> Sersic(n=4)
    Sersic(n=4)
    """

    mag: object = None
    r_eff: object = None
    n: object = None
    q: object = None
    theta: object = None
    x_0: object = None
    y_0: object = None


@component
class Exponential(Sersic):
    """An exponential disk: a Sersic profile with an index of 1.

    Parameters
    ----------
    mag, r_eff, q, theta, x_0, y_0
        As in `Sersic`.

    Examples
    --------
    >>> from sersicnet import Exponential
    >>> Exponential(q=0.5).settings
    {'n': 1.0, 'q': 0.5}
    """

    n: float = field(default=1.0, init=False)


@component
class DeVaucouleurs(Sersic):
    """A de Vaucouleurs profile: a Sersic profile with an index of 4.

    Parameters
    ----------
    mag, r_eff, q, theta, x_0, y_0
        As in `Sersic`.

    Examples
    --------
    >>> from sersicnet import DeVaucouleurs
    >>> DeVaucouleurs().settings
    {'n': 4.0}
    """

    n: float = field(default=4.0, init=False)


@component
class PointSource(Component):
    """A star or a nucleus: the PSF, of which all or some parameters are free.

    Parameters
    ----------
    mag, x_0, y_0
        As in `Sersic`.

    Examples
    --------
    >>> from sersicnet import Model, PointSource, Sersic
    >>> Model({"point": PointSource(), "host": Sersic(n=4)})
    Model({'point': PointSource(), 'host': Sersic(n=4)})
    """

    profile = "point"

    mag: object = None
    x_0: object = None
    y_0: object = None
