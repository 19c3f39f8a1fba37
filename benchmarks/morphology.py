"""Numbers that need no profile, beside those of statmorph, and without noise.

::

    pip install statmorph
    python -m benchmarks.morphology docs/_static/morphology

GalSim draws Sersic galaxies, spirals, bars and rings (`benchmarks.outliers`) with a S/N of 30 to
300, and the same without noise. Each is measured by `sersicnet.inference.nonparametric` and, if it
is installed, by statmorph, in the same run, on one core. ``morphology.csv`` has, for each code,
number and S/N, the median difference from the same code's result without noise, and the scatter
(NMAD) of the differences; for those with errors, the scatter in units of them. ``seconds.csv`` has
the CPU seconds per galaxy.
"""

import importlib.util
import time
import warnings

import numpy as np
from astropy.stats import mad_std
from astropy.table import QTable
from photutils.segmentation import SegmentationImage
from scipy.ndimage import gaussian_filter, label

from benchmarks.common.command import add_count, make_parser
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.outliers import draw_outlier
from sersicnet.inference.nonparametric import GalaxyImage, gini, second_moment

KINDS = ("galaxy", "spiral", "bar", "ring")
SIGNALS = (30.0, 100.0, 300.0)
# S/N of what stands for an image without noise.
_DEEP = 3e4
NAMES = ("r_petro", "r50", "concentration", "asymmetry", "rms_asymmetry2", "smoothness")
NAMES += ("gini", "m20")
# Names of statmorph.
_THEIRS = {"r_petro": "rpetro_ellip"}
_WITH_ERRORS = ("asymmetry", "rms_asymmetry2")
# The part of the image that statmorph takes as the galaxy: smoothed, above this many sigma.
_SMOOTHED = 2.0
_LIMIT = 2.0


def main(arguments=None):
    """Draw and measure the galaxies, and write the tables."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies of each kind", default=15)
    parser.add_argument("--seed", type=int, default=201, help="number of the first galaxy")
    options = parser.parse_args(arguments)
    codes = {"sersicnet": measure}
    if importlib.util.find_spec("statmorph") is not None:
        codes["statmorph"] = measure_by_statmorph
    images = _draw(range(options.seed, options.seed + options.n))
    n_images = sum(map(len, images.values()))
    rows = []
    seconds = []
    for code, function in codes.items():
        begin = time.process_time()
        found = {signal: list(map(function, cutouts)) for signal, cutouts in images.items()}
        seconds.append({"code": code, "CPU s": (time.process_time() - begin) / n_images})
        rows += compare(code, found)
    table = QTable(rows=rows)
    print_table(table)
    write_rounded(table, options.output / "morphology.csv", decimals=3)
    table = QTable(rows=seconds)
    print_table(table)
    write_rounded(table, options.output / "seconds.csv", decimals=3)


def _draw(numbers):
    """Draw the galaxies, a list for each S/N."""
    images = {}
    for signal in (*SIGNALS, _DEEP):
        images[signal] = []
        for kind in KINDS:
            images[signal] += [draw_outlier(kind, number, signal=signal) for number in numbers]
    return images


def measure(cutout):
    """Measure one galaxy.

    Parameters
    ----------
    cutout : `~astropy.nddata.CCDData`
        The galaxy, in the middle.

    Returns
    -------
    dict of float
        Numbers and errors, NaN where they are not known.
    """
    image = np.asarray(cutout.data, dtype=float)
    sigma = np.asarray(cutout.uncertainty.array, dtype=float)
    segment = _segment(image, sigma)
    y, x = np.nonzero(segment)
    flux = np.maximum(image[segment], 0)
    center = (flux @ x / flux.sum(), flux @ y / flux.sum())
    values, vectors = np.linalg.eigh(np.cov(np.stack([x, y]), aweights=flux))
    ellipse = (np.sqrt(values[0] / values[1]), np.arctan2(vectors[1, 1], vectors[0, 1]))
    galaxy = GalaxyImage(image, sigma, center, ellipse)
    if np.isnan(galaxy.petrosian).any():
        return dict.fromkeys(NAMES, np.nan)
    asymmetry, error, squared, squared_error = galaxy.asymmetry()
    r20, r50, r80 = galaxy.radii
    return {
        "r_petro": galaxy.petrosian[0],
        "r50": r50,
        "concentration": 5 * np.log10(r80 / r20),
        "asymmetry": asymmetry,
        "asymmetry_err": error,
        "rms_asymmetry2": squared,
        "rms_asymmetry2_err": squared_error,
        "smoothness": galaxy.smoothness(),
        "gini": gini(image[galaxy.pixels]),
        "m20": second_moment(image, galaxy.pixels),
    }


def measure_by_statmorph(cutout):
    """Measure one galaxy by statmorph, as `measure` does, without errors."""
    import statmorph

    image = np.asarray(cutout.data, dtype=float)
    sigma = np.asarray(cutout.uncertainty.array, dtype=float)
    segments = SegmentationImage(_segment(image, sigma).astype(int))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = statmorph.SourceMorphology(image, segments, 1, weightmap=sigma)
    if found.flag > 1:
        return dict.fromkeys(NAMES, np.nan)
    return {name: float(getattr(found, _THEIRS.get(name, name))) for name in NAMES}


def _segment(image, sigma):
    """Return the pixels of the source that is nearest to the middle, (ny, nx) bool."""
    smooth = gaussian_filter(image, _SMOOTHED)
    limit = _LIMIT * np.median(sigma) / (2 * np.sqrt(np.pi) * _SMOOTHED)
    pieces, _ = label(smooth > limit)
    y, x = np.nonzero(pieces)
    middle_y, middle_x = (np.array(image.shape) - 1) / 2
    nearest = np.argmin(np.hypot(y - middle_y, x - middle_x))
    return pieces == pieces[y[nearest], x[nearest]]


def compare(code, found):
    """Compare results of images with noise with those of the same galaxies without.

    Parameters
    ----------
    code : str
        Name of the code.
    found : dict of list of dict
        Results by the S/N.

    Returns
    -------
    list of dict
        A row per number and S/N.
    """
    rows = []
    deep = found[_DEEP]
    for name in NAMES:
        for signal in SIGNALS:
            pairs = zip(found[signal], deep, strict=True)
            differences = np.array([one[name] - other[name] for one, other in pairs])
            known = np.isfinite(differences)
            row = {"code": code, "number": name, "S/N": int(signal), "n": int(known.sum())}
            row["without noise"] = np.nanmedian([other[name] for other in deep])
            row["difference"] = np.median(differences[known])
            row["scatter"] = mad_std(differences[known])
            row["over error"] = np.nan
            if code == "sersicnet" and name in _WITH_ERRORS:
                errors = np.array([one.get(f"{name}_err", np.nan) for one in found[signal]])
                row["over error"] = mad_std((differences / errors)[known])
            rows.append(row)
    return rows


if __name__ == "__main__":
    main()
