"""Figures of populations of galaxies."""

import numpy as np

from sersicnet.diagnostics.columns import as_table, column_values
from sersicnet.plotting.axes import panels
from sersicnet.plotting.style import AXIS_NAMES, BAND_COLOR, BLUE, VERMILION

__all__ = ["plot_population"]

_PARAMETERS = ("mag", "r_eff", "n", "q")
# Quantiles of all that is drawn, between which the panels are.
_SHOWN = (0.002, 0.998)


def plot_population(population, *, estimates=None, truth=None, n_bins=30, axes=None):
    """Plot the distributions of an inferred population, one panel per parameter.

    The truth, where it is known, is gray, the estimates are a histogram, which noise makes too
    wide, and the population is a line.

    Parameters
    ----------
    population : table or dict
        Galaxies drawn from the population, such as ``population.sample(100_000)``, with ``mag``,
        ``r_eff``, ``n`` and ``q``.
    estimates : table, dict or `~sersicnet.SersicResults`, optional
        Measured galaxies.
    truth : table or dict, optional
        True galaxies.
    n_bins : int
        Number of bins of the histograms.
    axes : sequence of `~matplotlib.axes.Axes`, optional
        Four axes to draw on.

    Returns
    -------
    list of `~matplotlib.axes.Axes`
        One per parameter; ``r_eff`` is on a logarithmic axis.

    Raises
    ------
    ValueError
        If a column is missing, there is nothing finite in one, ``n_bins`` is below 2, or the number
        of axes is not 4.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.plotting import plot_population
    >>> rng = np.random.default_rng(1)
    >>> names = ("mag", "r_eff", "n", "q")
    >>> galaxies = {name: rng.uniform(0.2, 1, 1000) for name in names}
    >>> axes = plot_population(galaxies, estimates=galaxies)
    >>> axes[1].get_xscale()
    'log'
    """
    if n_bins < 2:
        msg = f"n_bins={n_bins} must be 2 or more"
        raise ValueError(msg)
    tables = {"population": population, "estimates": estimates, "truth": truth}
    tables = {name: as_table(table, name) for name, table in tables.items() if table is not None}
    axes = panels(axes, len(_PARAMETERS), height=2.6)
    for ax, name in zip(axes, _PARAMETERS, strict=True):
        values = {key: _finite(table, name, key) for key, table in tables.items()}
        _plot_densities(ax, values, name, n_bins)
        ax.set(xlabel=AXIS_NAMES[name], ylabel="share of the galaxies")
    axes[0].legend(frameon=False, fontsize=8)
    return axes


def _finite(table, name, argument):
    """Return the values of a column that can be drawn."""
    values = column_values(table, name, name, argument)
    good = np.isfinite(values)
    if name == "r_eff":
        good &= values > 0
    if not good.any():
        msg = f"{argument} has no finite value of {name!r}"
        raise ValueError(msg)
    return values[good]


def _plot_densities(ax, values, name, n_bins):
    """Draw the shares of the galaxies in bins, of ``r_eff`` by its logarithm."""
    if name == "r_eff":
        ax.set_xscale("log")
        values = {key: np.log10(part) for key, part in values.items()}
    limits = np.array([np.quantile(part, _SHOWN) for part in values.values()])
    low = limits[:, 0].min()
    high = limits[:, 1].max()
    if high == low:
        low -= 0.5
        high += 0.5
    edges = np.linspace(low, high, n_bins + 1)
    drawn_edges = edges
    if name == "r_eff":
        drawn_edges = 10**edges
    styles = {
        "truth": {"color": BAND_COLOR, "fill": True, "label": "truth"},
        "estimates": {"color": VERMILION, "label": "estimates"},
        "population": {"color": BLUE, "lw": 1.8, "label": "population"},
    }
    for key, style in styles.items():
        if key in values:
            counts, _ = np.histogram(values[key], edges)
            ax.stairs(counts / len(values[key]), drawn_edges, **style)
    ax.set(xlim=(drawn_edges[0], drawn_edges[-1]), ylim=(0, None))
