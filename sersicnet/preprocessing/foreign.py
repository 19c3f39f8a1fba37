"""Measured galaxies in the files of other codes."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.modeling import CompoundModel
from astropy.modeling.models import Gaussian2D

from sersicnet._caller import warn_caller
from sersicnet.io.files import atomic_path, check_folder
from sersicnet.model.profile_models import WIDTH
from sersicnet.model.sersic_light import sersic_area
from sersicnet.profile_shapes import PROFILE_SHAPES, parameters_of

__all__ = ["ForeignParts", "foreign_parts", "write_galfit", "write_imfit"]

_GALFIT_FILES = ("image", "sigma", "psf", "mask")
_SHAPE = ("mag", "r_eff", "n", "q", "theta")


@dataclass(frozen=True)
class ForeignParts:
    """A galaxy in pixels of its image.

    Attributes
    ----------
    parts : list of (str, dict, set)
        Kind (``sersic``, ``exp``, ``point``), parameters and names of what is fixed.
    shape : (int, int)
        Rows and columns of the image.
    zeropoint, pixel_scale : float
        AB magnitude of one unit of the image, and arcsec per pixel.
    sky : float or None
        Level of the sky that was fitted.
    ties : list of str
        Parameters that the parts have together.
    psf_oversampling : int
        Pixels of the PSF on a side of a pixel of the image.
    limits : list of dict
        For each part the lowest and highest value of parameters, by their names.
    """

    parts: list
    shape: tuple
    zeropoint: float
    pixel_scale: float
    sky: float | None
    ties: list
    psf_oversampling: int = 1
    limits: list = field(default_factory=list)


def foreign_parts(results, index, model=None):
    """Return a measured galaxy as other codes describe it.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        Results of some galaxies.
    index : int
        Row of the galaxy.
    model : `~sersicnet.Model`, optional
        What was fitted, whose limits are kept.

    Returns
    -------
    ForeignParts

    Raises
    ------
    TypeError, ValueError
        If the galaxy was not measured, or the model is not what was fitted.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there are priors that the file will not have.
    """
    names = [name for name, _ in results.parts_of(index)] or [None]
    profiles = [profile for _, profile in results.parts_of(index)] or ["sersic"]
    shown = results.to_model(index)
    terms = list(shown) if isinstance(shown, CompoundModel) else [shown]
    zeropoint = float(results.frame.zeropoint[index])
    parts = []
    for name, profile, term in zip(names, profiles, terms, strict=True):
        fixed = _fixed(results, index, name if len(names) > 1 else None)
        if profile in PROFILE_SHAPES:
            ending = f"_{name}" if len(names) > 1 else ""
            parts.append(_other_part(results, index, term, profile, ending))
        else:
            parts.append(_part(term, zeropoint, fixed))
    sky = results.columns.get("sky", np.full(len(results), np.nan))[index]
    _, _, tied = str(results.meta.get("MODEL", "")).partition(", tied: ")
    return ForeignParts(
        parts,
        tuple(int(side) for side in results.shapes[index]),
        zeropoint,
        float(results.frame.pixel_scale[index]),
        float(sky) if np.isfinite(sky) else None,
        tied.split(),
        results.inputs.psf_options.get("oversampling", 1),
        _limits(results, index, model, names),
    )


def _limits(results, index, model, names):
    """Return the limits of the parameters of each part, in pixels.

    Other codes have limits, and no priors that are not flat between them.
    """
    limits = [{} for _ in names]
    described = str(results.meta.get("MODEL", "sersic"))
    if model is None:
        if ", priors: " in described:
            warn_caller(f"priors of the model {described!r} are not in the file: pass model=")
        return limits
    if not hasattr(model, "combination"):
        msg = f"model={model!r} must be the Model that was fitted"
        raise TypeError(msg)
    if model.describe() != described:
        msg = f"model={model!r} is not what was fitted, which is {described!r}"
        raise ValueError(msg)
    _, priors = model.known(np.atleast_1d(results.ids[index]))
    scale = float(results.frame.pixel_scale[index])
    lost = []
    for name, prior in priors.items():
        part, parameter = model.combination.parameters[name]
        low, high = float(prior["low"][0]), float(prior["high"][0])
        limited = _limited(dict(model.combination.parts).get(part))
        known = np.isfinite([low, high]).all() and parameter in limited
        if not known or prior["err"][0] < high - low:
            lost.append(name)
        if known:
            unit = scale if parameter == "r_eff" else 1.0
            place = names.index(part) if part in names else 0
            limits[place][parameter] = low / unit, high / unit
    if lost:
        warn_caller(f"{', '.join(lost)}: a prior that is not flat between limits is not in a file")
    return limits


def _limited(profile):
    """Return the names of parameters whose limits files can have, by default those of the center.

    Those of other profiles have other lengths and brightnesses, and edge-on disks no axis ratio.
    """
    if profile in (None, "edge_on"):
        return ("x_0", "y_0")
    if profile in PROFILE_SHAPES:
        return ("n", "q", "x_0", "y_0")
    return (*_SHAPE[:-1], "x_0", "y_0")


def _fixed(results, index, part):
    """Return the names of the parameters whose error is 0."""
    fixed = {name for name in ("x_0", "y_0") if results.error(name)[index] == 0}
    for name in _SHAPE:
        if part is None and name in results.parameters:
            error = results.error(name)[index]
        else:
            error = results.columns.get(f"{name}_{part}_err", np.full(len(results), np.nan))[index]
        if error == 0:
            fixed.add(name)
    return fixed


def _part(term, zeropoint, fixed):
    """Return kind, parameters and names of what is fixed of a model of astropy."""
    values = dict(zip(term.param_names, map(float, term.parameters), strict=True))
    if isinstance(term, Gaussian2D):
        flux = 2 * np.pi * values["amplitude"] * values["x_stddev"] * values["y_stddev"]
        own = {"x_0": values["x_mean"], "y_0": values["y_mean"], "flux": flux}
        kind = "point"
    else:
        own = {name: values[name] for name in ("x_0", "y_0", "r_eff", "n")}
        own |= {"q": 1 - values["ellip"], "theta": float(np.degrees(values["theta"]))}
        own["flux"] = values["amplitude"] * sersic_area(own["r_eff"], own["n"], own["q"])
        kind = "exp" if values["n"] == 1 and "n" in fixed else "sersic"
    own["mag"] = zeropoint - 2.5 * np.log10(own["flux"])
    return kind, own, fixed


def _other_part(results, index, term, profile, ending):
    """Return profile, parameters and names of what is fixed of another profile.

    Columns of parameters end with ``ending``.
    """
    columns = {name: f"{name}{ending}" for name in parameters_of(profile)}
    columns |= {"x_0": "x_0", "y_0": "y_0"}
    fixed = set()
    for name, column in columns.items():
        of_whole = column in results.parameters
        error = results.error(column) if of_whole else results.columns[f"{column}_err"]
        if error[index] == 0:
            fixed.add(name)
    own = {}
    for name in ("mag", *PROFILE_SHAPES[profile].names):
        column = columns[name]
        of_whole = column in results.parameters
        values = results.median(column) if of_whole else results.columns[column]
        own[name] = float(values[index])
    own["flux"] = 10 ** (-0.4 * (own["mag"] - float(results.frame.zeropoint[index])))
    own["theta"] = float(np.degrees(term.theta.value))
    if profile == "gaussian":
        own |= {"x_0": float(term.x_mean.value), "y_0": float(term.y_mean.value)}
        own |= {"r_eff": float(term.x_stddev.value) / WIDTH}
        own |= {"q": float(term.y_stddev.value / term.x_stddev.value)}
    else:
        own |= {name: float(getattr(term, name).value) for name in ("x_0", "y_0", "r_eff")}
        own["q"] = 1 - float(term.ellip.value)
    return profile, own, fixed


def write_galfit(path, galaxy, files):
    """Write a galaxy as an input file of GALFIT, with its constraints.

    Parameters
    ----------
    path : path-like
        The file.
    galaxy : ForeignParts
        The galaxy.
    files : dict of str
        Names of files for GALFIT.

    Returns
    -------
    `~pathlib.Path`

    Raises
    ------
    TypeError
        If there is another file than GALFIT has.
    """
    from sersicnet.model.galfit_writing import galfit_text  # which imports torch

    unknown = set(files) - set(_GALFIT_FILES)
    if unknown:
        msg = f"to_galfit has no {', '.join(sorted(unknown))}: there are {', '.join(_GALFIT_FILES)}"
        raise TypeError(msg)
    path = Path(path)
    check_folder(path)
    beside = path.with_name(f"{path.name}.constraints")
    names = dict.fromkeys((*_GALFIT_FILES, "constraints"), "none") | files
    if len(galaxy.parts) > 1 or any(galaxy.limits):
        names["constraints"] = beside.name
    kinds = {"sersic": "sersic", "exp": "expdisk", "point": "psf", "gaussian": "gaussian"}
    kinds |= {"moffat": "moffat", "king": "king", "edge_on": "edgedisk", "ferrers": "ferrer"}
    for kind, _, _ in galaxy.parts:
        if kind not in kinds:
            msg = f"GALFIT has no {kind}: there are {', '.join(kinds)}; to_imfit writes it"
            raise ValueError(msg)
        _check_ties(galaxy.ties, kind)
    text, constraints = galfit_text(
        [(kinds[kind], values, fixed) for kind, values, fixed in galaxy.parts],
        {
            "shape": galaxy.shape,
            "zeropoint": galaxy.zeropoint,
            "pixel_scale": galaxy.pixel_scale,
            "psf_oversampling": galaxy.psf_oversampling,
        },
        files=names,
        sky=galaxy.sky,
        ties=galaxy.ties,
        limits=galaxy.limits,
    )
    _write(path, text)
    if constraints:
        _write(beside, constraints)
    return path


def _check_ties(ties, kind):
    """Raise ValueError for parameters that are tied, and that GALFIT does not have like this."""
    if kind not in PROFILE_SHAPES:
        return
    for name in ties:
        if name != "theta" and (name != "q" or kind == "edge_on"):
            msg = f"{name} is tied: GALFIT has other parameters of {kind}, and cannot tie it"
            raise ValueError(msg)


def write_imfit(path, galaxy):
    """Write a galaxy as a configuration file of imfit, as `write_galfit` does for GALFIT."""
    from sersicnet.model.imfit import imfit_text  # which imports torch

    path = Path(path)
    check_folder(path)
    kinds = {"sersic": "Sersic", "exp": "Exponential", "point": "PointSource"}
    kinds |= {"gaussian": "Gaussian", "moffat": "Moffat", "king": "ModifiedKing"}
    kinds |= {"edge_on": "EdgeOnDisk", "ferrers": "FerrersBar2D", "core_sersic": "Core-Sersic"}
    kinds["broken_exponential"] = "BrokenExponential"
    comments = [f"{name} is the same for both: imfit cannot tie it" for name in galaxy.ties]
    parts = [(kinds[kind], values, fixed) for kind, values, fixed in galaxy.parts]
    limits = [{name: known[name] for name in known if name != "mag"} for known in galaxy.limits]
    if limits != galaxy.limits:
        comments.append("limits of a magnitude are left out: imfit has those of I_e")
    _write(path, imfit_text(parts, sky=galaxy.sky, comments=comments, limits=limits))
    return path


def _write(path, text):
    """Write a text file, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")
