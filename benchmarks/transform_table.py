"""Make the table of Fourier transforms that `sersicnet.model.profile` interpolates.

::

    python -m benchmarks.transform_table sersicnet/model/data

``sersic_transform.npy`` holds the Fourier transforms of circular Sersic profiles of unit flux and
half-light radius, by Hamilton's FFTLog (2000, MNRAS 312, 257) in scipy. They are exact to 1e-6 for
n = 0.5 and 1, which have closed forms, and agree with GalSim's own transforms to 1e-5.
"""

import numpy as np
from scipy.fft import fht, fhtoffset
from scipy.interpolate import CubicSpline
from scipy.special import gammaincinv, gammaln

from benchmarks.common.command import make_parser
from sersicnet.model.profile import KAPPA_MAX, KAPPA_SOFTENING, N_LIMITS, TABLE_SHAPE


def transform(n, kappa):
    """Return the transform of a profile of Sersic index n.

    Parameters
    ----------
    n : float
        Sersic index.
    kappa : (K,) `~numpy.ndarray`
        Wave numbers, in units of 1 / r_eff.

    Returns
    -------
    (K,) `~numpy.ndarray`
    """
    log_r = np.linspace(np.log(1e-9), np.log(1e7), 16384)
    r = np.exp(log_r)
    step = log_r[1] - log_r[0]
    b = gammaincinv(2 * n, 0.5)
    norm = 2 * n * np.log(b) - np.log(2 * np.pi * n) - gammaln(2 * n)
    brightness = np.exp(np.clip(norm - b * r ** (1 / n), -700, None))
    offset = fhtoffset(step, mu=0, initial=0.0)
    k = np.exp(offset) / r[::-1]
    values = fht(2 * np.pi * r * brightness, step, mu=0, offset=offset) / k
    return CubicSpline(np.log(k), values)(np.log(np.maximum(kappa, 1e-6)))


def make_table():
    """Return the table: rows in equal steps of the square root of n, columns of log wave number.

    The logarithm is that of kappa^2 + softening^2.
    """
    rows, columns = TABLE_SHAPE
    x = np.linspace(np.log(KAPPA_SOFTENING), np.log(KAPPA_MAX), columns)
    kappa = np.sqrt(np.maximum(np.exp(2 * x) - KAPPA_SOFTENING**2, 0))
    roots = np.linspace(*np.sqrt(N_LIMITS), rows)
    table = np.array([transform(root**2, kappa) for root in roots])
    table[:, 0] = 1
    return table.astype(np.float32)


def main(arguments=None):
    """Write the table."""
    options = make_parser(__doc__).parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    np.save(options.output / "sersic_transform.npy", make_table())


if __name__ == "__main__":
    main()
