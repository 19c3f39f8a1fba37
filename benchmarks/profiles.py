"""Profiles beside Sersic's: errors of their images, and intervals of fits.

::

    python -m benchmarks.profiles docs/_static/profiles --raw profiles

``images.csv`` compares images with integrals over fine pixels in real space, for shapes at the ends
of the limits and in the middle, half-light radii of 1.2 to 9 pixels, and a Gaussian PSF with a
standard deviation of 1.5 pixels: the largest difference over the peak, and the sum of all
differences over the flux, the largest of all cases. ``--only images`` makes this table alone, and
``--only coverage`` the other.

``coverage_lm.csv`` has, for galaxies drawn from the prior of the shape, the shares of truths within
the 68 % intervals of ``refine="lm"``, the mean and the scatter of pulls, the galaxies that are left
out (``NOT_REFINED``, ``AT_BOUND``), and CPU seconds per galaxy; ``--refine importance`` makes
``coverage_importance.csv``. Galaxies have half-light radii of 4 to 9 pixels, a S/N within the
half-light ellipse of 50 to 1,000, and white noise: these cuts are on true values, and few galaxies
are as near to them as their errors. They are drawn by the package. ``--raw`` keeps the
measurements, so that a run of as many galaxies that was stopped goes on.
"""

import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable, vstack
from astropy.utils.exceptions import AstropyUserWarning

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.kept import kept
from benchmarks.common.real_space import brightness_of, image_of, psf_image
from benchmarks.common.tables import plain, print_table, share, write_rounded
from sersicnet import Flags, Model, SersicNet
from sersicnet.io.weights import weights_path
from sersicnet.model import psf_transform
from sersicnet.model.labels import components
from sersicnet.model.prior import N_LIMITS
from sersicnet.model.profile_components import OTHERS
from sersicnet.model.profiles import PROFILES
from sersicnet.parameters import wrap_theta
from sersicnet.profile_shapes import PROFILE_SHAPES, SHAPES

SIDE = 64
ZEROPOINT = 25.0
# Fine pixels on a side of a pixel, and those where the middle is steep: integrals over ninths of
# pixels have errors of 3e-4 of the flux in a core that rises as R^-0.9.
FINE = 9
FINE_OF_STEEP = {"core_sersic": 15}
# Galaxies that are measured and kept at a time.
_TOGETHER = 50
# Radius in pixels, axis ratio, angle, and center of the galaxies whose images are compared.
PLACES = (
    (4.0, 0.6, 0.5, (0.3, -0.2)),
    (9.0, 0.3, 1.9, (-0.4, 0.1)),
    (1.2, 0.9, 0.2, (0.1, 0.1)),
)
CASES = {
    "gaussian": [()],
    "moffat": [(1.6,), (2.5,), (6.0,)],
    "king": [(0.4, 2.0), (1.0, 2.0), (2.0, 2.0), (1.0, 1.0), (1.5, 3.5)],
    "edge_on": [(2.0,), (1.0,), (0.15,)],
    "ferrers": [(0.5,), (1.0,), (2.0,), (5.0,)],
    "core_sersic": [
        (4.0, -1.5, 0.1, 5.0),
        (2.0, -0.5, 0.3, 2.0),
        (6.0, -2.0, 0.0, 100.0),
        (3.0, -0.7, 0.9, 10.0),
    ],
    "broken_exponential": [(2.5, -0.4, 10.0), (1.0, 0.5, 10.0), (4.0, -0.9, 50.0), (2.0, 0.3, 2.0)],
}


def main(arguments=None):
    """Compare images, fit galaxies, and write the tables."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies per profile", default=2000)
    add_weights(parser)
    parser.add_argument("--refine", choices=("lm", "importance"), default="lm")
    parser.add_argument("--seed", type=int, default=220)
    parser.add_argument("--profiles", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--only", choices=("images", "coverage"), help="make one of the tables")
    parser.add_argument("--raw", help="folder that keeps the measurements")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", AstropyUserWarning)
    if options.only != "coverage":
        errors = QTable(rows=[errors_of(name) for name in options.profiles])
        write_rounded(errors, options.output / "images.csv", decimals=6)
        print_table(errors)
    if options.only == "images":
        return
    net = SersicNet.load(weights_path(options.weights))
    rows = []
    for name in options.profiles:
        truth = draw(name, options.n, options.seed)
        rows += judge(name, measured(net, name, truth, options), truth)
    table = QTable(rows=rows)
    write_rounded(table, options.output / f"coverage_{options.refine}.csv", decimals=3)
    print_table(table)


def labels_of(shapes, log_flux, r_eff, q, theta, center):
    """Return labels of one galaxy, (1, K) `~torch.Tensor`."""
    e1, e2 = components(q, theta)
    values = [log_flux, np.log10(r_eff), *shapes, e1, e2, *center]
    return torch.tensor([values], dtype=torch.float64)


def errors_of(name, places=PLACES, side=SIDE, oversampling=None):
    """Return the largest errors of the images of a profile, a row."""
    oversampling = oversampling or FINE_OF_STEEP.get(name, FINE)
    transform = psf_transform(torch.from_numpy(psf_image()), side)
    over_peak = []
    over_flux = []
    for shapes in CASES[name]:
        for r_eff, q, theta, center in places:
            labels = labels_of(shapes, 0.0, r_eff, q, theta, center)
            drawn = PROFILES[name].images(labels.float(), transform.cfloat(), stamp_size=side)
            brightness = brightness_of(name, shapes, r_eff, q, theta)
            image = image_of(brightness, center, side=side, oversampling=oversampling)
            difference = np.abs(drawn[0].numpy() - image)
            over_peak.append(difference.max() / image.max())
            over_flux.append(difference.sum())
    return {
        "profile": name,
        "cases": len(over_peak),
        "largest_over_peak": max(over_peak),
        "sum_over_flux": max(over_flux),
    }


def draw(name, n, seed):
    """Draw parameters of galaxies, a dict of (N,) `~numpy.ndarray` by their columns."""
    rng = np.random.default_rng([seed, *name.encode()])
    q = rng.uniform(0.1, 0.5, n) if name == "edge_on" else rng.uniform(0.3, 0.95, n)
    found = {"r_eff": 10 ** rng.uniform(np.log10(4), np.log10(9), n), "q": q}
    snr = 10 ** rng.uniform(np.log10(50), 3, n)
    area = np.pi * q * found["r_eff"] ** 2
    found["mag"] = ZEROPOINT - 2.5 * np.log10(2 * snr * np.sqrt(area))
    found["theta"] = rng.uniform(-90, 90, n)
    for axis in ("x_0", "y_0"):
        found[axis] = (SIDE - 1) / 2 + rng.uniform(-1, 1, n)
    known = OTHERS[name]().settings
    for shape in PROFILE_SHAPES[name].names:
        if shape in known:
            found[shape] = np.full(n, known[shape])
        elif shape == "n":
            found[shape] = rng.uniform(*np.sqrt(N_LIMITS), n) ** 2
        else:
            found[shape] = rng.uniform(*SHAPES[shape][1:], n)
    return found


def cutouts_of(name, truth, seed):
    """Draw images with noise, a list of `~astropy.nddata.NDData`."""
    transform = psf_transform(torch.from_numpy(psf_image()), SIDE)
    rng = np.random.default_rng([seed, 1, *name.encode()])
    cutouts = []
    for row in range(len(truth["mag"])):
        own = {column: values[row] for column, values in truth.items()}
        shapes = [own[shape] for shape in PROFILE_SHAPES[name].names]
        center = own["x_0"] - (SIDE - 1) / 2, own["y_0"] - (SIDE - 1) / 2
        log_flux = -0.4 * (own["mag"] - ZEROPOINT)
        place = log_flux, own["r_eff"], own["q"], np.radians(own["theta"]), center
        image = PROFILES[name].images(labels_of(shapes, *place), transform, stamp_size=SIDE)[0]
        noisy = image.numpy() + rng.standard_normal((SIDE, SIDE))
        noise = StdDevUncertainty(np.ones(noisy.shape))
        cutouts.append(NDData(noisy, uncertainty=noise))
    return cutouts


def measured(net, name, truth, options):
    """Return the fits of galaxies, `~astropy.table.QTable`, with CPU seconds of each."""
    folder = Path(options.raw) if options.raw else None
    cutouts = cutouts_of(name, truth, options.seed)
    # the set of galaxies whose indices are drawn from the prior, uniform in their roots
    drawn = f"{name}_sqrt_n" if "n" in PROFILE_SHAPES[name].names else name
    found = []
    for start in range(0, len(cutouts), _TOGETHER):
        part = cutouts[start : start + _TOGETHER]
        file = f"{drawn}_{options.refine}_{options.seed}_{options.n}_{start}"
        found.append(kept(folder, file, partial(fitted, net, name, options.refine), part, None))
    return vstack(found, metadata_conflicts="silent")


def fitted(net, name, refine, cutouts, _=None):
    """Fit some galaxies, `~astropy.table.QTable`."""
    begin = time.process_time()
    options = {"pixel_scale": 1.0, "zeropoint": ZEROPOINT, "noise_correlation": None}
    results = net.predict(cutouts, psf=psf_image(), model=Model(name), refine=refine, **options)
    table = results.to_table()
    table["cpu"] = (time.process_time() - begin) / len(cutouts)
    table.meta.clear()
    return table


def judge(name, table, truth):
    """Return scores, a row per parameter, and one more of galaxies that are ``NOT_NORMAL``."""
    rows = []
    flags = np.asarray(table["flags"])
    good = flags & int(Flags.NOT_REFINED | Flags.AT_BOUND) == 0
    bent = flags & int(Flags.NOT_NORMAL) != 0
    known = OTHERS[name]().settings
    shapes = [shape for shape in PROFILE_SHAPES[name].names if shape not in known]
    for parameter in ("mag", "r_eff", "q", "theta", *shapes):
        low, middle, high = (plain(table[f"{parameter}{end}"]) for end in ("_lo", "", "_hi"))
        away = middle - truth[parameter]
        if parameter == "theta":
            away = wrap_theta(away)
        within = (low - middle <= -away) & (-away <= high - middle)
        pulls = away / (0.5 * (high - low))
        facts = {"profile": name, "parameter": parameter, "left_out": int((~good).sum())}
        facts["cpu_s"] = float(np.median(table["cpu"]))
        for flag, counted in (("", good & ~bent), ("NOT_NORMAL", good & bent)):
            if counted.any():
                rows.append(facts | {"flag": flag} | _scores(within[counted], pulls[counted]))
    return rows


def _scores(within, pulls):
    """Coverage, and mean and scatter of pulls."""
    return {
        "n": len(pulls),
        "coverage": share(within),
        "mean_pull": float(np.mean(pulls)),
        "pull_scatter": float(np.subtract(*np.quantile(pulls, [0.84, 0.16])) / 2),
    }


if __name__ == "__main__":
    main()
