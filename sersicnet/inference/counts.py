"""The sky of images in counts, most of which was subtracted from their stamps."""

import numpy as np

from sersicnet.flags import Flags

__all__ = ["of_counts", "with_whole_sky"]

# What cutouts are flagged with whose pixels were taken away, as they are not counts.
_NO_PIXELS = Flags.NO_DATA | Flags.BAD_PIXELS | Flags.CENTER_MASKED


def of_counts(flags):
    """Return flags of galaxies, of which those that are not counts have no other cause.

    Parameters
    ----------
    flags : (N,) int `~numpy.ndarray`
        Flags of galaxies.

    Returns
    -------
    (N,) int `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet import decode_flags
    >>> from sersicnet.inference.counts import of_counts
    >>> decode_flags(of_counts(np.array([17179869184 + 1, 1])))
    [['NOT_COUNTS'], ['NO_DATA']]
    """
    other = flags & int(Flags.NOT_COUNTS) != 0
    return np.where(other, flags & ~int(_NO_PIXELS), flags)


def with_whole_sky(refined, frame):
    """Return what a refinement returns, with the sky that was subtracted from stamps added again.

    Parameters
    ----------
    refined : tuple
        Posterior, quantiles, columns and flags of stamps of counts.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps, whose noise level is the root of the sky that was subtracted.

    Returns
    -------
    tuple
    """
    posterior, quantiles, columns, flags = refined
    level = frame.noise_level
    columns = columns | {"sky": columns["sky"] + frame.sky_in_image(level)}
    return posterior.with_sky(level), quantiles, columns, flags
