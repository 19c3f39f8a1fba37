"""Posteriors of N galaxies from a refinement: fits, and weighted samples."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import ndtri

from sersicnet._rows import Rows, own_normal
from sersicnet.inference.totals import joined_labels
from sersicnet.model.labels import angle, axis_ratio, length, shifted, split_labels
from sersicnet.model.prior import E_MAX
from sersicnet.model.scene import Scene
from sersicnet.model.unconstrained import from_logit
from sersicnet.networks.densities import LEVELS
from sersicnet.networks.flow_density import FlowDensity, label_dict
from sersicnet.parameters import wrap_theta

__all__ = ["FitDensity", "FitSkies", "SampleDensity", "fit_quantiles", "kept_draws"]

# Added to the seed of draws of the sky: those of the galaxies are others.
_SKY_SEED = 1_000_003


@dataclass(frozen=True, eq=False)
class FitSkies(Rows):
    """The skies of N fits, in units of the data of the stamps.

    Attributes
    ----------
    sky : (N,) `~numpy.ndarray`
        Best sky at the optimum.
    slope : (N, P) `~numpy.ndarray`
        Its derivatives by the unconstrained parameters.
    err : (N,) `~numpy.ndarray`
        Error of the sky of a known galaxy.
    """

    sky: np.ndarray
    slope: np.ndarray
    err: np.ndarray


@dataclass(frozen=True, eq=False)
class FitDensity(Rows):
    """Normal distributions of unconstrained parameters around the optimum.

    Attributes
    ----------
    network : `~sersicnet.networks.FlowDensity`
        Posteriors of the network, for galaxies without a fit, if they have those.
    mean : (N, P) `~numpy.ndarray`
        Unconstrained parameters at the optimum; NaN for a galaxy without a fit.
    covariance : (N, P, P) `~numpy.ndarray`
        Their covariance, from the curvature.
    log_light : (N,) `~numpy.ndarray`
        Decimal logarithm of the share of the light that the PSF stamp holds, subtracted from
        ``log_flux``.
    offset : (N, 2) `~numpy.ndarray`
        Shift of the PSF to the middle of its stamp, subtracted from ``dx`` and ``dy``.
    skies : FitSkies or None
        The fitted skies.
    prior : bool
        Whether the prior counts (see `~sersicnet.inference.fit_stamps`): if not, the
        distribution is that of the likelihood.
    scene : `~sersicnet.model.Scene`, optional
        What the parameters are; by default the seven labels.
    """

    shared = ("prior",)

    network: FlowDensity | None
    mean: np.ndarray
    covariance: np.ndarray
    log_light: np.ndarray
    offset: np.ndarray
    skies: FitSkies | None
    prior: bool = True
    scene: Scene | None = None

    def __post_init__(self):
        if self.scene is None:
            object.__setattr__(self, "scene", Scene.sersic(len(self.mean)))

    def __len__(self):
        return len(self.mean)

    def draw(self, rows, n, seed, *, numbers=None):
        """Draw labels of some galaxies, each with a generator of its own.

        Parameters
        ----------
        rows : (R,) int array_like
            Rows of the galaxies.
        n : int
            Number of draws for each galaxy.
        seed : int
            Seed of all generators.
        numbers : (R,) int array_like, optional
            Numbers that tell the generators apart, by default the rows.

        Returns
        -------
        dict of (R, n) `~numpy.ndarray`
            The labels, and ``sky`` where there are skies.
        """
        rows = np.asarray(rows)
        numbers = rows if numbers is None else np.asarray(numbers)
        away = self.away(rows, n, seed, numbers)
        drawn = self.named(self.measured_labels(self.mean[rows, None] + away, rows))
        if self.skies is not None:
            drawn["sky"] = self.skies.sky[rows, None] + self.skies_away(rows, away, seed, numbers)
        missing = np.flatnonzero(np.isnan(self.mean[rows]).any(axis=1))
        if self.network is None or not len(missing):
            return drawn
        network = self.network.draw(rows[missing], n, seed, numbers=numbers[missing])
        for name, values in network.items():
            drawn[name][missing] = values
        return drawn

    def away(self, rows, n, seed, numbers):
        """Draw differences of parameters from the optimum, (R, n, P), as `draw`."""
        normal = own_normal(numbers, (n, self.mean.shape[1]), seed)
        return normal @ np.swapaxes(self.roots(rows), 1, 2)

    def skies_away(self, rows, away, seed, numbers):
        """Draw differences of the skies that belong to those of parameters, (R, n)."""
        skies = self.skies[rows]
        moved = np.nan_to_num(away @ skies.slope[:, :, None])[:, :, 0]
        own = own_normal(numbers, away.shape[1:2], seed + _SKY_SEED) * skies.err[:, None]
        return moved + own

    def labels(self, values, rows):
        """Return labels for the user's PSF from unconstrained parameters, (R, n, K)."""
        labels = self.scene[rows].labels(torch.from_numpy(values)).numpy()
        return shifted(
            labels,
            self.scene.layout.profiles,
            log_flux=-self.log_light[rows, None],
            center=-self.offset[rows, None],
        )

    def measured_labels(self, values, rows):
        """Return the same, NaN for galaxies without a fit, also what is known of them."""
        labels = self.labels(values, rows)
        labels[np.isnan(self.mean[rows]).any(axis=1)] = np.nan
        return labels

    def named(self, labels):
        """Return labels (R, n, K) by their names, with the totals of several parts."""
        if self.parts is None:
            return label_dict(labels)
        return joined_labels(labels, self.parts)

    def with_sky(self, added):
        """Return the same with (N,) added to the skies."""
        return replace(self, skies=replace(self.skies, sky=self.skies.sky + added))

    def best_labels(self):
        """Return labels at the optimum, (N, K)."""
        return self.labels(self.mean[:, None], np.arange(len(self)))[:, 0]

    @property
    def parts(self):
        """Name and profile of each part, None where there is one Sersic galaxy."""
        layout = self.scene.layout
        if layout.profiles == ("sersic",):
            return None
        return layout.parts

    def roots(self, rows):
        """Return square roots of the covariances, of which some are NaN or singular, (R, P, P)."""
        covariance = self.covariance[rows]
        root = np.full_like(covariance, np.nan)
        good = np.isfinite(covariance).all(axis=(1, 2))
        values, vectors = np.linalg.eigh(covariance[good])
        root[good] = vectors * np.sqrt(np.maximum(values, 0))[:, None]
        return root


@dataclass(frozen=True, eq=False)
class SampleDensity(Rows):
    """Equally likely draws of labels.

    Attributes
    ----------
    labels : (N, S, K) `~numpy.ndarray`
        The draws, of all parts; K is 7 for one Sersic galaxy. NaN for a galaxy without a posterior.
    skies : (N, S) `~numpy.ndarray` or None
        Their skies, in units of the data of the stamps.
    best : (N, K) `~numpy.ndarray`, optional
        Labels of the best fit, or of the most likely draw, which pictures show.
    parts : tuple of (str, str), optional
        Name and profile of each part, None where there is one Sersic galaxy.
    groups : (N,) int `~numpy.ndarray`, optional
        Numbers of the groups that galaxies were fitted in, whose members have the same draws.
    """

    shared = ("parts",)

    labels: np.ndarray
    skies: np.ndarray | None = None
    best: np.ndarray | None = None
    parts: tuple | None = None
    groups: np.ndarray | None = None

    def draw(self, rows, n, seed, *, numbers=None):
        """Return labels of some galaxies, as in `FitDensity.draw`, out of those that were kept."""
        if self.groups is not None:
            numbers = self.groups[rows]
        elif numbers is None:
            numbers = rows
        chosen = kept_draws(self.labels.shape[1], n, seed, numbers)
        picked = np.asarray(rows, dtype=int)[:, None], chosen
        labels = self.labels[picked].astype(float)
        drawn = label_dict(labels) if self.parts is None else joined_labels(labels, self.parts)
        if self.skies is not None:
            drawn["sky"] = self.skies[picked].astype(float)
        return drawn

    def with_sky(self, added):
        """Return the same with (N,) added to the skies."""
        return replace(self, skies=self.skies + added[:, None])

    def best_labels(self):
        """Return labels of the galaxies that pictures show, (N, K)."""
        return self.best


def kept_draws(n_kept, n, seed, numbers):
    """Return which of the draws that were kept are drawn, each as often as any other.

    Parameters
    ----------
    n_kept, n : int
        Numbers of draws that were kept, and that are wanted.
    seed : int
        Seed of all generators.
    numbers : (R,) int array_like
        Numbers that tell the generators of galaxies apart.

    Returns
    -------
    (R, n) int `~numpy.ndarray`
    """
    chosen = np.empty((len(numbers), n), dtype=int)
    for place, number in enumerate(numbers):
        rng = np.random.default_rng([seed, number])
        # each as often as any other, before the rest is drawn
        order = [rng.permutation(n_kept) for _ in range(-(-n // n_kept))]
        chosen[place] = np.concatenate([*order, np.zeros(0, dtype=int)])[:n]
    return chosen


def fit_quantiles(posterior, held, frame):
    """Return quantiles of the parameters of fits, at 16, 50 and 84 %.

    The medians are the optimum itself. Errors of the unconstrained parameters are propagated: along
    the radius of (e1, e2) for ``q``, across it, to first order, for ``theta``. What is known has no
    error.

    Parameters
    ----------
    posterior : FitDensity
        Fits of N galaxies.
    held : (N, P) bool `~numpy.ndarray`
        Parameters without an error of their own, which is NaN.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of their stamps.

    Returns
    -------
    (7, 3, N) `~numpy.ndarray`
        In the order and units of `~sersicnet.parameters.PARAMETERS`.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference import FitDensity, fit_quantiles
    >>> from sersicnet.preprocessing import StampFrame
    >>> frame = StampFrame(*np.array([[1.0], [25.0], [0.1], [1.0], [63.5], [63.5]]))
    >>> mean = np.array([[2.0, 0, 0, 0.5, 0, 0, 0]])
    >>> fits = FitDensity(None, mean, 0.01 * np.eye(7)[None], np.zeros(1), np.zeros((1, 2)), None)
    >>> quantiles = fit_quantiles(fits, np.zeros((1, 7), bool), frame)
    >>> print(np.round(quantiles[0, :, 0], 2))  # of the magnitude
    [19.75 20.   20.25]
    """
    mean = posterior.mean
    rows = np.arange(len(mean))
    width = np.sqrt(np.diagonal(posterior.covariance, axis1=1, axis2=2))
    width = np.where(held, np.nan, width)
    disks = posterior.scene.layout.disks
    if disks:
        q, theta = _disk_quantiles(posterior, held, disks[0])
    else:
        q, theta = _axis_quantiles(posterior, width)
    names = ("mag", "r_eff", "n", "x_0", "y_0")
    quantiles = []
    for level in LEVELS:
        labels = posterior.labels(_at(level, mean, width)[:, None], rows)[:, 0]
        parameters = frame.from_labels(split_labels(labels)._asdict(), names)
        quantiles.append([parameters[name] for name in names])
    mag, r_eff, n, x_0, y_0 = np.swapaxes(quantiles, 0, 1)
    # mag falls where the flux rises
    return np.stack([mag[::-1], r_eff, n, q, theta, x_0, y_0])


def _disk_quantiles(posterior, held, disk):
    """Return quantiles of ``q`` and ``theta`` where the ellipticity is free, (3, N) each."""
    mean = posterior.mean[:, disk]
    size = length(*mean.T)
    across, along = _disk_widths(mean, posterior.covariance[:, disk, disk], size)
    along = np.where(held[:, disk.start], np.nan, along)
    # q falls where the ellipticity rises
    sizes = [np.maximum(_at(level, size, along), 0) for level in LEVELS[::-1]]
    q = axis_ratio(E_MAX * np.tanh(sizes))
    spread = ndtri(LEVELS[2]) * 0.5 * np.degrees(across / np.maximum(size, 1e-9))
    spread = np.minimum(spread, (LEVELS[2] - 0.5) * 180)  # that of a uniform angle
    theta = wrap_theta(np.degrees(angle(*mean.T)))
    return q, np.stack([theta - spread, theta, theta + spread])


def _axis_quantiles(posterior, width):
    """Return quantiles of ``q`` and ``theta`` where one of them is known, (3, N) each."""
    rows = np.arange(len(posterior))
    column = posterior.scene.layout.columns("turn")
    quantiles = []
    turns = []
    for level in LEVELS:
        values = _at(level, posterior.mean, width)
        columns = split_labels(posterior.labels(values[:, None], rows)[:, 0])
        quantiles.append(axis_ratio(length(columns.e1, columns.e2)))
        turns.append(from_logit("turn", torch.from_numpy(values[:, column])).sum(dim=1).numpy())
        if level == 0.5:
            theta = wrap_theta(np.degrees(angle(columns.e1, columns.e2)))
    return np.stack(quantiles), theta + np.degrees(np.subtract(turns, turns[1]))


def _at(level, mean, width):
    """Return a quantile of normal numbers; the median needs no width."""
    if level == 0.5:
        return mean
    return mean + ndtri(level) * width


def _disk_widths(mean, covariance, size):
    """Return errors of the unconstrained (e1, e2), across its direction and along it."""
    direction = mean / np.maximum(size, 1e-9)[:, None]
    direction[size < 1e-9] = (1.0, 0.0)
    across = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
    widths = []
    for unit in (across, direction):
        variance = np.einsum("ni,nij,nj->n", unit, covariance, unit)
        widths.append(np.sqrt(np.maximum(variance, 0)))
    return widths
