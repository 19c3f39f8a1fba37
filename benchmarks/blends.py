"""How much the light of a neighbor biases the measurement: pairs of galaxies in survey images.

::

    python -m benchmarks.blends docs/_static/measure

Pairs of galaxies of similar flux (within a factor of 4), drawn by GalSim, are placed at a given
distance from each other on the cells of a field. They are detected, deblended and measured by
`sersicnet.measure` as in any survey image. The first rows have the same galaxies without their
neighbors.
"""

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table

from benchmarks.common.command import make_parser
from benchmarks.common.tables import NMAD_FACTOR, print_table, write_rounded
from sersicnet import Flags, SersicNet
from sersicnet.measure import measure_image
from sersicnet.simulate_catalog import render_model

# Side of the cell of a pair, in pixels.
CELL = 150
# Cells along a side of a field.
N_SIDE = 6
SEED = 51
# Distances between the two galaxies of a pair, in pixels.
SEPARATIONS = (6, 9, 12, 16, 24, 40)
# Largest distance between a galaxy and its detection, in pixels.
LARGEST_OFFSET = 2.5
UNITS = {"pixel_scale": 1.0, "zeropoint": 25.0}
# Options of `measure_image` for each row of a distance.
CODES = {
    "network": {},
    "lm, once": {"refine": "lm", "n_passes": 1},
    "lm": {"refine": "lm"},
}


def main(arguments=None):
    """Draw and measure the pairs, and write the table."""
    parser = make_parser(__doc__)
    text = "fields of 36 pairs, for each distance, by default 3"
    parser.add_argument("--n-fields", type=int, default=3, help=text)
    options = parser.parse_args(arguments)
    net = SersicNet.from_pretrained()
    psf = draw_psf()
    rows = []
    for separation in (None, *SEPARATIONS):
        fields = [_make_field(psf, separation, i) for i in range(options.n_fields)]
        for code, settings in CODES.items():
            errors = []
            for field, truth in fields:
                table = measure_image(field, psf=psf, net=net, **UNITS, **settings)
                errors += [_compare(table, galaxy) for galaxy in truth]
            row = {"distance": str(separation or "alone"), "code": code}
            rows.append(row | _summary(np.array(errors, float)))
    table = Table(rows=rows)
    write_rounded(table, options.output / "blends.csv", decimals=3)
    print_table(table)


def draw_psf():
    """Return the stamp of a Moffat PSF with a FWHM of 3 pixels."""
    profile = galsim.Convolve(galsim.Moffat(3.5, fwhm=3.0), galsim.Pixel(1.0))
    return profile.drawImage(nx=61, ny=61, scale=1, method="no_pixel").array


def _make_field(psf, separation, number):
    """Return a field and the galaxies in it."""
    rng = np.random.default_rng([SEED, number])
    cells = [_draw_pair(rng, separation) for _ in range(N_SIDE**2)]
    image = np.zeros((N_SIDE * CELL, N_SIDE * CELL))
    truth = []
    for place, pair in enumerate(cells):
        row, column = divmod(place, N_SIDE)
        top = CELL * row
        left = CELL * column
        for galaxy in pair:
            drawn = render_model(galaxy, (CELL, CELL), psf=psf, **UNITS)
            image[top : top + CELL, left : left + CELL] += drawn
            truth.append(galaxy | {"x_0": galaxy["x_0"] + left, "y_0": galaxy["y_0"] + top})
    data = image + np.random.default_rng([SEED, number, 1]).normal(size=image.shape)
    noise = StdDevUncertainty(np.ones(image.shape))
    return CCDData(data, unit="adu", uncertainty=noise), truth


def _draw_pair(rng, separation):
    """Draw the two galaxies of a cell; without a separation, only the first is returned."""
    angle = rng.uniform(0, 2 * np.pi)
    middle = (CELL - 1) / 2 + rng.uniform(-0.5, 0.5, 2)
    flux = 10 ** rng.uniform(2.8, 4.2)
    half = 0.0 if separation is None else separation / 2
    pair = []
    for sign in (-1, 1):
        galaxy = {
            "mag": UNITS["zeropoint"] - 2.5 * np.log10(flux * 2 ** rng.uniform(-1, 1)),
            "r_eff": 10 ** rng.uniform(0.3, 0.8),
            "n": rng.uniform(0.6, 3.5),
            "q": rng.uniform(0.3, 1),
            "theta": rng.uniform(-90, 90),
        }
        galaxy["x_0"] = middle[0] + sign * half * np.cos(angle)
        galaxy["y_0"] = middle[1] + sign * half * np.sin(angle)
        pair.append(galaxy)
    if separation is None:
        return pair[:1]
    return pair


def _compare(table, galaxy):
    """Compare a galaxy with its detection.

    Returns
    -------
    tuple of 6
        Whether it was found, whether it is flagged as blended and as a misfit, error of the
        magnitude, that error in units of the quoted one, and error of log r_eff.
    """
    distance = np.hypot(
        table["x_centroid"].value - galaxy["x_0"], table["y_centroid"].value - galaxy["y_0"]
    )
    if distance.min() > LARGEST_OFFSET:
        return False, *[np.nan] * 5
    row = table[distance.argmin()]
    flags = int(row["flags"])
    mag = row["mag"].value - galaxy["mag"]
    return (
        True,
        bool(flags & Flags.BLENDED),
        bool(flags & Flags.MISFIT),
        mag,
        mag / row["mag_err"].value,
        np.log10(row["r_eff"].value / galaxy["r_eff"]),
    )


def _summary(rows):
    """Summarize the rows of `_compare`."""
    found, blended, misfit, mag, pull, size = rows.T
    there = found.astype(bool)
    summary = {
        "galaxies": len(rows),
        "found": found.mean(),
        "BLENDED": blended[there].mean(),
        "MISFIT": misfit[there].mean(),
    }
    for name, error in (("mag", mag[there]), ("log r_eff", size[there])):
        middle = np.median(error)
        summary[f"{name} bias"] = middle
        summary[f"{name} scatter"] = NMAD_FACTOR * np.median(np.abs(error - middle))
    summary["mag: error / quoted"] = NMAD_FACTOR * np.median(np.abs(pull[there]))
    return summary


if __name__ == "__main__":
    main()
