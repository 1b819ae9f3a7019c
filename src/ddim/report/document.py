"""What a report is made of: blocks that both README.md and index.html are rendered from.

README.md holds what a reader needs to judge the claims, index.html everything: what a part has
under `more` is on the page alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ddim.records.verdict import Verdict


@dataclass(frozen=True)
class Value:
    """One cell of a table: its text, the number behind it, and what hovers over it."""

    text: str
    number: float | None = None
    small: str = ""  # interval
    bold: bool = False
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
    bold_means: str = "best of the column"

    @property
    def sortable(self) -> tuple[bool, ...]:
        """Which columns can be sorted: those of numbers, where there are three rows or more."""
        columns = zip(*(row.values for row in self.rows), strict=True)
        numbers = [all(value.number is not None for value in column) for column in columns]
        return tuple(is_numeric and len(self.rows) > 2 for is_numeric in numbers)


@dataclass(frozen=True)
class Panel:
    """Every claim with the paper's figures, ours, and how it was decided: tables/verdicts.csv."""

    verdicts: tuple[Verdict, ...]
    note: str  # Markdown: the rule behind the words
    anchors: tuple[str, ...] = ()  # where on the page each claim is measured; none: no links


@dataclass(frozen=True)
class Paragraph:
    """Markdown text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of Markdown lines."""

    items: tuple[str, ...]


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
    is_chart: bool = False  # lines on white, which the page inverts on dark ground


@dataclass(frozen=True)
class Series:
    """One curve of a plot with its intervals.

    `key` names its line on the page; `look` chooses colour, dash and marker (ddim.plotting.style).
    """

    key: str
    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    look: int = 0
    hollow: bool = False  # thin line, empty markers, no entry in the legend


@dataclass(frozen=True)
class Level:
    """A horizontal line with its interval, such as the floor."""

    label: str
    y: float
    low: float
    high: float
    x: tuple[float, float] | None = None  # from where to where it holds; None: everywhere


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
    level: Level | None = None
    dodge: float = 0.0  # decades of x between neighbouring curves, so that bars do not overlap
    beside: "Plot | None" = None  # the right-hand panel: another scale, no files of its own

    @property
    def y_span(self) -> tuple[float, float]:
        """Lowest and highest number of the plot, intervals and level included."""
        values = [y for curve in self.series for y in (*curve.y, *curve.low, *curve.high)]
        values += [self.level.y, self.level.low, self.level.high] if self.level else []
        shown = [y for y in values if y > 0 or not self.y_log]
        return min(shown), max(shown)

    def places(self, series: Series) -> tuple[float, ...]:
        """Where the points of a curve are drawn: beside those of the others at the same x.

        Those of hollow curves right of the filled ones.
        """
        if not self.dodge:
            return series.x
        num = max(each.look for each in self.series) + 1
        filled = {x for each in self.series if not each.hollow for x in each.x}
        return tuple(
            x
            * 10
            ** (self.dodge * (series.look - (num - 1) / 2 + num * (series.hollow and x in filled)))
            for x in series.x
        )

    def file(self, kind: str) -> Path:
        """Its file of a kind (png, svg, csv), relative to the report's folder."""
        return self.folder / f"{self.name}.{kind}"

    @property
    def y_plain(self) -> bool:
        """Whether the y axis reads 1, 2, 5, 10 rather than in powers of ten."""
        low, high = self.y_span
        return low >= 0.01 and high < 1e5


@dataclass(frozen=True)
class Heat:
    """One panel of a heat map, with its own logarithmic colour scale."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]  # [rows][columns], 0 or more; None: no number
    texts: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class HeatMap:
    """Numbers of a grid as colours, side by side: `figures/<name>.png` and `.svg`."""

    name: str
    x_label: str
    panels: tuple[Heat, ...]
    alt: str
    caption: str


@dataclass(frozen=True)
class Montage:
    """Pictures laid out as a table, such as rows S, columns eta; one still figure."""

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


Block = Table | Panel | Paragraph | Bullets | Code | Picture | Plot | HeatMap | Montage | Browser


@dataclass(frozen=True)
class Part:
    """A headed part of the report."""

    title: str
    anchor: str
    blocks: Sequence[Block] = ()
    parts: "Sequence[Part]" = ()
    more: Sequence[Block] = ()  # after `blocks`, on the page alone

    @property
    def is_on_page_alone(self) -> bool:
        """Whether README.md leaves the part out."""
        return not self.blocks and all(part.is_on_page_alone for part in self.parts)


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
        """Every block of the page, in reading order."""
        blocks = list(self.lead)
        for part in self.parts:
            blocks += [*part.blocks, *part.more]
            for inner in part.parts:
                blocks += [*inner.blocks, *inner.more]
        return blocks
