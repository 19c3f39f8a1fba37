"""What a call of `SersicNet.predict` may ask for together."""

__all__ = ["check_law", "check_plain"]


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
