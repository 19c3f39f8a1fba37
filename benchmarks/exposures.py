"""Dithered exposures of an undersampled PSF: fitted together, or as a drizzled coadd of them.

::

    python -m benchmarks.exposures docs/_static/exposures -n 50

Four exposures, half a pixel apart along x and y, show galaxies of the universal prior (S/N of 30 or
more in each, half-light radii of up to 4.5 pixels) behind a Gaussian PSF of 1.5 pixels FWHM, in
white noise, each with a sky and, but for the first, a shift from their priors. They are fitted with
``exposures=True``, each with a WCS of its own and a prior of its shift of a twentieth of a pixel;
and as a coadd that is drizzled onto pixels of half the size with ``pixfrac`` 1, with its own PSF
and the correlation of its noise.

``exposures.csv`` has the scatter of errors, and the median of those that are quoted, in units of
the Cramer-Rao bound of the four exposures, with known places and a sky of each with its prior; and
the share of truths within the 68 % intervals. With ``--shift 0``, exposures are where their WCS
say, which is what the coadd takes for granted.
"""

import warnings

import astropy.units as u
import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.stats import mad_std
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import plain, print_table, share, write_rounded
from benchmarks.noise import PIXEL_SCALE, ZEROPOINT, simulate
from sersicnet import Flags, Model, SersicNet
from sersicnet.io.weights import weights_path
from sersicnet.model import image_and_jacobian, log_snr, psf_transform, sersic_images
from sersicnet.model.labels import CENTER, LOG_FLUX, LOG_R_EFF, SERSIC_N
from sersicnet.preprocessing import drizzle_correlation

SIDE = 48
LARGEST = 4.5
SNR = 30.0
FWHM = 1.5
OVERSAMPLING = 4
# Steps of the telescope, in pixels, and the exposure without a shift.
REFERENCE = "e1"
DITHERS = {"e1": (0.0, 0.0), "e2": (0.5, 0.0), "e3": (0.0, 0.5), "e4": (0.5, 0.5)}
# Standard deviations of the priors of the sky and, in pixels, of a shift.
SKY = 0.03
SHIFT = 0.05
SHOWN = {"mag": LOG_FLUX, "r_eff": LOG_R_EFF, "n": SERSIC_N}


def main(arguments=None):
    """Measure exposures and coadds, and write the table."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies drawn, of which about half are bright enough", default=50)
    add_weights(parser)
    parser.add_argument("--seed", type=int, default=204)
    text = "rms shift of the exposures but the first, in pixels, unknown to the coadd"
    parser.add_argument("--shift", type=float, default=SHIFT, help=text)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", AstropyUserWarning)
    net = SersicNet.load(weights_path(options.weights))
    labels = galaxies(options.n, options.seed)
    images = exposures_of(labels, options.seed, shift=options.shift)
    bounds = cramer_rao(labels)
    rows = []
    for name, measure in (("exposures", measure_exposures), ("coadd", measure_coadd)):
        table = measure(net, images)
        rows += judge(name, table, labels, bounds)
    table = QTable(rows=rows)
    write_rounded(table, options.output / "exposures.csv", decimals=3)
    print_table(table)


def galaxies(n, seed):
    """Draw labels of galaxies that are bright enough, (N, 7) `~numpy.ndarray`."""
    parts = simulate("white", "clean", n=n, side=SIDE, seed=seed, largest=LARGEST)
    labels = np.concatenate([part["labels"] for part in parts])
    labels[:, CENTER] *= 0.4  # also in the middle of coadds, whose pixels are half as large
    return labels[10 ** log_snr(torch.from_numpy(labels)).numpy() > SNR]


def psf_image(fwhm=FWHM):
    """The PSF on fine pixels, of unit sum."""
    axis = np.arange(-40, 41) / OVERSAMPLING
    image = np.exp(-4 * np.log(2) * (axis**2 + axis[:, None] ** 2) / fwhm**2)
    return image / image.sum()


def _transform():
    psf = torch.from_numpy(psf_image())
    return psf_transform(psf, SIDE, oversampling=OVERSAMPLING)


def _there(labels, dither):
    """Labels in an exposure that is moved by (2,) or (N, 2) pixels."""
    moved = labels.copy()
    moved[:, CENTER] -= dither
    return torch.from_numpy(moved)


def exposures_of(labels, seed, *, shift=SHIFT):
    """Draw all exposures, a dict of (N, S, S) `~numpy.ndarray`."""
    rng = np.random.default_rng(seed)
    options = {"stamp_size": SIDE, "oversampling": OVERSAMPLING}
    found = {}
    for name, dither in DITHERS.items():
        away = 0 if name == REFERENCE else shift * rng.standard_normal((len(labels), 2))
        there = _there(labels, np.array(dither) + away)
        images = sersic_images(there, _transform(), **options).numpy()
        sky = SKY * rng.standard_normal((len(labels), 1, 1))
        found[name] = images + sky + rng.standard_normal(images.shape)
    return found


def cramer_rao(labels):
    """Return the Cramer-Rao bounds of the labels from all exposures, (N, 7) `~numpy.ndarray`."""
    options = {"stamp_size": SIDE, "oversampling": OVERSAMPLING}
    information = 0
    for dither in DITHERS.values():
        _, jacobian = image_and_jacobian(_there(labels, dither), _transform(), **options)
        jacobian = jacobian.flatten(2)
        response = jacobian.sum(dim=2)
        known = SIDE**2 + SKY**-2
        information = information + jacobian @ jacobian.transpose(1, 2)
        information = information - response[:, :, None] * response[:, None] / known
    covariance = torch.linalg.inv(information)
    return torch.diagonal(covariance, dim1=1, dim2=2).sqrt().numpy()


def _wcs(dither):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 2.0]
    wcs.wcs.crpix = (SIDE + 1) / 2 - np.array(dither)
    wcs.wcs.cdelt = np.array([-PIXEL_SCALE, PIXEL_SCALE]) / 3600
    return wcs


def measure_exposures(net, images):
    """Measure exposures together, `~astropy.table.QTable`."""
    cutouts = {}
    for name, stack in images.items():
        noise = StdDevUncertainty(np.ones(stack[0].shape))
        wcs = _wcs(DITHERS[name])
        cutouts[name] = [NDData(image, uncertainty=noise, wcs=wcs) for image in stack]
    model = Model("sersic", band_shift=SHIFT * PIXEL_SCALE * u.arcsec)
    options = {"psf": psf_image(), "psf_oversampling": OVERSAMPLING, "zeropoint": ZEROPOINT}
    options |= {"model": model, "exposures": True, "noise_correlation": None}
    return net.predict(cutouts, **options).to_table()


def drizzled(images):
    """Drizzle exposures onto pixels of half the size, (N, 2 S, 2 S) `~numpy.ndarray`."""
    total = 0
    for name, stack in images.items():
        x, y = (round(2 * step) for step in DITHERS[name])
        fine = np.repeat(np.repeat(stack, 2, axis=1), 2, axis=2) / 4
        total = total + np.roll(fine, (y, x), axis=(1, 2))
    return total / len(images)


def measure_coadd(net, images):
    """Measure the drizzled coadd, `~astropy.table.QTable`."""
    coadd = drizzled(images)
    star = psf_image()
    # each pixel of the coadd is the mean of four, a quarter of a pixel away along x and y
    star = sum(np.roll(star, (y, x), axis=(0, 1)) for x in (-1, 1) for y in (-1, 1)) / 4
    mask = np.zeros(coadd.shape, dtype=bool)
    mask[:, :1] = True  # pixels that fewer exposures show
    mask[:, :, :1] = True
    noise = StdDevUncertainty(np.full(coadd.shape, 1 / 8))
    stack = NDData(coadd, uncertainty=noise, mask=mask)
    options = {"psf": star, "psf_oversampling": OVERSAMPLING // 2, "zeropoint": ZEROPOINT}
    options |= {"pixel_scale": PIXEL_SCALE / 2, "refine": "lm"}
    correlation = drizzle_correlation(1.0, 0.5)
    return net.predict(stack, noise_correlation=correlation, **options).to_table()


def judge(name, table, labels, bounds):
    """Return scores, a row per parameter."""
    flags = np.asarray(table["flags"])
    good = flags & int(Flags.NOT_REFINED | Flags.AT_BOUND) == 0
    rows = []
    for parameter, column in SHOWN.items():
        truth = labels[:, column]
        bound = bounds[:, column]
        if parameter == "mag":
            truth = ZEROPOINT - 2.5 * truth
            bound = 2.5 * bound
        elif parameter == "r_eff":
            truth = PIXEL_SCALE * 10**truth
            bound = np.log(10) * truth * bound
        low, middle, high = (plain(table[f"{parameter}{end}"]) for end in ("_lo", "", "_hi"))
        rows.append(
            {
                "fitted": name,
                "parameter": parameter,
                "n": int(good.sum()),
                "scatter": float(mad_std(((middle - truth) / bound)[good])),
                "quoted": float(np.median(((high - low) / 2 / bound)[good])),
                "coverage": share(((truth >= low) & (truth <= high))[good]),
            }
        )
    return rows


if __name__ == "__main__":
    main()
