"""The page: table, filters, figures and the panel of one galaxy."""

from collections import Counter
from contextlib import contextmanager
from html import escape

import numpy as np
from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models import (
    BooleanFilter,
    CDSView,
    ColumnDataSource,
    DataTable,
    Div,
    InlineStyleSheet,
    NumberFormatter,
    Select,
    TableColumn,
    TabPanel,
    Tabs,
    TextInput,
    Toggle,
)
from bokeh.resources import INLINE
from bokeh.settings import settings

from sersicnet.diagnostics.scores import score_table
from sersicnet.flags import Flags
from sersicnet.report.detail import detail_panel, script
from sersicnet.report.figures import (
    coverage,
    errors_with_truth,
    grid,
    histogram,
    pull_histogram,
    quoted_errors,
    scatter,
)
from sersicnet.report.injections import injection_panel, is_injections
from sersicnet.report.maps import field_map, sky_map

_TABLE_HEIGHT = 640
# In a narrow window what stands beside something comes below it.
_TABLE_WIDTH = 520
_WRAPPED = {"flex-wrap": "wrap"}
# Titles of columns of numbers are on the right, those of texts on the left.
_TABLE_STYLE = """
.slick-header-column { font-weight: 600; }
.slick-header-columns-right .slick-column-name { float: right; }
.slick-header-columns-right .slick-header-column:nth-child(TEXT) .slick-column-name { float: left; }
.slick-cell { cursor: pointer; }
"""
# Parameters that the table omits; the panel of each galaxy shows them.
_HIDDEN = ("x_0", "y_0")
_NOTE = (
    "A catalog has no samples: coverage is that of split normal distributions with its "
    "quantiles at 16, 50 and 84 %."
)
# The pictures are text, one line per galaxy, of which the browser decodes only the one it shows.
_TEMPLATE = """
{% block postamble %}
<style>
  body { margin: 18px 24px; font-family: system-ui, sans-serif; background: white; }
</style>
{% endblock %}
{% block inner_body %}
{{ super() }}
<script type="text/plain" id="pictures">{{ pictures }}</script>
{% endblock %}
"""


def page_html(galaxies, *, title, subtitle):
    """Make the page.

    Parameters
    ----------
    galaxies : `~sersicnet.report.data.ReportData`
        Contents of the page.
    title, subtitle : str
        First lines of the page.

    Returns
    -------
    str
        The HTML text.
    """
    source = ColumnDataSource(galaxies.columns)
    view = CDSView(filter=BooleanFilter())
    tabs, draw_tab, histograms = _tabs(galaxies, source, view)
    head = Div(text=f"<h1 style='font-size:22px;margin:0'>{escape(title)}</h1><p>{subtitle}</p>")
    table = _table(galaxies, source, view)
    panel, fill_panel, draw_curves = detail_panel(galaxies, source)
    source.selected.js_on_change("indices", fill_panel)
    filters = _filters(galaxies, source, view, histograms)
    body = row(
        column(filters, table, min_width=_TABLE_WIDTH, sizing_mode="stretch_width"),
        panel,
        sizing_mode="stretch_width",
        spacing=16,
        styles=_WRAPPED,
    )
    document = Document()
    document.add_root(column(head, body, tabs, sizing_mode="stretch_width", spacing=10))
    # opens the first galaxy
    nan_last = script("nan_last", table=table)
    document.js_on_event("document_ready", fill_panel, nan_last, draw_curves, draw_tab)
    source.selected.indices = [0]
    pictures = {"pictures": "\n".join(galaxies.pictures)}
    with _uncompressed():
        return file_html(document, INLINE, title, template=_TEMPLATE, template_variables=pictures)


@contextmanager
def _uncompressed():
    """Write arrays as they are: a browser would need more time to unpack than to read them."""
    level = settings.compression_level()
    settings.compression_level = 0
    try:
        yield
    finally:
        settings.compression_level = level


def _tabs(galaxies, source, view):
    """Draw the figures of all galaxies, and collect the histograms that follow the filter.

    The browser draws the figures of a tab when the tab is opened.
    """
    shown = galaxies.shown
    by = galaxies.by
    drawn, histograms = zip(*(histogram(galaxies.columns, name) for name in shown), strict=True)
    pairs = [(by, name) for name in shown if name != by] + [("r_eff", "n")]
    pairs = [pair for pair in dict.fromkeys(pairs) if {*pair} <= {*shown}][: len(shown)]
    rows = [list(drawn), [scatter(source, view, x, y) for x, y in pairs]]
    contents = {"Distributions": grid([line for line in rows if line])}
    along = by
    if f"true_{by}" in galaxies.columns:
        along = f"true_{by}"
    compared = [name for name in shown if f"error_{name}" in galaxies.columns]
    plots = [quoted_errors(source, view, by, name) for name in shown]
    rows = [[errors_with_truth(source, view, along, name) for name in compared], plots]
    contents["Errors"] = grid([line for line in rows if line])
    if "_x" in galaxies.columns:
        image, shape = galaxies.field or (None, None)
        plot = field_map(source, view, image=image, n_pixels=shape)
        contents["Field"] = grid([[plot]])
    if {"ra", "dec"} <= set(galaxies.columns):
        contents["Sky"] = grid([[sky_map(source, view)]])
    if compared:
        contents["Calibration"] = _calibration(galaxies)
    if is_injections(galaxies.table, galaxies.truth):
        panel = injection_panel(galaxies.table, galaxies.truth)
        contents = {"Injections": panel} | contents
    boxes = [column(Div(), sizing_mode="stretch_width") for _ in contents]
    panels = [TabPanel(title=title, child=box) for title, box in zip(contents, boxes, strict=True)]
    tabs = Tabs(tabs=panels, sizing_mode="stretch_width")
    draw = script("draw", tabs=tabs, boxes=boxes, contents=list(contents.values()))
    tabs.js_on_change("active", draw)
    return tabs, draw, list(histograms)


def _calibration(galaxies):
    """Draw coverage and pulls of the parameters with errors, and list the scores of all."""
    compared = [name for name in galaxies.parameters if f"error_{name}" in galaxies.columns]
    quoted = [name for name in compared if name in galaxies.samples]
    parts = []
    if quoted:
        pulls = [pull_histogram(galaxies.columns, name) for name in quoted[:4]]
        half = -(-len(pulls) // 2)
        curves = coverage(galaxies.samples, galaxies.truth, quoted)
        curves.width = 520
        curves.sizing_mode = "fixed"
        parts.append(row(curves, grid([pulls[:half], pulls[half:]]), sizing_mode="stretch_width"))
    parts.append(_scores(score_table(galaxies.table, galaxies.truth, parameters=compared)))
    if galaxies.points is None:
        parts.append(Div(text=_NOTE, sizing_mode="stretch_width"))
    return column(*parts, sizing_mode="stretch_width")


def _scores(score):
    """Make the table of `~sersicnet.diagnostics.score_table`."""
    decimals = {"n": "0", "n_lost": "0", "outliers": "0.000", "r2": "0.000", "coverage": "0.000"}
    columns = []
    for name in score.colnames[1:]:
        options = {}
        if score[name].dtype.kind in "if":
            options = {"formatter": _number(decimals.get(name, "0.0000"))}
        columns.append(TableColumn(field=name, title=name, **options))
    return DataTable(
        source=ColumnDataSource({name: list(score[name]) for name in score.colnames}),
        columns=columns,
        height=30 + 26 * len(score),
        index_position=None,
        sizing_mode="stretch_width",
        selectable=False,
        reorderable=False,
    )


def _table(galaxies, source, view):
    """Make the table of all galaxies; a click on the title of a column sorts by it."""
    columns = [TableColumn(field="id", title="id", width=100)]
    for name in galaxies.parameters:
        if name in _HIDDEN:
            continue
        digits = _digits(galaxies.columns[f"{name}_err"])
        columns.append(_numbers(name, name, digits))
        if np.isfinite(galaxies.columns[f"{name}_err"]).any():
            columns.append(_numbers(f"{name}_err", "±", digits))
    if "worst_pull" in galaxies.columns:
        columns.append(_numbers("worst_pull", "worst pull", 1))
    style = _TABLE_STYLE.replace("TEXT", str(len(columns)))  # the place of the next column
    columns.append(TableColumn(field="flags", title="flags", width=190))
    for name in galaxies.others:
        if isinstance(galaxies.columns[name], list):
            columns.append(TableColumn(field=name, title=escape(name), width=80))
        else:
            columns.append(_numbers(name, escape(name), _decimals(name, galaxies.columns[name])))
    return DataTable(
        source=source,
        # not the view of the plots: its events break a table that is not drawn yet
        view=CDSView(filter=view.filter),
        columns=columns,
        index_position=None,
        height=_TABLE_HEIGHT,
        sizing_mode="stretch_width",
        frozen_columns=1,
        scroll_to_selection=False,  # it would leave the top when the table is sorted
        autosize_mode="none",
        reorderable=False,  # it would need another library
        name="galaxies",
        stylesheets=[InlineStyleSheet(css=style)],
    )


def _digits(errors):
    """Find the number of decimals that shows the smallest errors with two digits."""
    errors = errors[np.isfinite(errors) & (errors > 0)]
    if not errors.size:
        return 3
    return int(np.clip(1 - np.floor(np.log10(np.percentile(errors, 16))), 0, 4))


def _decimals(name, values):
    """Find the number of decimals of a column without errors: three digits of most values."""
    if name in ("ra", "dec"):
        return 5
    values = np.abs(values[np.isfinite(values) & (values != 0)])
    if not values.size or (values == np.rint(values)).all():
        return 0
    return int(np.clip(2 - np.floor(np.log10(np.median(values))), 0, 6))


def _numbers(field, title, digits):
    number_format = "0"
    if digits:
        number_format = "0." + "0" * digits
    width = max(56, 8 * len(title), 14 * digits)
    return TableColumn(field=field, title=title, width=width, formatter=_number(number_format))


def _number(number_format):
    return NumberFormatter(format=number_format, nan_format="-", text_align="right")


def _filters(galaxies, source, view, histograms):
    """Make the inputs that choose the galaxies that are shown."""
    n_flagged = Counter(name for text in galaxies.columns["flags"] for name in text.split())
    options = [("any", "any"), ("none", f"none ({galaxies.columns['flags'].count('')})")]
    options += [(name, f"{name} ({number})") for name, number in sorted(n_flagged.items())]
    conditions = TextInput(
        title="Conditions on columns",
        placeholder="mag < 23 and 2.5 < n < 6 or id = 17, not LOW_SNR",
        name="conditions",
        min_width=240,
        sizing_mode="stretch_width",
    )
    flag = Select(title="Flags", options=options, value="any", width=190, name="flag")
    only = Toggle(label="Only the selected", width=140, align="end", tags=[], name="only")
    count = Div(width=210, align="end", name="count")
    apply = script(
        "filter",
        conditions=conditions,
        flag=flag,
        only=only,
        source=source,
        histograms=histograms,
        rows=view.filter,
        count=count,
        names=[flag.name for flag in Flags],
    )
    only.js_on_change("active", apply)
    conditions.js_on_change("value", apply)
    flag.js_on_change("value", apply)
    n = len(galaxies.columns["id"])
    count.text = f"<b>{n:,}</b> of {n:,} galaxies shown"
    return row(conditions, flag, only, count, sizing_mode="stretch_width", styles=_WRAPPED)
