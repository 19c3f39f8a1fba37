"""Whether galaxies in several bands are measured within their errors, and what bands gain.

::

    python -m benchmarks.bands docs/_static/bands --raw measured
    python -m benchmarks.bands docs/_static/bands --raw measured --set hst_jwst
    python -m benchmarks.bands docs/_static/bands --raw measured --set hst_jwst --chromatic
    python -m benchmarks.bands docs/_static/bands --raw measured --model sersic+exp

Galaxies are drawn by GalSim: one structure, a color for each pair of neighboring bands, and shifts
of 0.03 arcsec along both axes in all bands but the first. ``lsst`` has grizy on one grid,
``hst_jwst`` three bands with pixels of two sizes that are turned by a random angle in each. The
S/N of all light is from 10 to 100 in the deepest band. ``--chromatic`` lets the logarithm of the
radius and the index change with that of the wavelength, by normal slopes of 0.3 and 1, and fits
these as well. ``--model sersic+exp`` draws and fits a bulge in a disk, which is redder than that,
of three times the S/N.

``--raw`` keeps what was measured, ten galaxies at a time: a run that was stopped (``--minutes``)
goes on. ``bands_SET.csv`` has for each column the share of 68 % intervals that contain the truth,
the median and the robust scatter of the pulls, and the errors over those of fits of single bands.
``colors_SET.csv`` compares colors with the differences of these, by the S/N of the fainter band,
and ``cost_SET.csv`` the CPU time of a joint fit with that of one band.
"""

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from astropy.stats import mad_std
from astropy.table import QTable

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.sets.in_bands import SETS, SLOPES, WAVELENGTHS, simulate
from sersicnet import Model, SersicNet
from sersicnet.io import atomic_path
from sersicnet.io.weights import weights_path

TOGETHER = 10
SHAPE = {
    "sersic": ("r_eff", "n", "q"),
    "sersic+exp": ("r_eff_bulge", "n_bulge", "q_bulge", "r_eff_disk", "q_disk"),
}
LIGHT = {"sersic": ("mag",), "sersic+exp": ("mag", "bulge_to_total")}
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
    parser.add_argument("--model", choices=tuple(SHAPE), default="sersic")
    parser.add_argument("--raw", type=Path, help="folder that keeps what was measured")
    parser.add_argument("--minutes", type=float, default=np.inf, help="CPU minutes to stop after")
    options = parser.parse_args(arguments)
    if options.chromatic and options.model != "sersic":
        parser.error("--chromatic is for --model sersic")
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
        "bands": pull_table(measured, bands, options.model),
        "colors": color_table(measured, bands),
        "cost": cost_table(measured),
    }
    for name, table in tables.items():
        print_table(table)
        write_rounded(table, options.output / f"{name}_{_kind(options)}.csv", decimals=3)


def _kind(options):
    """Return the name of what is measured in files."""
    parts = "_parts" * (options.model != "sersic")
    return options.set + "_chromatic" * options.chromatic + parts


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
    drawn = {"chromatic": options.chromatic, "model": options.model}
    cutouts, truth = simulate(options.set, TOGETHER, seed=seed, **drawn)
    wavelength = WAVELENGTHS[options.set] if options.chromatic else None
    found = measure(net, cutouts, truth, wavelength=wavelength, model=options.model)
    if path is not None:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **found)
    return found


def measure(net, cutouts, truth, *, wavelength=None, model="sersic"):
    """Measure galaxies in all bands together, and in each alone.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The network.
    cutouts, truth
        Galaxies of `simulate`.
    wavelength : dict, optional
        Wavelengths of the bands, if structure changes with them.
    model : {"sersic", "sersic+exp"}
        What is fitted.

    Returns
    -------
    dict of (n,) `~numpy.ndarray`
        ``NAME_true``, and for the joint fit ``NAME``, ``NAME_err``, ``NAME_lo`` and ``NAME_hi``,
        for single bands ``NAME_alone`` and ``NAME_alone_err``, that of the structure in the best
        band. ``flags``, ``seconds`` and ``seconds_alone`` of one band.
    """
    known = {"noise_correlation": None}
    times = [time.process_time()]
    fitted = Model(model, chromatic=wavelength is not None)
    results = net.predict(cutouts, model=fitted, wavelength=wavelength, **known)
    times.append(time.process_time())
    known |= {"model": model, "refine": "lm"}
    alone = {band: net.predict(images, **known).to_table() for band, images in cutouts.items()}
    times.append(time.process_time())
    n = len(results)
    joint, apart = np.diff(times) / n
    found = {f"{name}_true": values for name, values in truth.items()}
    found |= {"seconds": np.full(n, joint), "seconds_alone": np.full(n, apart / len(cutouts))}
    found["flags"] = results.flags
    table = results.to_table()
    for name in (*SHAPE[model], *_light(model, cutouts)):
        for column in (name, f"{name}_err", f"{name}_lo", f"{name}_hi"):
            found[column] = _plain(table[column])
    for name in SLOPES if wavelength else ():
        value = np.array(table[name])
        error = np.array(table[f"{name}_err"])
        found |= {name: value, f"{name}_err": error}
        found |= {f"{name}_lo": value - error, f"{name}_hi": value + error}
    for one, other in pairwise(cutouts):
        found[f"color_{one}"], found[f"color_{one}_err"] = results.color(one, other)
    for band, each in alone.items():
        for name in LIGHT[model]:
            found[f"{name}_{band}_alone"] = _plain(each[name])
            found[f"{name}_{band}_alone_err"] = _plain(each[f"{name}_err"])
    for name in SHAPE[model]:
        errors = [np.nan_to_num(_plain(each[f"{name}_err"]), nan=np.inf) for each in alone.values()]
        found[f"{name}_alone_err"] = np.min(errors, axis=0)
    return found


def _light(model, bands):
    """Return the names of the columns of light."""
    return [f"{name}_{band}" for name in LIGHT[model] for band in bands]


def _plain(column):
    """Return a column without its unit."""
    return np.array(getattr(column, "value", column), dtype=float)


def pull_table(measured, bands, model="sersic"):
    """Return coverage and pulls of each column, and its errors over those of single bands."""
    rows = []
    slopes = [name for name in SLOPES if name in measured]
    for name in (*SHAPE[model], *slopes, *_light(model, bands)):
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
