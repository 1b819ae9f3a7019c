"""What every section hands over: a finding, figures with their numbers, tables; how it is saved.

A section is a module of this room with its TITLE, its CLAIM (what the lecture or the paper says),
its SOURCE (which of them, and where), `measure(context)`, which returns a frozen dataclass of
numbers and images, and `present(result)`,
which makes of that one `SectionContent`, without a network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ddim.records.section import Figure, Section, Table, Value
from ddim.records.verdict import Verdict
from ddim.runtime.files import csv_text

if TYPE_CHECKING:
    from ddim.analysis.context import Context

Rows = Sequence[Sequence[object]]


class SectionModule(Protocol):
    """What a module of this room offers."""

    TITLE: str
    CLAIM: str
    SOURCE: str

    def measure(self, context: "Context") -> Any:
        """A frozen dataclass of numbers and images."""

    def present(self, result: Any) -> "SectionContent":
        """The section's text, tables and figures, of what `measure` returned."""


@dataclass(frozen=True, kw_only=True)
class FigureContent:
    """A figure's picture and, for the CSV beside it, the numbers that it shows."""

    file: str
    content: bytes
    caption: str
    alt: str
    columns: Sequence[str]
    rows: Rows
    is_chart: bool = False  # lines on white, no images

    @property
    def data(self) -> str:
        """The name of the CSV."""
        return f"{Path(self.file).stem}.csv"


@dataclass(frozen=True, kw_only=True)
class SectionContent:
    """What a section says and shows."""

    finding: str  # one sentence, with our number
    text: str = ""  # Markdown: how it was measured, and what it means
    numbers: Mapping[str, float] = field(default_factory=dict)  # for metrics.json
    verdicts: Sequence[Verdict] = ()
    figures: Sequence[FigureContent] = ()  # README.md shows the first, index.html all of them
    tables: Sequence[Table] = ()

    def save(self, folder: Path, *, name: str, order: int, module: "SectionModule") -> Section:
        """Write the section's record, figures and CSVs to `folder`; returns the record."""
        figures = [
            Figure(file=p.file, data=p.data, caption=p.caption, alt=p.alt, is_chart=p.is_chart)
            for p in self.figures
        ]
        section = Section(
            name=name,
            order=order,
            title=module.TITLE,
            claim=module.CLAIM,
            source=module.SOURCE,
            finding=self.finding,
            text=self.text,
            numbers=dict(self.numbers),
            verdicts=tuple(self.verdicts),
            figures=tuple(figures),
            tables=tuple(self.tables),
        )
        files = {p.file: p.content for p in self.figures}
        files |= {p.data: csv_text(p.columns, p.rows).encode() for p in self.figures}
        return section.save(folder, files)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> Table:
    """A table of a section; its first column names the rows."""
    return Table(title=title, columns=tuple(columns), rows=tuple(map(tuple, rows)))
