"""Input files of GALFIT with their constraint files, as they are written."""

from pathlib import Path

import numpy as np

from sersicnet.model.galfit import COMPONENTS, FACTORS, PARAMETERS
from sersicnet.model.native_profiles import held_natives, native_values
from sersicnet.model.sersic_light import HALF_LIGHT
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["galfit_text"]

_IN_CONSTRAINTS = {"mag": "mag", "r_eff": "re", "n": "n", "q": "q", "theta": "pa"}
_IN_CONSTRAINTS |= {"x_0": "x", "y_0": "y"}


def galfit_text(parts, units, *, files, sky=None, ties=(), limits=()):
    """Write an input file of GALFIT and its constraints.

    Parameters
    ----------
    parts : list of (str, dict, set)
        For each component its GALFIT name, its parameters (``x_0``, ``y_0``, ``mag``, ``r_eff`` in
        pixels, ``n``, ``q``, ``theta``), and the names of those that are fixed.
    units : dict
        ``shape``, ``zeropoint`` and ``pixel_scale`` of the image, and how many pixels of the PSF
        stand on a side of one of the image (``psf_oversampling``, by default 1).
    files : dict of str
        Names of ``image``, ``sigma``, ``psf``, ``mask`` and ``constraints``.
    sky : float, optional
        Level of the sky.
    ties : sequence of str
        Parameters that the first two components have together.
    limits : sequence of dict, optional
        For each component the lowest and highest value of parameters, by their names.

    Returns
    -------
    text, constraints : str
        Contents of both files, the second one empty where nothing is constrained.
    """
    ny, nx = units["shape"]
    scale = units["pixel_scale"]
    lines = [
        f"A) {files['image']}  # image",
        f"B) {Path(files['image']).stem}_out.fits  # output",
        f"C) {files['sigma']}  # noise map",
        f"D) {files['psf']}  # PSF",
        f"E) {units.get('psf_oversampling', 1)}  # oversampling of the PSF",
        f"F) {files['mask']}  # mask",
        f"G) {files['constraints']}  # constraints",
        f"H) 1 {nx} 1 {ny}  # pixels that are fitted",
        f"I) {nx} {ny}  # size of the convolution box",
        f"J) {units['zeropoint']:.6f}  # zero point of one unit of the data",
        f"K) {scale:.6f} {scale:.6f}  # arcsec per pixel",
        "O) regular",
        "P) 0",
    ]
    for kind, values, fixed in parts:
        lines += ["", *_written(kind, values, fixed, units)]
    if sky is not None:
        lines += ["", "0) sky", f"1) {sky:.6g} 1", "2) 0 0", "3) 0 0", "Z) 0"]
    constraints = ""
    if len(parts) > 1:
        for name in ("x_0", "y_0", *ties):
            how = "ratio" if name == "r_eff" else "offset"
            constraints += f"1_2 {_IN_CONSTRAINTS[name]} {how}\n"
    for number, ((kind, _, _), known) in enumerate(zip(parts, limits, strict=False), start=1):
        for name, (low, high) in known.items():
            low, high = _in_galfit(kind, name, low), _in_galfit(kind, name, high)
            constraints += f"{number} {_IN_CONSTRAINTS[name]} {low:.8g} to {high:.8g}\n"
    return "\n".join(lines) + "\n", constraints


def _in_galfit(kind, name, value):
    """Convert a value in pixels from 0, half-light radii and angles from +x to that of GALFIT."""
    match name:
        case "x_0" | "y_0":
            return value + 1
        case "theta":
            return (value - 90) % 180
        case "r_eff" if kind == "expdisk":
            return value / HALF_LIGHT
        case _:
            return value


def _written(kind, values, fixed, units):
    """Write the lines of a component."""
    own = {"theta": 0.0} | values
    own = {name: _in_galfit(kind, name, value) for name, value in own.items()}
    component = COMPONENTS[kind]
    if component.profile in PROFILE_SHAPES:
        own |= _natives(kind, component.profile, values, units)
        fixed = fixed | held_natives(component.profile, fixed) | {"inner"}
    flags = {name: int(name not in fixed) for name in own}
    x, y = own["x_0"], own["y_0"]
    lines = [f"0) {kind}", f"1) {x:.6f} {y:.6f} {flags['x_0']} {flags['y_0']}"]
    for key, name in PARAMETERS[component].items():
        lines.append(f"{key}) {own[name]:.8g} {flags[name]}  # {name}")
    return [*lines, "Z) 0"]


def _natives(kind, profile, values, units):
    """Return the numbers that GALFIT has for a profile."""
    if profile == "edge_on" and values["sech_power"] != 2:
        msg = f"sech_power={values['sech_power']:.3g}: {kind} of GALFIT has 2, that of sech squared"
        raise ValueError(msg)
    found = native_values(profile, values)
    light = found["center"] / units["pixel_scale"] ** 2
    found["brightness"] = units["zeropoint"] - 2.5 * np.log10(light)
    for name in FACTORS.keys() & found.keys():
        found[name] = found[name] * FACTORS[name]
    return found
