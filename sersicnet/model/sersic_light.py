"""The light of Sersic profiles, with NumPy alone."""

import numpy as np
from scipy.special import gamma, gammaincinv

__all__ = ["HALF_LIGHT", "sersic_area"]

# Half-light radius of an exponential disk over its scale length.
HALF_LIGHT = 1.6783469900166605


def sersic_area(r_eff, n, q):
    """Return the total flux of a Sersic profile over its surface brightness at ``r_eff``.

    Parameters
    ----------
    r_eff, n, q : float
        Half-light radius, index and axis ratio.

    Returns
    -------
    float
        In the square of the unit of ``r_eff`` (Graham & Driver 2005, PASA 22, 118, eq. 4).
    """
    b = gammaincinv(2 * n, 0.5)
    return 2 * np.pi * n * r_eff**2 * q * np.exp(b) * b ** (-2 * n) * gamma(2 * n)
