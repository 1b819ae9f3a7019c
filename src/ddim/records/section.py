"""One section of the analysis: what it says and shows, and the files beside it."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import msgspec

from ddim.records.base import Count, Part, Record
from ddim.records.verdict import Verdict

FILE = "section.json"
Value = int | float | str  # of a table's field


class Figure(Part, frozen=True):
    """A picture, and the CSV with the numbers that it shows; file names in the section's folder."""

    file: str
    data: str
    caption: str
    alt: str


class Table(Part, frozen=True):
    """A table; its first column names the rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


class Section(Record, frozen=True, omit_defaults=True):  # `dvc plots` warns of an empty list
    """What one section of the stage `analysis` wrote: `reports/<name>/analysis/<section>/`."""

    KIND: ClassVar[str] = "section"
    VERSION: ClassVar[int] = 2

    name: str
    order: Count  # its place in the report
    title: str
    claim: str  # what the lecture or the paper says, one sentence
    source: str  # whose claim it is, and where: "lecture, limitation 1 (01:18); paper, Fig. 4"
    finding: str  # one sentence, with our number
    text: str = ""  # Markdown: how it was measured, and what it means
    numbers: dict[str, float] = msgspec.field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()  # none where it could not be measured
    figures: tuple[Figure, ...] = ()  # README.md shows the first, index.html all of them
    tables: tuple[Table, ...] = ()

    def save(self, folder: Path, files: Mapping[str, bytes]) -> None:
        """Write section.json and `files`, by name, in place of what `folder` held.

        `files` are those that the figures name. The folder is replaced in one move.
        """
        named = {name for figure in self.figures for name in (figure.file, figure.data)}
        assert named == set(files), named ^ set(files)
        assert self.finding, f"section {self.name} has no finding"
        temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            for name, content in files.items():
                (temporary / name).write_bytes(content)
            self.write(temporary / FILE)
            shutil.rmtree(folder, ignore_errors=True)
            temporary.replace(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
