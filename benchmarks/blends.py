"""What the light of a neighbor costs: pairs of galaxies through `sersicnet.measure`.

::

    python -m benchmarks.blends docs/_static/measure

Two galaxies of similar flux (within a factor of 4), drawn by GalSim, are put at some distance from
each other on the tiles of a field, found, told apart and measured as in any survey image. The
first rows have the same galaxies without their neighbors.
"""

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table

from benchmarks.common.command import parser_of
from benchmarks.common.tables import write_rounded
from sersicnet import SersicNet
from sersicnet.flags import Flags
from sersicnet.measure.image import measure_image
from sersicnet.simulate_catalog.render import render_model

CELL, N_SIDE, SEED = 150, 6, 51
SEPARATIONS = (6, 9, 12, 16, 24, 40)
UNITS = {"pixel_scale": 1.0, "zeropoint": 25.0}
CODES = {
    "network": {},
    "lm, once": {"refine": "lm", "n_passes": 1},
    "lm": {"refine": "lm"},
}


def main(arguments=None):
    """Draw, measure and write the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--n-fields", type=int, default=3, help="of 36 pairs, for each distance")
    options = parser.parse_args(arguments)
    net, psf = SersicNet.from_pretrained(), star()
    rows = []
    for separation in (None, *SEPARATIONS):
        fields = [_make_field(psf, separation, i) for i in range(options.n_fields)]
        for code, how in CODES.items():
            parts = [
                [_compare(table, one) for one in truth]
                for field, truth in fields
                for table in [measure_image(field, psf=psf, net=net, **UNITS, **how)]
            ]
            row = {"distance": str(separation or "alone"), "answer": code}
            rows.append(row | _summary(np.concatenate(parts)))
    table = Table(rows=rows)
    write_rounded(table, options.output / "blends.csv", decimals=3)
    print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")


def star():
    """A Moffat star with a FWHM of 3 pixels."""
    profile = galsim.Convolve(galsim.Moffat(3.5, fwhm=3.0), galsim.Pixel(1.0))
    return profile.drawImage(nx=61, ny=61, scale=1, method="no_pixel").array


def _make_field(psf, separation, number):
    """A field and the galaxies in it."""
    rng = np.random.default_rng([SEED, number])
    cells = [_draw_pair(rng, separation) for _ in range(N_SIDE**2)]
    image = np.zeros((N_SIDE * CELL, N_SIDE * CELL))
    truth = []
    for place, pair in enumerate(cells):
        top, left = CELL * np.array(divmod(place, N_SIDE))
        for one in pair:
            drawn = render_model(one, (CELL, CELL), psf=psf, **UNITS)
            image[top : top + CELL, left : left + CELL] += drawn
            truth.append(one | {"x_0": one["x_0"] + left, "y_0": one["y_0"] + top})
    data = image + np.random.default_rng([SEED, number, 1]).normal(size=image.shape)
    noise = StdDevUncertainty(np.ones(image.shape))
    return CCDData(data, unit="adu", uncertainty=noise), truth


def _draw_pair(rng, separation):
    """Two galaxies in a cell; of those that are to be alone, only the first is drawn."""
    angle, middle = rng.uniform(0, 2 * np.pi), (CELL - 1) / 2 + rng.uniform(-0.5, 0.5, 2)
    flux, pair = 10 ** rng.uniform(2.8, 4.2), []
    for sign in (-1, 1):
        one = {"mag": UNITS["zeropoint"] - 2.5 * np.log10(flux * 2 ** rng.uniform(-1, 1))}
        one |= {"r_eff": 10 ** rng.uniform(0.3, 0.8), "n": rng.uniform(0.6, 3.5)}
        one |= {"q": rng.uniform(0.3, 1), "theta": rng.uniform(-90, 90)}
        shift = 0.0 if separation is None else sign * separation / 2
        one["x_0"], one["y_0"] = middle + shift * np.array([np.cos(angle), np.sin(angle)])
        pair.append(one)
    return pair[:1] if separation is None else pair


def _compare(table, one):
    """Found, blended, misfit, error of the magnitude, over the quoted one, error of log r_eff."""
    distance = np.hypot(
        table["x_centroid"].value - one["x_0"], table["y_centroid"].value - one["y_0"]
    )
    row = table[distance.argmin()]
    if distance.min() > 2.5:
        return False, *[np.nan] * 5
    flags, mag = int(row["flags"]), row["mag"].value - one["mag"]
    size = np.log10(row["r_eff"].value / one["r_eff"])
    return (
        True,
        bool(flags & Flags.BLENDED),
        bool(flags & Flags.MISFIT),
        mag,
        mag / row["mag_err"].value,
        size,
    )


def _summary(rows):
    found, blended, misfit, mag, pull, size = rows.T
    there = found.astype(bool)
    summary = {"galaxies": len(rows), "found": found.mean()}
    summary |= {"BLENDED": blended[there].mean(), "MISFIT": misfit[there].mean()}
    for name, error in (("mag", mag[there]), ("log r_eff", size[there])):
        middle = np.median(error)
        summary[f"{name} bias"] = middle
        summary[f"{name} scatter"] = 1.4826 * np.median(np.abs(error - middle))
    summary["mag: error / quoted"] = 1.4826 * np.median(np.abs(pull[there]))
    return summary


if __name__ == "__main__":
    main()
