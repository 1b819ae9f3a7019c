"""Sections of the analysis -> the part of the report that shows them."""

from dataclasses import replace
from pathlib import Path

from PIL import Image

from ddim.records import section as records
from ddim.records.results import Results
from ddim.report.document import (
    Block,
    Document,
    Panel,
    Paragraph,
    Part,
    Picture,
    Row,
    Table,
    Value,
)

PIXELATED_BELOW = 400  # pixels wide: smaller pictures are enlarged without smoothing


def part(results: Results) -> Part:
    """What the lecture and the paper claim, each claim with our finding."""
    parts = [_section(results.folder, section) for section in results.sections]
    return Part("What the lecture and the paper claim", "analysis", parts=parts)


def alone(section: records.Section, folder: Path) -> Document:
    """A report of one section in the report's folder, nothing left out."""
    whole = _section(folder, section)
    lead: list[Block] = [Panel(section.verdicts, "")] if section.verdicts else []
    return Document(
        title=section.title,
        subtitle=f"The experiment {folder.name}.",
        folder=folder,
        lead=lead,
        parts=[replace(whole, blocks=[*whole.blocks, *whole.more], more=[])],
        see_also="[index.html](index.html) is the same in one file.",
    )


def _section(root: Path, section: records.Section) -> Part:
    """Claim, source, finding and the first figure; on the page the text, the rest and tables."""
    claim = Paragraph(f"*Claim:* {section.claim} ({section.source})")
    blocks: list[Block] = [claim, Paragraph(f"**{section.finding}**")]
    pictures = [_picture(root, section, figure) for figure in section.figures]
    more: list[Block] = [Paragraph(section.text)] if section.text.strip() else []
    more += pictures[1:]
    more += [_table(section, i) for i in range(len(section.tables))]
    return Part(section.title, anchor(section), [*blocks, *pictures[:1]], more=more)


def anchor(section: records.Section) -> str:
    """Where a section stands on the page."""
    return f"analysis-{section.name}"


def _picture(root: Path, section: records.Section, figure: records.Figure) -> Picture:
    block = picture(
        root, root / "analysis" / section.name / figure.file, figure.alt, figure.caption
    )
    return replace(block, data=block.path.with_name(figure.data), is_chart=figure.is_chart)


def picture(root: Path, path: Path, alt: str, caption: str) -> Picture:
    """A file under the report's folder `root` as a block."""
    with Image.open(path) as image:
        small = image.width < PIXELATED_BELOW
    return Picture(path.relative_to(root), alt, caption, pixelated=small)


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
