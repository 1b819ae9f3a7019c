"""What every section hands over: a finding, figures with their numbers, tables; how it is saved.

A section is a module of this room with its TITLE, its CLAIM (what the lecture or the paper says),
`measure(context)`, which returns a frozen dataclass of numbers and images, and `present(result)`,
which makes of that one `SectionContent`, without a network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ddim.records.section import Figure, Section, Table, Value
from ddim.runtime.files import csv_text

Rows = Sequence[Sequence[object]]


@dataclass(frozen=True, kw_only=True)
class FigureContent:
    """A figure's picture and, for the CSV beside it, the numbers that it shows."""

    file: str
    content: bytes
    caption: str
    alt: str
    columns: Sequence[str]
    rows: Rows

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
    figures: Sequence[FigureContent] = ()
    tables: Sequence[Table] = ()

    def save(self, folder: Path, *, name: str, order: int, title: str, claim: str) -> Section:
        """Write the section's record, figures and CSVs to `folder`; returns the record."""
        figures = [
            Figure(file=p.file, data=p.data, caption=p.caption, alt=p.alt) for p in self.figures
        ]
        section = Section(
            name=name,
            order=order,
            title=title,
            claim=claim,
            finding=self.finding,
            text=self.text,
            numbers=dict(self.numbers),
            figures=tuple(figures),
            tables=tuple(self.tables),
        )
        files = {p.file: p.content for p in self.figures}
        files |= {p.data: csv_text(p.columns, p.rows).encode() for p in self.figures}
        section.save(folder, files)
        return section


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> Table:
    """A table of a section; its first column names the rows."""
    return Table(title=title, columns=tuple(columns), rows=tuple(map(tuple, rows)))
