"""Whether the evidence knows one galaxy from two: close pairs, and single galaxies.

::

    python -m benchmarks.one_or_two docs/_static/detection

Half of the images have two galaxies, drawn by GalSim, 1 to 2 FWHM of the PSF (3 pixels) from each
other with a ratio of fluxes up to 10, and half of them one galaxy. Both are fitted as one and as
two sources, as ``measure_image(join_pairs=True)`` does it with pairs that were detected: the two
start at the true galaxies, and those of a single galaxy at a share of its light as far from each
other as in pairs. ``one_or_two.csv`` has the share that the evidence says are two, by the distance
and the ratio of fluxes, and ``one_or_two_calibration.csv`` the share of pairs by the probability
that there are two, where both evidences are known. Where they are not, which is in ``unknown``,
images are one or two as ``join_pairs=True`` decides it.
"""

from itertools import pairwise

import numpy as np
from astropy.table import Table

from benchmarks.blends import FWHM, UNITS, draw_psf
from benchmarks.common.command import add_count, make_parser
from benchmarks.common.tables import print_table, share, write_rounded
from sersicnet import Flags, SersicNet
from sersicnet.measure.joined_pairs import are_one
from sersicnet.model.labels import CENTER, LOG_FLUX, LOG_R_EFF, N_LABELS, SERSIC_N
from sersicnet.preprocessing.stamps import CheckedCutout
from sersicnet.preprocessing.surroundings import Group, Member
from sersicnet.simulate_catalog import render_model

# Distances in FWHM, ratios of fluxes, and logarithms of the flux of the brighter one: its S/N is
# 20 to 500.
DISTANCES = (1.0, 1.5, 2.0)
RATIOS = (1.0, 3.0, 10.0)
LOG_FLUXES = (2.6, 3.3, 4.0)
# Edges of the bins of the probability of two sources.
BINS = (0, 0.02, 0.2, 0.8, 0.98, 1)
SIDE = 128
# Images that are fitted in one call.
_TOGETHER = 40


def main(arguments=None):
    """Draw and fit the images, and write the tables."""
    parser = make_parser(__doc__)
    add_count(parser, "pairs, and as many single galaxies", default=200)
    parser.add_argument("--seed", type=int, default=200, help="seed, by default 200")
    options = parser.parse_args(arguments)
    net = SersicNet.from_pretrained()
    psf = draw_psf()
    drawn = []
    for is_pair in (True, False):
        drawn += [_draw(is_pair, (options.seed, i), psf) for i in range(options.n)]
    values = []
    misfit = []
    for n_sources in (1, 2):
        parts = []
        for start in range(0, len(drawn), _TOGETHER):
            part = drawn[start : start + _TOGETHER]
            cutouts = [_member(image, labels, n_sources) for image, labels, _ in part]
            parts.append(net.predict(cutouts, psf=psf, refine="lm", neighbors="fit", **UNITS))
        values.append(np.concatenate([part.columns["log_evidence"] for part in parts]))
        flags = np.concatenate([part.flags for part in parts])
        misfit.append(flags & int(Flags.MISFIT) != 0)
    one, two = values
    rows = Table(rows=[row for _, _, row in drawn])
    rows["known"] = np.isfinite(one) & np.isfinite(two)
    rows["two"] = ~are_one(one, two, misfit[0])
    rows["probability"] = 1 / (1 + np.exp(np.clip(one - two, -99, 99)))
    tables = {"one_or_two": _shares(rows), "one_or_two_calibration": _calibration(rows)}
    for name, table in tables.items():
        write_rounded(table, options.output / f"{name}.csv", decimals=3)
        print_table(table)


def _draw(is_pair, seed, psf):
    """Return an image, the labels that two sources start from, and what it shows."""
    rng = np.random.default_rng([*seed, int(is_pair)])
    distance = rng.uniform(DISTANCES[0], DISTANCES[-1])
    ratio = np.exp(rng.uniform(0, np.log(RATIOS[-1])))
    log_flux = rng.uniform(LOG_FLUXES[0], LOG_FLUXES[-1])
    angle = rng.uniform(0, 2 * np.pi)
    step = distance * FWHM * np.array([np.cos(angle), np.sin(angle)])
    middle = (SIDE - 1) / 2 + rng.uniform(-0.5, 0.5, 2)
    galaxies = []
    for number in range(2):
        galaxies.append(
            {
                "flux": 10**log_flux / ratio**number,
                "r_eff": 10 ** rng.uniform(0.1, 0.6),
                "n": rng.uniform(0.6, 3.5),
                "q": rng.uniform(0.3, 1),
                "theta": rng.uniform(-90, 90),
                "place": middle + number * step,
            }
        )
    starts = np.array([_labels(galaxy) for galaxy in galaxies])
    if not is_pair:
        galaxies = galaxies[:1]
        starts[0, LOG_FLUX] += np.log10(ratio / (1 + ratio))
        starts[1, LOG_FLUX] = starts[0, LOG_FLUX] - np.log10(ratio)
        starts[:, CENTER] -= step / (1 + ratio)
    image = np.random.default_rng([*seed, int(is_pair), 1]).normal(size=(SIDE, SIDE))
    for galaxy in galaxies:
        x, y = galaxy.pop("place")
        known = {"x_0": x, "y_0": y, "mag": UNITS["zeropoint"] - 2.5 * np.log10(galaxy["flux"])}
        image += render_model(galaxy | known, (SIDE, SIDE), psf=psf, **UNITS)
    row = {"pair": is_pair, "distance": distance, "ratio": ratio, "log flux": log_flux}
    return image, starts, row


def _labels(galaxy):
    """Where a fit starts: round, with the index of a disk."""
    labels = np.zeros(N_LABELS)
    labels[LOG_FLUX] = np.log10(galaxy["flux"])
    labels[LOG_R_EFF] = np.log10(galaxy["r_eff"])
    labels[SERSIC_N] = 1.0
    labels[CENTER] = galaxy["place"]
    return labels


def _member(image, labels, n_sources):
    """Return the cutout of the first source of a group."""
    if n_sources == 1:
        light = 10 ** labels[:, LOG_FLUX]
        center = light @ labels[:, CENTER] / light.sum()
        labels = labels[:1].copy()
        labels[0, LOG_FLUX] = np.log10(light.sum())
        labels[0, CENTER] = center
    pixels = image, np.ones(image.shape), np.zeros(image.shape, dtype=bool)
    whole = CheckedCutout(*pixels)
    group = Group(whole, labels, labels[:, CENTER], judged=True)
    return CheckedCutout(*pixels, member=Member(group, 0, (0, 0)))


def _shares(rows):
    """Return the shares of images that are two, in bins of what was drawn."""
    two = rows["two"]
    found = []
    edges = {"distance": DISTANCES, "ratio": RATIOS, "log flux": LOG_FLUXES}
    for name, values in edges.items():
        for low, high in pairwise(values):
            inside = (rows[name] >= low) & (rows[name] < high)
            row = {"what": name, "from": low, "to": high}
            for kind, chosen in {"pairs": rows["pair"], "singles": ~rows["pair"]}.items():
                row[kind] = int(np.sum(inside & chosen))
                row[f"two: {kind}"] = share(two[inside & chosen])
            row["unknown"] = int(np.sum(inside & ~rows["known"]))
            found.append(row)
    return Table(rows=found)


def _calibration(rows):
    """Return the share of pairs by the probability of two sources."""
    found = []
    for low, high in pairwise(BINS):
        last = high == BINS[-1]
        inside = (rows["probability"] >= low) & ((rows["probability"] < high) | last)
        inside &= rows["known"]
        row = {"probability of two": f"{low:g}-{high:g}", "images": int(inside.sum())}
        row["mean"] = np.mean(rows["probability"][inside]) if inside.any() else np.nan
        row["pairs"] = share(rows["pair"][inside])
        found.append(row)
    return Table(rows=found)


if __name__ == "__main__":
    main()
