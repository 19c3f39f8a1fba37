"""Contents of the page, as plain arrays."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.stats import binned_statistic, norm

from sersicnet.diagnostics.columns import column_values
from sersicnet.diagnostics.comparison import compare
from sersicnet.flags import decode_flags
from sersicnet.networks.densities import LEVELS
from sersicnet.parameters import PARAMETERS, pixel_shape_of, to_floats, wrap_theta
from sersicnet.report.ellipses import map_columns
from sersicnet.report.parts import column_groups

# Number of points of a curve.
N_POINTS = 41
# Half the range of a curve, in units of the error in the catalog.
_REACH = 4.0
# Width of the kernel that smooths histograms of samples, in points of the curve.
_SMOOTH = 1.5
# Largest number of samples on a page, of all galaxies together: 1 byte each.
_MOST_SAMPLES = 1_500_000
# Prefixes of the columns that compare a parameter with its true value.
_PREFIXES = ("true", "error", "pull", "sigma")
# Names that every object of JavaScript has.
_OF_JAVASCRIPT = ("constructor", "hasOwnProperty", "toString", "valueOf")
# Standard deviations between median and 84 % quantile.
_QUANTILE = norm.ppf(LEVELS[2])


@dataclass(frozen=True, eq=False)
class ReportData:
    """Contents of a page.

    Attributes
    ----------
    table : `~astropy.table.Table`
        The catalog.
    truth : `~astropy.table.Table` or None
        True values, in the same order.
    parameters : tuple of str
        Parameters of the catalog.
    columns : dict
        Columns of the page, from `page_columns`.
    samples : dict of (N, S) `~numpy.ndarray`
        Samples of the posteriors, of the parameters that have errors.
    limits, heights : `~numpy.ndarray`
        Curves of the parameters in ``shown``, from `quantile_curves` or `sample_curves`.
    points : `~numpy.ndarray` or None
        Samples from `sample_curves`, if they are those of the posteriors themselves.
    pictures : list of str
        One picture per galaxy, as a data URL; empty where there is none.
    field : tuple or None
        Small image of the field and its shape, for the map of a survey image.
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
    field: tuple | None = None

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
        """Names of further columns of the catalog, such as ``ra``."""
        known = {"id", "flags", "worst_pull"}
        grouped = {name for names in column_groups(self.table).values() for name in names}
        others = []
        for name in self.columns:
            parameter = name
            for prefix in ("true_", "error_", "pull_", "sigma_"):
                parameter = parameter.removeprefix(prefix)
            for suffix in ("_err", "_lo", "_hi"):
                parameter = parameter.removesuffix(suffix)
            is_known = name in known or parameter in PARAMETERS or parameter in grouped
            if not is_known and not name.startswith("_"):
                others.append(name)
        return others


def shown_parameters(parameters):
    """Choose the parameters that have figures: the first four."""
    return tuple(parameters)[:4]


def page_columns(table, truth, parameters):
    """Make the columns of the page, one value per galaxy.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The catalog.
    truth : `~astropy.table.Table` or None
        True values.
    parameters : sequence of str
        Parameters of the catalog.

    Returns
    -------
    dict of (N,) `~numpy.ndarray` or list of str
        ``id``, ``flags`` (names), ``<p>``, ``<p>_err``, ``<p>_lo``, ``<p>_hi``; ``sigma_<p>`` (the
        error as in `~sersicnet.diagnostics.compare`: in dex for ``r_eff``); with truth
        ``true_<p>``, ``error_<p>``, ``pull_<p>`` (error over quoted error) and ``worst_pull``;
        all other columns of one number or text per galaxy.
    """
    names = table.colnames
    ids = np.arange(len(table))
    if "id" in names:
        ids = table["id"]
    flags = np.zeros(len(table), dtype=int)
    if "flags" in names:
        flags = np.ma.filled(table["flags"], 0)
    columns = {"id": [str(value) for value in ids]}
    for name in parameters:
        for column in (name, f"{name}_err", f"{name}_lo", f"{name}_hi"):
            columns[column] = _error_column(table, column, name)
        columns |= _comparison_columns(table, truth, name)
    pulls = [np.abs(columns[name]) for name in columns if name.startswith("pull_")]
    if pulls:
        columns["worst_pull"] = np.fmax.reduce(pulls)
    for name in names:
        values = None
        if name not in columns:
            values = _other_column(table[name])
        if values is not None:
            columns[_page_name(name, values, parameters)] = values
    if is_field(table):
        columns |= map_columns(table, _ellipses(table))
    return columns | {"flags": [" ".join(decode_flags(value)) for value in flags]}


def is_field(table):
    """Whether a catalog is that of one survey image, whose positions make a map."""
    if not {"x_0", "y_0", "x_centroid"} <= set(table.colnames):
        return False
    return "image" not in table.colnames or len(set(table["image"])) == 1


def _ellipses(table):
    """Find the ellipses of galaxies in pixels of their image, NaN where they are not known."""
    values = {"x": _finite(table["x_0"], u.pix), "y": _finite(table["y_0"], u.pix)}
    unknown = np.full(len(table), np.nan)
    values |= {"r_eff": unknown, "q": unknown, "theta": unknown}
    scale = table.meta.get("PIXSCALE")
    if "r_eff" in table.colnames and scale is not None:
        values["r_eff"] = _finite(table["r_eff"], u.arcsec) / scale
    for name in ("q", "theta"):
        if name in table.colnames:
            values[name] = _finite(table[name], PARAMETERS[name].unit)
    for name in pixel_shape_of(table):
        values[name.removesuffix("_pix")] = _finite(table[name], table[name].unit)
    return values


def _page_name(name, values, parameters):
    """Name of a further column on the page, another one where the page would take it for its own.

    Every object of JavaScript has a ``constructor``; the figures take ``pull_mag`` for numbers.
    """
    prefix, _, parameter = name.partition("_")
    own = prefix in _PREFIXES and parameter in parameters and isinstance(values, list)
    if own or name in _OF_JAVASCRIPT or name.startswith("_"):
        return f"column {name}"
    return name


def _error_column(table, column, name):
    """Convert a column of the parameter ``name``, NaN where the catalog has none."""
    if column not in table.colnames:
        return np.full(len(table), np.nan)
    if column.endswith("_err"):
        return _finite(table[column], PARAMETERS[name].err_unit)
    return _finite(table[column], PARAMETERS[name].unit)


def _finite(column, unit):
    values = to_floats(column, unit)
    return np.where(np.isfinite(values), values, np.nan)


def _comparison_columns(table, truth, name):
    """Make the columns of quoted error and, where it is known, of truth, error and pull."""
    known = truth is not None and name in truth.colnames
    if not known:
        truth = table
    comparison = compare(table, truth, name)

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
    """Convert a column of numbers or texts; None where it is something else."""
    kind = getattr(getattr(column, "dtype", None), "kind", None)
    if kind is None or column.ndim != 1 or kind not in "biufUS":
        return None
    if kind in "US":
        return [str(value) for value in np.ma.filled(column, "")]
    return _finite(column, getattr(column, "unit", None))


def split_normal_samples(table, parameters, n, *, seed=0):
    """Draw from split normal distributions that have the quantiles of the catalog.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Catalog; parameters without columns ``<p>_lo`` and ``<p>_hi`` are left out.
    parameters : sequence of str
        Names of the parameters.
    n : int
        Number of draws per galaxy.
    seed : int
        Seed of the draws.

    Returns
    -------
    dict of (N, n) `~numpy.ndarray`
        Samples by parameter. ``r_eff`` is normal in its logarithm.
    """
    rng = np.random.default_rng(seed)
    samples = {}
    for name in parameters:
        comparison = compare(table, table, name)
        if not np.isfinite(comparison.lower).any():
            continue
        lower = comparison.lower[:, None]
        middle = comparison.predicted[:, None]
        upper = comparison.upper[:, None]
        z = rng.standard_normal((len(middle), n)) / _QUANTILE
        drawn = middle + np.where(z < 0, z * (middle - lower), z * (upper - middle))
        if name == "r_eff":
            drawn = 10**drawn
        elif name == "theta":
            drawn = wrap_theta(drawn)
        samples[name] = np.full((len(table), n), np.nan)
        samples[name][comparison.rows] = drawn
    return samples


def quantile_curves(columns, parameters):
    """Compute densities of split normal distributions that have the quantiles of the catalog.

    Parameters
    ----------
    columns : dict
        Columns of the page, from `page_columns`.
    parameters : sequence of str
        Names of K parameters.

    Returns
    -------
    limits : (N, K, 2) float32 `~numpy.ndarray`
        First and last abscissa, within the limits of the parameter.
    heights : (N, K, `N_POINTS`) uint8 `~numpy.ndarray`
        Densities at equal distances between them, the highest 255; 0 where there is no error.
    """
    lower = np.stack([columns[f"{name}_lo"] for name in parameters], axis=1)
    middle = np.stack([columns[name] for name in parameters], axis=1)
    upper = np.stack([columns[f"{name}_hi"] for name in parameters], axis=1)
    below = (middle - lower) / _QUANTILE
    above = (upper - middle) / _QUANTILE
    limits = _clip_limits(middle - _REACH * below, middle + _REACH * above, parameters)
    x = limits[..., :1] + (limits[..., 1:] - limits[..., :1]) * np.linspace(0, 1, N_POINTS)
    distance = x - middle[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = distance / np.where(distance < 0, below[..., None], above[..., None])
    return limits.astype(np.float32), _heights(np.exp(-(z**2) / 2))


def sample_curves(samples, columns, parameters):
    """Compute densities of samples, and keep the first samples in units of the limits.

    Parameters
    ----------
    samples : dict of (N, S) `~numpy.ndarray`
        Samples by parameter.
    columns, parameters
        Columns of the page and names of K parameters, as in `quantile_curves`.

    Returns
    -------
    limits, heights : `~numpy.ndarray`
        The curves, as in `quantile_curves`.
    points : (N, K, M) uint8 `~numpy.ndarray`
        The first M samples, 0 at the lower limit and 255 at the upper.
    """
    values = np.stack([samples[name] for name in parameters], axis=1)
    if "theta" in parameters:
        place = parameters.index("theta")
        middle = columns["theta"][:, None]
        values[:, place] = middle + wrap_theta(values[:, place] - middle)
    lowest = values.min(axis=2)
    highest = values.max(axis=2)
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
    """Bring limits into those of the parameters, NaN where there are none."""
    edges = np.array([(PARAMETERS[name].lower, PARAMETERS[name].upper) for name in parameters])
    return np.stack([np.maximum(lower, edges[:, 0]), np.minimum(upper, edges[:, 1])], axis=-1)


def _heights(curves):
    """Scale curves to a maximum of 255."""
    peak = np.fmax(np.nan_to_num(curves).max(axis=-1, keepdims=True), 1e-12)
    return np.rint(255 * np.nan_to_num(curves) / peak).astype(np.uint8)


def equal_bins(x, *, n_bins=12, fewest=10):
    """Find the edges of bins with equal numbers of galaxies.

    Parameters
    ----------
    x : (N,) `~numpy.ndarray`
        Values to bin; NaN is left out.
    n_bins : int
        Largest number of bins.
    fewest : int
        Smallest number of galaxies in a bin.

    Returns
    -------
    (B + 1,) `~numpy.ndarray`
        Increasing edges; empty where there are too few different values for a bin.
    """
    x = x[np.isfinite(x)]
    n_bins = min(n_bins, x.size // fewest)
    if not n_bins:
        return x[:0]
    edges = np.unique(np.quantile(x, np.linspace(0, 1, n_bins + 1)))
    if edges.size < 2:
        return x[:0]
    return edges


def binned(statistic, x, values, edges):
    """Compute a statistic of the finite ``values`` in bins of ``x``, NaN in empty bins."""
    good = np.isfinite(x) & np.isfinite(values)
    if not good.any() or not len(edges):
        return np.full(max(len(edges) - 1, 0), np.nan)
    return binned_statistic(x[good], values[good], statistic, edges).statistic
