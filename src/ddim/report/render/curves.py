"""Interactive curves with Bokeh, as JSON that the page embeds beside Bokeh's own script.

The JSON is the same for the same numbers: Bokeh's running identifiers are renamed in order. It is
drawn once, for light ground; DARK says which colours the page puts in their place on dark ground.
"""

import json
import math
import re
from typing import Any

from ddim.plotting import style
from ddim.report.document import Level, Plot, Series

LIGHT_INK, DARK_INK = "#3c3a36", "#d9d5cc"
LIGHT_GROUND, DARK_GROUND = "#fcfbf8", "#16181b"  # of the page, as in page.css
LIGHT_LINE, DARK_LINE = "#dedbd4", "#3a3e44"
DARK = {
    LIGHT_INK: DARK_INK,
    LIGHT_GROUND: DARK_GROUND,
    LIGHT_LINE: DARK_LINE,
    style.FLOOR_LIGHT: style.FLOOR_DARK,
    **{stroke.light: stroke.dark for stroke in style.STROKES},
}
FONT = "system-ui, sans-serif"
MANY = 40  # points of a curve that is drawn with dots for markers
SHORT_LABEL, LONG_LABEL = 8, 16  # characters: three labels a line, two, one on a small screen
_MODEL_ID = re.compile(r'"p\d+"')
_DOCUMENT_ID = re.compile(r'"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"')


def script() -> str:
    """Bokeh's own script (about 1.3 MB), for embedding: the page needs no network."""
    from bokeh.resources import Resources

    return "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)


def item(plot: Plot) -> str:
    """The plot as JSON for `Bokeh.embed.embed_item`, in the colours for light ground."""
    from bokeh.embed import json_item

    text = json.dumps(json_item(_figure(plot)), allow_nan=False)
    return _renamed(_renamed(text, _MODEL_ID, "m"), _DOCUMENT_ID, "d")


def _renamed(text: str, pattern: re.Pattern[str], letter: str) -> str:
    """Every identifier that `pattern` finds, numbered in the order of its first appearance."""
    names: dict[str, str] = {}
    return pattern.sub(lambda m: names.setdefault(m[0], f'"{letter}{len(names)}"'), text)


def _figure(plot: Plot) -> Any:
    from bokeh.models import HoverTool

    fig = _empty(plot)
    _axes(fig, plot)
    curves: dict[str, list[Any]] = {}
    points = []
    for series in plot.series:
        renderers = _curve(fig, series, plot.places(series))
        curves.setdefault(series.label, []).extend(renderers)  # hollow ones are hidden with theirs
        points.append(renderers[-1])
    tips = [("", "@label"), (plot.x_label, "@at"), (plot.y_label, "@text")]
    fig.add_tools(HoverTool(renderers=points, tooltips=tips, mode="mouse"))
    if plot.level:
        curves[plot.level.label] = _level(fig, plot.level)
    if len(curves) > 1:
        _legend(fig, curves)
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


def _axes(fig: Any, plot: Plot) -> None:
    """Colours, fonts and ticks of the axes."""
    from bokeh.models import BasicTickFormatter

    for axis in (*fig.xaxis, *fig.yaxis):
        axis.axis_label_text_color = axis.major_label_text_color = LIGHT_INK
        axis.axis_label_text_font = axis.major_label_text_font = FONT
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "13px"
        axis.axis_line_color = axis.major_tick_line_color = LIGHT_LINE
        axis.minor_tick_line_color = None
    fig.grid.grid_line_color = LIGHT_LINE
    if plot.y_log and plot.y_plain:
        fig.yaxis.ticker = _one_two_five(*plot.y_span)
        fig.yaxis.formatter = BasicTickFormatter(use_scientific=False)
        fig.ygrid.ticker = fig.yaxis[0].ticker
    if plot.x_ticks:
        fig.xaxis.ticker = list(plot.x_ticks)
        fig.xaxis.major_label_overrides = {x: f"{x:g}" for x in plot.x_ticks}
        fig.xgrid.ticker = fig.xaxis[0].ticker


def _one_two_five(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, ... from below `low` to above `high`."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [float(f"{mantissa}e{decade}") for decade in decades for mantissa in (1, 2, 5)]


def _legend(fig: Any, curves: dict[str, list[Any]]) -> None:
    """Under the figure; a click hides a curve with its interval and dims its label."""
    from bokeh.models.annotations import Legend

    longest = max(map(len, curves))
    legend = Legend(
        items=list(curves.items()),
        click_policy="hide",
        orientation="horizontal",
        location="top_left",
        ncols=1 if longest > LONG_LABEL else 2 if longest > SHORT_LABEL else 3,
        spacing=8,
        inactive_fill_color=LIGHT_GROUND,
        label_text_color=LIGHT_INK,
        label_text_font=FONT,
        label_text_font_size="13px",
        background_fill_alpha=0,
        border_line_color=None,
    )
    fig.add_layout(legend, "below")


def _level(fig: Any, level: Level) -> list[Any]:
    """A horizontal line with its interval, over all x or from one x to another."""
    strip = {"color": style.FLOOR_LIGHT, "fill_alpha": 0.16, "line_color": None}
    look: dict[str, Any] = {
        "line_color": style.FLOOR_LIGHT,
        "line_dash": "dotted",
        "line_width": 2,
        "name": "floor/line",
    }
    low = max(level.low, fig.y_range.start)  # 0 has no place on a logarithmic axis
    if level.x is None:
        band = fig.hstrip(y0=[low], y1=[level.high], **strip)
        return [band, fig.hspan(y=[level.y], **look)]
    x, y = list(level.x), [level.y, level.y]
    band = fig.varea(x=x, y1=[low] * 2, y2=[level.high] * 2, color=style.FLOOR_LIGHT, alpha=0.16)
    return [band, fig.line(x=x, y=y, **look)]


def _curve(fig: Any, series: Series, x: tuple[float, ...]) -> list[Any]:
    """Whiskers, line and markers at `x`."""
    from bokeh.models import ColumnDataSource

    look = style.stroke(series.look)
    columns: dict[str, Any] = {"x": list(x), "y": list(series.y), "at": list(series.x)}
    columns["text"] = [_hover(series, i) for i in range(len(series.x))]
    columns["label"] = [series.label] * len(series.x)
    columns["low"] = list(series.low or series.y)
    columns["high"] = list(series.high or series.y)
    common = {"source": ColumnDataSource(columns), "color": look.light}
    ends = {"x0": "x", "x1": "x", "y0": "low", "y1": "high"}
    size = 10 if len(series.x) <= MANY else 3
    width, fill = (1.0, LIGHT_GROUND) if series.hollow else (2.0, look.light)
    points = {"source": common["source"], "line_color": look.light, "fill_color": fill}
    name = f"{series.key}/line"
    return [
        fig.segment(**ends, **common, line_width=1.5, alpha=0.6),
        fig.line("x", "y", **common, line_width=width, line_dash=look.b_dash, name=name),
        fig.scatter("x", "y", **points, marker=look.b_marker, size=size),
    ]


def _hover(series: Series, i: int) -> str:
    value = f"{series.y[i]:.4g}"
    return f"{value} ({series.low[i]:.4g} – {series.high[i]:.4g})" if series.low else value
