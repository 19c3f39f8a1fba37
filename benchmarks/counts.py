"""Whether 68 % intervals of faint galaxies in counts hold the truth, and what outliers change.

::

    python -m benchmarks.counts docs/_static/counts --raw counts
    python -m benchmarks.counts docs/_static/counts --outliers -n 40

The galaxies are those of `benchmarks.noise`: drawn from the universal prior, in cutouts of 48 x 48
pixels, where those count that are measured to have a S/N above 20 (by the noise of the sky alone)
and half-light radii of up to 4.5 pixels. Pixels are Poisson numbers of photons around a mean sky of
0.1 to 3 counts. True values go beyond these cuts by a factor of 1.5, so that they are those of the
prior. A S/N of 20 by the noise of the sky is few photons in all: 45 to 110 at 0.1 counts per pixel.
Of ``--seed 203 204``, ``-n`` galaxies are drawn each, and measured anew with each sky. Each is
fitted with

- ``poisson``: ``likelihood="poisson"``, counts with their sky;
- ``gaussian``: the counts less the true sky, the root of the true sky as the noise, and ``gain=1``
  (the photons of the galaxy are added to the map);
- ``root of counts``: the same with the root of the counts, at least 1, as the noise, as is usual.

``counts_lm.csv`` has a row per sky, likelihood and parameter.

With ``--outliers``, the noise is normal and white, and a part of the light is not of one Sersic
galaxy: ``outliers.csv`` compares ``likelihood="student"`` with ``"gaussian"``. The kinds are

- ``clean``: nothing else;
- ``blend``: a galaxy of 0.4 to 1 times the flux at 1 to 3 times the larger of radius and FWHM;
- ``neighbor``: one of 0.3 to 3 times the flux 10 to 18 pixels away, that no mask hides;
- ``halo``: the same, behind a mask that ends where half of its light is above the noise;
- ``rays``: four cosmic rays of 20 to 200 sigma that no mask hides;
- ``spiral``: the image times 1 + A cos(m phi - m cot(pitch) log r), A of 0.3 to 0.8.
"""

import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.stats import mad_std
from astropy.table import QTable, vstack
from astropy.utils.exceptions import AstropyUserWarning

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.kept import kept
from benchmarks.common.tables import plain, print_table, share, write_rounded
from benchmarks.noise import (
    LARGEST,
    PIXEL_SCALE,
    SHOWN,
    SIDE,
    ZEROPOINT,
    compare,
    pull_table,
    simulate,
    true_values,
)
from sersicnet import Flags, SersicNet
from sersicnet.io.weights import weights_path
from sersicnet.model import psf_transform, sersic_images
from sersicnet.model.labels import CENTER, ELLIPTICITY, LOG_FLUX, LOG_R_EFF

PIXELS = 48
LARGEST_HERE = LARGEST * PIXELS / SIDE
SKIES = (0.1, 0.5, 3.0)
LIKELIHOODS = ("poisson", "gaussian", "root of counts")
KINDS = ("clean", "blend", "neighbor", "halo", "rays", "spiral")
# FWHM of the PSFs, about, in pixels.
_FWHM = 3.7


def main(arguments=None):
    """Measure all cases, and write the table."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies drawn in each case, of which about 0.85 count", default=2000)
    add_weights(parser)
    text = "the same for Gaussian likelihoods of counts"
    parser.add_argument("--n-gaussian", type=int, default=300, help=f"{text}, by default 300")
    parser.add_argument("--refine", choices=("lm", "importance"), default="lm")
    parser.add_argument("--seed", type=int, nargs="+", default=[203], help="one or more sets")
    parser.add_argument("--skies", nargs="+", type=float, default=list(SKIES))
    parser.add_argument("--likelihoods", nargs="+", choices=LIKELIHOODS, default=list(LIKELIHOODS))
    parser.add_argument("--outliers", action="store_true", help="compare Student with Gaussian")
    parser.add_argument("--raw", type=Path, help="folder that keeps the measurements of counts")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", AstropyUserWarning)
    options.output.mkdir(parents=True, exist_ok=True)
    net = SersicNet.load(weights_path(options.weights))
    if options.outliers:
        _measure_outliers(net, options)
    else:
        _measure_counts(net, options)


def _measure_counts(net, options):
    """Measure galaxies in counts."""
    path = Path(options.output) / f"counts_{options.refine}.csv"
    tables = []
    for sky in options.skies:
        for likelihood in options.likelihoods:
            found = []
            for seed in options.seed:
                found += _compared(net, options, sky, likelihood, seed)
            joined = {}
            for column in found[0]:
                joined[column] = np.concatenate([one[column] for one in found], axis=-1)
            names = {"sky": sky, "likelihood": likelihood}
            tables.append(pull_table(joined, largest=LARGEST_HERE, **names))
            print_table(tables[-1])
            write_rounded(vstack(tables), path, decimals=3)


def _compared(net, options, sky, likelihood, seed):
    """Truth and measurements of the galaxies of a seed, by parts."""
    n = options.n if likelihood == "poisson" else options.n_gaussian
    name = f"{likelihood}_{options.refine}_{sky}_{seed}_{n}"
    found = []
    for number, part in enumerate(counts_of(sky, n=n, seed=seed)):
        measure = partial(_measured, net, part, sky, likelihood, options.refine)
        table = kept(options.raw, f"{name}_{number}", measure, part["data"], None)
        found.append(compare(part, table))
    return found


def counts_of(sky, *, n, seed):
    """Draw images in counts.

    Parameters
    ----------
    sky : float
        Mean counts of the sky in a pixel.
    n : int
        Number of galaxies.
    seed : int
        Seed of galaxies, PSFs and photons.

    Yields
    ------
    dict
        As in `benchmarks.noise.simulate`; ``data`` are counts, with the sky.
    """
    rng = np.random.default_rng([seed, round(1000 * sky)])
    drawn = simulate("white", "clean", n=n, side=PIXELS, seed=seed, largest=LARGEST_HERE)
    for part in drawn:
        light = np.clip(_images(torch.from_numpy(part["labels"]), part["psf"]), 0, None)
        yield part | {"data": rng.poisson(sky + np.sqrt(sky) * light).astype(float)}


def _images(labels, psf):
    """Images of galaxies without noise, (N, S, S)."""
    transform = psf_transform(torch.from_numpy(psf / psf.sum()), PIXELS)
    return sersic_images(labels, transform, stamp_size=PIXELS).numpy()


def _measured(net, part, sky, likelihood, refine, *_):
    """What is kept of some galaxies, `~astropy.table.QTable`."""
    table = measure_counts(net, part, sky, likelihood, refine=refine)
    table.meta.clear()
    return table


def measure_counts(net, part, sky, likelihood, *, refine):
    """Measure some galaxies.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The network.
    part : dict
        Galaxies of `counts_of`.
    sky : float
        Mean counts of the sky in a pixel.
    likelihood : str
        One of ``LIKELIHOODS``.
    refine : str
        The refinement.

    Returns
    -------
    `~astropy.table.QTable`
    """
    zeropoint = ZEROPOINT + 2.5 * np.log10(np.sqrt(sky))  # fluxes in units of the noise of the sky
    options = {"psf": part["psf"], "pixel_scale": PIXEL_SCALE, "zeropoint": zeropoint}
    options["refine"] = refine
    counts = part["data"]
    if likelihood == "poisson":
        return net.predict(counts, likelihood="poisson", **options).to_table()
    noise = np.full_like(counts, np.sqrt(sky))
    if likelihood == "root of counts":
        noise = np.sqrt(np.maximum(counts, 1))
    stack = NDData(counts - sky, uncertainty=StdDevUncertainty(noise))
    options |= {"gain": 1.0, "noise_correlation": None}
    return net.predict(stack, **options).to_table()


def _measure_outliers(net, options):
    """Compare the Student likelihood with the Gaussian."""
    rows = []
    for kind in KINDS:
        parts = []
        for seed in options.seed:
            parts += outliers_of(kind, n=options.n, seed=seed)
        for likelihood in ("gaussian", "student"):
            tables = []
            for part in parts:
                stack = NDData(part["data"], uncertainty=StdDevUncertainty(part["sigma"]))
                stack.mask = part["mask"]
                units = {"pixel_scale": PIXEL_SCALE, "zeropoint": ZEROPOINT, "psf": part["psf"]}
                units["noise_correlation"] = None
                asked = {"likelihood": likelihood, "refine": options.refine}
                tables.append(net.predict(stack, **units, **asked).to_table())
            scores = judge(parts, vstack(tables, metadata_conflicts="silent"))
            rows.append({"kind": kind, "likelihood": likelihood} | scores)
            print_table(QTable(rows=rows[-1:]))
            write_rounded(QTable(rows=rows), options.output / "outliers.csv", decimals=3)


def outliers_of(kind, *, n, seed):
    """Draw images that show more than one Sersic galaxy.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    n, seed : int
        Number of galaxies, and the seed of all that is random.

    Yields
    ------
    dict
        As in `benchmarks.noise.simulate`.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    for part in simulate("white", "clean", n=n, side=PIXELS, seed=seed, largest=LARGEST_HERE):
        labels = torch.from_numpy(part["labels"])
        clean = _images(labels, part["psf"])
        noise = part["data"] - clean
        mask = np.zeros(clean.shape, dtype=bool)
        match kind:
            case "blend":
                reach = np.maximum(10 ** part["labels"][:, LOG_R_EFF], _FWHM)
                clean = clean + _others(rng, part, (0.4, 1), reach * rng.uniform(1, 3, len(labels)))
            case "neighbor" | "halo":
                distance = rng.uniform(10, 18, len(labels))
                other = _others(rng, part, (0.3, 3), distance)
                if kind == "halo":
                    mask = (0.5 * other > 1) & (0.5 * other > clean)
                clean = clean + other
            case "rays":
                clean = clean + _rays(rng, clean.shape)
            case "spiral":
                clean = clean * _arms(rng, part["labels"])
        yield part | {"data": clean + noise, "mask": mask}


def _others(rng, part, shares, distance):
    """Images of one more galaxy each, at a distance in pixels, with a share of the flux."""
    labels = part["labels"].copy()
    n = len(labels)
    labels[:, LOG_FLUX] += np.log10(np.exp(rng.uniform(*np.log(shares), n)))
    labels[:, LOG_R_EFF] += rng.uniform(-0.2, 0.2, n)
    labels[:, ELLIPTICITY] = rng.uniform(-0.2, 0.2, (n, 2))
    angle = rng.uniform(0, 2 * np.pi, n)
    labels[:, CENTER] += distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _images(torch.from_numpy(labels), part["psf"])


def _rays(rng, shape):
    """Four cosmic rays in each image."""
    light = np.zeros(shape)
    for image in light:
        for _ in range(4):
            y, x = rng.uniform(0, PIXELS, 2)
            angle = rng.uniform(0, 2 * np.pi)
            steps = np.arange(0, rng.uniform(1, 8), 0.5)
            rows = np.rint(y + steps * np.sin(angle)).astype(int)
            columns = np.rint(x + steps * np.cos(angle)).astype(int)
            inside = (rows >= 0) & (rows < PIXELS) & (columns >= 0) & (columns < PIXELS)
            image[rows[inside], columns[inside]] = np.exp(rng.uniform(*np.log((20, 200))))
    return light


def _arms(rng, labels):
    """Factors of spiral arms, (N, S, S)."""
    axis = np.arange(PIXELS) - (PIXELS - 1) / 2
    n = len(labels)
    x = axis - labels[:, CENTER.start, None, None]
    y = axis[:, None] - labels[:, CENTER.start + 1, None, None]
    radius = np.hypot(x, y) / 10 ** labels[:, LOG_R_EFF, None, None]
    amplitude = rng.uniform(0.3, 0.8, (n, 1, 1))
    arms = rng.integers(1, 4, (n, 1, 1))
    pitch = np.radians(rng.uniform(10, 30, (n, 1, 1)))
    wave = arms * (np.arctan2(y, x) - np.log(radius + 0.05) / np.tan(pitch))
    return 1 + amplitude * np.cos(wave + rng.uniform(0, 2 * np.pi, (n, 1, 1)))


def judge(parts, table):
    """Return bias, scatter and coverage of magnitudes and half-light radii.

    Parameters
    ----------
    parts : list of dict
        Galaxies of `outliers_of`.
    table : `~astropy.table.QTable`
        What was measured of them.

    Returns
    -------
    dict of float
    """
    truth = true_values(parts)
    flags = np.asarray(table["flags"])
    good = flags & int(Flags.NOT_REFINED | Flags.AT_BOUND) == 0
    scores = {"n": len(table), "fitted": share(good)}
    for name in SHOWN:
        error = plain(table[name]) - truth[name]
        if name == "r_eff":
            error = error / truth[name]
        low = plain(table[f"{name}_lo"])
        high = plain(table[f"{name}_hi"])
        inside = (truth[name] >= low) & (truth[name] <= high)
        scores[f"bias of {name}"] = float(np.median(error[good]))
        scores[f"scatter of {name}"] = float(mad_std(error[good]))
        scores[f"coverage of {name}"] = share(inside[good])
    scores["MISFIT"] = share(flags & int(Flags.MISFIT) != 0)
    return scores


if __name__ == "__main__":
    main()
