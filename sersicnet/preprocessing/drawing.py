"""Models of galaxies in the pixels and units of their cutouts."""

from dataclasses import replace

import numpy as np
from astropy.modeling.models import Gaussian2D, Sersic2D

from sersicnet.model.labels import LOG_FLUX, stack_labels
from sersicnet.model.profile_models import profile2d
from sersicnet.model.sersic_light import sersic_area
from sersicnet.parameters import ALL_PARAMETERS, PARAMETERS, PIXEL_SHAPE
from sersicnet.preprocessing.part_models import PartModels
from sersicnet.profile_shapes import PROFILE_SHAPES, parameters_of

__all__ = ["draw_model", "draw_parts", "parts2d", "sersic2d", "shown_parts"]

# Pixels of the PSF on the longer side of the largest image that is drawn, which takes 3 GB.
_MOST_PIXELS = 5000
# Standard deviation of the Gaussian that stands in for a point source, in pixels: it makes a PSF
# with a FWHM of 2 pixels wider by 0.7 %.
_POINT_WIDTH = 0.1
_OF_SERSIC = ("mag", "r_eff", "n", "q", "theta")


def draw_model(values, frame, psfs, shape):
    """Draw a galaxy in the pixels and the unit of its cutout.

    Parameters
    ----------
    values : dict of float
        The seven parameters, in the units of `~sersicnet.parameters.PARAMETERS`.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the galaxy's stamp.
    psfs : `~sersicnet.model.PSFs`
        Its PSF.
    shape : (int, int)
        Numbers of rows and columns of the cutout.

    Returns
    -------
    (ny, nx) `~numpy.ndarray`

    Raises
    ------
    ValueError
        If the image is too large.
    """
    pixels = _pixels(frame, psfs, shape)
    columns = {name: np.array([value], dtype=float) for name, value in values.items()}
    labels = stack_labels(pixels.to_labels(columns, tuple(PARAMETERS)))
    labels[:, LOG_FLUX] += psfs.log_light
    return _drawn(labels[0], psfs, shape)


def draw_parts(posterior, frame, psfs, shape, *, component=None, known=()):
    """Draw a galaxy of several parts in the pixels and the unit of its cutout.

    Parameters
    ----------
    posterior : `~sersicnet.inference.FitDensity`
        Fit of one galaxy.
    frame, psfs, shape
        As in `draw_model`.
    component : str, optional
        Name of the part to draw, by default all.
    known : dict, optional
        Parameters that the user gives, which parts cannot have.

    Returns
    -------
    (ny, nx) `~numpy.ndarray`

    Raises
    ------
    ValueError
        If there is no such part, parameters are given, or the image is too large.
    """
    posterior = getattr(posterior, "winner", posterior)
    if known:
        msg = f"{', '.join(known)}: the parts have the parameters that were fitted"
        raise ValueError(msg)
    names = _names(getattr(posterior, "parts", None), component)
    parts = PartModels.of(posterior, frame, psfs)
    if component is not None:
        parts = parts.of_part(names.index(component))
    moved = parts.on(_pixels(frame, psfs, shape))
    return _drawn(moved.labels[0], psfs, shape, profiles=moved.profiles)


def shown_parts(posterior):
    """Return name and profile of each part of one galaxy, as pictures show it.

    Parameters
    ----------
    posterior : `~sersicnet.inference.FitDensity` or one over several models
        Posterior of one galaxy.

    Returns
    -------
    tuple
        Empty for one Sersic profile.
    """
    posterior = getattr(posterior, "winner", posterior)
    return getattr(posterior, "parts", None) or ()


def _names(parts, component):
    """Return the names of the parts of a galaxy, if that of one that is wanted is among them."""
    names = [name for name, _ in parts or ()]
    if component not in (None, *names):
        there = f"there are the parts {', '.join(names)}" if names else "one profile has no parts"
        msg = f"component={component!r}: {there}"
        raise ValueError(msg)
    return names


def _replaced(values, known, names):
    """Return parameters of parts, some of them replaced.

    Those of the whole may be there beside those of its parts, as in samples.
    """
    known_names = {*values, *PARAMETERS, *PIXEL_SHAPE}
    for name in known:
        of_parts = {f"{name}_{part}" for part in names} & set(values)
        lacks_parts = of_parts and not of_parts & set(known)
        if lacks_parts or name not in known_names:
            possible = ", ".join(_parameters(values, names))
            msg = f"{name} is no parameter of parts: there are {possible}"
            raise ValueError(msg)
    return values | known


def _parameters(values, names):
    """Return the names of the parameters of parts and of their center."""
    found = []
    for part in names:
        for name in ALL_PARAMETERS:
            if f"{name}_{part}" in values:
                found.append(f"{name}_{part}")
    return [*found, "x_0", "y_0"]


def _drawn(labels, psfs, shape, **options):
    """Render labels in the units of an image."""
    from sersicnet.model.render import render_image  # which imports torch

    return render_image(labels, psfs, shape, **options)


def _pixels(frame, psfs, shape):
    """Return the units of the image of a galaxy, if it is not too large to draw."""
    if psfs.oversampling * max(shape) > _MOST_PIXELS:
        msg = (
            f"cutout of {shape} pixels, with a PSF oversampled by {psfs.oversampling}, is too "
            "large to draw: sersicnet.measure.write_field_model draws large images"
        )
        raise ValueError(msg)
    middle = np.full(1, (max(shape) - 1) / 2)
    one = np.ones(1)
    return replace(frame, noise_level=one, bins=one, x_middle=middle, y_middle=middle)


def sersic2d(values, *, zeropoint, pixel_scale):
    """Make a model of `astropy.modeling` from the parameters of a galaxy.

    Parameters
    ----------
    values : dict of float or array
        The seven parameters, in the units of `~sersicnet.parameters.PARAMETERS`.
    zeropoint, pixel_scale : float
        AB magnitude of a flux of 1 in the cutout, and arcsec per pixel.

    Returns
    -------
    `~astropy.modeling.functional_models.Sersic2D`
        In pixels of the cutout and in its unit; the amplitude is the surface brightness at
        ``r_eff`` (Graham & Driver 2005, PASA 22, 118, eq. 4).
    """
    flux = 10 ** (-0.4 * (values["mag"] - zeropoint))
    r_eff = values["r_eff"] / pixel_scale
    n = values["n"]
    q = values["q"]
    return Sersic2D(
        amplitude=flux / sersic_area(r_eff, n, q),
        r_eff=r_eff,
        n=n,
        x_0=values["x_0"],
        y_0=values["y_0"],
        ellip=1 - q,
        theta=np.radians(values["theta"]),
    )


def parts2d(values, parts, frame, *, component=None, known=None):
    """Make a model of `astropy.modeling` from the parameters of the parts of a galaxy.

    Parameters
    ----------
    values : dict of float or array
        Parameters on the sky by the names of columns, such as ``mag_bulge`` and ``x_0``.
    parts : sequence of (str, str)
        Name and profile of each part.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the galaxy.
    component : str, optional
        Name of the part that is wanted, by default all.
    known : dict of float or array, optional
        Parameters of parts, or of the center, that replace values.

    Returns
    -------
    `~astropy.modeling.CompoundModel`, or one `~astropy.modeling.Model`
        The sum of the parts by their names, each as `sersic2d` makes it, and a point source as
        a narrow `~astropy.modeling.functional_models.Gaussian2D` of its light, fixed in shape; of
        another profile, what `~sersicnet.model.profile_models.profile2d` makes.

    Raises
    ------
    ValueError
        If there is no such part, or nothing can be replaced.
    """
    names = _names(parts, component)
    values = _replaced(values, known or {}, names)
    wanted = names if component is None else [component]
    models = []
    for part, profile in parts:
        if part not in wanted:
            continue
        own = {name: values[name] for name in ("x_0", "y_0")}
        if profile == "point":
            own["mag"] = values.get(f"mag_{part}", values.get("mag"))
            model = _point2d(own, frame.zeropoint)
        elif profile in PROFILE_SHAPES:
            ending = f"_{part}" if len(parts) > 1 else ""
            own |= {name: values[f"{name}{ending}"] for name in parameters_of(profile)}
            own = frame.in_pixels(own)
            flux = 10 ** (-0.4 * (own["mag"] - frame.zeropoint))
            model = profile2d(profile, own, flux=flux, r_eff=own["r_eff"] / frame.pixel_scale)
        else:
            own |= {name: values[f"{name}_{part}"] for name in _OF_SERSIC}
            own = frame.in_pixels(own)
            model = sersic2d(own, zeropoint=frame.zeropoint, pixel_scale=frame.pixel_scale)
        model.name = part
        models.append(model)
    return sum(models[1:], start=models[0])


def _point2d(values, zeropoint):
    """Make the stand-in for a point source, as `~sersicnet.fitter.SersicNetFitter` takes it."""
    flux = 10 ** (-0.4 * (values["mag"] - zeropoint))
    return Gaussian2D(
        amplitude=flux / (2 * np.pi * _POINT_WIDTH**2),
        x_mean=values["x_0"],
        y_mean=values["y_0"],
        x_stddev=_POINT_WIDTH,
        y_stddev=_POINT_WIDTH,
        theta=0.0,
        fixed={"x_stddev": True, "y_stddev": True, "theta": True},
    )
