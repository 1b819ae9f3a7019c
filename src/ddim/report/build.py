"""Writes the report of one experiment into reports/<name>/."""

from pathlib import Path

from ddim.records.results import Results
from ddim.report import content, tables
from ddim.report.document import Document, Montage, Plot, Table
from ddim.report.render import figures, latex, markdown, page
from ddim.runtime.files import csv_text, write_json, write_text

_OWNED = ("figures", "tables", "plots")  # folders that hold this report's files and nothing else
_DVC_PLOTS = ("fid", "error", "time", "loss")


def build(results: Results) -> Document:
    """Write README.md, index.html, metrics.json, tables/, figures/ and plots/; return the content.

    Files of an earlier report that this one does not have are removed from the three folders, so
    that nothing in them is stale.
    """
    document = content.document(results)
    folder = document.folder
    every = folder / "tables" / "cells.csv"
    write_text(every, tables.cells_csv(results))
    _remove_others(folder, write_files(document) | _plots(document) | {every})
    write_json(folder / "metrics.json", document.metrics)
    write_pages(document)
    return document


def write_files(document: Document) -> set[Path]:
    """Write the figures and tables of `document` under its folder and return their paths."""
    written: set[Path] = set()
    for block in document.blocks():
        if isinstance(block, Plot):
            written |= set(figures.plot_files(block, document.folder))
        elif isinstance(block, Montage):
            written |= set(figures.montage_file(block, document.folder))
        elif isinstance(block, Table):
            written |= _table(block, document.folder)
    return written


def write_pages(document: Document) -> None:
    """Write README.md and index.html; the page embeds the figures, so they come first."""
    write_text(document.folder / "README.md", markdown.render(document))
    write_text(document.folder / "index.html", page.render(document))


def _table(table: Table, folder: Path) -> set[Path]:
    numbers, source = (folder / "tables" / f"{table.name}.{kind}" for kind in ("csv", "tex"))
    write_text(numbers, tables.table_csv(table))
    write_text(source, latex.render(table))
    return {numbers, source}


def _plots(document: Document) -> set[Path]:
    """The curves' numbers under plots/, where dvc.yaml declares them."""
    written = set()
    for block in document.blocks():
        if isinstance(block, Plot) and block.name in _DVC_PLOTS:
            path = document.folder / "plots" / f"{block.name}.csv"
            write_text(path, csv_text(block.columns, block.data))
            written.add(path)
    return written


def _remove_others(folder: Path, keep: set[Path]) -> None:
    for name in _OWNED:
        for path in (folder / name).glob("*"):
            if path not in keep and path.is_file():
                path.unlink()
