"""Input files and constraint files of GALFIT, read as models and written.

The formats are those of https://users.obs.carnegiescience.edu/peng/work/galfit/README.pdf.
"""

import re
from pathlib import Path

import numpy as np

from sersicnet._words import counted
from sersicnet.model.components import DeVaucouleurs, Exponential, PointSource, Sersic
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
from sersicnet.model.native_profiles import model_values
from sersicnet.model.profile_components import EdgeOnDisk, Ferrers, Gaussian, King, Moffat
from sersicnet.model.sersic_light import HALF_LIGHT
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["COMPONENTS", "FACTORS", "PARAMETERS", "read_galfit"]

_LINE = re.compile(r"(\w+)\)\s*(.*)")
COMPONENTS = {
    "sersic": Sersic,
    "expdisk": Exponential,
    "devauc": DeVaucouleurs,
    "psf": PointSource,
    "gaussian": Gaussian,
    "moffat": Moffat,
    "king": King,
    "edgedisk": EdgeOnDisk,
    "ferrer": Ferrers,
}
# Parameters by the numbers of their lines; the center has two on one line.
PARAMETERS = {
    Sersic: {"3": "mag", "4": "r_eff", "5": "n", "9": "q", "10": "theta"},
    Exponential: {"3": "mag", "4": "r_eff", "9": "q", "10": "theta"},
    DeVaucouleurs: {"3": "mag", "4": "r_eff", "9": "q", "10": "theta"},
    PointSource: {"3": "mag"},
    Gaussian: {"3": "mag", "4": "sigma", "9": "q", "10": "theta"},
    Moffat: {"3": "mag", "4": "fwhm", "5": "beta", "9": "q", "10": "theta"},
    King: {"3": "brightness", "4": "r_c", "5": "r_t", "6": "alpha", "9": "q", "10": "theta"},
    EdgeOnDisk: {"3": "brightness", "4": "z_0", "5": "h", "10": "theta"},
    Ferrers: {"3": "brightness", "4": "end", "5": "exponent", "6": "inner", "9": "q"},
}
PARAMETERS[Ferrers]["10"] = "theta"
# Those of files over those of other modules: a FWHM, and the scale height of sech^2.
FACTORS = {"sigma": 2 * np.sqrt(2 * np.log(2)), "z_0": 2.0}
# What changes a component by its shape: first letters of the names of lines.
_SHAPES = {
    "B": "bending modes",
    "C": "boxiness",
    "F": "Fourier modes",
    "R": "a rotation, as of spiral arms",
    "T": "a truncation",
}
_OF_CONSTRAINTS = {
    "x": "x_0",
    "y": "y_0",
    "1": "x_0",
    "2": "y_0",
    "mag": "mag",
    "3": "mag",
    "r": "r_eff",
    "re": "r_eff",
    "rs": "r_eff",
    "4": "r_eff",
    "n": "n",
    "5": "n",
    "q": "q",
    "9": "q",
    "pa": "theta",
    "10": "theta",
}


def read_galfit(path, make, components, pixel_scale, zeropoint):
    """Read an input file of GALFIT, as `~sersicnet.Model.from_galfit` describes it."""
    findings = Findings(path, make)
    header, blocks = _sections(read_lines(path), findings)
    units = _Units(header, pixel_scale, zeropoint, findings)
    names = [block[1] for block in blocks]
    chosen = chosen_numbers(names, components, skies=("sky",))
    parts = {}
    for number, (line, name, lines) in enumerate(blocks, start=1):
        if name == "sky":
            _note_sky(lines, findings)
        elif number in chosen:
            part = _part(line, name, lines, units, findings)
            if part is not None:
                parts[number] = part
    tied = []
    constraints = _constraints_path(header, path)
    if constraints is not None:
        tied = _constrain(constraints, names, parts, findings, units)
    _note_header(header, parts, findings)
    return findings.model(list(parts.values()), tied)


def _sections(lines, findings):
    """Return the header, and line, name and lines of each component."""
    header = {}
    blocks = []
    for number, text in lines.items():
        match = _LINE.fullmatch(text)
        if match is None:
            if not set(text) <= set("=-"):
                findings.note(number, f"{text!r} is no line of GALFIT and was not read")
            continue
        key, rest = match.groups()
        if key == "0":
            blocks.append((number, rest.split()[0].lower() if rest else "", []))
        elif blocks:
            blocks[-1][2].append((number, key, rest.split()))
        else:
            header[key.upper()] = (number, rest.split())
    return header, blocks


class _Units:
    """Units of a file: the user's, else those of its header."""

    def __init__(self, header, pixel_scale, zeropoint, findings):
        self.zeropoint_shift = 0.0
        own = _number(header.get("J"), findings)
        if zeropoint is not None:
            value = ab_magnitude(zeropoint)
            self.zeropoint_shift = 0.0 if own is None else value - own
        self.scale = _number(header.get("K"), findings)
        if pixel_scale is not None:
            self.scale = arcsec_per_pixel(pixel_scale)
        elif self.scale is not None:
            line, words = header["K"]
            if len(words) > 1 and findings.number(line, words[1:]) != self.scale:
                findings.error(line, "pixels that are not square: pixel_scale= gives another scale")

    def convert(self, name, value, component):
        """Convert a number of a file to the unit of tables."""
        match name:
            case "mag":
                return value + self.zeropoint_shift
            case "r_eff":
                factor = HALF_LIGHT if component is Exponential else 1.0
                return value * factor * (self.scale or 1.0)
            case "theta":
                return angle_from_x(value)
            case "sigma" | "z_0":
                return value / FACTORS[name]
            case "x_0" | "y_0":
                return value - 1
            case _:
                return value


def _number(found, findings):
    """Return the first number of a line of the header, None where there is none."""
    if found is None or not found[1]:
        return None
    return findings.number(*found)


def _part(line, name, lines, units, findings):
    """Read one component; None where it is unknown."""
    component = COMPONENTS.get(name)
    if component is None:
        possible = ", ".join(COMPONENTS)
        findings.error(line, f"{name or 'a component without a name'}: there are {possible}, sky")
        return None
    values = {}
    for number, key, words in _renumbered(lines):
        names = {"1": ("x_0", "y_0")}.get(key)
        if names is None:
            parameter = PARAMETERS[component].get(key)
            names = (parameter,) if parameter else ()
        for name_, value in _values(number, names, words, findings).items():
            if name_ == "r_eff" and units.scale is None:
                findings.error(number, "a radius is in pixels, and K) is missing: pixel_scale=")
            converted = units.convert(name_, value[0], component)
            values[name_] = FileValue(converted, number, value[1])
        _check_shape(number, key, words, findings)
    for axis in ("x_0", "y_0"):
        if axis not in values:
            findings.error(line, f"{name} has no position")
            return None
    return _made(component, line, values, units, findings)


def _made(component, line, values, units, findings):
    """Make a component of the numbers of a file."""
    if component is Sersic:
        return FilePart.of_sersic(line, values)
    if component is EdgeOnDisk:
        values["n"] = FileValue(1.0, line, fixed=True)
    if component.profile in PROFILE_SHAPES:
        values = model_values(component.profile, values, line, findings, units.scale)
    return FilePart(component, line, values)


def _renumbered(lines):
    """Return lines of a component with the numbers of GALFIT 3.

    Up to GALFIT 2, axis ratio, angle and boxiness were numbers 8, 9 and 10. GALFIT 3 writes zeros
    as number 8.
    """
    words_8 = [words for _, key, words in lines if key == "8"]
    if not words_8 or words_8[0][:1] in ([], ["-"]) or _is_zero(words_8[0][0]):
        return lines
    newer = {"8": "9", "9": "10", "10": "C0"}
    return [(number, newer.get(key, key), words) for number, key, words in lines]


def _is_zero(word):
    """Whether a word is a number, and 0."""
    try:
        return float(word) == 0
    except ValueError:
        return False


def _values(line, names, words, findings):
    """Return number and whether it is fixed, by name, of a line of one or two parameters."""
    n = len(names)
    try:
        numbers = [float(word) for word in words[: 2 * n]]
        if len(numbers) not in (n, 2 * n):
            raise ValueError
    except ValueError:
        findings.error(line, f"{' '.join(words)!r}: {n} numbers and as many of 0 or 1 are needed")
        return {}
    flags = numbers[n:] or [1.0] * n
    return {name: (numbers[i], flags[i] == 0) for i, name in enumerate(names)}


def _check_shape(number, key, words, findings):
    """Find what changes a component by its shape."""
    text = _SHAPES.get(key[0].upper())
    if text is None or words[:1] in ([], ["none"]):
        return
    if key.upper() == "C0" and findings.number(number, words) == 0 and words[1:2] in ([], ["0"]):
        return
    findings.error(number, f"{text}, {key})")


def _note_sky(lines, findings):
    """Note what a file says of the sky, which is no part of a model."""
    for line, key, words in lines:
        if key not in ("1", "2", "3") or not words:
            continue
        value = findings.number(line, words)
        fixed = words[1:2] == ["0"]
        if key == "1" and (fixed or value != 0):
            how = 'use predict(sky="fixed")' if fixed else "a fit finds what is left of it"
            findings.note(line, f"the sky is {value:g}: subtract it, {how}")
        elif key != "1" and (not fixed or value != 0):
            findings.note(line, 'the sky has a slope: use predict(sky="plane")')


def _note_header(header, parts, findings):
    """Note what a header says of a PSF and of a region, which are other arguments."""
    finer = _number(header.get("E"), findings)
    if finer is not None and finer != 1:
        text = f"the PSF is oversampled: use predict(psf_oversampling={finer:g})"
        findings.note(header["E"][0], text)
    line, region = header.get("H", (0, []))
    starts = {"x_0": region[:1], "y_0": region[2:3]}
    for axis, start in starts.items():
        held = [part.values[axis] for part in parts.values()]
        known = any(value.fixed or value.limits is not None for value in held)
        if known and start not in ([], ["1"]):
            text = f"{axis} is of the whole image, not of the region H): pass the whole image"
            findings.note(line, text)


def _constraints_path(header, path):
    """Return the path of the constraint file, None where there is none."""
    words = header.get("G", (0, []))[1]
    if not words or words[0].lower() == "none":
        return None
    return Path(path).parent / words[0]


def _constrain(path, names, parts, findings, units):
    """Read a constraint file: add limits to components, and return what is tied."""
    tied = []
    for line, text in read_lines(path).items():
        words = text.split()
        name = _OF_CONSTRAINTS.get(words[1].lower()) if len(words) > 2 else None
        numbers = [int(word) for word in re.findall(r"\d+", words[0])]
        constraint = f"{text!r} of {path.name}"
        if not set(numbers) & set(parts):
            _note_unused(constraint, numbers, names, line, findings)
        elif not set(numbers) <= set(parts):
            findings.note(line, f"{constraint} is about a component that is not chosen")
        elif name is None:
            findings.error(line, f"{constraint} is no constraint of a model")
        elif len(numbers) == 1:
            _limit(parts[numbers[0]], name, words[2:], (line, constraint), findings, units)
        elif "_" in words[0] and words[2] in ("offset", "ratio"):
            tied += _tie(parts, numbers, name, (line, constraint), findings)
        else:
            findings.error(line, f"{constraint}: parameters can only be equal")
    return tied


def _note_unused(constraint, numbers, names, line, findings):
    """Note a constraint of a sky, or of no component; those of other galaxies say nothing here."""
    missing = [number for number in numbers if not 0 < number <= len(names)]
    if missing or not numbers:
        findings.note(line, f"{constraint}: there are {counted(len(names), 'component')}")
    elif all(names[number - 1] == "sky" for number in numbers):
        findings.note(line, f"{constraint} is about the sky, which is not part of a model")


def _limit(part, name, words, where, findings, units):
    """Give limits to a parameter: values, or distances from where it starts."""
    line, constraint = where
    known = part.values.get(name)
    if known is None and part.component.profile in PROFILE_SHAPES:
        findings.note(line, f"{constraint}: limits of {part.kind} are not part of a model")
        return
    try:
        low, high = (float(word) for word in words if word != "to")
    except ValueError:
        findings.error(line, f"{constraint}: two numbers are needed")
        return
    if known is None or known.fixed:
        return
    component = part.of_file or part.component
    if name == "theta":
        if high - low < 180:
            findings.note(line, f"{constraint}: limits of an angle are not part of a model")
        return
    if "to" in words:
        low = units.convert(name, low, component)
        high = units.convert(name, high, component)
    else:
        unit = units.convert(name, 1.0, component) - units.convert(name, 0.0, component)
        low = known.value + low * unit
        high = known.value + high * unit
    part.values[name] = FileValue(known.value, known.line, known.fixed, (low, high))


def _tie(parts, numbers, name, where, findings):
    """Return the parameter that two components have together."""
    line, constraint = where
    if len(numbers) != 2:
        return []  # more than a model has, which is an error of its own
    both = [parts[number].values.get(name) for number in numbers]
    if name in ("x_0", "y_0"):
        return []  # a model has one center
    if None in both or not np.isclose(both[0].value, both[1].value):
        findings.error(line, f"{constraint}: parameters can be tied to be equal, and start so")
        return []
    return [name]
