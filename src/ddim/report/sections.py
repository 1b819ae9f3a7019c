"""Sections of the analysis -> the part of the report that shows them."""

from dataclasses import replace
from pathlib import Path

from PIL import Image

from ddim.records import section as records
from ddim.records.results import Results
from ddim.report.document import Block, Paragraph, Part, Picture, Row, Table, Value

PIXELATED_BELOW = 400  # pixels wide: smaller pictures are enlarged without smoothing


def part(results: Results) -> Part:
    """What the lecture and the paper claim, each claim with our finding."""
    parts = [_section(results, section) for section in results.sections]
    return Part("What the lecture and the paper claim", "analysis", parts=parts)


def _section(results: Results, section: records.Section) -> Part:
    """Claim, source, finding and the first figure; on the page the text, the rest and tables."""
    claim = Paragraph(f"*Claim:* {section.claim} ({section.source})")
    blocks: list[Block] = [claim, Paragraph(f"**{section.finding}**")]
    pictures = [_picture(results, section, figure) for figure in section.figures]
    more: list[Block] = [Paragraph(section.text)] if section.text.strip() else []
    more += pictures[1:]
    more += [_table(section, i) for i in range(len(section.tables))]
    anchor = f"analysis-{section.name}"
    return Part(section.title, anchor, [*blocks, *pictures[:1]], more=more)


def _picture(results: Results, section: records.Section, figure: records.Figure) -> Picture:
    folder = results.section_folder(section)
    block = picture(results, folder / figure.file, figure.alt, figure.caption)
    return replace(block, data=block.path.with_name(figure.data))


def picture(results: Results, path: Path, alt: str, caption: str) -> Picture:
    """A file under the report's folder as a block."""
    with Image.open(path) as image:
        small = image.width < PIXELATED_BELOW
    return Picture(path.relative_to(results.folder), alt, caption, pixelated=small)


def _table(section: records.Section, index: int) -> Table:
    table = section.tables[index]
    corner, *columns = table.columns
    rows = [
        Row(_text(first), tuple(_value(value) for value in others)) for first, *others in table.rows
    ]
    number = f"_{index + 1}" if len(section.tables) > 1 else ""
    name = f"analysis_{section.name}{number}"
    return Table(name, table.title, corner, tuple(columns), tuple(rows))


def _value(value: records.Value) -> Value:
    return Value(_text(value), None if isinstance(value, str) else float(value))


def _text(value: records.Value) -> str:
    """Integers as they are, other numbers with four significant digits, text as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
