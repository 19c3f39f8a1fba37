"""Configuration files of imfit, read as models and written.

The format is that of https://www.mpe.mpg.de/~erwin/resources/imfit/imfit_howto.pdf.
"""

import numpy as np

from sersicnet.model.components import Exponential, PointSource, Sersic
from sersicnet.model.config_files import (
    FilePart,
    FileValue,
    Findings,
    ab_magnitude,
    angle_from_x,
    arcsec_per_pixel,
    chosen_numbers,
    read_lines,
)
from sersicnet.model.native_profiles import held_natives, model_values, native_values
from sersicnet.model.profile_components import (
    BrokenExponential,
    CoreSersic,
    EdgeOnDisk,
    Ferrers,
    Gaussian,
    King,
    Moffat,
)
from sersicnet.model.sersic_light import HALF_LIGHT, sersic_area
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["imfit_text", "read_imfit"]

_COMPONENTS = {"Sersic": Sersic, "Exponential": Exponential, "PointSource": PointSource}
_COMPONENTS |= {
    "Gaussian": Gaussian,
    "Moffat": Moffat,
    "ModifiedKing": King,
    "FerrersBar2D": Ferrers,
    "EdgeOnDisk": EdgeOnDisk,
    "Core-Sersic": CoreSersic,
    "BrokenExponential": BrokenExponential,
}
# Names of parameters by those of imfit; the light of a component follows from all of them.
_PARAMETERS = {
    "Sersic": {"PA": "theta", "ell": "q", "n": "n", "I_e": "light", "r_e": "r_eff"},
    "Exponential": {"PA": "theta", "ell": "q", "I_0": "light", "h": "r_eff"},
    "PointSource": {"I_tot": "light"},
}
_ELLIPSE = {"PA": "theta", "ell": "q"}
_PARAMETERS |= {
    "Gaussian": _ELLIPSE | {"I_0": "brightness", "sigma": "sigma"},
    "Moffat": _ELLIPSE | {"I_0": "brightness", "fwhm": "fwhm", "beta": "beta"},
    "ModifiedKing": _ELLIPSE | {"I_0": "brightness", "r_c": "r_c", "r_t": "r_t", "alpha": "alpha"},
    "FerrersBar2D": _ELLIPSE
    | {"c0": "boxiness", "n": "exponent", "I_0": "brightness", "a_bar": "end"},
    "EdgeOnDisk": {"PA": "theta", "L_0": "brightness", "h": "h", "n": "n", "z_0": "z_0"},
    "Core-Sersic": _ELLIPSE
    | {
        "n": "n",
        "I_b": "brightness",
        "r_e": "r_e",
        "r_b": "r_b",
        "alpha": "alpha",
        "gamma": "gamma",
    },
    "BrokenExponential": _ELLIPSE
    | {"I_0": "brightness", "h1": "h1", "h2": "h2", "r_break": "r_break", "alpha": "alpha"},
}
_SKIES = {"FlatSky": "", "TiltedSkyPlane": 'the sky has a slope: use predict(sky="plane")'}
# What else may stand at the top.
_OPTIONS = ("GAIN", "READNOISE", "EXPTIME", "NCOMBINED", "ORIGINAL_SKY")


def read_imfit(path, make, components, pixel_scale, zeropoint):
    """Read a configuration file of imfit, as `~sersicnet.Model.from_imfit` describes it."""
    findings = Findings(path, make)
    blocks = _blocks(read_lines(path), findings)
    names = [block[1] for block in blocks]
    chosen = chosen_numbers(names, components, skies=_SKIES)
    units = {
        "scale": None if pixel_scale is None else arcsec_per_pixel(pixel_scale),
        "zeropoint": None if zeropoint is None else ab_magnitude(zeropoint),
    }
    parts = []
    for number, (line, name, center, lines) in enumerate(blocks, start=1):
        if name in _SKIES:
            _note_sky(line, name, lines, findings)
        elif number in chosen:
            if name not in _COMPONENTS:
                possible = ", ".join((*_COMPONENTS, *_SKIES))
                findings.error(line, f"{name}: there are {possible}")
                continue
            values = _center(center, findings)
            values |= _known(name, lines, units, findings)
            profile = _COMPONENTS[name].profile
            if profile in PROFILE_SHAPES:
                values = model_values(profile, values, line, findings, units["scale"])
            if name == "Sersic":
                parts.append(FilePart.of_sersic(line, values))
            else:
                parts.append(FilePart(_COMPONENTS[name], line, values))
    return findings.model(parts)


def _blocks(lines, findings):
    """Return line, name, center and lines of each function."""
    blocks = []
    center = {}
    for number, text in lines.items():
        words = text.split()
        key = words[0]
        if key in ("X0", "Y0"):
            if key == "X0":
                center = {}
            center[key] = (number, words[1:])
        elif key == "FUNCTION" and len(words) > 1:
            blocks.append((number, words[1], center, []))
        elif blocks:
            blocks[-1][3].append((number, key, words[1:]))
        elif key not in _OPTIONS:
            findings.error(number, f"{key} stands in front of the first X0")
    return blocks


def _read(line, words, findings):
    """Return value, whether it is fixed, and limits, of a line; None where they are not there."""
    try:
        value = float(words[0])
        if words[1:2] == ["fixed"]:
            return value, True, None
        if len(words) == 1:
            return value, False, None
        low, high = (float(word) for word in "".join(words[1:]).split(","))
        return value, False, (low, high)
    except (IndexError, ValueError):
        text = f"{' '.join(words)!r}: a number is needed, then nothing, fixed, or low,high"
        findings.error(line, text)
        return None


def _center(center, findings):
    """Return the position of a component."""
    values = {}
    for key, name in (("X0", "x_0"), ("Y0", "y_0")):
        if key not in center:
            findings.error(1, f"a FUNCTION has no {key}")
            continue
        line, words = center[key]
        found = _read(line, words, findings)
        if found is not None:
            value, fixed, limits = found
            if limits is not None:
                limits = tuple(limit - 1 for limit in limits)
            values[name] = FileValue(value - 1, line, fixed, limits)
    return values


def _known(function, lines, units, findings):
    """Return the parameters of a function in units of tables, by name."""
    values = {}
    light = None
    for line, key, words in lines:
        name = _PARAMETERS[function].get(key)
        if name is None:
            findings.error(line, f"{key} is no parameter of {function}")
            continue
        found = _read(line, words, findings)
        if found is None:
            continue
        value, fixed, limits = found
        if name == "light":
            light = (line, key, *found)
        elif name == "theta":
            if limits is not None and limits[1] - limits[0] < 180:
                findings.note(line, "limits of an angle are not part of a model")
            values[name] = FileValue(angle_from_x(value), line, fixed)
        elif name == "q":
            limits = None if limits is None else (1 - limits[1], 1 - limits[0])
            values[name] = FileValue(1 - value, line, fixed, limits)
        elif name == "r_eff":
            values[name] = _radius(function, found, line, units, findings)
        else:
            values[name] = FileValue(value, line, fixed, limits)
    if light is not None:
        values |= _light(function, light, values, units, findings)
    return values


def _radius(function, found, line, units, findings):
    """Return the half-light radius in arcsec."""
    value, fixed, limits = found
    scale = units["scale"]
    if scale is None and (fixed or limits is not None):
        findings.error(line, "a radius is in pixels: pixel_scale= is needed")
    factor = (scale or 1.0) * (HALF_LIGHT if function == "Exponential" else 1.0)
    if limits is not None:
        limits = tuple(limit * factor for limit in limits)
    return FileValue(value * factor, line, fixed, limits)


def _light(function, light, values, units, findings):
    """Return the magnitude of a component, if its light is fixed."""
    line, key, value, fixed, limits = light
    if limits is not None and limits[0] > 0:
        findings.note(line, f"limits of {key} are not part of a model")
    if not fixed:
        return {}
    names = {"Sersic": ("r_eff", "n", "q"), "Exponential": ("r_eff", "q")}.get(function, ())
    held = [name in values and values[name].fixed for name in names]
    if not all(held):
        findings.error(line, f"{key} is fixed without the size and shape: only a flux can be known")
    elif units["zeropoint"] is None:
        findings.error(line, f"{key} is fixed: zeropoint= is needed")
    elif value <= 0:
        findings.error(line, f"{key}={value:g} must be above 0")
    else:
        flux = value
        if names:
            n = values["n"].value if "n" in values else 1.0
            pixels = values["r_eff"].value / units["scale"]
            at_radius = value * np.exp(-HALF_LIGHT) if key == "I_0" else value
            flux = at_radius * sersic_area(pixels, n, values["q"].value)
        return {"mag": FileValue(units["zeropoint"] - 2.5 * np.log10(flux), line, True)}
    return {}


def _note_sky(line, name, lines, findings):
    """Note what a file says of the sky, which is no part of a model."""
    if _SKIES[name]:
        findings.note(line, _SKIES[name])
    for number, key, words in lines:
        if key == "I_sky" and words[1:2] == ["fixed"]:
            text = f'the sky is {words[0]}: subtract it, and use predict(sky="fixed")'
            findings.note(number, text)
        elif key == "I_sky" and findings.number(number, words) != 0:
            text = f"the sky is {words[0]}: subtract it, a fit finds what is left of it"
            findings.note(number, text)


def imfit_text(parts, *, sky=None, comments=(), limits=()):
    """Write a configuration file of imfit.

    Parameters
    ----------
    parts : list of (str, dict, set)
        For each component its function, its parameters (``x_0``, ``y_0``, ``flux``, ``r_eff`` in
        pixels, ``n``, ``q``, ``theta``), and the names of those that are fixed.
    sky : float, optional
        Level of the sky.
    comments : sequence of str, optional
        Lines at the top.
    limits : sequence of dict, optional
        For each component the lowest and highest value of parameters, by their names; not of the
        light, which depends on the shape.

    Returns
    -------
    str
    """
    _, first, fixed = parts[0]
    known = limits[0] if limits else {}
    lines = [f"# {comment}" for comment in comments]
    for key, name in (("X0", "x_0"), ("Y0", "y_0")):
        ending = _ending(name in fixed, key, known.get(name), {})
        lines.append(f"{key} {_imfit_value(key, first):.6f}{ending}")
    for number, (function, values, fixed) in enumerate(parts):
        known = limits[number] if limits else {}
        lines.append(f"FUNCTION {function}")
        profile = _COMPONENTS[function].profile
        natives = {}
        if profile in PROFILE_SHAPES:
            natives = native_values(profile, values)
            fixed = fixed | held_natives(profile, fixed) | {"boxiness"}
        for key, name in _PARAMETERS[function].items():
            held = fixed >= {"mag", "r_eff", "n", "q"} & set(values) | {"mag"}
            held = held if name == "light" else name in fixed
            ending = _ending(held, key, known.get(name), values)
            if name in natives or (natives and name in values and key not in _ELLIPSE):
                value = natives.get(name, values.get(name))
            else:
                value = _imfit_value(key, values)
            lines.append(f"{key} {value:.8g}{ending}")
    if sky is not None:
        lines += ["FUNCTION FlatSky", f"I_sky {sky:.6g}"]
    return "\n".join(lines) + "\n"


def _ending(fixed, key, limits, values):
    """Return what stands behind a number that is fixed, or has limits."""
    if fixed:
        return " fixed"
    if limits is None:
        return ""
    name = {"X0": "x_0", "Y0": "y_0", "ell": "q", "h": "r_eff", "r_e": "r_eff"}.get(key, key)
    low, high = sorted(_imfit_value(key, values | {name: limit}) for limit in limits)
    return f" {low:.8g},{high:.8g}"


def _imfit_value(key, values):
    """Convert a parameter to that of imfit."""
    match key:
        case "X0":
            return values["x_0"] + 1
        case "Y0":
            return values["y_0"] + 1
        case "PA":
            return (values["theta"] - 90) % 180
        case "ell":
            return 1 - values["q"]
        case "n":
            return values["n"]
        case "r_e":
            return values["r_eff"]
        case "h":
            return values["r_eff"] / HALF_LIGHT
        case "I_tot":
            return values["flux"]
        case _:
            at_radius = values["flux"] / sersic_area(values["r_eff"], values["n"], values["q"])
            return at_radius * np.exp(HALF_LIGHT) if key == "I_0" else at_radius
