"""The figures of the page of `sersicnet.report`, made with Bokeh."""

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
from sersicnet.parameters import PARAMETERS
from sersicnet.plotting.style import BLUE, COLORS, VERMILION
from sersicnet.report.data import binned, equal_bins

_LOGARITHMIC = ("r_eff",)
# Bokeh's own ticks are equidistant, so that most are missing, on a short logarithmic axis.
_LOG_TICKS = [mantissa * 10.0**power for power in range(-4, 4) for mantissa in (1, 2, 5)]
_HEIGHT = 250
_N_BINS = 30
_LEVELS = np.linspace(0.1, 0.9, 9)
_GRAY = "#c8c8c8"


def axis_label(name):
    """Name and unit of a column."""
    parameter = PARAMETERS.get(name)
    return name if parameter is None or parameter.unit is None else f"{name} [{_unit(parameter)}]"


def _unit(parameter):
    return "AB" if parameter.name == "mag" else str(parameter.unit)


def make_figure(*, x_label, y_label, **options):
    """An empty figure in the style of the page."""
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
    """Rows of figures as wide as the page, with one toolbar."""
    options = {"sizing_mode": "stretch_width", "toolbar_location": "right"}
    return gridplot(plots, merge_tools=True, toolbar_options={"logo": None}, **options)


def data_range(values, *, log):
    """A range for all values: one that stays when fewer of them are shown."""
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if not values.size:
        return Range1d(0.1, 1)
    low, high = (np.log10(edge) if log else edge for edge in (values.min(), values.max()))
    margin = 0.04 * (high - low) or 0.5
    limits = low - margin, high + margin
    return Range1d(*(10**edge for edge in limits)) if log else Range1d(*limits)


def histogram(columns, name):
    """A histogram of all galaxies and of those that are shown.

    Parameters
    ----------
    columns : dict
        From `~sersicnet.report.data.page_columns`.
    name : str
        The column.

    Returns
    -------
    plot : figure
    parts : dict
        ``name``, ``edges`` and ``bars``, whose column ``shown`` are the counts to change.
    """
    values, log = columns[name], name in _LOGARITHMIC
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if log:
        edges = 10 ** np.histogram_bin_edges(np.log10(values), _N_BINS)
    else:
        edges = np.histogram_bin_edges(values, _N_BINS)
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
    """One point a galaxy: a click opens it, a box selects galaxies.

    Parameters
    ----------
    source, view : `~bokeh.models.ColumnDataSource`, `~bokeh.models.CDSView`
        The galaxies, and which of them are shown.
    x, y : str
        Columns.
    y_label : str, optional
        By default that of ``y``.
    **options
        Of the figure.

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
    label = f"true {axis_label(x[5:])}" if x.startswith("true_") else axis_label(x)
    plot = make_figure(x_label=label, y_label=y_label or axis_label(y), **options)
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
    """Quoted errors of one parameter along ``x``, and their medians."""
    label = f"quoted error of {_compared(name)}"
    plot = scatter(source, view, x, f"sigma_{name}", y_label=label, y_axis_type="log")
    along, sigma = source.data[x], source.data[f"sigma_{name}"]
    edges = equal_bins(along)
    _steps(plot, edges, binned("median", along, sigma, edges), "median", color=VERMILION)
    return _with_legend(plot)


def errors_with_truth(source, view, x, name):
    """Errors of one parameter along ``x``, and their scatter beside that which is expected."""
    along, errors = source.data[x], source.data[f"error_{name}"]
    sigma = source.data[f"sigma_{name}"]
    reach = 1.4 * np.nanpercentile(np.abs(errors), 98) if np.isfinite(errors).any() else 0
    y_range, label = Range1d(-(reach or 1), reach or 1), f"error of {_compared(name)}"
    plot = scatter(source, view, x, f"error_{name}", y_label=label, y_range=y_range)
    plot.add_layout(Span(location=0, dimension="width", line_color="#444444"))
    edges = equal_bins(along)
    expected = binned("median", along, sigma, edges)
    middle, nmad = (binned(statistic, along, errors, edges) for statistic in ("median", mad_std))
    for sign in (-1, 1):
        _steps(plot, edges, middle + sign * nmad, "median ± NMAD", color="black")
        _steps(plot, edges, sign * expected, "quoted (median)", color=VERMILION, dash="dashed")
    return _with_legend(plot)


def pull_histogram(columns, name):
    """Errors in units of the quoted ones, and the unit normal."""
    pulls = columns[f"pull_{name}"]
    pulls = pulls[np.isfinite(pulls)]
    edges = np.linspace(-5, 5, 41)
    counts = np.histogram(pulls.clip(-5, 5), edges)[0]
    density = counts / max(len(pulls), 1) / np.diff(edges)
    plot = make_figure(x_label=f"error / quoted error of {name}", y_label="density")
    plot.quad(
        top=density, bottom=0, left=edges[:-1], right=edges[1:], color=BLUE, line_color="white"
    )
    x = np.linspace(-5, 5, 101)
    plot.line(x, norm.pdf(x), color=VERMILION, line_width=2, legend_label="unit normal")
    return _with_legend(plot)


def coverage(samples, truth, parameters):
    """Share of true values in central intervals against the intervals' probability."""
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
        x, y, error = (np.array(rows[key]) for key in ("level", "coverage", "coverage_err"))
        options = {"color": COLORS[name], "legend_label": name}
        plot.line(x, y, line_width=1.5, **options)
        plot.scatter(x, y, size=5, **options)
        plot.segment(x, y - error, x, y + error, color=COLORS[name])
    return _with_legend(plot, place="bottom_right")


def _compared(name):
    if name == "r_eff":
        return "log10 r_eff [dex]"
    return "magnitude [mag]" if name == "mag" else axis_label(name)


def _steps(plot, edges, values, label, *, color, dash="solid"):
    """A line that is level within each bin."""
    if len(edges):
        x, y = np.repeat(edges, 2)[1:-1], np.repeat(values, 2)
        plot.line(x, y, color=color, line_width=2, line_dash=dash, legend_label=label)


def _with_legend(plot, *, place="top_left"):
    """The same with a small legend, where there is anything to name."""
    if plot.legend:
        plot.legend.location = place
        plot.legend.label_text_font_size = "11px"
        plot.legend.spacing, plot.legend.padding, plot.legend.margin = 0, 4, 4
        plot.legend.background_fill_alpha, plot.legend.border_line_color = 0.8, None
        plot.legend.click_policy = "hide"
    return plot
