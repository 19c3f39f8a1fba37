"""Whether galaxies in several bands are measured within their errors, and what bands gain.

::

    python -m benchmarks.bands docs/_static/bands --raw measured
    python -m benchmarks.bands docs/_static/bands --raw measured --set hst_jwst
    python -m benchmarks.bands docs/_static/bands --raw measured --set hst_jwst --chromatic

Galaxies are drawn by GalSim: one structure, a color for each pair of neighboring bands, and shifts
of 0.03 arcsec along both axes in all bands but the first. ``lsst`` has grizy on one grid,
``hst_jwst`` three bands with pixels of two sizes that are turned by a random angle in each. The
S/N of all light is from 10 to 100 in the deepest band. ``--chromatic`` lets the logarithm of the
radius and the index change with that of the wavelength, by normal slopes of 0.3 and 1, and fits
these as well.

``--raw`` keeps what was measured, ten galaxies at a time: a run that was stopped (``--minutes``)
goes on. ``bands_SET.csv`` has for each column the share of 68 % intervals that contain the truth,
the median and the robust scatter of the pulls, and the errors over those of fits of single bands.
``colors_SET.csv`` compares colors with the differences of these, by the S/N of the fainter band,
and ``cost_SET.csv`` the CPU time of a joint fit with that of one band.
"""

import time
from itertools import pairwise
from pathlib import Path

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.stats import mad_std
from astropy.table import QTable
from astropy.wcs import WCS

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.sets.psfs import draw_star
from sersicnet import Model, SersicNet
from sersicnet.io import atomic_path
from sersicnet.io.weights import weights_path

ZEROPOINT = 25.0
TOGETHER = 10
# Arcsec per pixel, FWHM of the PSF in arcsec, pixels on a side, and noise, which makes depths.
SETS = {
    "lsst": {
        "g": (0.2, 0.77, 64, 1.0),
        "r": (0.2, 0.73, 64, 1.0),
        "i": (0.2, 0.71, 64, 1.2),
        "z": (0.2, 0.69, 64, 1.6),
        "y": (0.2, 0.68, 64, 2.6),
    },
    "hst_jwst": {
        "f814w": (0.03, 0.10, 128, 0.7),
        "f160w": (0.06, 0.19, 64, 1.0),
        "f444w": (0.06, 0.16, 64, 1.0),
    },
}
# In micron.
WAVELENGTHS = {
    "lsst": {"g": 0.48, "r": 0.62, "i": 0.75, "z": 0.87, "y": 0.97},
    "hst_jwst": {"f814w": 0.81, "f160w": 1.54, "f444w": 4.4},
}
SLOPES = {"r_eff_slope": 0.3, "n_slope": 1.0}
SIZES = {"lsst": (0.25, 1.0), "hst_jwst": (0.1, 0.5)}
SNR = (10.0, 100.0)
SHIFT = 0.03
SHAPE = ("r_eff", "n", "q")
EDGES = (3.0, 7.0, 15.0, 30.0, 100.0)


def main(arguments=None):
    """Measure the set, and write the tables."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies", default=200)
    add_weights(parser)
    parser.add_argument("--set", choices=tuple(SETS), default="lsst")
    parser.add_argument("--seed", type=int, default=201)
    parser.add_argument(
        "--chromatic", action="store_true", help="structure changes with wavelength"
    )
    parser.add_argument("--raw", type=Path, help="folder that keeps what was measured")
    parser.add_argument("--minutes", type=float, default=np.inf, help="CPU minutes to stop after")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    net = SersicNet.load(weights_path(options.weights))
    parts = []
    for number in range(-(-options.n // TOGETHER)):
        part = _measured(net, options, number)
        if part is None:
            break
        parts.append(part)
    measured = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    bands = tuple(SETS[options.set])
    tables = {
        "bands": pull_table(measured, bands),
        "colors": color_table(measured, bands),
        "cost": cost_table(measured),
    }
    for name, table in tables.items():
        print_table(table)
        write_rounded(table, options.output / f"{name}_{_kind(options)}.csv", decimals=3)


def _kind(options):
    """Return the name of what is measured in files."""
    return options.set + "_chromatic" * options.chromatic


def _measured(net, options, number):
    """Return what was measured of ten galaxies, from a file if it is there."""
    path = None
    if options.raw is not None:
        options.raw.mkdir(parents=True, exist_ok=True)
        path = options.raw / f"{_kind(options)}_{options.seed}_{number}.npz"
        if path.exists():
            with np.load(path) as file:
                return dict(file)
    if time.process_time() > 60 * options.minutes and number:
        return None
    seed = [options.seed, number]
    cutouts, truth = simulate(options.set, TOGETHER, seed=seed, chromatic=options.chromatic)
    wavelength = WAVELENGTHS[options.set] if options.chromatic else None
    found = measure(net, cutouts, truth, wavelength=wavelength)
    if path is not None:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **found)
    return found


def simulate(name, n, *, seed, chromatic=False):
    """Draw galaxies in all bands of a set.

    Parameters
    ----------
    name : str
        Name of the set.
    n : int
        Number of galaxies.
    seed : list of int
        Seed of galaxies, shifts and noise.
    chromatic : bool
        Whether structure changes with wavelength.

    Returns
    -------
    cutouts : dict of list of `~astropy.nddata.CCDData`
        Cutouts by the names of bands.
    truth : dict of (n,) `~numpy.ndarray`
        ``r_eff``, ``n``, ``q``, and ``mag`` and ``snr`` of each band; slopes, if there are some.
    """
    rng = np.random.default_rng(seed)
    bands = SETS[name]
    low, high = np.log10(SIZES[name])
    truth = {
        "r_eff": 10 ** rng.uniform(low, high, n),
        "n": rng.uniform(0.6, 4.5, n),
        "q": rng.uniform(0.25, 0.95, n),
    }
    pa = rng.uniform(0, np.pi, n)
    waves = np.log10(list(WAVELENGTHS[name].values()))
    for slope, width in SLOPES.items() if chromatic else ():
        truth[slope] = width * rng.standard_normal(n)
    # fainter in bluer bands
    colors = rng.uniform(0.0, 0.7, (len(bands) - 1, n))
    excess = np.cumsum(colors[::-1], axis=0)[::-1]
    faint = dict(zip(bands, [*excess, np.zeros(n)], strict=True))
    images = {band: np.empty((n, side, side)) for band, (_, _, side, _) in bands.items()}
    stars = {band: _star(scale, fwhm) for band, (scale, fwhm, _, _) in bands.items()}
    systems = {band: [] for band in bands}
    for row in range(n):
        one = {key: values[row] for key, values in truth.items()}
        flux = {band: 10 ** (-0.4 * faint[band][row]) for band in bands}
        snr = []
        for number, (band, (scale, _, side, noise)) in enumerate(bands.items()):
            wcs = _wcs(scale, side, 2 * np.pi * rng.random() if name == "hst_jwst" else 0.0)
            shift = SHIFT * rng.standard_normal(2) * (number > 0)
            shape = _shape_in(one, waves[number] - waves[0])
            image = _draw(*shape, pa[row], stars[band][0], wcs, side, shift)
            images[band][row] = flux[band] * image
            snr.append(flux[band] * np.sqrt(np.sum(image**2)) / noise)
            systems[band].append(wcs)
        brighter = 10 ** rng.uniform(*np.log10(SNR)) / max(snr)
        for number, band in enumerate(bands):
            images[band][row] *= brighter
            mag = ZEROPOINT - 2.5 * np.log10(flux[band] * brighter)
            truth.setdefault(f"mag_{band}", np.empty(n))[row] = mag
            truth.setdefault(f"snr_{band}", np.empty(n))[row] = snr[number] * brighter
    cutouts = {}
    for band, (_, _, _, noise) in bands.items():
        cutouts[band] = []
        for image, wcs in zip(images[band], systems[band], strict=True):
            data = image + noise * rng.standard_normal(image.shape)
            known = {"uncertainty": StdDevUncertainty(np.full(image.shape, noise)), "wcs": wcs}
            known |= {"unit": "adu", "psf": stars[band][1], "meta": {"MAGZP": ZEROPOINT}}
            cutouts[band].append(CCDData(data, **known))
    return cutouts, truth


def _shape_in(one, wave):
    """Return radius, index and axis ratio in a band, from those in the first."""
    r_eff = one["r_eff"] * 10 ** (wave * one.get("r_eff_slope", 0.0))
    n = np.clip(one["n"] + wave * one.get("n_slope", 0.0), 0.4, 6.0)
    return r_eff, n, one["q"]


def _star(scale, fwhm):
    """Return the profile of the PSF, and its stamp with the response of the pixel."""
    profile = galsim.Moffat(3.5, fwhm=fwhm)
    stamp = draw_star(galsim.Moffat(3.5, fwhm=fwhm / scale), 1, (41, 41))
    return profile, stamp / stamp.sum()


def _wcs(scale, side, turn):
    """Return the WCS of a cutout that is turned; the galaxy is in its middle."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = 150.0, 2.0
    wcs.wcs.crpix = (side + 1) / 2, (side + 1) / 2
    cos, sin = np.cos(turn), np.sin(turn)
    wcs.wcs.cd = np.array([[-cos, sin], [sin, cos]]) * scale / 3600
    return wcs


def _draw(r_eff, n, q, pa, psf, wcs, side, shift):
    """Draw a galaxy of unit flux, shifted by some arcsec along the pixels."""
    # steps in pixels along the major axis
    along = np.linalg.solve(wcs.wcs.cd, [np.sin(pa), np.cos(pa)])
    theta = np.arctan2(along[1], along[0]) * galsim.radians
    scale = 3600 * np.sqrt(np.abs(np.linalg.det(wcs.wcs.cd)))
    galaxy = galsim.Sersic(n, half_light_radius=r_eff * np.sqrt(q)).shear(q=q, beta=theta)
    scene = galsim.Convolve(galaxy, psf)
    return scene.drawImage(nx=side, ny=side, scale=scale, offset=shift / scale).array


def measure(net, cutouts, truth, *, wavelength=None):
    """Measure galaxies in all bands together, and in each alone.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The network.
    cutouts, truth
        Galaxies of `simulate`.
    wavelength : dict, optional
        Wavelengths of the bands, if structure changes with them.

    Returns
    -------
    dict of (n,) `~numpy.ndarray`
        ``NAME_true``, and for the joint fit ``NAME``, ``NAME_err``, ``NAME_lo`` and ``NAME_hi``,
        for single bands ``NAME_alone`` and ``NAME_alone_err``, that of the structure in the best
        band. ``flags``, ``seconds`` and ``seconds_alone`` of one band.
    """
    known = {"noise_correlation": None}
    times = [time.process_time()]
    model = Model("sersic", chromatic=wavelength is not None)
    results = net.predict(cutouts, model=model, wavelength=wavelength, **known)
    times.append(time.process_time())
    alone = {band: net.predict(images, refine="lm", **known) for band, images in cutouts.items()}
    times.append(time.process_time())
    n = len(results)
    joint, apart = np.diff(times) / n
    found = {f"{name}_true": values for name, values in truth.items()}
    found |= {"seconds": np.full(n, joint), "seconds_alone": np.full(n, apart / len(cutouts))}
    found["flags"] = results.flags
    table = results.to_table()
    for name in (*SHAPE, *(f"mag_{band}" for band in cutouts)):
        for column in (name, f"{name}_err", f"{name}_lo", f"{name}_hi"):
            found[column] = np.array(getattr(table[column], "value", table[column]))
    for name in SLOPES if wavelength else ():
        value = np.array(table[name])
        error = np.array(table[f"{name}_err"])
        found |= {name: value, f"{name}_err": error}
        found |= {f"{name}_lo": value - error, f"{name}_hi": value + error}
    for one, other in pairwise(cutouts):
        found[f"color_{one}"], found[f"color_{one}_err"] = results.color(one, other)
    for band, each in alone.items():
        found[f"mag_{band}_alone"] = each.median("mag")
        found[f"mag_{band}_alone_err"] = each.error("mag")
    for name in SHAPE:
        errors = np.stack([np.nan_to_num(each.error(name), nan=np.inf) for each in alone.values()])
        found[f"{name}_alone_err"] = errors.min(axis=0)
    return found


def pull_table(measured, bands):
    """Return coverage and pulls of each column, and its errors over those of single bands."""
    rows = []
    slopes = [name for name in SLOPES if name in measured]
    for name in (*SHAPE, *slopes, *(f"mag_{band}" for band in bands)):
        error = measured[f"{name}_err"]
        usable = np.isfinite(error) & (error > 0)
        truth = measured[f"{name}_true"][usable]
        inside = (truth > measured[f"{name}_lo"][usable]) & (truth < measured[f"{name}_hi"][usable])
        pulls = (measured[name][usable] - truth) / error[usable]
        gain = np.nan  # of slopes, which one band does not show
        if name not in slopes:
            gain = np.nanmedian(error[usable] / measured[f"{name}_alone_err"][usable])
        rows.append((name, len(truth), inside.mean(), np.median(pulls), mad_std(pulls)))
        rows[-1] += (gain,)
    names = (
        "column",
        "galaxies",
        "coverage",
        "median pull",
        "scatter of pulls",
        "error over single",
    )
    return QTable(rows=rows, names=names)


def color_table(measured, bands):
    """Return pulls of colors, and their errors over those of fits of single bands."""
    parts = []
    for one, other in pairwise(bands):
        color = measured[f"mag_{one}_true"] - measured[f"mag_{other}_true"]
        errors = [measured[f"mag_{band}_alone_err"] for band in (one, other)]
        apart = measured[f"mag_{one}_alone"] - measured[f"mag_{other}_alone"]
        snr = np.minimum(*(measured[f"snr_{band}_true"] for band in (one, other)))
        away = measured[f"color_{one}"] - color
        parts.append((snr, away, measured[f"color_{one}_err"], apart - color, np.hypot(*errors)))
    snr, away, error, apart, single = (np.concatenate(each) for each in zip(*parts, strict=True))
    usable = np.isfinite(error) & np.isfinite(single) & np.isfinite(away) & np.isfinite(apart)
    rows = []
    for low, high in pairwise(EDGES):
        chosen = usable & (snr >= low) & (snr < high)
        if not chosen.any():
            continue
        pulls = away[chosen] / error[chosen]
        inside = np.abs(pulls) < 1
        with np.errstate(divide="ignore", invalid="ignore"):  # one color has no scatter
            scatter = mad_std(away[chosen]) / mad_std(apart[chosen])
        quoted = np.median(error[chosen] / single[chosen])
        one = (f"{low:g} to {high:g}", len(pulls), inside.mean(), mad_std(pulls), scatter, quoted)
        rows.append(one)
    names = ("S/N", "colors", "coverage", "scatter of pulls", "scatter over single")
    return QTable(rows=rows, names=(*names, "error over single"))


def cost_table(measured):
    """Return CPU seconds a galaxy of all bands together, and of one."""
    joint = np.median(measured["seconds"])
    single = np.median(measured["seconds_alone"])
    return QTable(rows=[(joint, single, joint / single)], names=("all bands", "one band", "ratio"))


if __name__ == "__main__":
    main()
