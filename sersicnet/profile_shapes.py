"""Profiles of galaxies beside Sersic's: the numbers that describe their shapes, and their limits.

Each profile has a magnitude, a half-light radius, an axis ratio, an angle and a center, as a Sersic
profile does, and the shape parameters that are listed here. The light of each is a module in
``sersicnet.model.profiles``. Nothing is imported, so that all rooms can read it.
"""

from typing import NamedTuple

__all__ = ["PROFILE_SHAPES", "SHAPES", "ProfileShape", "Shape", "parameters_of"]


class Shape(NamedTuple):
    """A number that describes the shape of a profile.

    Attributes
    ----------
    about : str
        What it is, the description of its column.
    low, high : float
        Limits. The prior is uniform between them.
    """

    about: str
    low: float
    high: float


class ProfileShape(NamedTuple):
    """What is known of a profile without drawing it.

    Attributes
    ----------
    names : tuple of str
        Its shape parameters, keys of `SHAPES`, or ``n``.
    starts : tuple of tuple of float
        Values of these that fits start from, all of them.
    stand_in : float
        Index of a Sersic profile that reaches as far as the visible light.
    """

    names: tuple[str, ...]
    starts: tuple[tuple[float, ...], ...]
    stand_in: float


SHAPES = {
    "beta": Shape("exponent of the Moffat profile", 1.5, 10.0),
    "log_tidal": Shape("log10 of tidal over core radius", 0.3, 2.3),
    "alpha": Shape("exponent of the King profile", 0.5, 4.0),
    "exponent": Shape("exponent of the Ferrers profile", 0.5, 5.0),
    "sech_power": Shape("power of sech across the disk, 2 if isothermal", 0.1, 2.0),
    "log_core": Shape("log10 of the break radius over r_e of the rest", -2.5, -0.3),
    "gamma": Shape("slope of the core", 0.0, 0.95),
    "sharpness": Shape("sharpness of the break", 1.0, 100.0),
    "break_radius": Shape("break radius over inner scale length", 0.5, 8.0),
    "log_scales": Shape("log10 of outer over inner scale length", -1.0, 0.6),
}
"""Shape parameters by the names of their columns and labels."""

PROFILE_SHAPES = {
    "gaussian": ProfileShape((), ((),), 0.6),
    "moffat": ProfileShape(("beta",), ((2.5,), (5.0,)), 3.0),
    "king": ProfileShape(("log_tidal", "alpha"), ((0.7, 2.0), (1.5, 2.0)), 2.0),
    "ferrers": ProfileShape(("exponent",), ((2.0,),), 0.6),
    "edge_on": ProfileShape(("sech_power",), ((1.5,),), 1.0),
    "core_sersic": ProfileShape(
        ("n", "log_core", "gamma", "sharpness"),
        ((3.0, -1.5, 0.2, 5.0), (3.0, -0.8, 0.2, 5.0)),
        4.0,
    ),
    "broken_exponential": ProfileShape(
        ("break_radius", "log_scales", "sharpness"),
        # the last two find a break far outside: from the others, a disk that rises at 6 inner scale
        # lengths ends as one of nearly no break
        ((2.5, -0.3, 10.0), (2.5, 0.3, 10.0), (6.0, -0.3, 10.0), (6.0, 0.3, 10.0)),
        1.5,
    ),
}
"""Profiles by their names."""


def parameters_of(profile):
    """Return the names of the parameters of a profile but those of its center.

    Parameters
    ----------
    profile : str
        ``'sersic'``, ``'point'``, or one of ``PROFILE_SHAPES``.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from sersicnet.profile_shapes import parameters_of
    >>> parameters_of("moffat")
    ('mag', 'r_eff', 'beta', 'q', 'theta')
    """
    if profile == "point":
        return ("mag",)
    names = ("n",) if profile == "sersic" else PROFILE_SHAPES[profile].names
    return ("mag", "r_eff", *names, "q", "theta")
