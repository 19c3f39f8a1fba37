"""Whether fits of cutouts with a sky that was not subtracted are right, or have a flag.

::

    python -m benchmarks.sky docs/_static/sky
    python -m benchmarks.sky docs/_static/sky --bowls 0.5 1 --sides 32 64 128 -n 100

The galaxies are those of `benchmarks.noise` in white noise: isolated, drawn from the universal
prior, measured to have a S/N above 20 and half-light radii of up to 6 pixels, in cutouts of 25 to
128 pixels. A constant sky is added, in units of the noise of a pixel, and each cutout is fitted by
default (``refine="lm"``).

``sky.csv`` has a row per size of the cutout and sky: the share of the fits that have
``SKY_DEGENERATE``; the share that have not, although the magnitude, the radius or the index is
wrong by more than three errors; the share of the 68 % intervals that contain the truth, of the
fits without the flag; and the scatter of the bright ones (S/N above 100) in units of the
Cramer-Rao bound of a known sky.

With ``--bowls``, the sky is a paraboloid of mean 0 instead, lower in the middle than at the middle
of an edge by as much, in units of the noise of a pixel. ``bowls.csv`` has the shares of the fits
that have ``SKY_DEGENERATE`` and ``MISFIT``, and the median of the measured radius over the true
one, of galaxies of at least 3 pixels.
"""

import numpy as np
import torch
from astropy.stats import mad_std
from astropy.table import QTable, vstack

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import plain, print_table, share, write_rounded
from benchmarks.noise import (
    LARGEST,
    PIXEL_SCALE,
    SHOWN,
    SNR,
    measure,
    measured_snr,
    simulate,
    true_values,
)
from sersicnet import Flags, SersicNet
from sersicnet.io.weights import weights_path
from sersicnet.model import image_and_jacobian, log_snr, psf_transform
from sersicnet.model.labels import LOG_FLUX

SIDES = (25, 32, 64, 128)
SKIES = (0.0, 0.02, 0.05, 0.3)
# S/N of galaxies whose scatter is compared with the bound.
BRIGHT = 100.0
# Errors by which an answer is wrong.
WRONG = 3.0
# Half-light radius, in pixels, of galaxies that a bowl changes.
LARGE = 3.0


def main(arguments=None):
    """Measure all cases, and write the table."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies in each case", default=300)
    add_weights(parser)
    parser.add_argument("--seed", type=int, default=202)
    parser.add_argument("--sides", nargs="+", type=int, default=list(SIDES))
    parser.add_argument("--skies", nargs="+", type=float, default=list(SKIES))
    parser.add_argument("--sky-err", type=float, help="standard deviation of the sky in the fits")
    parser.add_argument("--bowls", nargs="+", type=float, help="depths of skies that are not flat")
    options = parser.parse_args(arguments)
    net = SersicNet.load(weights_path(options.weights))
    name = "sky" if options.bowls is None else "bowls"
    if options.sky_err is not None:
        name = f"{name}_{options.sky_err:g}"
    rows = []
    for side in options.sides:
        parts = list(simulate("white", "clean", n=options.n, side=side, seed=options.seed))
        for sky in options.bowls or options.skies:
            added = sky if options.bowls is None else sky * bowl(side)
            moved = [part | {"data": part["data"] + added} for part in parts]
            tables = [measure(net, part, "lm", sky_err=options.sky_err) for part in moved]
            judged = judge(parts, tables) if options.bowls is None else judge_bowls(parts, tables)
            rows.append({"side": side, "sky": sky} | judged)
            write_rounded(QTable(rows=rows), options.output / f"{name}.csv", decimals=3)
    print_table(QTable(rows=rows))


def bowl(side):
    """Return a paraboloid of mean 0 that rises by 1 from the middle of an image to its edges.

    Parameters
    ----------
    side : int
        Pixels on a side of the image.

    Returns
    -------
    (side, side) `~numpy.ndarray`
    """
    axis = np.linspace(-1, 1, side)
    height = axis**2 + axis[:, None] ** 2
    return height - height.mean()


def judge_bowls(parts, tables):
    """Return the scores of galaxies whose sky is not flat.

    Parameters
    ----------
    parts, tables
        As in `judge`.

    Returns
    -------
    dict of float
    """
    table = vstack(tables, metadata_conflicts="silent")
    flags = np.asarray(table["flags"])
    fitted = flags & int(Flags.NOT_REFINED | Flags.AT_BOUND) == 0
    true = np.asarray(true_values(parts)["r_eff"])
    large = fitted & (true > LARGE * PIXEL_SCALE)
    return {
        "galaxies": int(fitted.sum()),
        "SKY_DEGENERATE": share(flags[fitted] & int(Flags.SKY_DEGENERATE) != 0),
        "MISFIT": share(flags[fitted] & int(Flags.MISFIT) != 0),
        "radius": float(np.median(plain(table["r_eff"])[large] / true[large])),
    }


def judge(parts, tables):
    """Return the scores of some galaxies.

    Parameters
    ----------
    parts : list of dict
        Galaxies of `benchmarks.noise.simulate`.
    tables : list of `~astropy.table.QTable`
        What was measured of them.

    Returns
    -------
    dict of float
    """
    table = vstack(tables, metadata_conflicts="silent")
    truth = true_values(parts)
    flags = np.asarray(table["flags"])
    fitted = flags & int(Flags.NOT_REFINED | Flags.AT_BOUND) == 0
    small = plain(table["r_eff"]) / PIXEL_SCALE < LARGEST
    fitted &= small & (measured_snr(table) > SNR)
    told = flags & int(Flags.SKY_DEGENERATE) != 0
    bright = np.concatenate([log_snr(torch.from_numpy(part["labels"])) for part in parts])
    bright = fitted & (10**bright > BRIGHT)
    wrong = np.zeros(len(table), dtype=bool)
    scores = {}
    for name in SHOWN:
        low = plain(table[f"{name}_lo"])
        high = plain(table[f"{name}_hi"])
        inside = (truth[name] >= low) & (truth[name] <= high)
        scores[f"coverage of {name}"] = share(inside[fitted & ~told])
        if name != "q":
            error = plain(table[name]) - truth[name]
            wrong |= np.abs(error) > WRONG * (high - low) / 2
    of_bound = (plain(table["mag"]) - truth["mag"]) / _bounds(parts)
    return {
        "galaxies": int(fitted.sum()),
        "flagged": share(told[fitted]),
        "wrong without a flag": share((wrong & ~told)[fitted]),
        **scores,
        "mag, bright, of the bound": float(mad_std(of_bound[bright])),
    }


def _bounds(parts):
    """Cramer-Rao bounds of the magnitude in a known sky, (N,)."""
    errors = []
    for part in parts:
        side = part["data"].shape[-1]
        transform = psf_transform(torch.from_numpy(part["psf"] / part["psf"].sum()), side)
        for label in torch.from_numpy(part["labels"]):
            _, jacobian = image_and_jacobian(label[None], transform, stamp_size=side)
            jacobian = jacobian.flatten(2)[0]
            covariance = torch.linalg.inv(jacobian @ jacobian.T)
            errors.append(2.5 * float(covariance[LOG_FLUX, LOG_FLUX]) ** 0.5)
    return np.array(errors)


if __name__ == "__main__":
    main()
