"""What a report is made of: blocks that both README.md and index.html are rendered from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Value:
    """One cell of a table: its text, the number behind it, and what hovers over it."""

    text: str
    number: float | None = None
    small: str = ""  # interval or spread
    best: bool = False
    chance: bool = False  # the difference to the cell on its left may be chance
    paper: str = ""  # the paper's value and the difference, where comparable
    tip: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A row of a table; `key` names it in CSV."""

    label: str
    values: tuple[Value, ...]
    key: str = ""


@dataclass(frozen=True)
class Table:
    """A table in the paper's layout: rows eta, columns S."""

    name: str  # of its files, tables/<name>.csv and .tex
    title: str
    corner: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    footer: tuple[Row, ...] = ()  # one value for the whole width, such as the floor
    notes: tuple[str, ...] = ()  # Markdown, under the table


@dataclass(frozen=True)
class Paragraph:
    """Markdown text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of Markdown lines; `summary` folds it away on the page and in the README."""

    items: tuple[str, ...]
    summary: str = ""


@dataclass(frozen=True)
class Code:
    """Text to copy; folded away under `summary` where that is set."""

    text: str
    language: str = "sh"
    summary: str = ""


@dataclass(frozen=True)
class Picture:
    """An image file inside the report's folder."""

    path: Path  # relative to the report's folder
    alt: str
    caption: str = ""
    data: Path | None = None  # the CSV with its numbers, relative to the report's folder
    pixelated: bool = False


@dataclass(frozen=True)
class Series:
    """One curve of a plot with its intervals.

    `key` names its line on the page; its place among the plot's curves chooses colour and marker.
    """

    key: str
    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plot:
    """Curves: a still figure for the README and for paper, an interactive one for the page."""

    name: str  # <folder>/<name>.png, .svg, .csv
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    alt: str
    columns: tuple[str, ...]  # of the CSV
    data: tuple[tuple[object, ...], ...]
    folder: Path = Path("figures")  # of its files, relative to the report's folder
    caption: str = ""
    x_log: bool = True
    y_log: bool = True
    x_ticks: tuple[float, ...] = ()
    level: Series | None = None  # a horizontal line with its interval, such as the floor

    @property
    def y_span(self) -> tuple[float, float]:
        """Lowest and highest number of the plot, intervals and level included."""
        curves = [*self.series, *([self.level] if self.level else [])]
        values = [y for curve in curves for y in (*curve.y, *curve.low, *curve.high)]
        positive = [y for y in values if y > 0 or not self.y_log]
        return min(positive), max(positive)

    def file(self, kind: str) -> Path:
        """Its file of a kind (png, svg, csv), relative to the report's folder."""
        return self.folder / f"{self.name}.{kind}"

    @property
    def y_plain(self) -> bool:
        """Whether the y axis reads 1, 2, 5, 10 rather than in powers of ten."""
        low, high = self.y_span
        return low >= 0.01 and high < 1e5


@dataclass(frozen=True)
class Montage:
    """Sample grids laid out as a table: rows S, columns eta; one still figure in the README."""

    name: str  # figures/<name>.png
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    pictures: tuple[tuple[Path, ...], ...]  # [rows][columns], absolute
    alt: str
    caption: str


@dataclass(frozen=True)
class Browser:
    """Sample grids behind two sliders, S and eta; the page only: the README links the files."""

    steps: tuple[int, ...]
    etas: tuple[tuple[str, str], ...]  # (key, label)
    pictures: dict[tuple[int, str], Path]  # absolute


Block = Table | Paragraph | Bullets | Code | Picture | Plot | Montage | Browser


@dataclass(frozen=True)
class Part:
    """A headed part of the report."""

    title: str
    anchor: str
    blocks: Sequence[Block]
    parts: "Sequence[Part]" = ()


@dataclass(frozen=True)
class Document:
    """A whole report; `folder` is where its files lie."""

    title: str
    subtitle: str
    folder: Path
    lead: Sequence[Block]
    parts: Sequence[Part]
    see_also: str = ""  # Markdown under the lead, in the README alone: where the rest is
    metrics: dict[str, object] = field(default_factory=dict)  # embedded for scripts and tests

    @property
    def montage_pictures(self) -> set[Path]:
        """Pictures that stand on the page as they are: the browser need not embed them twice."""
        return {
            path
            for block in self.blocks()
            if isinstance(block, Montage)
            for row in block.pictures
            for path in row
        }

    def blocks(self) -> list[Block]:
        """Every block in reading order."""
        blocks = list(self.lead)
        for part in self.parts:
            blocks += part.blocks
            for inner in part.parts:
                blocks += inner.blocks
        return blocks
