"""Whether the errors of the refinements hold in correlated noise.

::

    python -m benchmarks.noise docs/_static/noise
    python -m benchmarks.noise docs/_static/noise -n 300 --refine importance

The galaxies are isolated, drawn from the universal prior by the package's own renderer, behind
Moffat PSFs whose FWHM is at least 2.36 times the smoothing of the noise. The noise is that of
GalSim's COSMOS file, of images that are drizzled from dithered exposures of white noise, or white
noise that is smoothed by a Gaussian. The correlation is measured from each cutout. Some pixels are
masked: isolated ones, or a hole of 40 pixels near the center or the edge.
``noise_REFINE.csv`` has the scatter of the pulls, the share of the 68 % intervals that contain the
truth, and the same for a fit that takes the noise as white; ``noise_REFINE.png`` shows it.
"""

from dataclasses import dataclass
from itertools import product

import galsim
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.stats import mad_std
from astropy.table import QTable, vstack
from scipy.ndimage import gaussian_filter

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.sets.psfs import draw_star
from sersicnet import Flags, SersicNet
from sersicnet.io.weights import weights_path
from sersicnet.model import draw_labels, log_snr, psf_transform, sersic_images
from sersicnet.model.labels import ELLIPTICITY, LOG_R_EFF, axis_ratio, length
from sersicnet.networks import label_dict
from sersicnet.preprocessing import StampFrame, drizzle_correlation

ZEROPOINT = 25.0
PIXEL_SCALE = 0.1
SIDE = 64
PSF_SIZE = 41
SHOWN = ("mag", "r_eff", "n", "q")
# Galaxies with the same PSF, and measured in one call.
TOGETHER = 100
# Half-light radii in pixels: up to an eleventh of the side, from half of the FWHM on.
LARGEST = 6.0
SMALLEST = 0.5
# S/N of the galaxies, as white noise has it.
SNR = (20, 2000)
# FWHM of the PSF in pixels, and over the sigma of the smoothing at least.
FWHM = (3.0, 4.5)
FWHM_OF_SMOOTHING = 2.36


def cosmos_noise(n, side, rng):
    """Noise of GalSim's COSMOS file, of variance 1, (n, side, side)."""
    noise = galsim.getCOSMOSNoise(
        rng=galsim.BaseDeviate(int(rng.integers(2**31))), cosmos_scale=0.03, variance=1.0
    )
    images = np.zeros((n, side, side))
    for image in images:
        drawn = galsim.ImageD(side, side, scale=0.03)
        noise.applyTo(drawn)
        image[...] = drawn.array
    return images


def smoothed_noise(sigma):
    """Return a function that draws white noise smoothed by a Gaussian of this sigma in pixels."""

    def draw(n, side, rng):
        margin = int(np.ceil(4 * sigma)) + 1
        white = rng.standard_normal((n, side + 2 * margin, side + 2 * margin))
        images = gaussian_filter(white, (0, sigma, sigma))[:, margin:-margin, margin:-margin]
        point = np.zeros((4 * margin + 1,) * 2)
        point[2 * margin, 2 * margin] = 1
        return images / np.sqrt(np.sum(gaussian_filter(point, sigma) ** 2))

    return draw


def drizzled_noise(pixfrac, scale_ratio):
    """Return a function that draws the noise of images drizzled from many dithered exposures.

    It is a Gaussian field with the covariance of drops that are shared among output pixels.
    """

    def draw(n, side, rng):
        correlation = drizzle_correlation(pixfrac, scale_ratio)
        half = len(correlation) // 2
        size = side + 4 * half
        wide = np.zeros((size, size))
        wide[: 2 * half + 1, : 2 * half + 1] = correlation
        power = np.fft.rfft2(np.roll(wide, (-half, -half), axis=(0, 1))).real
        white = np.fft.rfft2(rng.standard_normal((n, size, size)))
        images = np.fft.irfft2(white * np.sqrt(np.maximum(power, 0)), s=(size, size))
        return images[:, :side, :side]

    return draw


@dataclass(frozen=True)
class Noise:
    """A kind of noise: a function that draws it, and the sigma of a Gaussian as wide as it."""

    draw: object
    smoothing: float = 0.0


NOISES = {
    "white": Noise(lambda n, side, rng: rng.standard_normal((n, side, side))),
    "COSMOS": Noise(cosmos_noise, 0.6),
    'JWST, 0.03" from 0.063"': Noise(drizzled_noise(1.0, 0.03 / 0.063), 0.9),
    'JWST, 0.04" from 0.063"': Noise(drizzled_noise(1.0, 0.04 / 0.063), 0.7),
    "smoothed by 0.7": Noise(smoothed_noise(0.7), 0.7),
    "smoothed by 1.0": Noise(smoothed_noise(1.0), 1.0),
    "smoothed by 1.5": Noise(smoothed_noise(1.5), 1.5),
}
CASES = ("clean", "0.5 % masked", "3 % masked", "noise varies by 3", "hole inside", "hole outside")
COMPARED = {"measure": {"noise_correlation": "measure"}, "white": {"noise_correlation": None}}


def main(arguments=None):
    """Measure all cases, and write table and figure."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies in each case", default=2000)
    add_weights(parser)
    parser.add_argument("--refine", choices=("lm", "importance"), default="lm")
    parser.add_argument("--seed", type=int, default=201)
    parser.add_argument("--side", type=int, default=SIDE, help="pixels on a side of a cutout")
    parser.add_argument("--noise", nargs="+", choices=list(NOISES), default=list(NOISES))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--no-white", action="store_true", help="only with the correlation")
    options = parser.parse_args(arguments)
    mpl.use("agg")
    options.output.mkdir(parents=True, exist_ok=True)
    net = SersicNet.load(weights_path(options.weights))
    compared = dict(COMPARED)
    if options.no_white:
        del compared["white"]
    tables = []
    path = options.output / f"noise_{options.refine}.csv"
    for name, case in product(options.noise, options.cases):
        shape = {"n": options.n, "side": options.side, "seed": options.seed}
        parts = list(simulate(name, case, **shape))
        for assumed, settings in compared.items():
            measured = [measure(net, part, options.refine, **settings) for part in parts]
            tables.append(pull_table(parts, measured, noise=name, case=case, assumed=assumed))
            print_table(tables[-1])
        write_rounded(vstack(tables), path, decimals=3)
    figure = plot_pulls(vstack(tables)).figure
    figure.savefig(path.with_suffix(".png"), dpi=110, bbox_inches="tight")


def simulate(name, case, *, n, side, seed):
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
        Seed of galaxies, PSFs, noise and masks: galaxies are the same in all cases.

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
        labels = _draw_galaxies(min(TOGETHER, n - first), fwhm, generator)
        transform = psf_transform(torch.from_numpy(psf / psf.sum()), side)
        images = sersic_images(labels, transform, stamp_size=side).numpy()
        sigma = np.ones_like(images)
        if case == "noise varies by 3":
            sigma *= np.geomspace(3**-0.5, 3**0.5, side)
        images += sigma * noise.draw(len(images), side, drawing)
        mask = _masks(case, images.shape, drawing)
        yield {"data": images, "sigma": sigma, "mask": mask, "psf": psf, "labels": labels.numpy()}


def _draw_galaxies(n, fwhm, generator):
    """Labels of galaxies of the prior that are resolved, smaller than the cutout, and bright."""
    found = []
    while sum(map(len, found)) < n:
        labels = draw_labels(20 * n, generator=generator).double()
        size = 10 ** labels[:, LOG_R_EFF]
        snr = 10 ** log_snr(labels)
        good = (size > SMALLEST * fwhm) & (size < LARGEST) & (snr > SNR[0]) & (snr < SNR[1])
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


def pull_table(parts, tables, **names):
    """Return how good the quoted errors are.

    Parameters
    ----------
    parts : list of dict
        Galaxies of `simulate`.
    tables : list of `~astropy.table.QTable`
        What was measured of them.
    **names : str
        Columns that name the case.

    Returns
    -------
    `~astropy.table.QTable`
        One row per parameter.
    """
    table = vstack(tables, metadata_conflicts="silent")
    truth = true_values(parts)
    flags = np.asarray(table["flags"])
    known = flags & int(Flags.NOT_REFINED | Flags.AT_BOUND) == 0
    rows = []
    for name in SHOWN:
        low, high = (plain(table[f"{name}_{end}"]) for end in ("lo", "hi"))
        error = plain(table[name]) - truth[name]
        pull = (error / ((high - low) / 2))[known]
        inside = ((truth[name] >= low) & (truth[name] <= high))[known]
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
    cases = [f"{row['noise']}, {row['case']}" for row in table]
    shown = list(dict.fromkeys(cases))
    _, axes = plt.subplots(figsize=(7, 1 + 0.22 * len(shown)), layout="constrained")
    markers = {"measure": "o", "white": "x"}
    for number, parameter in enumerate(SHOWN):
        for assumed, marker in markers.items():
            chosen = (table["parameter"] == parameter) & (table["assumed"] == assumed)
            places = [shown.index(case) for case, use in zip(cases, chosen, strict=True) if use]
            values = table["NMAD of pulls"][chosen]
            label = parameter if assumed == "measure" else None
            axes.plot(values, places, marker, color=f"C{number}", label=label)
    axes.axvspan(0.9, 1.1, color="0.85", zorder=0)
    axes.set(xlabel="scatter of the pulls (o: correlation measured, x: noise taken as white)")
    axes.set_yticks(range(len(shown)), shown, fontsize="small")
    axes.invert_yaxis()
    axes.legend(ncols=4, fontsize="small")
    return axes


if __name__ == "__main__":
    main()
