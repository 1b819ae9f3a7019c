"""Static figures of the analysis: one look, the same bytes for the same numbers.

Curves take colour, marker and dash from ddim.plotting.style, so they survive grey print and
colour-blindness. Figures live outside pyplot's global state.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from ddim.plotting import style
from ddim.plotting.style import LABEL, RC, stroke

# Letters are large for a page's column, and for a phone that scrolls a figure sideways.
_RC = RC | {
    "axes.grid": True,
    "axes.axisbelow": True,
    "font.size": 11.5,
    "axes.titlesize": 12.5,
    "legend.fontsize": 11.5,
}
Points = Sequence[float] | np.ndarray
MANY_DECADES = 2000  # highest over lowest y from which powers of ten are written
GUIDE = "#6b6b6b"  # colour of lines that no data are on
CROSS = "\N{MULTIPLICATION SIGN}"  # before the caption of an image that is not as it should be
# Of `strips`: one image takes 112 pixels at 160 an inch, a multiple of 8, 16 and 28; the rest in
# sides of an image.
LONG_LABEL = 7  # characters above an image that are written in smaller letters
CELL_INCHES, CELL_GAP, GROUP_GAP, CAPTION_HEIGHT = 0.7, 0.06, 0.22, 0.3


class Canvas:
    """A figure that is being drawn, and its bytes once it is."""

    def __init__(self, figure: Figure, axes: list[Axes]) -> None:
        self._figure, self.axes = figure, axes
        self.png = b""

    def finish(self) -> None:
        """Render: PNG without date or version."""
        content = io.BytesIO()
        self._figure.savefig(content, format="png", dpi=160, metadata={"Software": None})
        self.png = content.getvalue()


@contextmanager
def canvas(panels: int = 1, *, width: float = 6.4, height: float = 3.6) -> Iterator[Canvas]:
    """A figure of `panels` axes side by side, inches; `.png` holds it after the block."""
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
        axes = figure.subplots(1, panels, squeeze=False)[0]
        canvas = Canvas(figure, list(axes))
        yield canvas
        canvas.finish()


def curve(axes: Axes, index: int, x: Points, y: Points, label: str) -> None:
    """Draw series `index` with its colour, marker and dash."""
    look = stroke(index)
    axes.plot(
        x, y, color=look.light, marker=look.marker, linestyle=look.dash, label=label, markersize=5
    )


def thin_curve(axes: Axes, index: int, x: Points, y: Points, label: str) -> None:
    """`curve` for many points: no markers."""
    look = stroke(index)
    axes.plot(x, y, color=look.light, linestyle=look.dash, label=label, linewidth=1.4)


def band(axes: Axes, index: int, x: Points, low: Points, high: Points) -> None:
    """Shade series `index` between two bounds."""
    axes.fill_between(x, low, high, color=stroke(index).light, alpha=0.18, linewidth=0)


def whiskers(axes: Axes, index: int, x: Points, low: Points, high: Points) -> None:
    """Thin vertical lines of series `index` between two bounds."""
    axes.vlines(x, low, high, color=stroke(index).light, linewidth=1.3, alpha=0.7)


def level(axes: Axes, y: float, label: str = "") -> None:
    """A dotted horizontal line, in the legend under `label` if it has one."""
    axes.axhline(y, color=GUIDE, linewidth=1.4, linestyle=":", label=label or "_")


def bars_of_error(
    axes: Axes, index: int, x: Points, y: Points, half: Points, filled: Sequence[bool]
) -> None:
    """Points of series `index` with bars of y - half to y + half; some filled, some hollow."""
    look = stroke(index)
    axes.plot(x, y, color=look.light, linestyle=look.dash, linewidth=1.2, alpha=0.6)
    for point, value, error, is_filled in zip(x, y, half, filled, strict=True):
        axes.errorbar(
            point,
            value,
            yerr=error,
            color=look.light,
            marker=look.marker,
            markersize=9,
            markerfacecolor=look.light if is_filled else "white",
            capsize=4,
            linewidth=2,
        )


def bars(axes: Axes, index: int, values: np.ndarray, bins: int, label: str) -> None:
    """A histogram with unit area."""
    look = stroke(index)
    axes.hist(values, bins=bins, density=True, color=look.light, alpha=0.55, label=label)


def dots(axes: Axes, index: int, x: Points, y: Points, label: str) -> None:
    """Points of series `index` without a line, with its colour and marker."""
    look = stroke(index)
    axes.plot(
        x,
        y,
        color=look.light,
        marker=look.marker,
        linestyle="",
        label=label,
        markersize=4,
        alpha=0.8,
    )


def allowed(axes: Axes, half: float, label: str) -> None:
    """Shade -half to half, where values may lie, with a line through 0 and at both ends."""
    axes.axhspan(-half, half, color=GUIDE, alpha=0.12, linewidth=0, label=label)
    axes.axhline(0, color=GUIDE, linewidth=0.8)
    for end in (-half, half):
        axes.axhline(end, color=GUIDE, linewidth=1.2, linestyle="--")


def legend_beside(axes: Axes) -> None:
    """A legend to the right of the axes, where no data are."""
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def legend_above(panels: Sequence[Axes]) -> None:
    """The first panel's legend for all of them, above, where no data are."""
    handles, labels = panels[0].get_legend_handles_labels()
    figure = panels[0].get_figure(root=True)
    assert figure is not None
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def log_y(axes: Axes) -> None:
    """Logarithmic y that reads 0.05, 0.1, 0.2 where it spans few decades, else powers of ten."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high / low <= MANY_DECADES:
        style.plain_ticks(axes.yaxis)


def jumps(axes: Axes, visited: Sequence[int]) -> None:
    """Circles for the steps `visited` (tau_S..0), arcs from each to the next, what lies between.

    Between two circles stand three dots and the number of steps skipped, where there are any.
    """
    look, last = stroke(1), len(visited) - 1
    for i, t in enumerate(visited):
        axes.plot(i, 0, color=look.light, marker="o", markersize=30)
        axes.text(i, 0, f"{t}", color="white", ha="center", va="center", size=11.5, weight="bold")
        skipped = t - visited[i + 1] - 1 if i < last else 0
        if skipped:
            axes.plot(i + np.array([0.4, 0.5, 0.6]), [0, 0, 0], color=GUIDE, marker=".", ls="")
            axes.text(i + 0.5, -0.3, f"{skipped}", color=GUIDE, ha="center", va="top", size=11)
    for i, name in ((0, "$x_T$"), (last, "$x_0$")):
        axes.text(i, -0.35, name, ha="center", va="top", size=12)
    for i in range(last):
        arrow = FancyArrowPatch(
            (i, 0.33),
            (i + 1, 0.33),
            connectionstyle="arc3,rad=-0.5",
            arrowstyle="-|>,head_length=7,head_width=3.5",
            color=look.light,
            linewidth=1.8,
        )
        axes.add_patch(arrow)
    axes.set(xlim=(-0.45, last + 0.45), ylim=(-0.65, 0.9))
    axes.set_axis_off()


def ticks(axes: Axes, steps: Sequence[float]) -> None:
    """Logarithmic x with exactly these numbers written."""
    axes.set_xscale("log")
    axes.set_xticks(list(steps), [f"{s:g}" for s in steps])
    axes.set_xticks([], minor=True)


def strips(
    rows: np.ndarray,
    *,
    row_labels: Sequence[str],
    column_labels: Sequence[str] = (),
    captions: Sequence[Sequence[str]] = (),
    group: int = 0,
) -> bytes:
    """Rows of large framed images, uint8 [rows,columns,C,H,W], on a transparent ground: PNG.

    captions: a text under every image, row by row; one that starts with CROSS is bold.
    group: after every so many rows comes a wider gap; 0: nowhere.
    """
    under = CAPTION_HEIGHT if captions else 0.0
    gaps = [GROUP_GAP if group and i and i % group == 0 else 0.0 for i in range(len(rows))]
    tops = [i * (1 + CELL_GAP + under) + float(np.sum(gaps[: i + 1])) for i in range(len(rows))]
    width, height = rows.shape[1] * (1 + CELL_GAP), tops[-1] + 1 + under
    look: Any = {"axes.grid": False, "font.size": 12, "xtick.color": LABEL, "ytick.color": LABEL}
    with matplotlib.rc_context({**_RC, **look, "savefig.transparent": True}):
        figure = Figure()
        left, top = _label_inches(row_labels, 0.093), 0.2 + 0.2 * _lines(column_labels)
        size = (left + width * CELL_INCHES + 0.1, top + height * CELL_INCHES + 0.1)
        figure.set_size_inches(*size)
        share = (width * CELL_INCHES / size[0], height * CELL_INCHES / size[1])
        axes = figure.add_axes((left / size[0], 0.1 / size[1], *share), frame_on=False)
        for i, (row, y) in enumerate(zip(rows, tops, strict=True)):
            for x, image in enumerate(row):
                text = captions[i][x] if captions else ""
                _framed(axes, image, (x * (1 + CELL_GAP), y), text)
        axes.set(xlim=(-0.02, width), ylim=(height, -0.02))
        axes.set_yticks([y + 0.5 for y in tops][: len(row_labels)], list(row_labels))
        centres = [x * (1 + CELL_GAP) + 0.5 for x in range(len(column_labels))]
        axes.set_xticks(centres, list(column_labels))
        axes.tick_params(length=0, labeltop=True, labelbottom=False, pad=4)
        is_long = max(map(len, column_labels), default=0) > LONG_LABEL
        axes.tick_params(axis="x", labelsize=10 if is_long else 12)
        canvas = Canvas(figure, [axes])
        canvas.finish()
    return canvas.png


def _label_inches(labels: Sequence[str], letter: float) -> float:
    """Width for the longest line of `labels`, in which mathtext's signs take no room."""
    lines = [line for label in labels for line in label.split("\n")]
    longest = max((len(re.sub(r"\\hat|[${}_]", "", line)) for line in lines), default=0)
    return 0.25 + letter * longest


def _lines(labels: Sequence[str]) -> int:
    return max((label.count("\n") + 1 for label in labels), default=0)


def _framed(axes: Axes, image: np.ndarray, corner: tuple[float, float], text: str) -> None:
    """One image [C,H,W] in the unit square right of and below `corner`, its caption below."""
    x, y = corner
    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    where = (x, x + 1, y + 1, y)
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest", extent=where)
    crossed = text.startswith(CROSS)
    frame = Rectangle((x, y), 1, 1, fill=False, edgecolor=GUIDE, linewidth=0.8)
    axes.add_patch(frame)
    weight = "bold" if crossed else "normal"
    axes.text(x + 0.5, y + 1.04, text, ha="center", va="top", color=LABEL, weight=weight)


def heatmap(axes: Axes, values: np.ndarray, top: float, title: str) -> None:
    """Values [H,W] between 0 (white) and `top` (black), as pixels, with their scale beside them."""
    axes.grid(visible=False)
    shown = axes.imshow(values, cmap="Greys", vmin=0, vmax=top, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, size=11)
    axes.spines[:].set_visible(True)
    bar = axes.get_figure(root=True).colorbar(shown, ax=axes, fraction=0.046, pad=0.03)  # type: ignore[union-attr]
    bar.set_label("standard deviation")
