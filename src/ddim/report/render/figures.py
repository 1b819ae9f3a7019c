"""Still figures with matplotlib: the same bytes for the same numbers, readable in grey.

They are made for a wall as well: large letters, few panels, markers side by side.
"""

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddim.plotting import style
from ddim.report.document import Heat, HeatMap, Level, Montage, Plot, Series
from ddim.report.numbers import power_of_ten
from ddim.runtime.files import csv_text, replacing, write_text

DPI = 160
PANEL_INCHES, HEIGHT_INCHES = 6.4, 5.0  # of one panel
MONTAGE_WIDTH = 1500  # pixels that the pictures of a montage take, about
LONG_LABEL = 16  # characters: legends of longer labels are one a line, below
MANY = 40  # points of a curve that is drawn without markers
_RC: Any = style.RC | {
    "font.size": 15,
    "text.parse_math": False,  # a $ in a name is a $
    "axes.titlesize": 16,
    "axes.titleweight": "bold",
    "legend.fontsize": 15,
}
_NO_DATE: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}


def plot_files(plot: Plot, folder: Path) -> list[Path]:
    """Write the csv, png and svg of `plot` under `folder` and return their paths."""
    data = folder / plot.file("csv")
    write_text(data, csv_text(plot.columns, plot.data))
    return [data, *_save(_plot(plot), data.with_suffix(""), ("png", "svg"))]


def heat_map_files(heat_map: HeatMap, folder: Path) -> list[Path]:
    """Write the heat map as `figures/<name>.png` and .svg and return their paths."""
    return _save(_heat_map(heat_map), folder / "figures" / heat_map.name, ("png", "svg"))


def montage_file(montage: Montage, folder: Path) -> list[Path]:
    """Write the montage as `figures/<name>.png` and return its path."""
    return _save(_montage(montage), folder / "figures" / montage.name, ("png",))


def _figure(panels: int, height: float = HEIGHT_INCHES, ground: str = "white") -> Any:
    """A figure of panels side by side, outside pyplot's global state."""
    from matplotlib.figure import Figure

    size = (PANEL_INCHES * panels + 0.8, height)
    return Figure(figsize=size, dpi=DPI, layout="constrained", facecolor=ground)


def _save(figure: Any, stem: Path, formats: tuple[str, ...]) -> list[Path]:
    import matplotlib

    paths = []
    for kind in formats:
        path = stem.with_name(f"{stem.name}.{kind}")
        content = io.BytesIO()
        with matplotlib.rc_context(_RC):
            figure.savefig(content, format=kind, dpi=DPI, metadata=_NO_DATE[kind])
        figure.set_layout_engine("none")  # it is laid out by now: once is enough
        with replacing(path) as temporary:
            temporary.write_bytes(content.getvalue())
        paths.append(path)
    return paths


# --- curves --------------------------------------------------------------------------------------


def _plot(plot: Plot) -> Any:
    import matplotlib

    panels = [plot] if plot.beside is None else [plot, plot.beside]
    with matplotlib.rc_context(_RC):
        figure = _figure(len(panels))
        for axes, panel in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _panel(axes, panel)
        _legend(figure, figure.axes)
    return figure


def _panel(axes: Any, plot: Plot) -> None:
    _axes(axes, plot)
    for series in plot.series:
        _curve(axes, series, plot.places(series))
    if plot.level:
        _level(axes, plot.level)


def _legend(figure: Any, panels: Sequence[Any]) -> None:
    """One for all panels, where no data are; none for a single curve."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if len(handles) < 2:
        return
    long = max(map(len, handles)) > LONG_LABEL
    columns = 1 if long else min(len(handles), 3 * len(panels))
    look = {"loc": "outside upper center", "ncols": columns, "handlelength": 2.6}
    figure.legend(list(handles.values()), list(handles), **look)


def _axes(axes: Any, plot: Plot) -> None:
    axes.set_title(plot.title, pad=10)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.set_xscale("log" if plot.x_log else "linear")
    axes.set_yscale("log" if plot.y_log else "linear")
    axes.grid(True, which="major")
    if plot.y_log:
        (style.plain_ticks if plot.y_plain else _powers_of_ten)(axes.yaxis)
    if plot.x_ticks:
        axes.set_xticks(plot.x_ticks, [f"{x:g}" for x in plot.x_ticks])
        axes.set_xticks([], minor=True)


def _powers_of_ten(axis: Any) -> None:
    """10⁻⁴, 10⁻³, ...: matplotlib's own labels are mathematics, which is switched off here."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda y, _: power_of_ten(round(math.log10(y)))))
    axis.set_minor_formatter(NullFormatter())


def _level(axes: Any, level: Level) -> None:
    """A dotted line and its interval, over all x or from one x to another."""
    look = {"color": style.FLOOR_LIGHT, "linewidth": 2.0, "linestyle": (0, (1, 1))}
    if level.x is None:
        axes.axhspan(level.low, level.high, color="#e4e4e4", linewidth=0, zorder=0)
        axes.axhline(level.y, label=level.label, **look)
        return
    axes.fill_between(level.x, level.low, level.high, color="#e4e4e4", linewidth=0, zorder=0)
    axes.plot(level.x, (level.y, level.y), label=level.label, **look)


def _curve(axes: Any, series: Series, x: Sequence[float]) -> None:
    look = style.stroke(series.look)
    many = len(series.x) > MANY
    if series.low:
        axes.vlines(x, series.low, series.high, color=look.light, linewidth=1.6, alpha=0.8)
    axes.plot(
        x,
        series.y,
        color=look.light,
        linestyle=look.dash,
        marker="" if many else look.marker,
        markersize=8,
        markerfacecolor="white" if series.hollow else look.light,
        markeredgecolor=look.light if series.hollow else "white",
        markeredgewidth=1.4 if series.hollow else 0.7,
        linewidth=1.0 if series.hollow else 2.0,
        label=None if series.hollow else series.label,
    )


# --- heat map ------------------------------------------------------------------------------------


def _heat_map(heat_map: HeatMap) -> Any:
    import matplotlib

    panels = heat_map.panels
    keys = ("axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color")
    with matplotlib.rc_context(_RC | dict.fromkeys(keys, style.LABEL)):
        height = 0.75 * max(len(panel.rows) for panel in panels) + 1.3
        figure = _figure(len(panels), height, ground="none")
        for axes, panel in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _heat(axes, panel)
            axes.set_xlabel(heat_map.x_label)
    return figure


def _heat(axes: Any, panel: Heat) -> None:
    """Cells coloured by the logarithm of their number, which stands in them."""
    import matplotlib

    values = np.array(panel.values, dtype=float)
    norm = _logarithmic(values)
    colours = matplotlib.colormaps["cividis_r"]  # the same order of brightness in grey
    axes.pcolormesh(values, norm=norm, cmap=colours, edgecolors="white", linewidth=2)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            light = np.dot(np.array(colours(norm(value))[:3]) ** 2.2, (0.21, 0.72, 0.07))
            ink = "black" if light > 0.18 else "white"  # whichever has more contrast (WCAG)
            where = (column + 0.5, row + 0.5)
            text = panel.texts[row][column]
            axes.text(*where, text, color=ink, ha="center", va="center", size=17)
    axes.set_title(panel.title, pad=10)
    axes.set_xticks(np.arange(len(panel.columns)) + 0.5, panel.columns)
    axes.set_yticks(np.arange(len(panel.rows)) + 0.5, panel.rows)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _logarithmic(values: np.ndarray) -> Any:
    """The scale of the colours; a grid of one number has one colour, and 0 the lowest's."""
    from matplotlib.colors import LogNorm

    above = values[values > 0]
    low, high = (float(above.min()), float(above.max())) if above.size else (1.0, 1.0)
    return LogNorm(low, high if high > low else 2 * low, clip=True)


# --- pictures ------------------------------------------------------------------------------------


def _montage(montage: Montage) -> Any:
    """Pictures pixel by pixel, never resampled by matplotlib, which would blur thin frames."""
    import matplotlib
    from matplotlib.figure import Figure

    side = MONTAGE_WIDTH // len(montage.columns)
    tiles = [[_tile(path, side) for path in row] for row in montage.pictures]
    height, width = (max(t.shape[axis] for row in tiles for t in row) for axis in (0, 1))
    gap, top, left = 26, 60, 30 + 22 * max(map(len, montage.rows))
    full = (left + len(montage.columns) * (width + gap), top + len(tiles) * (height + gap))
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(full[0] / DPI, full[1] / DPI), dpi=DPI, facecolor="white")
        for i, row in enumerate(tiles):
            for j, tile in enumerate(row):
                corner = (left + j * (width + gap), top + i * (height + gap))
                y = full[1] - corner[1] - tile.shape[0]
                figure.figimage(tile, corner[0], y, origin="upper")
        for j, text in enumerate(montage.columns):
            x = (left + j * (width + gap) + width / 2) / full[0]
            figure.text(x, 1 - top / 2 / full[1], text, ha="center", va="center", size=16)
        for i, text in enumerate(montage.rows):
            y = 1 - (top + i * (height + gap) + height / 2) / full[1]
            figure.text((left - 18) / full[0], y, text, ha="right", va="center", size=16)
    return figure


def _tile(path: Path, width: int) -> np.ndarray:
    """A picture about `width` pixels wide, enlarged by a whole number: uint8 [H,W,3]."""
    from PIL import Image

    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    if picture.width > 1.3 * width:
        small = (width, round(picture.height * width / picture.width))
        return np.asarray(picture.resize(small, Image.Resampling.LANCZOS))
    factor = max(1, round(width / picture.width))
    return np.asarray(picture).repeat(factor, axis=0).repeat(factor, axis=1)
