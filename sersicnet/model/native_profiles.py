"""Profiles with the numbers that GALFIT and imfit have for them: lengths in pixels, brightness.

A model has a half-light radius and pure numbers in their place (``sersicnet.profile_shapes``).
"""

import numpy as np

from sersicnet.model.config_files import FileValue
from sersicnet.model.profile_models import WIDTH, unit_brightness
from sersicnet.model.sersic_light import HALF_LIGHT
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["held_natives", "model_values", "native_values"]

# What each parameter of a model follows from.
_SOURCES = {
    "gaussian": {"r_eff": ("sigma",)},
    "moffat": {"beta": ("beta",), "r_eff": ("fwhm", "beta")},
    "king": {
        "alpha": ("alpha",),
        "log_tidal": ("r_c", "r_t"),
        "r_eff": ("r_c", "r_t", "alpha"),
    },
    "ferrers": {"exponent": ("exponent",), "r_eff": ("end", "exponent")},
    "edge_on": {"sech_power": ("n",), "r_eff": ("h",), "q": ("h", "z_0")},
    "core_sersic": {
        "n": ("n",),
        "gamma": ("gamma",),
        "sharpness": ("alpha",),
        "log_core": ("r_b", "r_e"),
        "r_eff": ("n", "gamma", "alpha", "r_b", "r_e"),
    },
    "broken_exponential": {
        "break_radius": ("r_break", "h1"),
        "log_scales": ("h1", "h2"),
        "sharpness": ("alpha", "h1"),
        "r_eff": ("h1", "h2", "r_break", "alpha"),
    },
}
_FORMULAS = {
    "sech_power": lambda numbers: 2 / numbers["n"],
    "q": lambda numbers: 2 * numbers["z_0"] / numbers["h"],
    "log_tidal": lambda numbers: np.log10(numbers["r_t"] / numbers["r_c"]),
    "log_core": lambda numbers: np.log10(numbers["r_b"] / numbers["r_e"]),
    "break_radius": lambda numbers: numbers["r_break"] / numbers["h1"],
    "log_scales": lambda numbers: np.log10(numbers["h2"] / numbers["h1"]),
    # per pixel in a broken exponential, and a pure number in a core
    "sharpness": lambda numbers: numbers["alpha"] * numbers.get("h1", 1.0),
}
# Numbers of files that are those of models.
_SAME = {"beta", "alpha", "exponent", "gamma", "n"}
# Numbers that a model has no place for, if they are not 0.
_ZERO = {"boxiness": "boxiness", "inner": "a slope of the center of a ferrer component"}


def model_values(profile, found, line, findings, scale):
    """Return the parameters of a model from those of a file.

    Parameters
    ----------
    profile : str
        Name of the profile.
    found : dict of FileValue
        Numbers of the file; those that models have as well are in units of tables.
    line : int
        Line of the component.
    findings : `~sersicnet.model.config_files.Findings`
        Collects what a model cannot express.
    scale : float or None
        Arcsec per pixel.

    Returns
    -------
    dict of FileValue
        What is fixed, or has limits, and the center.
    """
    sources = _SOURCES[profile]
    natives = {name for names in sources.values() for name in names} & set(found)
    values = {name: each for name, each in found.items() if name not in natives}
    _check_others(values, findings)
    fixed = {name for name in natives if found[name].fixed}
    held = [name for name, needed in sources.items() if fixed.issuperset(needed)]
    if len(held) != len(fixed):
        names = ", ".join(sorted(fixed))
        text = f"{names} fixed: a model has {', '.join(sources)}, which need other numbers as well"
        findings.error(line, text)
        return values
    if "r_eff" in held and scale is None:
        findings.error(line, "a radius is in pixels: pixel_scale= is needed")
    numbers = {name: found[name].value for name in natives}
    for name in held:
        value = float(_of_model(profile, name, numbers))
        if name == "r_eff":
            value *= scale or 1.0
        values[name] = FileValue(value, line, fixed=True)
    for name in natives - fixed:
        if found[name].limits is not None:
            values |= _limited(profile, name, found[name], findings)
    return values


def _check_others(values, findings):
    """Take numbers that a model does not have out of the others, after a check."""
    for name, what in _ZERO.items():
        each = values.pop(name, None)
        if each is not None and not (each.fixed and each.value == 0):
            findings.error(each.line, f"{what}: it must be fixed at 0")
    bright = values.pop("brightness", None)
    if bright is not None and bright.fixed:
        findings.error(bright.line, "a surface brightness is fixed: only a flux can be known")


def _limited(profile, name, each, findings):
    """Return a parameter that is a number of a file with its limits, a dict of FileValue."""
    same = [key for key, needed in _SOURCES[profile].items() if needed == (name,)]
    if same and name in _SAME and profile != "edge_on":
        return {same[0]: FileValue(each.value, each.line, False, each.limits)}
    if each.limits[0] > 0 or np.isfinite(each.limits[1]):
        findings.note(each.line, f"limits of {name} are not part of a model")
    return {}


def held_natives(profile, fixed):
    """Return which numbers of files are fixed where some parameters of a model are.

    Parameters
    ----------
    profile : str
        Name of the profile.
    fixed : set of str
        Fixed parameters.

    Returns
    -------
    set of str
    """
    sources = _SOURCES[profile]
    held = set()
    for native in {name for names in sources.values() for name in names}:
        needed = [name for name, names in sources.items() if names == (native,)]
        if not needed:
            needed = ["r_eff", "q"] if profile == "edge_on" else list(sources)
        if set(needed) <= set(fixed):
            held.add(native)
    return held


def native_values(profile, own):
    """Return the numbers of files from the parameters of a galaxy.

    Parameters
    ----------
    profile : str
        Name of the profile.
    own : dict of float
        ``r_eff`` in pixels, ``q``, ``flux`` and shape parameters.

    Returns
    -------
    dict of float
        Lengths in pixels, ``brightness``, the surface brightness that files have (in the center, at
        the break, or a luminosity density), and ``center``, that of the center.
    """
    shapes = [own[name] for name in PROFILE_SHAPES[profile].names]
    r_eff = own["r_eff"]
    scale = own["flux"] / (r_eff**2 * own["q"])
    center = scale * float(unit_brightness(profile, shapes, 1e-9, 0.0, own["q"]))
    found = {"brightness": center, "center": center, "boxiness": 0.0, "inner": 0.0}
    unit = r_eff / _half_light(profile, shapes)
    match profile:
        case "gaussian":
            found |= {"sigma": r_eff * WIDTH}
        case "moffat":
            found |= {"fwhm": unit * _fwhm(own["beta"]), "beta": own["beta"]}
        case "king":
            found |= {"r_t": unit, "r_c": unit / 10 ** own["log_tidal"]}
        case "ferrers":
            found |= {"end": unit}
        case "edge_on":
            found |= {"h": unit, "n": 2 / own["sech_power"], "z_0": 0.5 * own["q"] * unit}
            found["brightness"] = center / (2 * unit)
        case "core_sersic":
            at_break = unit / r_eff
            light = unit_brightness(profile, shapes, at_break, 0.0, own["q"])
            found |= {"r_b": unit, "r_e": unit / 10 ** own["log_core"]}
            found |= {"alpha": own["sharpness"], "brightness": scale * float(light)}
        case "broken_exponential":
            found |= {"h1": unit, "h2": unit * 10 ** own["log_scales"]}
            found |= {"r_break": unit * own["break_radius"], "alpha": own["sharpness"] / unit}
    return found


def _of_model(profile, name, numbers):
    """Return a parameter of a model from numbers of a file."""
    if name in _FORMULAS:
        return _FORMULAS[name](numbers)
    if name != "r_eff":
        return numbers[name]
    if profile == "gaussian":
        return numbers["sigma"] / WIDTH
    if profile == "edge_on":
        return numbers["h"] * HALF_LIGHT
    shapes = [_of_model(profile, each, numbers) for each in PROFILE_SHAPES[profile].names]
    return _unit(profile, numbers) * _half_light(profile, shapes)


def _unit(profile, numbers):
    """Unit of length of a profile, in pixels."""
    if profile == "moffat":
        return numbers["fwhm"] / _fwhm(numbers["beta"])
    return numbers[{"king": "r_t", "ferrers": "end", "core_sersic": "r_b"}.get(profile, "h1")]


def _fwhm(beta):
    """FWHM of a Moffat profile over r_d."""
    return 2 * np.sqrt(2 ** (1 / beta) - 1)


def _half_light(profile, shapes):
    """Half-light radius in the unit of a profile."""
    import torch

    from sersicnet.model.profiles import PROFILES

    if profile == "gaussian":
        return 1.0
    if profile == "edge_on":
        return HALF_LIGHT
    values = torch.tensor([shapes], dtype=torch.float64)
    return float(PROFILES[profile].PROFILE.half_light(values)[0])
