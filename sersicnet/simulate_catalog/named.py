"""Configurations by a name that fits into one word, as commands take them."""

from sersicnet.simulate_catalog.config import SimulationConfig

__all__ = ["named_config"]

# Configurations of this package; all other names are those of surveycodex.
_OWN = ("candels_f160w", "cosmos_f814w")


def named_config(name, argument="survey"):
    """Find the configuration of a survey.

    Parameters
    ----------
    name : str
        ``candels_f160w``, ``cosmos_f814w``, or a survey of the package ``surveycodex`` with its
        band, such as ``LSST:r``.
    argument : str, optional
        Name of the argument that holds ``name``, for the message.

    Returns
    -------
    `~sersicnet.simulate_catalog.SimulationConfig`

    Raises
    ------
    ValueError
        If survey or band is unknown, or the band is missing.

    Examples
    --------
    >>> from sersicnet.simulate_catalog.named import named_config
    >>> named_config("LSST:i").pixel_scale
    0.2
    """
    if name in _OWN:
        return getattr(SimulationConfig, name)()
    survey, _, band = name.partition(":")
    try:
        return SimulationConfig.from_survey(survey, band or None)
    except ValueError as error:
        reason = str(error)
        if reason.startswith(f"name={survey!r} "):
            reason = reason.removeprefix(f"name={survey!r} ")
            msg = f"{argument}={name!r} {reason}, and none of {', '.join(_OWN)}"
        else:
            msg = f"{argument}={name!r}: {reason}"
        raise ValueError(msg) from error
