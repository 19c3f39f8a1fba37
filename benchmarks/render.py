"""The fast renderer beside GalSim: time, agreement, and how finely a PSF must be sampled.

::

    python -m benchmarks.render     # docs/_static/render/*.csv, some minutes

The same random galaxies of the universal prior, in stamps of 128 x 128 pixels through a Moffat PSF
of FWHM 3 pixels, drawn in turns by both on one core; on a GPU, too, where torch sees one.
"""

import argparse
import math
import time
from pathlib import Path

import galsim
import numpy as np
import torch
from astropy.table import Table
from scipy.optimize import brentq

from benchmarks.common.tables import write_rounded
from sersicnet.model.labels import (
    DX,
    DY,
    LOG_R_EFF,
    N_LABELS,
    SERSIC_N,
    axis_ratio,
    length,
    split_labels,
)
from sersicnet.model.prior import draw_labels
from sersicnet.model.profile import psf_transform, sersic_images

SIZE, CHUNK = 128, 16
DEFAULT = galsim.GSParams()
EXACT = galsim.GSParams(folding_threshold=5e-4, maxk_threshold=1e-4, kvalue_accuracy=1e-6)
# A galaxy that needs a larger transform is not drawn. GalSim makes them up to twice this size,
# 1 GB and 5 s.
MAX_FFT = 4096
# For which less exactness is promised.
THIN_Q, LARGE_R_EFF = 0.15, 15.0


def main(arguments=None):
    """Write three tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=300, help="galaxies")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/_static/render"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    labels = draw_labels(options.n, generator=torch.Generator().manual_seed(options.seed))
    psf = galsim.Moffat(3.5, fwhm=3.0)
    images, seconds = draw_in_turns(labels, psf)
    for name, make in (
        ("speed", lambda: speed_table(labels, psf, images, seconds)),
        ("sampling", sampling_table),
        ("accuracy", lambda: accuracy_table(labels, psf, images)),
    ):
        table = make()
        print(*table.pformat(max_width=-1), sep="\n", flush=True)
        write_rounded(table, options.output / f"{name}.csv", decimals=2)


def draw_in_turns(labels, psf):
    """Images and CPU seconds of GalSim and of `sersic_images`, a few galaxies each at a time."""
    transform = psf_transform(torch.tensor(star(psf, SIZE - 1), dtype=torch.float32), SIZE)
    draw_fast(labels[:CHUNK], transform)  # the first call reads the table
    images, seconds = {"GalSim": [], "sersicnet": []}, {"GalSim": 0.0, "sersicnet": 0.0}
    for some in labels.split(CHUNK):
        for name, draw in (
            ("GalSim", lambda some: np.stack([draw_galsim(row, psf) for row in some])),
            ("sersicnet", lambda some: draw_fast(some, transform).numpy()),
        ):
            start = time.process_time()
            images[name].append(draw(some))
            seconds[name] += time.process_time() - start
    return {name: np.concatenate(parts) for name, parts in images.items()}, seconds


@torch.no_grad()
def draw_fast(labels, transform, *, size=SIZE, oversampling=1):
    """As a function of labels and a PSF alone."""
    return sersic_images(labels, transform, stamp_size=size, oversampling=oversampling)


def draw_galsim(labels, psf, *, size=SIZE, accuracy=DEFAULT):
    """One galaxy; NaN where GalSim needs a larger transform than is allowed."""
    log_flux, log_r_eff, n, e1, e2, dx, dy = map(float, split_labels(labels))
    radius = 10**log_r_eff * math.sqrt(axis_ratio(length(e1, e2)))
    n = min(max(n, 0.3), 6.2)
    galaxy = galsim.Sersic(n, half_light_radius=radius, flux=10**log_flux, gsparams=accuracy)
    galaxy = galaxy.shear(g1=e1, g2=e2).shift(dx, dy)
    seen = galsim.Convolve(galaxy, psf.withGSParams(accuracy), gsparams=accuracy)
    if 2 * seen.maxk / seen.stepk > MAX_FFT:
        return np.full((size, size), np.nan)
    return seen.drawImage(galsim.ImageD(size, size, scale=1.0)).array


def star(psf, side, oversampling=1):
    """As it looks, with the response of the pixel, (side, side) and finely sampled."""
    image = galsim.ImageD(side, side, scale=1 / oversampling)
    seen = galsim.Convolve(psf.withGSParams(EXACT), galsim.Pixel(1.0), gsparams=EXACT)
    return seen.drawImage(image, method="no_pixel").array


def speed_table(labels, psf, images, seconds):
    """Time a galaxy; GalSim's over those that it can draw."""
    drawn = np.isfinite(images["GalSim"][:, 0, 0]).sum()
    table = Table(names=("renderer", "ms a galaxy", "galaxies a second"), dtype=(str, float, int))
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
    transform = psf_transform(torch.tensor(star(psf, SIZE - 1), dtype=torch.float32), SIZE)
    start = time.process_time()
    for some in labels.split(chunk):
        draw_fast(some, transform)
    return (time.process_time() - start) / len(labels)


def _time_gpu(psf, n=8192, chunk=1024):
    generator = torch.Generator("cuda").manual_seed(1)
    labels = draw_labels(n, generator=generator, device="cuda")
    stamp = torch.tensor(star(psf, SIZE - 1), dtype=torch.float32, device="cuda")
    transform = psf_transform(stamp, SIZE)
    for _ in range(2):  # the first time is for warming up
        torch.cuda.synchronize()
        start = time.perf_counter()
        for some in labels.split(chunk):
            draw_fast(some, transform)
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / n


def accuracy_table(labels, psf, images):
    """Differences from a more exact GalSim: of pixels over the peak, of the flux in the stamp."""
    exact = np.stack([draw_galsim(row, psf, accuracy=EXACT) for row in labels])
    columns = split_labels(labels.numpy())
    thin = axis_ratio(length(columns.e1, columns.e2)) < THIN_Q
    thin &= columns.log_r_eff > math.log10(LARGE_R_EFF)
    quantiles = {"median": 0.5, "90 %": 0.9, "99 %": 0.99, "largest": 1.0}
    names = [f"{what}, {name}" for what in ("peak", "flux") for name in quantiles]
    table = Table(
        names=("renderer", "galaxies", "number", *names), dtype=(str, str, int, *[str] * 8)
    )
    for renderer in images:
        for label, group in (("most", ~thin), ("large and thin", thin)):
            chosen = group & np.isfinite(exact[:, 0, 0]) & np.isfinite(images["GalSim"][:, 0, 0])
            if not chosen.any():
                continue
            errors = _errors(images[renderer][chosen], exact[chosen])
            values = np.quantile(errors, list(quantiles.values()), axis=1).T.ravel()
            table.add_row((renderer, label, chosen.sum(), *map(_short, values)))
    return table


def _short(value):
    return f"{value:.1g}"


def _errors(images, exact):
    axes = (1, 2)
    difference = images - exact
    peak = np.abs(difference).max(axis=axes) / exact.max(axis=axes)
    return peak, np.abs(difference.sum(axis=axes) / exact.sum(axis=axes))


def sampling_table(size=64):
    """Largest error of a pixel, over the peak, of a galaxy far smaller than the PSF."""
    table = Table(names=("FWHM", "1", "2", "2, even stamp", "3"), dtype=[str] * 5)
    for fwhm in (1.2, 1.5, 1.7, 2.0, 2.4, 2.7, 3.0, 3.5, 4.0):
        psf = _moffat(fwhm)
        labels = torch.zeros(5, N_LABELS, dtype=torch.float64)
        labels[:, LOG_R_EFF] = math.log10(0.2)
        labels[:, SERSIC_N] = 0.5
        labels[:, DX] = torch.linspace(0, 0.5, 5)
        labels[:, DY] = torch.linspace(0, 0.5, 5)
        exact = np.stack([draw_galsim(row, psf, size=size, accuracy=EXACT) for row in labels])
        row = []
        for oversampling, side in ((1, 61), (2, 121), (2, 120), (3, 181)):
            stamp = torch.tensor(star(psf, side, oversampling))
            transform = psf_transform(stamp, size, oversampling=oversampling)
            images = draw_fast(labels, transform, size=size, oversampling=oversampling)
            row.append(_short(_errors(images.numpy(), exact)[0].max()))
        table.add_row((f"{fwhm}", *row))
    return table


def _moffat(fwhm):
    """A profile whose star has this FWHM, in pixels."""

    def excess(width):
        star = galsim.Convolve(galsim.Moffat(3.5, fwhm=width), galsim.Pixel(1.0))
        return star.calculateFWHM(scale=0.02) - fwhm

    return galsim.Moffat(3.5, fwhm=brentq(excess, 0.1, fwhm, xtol=1e-3))


if __name__ == "__main__":
    main()
