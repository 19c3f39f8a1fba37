"""The tab of a page about injected galaxies: completeness, bias and errors in bins."""

import numpy as np
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, DataTable, Div, NumberFormatter, Range1d, Span
from bokeh.models import TableColumn as Column

from sersicnet.diagnostics.injections import FEWEST, injection_summary
from sersicnet.diagnostics.scores import join_truth
from sersicnet.plotting.style import COLORS, ERROR_NAMES, NAMES, VERMILION
from sersicnet.report.figures import axis_label, grid, make_figure, plain_name, with_legend

__all__ = ["injection_panel", "is_injections"]

_NOTE = (
    "Points are bins of the true values, bars the errors of counting. Bias and errors are those of "
    "the detected galaxies, in bins with {fewest} of them and more. Of {n} galaxies, {n_on} are on "
    "a source of the image, within the radius of the match: they count in the completeness, not in "
    "bias and errors. Completeness is drawn of {fewest} galaxies and more. Figures without such a "
    "bin are left out."
)


def is_injections(table, truth):
    """Whether a catalog is that of injected galaxies, of `~sersicnet.measure.inject_galaxies`.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The catalog.
    truth : `~astropy.table.Table` or None
        Its true values.

    Returns
    -------
    bool
    """
    if truth is None or not {"mag", "r_eff"} <= set(truth.colnames):
        return False
    return "detected" in table.colnames


def injection_panel(table, truth):
    """Draw completeness, bias and errors of injected galaxies, and list them.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Injected galaxies as they were measured.
    truth : `~astropy.table.Table`
        Their true values.

    Returns
    -------
    `~bokeh.models.Column`
    """
    summary = injection_summary(join_truth(table, truth))
    names = [name for name in NAMES if f"bias_{name}" in summary.colnames]
    along = [by for by in ("mag", "r_eff") if len(_bins(summary, by)[0])]
    rows = [[_completeness(summary, by) for by in along]]
    for by in along:
        rows.append(
            [_bias(summary, by, name) for name in names if _has(summary, by, f"bias_{name}")]
        )
        ratios = [name for name in names if _has(summary, by, f"error_ratio_{name}")]
        rows.append([_ratio(summary, by, name) for name in ratios])
    n_on = 0
    if "on_source" in table.colnames:
        n_on = int(np.sum(table["on_source"]))
    note = Div(
        text=_NOTE.format(n=len(table), n_on=n_on, fewest=FEWEST), sizing_mode="stretch_width"
    )
    parts = [note, _table(summary)]
    rows = [row for row in rows if row]
    if rows:
        parts.insert(1, grid(rows))
    return column(*parts, sizing_mode="stretch_width")


def _bins(summary, by):
    """The bins that are drawn, and where."""
    bins = summary[(summary["by"] == by) & (summary["n_injected"] >= FEWEST)]
    lower = _plain(bins[f"{by}_lower"])
    upper = _plain(bins[f"{by}_upper"])
    if by == "r_eff":
        return bins, np.sqrt(lower * upper)
    return bins, (lower + upper) / 2


def _has(summary, by, name):
    """Whether there is a value to draw."""
    bins, _ = _bins(summary, by)
    return bool(np.isfinite(_plain(bins[name])).any())


def _plain(column):
    return np.asarray(getattr(column, "value", column), dtype=float)


def _figure(by, y_label, **options):
    """An empty figure along the true values of a parameter."""
    if by == "r_eff":
        options["x_axis_type"] = "log"
    return make_figure(x_label=axis_label(f"true_{by}"), y_label=y_label, **options)


def _points(plot, x, y, lower, upper, *, color):
    """Draw points with error bars."""
    known = np.isfinite(y)
    plot.line(x[known], y[known], color=color)
    plot.scatter(x[known], y[known], color=color, size=6)
    bars = known & np.isfinite(lower) & np.isfinite(upper)
    plot.segment(x[bars], lower[bars], x[bars], upper[bars], color=color)


def _completeness(summary, by):
    """Draw the share of galaxies that were detected."""
    bins, x = _bins(summary, by)
    plot = _figure(by, "completeness", y_range=Range1d(-0.02, 1.02))
    limits = [_plain(bins[f"completeness_{end}"]) for end in ("lo", "hi")]
    _points(plot, x, _plain(bins["completeness"]), *limits, color=COLORS["mag"])
    return plot


def _bias(summary, by, name):
    """Draw the bias of a parameter, its scatter, and the quoted errors."""
    bins, x = _bins(summary, by)
    plot = _figure(by, f"bias of {plain_name(ERROR_NAMES[name])}")
    plot.add_layout(Span(location=0, dimension="width", line_color="#444444"))
    bias = _plain(bins[f"bias_{name}"])
    error = _plain(bins[f"bias_{name}_err"])
    _points(plot, x, bias, bias - error, bias + error, color=COLORS[name])
    for sign in (-1, 1):
        scatter = bias + sign * _plain(bins[f"scatter_{name}"])
        quoted = sign * _plain(bins[f"quoted_{name}"])
        plot.line(x, scatter, color="black", legend_label="bias ± scatter")
        dashed = {"line_dash": "dashed", "legend_label": "quoted (median)"}
        plot.line(x, quoted, color=VERMILION, **dashed)
    place = "top_left"
    if by == "r_eff":
        place = "top_right"  # where errors are small
    return with_legend(plot, place=place)


def _ratio(summary, by, name):
    """Draw the error over the quoted error of a parameter."""
    bins, x = _bins(summary, by)
    plot = _figure(by, f"error / quoted error of {plain_name(NAMES[name])}")
    plot.add_layout(Span(location=1, dimension="width", line_color="#444444"))
    ratio = _plain(bins[f"error_ratio_{name}"])
    error = _plain(bins[f"error_ratio_{name}_err"])
    _points(plot, x, ratio, ratio - error, ratio + error, color=COLORS[name])
    return plot


def _table(summary):
    """Make the table of all bins."""
    columns = []
    values = {}
    for name in summary.colnames:
        options = {}
        values[name] = list(_plain(summary[name])) if name != "by" else list(summary[name])
        if name != "by":
            decimals = "0" if name.startswith("n_") else "0.000"
            number = NumberFormatter(format=decimals, nan_format="-", text_align="right")
            options = {"formatter": number}
        width = max(60, 8 * len(name))
        columns.append(Column(field=name, title=name, width=width, **options))
    return DataTable(
        source=ColumnDataSource(values),
        columns=columns,
        height=min(640, 40 + 26 * len(summary)),
        index_position=None,
        sizing_mode="stretch_width",
        frozen_columns=1,
        autosize_mode="none",
        selectable=False,
        reorderable=False,
    )
