"""Whether forced fluxes are unbiased, and their errors right, of galaxies that cannot be seen.

::

    python -m benchmarks.forced docs/_static/forced --cache build/forced
    python -m benchmarks.forced docs/_static/forced --cache build/forced --free-position -n 2

GalSim draws images of white noise with galaxies of a S/N of 1 to 5, and as many places without one,
alone and in pairs that are 3 to 8 pixels apart. Sizes, shapes and positions are known; fluxes are
measured by `~sersicnet.measure.measure_image` with ``fixed="shape"``. ``forced.csv`` has mean and
scatter of the errors in units of the quoted ones, with the counting errors of both.

``--free-position``: catalogs are off by as much as the prior of positions says, which are fitted as
well, of galaxies of a S/N of 1 to 100. ``free_position.csv`` has the mean error of fluxes and
both of x.
"""

from itertools import pairwise

import astropy.units as u
import galsim
import numpy as np
import torch
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable, vstack

from benchmarks.common.command import add_cache, add_count, make_parser
from benchmarks.common.pickled import pickled
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.sets.psfs import draw_star
from sersicnet.measure import measure_image

# Pixels from one place to the next, and places on a side of an image.
SPACING = 48
PLACES = 24
SNR = (1.0, 5.0)
# S/N with free positions, and the width of their priors in pixels.
FREE_SNR = (1.0, 3.0, 5.0, 10.0, 30.0, 100.0)
WIDTHS = (0.5,)
# Distance of the galaxies of pairs in pixels.
APART = (3.0, 8.0)
PSF = galsim.Moffat(3.5, fwhm=3.0)
PSF_SIZE = 41
ZEROPOINT = 31.4
PIXEL_SCALE = 0.1
# Pixels on a side of the stamps that galaxies are drawn on.
STAMP = 96
MEASURING = {
    "psf": draw_star(PSF, 1, (PSF_SIZE, PSF_SIZE)),
    "pixel_scale": PIXEL_SCALE,
    "zeropoint": ZEROPOINT,
    "background_box": None,
    "noise_correlation": None,
}


def main(arguments=None):
    """Measure the images, and write the table."""
    parser = make_parser(__doc__)
    add_count(parser, "images of galaxies alone, and half as many of pairs", default=18)
    add_cache(parser, "fluxes of each image")
    parser.add_argument("--seed", type=int, default=201)
    parser.add_argument("--places", type=int, default=PLACES, help="places on a side of an image")
    parser.add_argument("--free-position", action="store_true", help="fit positions as well")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.free_position:
        write_free(options)
        return
    rows = []
    for kind, n_images in (("alone", options.n), ("pairs", max(1, options.n // 2))):
        tables = []
        for number in range(n_images):
            name = f"{kind}-{options.seed}-{number}-{options.places}"
            seeds = (kind, options.seed, number, options.places)
            tables.append(pickled(options.cache, name, measure_one, *seeds))
        rows += pull_rows(kind, vstack(tables, metadata_conflicts="silent"))
    table = QTable(rows=rows)
    write_rounded(table, options.output / "forced.csv", decimals=3)
    print_table(table)


def measure_one(kind, seed, number, places):
    """Draw one image, and measure the fluxes of its places.

    Parameters
    ----------
    kind : {'alone', 'pairs'}
        Whether there is one galaxy at a place, or two.
    seed, number : int
        Seed of all, and number of the image.
    places : int
        Places on a side.

    Returns
    -------
    `~astropy.table.QTable`
        ``true_flux``, ``flux`` and ``flux_err``.
    """
    rng = np.random.default_rng([seed, number, kind == "pairs"])
    truth = draw_truth(kind, rng, places)
    image = draw_image(truth, rng, places * SPACING)
    table = measure_image(image, catalog=truth, fixed="shape", **MEASURING)
    found = QTable(table["flux", "flux_err"])
    found["true_flux"] = truth["flux"] * u.nJy
    return found


def write_free(options):
    """Measure images with free positions, and write the table."""
    rows = []
    for width in WIDTHS:
        tables = []
        for number in range(options.n):
            name = f"free-{width}-{options.seed}-{number}-{options.places}"
            seeds = (width, options.seed, number, options.places)
            tables.append(pickled(options.cache, name, measure_free, *seeds))
        rows += free_rows(width, vstack(tables, metadata_conflicts="silent"))
    table = QTable(rows=rows)
    write_rounded(table, options.output / "free_position.csv", decimals=3)
    print_table(table)


def measure_free(width, seed, number, places):
    """Draw one image, and measure fluxes and positions, which the catalog has with errors.

    Parameters
    ----------
    width : float
        Width of the prior of positions in pixels.
    seed, number, places
        As in `measure_one`.

    Returns
    -------
    `~astropy.table.QTable`
        ``true_flux``, ``flux``, ``flux_err``, ``snr`` and ``pull_x``.
    """
    rng = np.random.default_rng([seed, number, 2])
    truth = draw_truth("alone", rng, places)
    low, high = np.log10([FREE_SNR[0], FREE_SNR[-1]])
    shown = truth["snr"] > 0
    truth["snr"][shown] = 10 ** rng.uniform(low, high, shown.sum())
    image = draw_image(truth, rng, places * SPACING)
    catalog = truth.copy()
    own = np.sqrt(width**2 - (0.05 / PIXEL_SCALE) ** 2)
    for axis in "xy":
        catalog[f"{axis}_0"] += rng.normal(0, width, len(truth)) * u.pix
        catalog[f"{axis}_0_err"] = own * u.pix
    options = MEASURING | {"fixed": ("r_eff", "n", "q", "theta"), "catalog": catalog}
    table = measure_image(image, **options)
    found = QTable(table["flux", "flux_err"])
    found["true_flux"] = truth["flux"] * u.nJy
    found["snr"] = truth["snr"]
    found["pull_x"] = (table["x_0"] - truth["x_0"]) / table["x_0_err"]
    return found


def draw_truth(kind, rng, places):
    """Return the catalog of an image: half of the galaxies have no flux."""
    y, x = np.mgrid[:places, :places] * SPACING + (SPACING - 1) / 2
    x = x.ravel() + rng.uniform(-4, 4, x.size)
    y = y.ravel() + rng.uniform(-4, 4, y.size)
    if kind == "pairs":
        distance = rng.uniform(*APART, x.size)
        angle = rng.uniform(0, 2 * np.pi, x.size)
        x = np.concatenate([x, x + distance * np.cos(angle)])
        y = np.concatenate([y, y + distance * np.sin(angle)])
    n = len(x)
    truth = QTable({"x_0": x * u.pix, "y_0": y * u.pix})
    truth["r_eff"] = rng.uniform(1, 5, n) * PIXEL_SCALE * u.arcsec
    truth["n"] = rng.uniform(0.5, 4, n)
    truth["q"] = rng.uniform(0.3, 1, n)
    truth["theta"] = rng.uniform(-90, 90, n) * u.deg
    truth["snr"] = np.where(rng.random(n) < 0.5, 0.0, rng.uniform(*SNR, n))
    return truth


def draw_image(truth, rng, side):
    """Draw the galaxies of a catalog in noise of 1, and put their fluxes into it."""
    data = rng.standard_normal((side, side))
    image = galsim.ImageD(data, xmin=0, ymin=0)
    star = galsim.Convolve(PSF, galsim.Pixel(1.0))
    fluxes = np.zeros(len(truth))
    for number, row in enumerate(truth):
        if row["snr"] == 0:
            continue
        radius = row["r_eff"].value / PIXEL_SCALE * np.sqrt(row["q"])
        galaxy = galsim.Sersic(row["n"], half_light_radius=radius)
        galaxy = galaxy.shear(q=row["q"], beta=row["theta"].value * galsim.degrees)
        light = galsim.Convolve(galaxy, star)
        x = int(np.floor(row["x_0"].value + 0.5))
        y = int(np.floor(row["y_0"].value + 0.5))
        offset = (row["x_0"].value - x, row["y_0"].value - y)
        stamp = light.drawImage(
            nx=STAMP + 1, ny=STAMP + 1, scale=1, method="no_pixel", offset=offset
        )
        fluxes[number] = row["snr"] / np.sqrt(np.sum(stamp.array**2))
        stamp *= fluxes[number]
        stamp.setCenter(x, y)
        bounds = stamp.bounds & image.bounds
        image[bounds] += stamp[bounds]
    truth["flux"] = fluxes
    return CCDData(image.array, unit="", uncertainty=StdDevUncertainty(np.ones_like(data)))


def pull_rows(kind, table):
    """Return the rows of the table of a kind: of places without and with a galaxy."""
    pull = ((table["flux"] - table["true_flux"]) / table["flux_err"]).value
    empty = table["true_flux"] == 0
    rows = []
    for name, chosen in (("nothing", empty), ("S/N 1 to 5", ~empty)):
        n = int(chosen.sum())
        row = {"galaxies": kind, "there is": name, "n": n}
        row |= {"mean": pull[chosen].mean(), "mean_err": n**-0.5}
        row |= {"scatter": pull[chosen].std(), "scatter_err": (2 * n) ** -0.5}
        rows.append(row)
    return rows


def free_rows(width, table):
    """Return the rows of the table with free positions: of places without a galaxy, and by S/N."""
    error = (table["flux"] - table["true_flux"]).value
    pull = error / table["flux_err"].value
    snr = np.asarray(table["snr"])
    rows = []
    for low, high in ((0.0, 0.0), *pairwise(FREE_SNR)):
        chosen = (snr >= low) & (snr < high) if high else snr == 0
        n = int(chosen.sum())
        if n == 0:
            continue
        row = {"prior (pixels)": width, "S/N": f"{low:g} to {high:g}" if high else "0", "n": n}
        row |= {"mean": pull[chosen].mean(), "mean_err": n**-0.5}
        row |= {"scatter": pull[chosen].std(), "scatter_err": (2 * n) ** -0.5}
        row["flux / true - 1"] = np.nan
        if high:
            row["flux / true - 1"] = np.mean(error[chosen] / table["true_flux"].value[chosen])
        row["scatter of x"] = np.asarray(table["pull_x"])[chosen].std()
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
