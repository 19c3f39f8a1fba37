"""Whether the errors of the refinements hold in correlated noise.

::

    python -m benchmarks.noise docs/_static/noise --raw measured
    python -m benchmarks.noise docs/_static/noise --raw measured -n 300 --refine importance

The galaxies are isolated, drawn from the universal prior by the package's own renderer, behind
Moffat PSFs whose FWHM is at least 2.36 times the smoothing of the noise. Those count that are
*measured* to have a S/N above 20 (in this noise) and half-light radii below 6 pixels: cuts on the
true values would make another prior of them, for which no interval can be right. The noise is
that of GalSim's COSMOS file, of images that are drizzled from dithered exposures of white noise,
white noise that is smoothed by a Gaussian, or empty patches of the images in ``../shared/real``,
where there is such a folder. The correlation is measured from each cutout. Some pixels are masked:
isolated ones, or a hole of 40 pixels near the center or the edge.

``--raw`` keeps what was measured: a run that was stopped (``--minutes``) goes on, and the table is
of what there is. ``noise_REFINE.csv`` has the scatter of the pulls, the share of the 68 % intervals
that contain the truth, and the same for a fit that takes the noise as white; ``noise_REFINE.png``
shows it.
"""

import re
import time
from itertools import product
from pathlib import Path

import galsim
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.stats import mad_std
from astropy.table import QTable, vstack

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.sets.noises import NOISES
from benchmarks.sets.psfs import draw_star
from sersicnet import Flags, SersicNet
from sersicnet.io import atomic_path
from sersicnet.io.weights import weights_path
from sersicnet.model import draw_labels, log_snr, psf_transform, sersic_images
from sersicnet.model.labels import (
    ELLIPTICITY,
    LOG_FLUX,
    LOG_R_EFF,
    N_LABELS,
    axis_ratio,
    ellipticity,
    length,
)
from sersicnet.networks import label_dict
from sersicnet.preprocessing import StampFrame

ZEROPOINT = 25.0
PIXEL_SCALE = 0.1
SIDE = 64
PSF_SIZE = 41
SHOWN = ("mag", "r_eff", "n", "q")
# Galaxies with the same PSF, and measured in one call.
TOGETHER = 100
# Largest half-light radius in pixels in cutouts of `SIDE`, and smallest S/N, as measured.
LARGEST = 6.0
SNR = 20.0
# True values go beyond these by this factor: galaxies farther away are not measured to be within.
BEYOND = 1.5
# FWHM of the PSF in pixels, and over the sigma of the smoothing at least.
FWHM = (3.0, 4.5)
FWHM_OF_SMOOTHING = 2.36
# Relative error of a robust standard deviation, times the square root of the number of values.
_NMAD_ERROR = 1.17
# Distance of the parameters of a case in the figure.
_APART = 0.18


CASES = ("clean", "0.5 % masked", "3 % masked", "noise varies by 3", "hole inside", "hole outside")
COMPARED = {"measure": {"noise_correlation": "measure"}, "white": {"noise_correlation": None}}


def main(arguments=None):
    """Measure all cases, and write table and figure."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies drawn in each case, of which about 0.85 count", default=2400)
    add_weights(parser)
    parser.add_argument("--refine", choices=("lm", "importance"), default="lm")
    parser.add_argument("--seed", type=int, default=201)
    text = "pixels on a side of cutouts, or fewer where real images have no larger empty patches"
    parser.add_argument("--side", type=int, nargs="+", default=[SIDE], help=text)
    parser.add_argument("--noise", nargs="+", choices=list(NOISES), default=list(NOISES))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--assumed", nargs="+", choices=list(COMPARED), default=list(COMPARED))
    parser.add_argument("--raw", type=Path, help="folder that keeps what was measured")
    parser.add_argument("--minutes", type=float, default=np.inf, help="CPU minutes to stop after")
    options = parser.parse_args(arguments)
    mpl.use("agg")
    options.output.mkdir(parents=True, exist_ok=True)
    net = SersicNet.load(weights_path(options.weights))
    tables = []
    path = options.output / f"noise_{options.refine}.csv"
    for cell in _cells(options):
        measured = _measured(net, cell, options)
        if measured["flags"].size:
            tables.append(pull_table(measured, largest=_largest(cell["side"]), **cell))
            print_table(tables[-1])
    write_rounded(one_row_each(vstack(tables)), path, decimals=3)
    figure = plot_pulls(vstack(tables)).figure
    figure.savefig(path.with_suffix(".png"), dpi=110, bbox_inches="tight")


def _cells(options):
    """What is measured, without the noise of real images where there are none."""
    cells = []
    for name, side in product(options.noise, options.side):
        side = int(min(side, NOISES[name].largest))
        try:
            NOISES[name].draw(1, side, np.random.default_rng())
        except FileNotFoundError as error:
            print(f"skipped {name}: {error}")
            continue
        for case, assumed in product(options.cases, options.assumed):
            cell = {"noise": name, "case": case, "assumed": assumed, "side": side}
            if cell not in cells:
                cells.append(cell)
    return cells


def _measured(net, cell, options):
    """Truth, quantiles and flags of a cell: those of its file, and those of galaxies that lack."""
    path = None
    parts = []
    if options.raw is not None:
        options.raw.mkdir(parents=True, exist_ok=True)
        words = [*cell.values(), options.refine, options.seed]
        path = options.raw / (re.sub(r"[^\w.]+", "_", " ".join(map(str, words))) + ".npz")
        if path.exists():
            with np.load(path) as file:
                parts.append(dict(file))
    n_done = sum(len(part["flags"]) for part in parts)
    limit = 60 * options.minutes
    if n_done >= options.n or time.process_time() > limit:
        return _joined(parts)
    shape = {"n": options.n, "side": cell["side"], "seed": options.seed}
    shape["largest"] = _largest(cell["side"])
    for number, part in enumerate(simulate(cell["noise"], cell["case"], **shape)):
        if number * TOGETHER < n_done:
            continue
        if time.process_time() > limit:
            break
        settings = COMPARED[cell["assumed"]] | {"sky_err": NOISES[cell["noise"]].sky_err}
        table = measure(net, part, options.refine, **settings)
        parts.append(compare(part, table, NOISES[cell["noise"]].total))
        if path is not None:
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **_joined(parts))
    return _joined(parts)


def _joined(parts):
    """The arrays of all parts, whose last axes are galaxies."""
    if not parts:
        return {"flags": np.zeros(0, dtype=int)}
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}


def _largest(side):
    """Largest half-light radius of the galaxies that count in cutouts of a side, in pixels."""
    return LARGEST * min(1, side / SIDE)


def simulate(name, case, *, n, side, seed, largest=LARGEST):
    """Draw galaxies, some hundred at a time.

    Parameters
    ----------
    name : str
        Name of the noise, one of ``NOISES``.
    case : str
        What is masked, one of ``CASES``.
    n, side : int
        Number of galaxies, and pixels on a side of their cutouts.
    seed : int
        Seed of galaxies, PSFs, noise and masks: galaxies are the same in all cases of a noise.
    largest : float, optional
        Largest half-light radius of the galaxies that count, as measured, in pixels.

    Yields
    ------
    dict
        ``data``, ``sigma`` and ``mask`` (M, side, side), ``psf`` (one stamp), ``labels`` (M, 7).
    """
    noise = NOISES[name]
    rng = np.random.default_rng(seed)
    drawing = np.random.default_rng([seed, list(NOISES).index(name)])
    generator = torch.Generator().manual_seed(seed)
    for first in range(0, n, TOGETHER):
        fwhm = max(rng.uniform(*FWHM), 1.02 * FWHM_OF_SMOOTHING * noise.smoothing)
        psf = draw_star(galsim.Moffat(rng.uniform(3, 5), fwhm=fwhm), 1, (PSF_SIZE, PSF_SIZE))
        limits = {"snr": SNR * noise.total**0.5 / BEYOND, "size": BEYOND * largest}
        labels = _draw_galaxies(min(TOGETHER, n - first), generator, **limits)
        transform = psf_transform(torch.from_numpy(psf / psf.sum()), side)
        images = sersic_images(labels, transform, stamp_size=side).numpy()
        sigma = np.ones_like(images)
        if case == "noise varies by 3":
            sigma *= np.geomspace(3**-0.5, 3**0.5, side)
        drawn = noise.draw(len(images), side, drawing)
        images += sigma * np.nan_to_num(drawn)
        mask = np.isnan(drawn) | _masks(case, images.shape, drawing)
        yield {"data": images, "sigma": sigma, "mask": mask, "psf": psf, "labels": labels.numpy()}


def _draw_galaxies(n, generator, *, snr, size):
    """Labels of galaxies of the prior above a S/N and below a half-light radius in pixels."""
    found = []
    while sum(map(len, found)) < n:
        labels = draw_labels(4 * n, generator=generator).double()
        good = (10 ** labels[:, LOG_R_EFF] < size) & (10 ** log_snr(labels) > snr)
        found.append(labels[good])
    return torch.cat(found)[:n]


def _masks(case, shape, rng):
    """Masked pixels of a case."""
    mask = np.zeros(shape, dtype=bool)
    side = shape[-1]
    middle = side // 2
    match case:
        case "0.5 % masked":
            mask = rng.random(shape) < 0.005
        case "3 % masked":
            mask = rng.random(shape) < 0.03
        case "hole inside":
            mask[:, middle + 5 : middle + 10, middle - 4 : middle + 4] = True
        case "hole outside":
            mask[:, side - 9 : side - 4, middle - 4 : middle + 4] = True
    return mask


def measure(net, part, refine, **settings):
    """Measure some galaxies.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The network.
    part : dict
        Galaxies of `simulate`.
    refine : str
        The refinement.
    **settings
        Other options of `~sersicnet.SersicNet.predict`.

    Returns
    -------
    `~astropy.table.QTable`
    """
    noise = StdDevUncertainty(part["sigma"])
    stack = NDData(part["data"], uncertainty=noise, mask=part["mask"])
    units = {"pixel_scale": PIXEL_SCALE, "zeropoint": ZEROPOINT}
    return net.predict(stack, psf=part["psf"], refine=refine, **units, **settings).to_table()


def compare(part, table, total=1.0):
    """Return truth and measurement of some galaxies.

    Parameters
    ----------
    part : dict
        Galaxies of `simulate`.
    table : `~astropy.table.QTable`
        What was measured of them.
    total : float, optional
        Sum of the correlation function of the noise.

    Returns
    -------
    dict of `~numpy.ndarray`
        ``truth`` (4, M), ``quantiles`` (4, 3, M) at 16, 50 and 84 %, of the parameters ``SHOWN``,
        ``snr`` (M,), as measured, and ``flags`` (M,).
    """
    truth = true_values([part])
    quantiles = []
    for name in SHOWN:
        quantiles.append([plain(table[f"{name}{end}"]) for end in ("_lo", "", "_hi")])
    return {
        "truth": np.array([truth[name] for name in SHOWN]),
        "quantiles": np.array(quantiles),
        "snr": measured_snr(table) / total**0.5,
        "flags": np.asarray(table["flags"]),
    }


def measured_snr(table):
    """Return the S/N within the half-light ellipse of what was measured, as white noise has it.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Measurements by `measure`.

    Returns
    -------
    (N,) `~numpy.ndarray`
    """
    flux = 10 ** (-0.4 * (plain(table["mag"]) - ZEROPOINT))
    size = plain(table["r_eff"]) / PIXEL_SCALE
    q = plain(table["q"])
    labels = torch.zeros(len(table), N_LABELS, dtype=torch.float64)
    labels[:, LOG_FLUX] = torch.from_numpy(np.log10(flux))
    labels[:, LOG_R_EFF] = torch.from_numpy(np.log10(size))
    labels[:, ELLIPTICITY.start] = ellipticity(torch.from_numpy(q))
    return 10 ** log_snr(labels).numpy()


def pull_table(measured, *, largest=np.inf, **names):
    """Return how good the quoted errors are.

    Parameters
    ----------
    measured : dict of `~numpy.ndarray`
        Arrays of `compare`.
    largest : float, optional
        Largest half-light radius in pixels, as measured, of the galaxies that count.
    **names : str
        Columns that name the case.

    Returns
    -------
    `~astropy.table.QTable`
        One row per parameter.
    """
    flags = measured["flags"]
    known = flags & int(Flags.NOT_REFINED | Flags.AT_BOUND) == 0
    size = measured["quantiles"][SHOWN.index("r_eff"), 1] / PIXEL_SCALE
    known &= (measured["snr"] > SNR) & (size < largest)
    rows = []
    for number, name in enumerate(SHOWN):
        truth = measured["truth"][number]
        low, median, high = measured["quantiles"][number]
        error = median - truth
        pull = (error / ((high - low) / 2))[known]
        inside = ((truth >= low) & (truth <= high))[known]
        rows.append(
            names
            | {
                "parameter": name,
                "n": int(np.isfinite(pull).sum()),
                "NMAD of pulls": mad_std(pull, ignore_nan=True),
                "bias of pulls": np.nanmedian(pull),
                "coverage": inside[np.isfinite(pull)].mean(),
                "scatter": mad_std(error[known], ignore_nan=True),
                "correlation unknown": int(np.sum(flags & int(Flags.CORRELATION_UNKNOWN) != 0)),
            }
        )
    return QTable(rows=rows)


def true_values(parts):
    """Return what was simulated.

    Parameters
    ----------
    parts : list of dict
        Galaxies of `simulate`.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
        ``mag``, ``r_eff``, ``n`` and ``q``.
    """
    labels = np.concatenate([part["labels"] for part in parts])
    middle = (parts[0]["data"].shape[-1] - 1) / 2
    frame = StampFrame(*np.array([[1.0], [ZEROPOINT], [PIXEL_SCALE], [1], [middle], [middle]]))
    truth = frame.from_labels(label_dict(labels), ("mag", "r_eff", "n"))
    truth["q"] = axis_ratio(length(*labels[:, ELLIPTICITY].T))
    return truth


def one_row_each(table):
    """Return one row per case, with columns for each parameter.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Rows of `pull_table`.

    Returns
    -------
    `~astropy.table.QTable`
        ``pull <p>``, the scatter of the pulls, and ``inside <p>``, the share of the intervals.
    """
    rows = []
    for first in range(0, len(table), len(SHOWN)):
        part = table[first : first + len(SHOWN)]
        row = {name: part[name][0] for name in ("noise", "case", "side", "assumed", "n")}
        for column, name in (("pull", "NMAD of pulls"), ("inside", "coverage")):
            for parameter, value in zip(part["parameter"], part[name], strict=True):
                row[f"{column} {parameter}"] = value
        rows.append(row)
    return QTable(rows=rows)


def plot_pulls(table):
    """Draw the scatter of the pulls of all cases.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Rows of `pull_table`.

    Returns
    -------
    `~matplotlib.axes.Axes`
    """
    cases = [f"{row['noise']}, {row['case']}, {row['side']} pixels" for row in table]
    shown = list(dict.fromkeys(cases))
    _, axes = plt.subplots(figsize=(7, 1 + 0.22 * len(shown)), layout="constrained")
    markers = {"measure": "o", "white": "x"}
    for number, parameter in enumerate(SHOWN):
        for assumed, marker in markers.items():
            chosen = (table["parameter"] == parameter) & (table["assumed"] == assumed)
            places = [shown.index(case) for case, use in zip(cases, chosen, strict=True) if use]
            values = table["NMAD of pulls"][chosen]
            label = parameter if assumed == "measure" else None
            places = np.array(places) + (number - 1.5) * _APART
            axes.plot(values, places, marker, color=f"C{number}", label=label, markersize=4)
            errors = values * _NMAD_ERROR / np.sqrt(table["n"][chosen])
            axes.hlines(places, values - errors, values + errors, f"C{number}", linewidth=0.8)
    axes.axvspan(0.9, 1.1, color="0.85", zorder=0)
    axes.set(xlabel="scatter of the pulls (x: noise taken as white)")
    axes.set_yticks(range(len(shown)), shown, fontsize="small")
    axes.invert_yaxis()
    axes.legend(ncols=4, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1))
    return axes


if __name__ == "__main__":
    main()
