"""The panel of one galaxy on the page."""

from importlib.resources import files

from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, CustomJS, Div, InlineStyleSheet, Range1d, Span

from sersicnet.flags import flag_table
from sersicnet.parameters import PARAMETERS
from sersicnet.plotting.style import BLUE, RESIDUAL_LIMIT, VERMILION
from sersicnet.report.figures import make_figure
from sersicnet.report.parts import column_groups

_WIDTH = 470
_STYLE = """
.bk-clearfix { width: 100%; }
:host { font: 13px/1.35 system-ui, sans-serif; color: #222; }
h3 { margin: 0 0 6px; font-size: 16px; }
img { width: 100%; image-rendering: pixelated; display: block; }
.names { display: flex; font-size: 11px; color: #666; margin-bottom: 8px; }
.names span { flex: 1; text-align: center; }
.none { color: #888; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; padding-right: 10px; }
td, th { padding: 1px 6px 1px 0; border-bottom: 1px solid #eee; line-height: 1.5; }
.head td { color: #666; }
sup, sub { font-size: 9px; line-height: 0; color: #555; }
ul { padding-left: 16px; margin: 8px 0; } p { margin: 8px 0; color: #555; }
"""


def script(name, **arguments):
    """Read a callback from the package's data.

    Parameters
    ----------
    name : str
        Name of the file ``static/<name>.js``.
    **arguments
        Variables of the callback.

    Returns
    -------
    `~bokeh.models.CustomJS`
    """
    code = files("sersicnet.report").joinpath("static", f"{name}.js").read_text(encoding="utf-8")
    return CustomJS(args=arguments, code=code)


def detail_panel(galaxies, source):
    """Make the panel, and the callback that fills it with the first selected galaxy.

    Parameters
    ----------
    galaxies : `~sersicnet.report.data.ReportData`
        Contents of the page.
    source : `~bokeh.models.ColumnDataSource`
        Columns of the page.

    Returns
    -------
    panel : `~bokeh.models.Column`
        The panel.
    fill : `~bokeh.models.CustomJS`
        The callback.
    draw : `~bokeh.models.CustomJS`
        A callback that draws the figures of the panel.
    """
    panel = Div(width=_WIDTH, name="panel", stylesheets=[InlineStyleSheet(css=_STYLE)])
    curves, plots = zip(*(_curve(name) for name in galaxies.shown), strict=True)
    cloud = ColumnDataSource({name: [] for name in galaxies.shown})
    pairs = list(zip(galaxies.shown[:-1], galaxies.shown[1:], strict=True))
    lines = [list(plots)]
    if galaxies.points is not None and pairs:
        ranges = {part["name"]: part["range"] for part in curves}
        lines.append([_cloud(cloud, ranges, x, y) for x, y in pairs])
    samples = None
    if galaxies.points is not None:
        samples = galaxies.points.ravel()
    no_picture = "made without cutouts: no images"
    if any(galaxies.pictures):
        no_picture = "no image"
    arguments = {
        "source": source,
        "panel": panel,
        "curves": list(curves),
        "cloud": cloud,
        "limits": galaxies.limits.ravel(),
        "heights": galaxies.heights.ravel(),
        "samples": samples,
        "no_picture": no_picture,
        "limit": RESIDUAL_LIMIT,
        "parameters": list(galaxies.parameters),
        "others": galaxies.others,
        "groups": list(column_groups(galaxies.table).items()),
        "has_truth": galaxies.truth is not None,
        "units": _units(galaxies),
        "meanings": {line["name"]: line["meaning"] for line in flag_table()},
    }
    figures = column([row(*line, width=_WIDTH) for line in lines], width=_WIDTH)
    box = column(Div(), width=_WIDTH)
    draw = script("draw", tabs=None, boxes=[box], contents=[figures])
    return column(panel, box, width=_WIDTH), script("open", **arguments), draw


def _units(galaxies):
    """Write the units of all columns with errors, by name."""
    units = {name: _unit(name) for name in galaxies.parameters}
    for part, names in column_groups(galaxies.table).items():
        for name in names:
            parameter = name.removesuffix(f"_{part}")
            units[name] = _unit(parameter) if parameter in PARAMETERS else ""
    return units


def _unit(name):
    unit = PARAMETERS[name].unit
    if unit is None or name == "mag":
        return ""
    return str(unit)


def _small_figure(*, n_columns, x_range, **options):
    plot = make_figure(
        width=_WIDTH // n_columns,
        min_width=0,
        x_range=x_range,
        toolbar_location=None,
        tools="",
        active_drag=None,
        **options,
    )
    plot.axis.axis_label_text_font_size = "11px"
    plot.axis.major_label_text_font_size = "9px"
    plot.axis.ticker.desired_num_ticks = 3
    return plot


def _curve(name):
    """Draw a small figure of the posterior of one parameter; the callback changes its parts."""
    source = ColumnDataSource({"x": [], "y": []})
    x_range = Range1d(0, 1)
    plot = _small_figure(
        n_columns=4, x_range=x_range, x_label=name, y_label="", height=110, y_range=Range1d(0, 1.08)
    )
    plot.yaxis.visible = False
    plot.varea("x", 0, "y", source=source, color=BLUE, alpha=0.3)
    plot.line("x", "y", source=source, color=BLUE)
    line = Span(location=None, dimension="height", line_color=VERMILION, line_width=2)
    plot.add_layout(line)
    return {"name": name, "source": source, "line": line, "range": x_range}, plot


def _cloud(cloud, ranges, x, y):
    """Draw a small figure of samples of two parameters."""
    plot = _small_figure(
        n_columns=3, x_range=ranges[x], y_range=ranges[y], x_label=x, y_label=y, height=150
    )
    plot.scatter(x, y, source=cloud, size=3, color=BLUE, alpha=0.4, line_color=None)
    return plot
