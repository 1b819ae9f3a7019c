"""One section of the analysis: what it says and shows, and the files beside it."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import msgspec

from ddim.records.base import Count, Part, Record, Sha256
from ddim.records.verdict import Verdict
from ddim.runtime.files import replacing_folder

FILE = "section.json"
FILE_NAME = r"\w[\w.-]*"
Value = int | float | str  # of a table's field


class Figure(Part, frozen=True):
    """A picture, and the CSV with the numbers that it shows; file names in the section's folder."""

    file: str
    data: str
    caption: str
    alt: str
    is_chart: bool = False  # lines on white: a page on dark ground may invert it

    def __post_init__(self) -> None:
        for name in (self.file, self.data):  # the page embeds the file: it must be one of ours
            if not re.fullmatch(FILE_NAME, name):
                raise ValueError(f"must name files by letters, digits, _ - and ., got {name!r}")


class Table(Part, frozen=True):
    """A table; its first column names the rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


class Section(Record, frozen=True, omit_defaults=True):  # `dvc plots` warns of an empty list
    """What one section of the stage `analysis` wrote: `reports/<name>/analysis/<section>/`."""

    KIND: ClassVar[str] = "section"
    VERSION: ClassVar[int] = 3

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
    checksums: dict[str, Sha256] = msgspec.field(default_factory=dict)  # of the figures' files
    fingerprint: str = ""  # of everything that it was measured of; "": not said, never kept

    def with_fingerprint(self, fingerprint: str) -> Self:
        """The same of a known fingerprint."""
        return msgspec.structs.replace(self, fingerprint=fingerprint)

    def save(self, folder: Path, files: Mapping[str, bytes]) -> Self:
        """Write section.json and `files`, by name, in place of what `folder` held.

        `files` are those that the figures name. The folder is replaced in one move. Returns the
        record as it was written, with the files' checksums.
        """
        named = {name for figure in self.figures for name in (figure.file, figure.data)}
        assert named == set(files), named ^ set(files)
        assert self.finding, f"section {self.name} has no finding"
        with replacing_folder(folder) as temporary:
            for name, content in files.items():
                (temporary / name).write_bytes(content)
            checksums = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
            written = msgspec.structs.replace(self, checksums=checksums)
            written.write(temporary / FILE)
        return written
