"""One section as the report reads it: section.json and the files beside it, whole or absent."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddim.runtime.files import csv_text, write_json

Rows = Sequence[Sequence[object]]


@dataclass
class Section:
    """What one section says and shows. Filled piece by piece, then written in one move.

    Args:
        name: of its folder.
        order: its place in the report.
        title: a heading.
        claim: what the lecture says, one sentence.
    """

    name: str
    order: int
    title: str
    claim: str
    finding: str = ""  # one sentence, with our number
    text: str = ""  # Markdown: how it was measured, and what it means
    numbers: dict[str, float] = field(default_factory=dict)
    figures: list[dict[str, str]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)  # by file name

    def figure(
        self,
        file: str,
        content: bytes,
        *,
        caption: str,
        alt: str,
        columns: Sequence[str],
        rows: Rows,
    ) -> None:
        """Add a picture and, as a CSV beside it, the numbers that it shows."""
        data = f"{Path(file).stem}.csv"
        self.files[file] = content
        self.files[data] = csv_text(columns, rows).encode()
        self.figures.append({"file": file, "caption": caption, "alt": alt, "data": data})

    def table(self, title: str, columns: Sequence[str], rows: Rows) -> None:
        """Add a table; its first column names the rows."""
        self.tables.append(
            {"title": title, "columns": list(columns), "rows": [list(row) for row in rows]}
        )

    def write(self, lecture: Path) -> None:
        """Write lecture/<name>/, replacing what an earlier run left there."""
        assert self.finding, f"section {self.name} has no finding"
        folder = lecture / self.name
        temporary = lecture / f".{self.name}.{os.getpid()}.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            for file, content in self.files.items():
                (temporary / file).write_bytes(content)
            write_json(temporary / "section.json", self._content())
            shutil.rmtree(folder, ignore_errors=True)
            temporary.replace(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        print(f"{self.title}: {self.finding}")

    def _content(self) -> dict[str, Any]:
        """section.json; no "tables" where there is none: `dvc plots` warns of an empty list."""
        tables = {"tables": self.tables} if self.tables else {}
        return {
            "order": self.order,
            "title": self.title,
            "claim": self.claim,
            "finding": self.finding,
            "text": self.text,
            "figures": self.figures,
            **tables,
            "numbers": self.numbers,
        }
