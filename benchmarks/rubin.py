"""How honest the errors of galaxies injected into coadds of LSST are, by magnitude.

::

    python -m benchmarks.rubin docs/_static/rubin

Galaxies with the sizes of those of the field, of all magnitudes from bright to too faint to be
found, are injected into a simulated coadd of LSST (`benchmarks.sets.fields`), as Rubin does with
its own (arXiv:2603.23786). They are measured by the network alone, by fits that start from it (lm),
by importance sampling, by the network with the population of the catalog, if this version infers
it, and by SExtractor, if it is installed. Neighbors are masked, unless ``--passes`` is above one.
Super-spreaders are detected galaxies with a true S/N of 5 to 10 behind the PSF whose radius is
measured above three times the truth; ``--magnitudes 24.5 27`` injects more of them.
"""

import matplotlib as mpl
import numpy as np
import torch
from astropy.stats import binom_conf_interval
from astropy.table import Table, vstack
from matplotlib.figure import Figure

from benchmarks.common.command import add_cache, add_count, add_weights, make_parser
from benchmarks.common.sextractor import find_program, fit_sersic
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.sets.fields import INDEX, INDEX_SCATTER, SIZE_SCATTER, load_scene, median_radius
from benchmarks.sets.galaxies import config_of
from sersicnet import SersicNet
from sersicnet.diagnostics import injection_summary, split_truth
from sersicnet.io.weights import weights_path
from sersicnet.measure import Options, field_psf, inject_galaxies
from sersicnet.measure.field import open_field
from sersicnet.measure.injected_field import Gain, with_galaxies
from sersicnet.measure.injection_match import injection_table, match_injections
from sersicnet.measure.models import galaxy_labels, galaxy_stamps

# Options of the measurement by each code; those that it does not have are left out.
CODES = {
    "network": {},
    "lm": {"refine": "lm"},
    "importance": {"refine": "importance"},
    "population": {"population": "infer"},
}
RIVAL = "SExtractor"
PARAMETERS = ("mag", "r_eff", "n", "q")
MAG_EDGES = (19, 20, 21, 22, 23, 24, 24.5, 25, 25.5, 26, 26.5, 27)
# Range of S/N, and of measured over true radius, of super-spreaders.
FAINT = (5.0, 10.0)
SPREAD = 3.0
# Pixels between injected galaxies.
MIN_DISTANCE = 80.0
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
PANELS = {
    "completeness": "completeness",
    "bias_mag": "bias of the magnitude",
    "bias_r_eff": "bias of log r_eff [dex]",
    "error_ratio_mag": "error / quoted error: magnitude",
    "error_ratio_r_eff": "error / quoted error: r_eff",
    "error_ratio_n": "error / quoted error: n",
}


def main(arguments=None):
    """Inject and measure galaxies, and write tables and a figure."""
    parser = make_parser(__doc__)
    add_weights(parser)
    add_count(parser, "galaxies of each seed", default=2000)
    parser.add_argument("--side", type=int, default=2048, help="side of the coadd in pixels")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="seeds of the galaxies")
    text = "range of the true magnitudes, by default 19 to 27; super-spreaders are fainter than 24"
    parser.add_argument("--magnitudes", type=float, nargs=2, default=(19.0, 27.0), help=text)
    parser.add_argument("--passes", type=int, default=1, help="passes of fits, by default 1")
    text = "codes to measure by, by default all"
    parser.add_argument("--codes", nargs="+", choices=(*CODES, RIVAL), help=text)
    add_cache(parser, "coadd")
    options = parser.parse_args(arguments)
    mpl.use("agg")
    torch.set_num_threads(1)
    scene = load_scene("lsst", side=options.side, cache=options.cache)
    net = SersicNet.load(weights_path(options.weights))
    parts = {}
    for seed in options.seeds:
        for code, table in measure(scene, net, seed, options).items():
            parts.setdefault(code, []).append(table)
    tables = {code: vstack(found, metadata_conflicts="silent") for code, found in parts.items()}
    summary = by_magnitude(tables)
    write_rounded(summary, options.output / "rubin.csv", decimals=3)
    spreaders = super_spreaders(tables, scene)
    write_rounded(spreaders, options.output / "super_spreaders.csv", decimals=4)
    print_table(summary)
    print_table(spreaders)
    plot(summary, options.output / "rubin.png")


def draw_galaxies(n, magnitudes, seed):
    """Draw galaxies of all magnitudes alike, with the sizes and shapes of those of the field.

    Parameters
    ----------
    n : int
        Number of galaxies.
    magnitudes : (float, float)
        Range of the magnitudes.
    seed : int
        Seed of the draws.

    Returns
    -------
    `~astropy.table.Table`
        ``mag``, ``r_eff`` (arcsec), ``n`` and ``q``.
    """
    rng = np.random.default_rng(seed)
    mag = rng.uniform(*magnitudes, n)
    r_eff = median_radius(mag) * 10 ** (SIZE_SCATTER * rng.standard_normal(n))
    priors = config_of("lsst").priors
    index = INDEX * 10 ** (INDEX_SCATTER * rng.standard_normal(n))
    index = np.clip(index, priors["n"].lower, priors["n"].upper)
    return Table({"mag": mag, "r_eff": r_eff, "n": index, "q": priors["q"].sample(rng, n)})


def measure(scene, net, seed, options):
    """Inject galaxies, and measure them by all codes.

    Parameters
    ----------
    scene : `benchmarks.sets.fields.Scene`
        The coadd.
    net : `~sersicnet.SersicNet`
        Network.
    seed : int
        Seed of the galaxies and their positions.
    options : `~argparse.Namespace`
        Options of the command.

    Returns
    -------
    dict of str to `~astropy.table.QTable`
        Tables of `~sersicnet.measure.inject_galaxies` by code.
    """
    galaxies = draw_galaxies(options.n, options.magnitudes, seed)
    known = Options.__dataclass_fields__
    tables = {}
    for code, settings in CODES.items():
        if options.codes is not None and code not in options.codes:
            continue
        if not set(settings) <= set(known):
            continue
        if "refine" in settings:
            settings = settings | {"n_passes": options.passes}
        table = inject_galaxies(
            scene.image,
            galaxies,
            net=net,
            psf_oversampling=scene.oversampling,
            min_distance=MIN_DISTANCE,
            gain=config_of("lsst").gain,
            seed=seed,
            progress_bar=True,
            **settings,
        )
        tables[code] = _with_population(table)
    wanted = options.codes is None or RIVAL in options.codes
    if wanted and tables and find_program() is not None:
        tables[RIVAL] = _measure_by_rival(scene, next(iter(tables.values())))
    return tables


def _with_population(table):
    """Return a table with the columns of the population, if there are any, as the measured ones."""
    table = table.copy()
    for name in table.colnames:
        if "_population" in name:
            table[name.replace("_population", "")] = table[name]
    return table


def _measure_by_rival(scene, injections):
    """Measure the same galaxies, with the same noise, by SExtractor."""
    image = scene.image
    units = {"pixel_scale": image.meta["PIXSCALE"], "zeropoint": image.meta["MAGZP"]}
    options = {"psf": image.psf, "oversampling": scene.oversampling, **units}
    existing = fit_sersic(image.data, image.uncertainty.array, **options).table
    _, truth = split_truth(injections)
    for name in ("id", "round", "log_density"):
        truth[name] = injections[name]
    whole = tuple(slice(0, side) for side in image.shape)
    meta = injections.meta
    tables = []
    with open_field(image) as field:
        for number in range(meta["NROUNDS"]):
            part = truth[truth["round"] == number]
            injected = with_galaxies(
                field,
                part,
                field_psf(image.psf, oversampling=scene.oversampling),
                pixel_scale=None,
                zeropoint=meta["MAGZP"],
                normalize_psf=True,
                gain=Gain(meta["GAIN"], meta["PHOTMAP"]),
                seed=meta["SEED"],
            )
            found = fit_sersic(injected.data[whole], injected.noise[whole], **options).table
            matches = match_injections(part, found, existing, radius=meta["MATCHRAD"])
            tables.append(injection_table(part, matches, found))
    return vstack(tables)


def by_magnitude(tables):
    """Return completeness, bias and errors of all codes, in bins of true magnitude.

    Parameters
    ----------
    tables : dict of str to `~astropy.table.QTable`
        Tables of `measure`.

    Returns
    -------
    `~astropy.table.Table`
        One row per code and bin.
    """
    columns = ["mag_lower", "mag_upper", "n_injected", "n_detected", "completeness"]
    for kind in ("bias", "scatter", "error_ratio"):
        for name in PARAMETERS:
            columns += [f"{kind}_{name}", f"{kind}_{name}_err"]
    rows = []
    for code, table in tables.items():
        summary = injection_summary(table, mag_edges=MAG_EDGES, parameters=PARAMETERS)
        for row in summary[summary["by"] == "mag"]:
            values = {name: float(plain(row[name])) for name in columns}
            rows.append({"code": code} | values)
    table = Table(rows=rows)
    for name in ("n_injected", "n_detected"):
        table[name] = table[name].astype(int)
    return table


def super_spreaders(tables, scene):
    """Return the share of faint galaxies that are measured far too large, by each code.

    Parameters
    ----------
    tables : dict of str to `~astropy.table.QTable`
        Tables of `measure`.
    scene : `benchmarks.sets.fields.Scene`
        The coadd.

    Returns
    -------
    `~astropy.table.Table`
        One row per code: detected galaxies of this S/N, how many of them are super-spreaders, their
        share, and its 68 % interval.
    """
    rows = []
    for code, table in tables.items():
        snr = snr_of(table, scene)
        faint = (snr >= FAINT[0]) & (snr < FAINT[1]) & np.asarray(table["detected"])
        spread = plain(table["r_eff"])[faint] > SPREAD * plain(table["true_r_eff"])[faint]
        row = {"code": code, "galaxies": int(faint.sum()), "super-spreaders": int(spread.sum())}
        row |= {"share": np.nan, "lower": np.nan, "upper": np.nan}
        if faint.any():
            limits = binom_conf_interval(spread.sum(), faint.sum(), interval="wilson")
            row |= {"share": spread.mean(), "lower": limits[0], "upper": limits[1]}
        rows.append(row)
    return Table(rows=rows)


def snr_of(table, scene):
    """Return the true S/N of each injected galaxy behind the PSF, of all its light, without blends.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Table of `measure`.
    scene : `benchmarks.sets.fields.Scene`
        The coadd.

    Returns
    -------
    (N,) `~numpy.ndarray`
        That of a fit of the flux alone, in noise of the sky: root of the sum of (light / noise)^2.
    """
    image = scene.image
    _, truth = split_truth(table)
    psf = field_psf(image.psf, oversampling=scene.oversampling)
    rows, places, labels = galaxy_labels(truth, image.meta["PIXSCALE"], image.meta["MAGZP"])
    snr = np.full(len(table), np.nan)
    for number, stamp in galaxy_stamps(places, labels, psf, normalize_psf=True):
        snr[rows[number]] = np.sqrt(np.sum(stamp**2)) / config_of("lsst").sky_noise
    return snr


def plot(summary, path):
    """Draw completeness, bias and error over quoted error of all codes against magnitude.

    Parameters
    ----------
    summary : `~astropy.table.Table`
        Table of `by_magnitude`.
    path : `~pathlib.Path`
        PNG file to write.
    """
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True)
    for ax, (name, label) in zip(axes.flat, PANELS.items(), strict=True):
        for code, color in zip(dict.fromkeys(summary["code"]), COLORS, strict=False):
            rows = summary[summary["code"] == code]
            x = (rows["mag_lower"] + rows["mag_upper"]) / 2
            error = None
            if name != "completeness":
                error = rows[f"{name}_err"]
            ax.errorbar(x, rows[name], error, color=color, marker="o", ms=3, label=code)
        level = 0.0
        if name.startswith("error_ratio"):
            level = 1.0
            ax.axhspan(0.9, 1.1, color="0.9")
        ax.axhline(level, color="0.4", lw=0.8)
        ax.set(ylabel=label)
    axes[0, 0].legend()
    for ax in axes[1]:
        ax.set(xlabel="true magnitude [AB]")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
