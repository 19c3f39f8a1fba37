"""Values of options as JSON holds them: quantities and settings of a refinement are objects."""

import os
from dataclasses import asdict, is_dataclass

__all__ = ["from_json", "to_json"]

_REFINEMENTS = ("LevenbergMarquardt", "ImportanceSampling")


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
        settings = {key: to_json(key, setting) for key, setting in asdict(value).items()}
        return {"class": type(value).__name__, **settings}
    msg = f"{name} must be a number, a word or a path to be stored, not {type(value).__name__}"
    raise TypeError(msg)


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
        case dict():
            msg = (
                f"{name}={value!r} must have a value and a unit, or a class out of "
                f"{', '.join(_REFINEMENTS)} and its settings"
            )
            raise ValueError(msg)
    return value
