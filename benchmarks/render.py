"""How fast and exact the torch renderer is beside GalSim, and how finely a PSF must be sampled.

::

    python -m benchmarks.render     # docs/_static/render/*.csv, some minutes

The same random galaxies of the universal prior, in stamps of 128 x 128 pixels with a Moffat PSF of
FWHM 3 pixels, are drawn by both in turns, on one core; on a GPU as well, if torch finds one.
"""

import math
import time

import galsim
import numpy as np
import torch
from astropy.table import Table
from scipy.optimize import brentq

from benchmarks.common.command import add_count, make_parser
from benchmarks.common.tables import print_table, write_rounded
from sersicnet.model import draw_labels, psf_transform, sersic_images
from sersicnet.model.labels import (
    DX,
    DY,
    LOG_R_EFF,
    N_LABELS,
    SERSIC_N,
    axis_ratio,
    split_labels,
)

SIZE = 128
# Galaxies that each renderer draws before it is the other's turn.
CHUNK = 16
DEFAULT = galsim.GSParams()
EXACT = galsim.GSParams(folding_threshold=5e-4, maxk_threshold=1e-4, kvalue_accuracy=1e-6)
# A galaxy that needs a larger transform is not drawn. GalSim makes them up to twice this size,
# which takes 1 GB and 5 s.
MAX_FFT = 4096
# The renderer is less exact for galaxies of smaller axis ratio and larger half-light radius.
THIN_Q = 0.15
LARGE_R_EFF = 15.0
FWHMS = (1.2, 1.5, 1.7, 2.0, 2.4, 2.7, 3.0, 3.5, 4.0)
# Oversampling and side of the PSF stamps of the table "sampling".
SAMPLINGS = ((1, 61), (2, 121), (2, 120), (3, 181))
QUANTILES = {"median": 0.5, "90 %": 0.9, "99 %": 0.99, "largest": 1.0}


def main(arguments=None):
    """Write three tables."""
    parser = make_parser(__doc__, default_output="docs/_static/render")
    add_count(parser, "galaxies", default=300)
    parser.add_argument("--seed", type=int, default=1, help="seed of the galaxies, by default 1")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    labels = draw_labels(options.n, generator=torch.Generator().manual_seed(options.seed))
    psf = galsim.Moffat(3.5, fwhm=3.0)
    images, seconds = draw_in_turns(labels, psf)
    _write(speed_table(labels, psf, images, seconds), options.output / "speed.csv")
    _write(sampling_table(), options.output / "sampling.csv")
    _write(accuracy_table(labels, psf, images), options.output / "accuracy.csv")


def _write(table, path):
    print_table(table)
    write_rounded(table, path, decimals=2)


def draw_in_turns(labels, psf):
    """Draw galaxies by GalSim and by `sersic_images`, a few galaxies each at a time.

    Parameters
    ----------
    labels : (N, 7) `~torch.Tensor`
        Labels of the galaxies.
    psf : `galsim.GSObject`
        PSF without the response of the pixel.

    Returns
    -------
    images : dict of (N, 128, 128) `~numpy.ndarray`
        Images by renderer.
    seconds : dict of float
        CPU seconds by renderer.
    """
    transform = _transform(psf)
    # The first call reads a table: it is not timed.
    draw_fast(labels[:CHUNK], transform)
    images = {"GalSim": [], "sersicnet": []}
    seconds = {"GalSim": 0.0, "sersicnet": 0.0}
    for some in labels.split(CHUNK):
        start = time.process_time()
        images["GalSim"].append(np.stack([draw_galsim(row, psf) for row in some]))
        middle = time.process_time()
        images["sersicnet"].append(draw_fast(some, transform).numpy())
        seconds["GalSim"] += middle - start
        seconds["sersicnet"] += time.process_time() - middle
    return {name: np.concatenate(parts) for name, parts in images.items()}, seconds


def _transform(psf, *, device="cpu"):
    stamp = torch.tensor(draw_psf(psf, SIZE - 1), dtype=torch.float32, device=device)
    return psf_transform(stamp, SIZE)


@torch.no_grad()
def draw_fast(labels, transform, *, size=SIZE, oversampling=1):
    """Draw galaxies by `sersic_images`, without gradients."""
    return sersic_images(labels, transform, stamp_size=size, oversampling=oversampling)


def draw_galsim(labels, psf, *, size=SIZE, accuracy=DEFAULT):
    """Draw one galaxy by GalSim, as NaN if it needs a larger transform than is allowed.

    Parameters
    ----------
    labels : (7,) `~torch.Tensor`
        Labels of the galaxy.
    psf : `galsim.GSObject`
        PSF without the response of the pixel.
    size : int
        Side of the stamp, in pixels.
    accuracy : `galsim.GSParams`
        Accuracy of GalSim.

    Returns
    -------
    (size, size) `~numpy.ndarray`
    """
    log_flux, log_r_eff, n, e1, e2, dx, dy = map(float, split_labels(labels))
    radius = 10**log_r_eff * math.sqrt(axis_ratio(math.hypot(e1, e2)))
    n = min(max(n, 0.3), 6.2)
    galaxy = galsim.Sersic(n, half_light_radius=radius, flux=10**log_flux, gsparams=accuracy)
    galaxy = galaxy.shear(g1=e1, g2=e2).shift(dx, dy)
    convolved = galsim.Convolve(galaxy, psf.withGSParams(accuracy), gsparams=accuracy)
    if 2 * convolved.maxk / convolved.stepk > MAX_FFT:
        return np.full((size, size), np.nan)
    return convolved.drawImage(galsim.ImageD(size, size, scale=1.0)).array


def draw_psf(psf, side, oversampling=1):
    """Draw a PSF stamp, (side, side), with the response of the pixel."""
    image = galsim.ImageD(side, side, scale=1 / oversampling)
    convolved = galsim.Convolve(psf.withGSParams(EXACT), galsim.Pixel(1.0), gsparams=EXACT)
    return convolved.drawImage(image, method="no_pixel").array


def speed_table(labels, psf, images, seconds):
    """Return the time per galaxy, of GalSim for the galaxies that it can draw.

    Parameters
    ----------
    labels, psf
        As in `draw_in_turns`.
    images, seconds
        Results of `draw_in_turns`.

    Returns
    -------
    `~astropy.table.Table`
        One row per renderer.
    """
    drawn = np.isfinite(images["GalSim"][:, 0, 0]).sum()
    columns = ("renderer", "ms per galaxy", "galaxies per second")
    table = Table(names=columns, dtype=(str, float, int))
    each = {
        "GalSim, 1 core": seconds["GalSim"] / drawn,
        "sersicnet, 1 core": seconds["sersicnet"] / len(labels),
        f"sersicnet, 1 core, {SIZE} at a time": _time_chunks(labels, psf, SIZE),
    }
    if torch.cuda.is_available():
        each[torch.cuda.get_device_name()] = _time_gpu(psf)
    for name, value in each.items():
        table.add_row((name, 1e3 * value, round(1 / value)))
    ratio = each["GalSim, 1 core"] / each["sersicnet, 1 core"]
    print(f"GalSim draws {drawn} of {len(labels)}; sersicnet is {ratio:.0f} times as fast")
    return table


def _time_chunks(labels, psf, chunk):
    """Return the CPU seconds per galaxy for larger batches."""
    transform = _transform(psf)
    start = time.process_time()
    for some in labels.split(chunk):
        draw_fast(some, transform)
    return (time.process_time() - start) / len(labels)


def _time_gpu(psf, n=8192, chunk=1024):
    """Return the seconds per galaxy on a GPU."""
    generator = torch.Generator("cuda").manual_seed(1)
    labels = draw_labels(n, generator=generator, device="cuda")
    transform = _transform(psf, device="cuda")
    # The first round is not timed.
    for _ in range(2):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for some in labels.split(chunk):
            draw_fast(some, transform)
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / n


def accuracy_table(labels, psf, images):
    """Compare both renderers with GalSim at a higher accuracy.

    Parameters
    ----------
    labels, psf, images
        As in `speed_table`.

    Returns
    -------
    `~astropy.table.Table`
        Quantiles of the largest error of a pixel relative to the peak, and of the relative error of
        the flux in the stamp.
    """
    exact = np.stack([draw_galsim(row, psf, accuracy=EXACT) for row in labels])
    columns = split_labels(labels)
    thin = axis_ratio(torch.hypot(columns.e1, columns.e2)) < THIN_Q
    large = columns.log_r_eff > math.log10(LARGE_R_EFF)
    difficult = (thin & large).numpy()
    names = [f"{error}, {name}" for error in ("peak", "flux") for name in QUANTILES]
    table = Table(
        names=("renderer", "galaxies", "number", *names), dtype=(str, str, int, *[str] * 8)
    )
    for renderer in images:
        for label, group in (("most", ~difficult), ("large and thin", difficult)):
            chosen = group & np.isfinite(exact[:, 0, 0]) & np.isfinite(images["GalSim"][:, 0, 0])
            if not chosen.any():
                continue
            errors = _errors(images[renderer][chosen], exact[chosen])
            values = np.quantile(errors, list(QUANTILES.values()), axis=1).T.ravel()
            table.add_row((renderer, label, chosen.sum(), *map(_short, values)))
    return table


def _short(value):
    return f"{value:.1g}"


def _errors(images, exact):
    """Return the largest error of a pixel over the peak, and the relative error of the flux."""
    axes = (1, 2)
    difference = images - exact
    peak = np.abs(difference).max(axis=axes) / exact.max(axis=axes)
    return peak, np.abs(difference.sum(axis=axes) / exact.sum(axis=axes))


def sampling_table(size=64):
    """Return the error for PSF stamps of several samplings, of a galaxy much smaller than the PSF.

    Parameters
    ----------
    size : int
        Side of the stamps of the galaxy, in pixels.

    Returns
    -------
    `~astropy.table.Table`
        Largest error of a pixel relative to the peak: one row per FWHM of the PSF, one column per
        oversampling.
    """
    table = Table(names=("FWHM", "1", "2", "2, even stamp", "3"), dtype=[str] * 5)
    for fwhm in FWHMS:
        psf = _moffat(fwhm)
        labels = torch.zeros(5, N_LABELS, dtype=torch.float64)
        labels[:, LOG_R_EFF] = math.log10(0.2)
        labels[:, SERSIC_N] = 0.5
        labels[:, DX] = torch.linspace(0, 0.5, 5)
        labels[:, DY] = torch.linspace(0, 0.5, 5)
        exact = np.stack([draw_galsim(row, psf, size=size, accuracy=EXACT) for row in labels])
        row = []
        for oversampling, side in SAMPLINGS:
            stamp = torch.tensor(draw_psf(psf, side, oversampling))
            transform = psf_transform(stamp, size, oversampling=oversampling)
            images = draw_fast(labels, transform, size=size, oversampling=oversampling)
            row.append(_short(_errors(images.numpy(), exact)[0].max()))
        table.add_row((f"{fwhm}", *row))
    return table


def _moffat(fwhm):
    """Return a Moffat profile whose PSF, with the response of the pixel, has this FWHM."""

    def excess(width):
        convolved = galsim.Convolve(galsim.Moffat(3.5, fwhm=width), galsim.Pixel(1.0))
        return convolved.calculateFWHM(scale=0.02) - fwhm

    return galsim.Moffat(3.5, fwhm=brentq(excess, 0.1, fwhm, xtol=1e-3))


if __name__ == "__main__":
    main()
