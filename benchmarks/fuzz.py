"""Random cutouts of any kind: none may raise, and no row may be NaN without a flag for it.

::

    python -m benchmarks.fuzz -n 5000
    python -m benchmarks.fuzz -n 500 --refine lm

Shapes, types, pixels, masks, noise maps, units and PSFs are drawn at random, good and bad ones
together. Each batch is one call of ``SersicNet.predict``. The command prints how often each flag is
set, and ends with an error at the first batch with a fault; its number draws the same batch again.
"""

import warnings

import numpy as np
from astropy.nddata import (
    InverseVariance,
    NDData,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import print_table
from sersicnet import Flags, SersicNet
from sersicnet.flags import FAILED
from sersicnet.io.weights import weights_path

# Cutouts in a call.
BATCH = 50
_DTYPES = ("f2", "f4", "f8", ">f4", ">f8", "i2", "i4", ">i2", "u1", "u2")
_UNITS = ("nJy", "mJy", "adu", "electron / s", "DN", None)
_UNCERTAINTIES = (StdDevUncertainty, VarianceUncertainty, InverseVariance, UnknownUncertainty)


def main(arguments=None):
    """Measure random cutouts, and count their flags."""
    parser = make_parser(__doc__, output="none")
    add_weights(parser)
    add_count(parser, "cutouts", default=5000)
    parser.add_argument("--first", type=int, default=0, help="number of the first batch")
    parser.add_argument("--refine", choices=("lm", "importance"), help="fits as well")
    options = parser.parse_args(arguments)
    net = SersicNet.load(weights_path(options.weights))
    n_batches = -(-options.n // BATCH)
    flags = []
    for number in range(options.first, options.first + n_batches):
        n_cutouts = min(BATCH, options.n - len(flags))
        flags += check_batch(net, number, n_cutouts, refine=options.refine).tolist()
    print_table(_counts(np.array(flags)))


def check_batch(net, number, n_cutouts=BATCH, *, refine=None):
    """Measure a batch of random cutouts, and check what comes out.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The network.
    number : int
        Number of the batch, which draws it.
    n_cutouts : int
        Number of cutouts.
    refine : str, optional
        As in `~sersicnet.SersicNet.predict`.

    Returns
    -------
    (n_cutouts,) int `~numpy.ndarray`
        Flags.

    Raises
    ------
    RuntimeError
        If the call raises, or a row is NaN without a flag that says so, or finite with one. What is
        not detected has ``LOW_SNR``, and only its magnitude is NaN.
    """
    rng = np.random.default_rng([7700, number])
    cutouts = [draw_cutout(rng) for _ in range(n_cutouts)]
    psfs = [draw_psf(rng) for _ in range(n_cutouts)]
    psfs[0] = _star(rng, 21, 21)  # a call without any usable PSF is an error
    units = {"pixel_scale": 0.1, "zeropoint": 25.0}
    with warnings.catch_warnings():  # of galaxies; what is asked here is what comes out
        warnings.simplefilter("ignore", AstropyUserWarning)
        try:
            results = net.predict(cutouts, psf=psfs, refine=refine, **units)
        except Exception as error:
            msg = f"batch {number} raises {type(error).__name__}: {error}"
            raise RuntimeError(msg) from error
    finite = _are_finite(results)
    lost = (results.flags & int(FAILED)) != 0
    no_psf = (results.flags & int(Flags.BAD_PSF)) != 0
    wrong = np.flatnonzero((~finite & ~lost & ~no_psf) | (finite & lost))
    if wrong.size:
        row = results.to_table()[wrong[0]]
        msg = f"batch {number}: cutout {wrong[0]} has {dict(row)}"
        raise RuntimeError(msg)
    return results.flags


def _are_finite(results):
    """Whether all medians are finite, but for magnitudes of what is not detected and says so."""
    low_snr = (results.flags & int(Flags.LOW_SNR)) != 0
    finite = np.ones(len(results), dtype=bool)
    for name in results.parameters:
        known = np.isfinite(results.median(name))
        if name == "mag":
            known |= results.not_detected & low_snr
        finite &= known
    return finite


def draw_cutout(rng):
    """Draw a cutout, good or bad.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Random numbers.

    Returns
    -------
    `~astropy.nddata.NDData`
    """
    shape = tuple(rng.integers(1, rng.choice([4, 40, 130, 200]), 2))
    data = _pixels(rng, shape)
    return NDData(
        data,
        unit=_UNITS[rng.integers(len(_UNITS))],
        mask=_mask(rng, shape),
        uncertainty=_uncertainty(rng, shape),
    )


def _pixels(rng, shape):
    """Pixels of a galaxy in noise, spoiled in one of several ways, of any type."""
    y, x = np.indices(shape)
    center = np.array(shape) / 2 + rng.normal(0, 2, 2)
    radius = rng.uniform(0.5, 20)
    light = 10 ** rng.uniform(-1, 4) * np.exp(-np.hypot(y - center[0], x - center[1]) / radius)
    data = light + rng.normal(0, 1, shape)
    match rng.integers(9):
        case 0:
            data[:] = rng.choice([0, 1, -99, 3e4])
        case 1:
            data[rng.random(shape) < rng.uniform(0, 1)] = np.nan
        case 2:
            data[rng.random(shape) < 0.1] = rng.choice([np.inf, -np.inf, 1e30, -1e30])
        case 3:
            data[: shape[0] // 2] = rng.choice([0, -99])
        case 4:
            data = data * 10.0 ** rng.uniform(-30, 30)
    with np.errstate(all="ignore"):  # what a type cannot hold becomes anything
        return data.astype(_DTYPES[rng.integers(len(_DTYPES))])


def _mask(rng, shape):
    """A mask of any type, or None."""
    bad = rng.random(shape) < rng.choice([0, 0.05, 0.5, 1])
    match rng.integers(6):
        case 0:
            return bad
        case 1:
            return (bad * rng.integers(1, 100)).astype("i4")
        case 2:
            return np.where(bad, rng.choice([1.0, np.nan]), 0.0)
        case 3:
            return np.bool_(False)
    return None


def _uncertainty(rng, shape):
    """An uncertainty of any kind, or None."""
    if rng.integers(4) == 0:
        return None
    noise = np.full(shape, 10.0 ** rng.uniform(-3, 3))
    match rng.integers(6):
        case 0:
            noise[rng.random(shape) < 0.3] = rng.choice([0, -1, np.nan, np.inf])
        case 1:
            noise *= rng.uniform(0.5, 2, shape)
        case 2:
            noise[:] = rng.choice([0, -1, np.nan, np.inf, 1e-30, 1e30])
    return _UNCERTAINTIES[rng.integers(len(_UNCERTAINTIES))](noise)


def draw_psf(rng):
    """Draw the stamp of a PSF, good or bad, or None.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Random numbers.

    Returns
    -------
    2-D `~numpy.ndarray` or None
    """
    shape = tuple(rng.integers(1, rng.choice([8, 40, 80]), 2))
    star = _star(rng, *shape)
    match rng.integers(10):
        case 0:
            return None
        case 1:
            star[:] = rng.choice([0, 1, -1, np.nan, np.inf])
        case 2:
            star[rng.random(shape) < 0.1] = np.nan
        case 3:
            star = rng.normal(0, 1, shape)
        case 4:
            star = np.roll(star, rng.integers(-5, 5, 2), axis=(0, 1))
        case 5:
            star = star * 10.0 ** rng.uniform(-30, 30)
        case 6:
            star = np.where(star == star.max(), 1.0, 0.0)
    return star


def _star(rng, n_rows, n_columns):
    """A Gaussian in the middle of a stamp."""
    y = np.arange(n_rows)[:, None] - (n_rows - 1) / 2
    x = np.arange(n_columns) - (n_columns - 1) / 2
    return np.exp(-0.5 * (x**2 + y**2) / rng.uniform(0.4, 5) ** 2)


def _counts(flags):
    """How often each flag is set."""
    rows = [("any", int((flags != 0).sum())), ("none", int((flags == 0).sum()))]
    rows += [(flag.name, int(((flags & int(flag)) != 0).sum())) for flag in Flags]
    return QTable(rows=[row for row in rows if row[1]], names=("flag", "n"))


if __name__ == "__main__":
    main()
