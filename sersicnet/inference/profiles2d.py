"""Models of astropy with other parameters than a Sersic2D, and components of galaxies."""

import numpy as np
from astropy.modeling.fitting import UnsupportedConstraintError
from astropy.modeling.models import Gaussian2D, Moffat2D

from sersicnet.model.components import PointSource, Sersic
from sersicnet.model.profile_components import OTHERS
from sersicnet.model.profile_models import WIDTH
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["as_given", "component_of", "widths_of"]


def component_of(term, fixed):
    """Return the component of a term with fixed values.

    Parameters
    ----------
    term : `~sersicnet.inference.sums2d.Term`
        A term of a sum.
    fixed : dict
        Values by the names of parameters.

    Returns
    -------
    `~sersicnet.model.components.Component`
    """
    if term.kind == "point":
        return PointSource()
    if term.kind == "sersic":
        return Sersic(**fixed)
    free = dict.fromkeys(PROFILE_SHAPES[term.kind].names)
    return OTHERS[term.kind](**free | fixed)


def widths_of(model, term, grid):
    """Return fixed sizes of models of astropy that have other parameters than a Sersic2D.

    Parameters
    ----------
    model : `~astropy.modeling.Model`
        The user's model.
    term : `~sersicnet.inference.sums2d.Term`
        One of its terms.
    grid : `~sersicnet.inference.sersic2d.Grid`
        Grid of the image.

    Returns
    -------
    dict of float
        In pixels, by the names of parameters.

    Raises
    ------
    UnsupportedConstraintError
        If one of two numbers that make a size is fixed.
    """
    names = {Gaussian2D: ("x_stddev", "y_stddev"), Moffat2D: ("gamma", "alpha")}
    if type(term.model) not in names:
        return {}
    first, second = names[type(term.model)]
    held = [model.fixed[f"{name}{term.suffix}"] for name in (first, second)]
    values = [float(getattr(term.model, name).value) for name in (first, second)]
    if isinstance(term.model, Moffat2D):
        size = {"q": 1.0}
        if held == [True, False]:
            msg = f"{first} is fixed: the size of a Moffat2D is known if {second} is fixed as well"
            raise UnsupportedConstraintError(msg)
        if held[0]:
            gamma, beta = values
            size["r_eff"] = gamma * np.sqrt(2 ** (1 / (beta - 1)) - 1) / grid.step
        return size
    if held[0] != held[1]:
        msg = f"{first} and {second} must both be fixed, or none of them: they make size and shape"
        raise UnsupportedConstraintError(msg)
    if not held[0]:
        return {}
    x_width, y_width = values
    if y_width > x_width:
        msg = f"{second}={y_width:g} is above {first}={x_width:g}: turn the Gaussian2D by pi / 2"
        raise UnsupportedConstraintError(msg)
    return {"r_eff": x_width / WIDTH / grid.step, "q": y_width / x_width}


def as_given(galaxy, given):
    """Return the model of a galaxy with the parameters of the model that the user gave.

    Parameters
    ----------
    galaxy : `~astropy.modeling.Model`
        What `~sersicnet.SersicResults.to_model` returns.
    given : `~astropy.modeling.Model`
        The user's model.

    Returns
    -------
    `~astropy.modeling.Model`
        A `~astropy.modeling.functional_models.Moffat2D` where the user gave one.
    """
    if not isinstance(given, Moffat2D):
        return galaxy
    beta = galaxy.beta.value
    ratio2 = 2 ** (1 / (beta - 1)) - 1
    return Moffat2D(
        amplitude=galaxy.amplitude.value * (1 + ratio2) ** beta,
        x_0=galaxy.x_0.value,
        y_0=galaxy.y_0.value,
        gamma=galaxy.r_eff.value / np.sqrt(ratio2),
        alpha=beta,
    )
