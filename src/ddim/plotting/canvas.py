"""Static figures of the analysis: one look, the same bytes for the same numbers.

Curves take colour, marker and dash from ddim.plotting.style, so they survive grey print and
colour-blindness. Figures live outside pyplot's global state.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ddim.plotting.style import RC, stroke

_RC = RC | {"axes.grid": True, "axes.axisbelow": True}
Points = Sequence[float] | np.ndarray
MIN_SIDE = 40  # pixels that the side of one image takes in a grid, at least
GUIDE = "#6b6b6b"  # colour of lines that no data are on


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


def level(axes: Axes, y: float) -> None:
    """A dotted horizontal line."""
    axes.axhline(y, color=GUIDE, linewidth=1, linestyle=":")


def span(axes: Axes, y: float, ends: Sequence[float], label: str) -> None:
    """A horizontal line at `y` with a marker at each end and a label above its middle."""
    axes.plot(ends, [y] * len(ends), color=stroke(1).light, marker="o", linewidth=2, markersize=7)
    middle = float(np.sqrt(ends[0] * ends[-1]))  # of a logarithmic axis
    axes.annotate(label, (middle, y), (0, 4), textcoords="offset points", ha="center", size=11)


def bars(axes: Axes, index: int, values: np.ndarray, bins: int, label: str) -> None:
    """A histogram with unit area."""
    look = stroke(index)
    axes.hist(values, bins=bins, density=True, color=look.light, alpha=0.55, label=label)


def ticks(axes: Axes, steps: Sequence[float]) -> None:
    """Logarithmic x with exactly these numbers written."""
    axes.set_xscale("log")
    axes.set_xticks(list(steps), [f"{s:g}" for s in steps])
    axes.set_xticks([], minor=True)


def picture(
    images: np.ndarray,
    columns: int,
    *,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
) -> bytes:
    """A grid of uint8 images [N,C,H,W], row by row, with labels at its left and above it: PNG."""
    from ddim.plotting.grids import grid

    side, pad = images.shape[-1], 2
    scale = max(1, -(-MIN_SIDE // side))
    composed = np.asarray(grid(images, columns, pad=pad, scale=scale))
    height, width = composed.shape[:2]
    inches, cell = 1 / 100, side * scale
    left = 0.2 + 0.085 * max((len(label) for label in row_labels), default=0)
    top = 0.35 if column_labels else 0.1
    size = (left + width * inches + 0.1, top + height * inches + 0.1)
    with matplotlib.rc_context({**_RC, "axes.grid": False}):
        figure = Figure(figsize=size, facecolor="white")
        where = (left / size[0], 0.1 / size[1], width * inches / size[0], height * inches / size[1])
        axes = figure.add_axes(where)
        axes.imshow(composed, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        centres = [i * (cell + pad) + cell / 2 for i in range(max(len(images), columns))]
        axes.set_yticks(centres[: len(row_labels)], list(row_labels))
        axes.set_xticks(centres[: len(column_labels)], list(column_labels))
        axes.tick_params(length=0, labeltop=True, labelbottom=False, pad=3)
        for spine in axes.spines.values():
            spine.set_visible(False)
        canvas = Canvas(figure, [axes])
        canvas.finish()
    return canvas.png
