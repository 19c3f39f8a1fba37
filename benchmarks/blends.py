"""How much the light of a neighbor biases the measurement: pairs of galaxies in survey images.

::

    python -m benchmarks.blends docs/_static/measure

Pairs of galaxies of similar flux (within a factor of 4), drawn by GalSim, are placed at a given
distance from each other on the cells of a field. They are detected, deblended and measured by
`sersicnet.measure` as in any survey image. The first rows have the same galaxies without their
neighbors.

A second table, ``groups.csv``, has groups of two to seven galaxies and stars, of which each is 1.5
to 8 FWHM of the PSF from another, with fluxes down to a 30th of the brightest, in white and in
correlated noise, and SExtractor's fits of the same images, if it is installed. Errors are those of
galaxies of groups whose members were all detected::

    python -m benchmarks.blends docs/_static/blends --n-fields 0
"""

from itertools import pairwise
from time import process_time

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table

from benchmarks.common.command import make_parser
from benchmarks.common.sextractor import find_program, fit_sersic
from benchmarks.common.tables import NMAD_FACTOR, print_table, write_rounded
from benchmarks.sets.noises import smoothed_noise
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
# Options of `measure_image`, and which of them measure pairs and groups.
CODES = {"network": {}, "lm": {"refine": "lm"}, "importance": {"refine": "importance"}}
OF_PAIRS = ("network", "lm")
OF_GROUPS = ("lm", "importance")
# FWHM of the PSF in pixels, share of stars, and edges of distances from the nearest member in FWHM.
FWHM = 3.0
STARS = 0.2
EDGES = (1.5, 2.5, 4.0, 8.0)
# Flux of the brightest member over that of the faintest.
RATIO = 30.0
# Noise of the groups: the sigma in pixels by which it is smoothed.
NOISES = {"white": 0.0, "correlated": 0.7}


def main(arguments=None):
    """Draw and measure the pairs, and write the table."""
    parser = make_parser(__doc__)
    text = "fields of 36 pairs, for each distance, by default 3"
    parser.add_argument("--n-fields", type=int, default=3, help=text)
    text = "fields of 36 groups, of each kind of noise, by default 2"
    parser.add_argument("--n-groups", type=int, default=2, help=text)
    text = "kinds of noise of the groups, by default all"
    parser.add_argument("--noises", nargs="+", choices=NOISES, default=list(NOISES), help=text)
    text = "seed of the groups, by default 201"
    parser.add_argument("--seed", type=int, default=201, help=text)
    options = parser.parse_args(arguments)
    net = SersicNet.from_pretrained()
    psf = draw_psf()
    if options.n_fields:
        _write_pairs(net, psf, options)
    if options.n_groups:
        _write_groups(net, psf, options)


def _write_pairs(net, psf, options):
    """Write the table of pairs."""
    rows = []
    for separation in (None, *SEPARATIONS):
        fields = [_make_field(psf, separation, i) for i in range(options.n_fields)]
        for code in OF_PAIRS:
            errors = []
            for field, truth in fields:
                table = measure_image(field, psf=psf, net=net, **UNITS, **CODES[code])
                errors += [_compare(table, galaxy) for galaxy in truth]
            row = {"distance": str(separation or "alone"), "code": code}
            rows.append(row | _summary(np.array(errors, float)))
    table = Table(rows=rows)
    write_rounded(table, options.output / "blends.csv", decimals=3)
    print_table(table)


def _write_groups(net, psf, options):
    """Write the table of groups."""
    codes = {name: CODES[name] for name in OF_GROUPS}
    if find_program():
        codes["SExtractor"] = None
    rows = []
    for noise in options.noises:
        seeds = [(options.seed, number) for number in range(options.n_groups)]
        fields = [_make_groups(psf, noise, seed) for seed in seeds]
        for code, settings in codes.items():
            compared = []
            seconds = 0.0
            n_sources = 0
            for field, truth in fields:
                table, spent = _measure(field, psf, net, settings)
                compared += _compare_groups(table, truth)
                seconds += spent
                n_sources += len(table)
            found = np.array(compared, float)
            for low, high in (*pairwise(EDGES), (EDGES[0], EDGES[-1])):
                chosen = found[(found[:, 0] >= low) & (found[:, 0] < high)]
                row = {"noise": noise, "code": code, "distance": f"{low} to {high}"}
                row |= _summary_of_members(chosen)
                rows.append(row | {"seconds a source": seconds / max(n_sources, 1)})
    table = Table(rows=rows)
    write_rounded(table, options.output / "groups.csv", decimals=3)
    print_table(table)


def _measure(field, psf, net, settings):
    """Return the catalog of a field, and the seconds of the processor that it took."""
    if settings is None:
        found = fit_sersic(field.data, field.uncertainty.array, psf, **UNITS)
        return found.table, found.seconds
    start = process_time()
    table = measure_image(field, psf=psf, net=net, **UNITS, **settings)
    return table, process_time() - start


def _compare_groups(table, truth):
    """Compare the galaxies of groups with their detections, as `_compare_member`.

    The last number is whether all members of the group were found.
    """
    compared = [_compare_member(table, member) for member in truth]
    missed = {member["group"] for member, row in zip(truth, compared, strict=True) if not row[1]}
    rows = []
    for member, row in zip(truth, compared, strict=True):
        if not member["star"]:
            rows.append((*row, member["group"] not in missed))
    return rows


def _make_groups(psf, noise, seed):
    """Return a field of groups and their members."""
    rng = np.random.default_rng([*seed, 2])
    side = N_SIDE * CELL
    image = np.zeros((side, side))
    truth = []
    for number in range(N_SIDE**2):
        row, column = divmod(number, N_SIDE)
        top = CELL * row
        left = CELL * column
        for member, is_star, nearest in _draw_group(rng):
            drawn = render_model(member, (CELL, CELL), psf=psf, **UNITS)
            image[top : top + CELL, left : left + CELL] += drawn
            center = {"x_0": member["x_0"] + left, "y_0": member["y_0"] + top}
            known = {"nearest": nearest, "star": is_star, "group": number}
            truth.append(member | center | known)
    sigma = NOISES[noise]
    own = np.random.default_rng([*seed, 3])
    drawn = own.normal(size=image.shape)
    if sigma:
        drawn = smoothed_noise(sigma)(1, side, own)[0]
    uncertainty = StdDevUncertainty(np.ones(image.shape))
    return CCDData(image + drawn, unit="adu", uncertainty=uncertainty), truth


def _draw_group(rng):
    """Draw a group: each member is near one before it, and not too near to any.

    Returns
    -------
    list of (dict, bool, float)
        Each member, whether it is a star, and its distance from the nearest other in FWHM.
    """
    flux = 10 ** rng.uniform(3.2, 4.4)
    members = []
    centers = [np.full(2, (CELL - 1) / 2) + rng.uniform(-0.5, 0.5, 2)]
    n_members = rng.integers(2, 8)
    while len(centers) < n_members:
        reach = FWHM * EDGES[0] * (EDGES[-1] / EDGES[0]) ** rng.uniform()
        angle = rng.uniform(0, 2 * np.pi)
        center = centers[rng.integers(len(centers))] + reach * np.array(
            [np.cos(angle), np.sin(angle)]
        )
        inside = np.abs(center - CELL / 2).max() < CELL / 3
        if inside and np.hypot(*(np.array(centers) - center).T).min() > EDGES[0] * FWHM:
            centers.append(center)
    for number, (x, y) in enumerate(centers):
        others = np.delete(np.array(centers), number, axis=0)
        star = rng.uniform() < STARS
        member = {
            "mag": UNITS["zeropoint"] - 2.5 * np.log10(flux * RATIO ** -rng.uniform()),
            "r_eff": 0.05 if star else 10 ** rng.uniform(0.3, 0.8),
            "n": 1.0 if star else rng.uniform(0.6, 3.5),
            "q": rng.uniform(0.3, 1),
            "theta": rng.uniform(-90, 90),
            "x_0": x,
            "y_0": y,
        }
        members.append((member, star, np.hypot(*(others - (x, y)).T).min() / FWHM))
    return members


def _compare_member(table, member):
    """Compare a galaxy of a group with its detection.

    Returns
    -------
    tuple of 6
        Distance from the nearest member, whether it was found, errors of magnitude, radius and
        index in units of the quoted ones, and whether its group has not converged.
    """
    x = np.asarray(table["x_centroid"])
    y = np.asarray(table["y_centroid"])
    distance = np.hypot(x - member["x_0"], y - member["y_0"])
    if distance.min() > LARGEST_OFFSET:
        return member["nearest"], False, *[np.nan] * 4
    row = table[distance.argmin()]
    pulls = []
    for name in ("mag", "r_eff", "n"):
        error = getattr(row[f"{name}_err"], "value", row[f"{name}_err"])
        pulls.append((getattr(row[name], "value", row[name]) - member[name]) / error)
    unsettled = int(row["flags"]) & int(Flags.GROUP_NOT_CONVERGED)
    return member["nearest"], True, *pulls, unsettled > 0


def _summary_of_members(rows):
    """Summarize the rows of `_compare_groups`: pulls are those of groups that were found whole."""
    summary = {"galaxies": len(rows), "found": rows[:, 1].mean()}
    rows = rows[rows[:, 6] > 0]
    summary["in whole groups"] = len(rows)
    for name, pulls in zip(("mag", "r_eff", "n"), rows[:, 2:5].T, strict=True):
        summary[f"{name}: error / quoted"] = np.nan
        known = np.abs(pulls[np.isfinite(pulls)])
        if len(known):
            summary[f"{name}: error / quoted"] = NMAD_FACTOR * np.median(known)
    pulls = rows[np.isfinite(rows[:, 2]), 2]
    summary["mag: r.m.s."] = np.sqrt(np.mean(pulls**2)) if len(pulls) else np.nan
    return summary | {"unsettled": rows[:, 5].sum() / max(len(rows), 1)}


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
