"""What a call of `SersicNet.predict` may ask for together."""

import numpy as np

from sersicnet._caller import warn_caller
from sersicnet._settings import check_bool

__all__ = ["check_exposures", "check_law", "check_plain", "warn_of_zeropoints", "without_exposures"]

# Magnitudes of exposures differ if they do by the first number over the root of the number of
# galaxies, at least by the second, and by this many errors, in the median.
_DIFFERENCE = 0.1
_LEAST_DIFFERENCE = 0.03
_ERRORS = 5.0
# Largest error of magnitudes that are compared: larger ones are mostly those of the prior.
_LARGEST_ERROR = 0.2


def check_law(likelihood, *, model=None, neighbors="mask"):
    """Raise ValueError where a likelihood that is not normal cannot be fitted.

    Parameters
    ----------
    likelihood, neighbors : str
        As in `~sersicnet.SersicNet.predict`.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`, optional
        What is known of the galaxies; None where there are several bands.
    """
    if likelihood == "gaussian":
        return
    if model is None:
        option = "several bands"
    elif model.name != "sersic":
        option = f"model={model!r}"
    elif neighbors == "fit":
        option = "neighbors='fit'"
    else:
        return
    msg = (
        f"{option} and likelihood={likelihood!r}: this likelihood is that of one Sersic profile in "
        "one band, with neighbors='mask'; 'gaussian' does more"
    )
    raise ValueError(msg)


def check_plain(refine, augment, model=None, neighbors="mask", likelihood="gaussian"):
    """Raise ValueError for options that need the posterior network.

    Parameters
    ----------
    refine, augment
        As in `~sersicnet.SersicNet.predict`.
    model : `~sersicnet.Model`, optional
        What is known of the galaxies.
    neighbors, likelihood : str, optional
        As in `~sersicnet.SersicNet.predict`.

    Raises
    ------
    ValueError
        If there is a refinement, ``augment`` is True, the model knows something, neighbors are
        fitted, or pixels are not normal.
    """
    if refine is not None:
        option = f"refine={refine!r}"
    elif augment:
        option = "augment=True"
    elif model is not None and not model.is_free:
        option = f"model={model!r}"
    elif neighbors == "fit":
        option = "neighbors='fit'"
    elif likelihood != "gaussian":
        option = f"likelihood={likelihood!r}"
    else:
        return
    msg = f"{option} needs the posterior network: use the weights 'universal'"
    raise ValueError(msg)


def without_exposures(data):
    """Return arguments for one band; ValueError if they are for exposures."""
    data = dict(data)
    if data.pop("exposures", False):
        msg = "exposures=True needs a dict of cutouts by the names of exposures, such as e1 and e2"
        raise ValueError(msg)
    return data


def check_exposures(exposures, model, neighbors="mask"):
    """Raise an error where exposures cannot be fitted with one flux.

    Parameters
    ----------
    exposures : bool
        Whether the bands are exposures.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.
    neighbors : {'mask', 'fit'}, optional
        As in `~sersicnet.SersicNet.predict`.

    Raises
    ------
    ValueError
        If they are, and something else is wanted than one free profile.
    """
    check_bool("exposures", exposures)
    if not exposures:
        return
    if model.name != "sersic" or not model.is_free or model.chromatic:
        option = f"model={model!r}"
    elif neighbors != "mask":
        option = f"neighbors={neighbors!r}"
    else:
        return
    msg = (
        f"exposures=True and {option}: exposures are fitted with one Sersic profile of which "
        "nothing is known, and neighbors masked"
    )
    raise ValueError(msg)


def warn_of_zeropoints(looked):
    """Warn of exposures in which galaxies are brighter than in the first one.

    Parameters
    ----------
    looked : dict of `~sersicnet.inference.band_seen.SeenBand`
        The exposures of N galaxies, as the network sees them.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the zero points contradict.
    """
    (first, one), *others = looked.items()
    for name, other in others:
        rows = one.usable & other.usable
        errors = [(each.quantiles[0, 2] - each.quantiles[0, 0]) / 2 for each in (one, other)]
        with np.errstate(invalid="ignore"):  # NaN where a galaxy was not measured
            rows &= np.maximum(*errors) < _LARGEST_ERROR
        if not rows.any():
            continue
        err = np.median(np.hypot(*errors)[rows]) / np.sqrt(np.count_nonzero(rows))
        apart = np.median((other.quantiles[0, 1] - one.quantiles[0, 1])[rows])
        least = max(_DIFFERENCE / np.sqrt(np.count_nonzero(rows)), _LEAST_DIFFERENCE)
        if abs(apart) > max(least, _ERRORS * err):
            word = "fainter" if apart > 0 else "brighter"
            msg = (
                f"galaxies are {abs(apart):.2f} mag {word} in the exposure {name!r} than in "
                f"{first!r}, which have one flux: their zero points contradict, and fits are wrong"
            )
            warn_caller(msg)
