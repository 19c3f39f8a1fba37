"""A small survey image of galaxies and stars drawn by GalSim, and its truth."""

from functools import cache

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty

from helpers import sky
from helpers.stars import draw_star

SIDE, NOISE, SCALE, ZEROPOINT, ROTATION = 400, 2.0, 0.1, 25.0, 25.0
SPACING = 57


def profile(fwhm=3.0):
    """A star with the response of the pixel, in pixels."""
    return galsim.Convolve(galsim.Moffat(3.5, fwhm=fwhm), galsim.Pixel(1.0))


@cache
def star(fwhm=3.0, *, oversampling=1):
    side = 40 * oversampling + 1
    return draw_star(galsim.Moffat(3.5, fwhm=fwhm), (side, side), oversampling=oversampling)


def truth_table(seed=2):
    """Galaxies and stars (``r_eff`` 0) far from each other, but for the last two."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(49)[:22]
    rows = []
    for number, cell in enumerate(cells):
        x, y = 28.5 + SPACING * np.array(divmod(cell, 7)) + rng.uniform(-6, 6, 2)
        row = {"x_0": x, "y_0": y, "flux": 10 ** rng.uniform(3.3, 4.3)}
        row |= {"r_eff": 10 ** rng.uniform(0.3, 0.75), "n": rng.uniform(0.7, 2.5)}
        row |= {"q": rng.uniform(0.3, 0.9), "theta": rng.uniform(-90, 90)}
        rows.append(row | ({"r_eff": 0.0} if number < 4 else {}))
    rows[-1] |= {"flux": 9000.0, "r_eff": 3.0}
    rows.append(rows[-1] | {"x_0": rows[-1]["x_0"] + 9, "y_0": rows[-1]["y_0"] + 7, "flux": 6000.0})
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def render(truth, shape=(SIDE, SIDE), *, fwhm=3.0):
    """The image without sky and noise; ``fwhm`` may be a function of x and y."""
    image = galsim.ImageD(*shape[::-1])
    for row in np.arange(len(truth["flux"])):
        one = {name: float(values[row]) for name, values in truth.items()}
        light = profile(fwhm(one["x_0"], one["y_0"]) if callable(fwhm) else fwhm)
        if one["r_eff"] > 0:
            radius = one["r_eff"] * np.sqrt(one["q"])
            galaxy = galsim.Sersic(one["n"], half_light_radius=radius)
            galaxy = galaxy.shear(q=one["q"], beta=one["theta"] * galsim.degrees)
            light = galsim.Convolve(galaxy, light)
        x, y = (int(np.floor(one[name] + 0.5)) for name in ("x_0", "y_0"))
        options = {"scale": 1, "method": "no_pixel", "offset": (one["x_0"] - x, one["y_0"] - y)}
        stamp = (one["flux"] * light).drawImage(nx=257, ny=257, **options)
        stamp.setCenter(x + 1, y + 1)
        bounds = stamp.bounds & image.bounds
        image[bounds] += stamp[bounds]
    return image.array


def make_wcs():
    """A rotated tangential projection, east to the left of north."""
    middle = [SIDE / 2, SIDE / 2]
    angle = np.radians(ROTATION)
    return sky.make_wcs(scale=SCALE, angle=angle, crval=[150, 2], crpix=middle, linear="CD")


def make_field(image, *, seed=1, **changes):
    """The image with noise, a sloping sky, masked columns, WCS and zero point."""
    y, x = np.indices(image.shape)
    noise = NOISE * np.random.default_rng(seed).normal(size=image.shape)
    mask = np.zeros(image.shape, bool)
    mask[:, 199:201] = True
    arguments = {
        "unit": "adu",
        "uncertainty": StdDevUncertainty(np.full(image.shape, NOISE)),
        "mask": mask,
        "wcs": make_wcs(),
        "meta": {"MAGZP": ZEROPOINT},
        "psf": star(),
    }
    return CCDData(image + 80 + 0.01 * x - 0.005 * y + noise, **(arguments | changes))
