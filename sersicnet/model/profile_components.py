"""Components with other profiles than Sersic's."""

from sersicnet.model.components import Component, component

__all__ = [
    "OTHERS",
    "BrokenExponential",
    "CoreSersic",
    "EdgeOnDisk",
    "Ferrers",
    "Gaussian",
    "King",
    "Moffat",
]


@component
class Gaussian(Component):
    """A Gaussian galaxy, of which all or some parameters are free.

    Parameters
    ----------
    mag, r_eff, q, theta, x_0, y_0
        As in `~sersicnet.Sersic`; ``r_eff`` is half of the FWHM.

    Examples
    --------
    >>> from sersicnet import Gaussian
    >>> Gaussian(q=1)
    Gaussian(q=1)
    """

    profile = "gaussian"

    mag: object = None
    r_eff: object = None
    q: object = None
    theta: object = None
    x_0: object = None
    y_0: object = None


@component
class Moffat(Gaussian):
    """A Moffat profile, of which all or some parameters are free.

    Parameters
    ----------
    beta : float, (N,) array_like or NormalPrior, optional
        Exponent of the light, from 1.5 to 10.
    mag, r_eff, q, theta, x_0, y_0
        As in `~sersicnet.Sersic`.

    Examples
    --------
    >>> from sersicnet import Moffat
    >>> Moffat(beta=2.5)
    Moffat(beta=2.5)
    """

    profile = "moffat"

    beta: object = None


@component
class King(Gaussian):
    """A modified King profile, of which all or some parameters are free.

    Parameters
    ----------
    log_tidal : float, (N,) array_like or NormalPrior, optional
        Decimal logarithm of tidal radius over core radius, from 0.3 to 2.3.
    alpha : float, (N,) array_like or NormalPrior, optional
        Exponent, 0.5 to 4; by default 2, which is King's (1962) profile. None lets a fit find it.
    mag, r_eff, q, theta, x_0, y_0
        As in `~sersicnet.Sersic`.

    Examples
    --------
    >>> from sersicnet import King
    >>> King(log_tidal=1.2).settings
    {'log_tidal': 1.2, 'alpha': 2.0}
    """

    profile = "king"

    log_tidal: object = None
    alpha: object = 2.0


@component
class Ferrers(Gaussian):
    """A Ferrers profile, as that of a bar, of which all or some parameters are free.

    Parameters
    ----------
    exponent : float, (N,) array_like or NormalPrior, optional
        Exponent of the light, from 0.5 to 5.
    mag, r_eff, q, theta, x_0, y_0
        As in `~sersicnet.Sersic`.

    Examples
    --------
    >>> from sersicnet import Ferrers
    >>> Ferrers(exponent=2)
    Ferrers(exponent=2)
    """

    profile = "ferrers"

    exponent: object = None


@component
class EdgeOnDisk(Gaussian):
    """An exponential disk seen from its edge, of which all or some parameters are free.

    Parameters
    ----------
    sech_power : float, (N,) array_like or NormalPrior, optional
        Power of sech of the vertical profile, 0.1 to 2: 2 / n of imfit. By default 2, that of an
        isothermal disk; None lets a fit find it.
    mag, r_eff, q, theta, x_0, y_0
        As in `~sersicnet.Sersic`, but ``r_eff`` is the half-light radius of the disk seen from
        above, 1.678 scale lengths, and ``q`` the scale height 2 z_0 over the scale length.

    Examples
    --------
    >>> from sersicnet import EdgeOnDisk
    >>> EdgeOnDisk().settings
    {'sech_power': 2.0}
    """

    profile = "edge_on"

    sech_power: object = 2.0


@component
class CoreSersic(Gaussian):
    """A core-Sersic profile, of which all or some parameters are free.

    Parameters
    ----------
    n : float, (N,) array_like or NormalPrior, optional
        Sersic index outside of the core.
    log_core : float, (N,) array_like or NormalPrior, optional
        Decimal logarithm of the break radius over the radius r_e of the outer profile, -2.5 to
        -0.3.
    gamma : float, (N,) array_like or NormalPrior, optional
        Slope of the core, from 0 to 0.95.
    sharpness : float, (N,) array_like or NormalPrior, optional
        Sharpness of the break, 1 to 100; by default 5, None lets a fit find it.
    mag, r_eff, q, theta, x_0, y_0
        As in `~sersicnet.Sersic`; ``r_eff`` holds half of the light of the whole.

    Examples
    --------
    >>> from sersicnet import CoreSersic
    >>> CoreSersic(n=4, gamma=0.1)
    CoreSersic(n=4, gamma=0.1, sharpness=5.0)
    """

    profile = "core_sersic"

    n: object = None
    log_core: object = None
    gamma: object = None
    sharpness: object = 5.0


@component
class BrokenExponential(Gaussian):
    """An exponential disk with two scale lengths, of which all or some parameters are free.

    Parameters
    ----------
    break_radius : float, (N,) array_like or NormalPrior, optional
        Radius of the break over the inner scale length, from 0.5 to 8.
    log_scales : float, (N,) array_like or NormalPrior, optional
        Decimal logarithm of outer over inner scale length, from -1 to 0.6.
    sharpness : float, (N,) array_like or NormalPrior, optional
        Sharpness of the break, per inner scale length, 1 to 100; by default 10, None lets a fit
        find it.
    mag, r_eff, q, theta, x_0, y_0
        As in `~sersicnet.Sersic`.

    Examples
    --------
    >>> from sersicnet import BrokenExponential
    >>> BrokenExponential(log_scales=-0.3)
    BrokenExponential(log_scales=-0.3, sharpness=10.0)
    """

    profile = "broken_exponential"

    break_radius: object = None
    log_scales: object = None
    sharpness: object = 10.0


OTHERS = {
    made.profile: made
    for made in (Gaussian, Moffat, King, Ferrers, EdgeOnDisk, CoreSersic, BrokenExponential)
}
"""Components by the names of their profiles."""
