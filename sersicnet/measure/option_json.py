"""Values of options as JSON holds them: quantities, refinements and models are objects."""

import os
from dataclasses import fields, is_dataclass

__all__ = ["from_json", "to_json"]

_REFINEMENTS = ("LevenbergMarquardt", "ImportanceSampling")
# What a model is described by.
_OF_MODELS = ("Sersic", "Exponential", "DeVaucouleurs", "PointSource", "NormalPrior", "Model")
_OF_MODELS += ("BrokenExponential", "CoreSersic", "EdgeOnDisk", "Ferrers", "Gaussian", "King")
_OF_MODELS += ("Moffat",)
_CHOICE = "Model.auto"


def to_json(name, value):
    """Convert the value of an option to one that JSON can hold.

    Parameters
    ----------
    name : str
        Name of the option, for the message.
    value : object
        The value.

    Returns
    -------
    None, bool, int, float, str or dict

    Raises
    ------
    TypeError
        If JSON cannot hold it, as an array.

    Examples
    --------
    >>> import astropy.units as u
    >>> from sersicnet.measure.option_json import to_json
    >>> to_json("zeropoint", 25 * u.ABmag)
    {'value': 25.0, 'unit': 'mag(AB)'}
    """
    if hasattr(value, "unit") and value.isscalar:
        return {"value": float(value.value), "unit": value.unit.to_string()}
    if hasattr(value, "item") and value.ndim == 0:
        value = value.item()  # Python's number for NumPy's
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [to_json(name, entry) for entry in value]
        case os.PathLike():
            return os.fspath(value)
    if is_dataclass(value):
        names = [field.name for field in fields(value) if field.init]
        settings = {name: getattr(value, name) for name in names}
        return {"class": type(value).__name__, **_all_to_json(settings)}
    if hasattr(value, "combination"):
        return {"class": "Model", **_all_to_json(_settings_of(value))}
    if hasattr(value, "odds"):
        settings = {"models": value.models, "odds": value.odds}
        return {"class": _CHOICE, **_all_to_json(settings), "band_shift": float(value.band_shift)}
    msg = f"{name} must be a number, a word or a path to be stored, not {type(value).__name__}"
    raise TypeError(msg)


def _settings_of(model):
    """Return the arguments that make an equal `~sersicnet.Model`."""
    from sersicnet.model.given import divided

    fixed, priors = divided(model.whole)
    components = dict(model.combination.components)
    if len(components) == 1:
        components = model.component
    settings = {"components": components, "fixed": fixed, "priors": priors, "tied": model.tied}
    return settings | {"band_shift": float(model.band_shift), "chromatic": model.chromatic}


def _all_to_json(values):
    """Convert the values of a dict, some of which may be dicts."""
    found = {}
    for name, value in values.items():
        found[name] = _all_to_json(value) if isinstance(value, dict) else to_json(name, value)
    return found


def from_json(name, value):
    """Convert what `to_json` returned back to the value of an option.

    Parameters
    ----------
    name : str
        Name of the option, for the message.
    value : object
        What JSON holds; what it cannot hold is returned as it is.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If it is a dict of another kind.

    Examples
    --------
    >>> from sersicnet.measure.option_json import from_json
    >>> from_json("zeropoint", {"value": 25.0, "unit": "mag(AB)"})
    <Magnitude 25. mag(AB)>
    """
    match value:
        case {"value": number, "unit": unit, **others} if not others:
            from astropy.units import Unit

            return number * Unit(unit)
        case {"class": kind, **settings} if kind in _REFINEMENTS:
            from sersicnet import inference

            return getattr(inference, kind)(**settings)
        case {"class": kind, **settings} if kind in (*_OF_MODELS, _CHOICE):
            import sersicnet

            settings = {key: _part_from_json(key, part) for key, part in settings.items()}
            if kind == _CHOICE:
                return sersicnet.Model.auto(**settings)
            return getattr(sersicnet, kind)(**settings)
        case dict():
            msg = (
                f"{name}={value!r} must have a value and a unit, or a class out of "
                f"{', '.join(_REFINEMENTS)} and its settings"
            )
            raise ValueError(msg)
    return value


def _part_from_json(name, value):
    """Convert a value, or those of a dict by name."""
    if isinstance(value, dict) and "class" not in value and "unit" not in value:
        return {key: from_json(key, part) for key, part in value.items()}
    return from_json(name, value)
