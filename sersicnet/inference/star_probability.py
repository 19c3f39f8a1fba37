"""The probability that a source is a star, from the network's posterior of its radius."""

from itertools import combinations_with_replacement

import numpy as np
from scipy.special import expit

from sersicnet.parameters import PARAMETERS

__all__ = ["prob_star", "star_columns", "star_features"]

# Coefficients of the features, as "python -m benchmarks.stars OUT --choose -n 180 --seed 101" fits
# them.
_COEFFICIENTS = np.array(
    [
        *(-3.65, -11.56, 1.50, 2.44, 3.15),
        *(9.91, 25.55, 3.20, -13.64),
        *(2.90, 4.55, -15.51),
        *(-12.83, -9.96, 0.73),
    ]
)
# Smallest half-light radius of the prior, in pixels.
_SMALLEST = 0.2
# Range of the FWHM, in pixels, of what they were fitted to.
_WIDTHS = (1.5, 8.0)


def star_features(r_eff, width):
    """Make the features of which the probability of a star is a logistic function.

    Parameters
    ----------
    r_eff : (N, 3) `~numpy.ndarray`
        Quantiles of the half-light radius at 16, 50 and 84 %, in pixels.
    width : (N,) `~numpy.ndarray`
        FWHM of the PSF, in pixels.

    Returns
    -------
    (N, 15) `~numpy.ndarray`
        A constant, four numbers and all products of two of them: the logarithm (base 10) of the
        lower quantile over the FWHM, its distance from that of the median, the distance of this
        from that of the upper quantile, and the logarithm of the smallest radius of the prior over
        the FWHM. Radii larger than the FWHM are set to it.
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN where there is no posterior
        low, middle, high = np.minimum(np.log10(r_eff / width[:, None]), 0.0).T
    smallest = np.log10(_SMALLEST / np.clip(width, *_WIDTHS))
    numbers = (low, middle - low, high - middle, smallest)
    products = [one * other for one, other in combinations_with_replacement(numbers, 2)]
    return np.stack([np.ones_like(low), *numbers, *products], axis=1)


def prob_star(r_eff, width):
    """Return the probability that sources are stars, if stars and galaxies are equally likely.

    A star is a galaxy of radius zero for the network. The probability is a logistic function of the
    interval of its radius, fitted on simulated stars and galaxies that are drawn from the prior
    (half-light radii of up to 8 pixels). See :doc:`/trust/fields` for how often it is right.

    Parameters
    ----------
    r_eff : (N, 3) `~numpy.ndarray`
        Quantiles of the half-light radius at 16, 50 and 84 %, in pixels, from the network.
    width : (N,) `~numpy.ndarray`
        FWHM of the PSF, in pixels.

    Returns
    -------
    (N,) `~numpy.ndarray`
        From 0 to 1; NaN where there is no radius.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.star_probability import prob_star
    >>> radii = np.array([[0.22, 0.3, 0.45], [3.9, 4.0, 4.1]])
    >>> prob_star(radii, np.array([4.0, 4.0])).round(2)
    array([0.85, 0.  ])
    """
    return expit(star_features(r_eff, width) @ _COEFFICIENTS)


def star_columns(batch, quantiles, stamps):
    """Return the column of the probability of a star, for sources of a survey image.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        The cutouts.
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of all parameters at 16, 50 and 84 %, from the network.
    stamps : `~sersicnet.preprocessing.Stamps`
        Their stamps, of which some may be binned.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
        ``prob_star``; empty for cutouts, which are those of galaxies.
    """
    if not batch.is_checked:
        return {}
    frame = stamps.frame
    r_eff = quantiles[list(PARAMETERS).index("r_eff")] / (frame.pixel_scale * frame.bins)
    return {"prob_star": prob_star(r_eff.T, batch.psfs.widths() / frame.bins)}
