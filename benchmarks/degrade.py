"""Whether errors hold on real galaxies: each is degraded, and compared with its own deep fit.

::

    python -m benchmarks.degrade ../shared/real docs/_static/degrade

A real galaxy has no true Sersic index, but the fit of a deep image of it has a value, which shallow
images of the same galaxy should give within their errors. Each galaxy with a S/N above 100 is
fitted as it is. Noise is then added to its image until its S/N is 30, and 10; and both image and
PSF are convolved with the same Gaussian, so that the FWHM is 1.5 times as large, before noise is
added. The S/N is that within the half-light ellipse, of the flux of the deep fit. The network, the
fit (``lm``) and imfit (package ``pyimfit``, with its sky fixed, as the sky was subtracted) are
compared each with its own deep fit.

Without the first directory's galaxies, ``--structure`` draws images of simulated spirals, bars and
rings with a S/N of 1,000 (`benchmarks.outliers`), on which choices can be made.

``degrade.csv`` has a row per code, case and parameter, where every galaxy counts once: ``bias`` is
the median difference from the deep fit (``r_eff`` in dex); ``pull`` is the scatter of the
differences in units of the quoted errors, ``noise`` that of the realizations of one galaxy around
their own mean, and ``offset`` that of these means around the deep fits. ``steady`` is the part of
``offset`` that is there without added noise (not of imfit, which takes long): the image is measured
with the noise map of the shallow ones, whose pixels have other weights than those of the deep
image, and with their PSF.

With ``--cache``, a run that was stopped goes on where it was.
"""

import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from astropy.convolution import Gaussian2DKernel, convolve_fft
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.stats import gaussian_fwhm_to_sigma, mad_std
from astropy.table import QTable

from benchmarks.common.command import add_weights, make_parser
from benchmarks.common.imfit import fit_cutouts
from benchmarks.common.kept import kept
from benchmarks.common.tables import plain, print_table, share, write_rounded
from benchmarks.outliers import draw_outlier
from benchmarks.real import load_cutouts
from sersicnet import SersicNet
from sersicnet.io.weights import weights_path
from sersicnet.model import collect_psfs

SHOWN = ("mag", "r_eff", "n", "q")
CODES = ("network", "lm", "imfit")
KEYS = ("code", "case", "parameter")
# S/N of the galaxies that are deep enough to be degraded.
DEEP = 100.0
# Share of a galaxy's noise that the deep image may have of the shallow one.
_LARGEST_SHARE = 0.5
# Share of a kernel that may fall on bad pixels.
_MOST_BAD = 0.01
STRUCTURES = ("spiral", "bar", "ring")
STRUCTURE_SNR = 1000.0


@dataclass(frozen=True)
class Case:
    """How images are degraded: the S/N, and the factor by which the PSF becomes broader."""

    snr: float
    broader: float = 1.0


CASES = {
    "S/N 100": Case(100),
    "S/N 30": Case(30),
    "S/N 10": Case(10),
    "broad PSF, S/N 100": Case(100, broader=1.5),
    "broad PSF, S/N 30": Case(30, broader=1.5),
}


def main(arguments=None):
    """Degrade and measure the galaxies, and write the tables."""
    parser = make_parser(__doc__, "real")
    add_weights(parser)
    parser.add_argument("--realizations", type=int, default=20)
    parser.add_argument("--imfit-realizations", type=int, default=5)
    parser.add_argument("--codes", nargs="+", choices=CODES, default=list(CODES))
    parser.add_argument("--structure", type=int, help="simulated galaxies of each kind instead")
    parser.add_argument("--first", type=int, default=0, help="number of the first simulated one")
    parser.add_argument("--galaxies", nargs="+", help="names of galaxies, by default all")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seed", type=int, default=201)
    parser.add_argument("--name", default="degrade", help="name of the tables")
    parser.add_argument("--cache", type=Path, help="directory that keeps what was measured")
    options = parser.parse_args(arguments)
    galaxies = QTable(rows=_compare(options))
    write_rounded(galaxies, options.output / f"{options.name}_galaxies.csv", decimals=3)
    table = summarize(galaxies)
    write_rounded(table, options.output / f"{options.name}.csv", decimals=3)
    print_table(table)


def _compare(options):
    """Return the rows of all galaxies, cases and codes."""
    names, cutouts = _galaxies(options)
    net = SersicNet.load(weights_path(options.weights))
    known = {"network": _network(net, None), "lm": _network(net, "lm"), "imfit": _imfit}
    codes = {code: known[code] for code in options.codes}
    start = kept(options.cache, "start", known["lm"], cutouts, None)
    signal = signal_to_noise(cutouts, start)
    rows = []
    for case in options.cases:
        deep_enough = signal > max(DEEP, CASES[case].snr / _LARGEST_SHARE)
        if options.galaxies is not None:
            deep_enough &= np.isin(names, options.galaxies)
        for number in np.flatnonzero(deep_enough):
            one = [cutouts[number]]
            first = _repeated(start, number, 1)
            steady = [degrade(cutouts[number], signal[number], CASES[case])]
            images = _images(options, cutouts[number], signal[number], number, CASES[case])
            for code, measure in codes.items():
                name = f"{code}_{names[number]}"
                deep = _row(kept(options.cache, f"{name}_deep", measure, one, first), 0)
                name = f"{name}_{case}"
                expected = dict.fromkeys(SHOWN, np.nan)
                if code != "imfit":  # which takes long
                    white = partial(measure, correlation=None)
                    found = kept(options.cache, f"{name}_steady", white, steady, first)
                    expected = _row(found, 0)
                some = images[: _count(options, code)]
                values = _repeated(start, number, len(some))
                found = kept(options.cache, f"{name}_{options.seed}", measure, some, values)
                labels = {"galaxy": names[number], "code": code, "case": case}
                rows += one_galaxy(found, deep, expected, **labels)
    return rows


def _galaxies(options):
    """Names and cutouts of the galaxies, real or simulated."""
    if options.structure is None:
        return load_cutouts(options.real)
    names = []
    cutouts = []
    for kind in STRUCTURES:
        for number in range(options.first, options.first + options.structure):
            cutout = draw_outlier(kind, number, signal=STRUCTURE_SNR)
            cutout.meta |= {"PIXSCALE": 0.1, "MAGZP": 25.0}
            names.append(f"{kind}_{number}")
            cutouts.append(cutout)
    return names, cutouts


def _count(options, code):
    """Return the number of realizations that a code measures."""
    return options.imfit_realizations if code == "imfit" else options.realizations


def _images(options, cutout, signal, row, case):
    """Return the shallow images of a galaxy."""
    images = []
    for number in range(max(_count(options, code) for code in options.codes)):
        rng = np.random.default_rng([options.seed, row, number])
        images.append(degrade(cutout, signal, case, rng=rng))
    return images


def _network(net, refine):
    """Return the function that measures with the network, and a refinement."""

    def measure(cutouts, _start, correlation="measure"):
        settings = {"refine": refine, "noise_correlation": correlation, "recenter_psf": False}
        with warnings.catch_warnings():
            if correlation is None:  # the image has less noise than its map says
                warnings.filterwarnings("ignore", "the uncertainty of")
            return net.predict(cutouts, **settings).to_table()

    return measure


def _imfit(cutouts, start, **_):
    """Measure with imfit, from the values of the deep fit on."""
    return fit_cutouts(cutouts, start, free_sky=False)


def _row(table, row):
    """Return the seven parameters and errors of a row as floats."""
    names = table.keys() if isinstance(table, dict) else table.colnames
    return {name: float(plain(table[name][row : row + 1])[0]) for name in names if name != "id"}


def _repeated(table, row, n):
    """Return the values of a row, n times."""
    return {name: np.full(n, value) for name, value in _row(table, row).items()}


def signal_to_noise(cutouts, table):
    """Return the S/N within the half-light ellipses of galaxies, (N,).

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.CCDData`
        The galaxies, with ``PIXSCALE`` and ``MAGZP`` in their headers.
    table : `~astropy.table.QTable`
        What was measured.

    Returns
    -------
    (N,) `~numpy.ndarray`
    """
    found = []
    for number, cutout in enumerate(cutouts):
        values = _row(table, number)
        flux = 10 ** (0.4 * (cutout.meta["MAGZP"] - values["mag"]))
        r_eff = values["r_eff"] / cutout.meta["PIXSCALE"]
        n_pixels = np.pi * (values["q"] * r_eff**2 + 4)
        found.append(flux / 2 / np.sqrt(n_pixels) / _noise(cutout))
    return np.array(found)


def _noise(cutout):
    """Median noise of the good pixels of a cutout."""
    noise = np.asarray(cutout.uncertainty.array, float)
    return float(np.median(noise[_good(cutout)]))


def _good(cutout):
    """Good pixels of a cutout, a bool array."""
    noise = np.asarray(cutout.uncertainty.array, float)
    good = np.isfinite(cutout.data) & np.isfinite(noise) & (noise > 0)
    if cutout.mask is not None:
        good &= ~np.asarray(cutout.mask)
    return good


def degrade(cutout, signal, case, *, rng=None):
    """Return a shallower image of a galaxy, maybe behind a broader PSF.

    Bad pixels, and what lies beyond the edge, are not known. Where the image is convolved, pixels
    become bad of which more than a hundredth would come from there.

    Parameters
    ----------
    cutout : `~astropy.nddata.CCDData`
        The deep image.
    signal : float
        Its S/N.
    case : Case
        How it is degraded.
    rng : `~numpy.random.Generator`, optional
        Generator of the noise; without one, no noise is added, though the noise map has it.

    Returns
    -------
    `~astropy.nddata.CCDData`
    """
    good = _good(cutout)
    data = np.where(good, cutout.data, 0.0).astype(float)
    variance = np.where(good, np.asarray(cutout.uncertainty.array, float), 0.0) ** 2
    psf = np.asarray(cutout.psf, float)
    if case.broader > 1:
        kernel = _broadening(psf, case.broader)
        data = _convolved(data, kernel)
        # white noise, which the kernel averages
        variance = _convolved(variance, kernel) * np.sum(kernel**2)
        good &= _convolved(good.astype(float), kernel) > 1 - _MOST_BAD
        reach = len(kernel) // 2
        psf = _convolved(np.pad(psf, reach), kernel)
    wanted = _noise(cutout) * signal / case.snr
    added = np.sqrt(max(wanted**2 - np.median(variance[good]), 0))
    if rng is not None:
        data = data + added * rng.standard_normal(data.shape)
    noise = np.sqrt(variance + added**2)
    return CCDData(
        data,
        unit=cutout.unit,
        uncertainty=StdDevUncertainty(noise),
        mask=~good,
        wcs=cutout.wcs,
        meta=dict(cutout.meta),
        psf=psf,
    )


def _broadening(psf, factor):
    """Return the Gaussian that makes the FWHM of a PSF larger by a factor, an array of odd size."""
    fwhm = float(collect_psfs([psf]).fwhm()[0])
    sigma = fwhm * np.sqrt(factor**2 - 1) * gaussian_fwhm_to_sigma
    side = 2 * int(np.ceil(4 * sigma)) + 1
    kernel = Gaussian2DKernel(sigma, x_size=side, y_size=side).array
    return kernel / kernel.sum()


def _convolved(image, kernel):
    """Return an image that is 0 beyond its edge, convolved."""
    return convolve_fft(image, kernel, boundary="fill", fill_value=0.0, normalize_kernel=False)


def one_galaxy(found, truth, expected, **labels):
    """Compare measurements of the shallow images of one galaxy with its deep fit.

    Parameters
    ----------
    found : `~astropy.table.QTable` or dict
        Values and errors of the realizations.
    truth : dict of float
        Those of the deep image.
    expected : dict of float
        Those of the image with the noise map of the shallow ones, without their noise.
    **labels : str
        Columns that name the galaxy.

    Returns
    -------
    list of dict
        A row per parameter: ``bias``, the mean difference, in units of the quoted error as
        ``offset``; ``steady``, the part of this that the expected values have; the scatter of the
        realizations in this unit, ``noise``; and the rms difference in this unit, ``pull``; and
        the median of chi2 over the pixels within the galaxy.
    """
    rows = []
    chi2 = np.nan
    if "chi2" in found.colnames:
        chi2 = float(np.nanmedian(plain(found["chi2"]) / plain(found["n_pixels"])))
    for name in SHOWN:
        values = plain(found[name])
        errors = plain(found[f"{name}_err"])
        true = truth[name]
        steady = expected[name]
        if name == "r_eff":
            errors = errors / values / np.log(10)
            values = np.log10(values)
            true = np.log10(true)
            steady = np.log10(steady)
        quoted = errors > 0
        errors = np.where(quoted, errors, np.nan)  # imfit has 0 where it knows none
        pulls = (values - true)[quoted] / errors[quoted]
        pulls = pulls[np.isfinite(pulls)]
        row = {"parameter": name, "n": len(pulls), "bias": float(np.nanmean(values - true))}
        row["error"] = float(np.nanmedian(errors)) if len(pulls) else np.nan
        row["offset"] = float(np.mean(pulls)) if len(pulls) else np.nan
        row["steady"] = (steady - true) / row["error"]
        row["noise"] = float(np.std(pulls, ddof=1)) if len(pulls) > 1 else np.nan
        row["pull"] = float(np.sqrt(np.mean(pulls**2))) if len(pulls) else np.nan
        row["inside"] = share(np.abs(pulls) < 1)
        row["chi2"] = chi2
        rows.append(labels | row)
    return rows


def summarize(galaxies):
    """Return a row per code, case and parameter from those of `one_galaxy`.

    Parameters
    ----------
    galaxies : `~astropy.table.QTable`
        Rows of `one_galaxy`.

    Returns
    -------
    `~astropy.table.QTable`
    """
    rows = []
    for part in galaxies.group_by(KEYS).groups:
        row = {name: str(part[name][0]) for name in KEYS}
        row["galaxies"] = int(np.sum(part["n"] > 0))
        row["bias"] = _median(part["bias"])
        row["error"] = _median(part["error"])
        row["noise"] = _median(part["noise"])
        offsets = plain(part["offset"])
        offsets = offsets[np.isfinite(offsets)]
        row["offset"] = float(mad_std(offsets)) if len(offsets) else np.nan
        steady = plain(part["steady"])
        steady = steady[np.isfinite(steady)]
        row["steady"] = float(mad_std(steady)) if len(steady) else np.nan
        row["worst offset"] = float(np.abs(offsets).max()) if len(offsets) else np.nan
        row["pull"] = _median(part["pull"])
        row["coverage"] = share(part["inside"][np.isfinite(part["inside"])])
        rows.append(row)
    return QTable(rows=rows)


def _median(column):
    """Median of the finite numbers of a column, NaN if there are none."""
    values = plain(column)
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan


if __name__ == "__main__":
    main()
