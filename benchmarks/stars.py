"""Whether the network's probability of a star is right.

::

    python -m benchmarks.stars docs/_static/stars

GalSim draws as many stars as galaxies, with the S/N of the prior, behind PSFs of all families with
a FWHM of 1.5 to 8 pixels. Galaxies have the prior's shapes, and half-light radii of up to 8 pixels.
The universal network measures them, and `sersicnet.inference.star_probability.prob_star` makes a
probability of its quantiles of the radius. ``stars.csv`` has, in ranges of this probability, the
share of stars, and its counting error. ``stars_snr.csv`` has, in ranges of the S/N, the shares of
stars, of galaxies, and of galaxies with a radius of at least half the FWHM that have a probability
of 0.5 or more. ``stars_fields.csv`` has these shares in fields (`benchmarks.sets.star_fields`) that
`~sersicnet.measure.measure_image` measures, of the sources that it detects.

With ``--choose``, the coefficients of this function are fitted instead, and shown.
"""

import warnings
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty
from astropy.table import QTable
from scipy.optimize import minimize
from scipy.spatial import cKDTree
from scipy.special import expit

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import plain, print_table, share, write_rounded
from benchmarks.sets.psfs import draw_profile, draw_star
from benchmarks.sets.star_fields import KINDS, star_field, true_stamp
from sersicnet import SersicNet
from sersicnet.inference.star_probability import prob_star, star_features
from sersicnet.io.weights import weights_path
from sersicnet.measure import measure_image
from sersicnet.model import collect_psfs, draw_labels, log_snr, psf_transform, sersic_images
from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF

# Galaxies, and stars, behind one PSF.
_PER_PSF = 50
_STAMP = 64
_PSF_SIZE = 61
_FWHM = (1.5, 8.0)
_LARGEST = 8.0
# A radius for which a Sersic profile is a point.
_POINT = 1e-3
_BINS = ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.001))
_SIGNALS = ((5, 10), (10, 20), (20, 50), (50, 200), (200, 1000), (1000, np.inf))
# Strength of the prior that keeps coefficients small, per source.
_SMALL = 1e-6
# Pixels on a side of a field, its sources, and pixels from a source within which its detection is.
_SIDE = 1024
_N_STARS = 100
_N_GALAXIES = 250
_NEAR = 1.5


@dataclass
class Sources:
    """N sources: what they are, and what was measured.

    Attributes
    ----------
    is_star : (N,) bool `~numpy.ndarray`
        Whether each is a star.
    true_r_eff, width : (N,) `~numpy.ndarray`
        Half-light radius, 0 of a star, and FWHM of the PSF, in pixels.
    signal : (N,) `~numpy.ndarray`
        True S/N.
    r_eff : (N, 3) `~numpy.ndarray`
        Quantiles of the radius at 16, 50 and 84 %, in pixels.
    """

    is_star: np.ndarray
    true_r_eff: np.ndarray
    width: np.ndarray
    signal: np.ndarray
    r_eff: np.ndarray


def main(arguments=None):
    """Draw and measure the sources, and write the tables or fit the coefficients."""
    parser = make_parser(__doc__)
    add_count(parser, "PSFs", default=60)
    add_weights(parser)
    parser.add_argument("--seed", type=int, default=201)
    parser.add_argument("--fields", type=int, default=4, help="fields of each kind")
    parser.add_argument("--choose", action="store_true", help="fit the coefficients")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    net = SersicNet.load(weights_path(options.weights))
    sources = draw_sources(net, options.n, options.seed)
    if options.choose:
        print(choose(sources).round(2).tolist())
        return
    probability = prob_star(sources.r_eff, sources.width)
    tables = {
        "stars": calibration(sources, probability),
        "stars_snr": found(sources, probability),
    }
    if options.fields > 0:
        tables["stars_fields"] = in_fields(net, options.fields, options.seed)
    for name, table in tables.items():
        print_table(table)
        write_rounded(table, options.output / f"{name}.csv", decimals=3)


def draw_sources(net, n_psfs, seed):
    """Draw and measure stars and galaxies.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The universal network.
    n_psfs : int
        Number of PSFs.
    seed : int
        Seed of all that is drawn.

    Returns
    -------
    Sources
    """
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    return _joined([_behind_one_psf(net, rng, generator) for _ in range(n_psfs)])


def _joined(parts):
    """Join several sets of sources."""
    joined = {}
    for attribute in fields(Sources):
        joined[attribute.name] = np.concatenate([getattr(part, attribute.name) for part in parts])
    return Sources(**joined)


def _behind_one_psf(net, rng, generator):
    """Draw and measure stars and galaxies behind one PSF."""
    _, profile = draw_profile(rng)
    profile = profile.dilate(rng.uniform(*_FWHM))
    psf = draw_star(profile, 1.0, (_PSF_SIZE, _PSF_SIZE))
    galaxies = _small_galaxies(generator)
    stars = _small_galaxies(generator)
    signal = 10 ** torch.cat([log_snr(galaxies), log_snr(stars)]).numpy()
    stars[:, LOG_R_EFF] = np.log10(_POINT)
    # the S/N within the half-light radius of the star, whose area is half the noise-equivalent one
    area = psf.sum() ** 2 / np.sum(psf**2)
    stars[:, LOG_FLUX] = torch.from_numpy(np.log10(signal[_PER_PSF:] * np.sqrt(2 * area)))
    labels = torch.cat([galaxies, stars])
    transform = psf_transform(torch.from_numpy(psf), _STAMP)
    images = sersic_images(labels, transform, stamp_size=_STAMP).numpy()
    images = images + rng.standard_normal(images.shape)
    cutouts = NDData(images, uncertainty=StdDevUncertainty(np.ones_like(images)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is unresolved
        results = net.predict(cutouts, psf=psf, pixel_scale=1.0, zeropoint=25.0)
    table = results.to_table()
    names = ("r_eff_lo", "r_eff", "r_eff_hi")
    is_star = np.arange(len(labels)) >= _PER_PSF
    return Sources(
        is_star=is_star,
        true_r_eff=np.where(is_star, 0.0, 10 ** labels[:, LOG_R_EFF].numpy()),
        width=np.full(len(labels), collect_psfs([psf]).fwhm()[0]),
        signal=signal,
        r_eff=np.stack([plain(table[name]) for name in names], axis=1),
    )


def _small_galaxies(generator):
    """Draw galaxies with half-light radii that are not large, labels of float64."""
    labels = draw_labels(8 * _PER_PSF, generator=generator).double()
    return labels[labels[:, LOG_R_EFF] < np.log10(_LARGEST)][:_PER_PSF].clone()


def choose(sources):
    """Fit the coefficients of `sersicnet.inference.star_probability.prob_star`.

    Parameters
    ----------
    sources : Sources
        Stars and galaxies.

    Returns
    -------
    (F,) `~numpy.ndarray`
    """
    features = star_features(sources.r_eff, sources.width)
    known = np.isfinite(features).all(axis=1)
    features = features[known]
    is_star = sources.is_star[known]

    def loss(coefficients):
        logit = features @ coefficients
        small = _SMALL * np.sum(coefficients**2)
        value = np.mean(np.logaddexp(0, logit) - is_star * logit) + small
        slope = features.T @ (expit(logit) - is_star) / len(logit) + 2 * _SMALL * coefficients
        return value, slope

    fit = minimize(loss, np.zeros(features.shape[1]), jac=True, options={"maxiter": 5000})
    print(f"mean log loss {fit.fun:.4f} of {len(is_star)} sources")
    return fit.x


def calibration(sources, probability):
    """Return the share of stars in ranges of the probability, a `~astropy.table.QTable`.

    Parameters
    ----------
    sources : Sources
        Stars and galaxies.
    probability : (N,) `~numpy.ndarray`
        Probabilities of a star.

    Returns
    -------
    `~astropy.table.QTable`
    """
    rows = []
    for low, high in _BINS:
        chosen = (probability >= low) & (probability < high)
        n = np.count_nonzero(chosen)
        mean = np.mean(probability[chosen]) if n else np.nan
        row = {"probability": f"{low:.1f} to {min(high, 1):.1f}", "sources": n, "mean": mean}
        row["stars"] = share(sources.is_star[chosen])
        row["error"] = np.sqrt(mean * (1 - mean) / max(n, 1))
        rows.append(row)
    return QTable(rows=rows)


def found(sources, probability):
    """Return the shares of sources that are called stars, in ranges of the S/N.

    Parameters
    ----------
    sources, probability
        As in `calibration`.

    Returns
    -------
    `~astropy.table.QTable`
    """
    rows = []
    for low, high in _SIGNALS:
        inside = (sources.signal >= low) & (sources.signal < high)
        row = {"S/N": f"{low} to {high}", "sources": np.count_nonzero(inside)}
        rows.append(row | _called_stars(sources, probability, inside))
    return QTable(rows=rows)


def _called_stars(sources, probability, chosen):
    """Return the shares of some stars and galaxies that have a probability of 0.5 or more."""
    called = probability >= 0.5
    resolved = sources.true_r_eff >= 0.5 * sources.width
    kinds = {"stars": sources.is_star, "galaxies": ~sources.is_star, "resolved galaxies": resolved}
    return {name: share(called[chosen & of_kind]) for name, of_kind in kinds.items()}


def in_fields(net, n_fields, seed):
    """Measure fields of stars and galaxies, and return the shares of them that are called stars.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The universal network.
    n_fields : int
        Fields of each kind.
    seed : int
        Seed of the first.

    Returns
    -------
    `~astropy.table.QTable`
    """
    rows = []
    for kind in KINDS:
        fields_of_kind = [_measured_field(net, kind, seed + number) for number in range(n_fields)]
        sources = _joined([sources for sources, _ in fields_of_kind])
        probability = np.concatenate([probability for _, probability in fields_of_kind])
        everything = np.ones(len(probability), dtype=bool)
        n_stars = np.count_nonzero(sources.is_star)
        row = {"PSF": kind, "n stars": n_stars, "n galaxies": len(probability) - n_stars}
        rows.append(row | _called_stars(sources, probability, everything))
    return QTable(rows=rows)


def _measured_field(net, kind, seed):
    """Return the sources of a field that are detected, and their probabilities of a star."""
    field = star_field(kind, n_stars=_N_STARS, n_galaxies=_N_GALAXIES, side=_SIDE, seed=seed)
    middle = _SIDE // 2
    psf = true_stamp(kind, middle, middle, _SIDE)
    if kind == "varying":
        psf = partial(_stamp_at, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is unresolved
        table = measure_image(field.image, net=net, psf=psf)
    truth = field.truth
    tree = cKDTree(np.transpose([plain(table["x_0"]), plain(table["y_0"])]))
    distance, nearest = tree.query(np.transpose([truth["x_0"], truth["y_0"]]))
    known = distance < _NEAR
    true_r_eff = np.asarray(truth["r_eff"])[known]
    nothing = np.full(len(true_r_eff), np.nan)
    fwhm = collect_psfs([true_stamp(kind, middle, middle, _SIDE)]).fwhm()[0]
    sources = Sources(
        is_star=true_r_eff == 0,
        true_r_eff=true_r_eff,
        width=np.full(len(true_r_eff), fwhm),
        signal=nothing,
        r_eff=np.stack([nothing] * 3, axis=1),
    )
    return sources, plain(table["prob_star"])[nearest[known]]


def _stamp_at(kind, x, y):
    """Return the PSF at a place of a field."""
    return true_stamp(kind, x, y, _SIDE)


if __name__ == "__main__":
    main()
