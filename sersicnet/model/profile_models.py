"""Models of `astropy.modeling` with the profiles that astropy does not have.

They have the parameters of `~astropy.modeling.functional_models.Sersic2D`, with the shape
parameters of their profile in the place of ``n``: the amplitude is the surface brightness at
``r_eff`` on the major axis. Images are those before the PSF, at points, not over pixels.
"""

import astropy.units as u
import numpy as np
from astropy.modeling import Fittable2DModel, Parameter
from astropy.modeling.models import Gaussian2D

from sersicnet.parameters import ALL_PARAMETERS
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = [
    "MODELS",
    "BrokenExponential2D",
    "CoreSersic2D",
    "EdgeOnDisk2D",
    "EllipticalMoffat2D",
    "Ferrers2D",
    "King2D",
    "profile2d",
    "unit_brightness",
]

# Standard deviation of a Gaussian over its half-light radius.
WIDTH = 1 / np.sqrt(2 * np.log(2))
# Largest ellipticity of the prior.
_FLATTEST = 0.95


def _shape(name, default, description, *, fixed=False):
    """Return a shape parameter with the limits of its prior."""
    known = ALL_PARAMETERS[name]
    bounds = (known.lower, known.upper)
    return Parameter(default=default, description=description, fixed=fixed, bounds=bounds)


class _Profile2D(Fittable2DModel):
    """What the models have in common."""

    amplitude = Parameter(default=1, description="Surface brightness at r_eff on the major axis")
    r_eff = Parameter(default=1, description="Half-light radius along the major axis")
    x_0 = Parameter(default=0, description="X of the center")
    y_0 = Parameter(default=0, description="Y of the center")
    ellip = Parameter(default=0, description="Ellipticity, 1 - b / a", bounds=(0, _FLATTEST))
    theta = Parameter(default=0, description="Angle of the major axis from +x, in radians")

    profile = None

    @property
    def input_units(self):
        """Units of the center, None where it has none."""
        if self.x_0.input_unit is None:
            return None
        return {self.inputs[0]: self.x_0.input_unit, self.inputs[1]: self.y_0.input_unit}

    def _parameter_units_for_data_units(self, inputs_unit, outputs_unit):
        place = inputs_unit[self.inputs[0]]
        units = dict.fromkeys(("x_0", "y_0", "r_eff"), place)
        return units | {"theta": u.rad, "amplitude": outputs_unit[self.outputs[0]]}

    def evaluate(self, x, y, amplitude, *parameters):
        """Return the surface brightness at points."""
        names = self.param_names[1:]
        own = dict(zip(names, parameters, strict=True))
        shapes = [own[name] for name in PROFILE_SHAPES[self.profile].names]
        theta = u.Quantity(own["theta"], u.rad).value
        cos, sin = np.cos(theta), np.sin(theta)
        dx = u.Quantity((x - own["x_0"]) / own["r_eff"]).to_value(u.one)
        dy = u.Quantity((y - own["y_0"]) / own["r_eff"]).to_value(u.one)
        q = 1 - own["ellip"]
        along, across = dx * cos + dy * sin, dy * cos - dx * sin
        light = unit_brightness(self.profile, shapes, along, across, q)
        return amplitude * light / unit_brightness(self.profile, shapes, 1.0, 0.0, q)


class EllipticalMoffat2D(_Profile2D):
    """A Moffat profile with elliptical isophotes.

    Parameters
    ----------
    amplitude, r_eff, x_0, y_0, ellip, theta : float or `~astropy.units.Quantity`
        As in `~astropy.modeling.functional_models.Sersic2D`.
    beta : float
        As in `~sersicnet.Moffat`.

    Examples
    --------
    >>> from sersicnet.model import EllipticalMoffat2D
    >>> float(EllipticalMoffat2D(amplitude=2, r_eff=5, beta=3)(5, 0))
    2.0
    """

    profile = "moffat"

    beta = _shape("beta", 2.5, "Exponent")


class King2D(_Profile2D):
    """A modified King profile.

    Parameters
    ----------
    amplitude, r_eff, x_0, y_0, ellip, theta : float or `~astropy.units.Quantity`
        As in `~astropy.modeling.functional_models.Sersic2D`.
    log_tidal, alpha : float
        As in `~sersicnet.King`.

    Examples
    --------
    >>> from sersicnet.model import King2D
    >>> float(King2D(r_eff=5, log_tidal=1)(100, 0))
    0.0
    """

    profile = "king"

    log_tidal = _shape("log_tidal", 1.0, "log10 of tidal over core radius")
    alpha = _shape("alpha", 2.0, "Exponent", fixed=True)


class Ferrers2D(_Profile2D):
    """A Ferrers profile.

    Parameters
    ----------
    amplitude, r_eff, x_0, y_0, ellip, theta : float or `~astropy.units.Quantity`
        As in `~astropy.modeling.functional_models.Sersic2D`.
    exponent : float
        As in `~sersicnet.Ferrers`.

    Examples
    --------
    >>> from sersicnet.model import Ferrers2D
    >>> float(Ferrers2D(amplitude=2, r_eff=5, exponent=1)(5, 0))
    2.0
    """

    profile = "ferrers"

    exponent = _shape("exponent", 2.0, "Exponent")


class EdgeOnDisk2D(_Profile2D):
    """An exponential disk seen from its edge.

    Parameters
    ----------
    amplitude, r_eff, x_0, y_0, ellip, theta : float or `~astropy.units.Quantity`
        As in `~astropy.modeling.functional_models.Sersic2D`, with ``r_eff`` and ``q`` of
        `~sersicnet.EdgeOnDisk`.
    sech_power : float
        As in `~sersicnet.EdgeOnDisk`.

    Examples
    --------
    >>> from sersicnet.model import EdgeOnDisk2D
    >>> float(EdgeOnDisk2D(amplitude=2, r_eff=5, ellip=0.8)(5, 0))
    2.0
    """

    profile = "edge_on"

    sech_power = _shape("sech_power", 2.0, "Power of sech across the disk", fixed=True)


class CoreSersic2D(_Profile2D):
    """A core-Sersic profile.

    Parameters
    ----------
    amplitude, r_eff, x_0, y_0, ellip, theta : float or `~astropy.units.Quantity`
        As in `~astropy.modeling.functional_models.Sersic2D`.
    n, log_core, gamma, sharpness : float
        As in `~sersicnet.CoreSersic`.

    Examples
    --------
    >>> from sersicnet.model import CoreSersic2D
    >>> round(float(CoreSersic2D(amplitude=2, r_eff=5, n=4)(5, 0)), 6)
    2.0
    """

    profile = "core_sersic"

    n = _shape("n", 4.0, "Sersic index outside of the core")
    log_core = _shape("log_core", -1.5, "log10 of break radius over outer radius")
    gamma = _shape("gamma", 0.2, "Slope of the core")
    sharpness = _shape("sharpness", 5.0, "Sharpness of the break", fixed=True)


class BrokenExponential2D(_Profile2D):
    """An exponential disk with two scale lengths.

    Parameters
    ----------
    amplitude, r_eff, x_0, y_0, ellip, theta : float or `~astropy.units.Quantity`
        As in `~astropy.modeling.functional_models.Sersic2D`.
    break_radius, log_scales, sharpness : float
        As in `~sersicnet.BrokenExponential`.

    Examples
    --------
    >>> from sersicnet.model import BrokenExponential2D
    >>> float(BrokenExponential2D(amplitude=2, r_eff=5)(5, 0))
    2.0
    """

    profile = "broken_exponential"

    break_radius = _shape("break_radius", 2.5, "Break radius over inner scale length")
    log_scales = _shape("log_scales", -0.3, "log10 of outer over inner scale length")
    sharpness = _shape("sharpness", 10.0, "Sharpness of the break", fixed=True)


MODELS = {
    made.profile: made
    for made in (
        EllipticalMoffat2D,
        King2D,
        Ferrers2D,
        EdgeOnDisk2D,
        CoreSersic2D,
        BrokenExponential2D,
    )
}
"""Models by the names of their profiles."""


def profile2d(profile, values, *, flux, r_eff):
    """Make the model of a galaxy.

    Parameters
    ----------
    profile : str
        Name of its profile.
    values : dict of float or array
        ``q``, ``theta`` in degrees, ``x_0``, ``y_0`` and shape parameters.
    flux, r_eff : float or array
        Light, and half-light radius in pixels.

    Returns
    -------
    `~astropy.modeling.Fittable2DModel`
        A `~astropy.modeling.functional_models.Gaussian2D`, or one of this module.
    """
    theta = np.radians(values["theta"])
    q = values["q"]
    if profile == "gaussian":
        width = WIDTH * r_eff
        return Gaussian2D(
            amplitude=flux / (2 * np.pi * width**2 * q),
            x_mean=values["x_0"],
            y_mean=values["y_0"],
            x_stddev=width,
            y_stddev=width * q,
            theta=theta,
        )
    shapes = {name: values[name] for name in PROFILE_SHAPES[profile].names}
    light = unit_brightness(profile, list(shapes.values()), 1.0, 0.0, q)
    return MODELS[profile](
        amplitude=flux / (r_eff**2 * q) * light,
        r_eff=r_eff,
        x_0=values["x_0"],
        y_0=values["y_0"],
        ellip=1 - q,
        theta=theta,
        **shapes,
    )


def unit_brightness(profile, shapes, along, across, q):
    """Return the surface brightness of unit flux, times the axis ratio.

    Parameters
    ----------
    profile : str
        Name of the profile.
    shapes : list of float or array
        Shape parameters.
    along, across : float or array
        Points along the major axis and the minor one, in units of ``r_eff``.
    q : float or array
        Axis ratio.

    Returns
    -------
    `~numpy.ndarray`
        Per square of ``r_eff``.
    """
    import torch

    from sersicnet.model.profiles import PROFILES

    drawn = PROFILES[profile].PROFILE
    given = np.broadcast_arrays(along, across, q, *shapes)
    flat = [torch.from_numpy(np.array(each, dtype=float).ravel()) for each in given]
    one = np.size(q) == 1 and all(np.size(shape) == 1 for shape in shapes)
    with torch.no_grad():
        if profile == "edge_on":
            power = flat[3]
            zero = torch.zeros_like(power)
            tilt = (1 - flat[2]) / (1 + flat[2])
            light = drawn.brightness(zero, power, tilt, zero, flat[0], flat[1]) * flat[2]
        elif profile == "gaussian":
            zero = torch.zeros_like(flat[0])
            light = drawn.brightness(zero, zero, zero, flat[0], flat[1] / flat[2])
        else:
            radius2 = flat[0] ** 2 + (flat[1] / flat[2]) ** 2
            columns = torch.stack(flat[3:], dim=1)
            if one:
                light = drawn.brightness(radius2[None], columns[:1])[0]
            else:
                light = drawn.brightness(radius2, columns)
    return light.numpy().reshape(given[0].shape)
