"""What a table says of the call that it comes from."""

import numpy as np
from astropy.nddata import NDData

from sersicnet import __version__
from sersicnet.io.mask_words import MASK_CARD, cutout_mask_words
from sersicnet.preprocessing.inputs import PSF_KEYS
from sersicnet.preprocessing.photons import PHOTONS

__all__ = ["UNIVERSAL", "describe_call", "describe_inputs", "describe_model"]
__all__ += ["describe_photons"]

# ``PRIOR`` of results whose posteriors have the universal prior.
UNIVERSAL = "universal"


def describe_call(net, *, refine, assumptions, psf_options, model=None, neighbors="mask"):
    """Describe what measured, for ``meta`` and the headers of FITS files.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The network.
    refine : None, str or refinement
        As in `~sersicnet.SersicNet.predict`.
    assumptions : `~sersicnet.inference.assumptions.Assumptions`
        What fits assume about the pixels.
    psf_options : dict
        Options of `~sersicnet.model.collect_psfs`.
    model : `~sersicnet.Model`, optional
        What is known of the galaxies: if something is, ``MODEL`` says what, and no refinement means
        the fit that this needs. Of several models, ``EVIDENCE`` says how they are compared.
    neighbors : {'mask', 'fit'}, optional
        As in `~sersicnet.SersicNet.predict`; ``NEIGHBOR`` says if they are fitted.

    Returns
    -------
    dict
        ``VERSION``, ``WEIGHTS`` (name and SHA-256 of the file), ``PRIOR`` (``universal``, or that
        of the galaxies of a training or an adaptation), ``REFINE``, ``SKY`` and ``SKYERR`` (what a
        fit assumed), ``LIKELIHD`` (unless it is normal), and the options of the PSFs, ``PSFSAMP``
        (oversampling), ``PSFNORM`` and ``PSFCENT`` (whether they are normalized and centered).
    """
    weights = net.weights_ or "trained, not loaded from a file"
    assumed = assumptions.describe()
    known = {}
    if model is not None:
        known = describe_model(model, refine)
    if known:
        refine = refine or "lm (the model needs a fit)"
    if not assumptions.is_gaussian:
        refine = refine or "lm (the likelihood needs a fit)"
    if neighbors == "fit":
        known["NEIGHBOR"] = neighbors
        refine = refine or "lm (neighbors need a fit)"
    if refine is None:
        refine = "none"
        assumed = dict.fromkeys(assumed, "not used")
    record = {
        "VERSION": f"sersicnet {__version__}",
        "WEIGHTS": weights.encode("ascii", "replace").decode(),
        "PRIOR": _prior_of(net),
        "REFINE": str(refine),
        **known,
        **assumed,
    }
    for option, key in PSF_KEYS.items():
        if option in psf_options:
            record[key] = psf_options[option]
    return record


def describe_model(model, refine):
    """Describe what is fitted, if it is not one Sersic profile of which nothing is known.

    Parameters
    ----------
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.
    refine : None, str or refinement
        As in `~sersicnet.SersicNet.predict`.

    Returns
    -------
    dict
        ``MODEL``, and of several models ``EVIDENCE``.
    """
    if model.is_free and not model.chromatic:
        return {}
    known = {"MODEL": model.describe()}
    if model.name == "auto":
        sampled = "importance" in str(refine).lower()
        known["EVIDENCE"] = "importance sampling" if sampled else "Laplace"
    return known


def _prior_of(net):
    """Name the prior of the posteriors of a network."""
    if net.network not in ("posterior", "likelihood"):
        return "training set"
    if "n_left_out" in net.record_:  # an adaptation
        return "adapted"
    return UNIVERSAL


def describe_inputs(cutouts, frame):
    """Describe cutouts and their units, as far as these are the same for all.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.NDData`, or one with 3-D data
        The cutouts.
    frame : `~sersicnet.preprocessing.StampFrame`
        Their units.

    Returns
    -------
    dict
        ``PIXSCALE`` (arcsec), ``MAGZP`` (the zero point) and ``MASKFROM`` (the mask, and which of
        its bits count), where these are the same for all; ``INPUT``, where an array of several
        planes was taken for as many galaxies.
    """
    record = {}
    for key, values in (("PIXSCALE", frame.pixel_scale), ("MAGZP", frame.zeropoint)):
        if len(values) and np.ptp(values) == 0:
            record[key] = float(values[0])
    if isinstance(cutouts, NDData):
        shape = cutouts.data.shape
        record["INPUT"] = f"array of shape {shape}: {shape[0]} galaxies"
    else:
        words = {cutout_mask_words(cutout) for cutout in cutouts}
        if len(words) == 1 and None not in words:
            record[MASK_CARD] = words.pop().encode("ascii", "replace").decode()
    return record


def describe_photons(done, gain):
    """Describe what was done about the noise of the photons of sources.

    Parameters
    ----------
    done : (N,) `~numpy.ndarray`
        Numbers in `~sersicnet.preprocessing.photons.PHOTONS`.
    gain : (N,) `~numpy.ndarray`
        Electrons per unit of the cutouts, NaN where not known.

    Returns
    -------
    dict
        ``PHOTONS``, and ``GAIN`` where it is one for all.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.record import describe_photons
    >>> describe_photons(np.array([2, 2, 1]), np.full(3, 2.5))
    {'PHOTONS': 'in the noise map (1), added to the noise map (2)', 'GAIN': 2.5}
    """
    found, counts = np.unique(done.astype(int), return_counts=True)
    words = [PHOTONS[number] for number in found]
    if len(words) > 1:
        words = [f"{word} ({count})" for word, count in zip(words, counts, strict=True)]
    record = {"PHOTONS": ", ".join(words)}
    if np.isfinite(gain).all() and np.ptp(gain) == 0:
        record["GAIN"] = float(gain[0])
    return record
