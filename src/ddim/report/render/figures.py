"""Still figures with matplotlib: the same bytes for the same numbers, readable in grey."""

import io
from pathlib import Path
from typing import Any

from ddim.plotting import style
from ddim.report.document import Montage, Plot, Series
from ddim.runtime.files import csv_text, replacing, write_text

_RC: Any = style.RC | {"axes.titleweight": "bold", "axes.titlesize": "large"}
_NO_DATE: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
}


def plot_files(plot: Plot, folder: Path) -> list[Path]:
    """Write the csv, png and svg of `plot` under `folder` and return their paths."""
    data = folder / plot.file("csv")
    write_text(data, csv_text(plot.columns, plot.data))
    return [data, *_save(_plot(plot), data.with_suffix(""), ("png", "svg"))]


def montage_file(montage: Montage, folder: Path) -> list[Path]:
    """Write the montage as `figures/<name>.png` and return its path."""
    return _save(_montage(montage), folder / "figures" / montage.name, ("png",))


def _figure(width: float, height: float) -> Any:
    """A figure of `width` x `height` inches, outside pyplot's global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def _save(figure: Any, stem: Path, formats: tuple[str, ...]) -> list[Path]:
    import matplotlib

    paths = []
    for kind in formats:
        path = stem.with_name(f"{stem.name}.{kind}")
        content = io.BytesIO()
        with matplotlib.rc_context(_RC):
            figure.savefig(content, format=kind, dpi=160, metadata=_NO_DATE[kind])
        with replacing(path) as temporary:
            temporary.write_bytes(content.getvalue())
        paths.append(path)
    return paths


def _plot(plot: Plot) -> Any:
    import matplotlib

    with matplotlib.rc_context(_RC):
        figure = _figure(6.4, 4.0)
        axes = figure.add_subplot()
        _axes(axes, plot)
        if plot.level:
            _level(axes, plot.level)
        for index, series in enumerate(plot.series):
            _curve(axes, series, index)
        if len(plot.series) > 1 or plot.level:
            long = max(len(series.label) for series in plot.series) > 16
            place = "outside lower left" if long else "outside right upper"
            figure.legend(loc=place, handlelength=3.4)
    return figure


def _axes(axes: Any, plot: Plot) -> None:
    axes.set_title(plot.title, pad=10)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.set_xscale("log" if plot.x_log else "linear")
    axes.set_yscale("log" if plot.y_log else "linear")
    axes.grid(True, which="major")
    if plot.y_log and plot.y_plain:
        _plain_ticks(axes.yaxis)
    if plot.x_ticks:
        axes.set_xticks(plot.x_ticks, [f"{x:g}" for x in plot.x_ticks])
        axes.set_xticks([], minor=True)


def _plain_ticks(axis: Any) -> None:
    """1, 2, 5, 10, ... on a logarithmic axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axis.set_minor_locator(NullLocator())


def _level(axes: Any, level: Series) -> None:
    if level.low:
        axes.axhspan(level.low[0], level.high[0], color="#e9e9e9", linewidth=0)
    axes.axhline(
        level.y[0], color=style.FLOOR_LIGHT, linewidth=1.1, linestyle=(0, (1, 1)), label=level.label
    )


def _curve(axes: Any, series: Series, index: int) -> None:
    look = style.stroke(index)
    many = len(series.x) > 40
    if series.low:
        axes.vlines(series.x, series.low, series.high, color=look.light, linewidth=1.0, alpha=0.65)
    axes.plot(
        series.x,
        series.y,
        color=look.light,
        linestyle=look.dash,
        marker="" if many else look.marker,
        markersize=5.2,
        markeredgecolor="white",
        markeredgewidth=0.6,
        linewidth=1.5,
        label=series.label,
    )


def _montage(montage: Montage) -> Any:
    import matplotlib

    rows, columns = len(montage.rows), len(montage.columns)
    with matplotlib.rc_context(_RC):
        figure = _figure(1.75 * columns + 0.5, 1.75 * rows + 0.3)
        grid = figure.subplots(rows, columns, squeeze=False)
        for line, paths in zip(grid, montage.pictures, strict=True):
            for axes, path in zip(line, paths, strict=True):
                _show(axes, path)
        for axes, column in zip(grid[0], montage.columns, strict=True):
            axes.set_title(column, loc="center", fontsize=11, fontweight="normal")
        for line, row in zip(grid, montage.rows, strict=True):
            line[0].set_ylabel(row, fontsize=11)
    return figure


def _show(axes: Any, path: Path) -> None:
    """A picture on axes without ticks and frame."""
    from PIL import Image

    with Image.open(path) as picture:
        axes.imshow(picture.convert("RGB"), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
