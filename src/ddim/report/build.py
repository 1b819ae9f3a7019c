"""Writes the report of one experiment into `reports/<name>/`.

README.md, metrics.json, tables/ and figures/ are results: the same records give the same bytes, on
any machine. timings/ is none, and neither is index.html, which shows the timings too.
"""

from pathlib import Path

from ddim.records.results import Results
from ddim.records.section import Section
from ddim.report import content, metrics_json, sections, tables, timings
from ddim.report.document import Document, HeatMap, Montage, Panel, Plot, Table
from ddim.report.render import figures, latex, markdown, page
from ddim.runtime.files import csv_text, write_json, write_text

_OWNED = ("figures", "tables")  # folders that hold this report's files and nothing else


def build(results: Results) -> Document:
    """Write README.md, index.html, metrics.json, tables/, figures/, timings/; return the content.

    Files of an earlier report that this one does not have are removed from tables/ and figures/,
    so that nothing in them is stale.
    """
    document = content.document(results)
    folder = document.folder
    cells, numbers = (folder / "tables" / f"{name}.csv" for name in ("cells", "metrics"))
    write_text(cells, tables.cells_csv(results))
    write_text(numbers, csv_text(("metric", "value"), metrics_json.flat(document.metrics)))
    _remove_others(folder, write_files(document) | {cells, numbers})
    write_json(folder / "metrics.json", metrics_json.metrics(results))
    _write_timings(timings.document(results))
    write_text(folder / "README.md", markdown.render(document))
    write_text(folder / "index.html", page.render(content.with_timings(document, results)))
    return document


def build_section(section: Section, folder: Path) -> Document:
    """Write README.md, index.html and tables/ of one section of the report in `folder`."""
    document = sections.alone(section, folder)
    _remove_others(folder, write_files(document))
    write_text(folder / "README.md", markdown.render(document))
    write_text(folder / "index.html", page.render(document))
    return document


def write_files(document: Document) -> set[Path]:
    """Write the figures and tables of `document` under its folder and return their paths."""
    written: set[Path] = set()
    for block in document.blocks():
        if isinstance(block, Plot):
            written |= set(figures.plot_files(block, document.folder))
        elif isinstance(block, HeatMap):
            written |= set(figures.heat_map_files(block, document.folder))
        elif isinstance(block, Montage):
            written |= set(figures.montage_file(block, document.folder))
        elif isinstance(block, Panel):
            path = document.folder / "tables" / "verdicts.csv"
            write_text(path, tables.verdicts_csv(block.verdicts))
            written.add(path)
        elif isinstance(block, Table):
            written |= _table(block, document.folder)
    return written


def _table(table: Table, folder: Path) -> set[Path]:
    numbers, source = (folder / "tables" / f"{table.name}.{kind}" for kind in ("csv", "tex"))
    write_text(numbers, tables.table_csv(table))
    write_text(source, latex.render(table))
    return {numbers, source}


def _write_timings(document: Document) -> None:
    """Its page, figure and tables, beside the records; the figure's CSV has the tables' numbers."""
    for block in document.blocks():
        if isinstance(block, Plot):
            figures.plot_files(block, document.folder)
        elif isinstance(block, Table):
            write_text(document.folder / f"{block.name}.tex", latex.render(block))
    write_text(document.folder / "README.md", markdown.render(document))


def _remove_others(folder: Path, keep: set[Path]) -> None:
    for name in _OWNED:
        for path in (folder / name).glob("*"):
            if path not in keep and path.is_file():
                path.unlink()
