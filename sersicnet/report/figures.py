"""Figures of all galaxies on the page."""

import numpy as np
from astropy.stats import mad_std
from bokeh.layouts import gridplot
from bokeh.models import (
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    LogScale,
    PrintfTickFormatter,
    Range1d,
    Span,
)
from bokeh.plotting import figure
from scipy.stats import norm

from sersicnet.diagnostics.calibration import coverage_table
from sersicnet.plotting.style import AXIS_NAMES, BLUE, COLORS, ERROR_NAMES, NAMES, VERMILION
from sersicnet.report.data import binned, equal_bins

_LOGARITHMIC = ("r_eff",)
# Bokeh's own ticks are equidistant, so that most are missing on a short logarithmic axis.
_LOG_TICKS = [mantissa * 10.0**power for power in range(-4, 4) for mantissa in (1, 2, 5)]
_HEIGHT = 250
_N_BINS = 30
_LEVELS = np.linspace(0.1, 0.9, 9)
_GRAY = "#c8c8c8"


def axis_label(name):
    """Write the name and the unit of a column."""
    if name.startswith("true_"):
        return f"true {axis_label(name.removeprefix('true_'))}"
    return plain_name(AXIS_NAMES.get(name, name))


def plain_name(text):
    """Write a name of matplotlib's without its mathematics, which Bokeh spells otherwise."""
    return text.replace("$", "").replace("_0", "₀")


def make_figure(*, x_label, y_label, **options):
    """Make an empty figure in the style of the page."""
    defaults = {
        "height": _HEIGHT,
        "min_width": 200,
        "tools": "tap,box_select,pan,wheel_zoom,box_zoom,reset",
        "active_drag": "box_select",
    }
    plot = figure(x_axis_label=x_label, y_axis_label=y_label, **(defaults | options))
    plot.toolbar.logo = None
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_line_color = plot.axis.major_tick_line_color = "#888888"
    plot.axis.minor_tick_line_color = None
    plot.grid.grid_line_color = "#eeeeee"
    plot.outline_line_color = None
    for axis, scale in ((plot.xaxis, plot.x_scale), (plot.yaxis, plot.y_scale)):
        if isinstance(scale, LogScale):
            axis.ticker = FixedTicker(ticks=_LOG_TICKS)
            axis.formatter = PrintfTickFormatter(format="%g")
    return plot


def grid(plots):
    """Arrange rows of figures as wide as the page, with one toolbar."""
    options = {"sizing_mode": "stretch_width", "toolbar_location": "right"}
    return gridplot(plots, merge_tools=True, toolbar_options={"logo": None}, **options)


def data_range(values, *, log):
    """Make a range for all values, which stays the same when fewer of them are shown."""
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not values.size:
        return Range1d(0.1, 1)
    edges = np.array([values.min(), values.max()])
    if log:
        edges = np.log10(edges)
    margin = 0.04 * (edges[1] - edges[0]) or 0.5
    edges += np.array([-margin, margin])
    if log:
        edges = 10**edges
    return Range1d(*edges.tolist())


def histogram(columns, name):
    """Draw a histogram of all galaxies, and of those that are shown.

    Parameters
    ----------
    columns : dict
        Columns of the page, from `~sersicnet.report.data.page_columns`.
    name : str
        Name of the column.

    Returns
    -------
    plot : figure
        The figure.
    parts : dict
        ``name``, ``edges`` and ``bars``, whose column ``shown`` is changed with the filter.
    """
    log = name in _LOGARITHMIC
    values = columns[name]
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if log:
        edges = 10 ** np.histogram_bin_edges(np.log10(values), _N_BINS)
    else:
        edges = np.histogram_bin_edges(values, _N_BINS)
    if values.size and values.min() < values.max():
        edges[[0, -1]] = values.min(), values.max()  # rounding would lose a galaxy
    counts = np.histogram(values, edges)[0]
    sides = {"left": edges[:-1], "right": edges[1:]}
    bars = ColumnDataSource(sides | {"all": counts, "shown": counts})
    plot = make_figure(
        x_label=axis_label(name),
        y_label="galaxies",
        x_axis_type="log" if log else "linear",
        x_range=data_range(columns[name], log=log),
        y_range=Range1d(0, 1.05 * max(counts.max(), 1)),
    )
    quads = {"left": "left", "right": "right", "bottom": 0, "source": bars}
    plot.quad(top="all", color=_GRAY, line_color=None, **quads)
    plot.quad(top="shown", color=BLUE, line_color="white", line_width=0.5, **quads)
    return plot, {"name": name, "edges": edges.tolist(), "bars": bars}


def scatter(source, view, x, y, *, y_label=None, **options):
    """Draw one point per galaxy: a click opens it, a box selects galaxies.

    Parameters
    ----------
    source : `~bokeh.models.ColumnDataSource`
        All galaxies.
    view : `~bokeh.models.CDSView`
        Selection of the galaxies that are shown.
    x, y : str
        Names of the columns.
    y_label : str, optional
        Label of the second axis, by default that of ``y``.
    **options
        Options of the figure.

    Returns
    -------
    figure
    """
    for axis, name in (("x", x), ("y", y)):
        if name.removeprefix("true_") in _LOGARITHMIC:
            options.setdefault(f"{axis}_axis_type", "log")
    for axis, name in (("x", x), ("y", y)):
        log = options.get(f"{axis}_axis_type") == "log"
        options.setdefault(f"{axis}_range", data_range(source.data[name], log=log))
    plot = make_figure(x_label=axis_label(x), y_label=y_label or axis_label(y), **options)
    size = float(np.clip(120 / np.sqrt(max(len(source.data["id"]), 1)), 3, 7))
    points = plot.scatter(
        x, y, source=source, view=view, size=size, color=BLUE, alpha=0.45, line_color=None
    )
    points.nonselection_glyph = None
    points.selection_glyph = points.glyph.clone(
        size=size + 5, fill_color=VERMILION, line_color="black", fill_alpha=0.9
    )
    plot.add_tools(
        HoverTool(renderers=[points], tooltips=[("", "@id")], point_policy="snap_to_data")
    )
    return plot


def quoted_errors(source, view, x, name):
    """Draw the quoted errors of one parameter along ``x``, and their medians."""
    label = f"quoted error of {plain_name(ERROR_NAMES[name])}"
    plot = scatter(source, view, x, f"sigma_{name}", y_label=label, y_axis_type="log")
    along = source.data[x]
    sigma = source.data[f"sigma_{name}"]
    edges = equal_bins(along)
    _steps(plot, edges, binned("median", along, sigma, edges), "median", color=VERMILION)
    return with_legend(plot)


def errors_with_truth(source, view, x, name):
    """Draw the errors of one parameter along ``x``, their scatter, and the quoted errors."""
    along = source.data[x]
    errors = source.data[f"error_{name}"]
    sigma = source.data[f"sigma_{name}"]
    reach = 0
    if np.isfinite(errors).any():
        reach = 1.4 * np.nanpercentile(np.abs(errors), 98)
    y_range = Range1d(-(reach or 1), reach or 1)
    label = f"error of {plain_name(ERROR_NAMES[name])}"
    plot = scatter(source, view, x, f"error_{name}", y_label=label, y_range=y_range)
    plot.add_layout(Span(location=0, dimension="width", line_color="#444444"))
    edges = equal_bins(along)
    expected = binned("median", along, sigma, edges)
    middle = binned("median", along, errors, edges)
    nmad = binned(mad_std, along, errors, edges)
    for sign in (-1, 1):
        _steps(plot, edges, middle + sign * nmad, "median ± NMAD", color="black")
        _steps(plot, edges, sign * expected, "quoted (median)", color=VERMILION, dash="dashed")
    return with_legend(plot)


def pull_histogram(columns, name):
    """Draw a histogram of errors in units of the quoted errors, and the unit normal."""
    pulls = columns[f"pull_{name}"]
    pulls = pulls[np.isfinite(pulls)]
    edges = np.linspace(-5, 5, 41)
    counts = np.histogram(pulls.clip(-5, 5), edges)[0]
    density = counts / max(len(pulls), 1) / np.diff(edges)
    plot = make_figure(
        x_label=f"error / quoted error of {plain_name(NAMES[name])}", y_label="density"
    )
    plot.quad(
        top=density, bottom=0, left=edges[:-1], right=edges[1:], color=BLUE, line_color="white"
    )
    x = np.linspace(-5, 5, 101)
    plot.line(x, norm.pdf(x), color=VERMILION, line_width=2, legend_label="unit normal")
    return with_legend(plot)


def coverage(samples, truth, parameters):
    """Draw the fraction of true values in central intervals against their probability."""
    table = coverage_table(samples, truth, levels=_LEVELS, parameters=parameters)
    plot = make_figure(
        x_label="nominal coverage",
        y_label="empirical coverage",
        x_range=Range1d(0, 1),
        y_range=Range1d(0, 1),
        height=2 * _HEIGHT,
    )
    plot.line([0, 1], [0, 1], color="#444444")
    for name in dict.fromkeys(table["parameter"]):
        rows = table[table["parameter"] == name]
        x = np.array(rows["level"])
        y = np.array(rows["coverage"])
        error = np.array(rows["coverage_err"])
        options = {"color": COLORS[name], "legend_label": plain_name(NAMES[name])}
        plot.line(x, y, line_width=1.5, **options)
        plot.scatter(x, y, size=5, **options)
        plot.segment(x, y - error, x, y + error, color=COLORS[name])
    return with_legend(plot, place="bottom_right")


def _steps(plot, edges, values, label, *, color, dash="solid"):
    """Draw a line that is constant within each bin."""
    if len(edges):
        x = np.repeat(edges, 2)[1:-1]
        y = np.repeat(values, 2)
        plot.line(x, y, color=color, line_width=2, line_dash=dash, legend_label=label)


def with_legend(plot, *, place="top_left"):
    """Make the legend of a figure small, if it has one."""
    if plot.legend:
        plot.legend.location = place
        plot.legend.label_text_font_size = "11px"
        plot.legend.spacing = 0
        plot.legend.padding = 4
        plot.legend.margin = 4
        plot.legend.background_fill_alpha = 0.8
        plot.legend.border_line_color = None
        plot.legend.click_policy = "hide"
    return plot
