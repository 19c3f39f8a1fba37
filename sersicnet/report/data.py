"""What the page of `sersicnet.report` shows, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.stats import binned_statistic, norm

from sersicnet.diagnostics.columns import column_values
from sersicnet.diagnostics.comparison import compare
from sersicnet.flags import decode_flags
from sersicnet.networks.densities import LEVELS
from sersicnet.parameters import PARAMETERS, to_floats, wrap_theta

# Points of a curve, and how many sigma of a catalog's error bar it covers.
N_POINTS, _REACH = 41, 4.0
# Pixels, in points of the curve, that histograms of samples are smoothed by.
_SMOOTH = 1.5
# Of all galaxies together, that a page holds: 1 byte each.
_MOST_SAMPLES = 1_500_000
# Standard deviations between median and quantile of the table.
_QUANTILE = norm.ppf(LEVELS[2])


@dataclass(frozen=True, eq=False)
class ReportData:
    """All galaxies of a page.

    Attributes
    ----------
    table : table
        The catalog.
    truth : `~astropy.table.Table` or None
        True values, in the same order.
    parameters : tuple of str
        Parameters of the catalog.
    columns : dict
        From `page_columns`.
    samples : dict of (N, S) `~numpy.ndarray`
        Draws from the posteriors, of the parameters that have errors.
    limits, heights : `~numpy.ndarray`
        From `quantile_curves` or `sample_curves`, of ``shown``.
    points : `~numpy.ndarray` or None
        From `sample_curves`, if the samples are the posterior's own.
    pictures : list of str
        One a galaxy, as data URLs; empty where there is none.
    """

    table: object
    truth: object
    parameters: tuple[str, ...]
    columns: dict
    samples: dict
    limits: np.ndarray
    heights: np.ndarray
    points: np.ndarray | None
    pictures: list

    @property
    def shown(self):
        """Parameters that have figures."""
        return shown_parameters(self.parameters)

    @property
    def by(self):
        """The parameter that errors are shown along."""
        return self.parameters[0]

    @property
    def others(self):
        """Names of columns that the package does not know, such as ``ra``."""
        known = {"id", "flags", "worst_pull"}
        return [name for name in self.columns if name not in known and not _belongs(name)]


def shown_parameters(parameters):
    """Up to four of the parameters, in their usual order."""
    return tuple(parameters)[:4]


def _belongs(column):
    """Whether a column of the page is about one of the parameters."""
    bare = column
    for prefix in ("true_", "error_", "pull_", "sigma_"):
        bare = bare.removeprefix(prefix)
    for suffix in ("_err", "_lo", "_hi"):
        bare = bare.removesuffix(suffix)
    return bare in PARAMETERS


def page_columns(table, truth, parameters):
    """Columns of the page, one value a galaxy.

    Parameters
    ----------
    table : table
        The catalog.
    truth : `~astropy.table.Table` or None
        True values.
    parameters : sequence of str
        Parameters of the catalog.

    Returns
    -------
    dict of (N,) `~numpy.ndarray` or list of str
        ``id``, ``flags`` (names), ``<p>``, ``<p>_err``, ``<p>_lo``, ``<p>_hi``; ``sigma_<p>`` (the
        error as `~sersicnet.diagnostics.compare` has it: in dex for ``r_eff``); with truth
        ``true_<p>``, ``error_<p>``, ``pull_<p>`` (error over quoted error) and ``worst_pull``;
        all other columns of one number or text a galaxy.
    """
    names = table.colnames
    n_galaxies = len(table)
    ids = table["id"] if "id" in names else np.arange(n_galaxies)
    columns = {"id": [str(value) for value in ids]}
    for name in parameters:
        for column in (name, f"{name}_err", f"{name}_lo", f"{name}_hi"):
            columns[column] = _error_column(table, column, name)
        columns |= _comparison_columns(table, truth, name)
    pulls = [np.abs(columns[name]) for name in columns if name.startswith("pull_")]
    if pulls:
        columns["worst_pull"] = np.fmax.reduce(pulls)
    flags = np.ma.filled(table["flags"], 0) if "flags" in names else np.zeros(n_galaxies, int)
    others = {name: _other_column(table[name]) for name in names if name not in columns}
    columns |= {name: values for name, values in others.items() if values is not None}
    return columns | {"flags": [" ".join(decode_flags(value)) for value in flags]}


def _error_column(table, column, name):
    """A column of the parameter ``name``, NaN where the catalog has none."""
    if column not in table.colnames:
        return np.full(len(table), np.nan)
    parameter = PARAMETERS[name]
    return _finite(table[column], parameter.err_unit if column.endswith("_err") else parameter.unit)


def _finite(column, unit):
    values = to_floats(column, unit)
    return np.where(np.isfinite(values), values, np.nan)


def _comparison_columns(table, truth, name):
    """Quoted error, and truth and error where there are any, of all rows."""
    known = truth is not None and name in truth.colnames
    comparison = compare(table, truth if known else table, name)

    def spread(values):
        column = np.full(len(table), np.nan)
        column[comparison.rows] = values
        return column

    sigma = (comparison.upper - comparison.lower) / 2
    columns = {f"sigma_{name}": spread(sigma)}
    if known:
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = comparison.error / sigma
        columns[f"true_{name}"] = column_values(truth, name, name, "truth")
        columns[f"error_{name}"] = spread(comparison.error)
        columns[f"pull_{name}"] = spread(np.where(np.isfinite(pull), pull, np.nan))
    return columns


def _other_column(column):
    """Numbers or texts of a column, None where it is something else."""
    kind = getattr(getattr(column, "dtype", None), "kind", None)
    if kind is None or column.ndim != 1 or kind not in "biufUS":
        return None
    if kind in "US":
        return [str(value) for value in np.ma.filled(column, "")]
    return _finite(column, getattr(column, "unit", None))


def split_normal_samples(table, parameters, n, *, seed=0):
    """Draws from two halves of normal distributions that have the quantiles of the catalog.

    Parameters
    ----------
    table : table
        With ``<p>_lo`` and ``<p>_hi``; the others are left out.
    parameters : sequence of str
        Which.
    n : int
        Draws a galaxy.
    seed : int
        Of the draws.

    Returns
    -------
    dict of (N, n) `~numpy.ndarray`
        ``r_eff`` is normal in its logarithm.
    """
    rng, samples = np.random.default_rng(seed), {}
    for name in parameters:
        comparison = compare(table, table, name)
        if not np.isfinite(comparison.lower).any():
            continue
        lower, middle, upper = (
            values[:, None] for values in (comparison.lower, comparison.predicted, comparison.upper)
        )
        z = rng.standard_normal((len(middle), n)) / _QUANTILE
        drawn = middle + np.where(z < 0, z * (middle - lower), z * (upper - middle))
        samples[name] = np.full((len(table), n), np.nan)
        samples[name][comparison.rows] = {"r_eff": _power, "theta": wrap_theta}.get(name, _same)(
            drawn
        )
    return samples


def _power(values):
    return 10**values


def _same(values):
    return values


def quantile_curves(columns, parameters):
    """Densities of the halves of normal distributions that have the catalog's quantiles.

    Parameters
    ----------
    columns : dict
        From `page_columns`.
    parameters : sequence of str
        Which, K of them.

    Returns
    -------
    limits : (N, K, 2) float32 `~numpy.ndarray`
        First and last abscissa, within what the parameter can be.
    heights : (N, K, `N_POINTS`) uint8 `~numpy.ndarray`
        At equal distances between them, the highest 255; 0 where there is no error.
    """
    lower, middle, upper = (
        np.stack([columns[name + end] for name in parameters], axis=1) for end in ("_lo", "", "_hi")
    )
    below, above = (middle - lower) / _QUANTILE, (upper - middle) / _QUANTILE
    limits = _clip_limits(middle - _REACH * below, middle + _REACH * above, parameters)
    x = limits[..., :1] + (limits[..., 1:] - limits[..., :1]) * np.linspace(0, 1, N_POINTS)
    distance = x - middle[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = distance / np.where(distance < 0, below[..., None], above[..., None])
    return limits.astype(np.float32), _heights(np.exp(-(z**2) / 2))


def sample_curves(samples, columns, parameters):
    """As `quantile_curves`, of samples; and the first samples in units of the limits.

    Parameters
    ----------
    samples : dict of (N, S) `~numpy.ndarray`
        Of the parameters.
    columns, parameters
        As in `quantile_curves`.

    Returns
    -------
    limits, heights
        As of `quantile_curves`.
    points : (N, K, M) uint8 `~numpy.ndarray`
        The first M samples, 0 at the lower limit and 255 at the upper.
    """
    values = np.stack([samples[name] for name in parameters], axis=1)
    if "theta" in parameters:
        place = parameters.index("theta")
        middle = columns["theta"][:, None]
        values[:, place] = middle + wrap_theta(values[:, place] - middle)
    lowest, highest = values.min(axis=2), values.max(axis=2)
    margin = 0.1 * (highest - lowest)
    limits = _clip_limits(lowest - margin, highest + margin, parameters)
    width = np.maximum(limits[..., 1:] - limits[..., :1], 1e-12)
    shares = np.nan_to_num((values - limits[..., :1]) / width)
    bins = np.clip((shares * N_POINTS).astype(int), 0, N_POINTS - 1)
    curve = np.arange(lowest.size).reshape(lowest.shape)[..., None]
    counts = np.bincount((curve * N_POINTS + bins).ravel(), minlength=lowest.size * N_POINTS)
    counts = np.where(np.isfinite(lowest[..., None]), counts.reshape(*lowest.shape, N_POINTS), 0.0)
    heights = _heights(gaussian_filter1d(counts, _SMOOTH, axis=-1, mode="nearest"))
    kept = max(_MOST_SAMPLES // max(shares.shape[0] * shares.shape[1], 1), 20)
    points = np.rint(255 * np.clip(shares[..., :kept], 0, 1)).astype(np.uint8)
    return limits.astype(np.float32), heights, points


def _clip_limits(lower, upper, parameters):
    """Limits within what the parameters can be, NaN where there are none."""
    edges = np.array([(PARAMETERS[name].lower, PARAMETERS[name].upper) for name in parameters])
    return np.stack([np.maximum(lower, edges[:, 0]), np.minimum(upper, edges[:, 1])], axis=-1)


def _heights(curves):
    """Curves with a maximum of 255."""
    peak = np.fmax(np.nan_to_num(curves).max(axis=-1, keepdims=True), 1e-12)
    return np.rint(255 * np.nan_to_num(curves) / peak).astype(np.uint8)


def equal_bins(x, *, n_bins=12, fewest=10):
    """Edges of bins with equal numbers of galaxies.

    Parameters
    ----------
    x : (N,) `~numpy.ndarray`
        NaN is left out.
    n_bins : int
        Most bins.
    fewest : int
        Galaxies that a bin needs.

    Returns
    -------
    (B + 1,) `~numpy.ndarray`
        Increasing; empty where there are too few different values for a bin.
    """
    x = x[np.isfinite(x)]
    n_bins = min(n_bins, x.size // fewest)
    edges = np.unique(np.quantile(x, np.linspace(0, 1, n_bins + 1))) if n_bins else x[:0]
    return edges if edges.size > 1 else x[:0]


def binned(statistic, x, values, edges):
    """A statistic of the finite ``values`` in bins of ``x``, NaN in those without any."""
    good = np.isfinite(x) & np.isfinite(values)
    if not good.any() or not len(edges):
        return np.full(max(len(edges) - 1, 0), np.nan)
    return binned_statistic(x[good], values[good], statistic, edges).statistic
