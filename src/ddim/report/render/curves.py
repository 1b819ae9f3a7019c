"""Interactive curves with Bokeh, as JSON that the page embeds beside Bokeh's own script.

The JSON is the same for the same numbers: Bokeh's running identifiers are renamed in order.
"""

import json
import re
from typing import Any

from ddim.plotting import style
from ddim.report.document import Plot, Series

LIGHT_INK, DARK_INK = "#3c3a36", "#d9d5cc"
LIGHT_GROUND, DARK_GROUND = "#fcfbf8", "#16181b"  # of the page, as in page.css
FONT = "system-ui, sans-serif"
LONG_LABEL = 16  # characters: legends of longer labels are one a line
_MODEL_ID = re.compile(r'"p\d+"')
_DOCUMENT_ID = re.compile(r'"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"')


def script() -> str:
    """Bokeh's own script (about 1.3 MB), for embedding: the page needs no network."""
    from bokeh.resources import Resources

    return "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)


def item(plot: Plot, *, dark: bool) -> str:
    """The plot as JSON for `Bokeh.embed.embed_item`, for light or dark ground."""
    from bokeh.embed import json_item

    text = json.dumps(json_item(_figure(plot, dark)), allow_nan=False)
    return _renamed(_renamed(text, _MODEL_ID, "m"), _DOCUMENT_ID, "d")


def _renamed(text: str, pattern: re.Pattern[str], letter: str) -> str:
    """Every identifier that `pattern` finds, numbered in the order of its first appearance."""
    names: dict[str, str] = {}
    return pattern.sub(lambda m: names.setdefault(m[0], f'"{letter}{len(names)}"'), text)


def _figure(plot: Plot, dark: bool) -> Any:
    from bokeh.models import HoverTool

    fig = _empty(plot)
    _axes(fig, plot, dark)
    curves = {series.label: _curve(fig, series, i, dark) for i, series in enumerate(plot.series)}
    points = [renderers[-1] for renderers in curves.values()]
    tips = [("", "@label"), (plot.x_label, "@x"), (plot.y_label, "@text")]
    fig.add_tools(HoverTool(renderers=points, tooltips=tips, mode="mouse"))
    if plot.level:
        curves[plot.level.label] = _level(fig, plot.level, dark)
    if len(curves) > 1:
        _legend(fig, curves, dark)
    return fig


def _empty(plot: Plot) -> Any:
    """A transparent figure with axes, tools, and some room above and below the curves."""
    from bokeh.models import Range1d
    from bokeh.plotting import figure

    low, high = plot.y_span
    room = (high / low) ** 0.06 if plot.y_log else 1.0
    fig = figure(
        height=400,
        y_range=Range1d(start=low / room, end=high * room),
        sizing_mode="stretch_width",
        x_axis_label=plot.x_label,
        y_axis_label=plot.y_label,
        x_axis_type="log" if plot.x_log else "linear",
        y_axis_type="log" if plot.y_log else "linear",
        tools="pan,box_zoom,reset",
        toolbar_location="above",
        background_fill_alpha=0,
        border_fill_alpha=0,
        outline_line_color=None,
    )
    fig.toolbar.logo = None
    return fig


def _axes(fig: Any, plot: Plot, dark: bool) -> None:
    """Colours, fonts and ticks of the axes."""
    from bokeh.models import BasicTickFormatter, LogTicker

    ink, line = (DARK_INK, "#3a3e44") if dark else (LIGHT_INK, "#dedbd4")
    for axis in (*fig.xaxis, *fig.yaxis):
        axis.axis_label_text_color = axis.major_label_text_color = ink
        axis.axis_label_text_font = axis.major_label_text_font = FONT
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "13px"
        axis.axis_line_color = axis.major_tick_line_color = line
        axis.minor_tick_line_color = None
    fig.grid.grid_line_color = line
    if plot.y_log and plot.y_plain:
        fig.yaxis.ticker = LogTicker(mantissas=[1, 2, 5], num_minor_ticks=0)
        fig.yaxis.formatter = BasicTickFormatter(use_scientific=False)
        fig.ygrid.ticker = fig.yaxis[0].ticker
    if plot.x_ticks:
        fig.xaxis.ticker = list(plot.x_ticks)
        fig.xaxis.major_label_overrides = {x: f"{x:g}" for x in plot.x_ticks}
        fig.xgrid.ticker = fig.xaxis[0].ticker


def _legend(fig: Any, curves: dict[str, list[Any]], dark: bool) -> None:
    """Under the figure; a click hides a curve with its interval and dims its label."""
    from bokeh.models.annotations import Legend

    long = max(map(len, curves)) > LONG_LABEL
    legend = Legend(
        items=list(curves.items()),
        click_policy="hide",
        orientation="horizontal",
        location="top_left",
        ncols=1 if long else 3,
        spacing=8,
        inactive_fill_color=DARK_GROUND if dark else LIGHT_GROUND,
        label_text_color=DARK_INK if dark else LIGHT_INK,
        label_text_font=FONT,
        label_text_font_size="13px",
        background_fill_alpha=0,
        border_line_color=None,
    )
    fig.add_layout(legend, "below")


def _level(fig: Any, level: Series, dark: bool) -> list[Any]:
    """A horizontal line over the whole width, and its interval."""
    color = style.FLOOR_DARK if dark else style.FLOOR_LIGHT
    renderers = []
    if level.low:
        ends = {"y0": list(level.low), "y1": list(level.high)}
        renderers.append(fig.hstrip(**ends, color=color, fill_alpha=0.16, line_color=None))
    look = {"line_color": color, "line_dash": "dotted", "line_width": 1.5}
    return [*renderers, fig.hspan(y=list(level.y), name=f"{level.key}/line", **look)]


def _curve(fig: Any, series: Series, index: int, dark: bool) -> list[Any]:
    """Whiskers, line and markers."""
    from bokeh.models import ColumnDataSource

    look = style.stroke(index)
    color = look.dark if dark else look.light
    columns: dict[str, Any] = {"x": list(series.x), "y": list(series.y)}
    columns["text"] = [_hover(series, i) for i in range(len(series.x))]
    columns["label"] = [series.label] * len(series.x)
    columns["low"] = list(series.low or series.y)
    columns["high"] = list(series.high or series.y)
    common = {"source": ColumnDataSource(columns), "color": color}
    ends = {"x0": "x", "x1": "x", "y0": "low", "y1": "high"}
    size = 10 if len(series.x) <= 40 else 3
    name = f"{series.key}/line"
    return [
        fig.segment(**ends, **common, line_width=1.5, alpha=0.6),
        fig.line("x", "y", **common, line_width=2, line_dash=look.b_dash, name=name),
        fig.scatter("x", "y", **common, marker=look.b_marker, size=size),
    ]


def _hover(series: Series, i: int) -> str:
    value = f"{series.y[i]:.4g}"
    return f"{value} ({series.low[i]:.4g} – {series.high[i]:.4g})" if series.low else value
