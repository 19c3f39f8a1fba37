"""The sky of images in counts, most of which was subtracted from their stamps."""

__all__ = ["with_whole_sky"]


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
