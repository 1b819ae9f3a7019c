"""One look for still and interactive curves: colours, markers, dashes, matplotlib's settings.

Okabe and Ito's palette, which the colour-blind can tell apart; every curve also has its own marker
and dash, so that it survives grey print. On dark ground the inks that would vanish are lighter.
"""

from dataclasses import dataclass
from typing import Any

# matplotlib's settings for every still figure.
RC: Any = {
    "svg.hashsalt": "ddim",  # the same bytes for the same numbers
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.labelcolor": "#222222",
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "grid.color": "#dcdcdc",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Stroke:
    """How one curve is drawn in matplotlib (marker, dash) and in Bokeh (b_marker, b_dash)."""

    light: str
    dark: str
    marker: str
    dash: str | tuple[int, tuple[int, ...]]
    b_marker: str
    b_dash: str | list[int]


STROKES = (
    Stroke("#1b1b1b", "#f2efe9", "o", "solid", "circle", "solid"),
    Stroke("#0072b2", "#56b4e9", "s", (0, (6, 2)), "square", [10, 4]),
    Stroke("#009e73", "#2fc79a", "^", (0, (6, 2, 1, 2)), "triangle", [10, 4, 2, 4]),
    Stroke("#d55e00", "#f08a3c", "D", (0, (2, 2)), "diamond", [3, 4]),
    Stroke("#b0568c", "#e29cc4", "v", (0, (9, 2, 1, 2, 1, 2)), "inverted_triangle", [14, 3, 2, 3]),
    Stroke("#a67c00", "#f0e442", "P", (0, (1, 1)), "cross", [2, 2]),
    Stroke("#56b4e9", "#8fd0f5", "X", (0, (4, 1)), "x", [7, 2]),
)
LABEL = "#7c7c7c"  # of text on a transparent ground: as clear on white as on black
FLOOR_LIGHT, FLOOR_DARK = "#6b6b6b", "#a8a49c"


def stroke(index: int) -> Stroke:
    """The look of the curve at `index`; after the last one they repeat."""
    return STROKES[index % len(STROKES)]


def plain_ticks(axis: Any) -> None:
    """1, 2, 5, 10, ... on a logarithmic axis of matplotlib's."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
